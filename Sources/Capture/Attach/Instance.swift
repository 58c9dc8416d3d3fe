import Glibc
import Import
import Platform

/// A private trace instance that shows the ring events of one process: its buffers, its filters, its clock. Nothing of
/// it is seen by, or disturbs, anybody else's tracing. It goes with the object.
package final class Instance {
    /// Takes it all away again.
    package let cleanup: TraceCleanup
    private let path: String
    private let probe: String?
    private let push: String
    private let layout: PageLayout
    private let decoder: EventDecoder
    private var readers: [CPUReader] = []
    private var threads: Threads

    /// Pushes of other processes stay out of the buffer by the event's own filter, as long as it does not get too long;
    /// what is left is sorted out by ``Threads``. `set_event_pid` would lose entries: KVM marks the page of the guest's
    /// steal time when the vCPU's thread is switched out, and by then that filter looks at the next thread.
    private static let mostFiltered = 100

    /// Whether memory slots are seen when the VMM sets them.
    package var seesSlots: Bool { probe != nil }

    /// Makes the instance and switches the events of `pid`'s threads on.
    ///
    /// - Throws: ``AttachError``. Nothing is left behind then.
    package init(_ tracefs: Tracefs, pid: Int32, buffers: TraceBuffers) throws {
        threads = Threads(of: pid)
        path = tracefs.root + "/instances/\(Tracefs.prefix)-\(getpid())"
        Self.remove(path)
        guard unsafe mkdir(path, 0o700) == 0 else {
            throw AttachError("A trace instance cannot be made: \(systemError()); attach needs root.")
        }
        probe = tracefs.addSlotProbe()
        push = path + "/events/kvm/kvm_dirty_ring_push"
        cleanup = TraceCleanup(tracefs, path: path, probe: probe)
        do {
            guard let layout = PageLayout(parsing: try Files.read(tracefs.root + "/events/header_page")) else {
                throw AttachError(
                    "The trace's header_page has a form that dirtyrec does not know; please report this kernel.")
            }
            self.layout = layout
            try Self.size(path, buffers)
            decoder = try Self.setUp(path, probe: probe)
            try follow(threads.current)
            try Files.write("1\n", to: path + "/tracing_on")
            for name in Files.list(path + "/per_cpu") where name.hasPrefix("cpu") {
                readers.append(
                    try CPUReader(path + "/per_cpu/" + name, name: name, pageSize: layout.size, cleanup))
            }
        } catch {
            cleanup.run()
            throw error
        }
    }

    deinit { end() }

    /// Switches everything off and removes the instance.
    package func end() {
        cleanup.run()
        readers = []
    }

    private static func size(_ path: String, _ buffers: TraceBuffers) throws {
        func set(_ folder: String, _ kibibytes: Int) throws {
            do { try Files.write("\(kibibytes)\n", to: path + folder + "/buffer_size_kb") } catch {
                throw AttachError(
                    "The kernel has no \(kibibytes) KiB of memory for each trace buffer; choose less with --buffer."
                )
            }
        }
        guard let cpus = buffers.cpus else { return try set("", buffers.kibibytes) }
        try set("", TraceBuffers.smallest)
        for cpu in cpus { try set("/per_cpu/cpu\(cpu)", buffers.kibibytes) }
    }

    /// Lets pushes of `threads` in; other events are few.
    private func follow(_ threads: Set<Int>) throws {
        guard !threads.isEmpty else { return }
        let filter =
            threads.count <= Self.mostFiltered
            ? threads.sorted().map { "common_pid==\($0)" }.joined(separator: "||") : "0"
        try Files.write(filter + "\n", to: push + "/filter")
    }

    private static func setUp(_ path: String, probe: String?) throws -> EventDecoder {
        func set(_ file: String, _ value: String) throws { try Files.write(value + "\n", to: path + "/" + file) }
        try set("tracing_on", "0")
        try set("trace_clock", "mono")
        // When a buffer is full new events are dropped and counted; nothing that was seen changes.
        try set("options/overwrite", "0")
        var decoder = EventDecoder()
        let events =
            EventDecoder.tracepoints.map { "kvm/" + $0 } + (probe.map { [$0 + "/" + EventDecoder.slotProbe] } ?? [])
        for event in events {
            let file = path + "/events/" + event
            guard let format = EventFormat(parsing: try Files.read(file + "/format")), decoder.learn(format) else {
                throw AttachError(
                    "The format of \(event) lacks a field that dirtyrec needs; please report this kernel.")
            }
            try set("events/\(event)/enable", "1")
        }
        return decoder
    }

    /// Removes an instance, switching its events off first: an instance in use cannot go.
    static func remove(_ path: String) {
        guard Files.exists(path) else { return }
        try? Files.write("0\n", to: path + "/tracing_on")
        try? Files.write("0\n", to: path + "/events/enable")
        _ = unsafe rmdir(path)
    }

    /// Appends the events up to now, in no order between CPUs, to `events`.
    ///
    /// - Throws: ``AttachError`` when the trace cannot be read any more.
    package func read(upTo ns: Int64, into events: inout [RingEvent]) throws {
        // A vCPU that is plugged in is a thread that was not there before. The kernel swaps filters without a gap.
        if threads.refresh() { try follow(threads.current) }
        for reader in readers {
            do {
                try reader.readPages(upTo: ns) { page in
                    var last = Int64.min
                    var records = try layout.records(in: page)
                    while let (record, time) = try records.next() {
                        last = time
                        if let event = decoder.decode(record, ns: time), threads.contains(event.pid) {
                            events.append(event)
                        }
                    }
                    return last
                }
            } catch let damage as PageLayout.Damage {
                throw AttachError("The kernel's trace cannot be understood: \(damage.problem).")
            }
        }
    }

    /// Events that the kernel dropped so far, by CPU.
    package var dropped: [String: Int64] {
        var dropped: [String: Int64] = [:]
        for name in Files.list(path + "/per_cpu") {
            guard let text = try? Files.read(path + "/per_cpu/\(name)/stats") else { continue }
            var sum: Int64 = 0
            for line in text.split(separator: "\n") {
                let pair = line.split(separator: ":")
                if pair.count == 2, ["overrun", "commit overrun", "dropped events"].contains(pair[0]) {
                    sum += Int64(pair[1].drop { $0 == " " }) ?? 0
                }
            }
            if sum > 0 { dropped[name] = sum }
        }
        return dropped
    }
}

/// Which threads belong to a process. VMMs start threads at any time: vCPUs are plugged in, QEMU's migration thread harvests.
struct Threads {
    private let folder: String
    /// All that were there when it was looked last.
    private(set) var current: Set<Int>
    private var known: [Int: Bool] = [:]

    init(of pid: Int32) {
        folder = "/proc/\(pid)/task/"
        current = []
        refresh()
    }

    mutating func contains(_ thread: Int) -> Bool {
        if let isOurs = known[thread] { return isOurs }
        let isOurs = Files.exists(folder + String(thread))
        known[thread] = isOurs
        return isOurs
    }

    /// Looks again. The number of a stranger that ended may have become one of ours; ours that ended stay ours, as their events may
    /// still come.
    ///
    /// - Returns: whether there is a thread that was not there before.
    @discardableResult
    mutating func refresh() -> Bool {
        let now = Set(Files.list(folder).compactMap { Int($0) })
        defer { current = now }
        known = known.filter(\.value)
        for thread in now { known[thread] = true }
        return !now.isSubset(of: current)
    }
}

/// Reads one CPU's buffer in the kernel's own binary form.
final class CPUReader {
    private let descriptor: CInt
    private let path: String
    private var page: [UInt8]

    init(_ folder: String, name: String, pageSize: Int, _ cleanup: TraceCleanup) throws {
        path = folder + "/trace_pipe_raw"
        page = [UInt8](repeating: 0, count: pageSize)
        descriptor = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw AttachError("\(path) cannot be opened: \(systemError()).") }
        cleanup.add(reader: descriptor)
    }

    deinit { close(descriptor) }

    /// Hands over page after page, until there is none or `body` says that one reached beyond `ns`.
    func readPages(upTo ns: Int64, _ body: (ArraySlice<UInt8>) throws -> Int64) throws {
        while true {
            let count = unsafe page.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EAGAIN || errno == EINTR { return }
            guard count >= 0 else { throw AttachError("\(path) cannot be read: \(systemError()).") }
            guard count > 0, try body(page[..<count]) < ns else { return }
        }
    }
}
