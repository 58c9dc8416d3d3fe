/// One value of a row, as SQLite has them: what queries return, and what tables show.
package enum SQLValue: Sendable, Hashable {
    /// SQL NULL.
    case null
    /// A whole number.
    case integer(Int64)
    /// Any other number.
    case real(Double)
    /// Text, hostile until proven otherwise.
    case text(String)
    /// Bytes.
    case blob([UInt8])
}
