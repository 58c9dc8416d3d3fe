import Model

/// The pages of one harvest as they are read.
struct PageList {
    /// What is wrong with a page.
    struct Problem: Error { let sentence: String }

    private(set) var gfns: [GFN] = []
    /// Exact times, of all pages or of none.
    private(set) var times: [Int64] = []
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    mutating func add(_ range: ClosedRange<GFN>, at time: Int64?) throws(Problem) {
        guard range.upperBound <= largestGFN else { throw Problem(sentence: "a GFN lies beyond 2^51-1.") }
        guard range.upperBound - range.lowerBound < limit - gfns.count else {
            throw Problem(sentence: "the iteration has more than \(ImportLimits.entriesPerIteration) entries.")
        }
        guard gfns.isEmpty || times.isEmpty == (time == nil) else {
            throw Problem(sentence: "either every page of a harvest has a time, or none.")
        }
        gfns.append(contentsOf: range)
        if let time { times.append(contentsOf: repeatElement(time, count: range.count)) }
    }
}

/// Pages as text: `GFN`, `FIRST-LAST` or `GFN@NANOSECONDS`, separated by blanks or commas.
struct PageText {
    let bytes: ArraySlice<UInt8>

    func read(into list: inout PageList, since: Int64, ts: Int64, memory: SlotRanges) throws(PageList.Problem) {
        var cursor = bytes.startIndex
        while true {
            while cursor < bytes.endIndex, isBlank(cursor) { cursor += 1 }
            guard cursor < bytes.endIndex else { return }
            let start = cursor
            guard let first = integer(at: &cursor) else { throw noPage(start) }
            var last = first
            if consume("-", at: &cursor) {
                guard let number = integer(at: &cursor) else { throw noPage(start) }
                last = number
            }
            guard first <= last else { throw .init(sentence: "a range of pages ends before it begins.") }
            var time: Int64?
            if consume("@", at: &cursor) {
                guard let number = integer(at: &cursor) else { throw noPage(start) }
                let moment = Int64(clamping: number)
                guard since <= moment, moment <= ts else {
                    throw .init(sentence: "a page's time lies outside its harvest's.")
                }
                time = moment
            }
            guard cursor == bytes.endIndex || isBlank(cursor) else { throw noPage(start) }
            if let stray = memory.stray(in: first...last) { throw .init(sentence: "page \(stray) lies in no slot.") }
            try list.add(first...last, at: time)
        }
    }

    private func isBlank(_ place: Int) -> Bool { bytes[place] <= 32 || bytes[place] == UInt8(ascii: ",") }

    private func consume(_ character: Unicode.Scalar, at cursor: inout Int) -> Bool {
        guard cursor < bytes.endIndex, bytes[cursor] == UInt8(ascii: character) else { return false }
        cursor += 1
        return true
    }

    private func noPage(_ start: Int) -> PageList.Problem {
        let text = String(decoding: bytes[start...].prefix(40).prefix { $0 > 32 }, as: UTF8.self)
        return .init(sentence: "'\(text)' is no page; write 0x1f00, 0x1f00-0x1fff or 0x1f00@NANOSECONDS.")
    }

    /// An integer, decimal or hexadecimal with 0x; nil when there is none or it does not fit.
    private func integer(at cursor: inout Int) -> UInt64? {
        var radix: UInt64 = 10
        if cursor + 1 < bytes.endIndex, bytes[cursor] == UInt8(ascii: "0"),
            bytes[cursor + 1] | 0x20 == UInt8(ascii: "x")
        {
            radix = 16
            cursor += 2
        }
        var value: UInt64 = 0
        let start = cursor
        while cursor < bytes.endIndex, let digit = Self.digit(bytes[cursor]), digit < radix {
            guard value < 1 << 59 else { return nil }
            value = value * radix + digit
            cursor += 1
        }
        return cursor > start ? value : nil
    }

    private static func digit(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }
}
