/// Command lines as one would type them.
package enum ShellWords {
    /// Words with quotes where a shell needs them.
    package static func join(_ words: [String]) -> String { words.map(quoted).joined(separator: " ") }

    /// A file's name as an argument; one that begins with a dash would be taken for an option.
    package static func file(_ name: String) -> String { quoted(name.hasPrefix("-") ? "./" + name : name) }

    private static func quoted(_ word: String) -> String {
        let plain = word.allSatisfy { $0.isLetter || $0.isNumber || "-_=:,./+@%".contains($0) }
        return plain && !word.isEmpty ? word : "'" + word.replacing("'", with: "'\\''") + "'"
    }
}
