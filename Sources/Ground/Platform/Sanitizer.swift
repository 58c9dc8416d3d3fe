/// Makes text harmless to show: a guest, a file or a notebook chooses its own words, and may choose escape sequences.
///
/// It stands at every door: ``Output`` on a terminal, messages, tables, JSON and pages.
package enum Sanitizer {
    /// `text` on one line, every control character, line separator and direction override as `\u{…}`.
    package static func line(_ text: String) -> String { shown(text) { !isHarmful($0) } }

    /// `text` with its lines and tabs as they are, and everything else that is harmful as `\u{…}`. The CR of a CRLF goes.
    package static func lines(_ text: String) -> String {
        let text = text.utf8.contains(0x0d) ? text.replacing("\r\n", with: "\n") : text
        return shown(text) { $0 == "\n" || $0 == "\t" || !isHarmful($0) }
    }

    /// Control characters (C0, DEL, C1), what breaks lines, and what changes the direction of writing or cannot be seen.
    package static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7f..<0xa0, 0x61c, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x2069, 0xfeff: true
        case 0xe0000...0xe007f: true
        default: false
        }
    }

    private static func shown(_ text: String, as isShown: (Unicode.Scalar) -> Bool) -> String {
        if text.unicodeScalars.allSatisfy(isShown) { return text }
        var output = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if isShown(scalar) {
                output.append(scalar)
            } else {
                output.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
            }
        }
        return String(output)
    }
}
