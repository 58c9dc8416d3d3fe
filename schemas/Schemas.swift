/// The SQL of the file, embedded in the program.
public enum Schemas {
    /// One step from a schema version to the next.
    public struct Migration: Sendable {
        /// `PRAGMA user_version` after the step.
        public let version: Int
        /// The step in a word.
        public let name: String
        /// Its statements.
        public let sql: String
    }

    /// Every migration in order. The last one's version is the version that this program writes.
    public static let migrations = [
        Migration(version: 1, name: "tables", sql: text(PackageResources.v1_sql))
    ]

    /// Definitions of the public views, in an order in which they can be created.
    public static let views = [PackageResources.dirty_sql, PackageResources.rates_sql, PackageResources.pages_sql]
        .map(text)

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
