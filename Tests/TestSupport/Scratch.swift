import Foundation

/// A folder that goes away with its user.
package final class Scratch {
    /// Where it is.
    package let path: String

    /// A new, empty one.
    package init() {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("dirtyrec-\(UUID().uuidString)").path
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// A place in it.
    package func path(_ name: String) -> String { path + "/" + name }

    /// Names of what it holds.
    package var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }
}

/// Runs `body` with a folder that is gone afterwards.
package func withFolder<Value>(_ body: (String) throws -> Value) throws -> Value {
    let scratch = Scratch()
    defer { withExtendedLifetime(scratch) {} }
    return try body(scratch.path)
}
