/// A binary file of trace-cmd, version 6, or 7 without compression: formats of events, then every CPU's sub-buffers as
/// the kernel wrote them.
final class TraceDat {
    /// How every such file begins.
    static let magic: [UInt8] = [0x17, 0x08, 0x44] + Array("tracing".utf8)

    private let file: ImportInput
    private var layout = PageLayout()
    private var decoder = EventDecoder()
    private var clock = ""
    private var pageSize = 4096
    private var cpus: [(offset: Int, size: Int)] = []

    private enum Option {
        static let done = 0
        static let buffer = 3
        static let clock = 4
        static let headerInfo = 16
        static let eventFormats = 18
    }
    private static let mostCPUs = 4096

    init(_ input: ImportInput) throws {
        file = input
        var cursor = BinaryCursor(file: file, offset: 0)
        try cursor.expect(Self.magic, "trace-cmd signature")
        let version = try cursor.text()
        guard try cursor.number(1) == 0 else {
            throw file.error("was written on a big-endian machine; dirtyrec reads little-endian traces.")
        }
        _ = try cursor.number(1)
        pageSize = try cursor.number(4)
        guard (4096...1 << 20).contains(pageSize) else { throw file.error("names a page size of \(pageSize).") }
        switch version {
        case "6": try readVersion6(&cursor)
        case "7": try readVersion7(&cursor)
        default: throw file.error("has version '\(version.prefix(20))' of trace-cmd's format; dirtyrec reads 6 and 7.")
        }
        guard decoder.knowsPushes else {
            throw file.error(
                "does not describe kvm_dirty_ring_push; record with: trace-cmd record -e kvm:kvm_dirty_ring_push -e kvm:kvm_dirty_ring_reset -e kvm:kvm_dirty_ring_exit"
            )
        }
        guard layout.size <= pageSize else { throw file.error("has pages that are smaller than their header says.") }
        // The clock stands in brackets when it was listed among the others.
        let clock = self.clock.split(separator: "[").last?.split(separator: "]").first.map(String.init) ?? self.clock
        guard !["x86-tsc", "counter", "uptime"].contains(clock) else {
            throw file.error(
                "has times of the clock '\(clock)', which are no nanoseconds; record with: trace-cmd record -C mono")
        }
    }

    // MARK: Version 6

    private func readVersion6(_ cursor: inout BinaryCursor) throws {
        try readHeaderInfo(&cursor)
        try skipList(&cursor, count: cursor.number(4))
        try readEventFormats(&cursor)
        try cursor.skipSized(4)  // kallsyms
        try cursor.skipSized(4)  // trace_printk
        try cursor.skipSized(8)  // command names
        let count = try cursor.number(4)
        guard count <= Self.mostCPUs else { throw file.error("names \(count) CPUs.") }
        var kind = try cursor.text()
        if kind == "options  " {
            while case let id = try cursor.number(2), id != Option.done {
                if id == Option.clock { clock = try cursor.sized(4) } else { try cursor.skipSized(4) }
            }
            kind = try cursor.text()
        }
        guard kind == "flyrecord" else {
            throw file.error("is a '\(kind.prefix(20))' trace; dirtyrec reads trace-cmd record's.")
        }
        for _ in 0..<count { cpus.append((try cursor.number(8), try cursor.number(8))) }
        try checkCPUs()
    }

    private func checkCPUs() throws {
        let size = file.size ?? 0
        var end = 0
        for cpu in cpus.filter({ $0.size > 0 }).sorted(by: { $0.offset < $1.offset }) {
            guard cpu.offset <= size, cpu.size <= size - cpu.offset else {
                throw file.error("is cut off: a CPU's events lie beyond its end.")
            }
            // Then what is in memory of all CPUs is less than the file.
            guard cpu.offset >= end else { throw file.error("is damaged: the events of two CPUs overlap.") }
            end = cpu.offset + cpu.size
        }
    }

    private func readHeaderInfo(_ cursor: inout BinaryCursor) throws {
        try cursor.expect(Array("header_page\0".utf8), "header_page")
        guard let layout = PageLayout(parsing: try cursor.sized()) else {
            throw file.error("has a header_page of an unknown form.")
        }
        self.layout = layout
        try cursor.expect(Array("header_event\0".utf8), "header_event")
        try cursor.skipSized(8)
    }

    private func skipList(_ cursor: inout BinaryCursor, count: Int) throws {
        for _ in 0..<count { try cursor.skipSized(8) }
    }

    private func readEventFormats(_ cursor: inout BinaryCursor) throws {
        for _ in 0..<(try cursor.number(4)) {
            let system = try cursor.text()
            let count = try cursor.number(4)
            guard system == "kvm" else {
                try skipList(&cursor, count: count)
                continue
            }
            for _ in 0..<count {
                if let format = EventFormat(parsing: try cursor.sized()) { decoder.learn(format) }
            }
        }
    }

    // MARK: Version 7

    private func readVersion7(_ cursor: inout BinaryCursor) throws {
        let compression = try cursor.text()
        _ = try cursor.text()
        guard compression == "none" else {
            throw file.error(
                "is compressed (\(compression.prefix(20))); record with --compression none, or expand it with: trace-cmd convert "
                    + "--file-version 6 -i \(file.path) -o OUT"
            )
        }
        var next = try cursor.number(8)
        var (sections, seen) = (0, Set<Int>())
        while next != 0 {
            sections += 1
            guard sections <= 64 else { throw file.error("has lists of options without an end.") }
            var options = try section(at: next, id: 0)
            next = 0
            while true {
                let id = try options.number(2)
                let size = try options.number(4)
                let start = options.offset
                if id == Option.headerInfo || id == Option.eventFormats {
                    guard seen.insert(id).inserted else { throw file.error("describes its events twice.") }
                }
                switch id {
                case Option.done: next = size >= 8 ? try options.number(8) : 0
                case Option.headerInfo:
                    var info = try section(at: options.number(8), id: id)
                    try readHeaderInfo(&info)
                case Option.eventFormats:
                    var formats = try section(at: options.number(8), id: id)
                    try readEventFormats(&formats)
                case Option.clock:
                    clock = String(decoding: try file.bytes(at: start, count: min(size, 256)), as: UTF8.self)
                case Option.buffer: try readBuffer(&options)
                default: break
                }
                if id == Option.done { break }
                options.offset = start + size
            }
        }
        try checkCPUs()
    }

    private func section(at offset: Int, id: Int) throws -> BinaryCursor {
        var cursor = BinaryCursor(file: file, offset: offset)
        guard try cursor.number(2) == id else { throw file.error("has another section at \(offset) than it says.") }
        guard try cursor.number(2) & 1 == 0 else {
            throw file.error(
                "has compressed sections; expand it with: trace-cmd convert --file-version 6 -i \(file.path) -o OUT")
        }
        _ = try cursor.number(4)
        _ = try cursor.number(8)
        return cursor
    }

    /// The top buffer, and those of instances: their events are merged by time.
    private func readBuffer(_ cursor: inout BinaryCursor) throws {
        _ = try cursor.number(8)
        _ = try cursor.text()
        clock = try cursor.text()
        pageSize = try cursor.number(4)
        guard (4096...1 << 20).contains(pageSize) else { throw file.error("names a page size of \(pageSize).") }
        let count = try cursor.number(4)
        guard count <= Self.mostCPUs, cpus.count + count <= Self.mostCPUs else {
            throw file.error("names \(count) CPUs.")
        }
        for _ in 0..<count {
            _ = try cursor.number(4)
            cpus.append((try cursor.number(8), try cursor.number(8)))
        }
    }

    /// All ring events, from the beginning.
    func events() -> any EventStream {
        TraceDatEvents(file: file, layout: layout, decoder: decoder, pageSize: pageSize, cpus: cpus)
    }
}

/// Merges the CPUs' events by time; one page of each is in memory.
private final class TraceDatEvents: EventStream {
    private struct CPU {
        var offset: Int
        let end: Int
        var page: (offset: Int, records: PageRecords)?
    }

    private let file: ImportInput
    private let layout: PageLayout
    private let decoder: EventDecoder
    private let pageSize: Int
    private var cpus: [CPU]
    /// The next event of each CPU.
    private var heap = EventHeap()
    /// CPUs whose next event is not in the heap.
    private var stale: [Int]
    private var lost: [LostEvents] = []

    init(file: ImportInput, layout: PageLayout, decoder: EventDecoder, pageSize: Int, cpus: [(offset: Int, size: Int)])
    {
        (self.file, self.layout, self.decoder, self.pageSize) = (file, layout, decoder, pageSize)
        self.cpus = cpus.map { CPU(offset: $0.offset, end: $0.offset + $0.size) }
        stale = Array(self.cpus.indices)
    }

    func error(_ problem: String) -> ImportError { file.error(problem) }

    func takeLost() -> [LostEvents] {
        defer { lost = [] }
        return lost
    }

    func next() throws -> RingEvent? {
        for cpu in stale { if let event = try nextEvent(of: cpu) { heap.insert(event, of: cpu) } }
        guard let (event, cpu) = heap.removeFirst() else {
            stale = []
            return nil
        }
        stale = [cpu]
        return event
    }

    private func nextEvent(of index: Int) throws -> RingEvent? {
        while true {
            if let offset = cpus[index].page?.offset {
                do {
                    while let (record, ns) = try cpus[index].page?.records.next() {
                        if let event = decoder.decode(record, ns: ns) { return event }
                    }
                } catch { throw damaged(offset, error) }
            }
            cpus[index].page = nil
            let offset = cpus[index].offset
            guard offset < cpus[index].end else { return nil }
            let page = try file.bytes(at: offset, count: min(pageSize, cpus[index].end - offset))
            cpus[index].offset += page.count
            do {
                let records = try layout.records(in: page[...])
                cpus[index].page = (offset, records)
                if records.lost != 0, lost.count < ImportLimits.items {
                    lost.append(LostEvents(count: records.lost, cpu: index))
                }
            } catch { throw damaged(offset, error) }
        }
    }

    private func damaged(_ offset: Int, _ damage: PageLayout.Damage) -> ImportError {
        file.error("is damaged at byte \(offset): \(damage.problem).")
    }
}

/// Events of CPUs, the earliest first; of equal times, the lower CPU's.
private struct EventHeap {
    private var items: [(event: RingEvent, cpu: Int)] = []

    private func isBefore(_ one: Int, _ other: Int) -> Bool {
        (items[one].event.ns, items[one].cpu) < (items[other].event.ns, items[other].cpu)
    }

    mutating func insert(_ event: RingEvent, of cpu: Int) {
        items.append((event, cpu))
        var place = items.count - 1
        while place > 0, isBefore(place, (place - 1) / 2) {
            items.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    mutating func removeFirst() -> (event: RingEvent, cpu: Int)? {
        guard !items.isEmpty else { return nil }
        items.swapAt(0, items.count - 1)
        let first = items.removeLast()
        var place = 0
        while true {
            let children = (2 * place + 1..<2 * place + 3).clamped(to: 0..<items.count)
            guard let child = children.min(by: isBefore), isBefore(child, place) else { return first }
            items.swapAt(place, child)
            place = child
        }
    }
}
