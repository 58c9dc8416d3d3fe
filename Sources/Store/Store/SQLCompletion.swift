/// What a word in SQL may become: for the shell's Tab key.
package enum SQLCompletion {
    private static let keywords = [
        "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "JOIN", "LEFT JOIN", "CROSS JOIN", "USING",
        "HAVING",
        "DISTINCT", "WITH", "RECURSIVE", "UNION ALL", "BETWEEN", "COUNT", "SUM", "AVG", "MIN", "MAX", "ROUND", "CASE",
        "WHEN", "THEN", "ELSE", "END", "DESC", "NULL", "OVER", "PARTITION BY", "EXPLAIN QUERY PLAN",
    ]

    /// The word that ends at the end of `line`, and what it may become, in alphabetical order.
    ///
    /// After `table.` come that table's columns; after `.query`, named queries.
    package static func candidates(for line: String, commands: [String]) -> (word: String, candidates: [String]) {
        let word = String(line.reversed().prefix { $0.isLetter || $0.isNumber || "_./".contains($0) }.reversed())
        if line.hasPrefix(".query "), !line.dropFirst(".query ".count).contains(" ") {
            return (word, matching(word, NamedQuery.all.map(\.name)))
        }
        if line.hasPrefix("."), !line.contains(" ") { return (word, matching(word, commands)) }
        if line.hasPrefix(".schema ") { return (word, matching(word, SchemaCatalog.objects.map(\.name))) }
        if let dot = word.lastIndex(of: "."),
            let object = SchemaCatalog.objects.first(where: { $0.name == word[..<dot] })
        {
            return (word, matching(word, object.columns.map { "\(object.name).\($0.name)" }))
        }
        if word.isEmpty { return (word, []) }
        let names = SchemaCatalog.objects.flatMap { [$0.name] + $0.columns.map(\.name) }
        let isLower = word.contains { $0.isLowercase }
        return (word, matching(word, names + keywords.map { isLower ? $0.lowercased() : $0 }))
    }

    /// The longest text that all `words` begin with.
    package static func commonPrefix(_ words: [String]) -> String {
        guard var prefix = words.first else { return "" }
        for word in words { while !word.hasPrefix(prefix) { prefix.removeLast() } }
        return prefix
    }

    private static func matching(_ word: String, _ names: [String]) -> [String] {
        Set(names.filter { $0.hasPrefix(word) }).sorted()
    }
}
