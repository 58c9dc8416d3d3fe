import CSQLiteShim

/// The SQLite that this program runs with.
package enum SQLiteLibrary {
    package static var version: String { unsafe String(cString: sqlite3_libversion()) }
}
