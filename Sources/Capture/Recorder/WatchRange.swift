import Model
import Platform

/// Guest memory whose writes are stored one by one.
package struct WatchRange: Sendable, Equatable {
    /// Guest physical addresses, in whole pages.
    package let pages: Range<UInt64>
    /// The words that named it, such as `--watch 0x100000000`, for errors.
    package let name: String

    /// - Parameter name: nil: `--watch` with the first address.
    package init(_ pages: Range<UInt64>, name: String? = nil) {
        self.pages = pages
        self.name = name ?? "--watch 0x\(String(pages.lowerBound, radix: 16))"
    }

    /// Reads `GPA`, `GPA..GPA` (inclusive) or several of these separated by commas, and widens each to whole pages.
    ///
    /// - Throws: ``RecordError`` with the forms that are understood.
    package static func parse(_ text: String) throws(RecordError) -> [WatchRange] {
        var ranges: [WatchRange] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let pages = pages(part) else {
                throw RecordError(
                    "--watch \(part) is not usable: write guest physical addresses such as 0x100000000 or 0x100000000..0x100003fff."
                )
            }
            ranges.append(WatchRange(pages, name: "--watch \(part)"))
        }
        return ranges
    }

    /// Whole pages that `GPA` or `GPA..GPA` touches; nil when it is neither.
    static func pages(_ text: some StringProtocol) -> Range<UInt64>? {
        let page = UInt64(pageBytes)
        let ends = String(text).split(separator: "..", omittingEmptySubsequences: false).map {
            GuestAddress(parsing: $0)
        }
        guard (1...2).contains(ends.count), let first = ends.first??.value, let last = ends.last??.value, first <= last,
            last < 1 << 52
        else { return nil }
        return first / page * page..<(last / page + 1) * page
    }
}

/// A guest physical address as users write it.
package struct GuestAddress: Sendable {
    package let value: UInt64

    /// Reads a decimal number, or a hexadecimal one behind `0x`; nil for anything else.
    package init?(parsing text: some StringProtocol) {
        guard let value = text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text) else { return nil }
        self.value = value
    }
}

extension SlotEvent {
    /// Reads `TIME:add=GPA..GPA` or `TIME:remove=GPA..GPA`, where `GPA` alone is one page, too.
    ///
    /// - Throws: ``RecordError`` with the forms that are understood.
    package init(parsingWatch text: String) throws(RecordError) {
        guard let word = TimedWord(parsing: text), let pages = word.value.flatMap(WatchRange.pages),
            ["add", "remove"].contains(word.name)
        else {
            throw RecordError(
                "--watch-event \(text) is not usable: write TIME:add=GPA..GPA or TIME:remove=GPA..GPA, such as 200ms:add=0x100000000..0x100003fff."
            )
        }
        let range = WatchRange(pages, name: "--watch-event \(text)")
        self.init(atNs: word.atNs, action: word.name == "add" ? .watch(range) : .unwatch(range))
    }
}
