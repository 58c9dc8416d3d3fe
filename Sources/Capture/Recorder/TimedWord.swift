import Model

/// `TIME:NAME` or `TIME:NAME=VALUE`, as options name what happens at a given time of a recording.
struct TimedWord {
    /// Nanoseconds after the start.
    let atNs: Int64
    let name: Substring
    let value: Substring?

    /// Nil when the text is of neither form.
    init?(parsing text: String) {
        let parts = text.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let atNs = try? Units.parseDuration(String(parts[0])) else { return nil }
        let words = parts[1].split(separator: "=", maxSplits: 1)
        guard let name = words.first else { return nil }
        (self.atNs, self.name, value) = (atNs, name, words.count == 2 ? words[1] : nil)
    }
}
