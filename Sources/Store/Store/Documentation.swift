/// A documentation comment in SQL: sentences, then lists of names with their meaning under the words `Parameters` and
/// `Columns`.
struct Documentation {
    private(set) var description = ""
    private(set) var parameters: [SchemaCatalog.Column] = []
    private(set) var columns: [SchemaCatalog.Column] = []

    /// - Parameter lines: Lines without their leading `-- `.
    init(_ lines: [String]) {
        var sentences: [String] = []
        var list: WritableKeyPath<Self, [SchemaCatalog.Column]>?
        for line in lines {
            switch line {
            case "Parameters": list = \.parameters
            case "Columns": list = \.columns
            default:
                if let list {
                    add(line, to: list)
                } else if !line.trimmed.isEmpty {
                    sentences.append(line.trimmed)
                }
            }
        }
        description = sentences.joined(separator: " ")
    }

    /// A name's line is indented by two, the continuation of its meaning by more.
    private mutating func add(_ line: String, to list: WritableKeyPath<Self, [SchemaCatalog.Column]>) {
        if line.trimmed.isEmpty { return }
        if line.hasPrefix("   "), let last = self[keyPath: list].popLast() {
            self[keyPath: list].append(
                SchemaCatalog.Column(name: last.name, description: "\(last.description) \(line.trimmed)"))
        } else {
            let words = line.trimmed.split(separator: " ", maxSplits: 1)
            self[keyPath: list].append(
                SchemaCatalog.Column(
                    name: String(words[0]), description: words.count > 1 ? String(words[1]).trimmed : ""))
        }
    }
}

extension String {
    fileprivate var trimmed: String {
        let body = drop(while: { $0 == " " })
        return String(body[..<(body.lastIndex(where: { $0 != " " }).map(body.index(after:)) ?? body.startIndex)])
    }
}
