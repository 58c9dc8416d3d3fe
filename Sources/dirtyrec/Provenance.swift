import Foundation

/// Recording ids that stay unique across a fleet.
enum RecordingID {
    /// 32 random hexadecimal digits.
    static func make() -> String {
        (0..<16).map { _ in
            let byte = String(UInt8.random(in: 0 ... .max), radix: 16)
            return byte.count == 1 ? "0" + byte : byte
        }.joined()
    }
}

/// Command lines as one would type them.
enum ShellWords {
    /// Words with quotes where a shell needs them.
    static func join(_ words: [String]) -> String { words.map(quoted).joined(separator: " ") }

    private static func quoted(_ word: String) -> String {
        let plain = word.allSatisfy { $0.isLetter || $0.isNumber || "-_=:,./+@%".contains($0) }
        return plain && !word.isEmpty ? word : "'" + word.replacing("'", with: "'\\''") + "'"
    }
}
