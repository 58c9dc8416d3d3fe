/// Reads ring events out of text: ftrace's `trace`, `trace-cmd report` and `perf script` print them alike, each with columns
/// that options add or leave out.
///
///     qemu-system-x86-123     [001] d..1.  1234.567890: kvm_dirty_ring_push: ring 0: dirty 0x1 reset 0x0 slot 2 offset 0xa1 (used 1)
///     CPU 0/KVM   123 [001]  1234.567890123: kvm:kvm_dirty_ring_exit: vcpu 0
final class EventText: EventStream {
    private let lines: LineReader
    private var lost: [LostEvents] = []

    init(_ input: ImportInput) { lines = LineReader(input) }

    func error(_ problem: String) -> ImportError { lines.error(problem) }

    func takeLost() -> [LostEvents] {
        defer { lost = [] }
        return lost
    }

    private static let longestLine = 1024
    private static let marker = Array("kvm_dirty_ring_".utf8)

    func next() throws -> RingEvent? {
        while let line = try lines.next() {
            // Most lines of a trace are about something else: look before making a string.
            guard line.count <= Self.longestLine, line.first != UInt8(ascii: "#") else { continue }
            if Self.holds(Self.marker, line) {
                if let event = try event(String(decoding: line, as: UTF8.self)) { return event }
            } else if Self.holds(Array("LOST ".utf8), line) || Self.holds(Array("DROPPED]".utf8), line) {
                noteLoss(String(decoding: line, as: UTF8.self))
            }
        }
        return nil
    }

    private static func holds(_ word: [UInt8], _ line: ArraySlice<UInt8>) -> Bool {
        guard line.count >= word.count else { return false }
        return (line.startIndex...(line.endIndex - word.count)).contains {
            line[$0] == word[0] && line[$0..<$0 + word.count].elementsEqual(word)
        }
    }

    /// `CPU:1 [LOST 123 EVENTS]` of ftrace, `CPU:1 [123 EVENTS DROPPED]` of trace-cmd, both also without a number, and
    /// `LOST 123 events!` of perf.
    private func noteLoss(_ line: String) {
        let words = line.split { !$0.isLetter && !$0.isNumber }
        guard lost.count < ImportLimits.items, let word = words.firstIndex(where: { $0 == "LOST" || $0 == "DROPPED" })
        else { return }
        let place = words[word] == "LOST" ? word + 1 : word - 2
        let isAboutCPU = words.count > 1 && words[0] == "CPU"
        let cpu = isAboutCPU ? Int(words[1]) : nil
        let count = words.indices.contains(place) && !(isAboutCPU && place < 2) ? Int64(words[place]) : nil
        lost.append(LostEvents(count: count, cpu: cpu))
    }

    /// Nil for another event of which the line speaks.
    private func event(_ line: String) throws -> RingEvent? {
        let words = line.split { $0 == " " || $0 == "\t" }
        guard let name = words.firstIndex(where: { Self.tracepoint($0) != nil }), name > 0,
            let tracepoint = Self.tracepoint(words[name])
        else { return nil }
        let (ns, pid) = try head(words[..<name])
        let values = Self.values(words[(name + 1)...])
        func number(_ keys: Substring..., below limit: UInt64 = 1 << 32) throws -> UInt64 {
            guard let value = keys.lazy.compactMap({ values[$0] }).first, value < limit else {
                throw error("the event has no valid '\(keys[0])'.")
            }
            return value
        }
        let ring = Int(try number(tracepoint == "exit" ? "vcpu" : "ring", "index", "vcpu_id"))
        switch tracepoint {
        case "push":
            return RingEvent(
                ns: ns, pid: pid, ring: ring,
                kind: .push(
                    slot: UInt32(try number("slot")), offset: try number("offset", below: 1 << 52),
                    dirty: UInt32(try number("dirty", "dirty_index")),
                    reset: UInt32(try number("reset", "reset_index"))))
        case "reset":
            return RingEvent(
                ns: ns, pid: pid, ring: ring, kind: .reset(reset: UInt32(try number("reset", "reset_index"))))
        default: return RingEvent(ns: ns, pid: pid, ring: ring, kind: .full)
        }
    }

    /// `push`, `reset` or `exit`: what a word such as `kvm:kvm_dirty_ring_push:` names.
    private static func tracepoint(_ word: Substring) -> Substring? {
        guard word.hasSuffix(":"), let last = word.dropLast().split(separator: ":").last,
            last.hasPrefix("kvm_dirty_ring_")
        else { return nil }
        let kind = last.dropFirst(15)
        return ["push", "reset", "exit"].contains(kind) ? kind : nil
    }

    /// When and in which thread: what stands before the event's name.
    private func head(_ words: ArraySlice<Substring>) throws -> (ns: Int64, pid: Int) {
        guard let time = words.lastIndex(where: { Self.time($0) != nil }), let ns = Self.time(words[time]) else {
            if words.last == ":" || words.last?.hasSuffix("us") == true {
                throw error(
                    "times are relative, by ftrace's option latency-format; print the trace again after: echo 0 > options/latency-format"
                )
            }
            throw error("'\(words.last?.prefix(40) ?? "")' is no time.")
        }
        guard let pid = Self.thread(words[..<time]) else { throw error("the event's thread is missing.") }
        return (ns, pid)
    }

    /// `1234.567890:` in nanoseconds.
    private static func time(_ word: Substring) -> Int64? {
        guard word.hasSuffix(":") else { return nil }
        let parts = word.dropLast().split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, (1...9).contains(parts[1].count), let seconds = Int64(parts[0]),
            (0...1 << 30).contains(seconds), let fraction = Int64(parts[1]), fraction >= 0
        else { return nil }
        let scale = (parts[1].count..<9).reduce(Int64(1)) { power, _ in power * 10 }
        return seconds * 1_000_000_000 + fraction * scale
    }

    /// The thread of `name-123 [001] d..1.`, `name-123 ( 120) [001]`, `name 123 [001]`, `name 120/123` and `name 123`. A name may
    /// hold blanks and signs, so it is looked for from behind.
    private static func thread(_ words: ArraySlice<Substring>) -> Int? {
        var words = words
        if let cpu = words.lastIndex(where: { $0.hasPrefix("[") && $0.hasSuffix("]") }) { words = words[..<cpu] }
        // The thread group, of ftrace's option record-tgid.
        if words.last?.hasSuffix(")") == true, let group = words.lastIndex(where: { $0.hasPrefix("(") }) {
            words = words[..<group]
        }
        return words.last?.split(whereSeparator: { $0 == "-" || $0 == "/" }).last.flatMap { Int($0) }
    }

    /// The numbers behind their names, as the event prints them (`ring 0: dirty 0x1`), or raw (`index=0 dirty_index=1`).
    private static func values(_ words: ArraySlice<Substring>) -> [Substring: UInt64] {
        var values: [Substring: UInt64] = [:]
        for (place, word) in zip(words.indices, words) {
            let pair = word.split(separator: "=", maxSplits: 1)
            let key = pair.count == 2 ? pair[0] : word
            let text = pair.count == 2 ? pair[1] : place + 1 < words.endIndex ? words[place + 1] : ""
            if values[key] == nil, let number = number(text.prefix { $0 != ":" && $0 != "," }) { values[key] = number }
        }
        return values
    }

    private static func number(_ text: Substring) -> UInt64? {
        if text.hasPrefix("0x") { return UInt64(text.dropFirst(2), radix: 16) }
        // A raw 32-bit field is printed as if it had a sign.
        return UInt64(text) ?? Int32(text).map { UInt64(UInt32(bitPattern: $0)) }
    }
}
