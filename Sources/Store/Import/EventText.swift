/// Reads ring events out of text: ftrace's `trace`, `trace-cmd report` and `perf script` print them alike.
///
///     qemu-system-x86-123     [001] d..1.  1234.567890: kvm_dirty_ring_push: ring 0: dirty 0x1 reset 0x0 slot 2 offset 0xa1 (used 1)
///     CPU 0/KVM   123 [001]  1234.567890123: kvm:kvm_dirty_ring_exit: vcpu 0
final class EventText: EventStream {
    private let lines: LineReader
    private var lost: [Int64?] = []

    init(path: String) throws { lines = try LineReader(path) }

    func error(_ problem: String) -> ImportError { lines.error(problem) }

    func takeLost() -> [Int64?] {
        defer { lost = [] }
        return lost
    }

    private static let longestLine = 1024
    private static let marker = Array("kvm_dirty_ring_".utf8)

    func next() throws -> RingEvent? {
        while let line = try lines.next() {
            // Most lines of a trace are about something else: look before making a string.
            guard line.count <= Self.longestLine else { continue }
            if line.first != UInt8(ascii: "#"), line.contains(UInt8(ascii: "_")), Self.hasMarker(line) {
                return try event(String(decoding: line, as: UTF8.self))
            }
            if line.contains(UInt8(ascii: "L")) { noteLoss(String(decoding: line, as: UTF8.self)) }
        }
        return nil
    }

    private static func hasMarker(_ line: ArraySlice<UInt8>) -> Bool {
        guard line.count > marker.count else { return false }
        return (line.startIndex...(line.endIndex - marker.count)).contains {
            line[$0] == marker[0] && line[$0..<$0 + marker.count].elementsEqual(marker)
        }
    }

    /// `CPU:1 [LOST 123 EVENTS]` of ftrace, `CPU:1 [123 EVENTS DROPPED]` of trace-cmd, `LOST 123 events!` of perf.
    private func noteLoss(_ line: String) {
        guard line.contains("LOST ") || line.contains("EVENTS DROPPED"), lost.count < ImportLimits.items else { return }
        let words = line.split { !$0.isLetter && !$0.isNumber }
        guard let word = words.firstIndex(where: { $0 == "LOST" || $0 == "DROPPED" }) else { return }
        lost.append(words[word] == "LOST" && word + 1 < words.count ? Int64(words[word + 1]) : nil)
    }

    private func event(_ line: String) throws -> RingEvent? {
        let words = line.split { $0 == " " || $0 == "\t" }
        guard let name = words.firstIndex(where: { $0.contains("kvm_dirty_ring_") && $0.hasSuffix(":") }), name >= 3
        else {
            return nil
        }
        guard let ns = Self.time(words[name - 1]) else { throw error("'\(words[name - 1].prefix(40))' is no time.") }
        guard let pid = Self.thread(words[..<(name - 1)]) else { throw error("the event's thread is missing.") }
        var values: [Substring: UInt64] = [:]
        for (place, word) in words.enumerated() where place > name && place + 1 < words.count {
            let text = words[place + 1].prefix { $0 != ":" }
            values[word] = values[word] ?? (text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text))
        }
        func number(_ key: Substring, below limit: UInt64 = 1 << 32) throws -> UInt64 {
            guard let value = values[key], value < limit else { throw error("the event has no valid '\(key)'.") }
            return value
        }
        switch words[name].split(separator: ":").last {
        case "kvm_dirty_ring_push":
            return RingEvent(
                ns: ns, pid: pid, ring: Int(try number("ring")),
                kind: .push(
                    slot: UInt32(try number("slot")), offset: try number("offset", below: 1 << 52),
                    dirty: UInt32(try number("dirty")), reset: UInt32(try number("reset"))))
        case "kvm_dirty_ring_reset":
            return RingEvent(
                ns: ns, pid: pid, ring: Int(try number("ring")), kind: .reset(reset: UInt32(try number("reset"))))
        case "kvm_dirty_ring_exit":
            return RingEvent(ns: ns, pid: pid, ring: Int(try number("vcpu")), kind: .full)
        default: return nil
        }
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

    /// The thread stands before `[CPU]`: `name-123`, or `name 123`.
    private static func thread(_ words: ArraySlice<Substring>) -> Int? {
        guard let cpu = words.lastIndex(where: { $0.hasPrefix("[") && $0.hasSuffix("]") }), cpu > words.startIndex
        else {
            return nil
        }
        return words[cpu - 1].split(separator: "-").last.flatMap { Int($0) }
    }
}
