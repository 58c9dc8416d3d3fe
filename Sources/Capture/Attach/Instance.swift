import Glibc
import Import
import Platform

/// A private trace instance that shows the dirty log of one process's guest: its buffers, its filters, its clock. Nothing of
/// it is seen by, or disturbs, anybody else's tracing. It goes with the object.
package final class Instance {
    /// Takes it all away again.
    package let cleanup: TraceCleanup
    private let tracefs: Tracefs
    private let plan: EventPlan
    private let path: String
    private let layout: PageLayout
    private let decoder: EventDecoder
    private var readers: [CPUReader] = []
    private let buffers: TraceBuffers
    private var threads: Threads
    /// Our own threads, which clear soft-dirty bits.
    private var own = Threads(of: getpid())
    private var watch: VMWatch
    private let isOnlyVM: Bool
    /// The threads that there were when events were switched on.
    private let beginners: Set<Int>
    /// Whether a vCPU was plugged in, whose first events may be missing.
    private var hasStranger = false

    /// Whether memory slots are seen when the VMM sets them.
    package let seesSlots: Bool

    private static let events = "/events/kvm/"
    private static let faults = events + EventDecoder.faults
    private static var probes: String { "/events/\(Tracefs.ownGroup)/" }

    /// Makes the instance and switches the events of `target`'s guest on.
    ///
    /// - Parameter machine: Which of the process's VMs, from 1, in the order of their vCPUs' threads; nil: its only one.
    /// - Throws: ``AttachError``. Nothing is left behind then.
    init(_ tracefs: Tracefs, _ target: Target, machine: Int?, plan: EventPlan, buffers: TraceBuffers) throws {
        (self.tracefs, self.plan, self.buffers) = (tracefs, plan, buffers)
        threads = Threads(of: target.pid)
        watch = VMWatch(vcpus: target.vcpus)
        isOnlyVM = target.machines == 1
        beginners = threads.current
        path = tracefs.root + "/instances/\(Tracefs.prefix)-\(getpid())"
        Self.remove(path)
        guard unsafe mkdir(path, 0o700) == 0 else {
            if Tracefs.isLockedDown { throw Tracefs.lockdown }
            throw AttachError("A trace instance cannot be made: \(systemError()); attach needs root.")
        }
        cleanup = TraceCleanup(tracefs, path: path, probes: Tracefs.ownGroup)
        do {
            guard let layout = PageLayout(parsing: try Files.read(tracefs.root + "/events/header_page")) else {
                throw AttachError(
                    "The trace's header_page has a form that dirtyrec does not know; please report this kernel.")
            }
            self.layout = layout
            var names: [String]
            switch plan {
            case .ring:
                seesSlots = tracefs.add(.slot())
                names = EventDecoder.tracepoints.map { Self.events + $0 }
                if seesSlots { names.append(Self.probes + EventDecoder.Probe.slot.rawValue) }
            case .bitmap(let kernel, let times):
                let probes = Probe.bitmap(kernel, times: times)
                for probe in probes where !tracefs.add(probe) { throw tracefs.refusal(of: probe, for: plan) }
                seesSlots = true
                names = probes.map { Self.probes + $0.event.rawValue }
            case .soft(let kernel):
                let probes = try Probe.soft(kernel)
                for probe in probes where !tracefs.add(probe) { throw tracefs.refusal(of: probe, for: plan) }
                seesSlots = true
                names = probes.map { Self.probes + $0.event.rawValue } + [Self.faults]
            }
            try Self.size(path, buffers)
            decoder = try Self.setUp(path, names)
            for name in Files.list(path + "/per_cpu") where name.hasPrefix("cpu") {
                readers.append(
                    try CPUReader(path + "/per_cpu/" + name, name: name, pageSize: layout.size, cleanup))
            }
            try Files.write("1\n", to: path + "/tracing_on")
            if plan.kernel != nil { try find(machine, of: target) }
            try follow()
            for name in names where name != enter { try Files.write("1\n", to: path + name + "/enable") }
        } catch {
            cleanup.run()
            throw error
        }
    }

    deinit { end() }

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

    private static func setUp(_ path: String, _ events: [String]) throws -> EventDecoder {
        func set(_ file: String, _ value: String) throws { try Files.write(value + "\n", to: path + "/" + file) }
        try set("tracing_on", "0")
        try set("trace_clock", "mono")
        // When a buffer is full new events are dropped and counted; nothing that was seen changes.
        try set("options/overwrite", "0")
        var decoder = EventDecoder(faults: true)
        for event in events {
            guard Files.exists(path + event + "/format") else {
                throw AttachError("This kernel has no tracepoint \(event.dropFirst(8)); load kvm, Linux 5.11 or newer.")
            }
            guard let format = EventFormat(parsing: try Files.read(path + event + "/format")), decoder.learn(format)
            else {
                throw AttachError(
                    "The format of \(event.dropFirst(8)) lacks a field that dirtyrec needs; please report this kernel.")
            }
        }
        return decoder
    }

    // MARK: Filters

    /// A filter gets too long with more threads than this.
    private static let mostFiltered = 100
    /// How long vCPUs are given to enter the guest, so that we see whose threads they are.
    private static let searchNs: Int64 = 2_000_000_000
    private var enter: String { Self.probes + EventDecoder.Probe.enter.rawValue }

    /// One of some threads, or when they are many, one between the first and the last; nil without threads.
    private static func condition(_ threads: some Collection<Int>) -> String? {
        let threads = threads.sorted()
        guard let first = threads.first, let last = threads.last else { return nil }
        return threads.count > mostFiltered
            ? "common_pid>=\(first)&&common_pid<=\(last)"
            : threads.map { "common_pid==\($0)" }.joined(separator: "||")
    }

    private func filter(_ event: String, _ conditions: String?...) throws {
        let conditions = conditions.compactMap { $0 }.map { "(\($0))" }
        try Files.write(
            (conditions.isEmpty ? "0" : conditions.joined(separator: "&&")) + "\n", to: path + event + "/filter")
    }

    /// Keeps what belongs to others out of the buffer, as far as events' own filters can; the rest is sorted out when it is read.
    /// `set_event_pid` would lose entries: KVM marks the page of the guest's steal time when the vCPU's thread is switched out, and
    /// by then that filter looks at the next thread.
    private func follow() throws {
        // A VMM harvests in threads that come and go: what counts is the VM.
        let vm = watch.vm.map { "kvm==0x" + String($0, radix: 16) }
        let times: Bool
        switch plan {
        case .ring: return try filter(Self.events + EventDecoder.tracepoints[0], Self.condition(threads.current))
        case .soft:
            for probe in [EventDecoder.Probe.slot, .unmap] { try filter(Self.probes + probe.rawValue, vm) }
            return try filter(Self.faults, Self.condition(threads.current), "error_code&2")
        case .bitmap(_, let marks): times = marks
        }
        for probe in [EventDecoder.Probe.mask, .sync, .slot] { try filter(Self.probes + probe.rawValue, vm) }
        try filter(Self.probes + EventDecoder.Probe.ioctl.rawValue, "cmd==0x4010ae42||cmd==0xc018aec0")
        if times {
            try filter(Self.probes + EventDecoder.Probe.mark.rawValue, vm ?? Self.condition(threads.current), "fl&1")
        }
    }

    /// Looks which thread is which vCPU for a while: at the beginning, and whenever there is a thread that we do not know.
    private func search(until ns: Int64?) throws {
        if ns != nil {
            guard let unknown = Self.condition(threads.current.subtracting(watch.named.keys)) else { return }
            try filter(enter, unknown)
        }
        if (ns == nil) != (watch.searchEndNs == nil) {
            try Files.write(ns == nil ? "0\n" : "1\n", to: path + enter + "/enable")
        }
        watch.searchEndNs = ns
    }

    /// Finds the VM, as long as its vCPUs run. One that stands still is found when it is harvested, or when it goes on.
    private func find(_ machine: Int?, of target: Target) throws {
        let end = monotonicNow() + Self.searchNs
        try search(until: end)
        var seen: [RingEvent] = []
        repeat {
            usleep(5000)
            try readAll(upTo: .max) { event in
                if case .enter = event.kind, threads.contains(event.pid), watch.learn(event) { seen.append(event) }
            }
        } while monotonicNow() < end && (target.machines > 1 ? !watch.knowsAll : watch.named.isEmpty)
        if target.machines > 1 {
            let machines = watch.machines
            guard machines.count >= target.machines || machine.map({ $0 <= machines.count }) == true else {
                throw AttachError(
                    "Process \(target.pid) (\(target.command)) runs \(target.machines) VMs, and only \(machines.count) of them can be told apart, as the others stand still; attach when they run."
                )
            }
            guard let machine, machines.indices.contains(machine - 1) else {
                throw AttachError(
                    "Process \(target.pid) (\(target.command)) runs \(target.machines) VMs; choose one with --vm: "
                        + machines.enumerated().map {
                            "\($0.offset + 1) has the vCPU threads \($0.element.threads.map(String.init).joined(separator: ", "))"
                        }
                        .joined(separator: "; ") + ".")
            }
            watch.vm = machines[machine - 1].vm
        } else {
            watch.vm = watch.named.values.first?.vm
        }
        early = seen.filter { $0.vm == watch.vm }
        if watch.knowsAll { try search(until: nil) }
    }

    /// Who is who, seen before the recording began.
    private var early: [RingEvent] = []

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
        let isNew = threads.refresh()
        guard plan.kernel != nil else {
            if isNew { try follow() }
            return try readAll(upTo: ns) { if threads.contains($0.pid) { events.append($0) } }
        }
        events += early
        early = []
        let known = watch.vm
        var strangers = false
        try readAll(upTo: ns) { event in
            switch event.kind {
            case .enter:
                guard threads.contains(event.pid), watch.learn(event) else { return }
                hasStranger = hasStranger || (event.vm == watch.vm && !beginners.contains(event.pid))
            case .fault:
                guard threads.contains(event.pid) else { return }
                let named = watch.named[event.pid]
                if named == nil { strangers = true }
                guard named.map({ $0.vm == watch.vm }) ?? isOnlyVM else { return }
            case .unmap:
                // Memory is unmapped by others for other reasons, too.
                guard own.contains(event.pid) else { return }
                watch.vm = watch.vm ?? event.vm
            case .ioctl:
                guard threads.contains(event.pid) else { return }
            default:
                if watch.vm == nil, threads.contains(event.pid) { watch.vm = event.vm }
                if case .mark = event.kind, watch.named[event.pid] == nil { strangers = true }
            }
            if event.vm == 0 || event.vm == watch.vm { events.append(event) }
        }
        if watch.vm != known { try follow() }
        if isNew {
            watch.forget(except: threads.current)
            if known == nil { try follow() } else if case .soft = plan { try follow() }
        }
        if isNew || strangers, watch.searchEndNs == nil {
            try search(until: ns + Self.searchNs)
        } else if let end = watch.searchEndNs, watch.knowsAll || ns > end {
            try search(until: nil)
        }
    }

    private func readAll(upTo ns: Int64, _ body: (RingEvent) -> Void) throws {
        for reader in readers {
            do {
                try reader.readPages(upTo: ns) { page in
                    var last = Int64.min
                    var records = try layout.records(in: page)
                    while let (record, time) = try records.next() {
                        last = time
                        if let event = decoder.decode(record, ns: time) { body(event) }
                    }
                    return last
                }
            } catch let damage as PageLayout.Damage {
                throw AttachError("The kernel's trace cannot be understood: \(damage.problem).")
            }
        }
    }

    /// Whether a CPU's buffer was filled by more than a sixteenth since it was looked at before, or could be full soon.
    var isFilling: Bool {
        buffers.leastFillNs < 160_000_000 || readers.contains { $0.lastBytes > buffers.kibibytes * 64 }
    }

    /// How many slots of the VM log, as it was when its vCPUs were found; nil where the kernel does not say it.
    var loggedSlots: Int? { watch.vm.flatMap { watch.loggedSlots[$0] } }

    /// Whether a vCPU has appeared since this was asked last, whose first events may not have been let in.
    func takeStranger() -> Bool {
        defer { hasStranger = false }
        return hasStranger
    }

    /// How often the probes did not work because another probe was at work on the same CPU.
    package var missed: Int64 { tracefs.missedProbes }

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

/// Which of the kernel's VMs is looked at, and which threads are its vCPUs.
private struct VMWatch {
    /// The VM's address in the kernel; nil as long as it is not known.
    var vm: UInt64?
    /// vCPUs by thread.
    private(set) var named: [Int: (vm: UInt64, vcpu: Int)] = [:]
    /// How many slots of each VM log.
    private(set) var loggedSlots: [UInt64: Int] = [:]
    /// Until when threads are looked for; nil: they are not.
    var searchEndNs: Int64?
    private let vcpus: Int

    /// - Parameter vcpus: How many vCPUs all VMs of the process have.
    init(vcpus: Int) { self.vcpus = vcpus }

    var knowsAll: Bool { named.count >= vcpus }

    /// Takes an entry into the guest.
    ///
    /// - Returns: whether it says something new.
    mutating func learn(_ event: RingEvent) -> Bool {
        if let count = event.loggedSlots { loggedSlots[event.vm] = count }
        if let known = named[event.pid], known == (event.vm, event.ring) { return false }
        named[event.pid] = (event.vm, event.ring)
        return true
    }

    /// Threads that are gone are nobody any more.
    mutating func forget(except threads: Set<Int>) { named = named.filter { threads.contains($0.key) } }

    /// The VMs with their vCPUs' threads, oldest thread first.
    var machines: [(vm: UInt64, threads: [Int])] {
        Dictionary(grouping: named, by: \.value.vm).map { (vm: $0.key, threads: $0.value.map(\.key).sorted()) }
            .sorted { $0.threads[0] < $1.threads[0] }
    }
}

/// Which threads belong to a process. VMMs start threads at any time: vCPUs are plugged in, QEMU's migration thread harvests.
struct Threads {
    private let folder: String
    /// All that were there when it was looked last.
    private(set) var current: Set<Int>
    private var known: [Int: Bool] = [:]
    /// Links of the folder, one a thread, when it was listed, and when that was.
    private var listed: (links: UInt, ns: Int64) = (0, 0)

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

    private static let listingNs: Int64 = 100_000_000

    /// Looks again. The number of a stranger that ended may have become one of ours; ours that ended stay ours, as their events may
    /// still come.
    ///
    /// - Returns: whether there is a thread that was not there before.
    @discardableResult
    mutating func refresh() -> Bool {
        // Most looks find as many threads as before; that one has ended and another one begun is seen a moment later.
        var status = stat()
        let links = unsafe stat(folder, &status) == 0 ? UInt(status.st_nlink) : 0
        let ns = monotonicNow()
        if links == listed.links, ns - listed.ns < Self.listingNs { return false }
        listed = (links, ns)
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
    /// Bytes that the last look brought.
    private(set) var lastBytes = 0

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
        lastBytes = 0
        while true {
            let count = unsafe page.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EAGAIN || errno == EINTR { return }
            guard count >= 0 else { throw AttachError("\(path) cannot be read: \(systemError()).") }
            lastBytes += count
            guard count > 0, try body(page[..<count]) < ns else { return }
        }
    }
}
