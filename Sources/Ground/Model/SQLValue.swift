/// One value of a row, as SQLite has them: what queries return, and what tables show.
package enum SQLValue: Sendable, Hashable {
    case null
    /// A whole number.
    case integer(Int64)
    /// Any other number.
    case real(Double)
    case text(String)
    case blob([UInt8])

    /// What it takes to keep it, in bytes: of text and bytes, those.
    package var byteCount: Int {
        switch self {
        case .null, .integer, .real: 8
        case .text(let text): text.utf8.count
        case .blob(let bytes): bytes.count
        }
    }
}
