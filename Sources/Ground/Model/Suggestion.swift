/// What somebody who mistyped a word may have meant.
package enum Suggestion {
    /// ` Did you mean 'zipf'?`, or nothing when no known word is near.
    package static func sentence(for word: String, among known: [String]) -> String {
        nearest(to: word, among: known).map { " Did you mean '\($0)'?" } ?? ""
    }

    /// The known word with the fewest slips of the finger between, of at most a third of its letters.
    package static func nearest(to word: String, among known: [String]) -> String? {
        let typed = Array(word.lowercased().unicodeScalars.prefix(longest))
        var best: (word: String, slips: Int)?
        for candidate in known {
            let letters = Array(candidate.lowercased().unicodeScalars.prefix(longest))
            let slips = distance(typed, letters)
            let isNear = slips <= slip * max(1, max(typed.count, letters.count) / 3)
            if isNear, slips < (best?.slips ?? .max) { best = (candidate, slips) }
        }
        return best?.word
    }

    private static let longest = 64
    /// A letter too many, missing or wrong weighs more than two that changed places: those are the letters that were meant.
    private static let slip = 3
    private static let exchange = 2

    /// Letters to insert, remove, replace or exchange with their neighbours, weighed (optimal string alignment).
    private static func distance(_ one: [Unicode.Scalar], _ other: [Unicode.Scalar]) -> Int {
        var before: [Int] = []
        var last = (0...other.count).map { $0 * slip }
        for (row, letter) in one.enumerated() {
            var line = [(row + 1) * slip]
            for (column, against) in other.enumerated() {
                var slips = min(last[column + 1], line[column]) + slip
                slips = min(slips, last[column] + (letter == against ? 0 : slip))
                if row > 0, column > 0, letter == other[column - 1], one[row - 1] == against {
                    slips = min(slips, before[column - 1] + exchange)
                }
                line.append(slips)
            }
            (before, last) = (last, line)
        }
        return last[other.count]
    }
}
