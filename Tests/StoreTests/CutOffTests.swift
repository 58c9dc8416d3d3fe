import Foundation
import GRDB
import Model
import TestSupport
import Testing

@testable import Store

/// Recordings that did not end: what was committed must be there, and reading must not change a byte.
@Suite struct CutOffTests {
    let scratch = Scratch()

    /// Copies a file in mid-recording, with its log and perhaps the log's shared index: what a kill leaves behind.
    private func cutOff(withIndex: Bool, batches: [IterationBatch]) throws -> String {
        let live = scratch.path("live.db")
        let writer = try RecordingWriter(path: live, info: Sample.info(), slots: Sample.slots)
        for batch in batches { try writer.commit(batch) }
        try FileManager.default.createDirectory(atPath: scratch.path("cut"), withIntermediateDirectories: true)
        for suffix in ["", "-wal"] + (withIndex ? ["-shm"] : []) {
            try FileManager.default.copyItem(atPath: live + suffix, toPath: scratch.path("cut/cut.db" + suffix))
        }
        try writer.finish(reason: .duration, endNs: 5)
        return scratch.path("cut/cut.db")
    }

    private func contents(_ folder: String) throws -> [String: Data] {
        var contents: [String: Data] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
            contents[name] = try Data(contentsOf: URL(fileURLWithPath: folder + "/" + name))
        }
        return contents
    }

    @Test(arguments: [false, true]) func `a cut-off file holds every committed iteration`(withIndex: Bool) throws {
        let batches = Sample.batches(7)
        let path = try cutOff(withIndex: withIndex, batches: batches)
        let before = try contents(scratch.path("cut"))
        do {
            let file = try RecordingFile(path: path)
            #expect(file.state == .cutOff)
            #expect(file.state == .cutOff)
            #expect(try Replayed.of(file) == Replayed.of(MemoryRecording(batches: batches)))
            #expect(try Verifier.verify(path: path) == [])
        }
        #expect(try contents(scratch.path("cut")) == before)
    }

    @Test func `a cut-off file that another program has open is read through its index`() throws {
        let batches = Sample.batches(3)
        let path = try cutOff(withIndex: true, batches: batches)
        let other = try DatabaseQueue(path: path)
        try other.inDatabase { db in try db.execute(sql: "CREATE TABLE note(text); UPDATE recording SET host = 'other'")
        }
        #expect(try RecordingFile(path: path).info.host == "other")
    }

    @Test func `recover completes a cut-off file and loses nothing`() throws {
        let batches = Sample.batches(7)
        let path = try cutOff(withIndex: false, batches: batches)
        var phases: [FinishProgress.Phase] = []
        let outcome = try Recovery.recover(path: path) { phases.append($0.phase) }
        #expect(outcome.wasCutOff)
        #expect(outcome.iterations == 7)
        #expect(outcome.entries == Int64(batches.reduce(0) { $0 + $1.entryCount }))
        #expect(Set(phases) == [.rows, .summaries, .check])
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path("cut")) == ["cut.db"])

        do {
            let file = try RecordingFile(path: path)
            #expect(file.state == .complete)
            #expect(file.info.endReason == .recovered)
            #expect(file.info.endNs == 8000)
            #expect(try Replayed.of(file) == Replayed.of(MemoryRecording(batches: batches)))
            #expect(try file.counts.rows == outcome.entries)
        }
        #expect(try Verifier.verify(path: path) == [])
        #expect(throws: RecordingError(path, .notCutOff)) { try Recovery.recover(path: path) }
    }

    @Test(arguments: [
        "UPDATE page_summary SET entries = entries + 1", "UPDATE dirty_entry SET gfn = gfn + 1 WHERE seq = 5",
        "DELETE FROM dirty_entry WHERE seq > 100", "INSERT INTO vcpu(vcpu) VALUES (-1)",
        "DELETE FROM iteration_summary WHERE iteration = 2",
    ])
    func `recover does not believe what damage has left of rows and summaries`(sql: String) throws {
        let path = scratch.path("a.db")
        try Sample.write(path, Sample.batches(3))
        _ = try shell("sqlite3", [path, "UPDATE recording SET end_reason = NULL; \(sql)"])
        #expect(try Recovery.recover(path: path).wasCutOff)
        #expect(try Verifier.verify(path: path) == [])
        #expect(try RecordingFile(path: path).counts.rows == 1206)
    }

    @Test func `a killed recorder leaves what it committed`() async throws {
        let path = scratch.path("killed.db")
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let writer = try RecordingWriter(path: path, info: Sample.info(), slots: Sample.slots)
            for batch in Sample.batches(20) { try writer.commit(batch) }
            kill(getpid(), SIGKILL)
        }
        let file = try RecordingFile(path: path)
        #expect(file.state == .cutOff)
        #expect(try Replayed.of(file) == Replayed.of(MemoryRecording(batches: Sample.batches(20))))
    }

    @Test func `completion that was killed is completed later`() async throws {
        let path = scratch.path("killed.db")
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let writer = try RecordingWriter(path: path, info: Sample.info(), slots: Sample.slots)
            for batch in Sample.batches(20) { try writer.commit(batch) }
            try writer.finish(reason: .iterations, endNs: 77) { if $0.phase == .summaries { kill(getpid(), SIGKILL) } }
        }
        #expect(try RecordingFile(path: path).isSummarized == false)
        #expect(try Verifier.verify(path: path).map(\.problem) == ["its completion was interrupted"])
        let outcome = try Recovery.recover(path: path)
        #expect(!outcome.wasCutOff)
        #expect(try RecordingFile(path: path).info.endReason == .iterations)
        #expect(try Verifier.verify(path: path) == [])
        #expect(scratch.names == ["killed.db"])
    }

    @Test(arguments: ["clean", "cut without index", "cut with index", "log mode without log"])
    func `a read-only folder is enough`(kind: String) async throws {
        let batches = Sample.batches(3)
        var path = scratch.path("clean.db")
        switch kind {
        case "clean": try Sample.write(path, batches)
        case "log mode without log":
            try Sample.write(path, batches)
            try #require(try shell("sqlite3", [path, "PRAGMA journal_mode=WAL"]) == "wal\n")
        default: path = try cutOff(withIndex: kind == "cut with index", batches: batches)
        }
        let folder = (path as NSString).deletingLastPathComponent
        unsafe chmod(folder, 0o555)
        defer { unsafe chmod(folder, 0o755) }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        await #expect(processExitsWith: .success) { [path = path as String] in
            // Root may write anywhere: be nobody.
            if getuid() == 0 {
                try #require(setgid(65534) == 0 && setuid(65534) == 0)
            }
            try #require(!FileManager.default.createFile(atPath: path + ".probe", contents: Data()))
            let file = try RecordingFile(path: path)
            try #require(try Replayed.of(file) == Replayed.of(MemoryRecording(batches: Sample.batches(3))))
            try #require(try Verifier.verify(path: path) == [])
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == names)
    }

    @Test func `a recording in progress shows whole iterations`() throws {
        let path = scratch.path("live.db")
        let batches = Sample.batches(4)
        let writer = try RecordingWriter(path: path, info: Sample.info(), slots: Sample.slots)
        try writer.commit(batches[0])
        let file = try RecordingFile(path: path)
        #expect(file.state == .recording)
        #expect(try Replayed.of(file) == Replayed.of(MemoryRecording(batches: [batches[0]])))
        try writer.commit(batches[1])
        #expect(try Replayed.of(file) == Replayed.of(MemoryRecording(batches: Array(batches[0...1]))))

        // Iterations committed while a replay runs stay out of it.
        var meddler = Meddler(action: { try writer.commit(batches[2]) })
        try file.replay(into: &meddler)
        #expect(meddler.iterations == 2)
        #expect(try file.counts.iterations == 3)
        #expect(throws: RecordingError(path, .inUse)) { try Recovery.recover(path: path) }
        try writer.finish(reason: .signal, endNs: 9)
        #expect(try RecordingFile(path: path).state == .complete)
    }

    private struct Meddler: RecordingVisitor {
        var action: (() throws -> Void)?
        var iterations = 0
        init(action: @escaping () throws -> Void) { self.action = action }
        mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws {
            try action?()
            action = nil
        }
        mutating func visit(_ iteration: Iteration) { iterations += 1 }
    }
}
