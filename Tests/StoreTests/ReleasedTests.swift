import Foundation
import Model
import Schemas
import TestSupport
import Testing

@testable import Store

/// Files of every schema that was ever released; docs/file-format.md says which versions read which.
@Suite struct ReleasedTests {
    let scratch = Scratch()

    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Released"

    /// Makes the kept recording of a schema.
    private func recording(_ version: Int) throws -> String {
        let path = scratch.path("v\(version).db")
        _ = try shell("sqlite3", [path, ".read \(Self.folder)/v\(version).sql"])
        return path
    }

    @Test func `a recording is kept of every schema`() throws {
        let kept = try FileManager.default.contentsOfDirectory(atPath: Self.folder)
        #expect(kept.sorted() == Schemas.migrations.map { "v\($0.version).sql" }.sorted())
    }

    @Test(arguments: Schemas.migrations.map(\.version))
    func `a file of any released schema is read, older ones after recover`(version: Int) throws {
        let path = try recording(version)
        if version < Schema.version {
            #expect(throws: RecordingError(path, .olderSchema(version))) { try QuerySession(path: path) }
            #expect(try Recovery.recover(path: path).migratedFrom == version)
        }
        #expect(try Verifier.verify(path: path) == [])
        let session = try QuerySession(path: path)
        #expect(
            try session.all("SELECT count(*), count(DISTINCT gfn), count(DISTINCT vcpu), max(iteration) FROM dirty")
                == [[.integer(90), .integer(32), .integer(2), .integer(3)]])
    }

    /// Tables must be word for word what this program would make: a change to a released migration shows here.
    @Test(arguments: Schemas.migrations.map(\.version))
    func `a file of any released schema is completed and made anew`(version: Int) throws {
        let path = try recording(version)
        _ = try shell(
            "sqlite3", [path, "DELETE FROM dirty_entry; UPDATE recording SET rows_through = 0, summarized = 0"])
        #expect(try Recovery.recover(path: path).entries == 90)
        try Recovery.expandRows(path: path, indexed: true, rebuild: true)
        #expect(try Verifier.verify(path: path) == [])
        #expect(try shell("sqlite3", [path, "PRAGMA user_version"]).contains("\(Schema.version)"))
    }
}
