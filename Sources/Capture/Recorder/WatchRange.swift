import Platform

/// Guest memory whose writes are stored one by one.
package enum WatchRange {
    /// Reads `GPA`, `GPA..GPA` (inclusive) or several of these separated by commas, and widens each to whole pages.
    ///
    /// - Throws: ``RecordError`` with the forms that are understood.
    package static func parse(_ text: String) throws(RecordError) -> [Range<UInt64>] {
        let page = UInt64(pageBytes)
        var ranges: [Range<UInt64>] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "..", omittingEmptySubsequences: false).map(number)
            guard (1...2).contains(ends.count), let first = ends.first ?? nil, let last = ends.last ?? nil,
                first <= last,
                last < 1 << 52
            else {
                throw RecordError(
                    "--watch \(part) is not usable: write guest physical addresses such as 0x100000000 or 0x100000000..0x100003fff."
                )
            }
            ranges.append(first / page * page..<(last / page + 1) * page)
        }
        return ranges
    }

    private static func number(_ text: Substring) -> UInt64? {
        text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
    }
}
