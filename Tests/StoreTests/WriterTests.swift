import Foundation
import GRDB
import Model
import Synchronization
import TestSupport
import Testing

@testable import Store

@Suite struct WriterTests {
    let scratch = Scratch()

    private func error(_ body: () throws -> Void) -> RecordingError? {
        do {
            try body()
            return nil
        } catch { return error as? RecordingError }
    }

    private func writer(_ path: String, replace: Bool = false) throws -> RecordingWriter {
        try RecordingWriter(path: path, info: Sample.info(), slots: Sample.slots, options: .init(replace: replace))
    }

    @Test func `an existing file is not touched`() throws {
        let path = scratch.path("a.db")
        try Data("precious".utf8).write(to: URL(fileURLWithPath: path))
        let error = error { _ = try writer(path) }
        #expect(error?.description == "\(path) exists already.")
        #expect(error?.hint == "Choose another name, or replace it with --force.")
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
        #expect(scratch.names == ["a.db"])
    }

    @Test func `a folder that does not exist is named`() {
        let error = error { _ = try writer(scratch.path("no/a.db")) }
        #expect(error?.description == "The folder \(scratch.path)/no does not exist.")
        #expect(error?.hint == "Create it with: mkdir -p \(scratch.path)/no")
        #expect(scratch.names == [])
    }

    /// Lets no file grow beyond `bytes`, as a full disk would; for child processes only.
    private static func limitFiles(_ bytes: UInt) {
        signal(SIGXFSZ, SIG_IGN)
        var limit = rlimit(rlim_cur: bytes, rlim_max: bytes)
        unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
    }

    @Test(arguments: [false, true]) func `a failed creation leaves nothing behind`(replace: Bool) async throws {
        let path = scratch.path("a.db")
        if replace { try Data("old".utf8).write(to: URL(fileURLWithPath: path)) }
        await #expect(processExitsWith: .success) { [path = path as String, replace = replace as Bool] in
            Self.limitFiles(20_000)
            let error = #expect(throws: RecordingError.self) {
                try RecordingWriter(path: path, info: Sample.info(), options: .init(replace: replace))
            }
            guard case .writeFailed(_, .init())? = error?.problem else { exit(9) }
        }
        #expect(scratch.names == (replace ? ["a.db"] : []))
    }

    @Test func `a disk that fills up costs nothing that was committed`() async throws {
        let path = scratch.path("a.db")
        await #expect(processExitsWith: .success) { [path = path as String] in
            let writer = try RecordingWriter(path: path, info: Sample.info(), slots: Sample.slots)
            Self.limitFiles(2_000_000)
            do {
                for batch in Sample.batches(200, entries: 2000) { try writer.commit(batch) }
                exit(8)
            } catch let error as RecordingError {
                let kept = RecordingError.Kept(
                    synced: writer.committedIterations, committed: writer.committedIterations)
                guard case .writeFailed(_, kept) = error.problem else { exit(9) }
                try "\(writer.committedIterations)".write(toFile: path + ".count", atomically: true, encoding: .utf8)
            }
        }
        let count = try #require(Int(try String(contentsOfFile: path + ".count", encoding: .utf8)))
        #expect(count > 3)
        let expected = try Replayed.of(MemoryRecording(batches: Array(Sample.batches(200, entries: 2000)[..<count])))
        #expect(try Replayed.of(RecordingFile(path: path)) == expected)
        #expect(try Recovery.recover(path: path).iterations == Int64(count))
        #expect(try Verifier.verify(path: path) == [])
    }

    @Test func `a replaced file stays until the first iteration`() throws {
        let path = scratch.path("a.db")
        try Sample.write(path, Sample.batches(2))
        let old = try Data(contentsOf: URL(fileURLWithPath: path))
        do {
            let given = try writer(path, replace: true)
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == old)
            #expect(scratch.names == ["a.db", "a.db.new"])
            given.discard()
            #expect(scratch.names == ["a.db"])
        }
        let writer = try writer(path, replace: true)
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == old)
        try writer.commit(Sample.batches(1)[0])
        #expect(!scratch.names.contains("a.db.new"))
        #expect(try RecordingFile(path: path).counts.iterations == 1)
        try writer.finish(reason: .duration, endNs: 1)
        #expect(scratch.names == ["a.db"])
        #expect(try Verifier.verify(path: path) == [])
    }

    @Test func `a replaced file keeps its mode, and a link stays one`() throws {
        let path = scratch.path("a.db")
        try Sample.write(path, Sample.batches(2))
        unsafe chmod(path, 0o600)
        try FileManager.default.createSymbolicLink(atPath: scratch.path("link.db"), withDestinationPath: "a.db")
        let writer = try writer(scratch.path("link.db"), replace: true)
        #expect(scratch.names == ["a.db", "a.db.new", "link.db"])
        try writer.commit(Sample.batches(1)[0])
        try writer.finish(reason: .duration, endNs: 1)
        #expect(scratch.names == ["a.db", "link.db"])
        var status = stat()
        #expect(unsafe stat(path, &status) == 0 && status.st_mode & 0o7777 == 0o600)
        #expect(try RecordingFile(path: path).counts.iterations == 1)
        #expect(unsafe lstat(scratch.path("link.db"), &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
    }

    @Test func `what is synced is told apart from what is committed`() throws {
        let told = Mutex<[Int64]>([])
        func writer(_ name: String, _ sync: SyncPolicy) throws -> RecordingWriter {
            told.withLock { $0 = [] }
            let options = RecordingWriter.Options(sync: sync, onSync: { count in told.withLock { $0.append(count) } })
            return try RecordingWriter(
                path: scratch.path(name), info: Sample.info(), slots: Sample.slots, options: options)
        }
        let batches = Sample.batches(3)
        let always = try writer("always.db", .always)
        for batch in batches { try always.commit(batch) }
        #expect(always.syncedIterations == 3 && told.withLock { $0 } == [1, 2, 3])

        let never = try writer("never.db", .never)
        for batch in batches { try never.commit(batch) }
        #expect(never.syncedIterations == 0 && never.committedIterations == 3)
        try never.finish(reason: .duration, endNs: 9000)
        #expect(never.syncedIterations == 3 && told.withLock { $0 } == [3])

        // The thread begins with the first iteration; the others need not wait longer than asked.
        let timed = try writer("timed.db", .every(1_000_000))
        for batch in batches { try timed.commit(batch) }
        // It is told after it is counted.
        while told.withLock({ $0.last }) != 3 { usleep(1000) }
        #expect(timed.syncedIterations == 3)
    }

    @Test func `iterations that come fast share a transaction`() throws {
        let path = scratch.path("a.db")
        let writer = try RecordingWriter(
            path: path, info: Sample.info(), slots: Sample.slots, options: .init(groupNs: .max / 2))
        let batches = Sample.batches(4)
        #expect(writer.isEmpty)
        try writer.commit(batches[0])
        try writer.commit(batches[1])
        #expect(!writer.isEmpty && writer.committedIterations == 0)
        #expect(try RecordingFile(path: path).counts.iterations == 0)
        // One in parts comes after them.
        let (first, rest) = parts(batches[2])
        try writer.commit(first)
        #expect(writer.committedIterations == 2)
        try writer.commit(rest)
        try writer.commit(batches[3])
        try writer.finish(reason: .duration, endNs: 9000)
        #expect(writer.committedIterations == 4)
        #expect(try Replayed.of(RecordingFile(path: path)) == Replayed.of(MemoryRecording(batches: batches)))
        #expect(try Verifier.verify(path: path) == [])
    }

    @Test func `what came before an error is kept by a group, too`() throws {
        let path = scratch.path("a.db")
        let writer = try RecordingWriter(
            path: path, info: Sample.info(), slots: Sample.slots, options: .init(groupNs: .max / 2))
        try writer.commit(Sample.batches(1)[0])
        writer.discard()
        #expect(writer.committedIterations == 1)
        try writer.finish(reason: .error, endNs: 9000)
        #expect(try RecordingFile(path: path).counts.iterations == 1)
    }

    @Test func `a reader that comes while rows are made costs rows, not the recording`() throws {
        let path = scratch.path("a.db")
        let batches = Sample.batches(3)
        var writer: RecordingWriter? = try self.writer(path)
        for batch in batches { try writer?.commit(batch) }
        var reader: DatabaseQueue?
        let completion = try writer?.finish(reason: .duration, endNs: 9000) { _ in
            guard reader == nil else { return }
            var configuration = Configuration()
            configuration.allowsUnsafeTransactions = true
            reader = try? DatabaseQueue(path: path, configuration: configuration)
            try? reader?.inDatabase { db in
                try db.beginTransaction(.deferred)
                _ = try Int.fetchOne(db, sql: "SELECT count(*) FROM harvest")
            }
        }
        writer = nil
        #expect(completion == .partial)
        do {
            let file = try RecordingFile(path: path)
            #expect(file.state == .complete && file.info.endReason == .duration && !file.isSummarized)
            #expect(try Replayed.of(file) == Replayed.of(MemoryRecording(batches: batches)))
        }
        #expect(throws: RecordingError(path, .writeFailed(.locked, .init(synced: 3, committed: 3)))) {
            try Recovery.recover(path: path)
        }
        try reader?.close()
        _ = try Recovery.recover(path: path)
        #expect(try Verifier.verify(path: path) == [])
    }

    @Test(arguments: [false, true])
    func `the file is whole beside somebody who has it open, or it is said that it needs its log`(isReading: Bool)
        throws
    {
        let path = scratch.path("a.db")
        var writer: RecordingWriter? = try self.writer(path)
        for batch in Sample.batches(3) { try writer?.commit(batch) }
        var configuration = Configuration()
        configuration.readonly = true
        configuration.allowsUnsafeTransactions = true
        let reader = try DatabaseQueue(path: path, configuration: configuration)
        try reader.inDatabase { db in
            try db.beginTransaction(.deferred)
            _ = try Int.fetchOne(db, sql: "SELECT count(*) FROM harvest")
            if !isReading { try db.rollback() }
        }
        #expect(try writer?.finish(reason: .duration, endNs: 9000) == (isReading ? .withLog : .whole))
        writer = nil
        let copy = scratch.path("copy.db")
        try FileManager.default.copyItem(atPath: path, toPath: copy)
        if isReading {
            #expect(throws: RecordingError.self) { try RecordingFile(path: copy) }
        } else {
            #expect(try Verifier.verify(path: copy) == [])
        }
        if isReading { try reader.inDatabase { try $0.rollback() } }
        try reader.close()
        if isReading { _ = try Recovery.recover(path: path) }
        #expect(try Verifier.verify(path: path) == [])
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)).count > 8192)
    }

    @Test(arguments: ["removed", "renamed", "replaced"])
    func `what lies under another name or none is not called safe`(fate: String) throws {
        let path = scratch.path("a.db")
        let writer = try writer(path)
        let batches = Sample.batches(2)
        try writer.commit(batches[0])
        if fate == "renamed" {
            try FileManager.default.moveItem(atPath: path, toPath: scratch.path("b.db"))
        } else {
            try FileManager.default.removeItem(atPath: path)
        }
        if fate == "replaced" { try Data("else".utf8).write(to: URL(fileURLWithPath: path)) }
        let error = error { try writer.commit(batches[1]) }
        #expect(error?.problem == .moved)
        #expect(error?.description.contains("safe") == false)
        #expect(error?.hint?.contains("NAME") == true)
    }

    @Test func `replacing what a link will lead to is creating that`() throws {
        let link = scratch.path("link.db")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "target.db")
        let writer = try writer(link, replace: true)
        try writer.commit(Sample.batches(1)[0])
        try writer.finish(reason: .duration, endNs: 1 << 40)
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "target.db")
        #expect(try Verifier.verify(path: scratch.path("target.db")) == [])
    }

    @Test func `replacing nothing is creating`() throws {
        let writer = try writer(scratch.path("a.db"), replace: true)
        #expect(scratch.names.contains("a.db"))
        try writer.finish(reason: .signal, endNs: 2000)
        #expect(try Verifier.verify(path: scratch.path("a.db")) == [])
    }

    @Test func `an old log does not reach into the new recording`() throws {
        let path = scratch.path("a.db")
        do {
            let first = try writer(path)
            try first.commit(Sample.batches(1)[0])
            for suffix in ["", "-wal"] {
                try FileManager.default.copyItem(atPath: path + suffix, toPath: scratch.path("b.db" + suffix))
            }
        }
        let second = try writer(scratch.path("b.db"), replace: true)
        for batch in Sample.batches(3, seed: 9) { try second.commit(batch) }
        let file = try RecordingFile(path: scratch.path("b.db"))
        #expect(try Replayed.of(file) == Replayed.of(MemoryRecording(batches: Sample.batches(3, seed: 9))))
    }

    @Test func `a second recorder is refused`() async throws {
        let path = scratch.path("a.db")
        let first = try writer(path)
        #expect(error { _ = try writer(path, replace: true) }?.problem == .inUse)
        await #expect(processExitsWith: .success) { [path = path as String] in
            let error = #expect(throws: RecordingError.self) {
                try RecordingWriter(path: path, info: Sample.info(), options: .init(replace: true))
            }
            try #require(error?.problem == .inUse)
            try #require(throws: RecordingError(path, .inUse)) { try Recovery.recover(path: path) }
        }
        try first.commit(Sample.batches(1)[0])
        #expect(first.committedIterations == 1)
    }

    @Test func `large harvests are split`() throws {
        let path = scratch.path("a.db")
        let count = Segment.maxEntries + 5
        let harvest = Harvest(
            iteration: 1, source: .dirtyLog, vcpu: nil, cause: .paused, sinceNs: 1, tsNs: 2, entryCount: count,
            provisionalCount: 1, scanNs: 9)
        var batch = IterationBatch(iteration: Iteration(id: 1, startNs: 0, endNs: 2))
        batch.harvests = [(harvest, Array(0..<GFN(count)))]
        let writer = try RecordingWriter(path: path, info: Sample.info())
        try writer.commit(batch)
        let collected = try Replayed.of(RecordingFile(path: path))
        #expect(collected.harvests.map(\.entryCount) == [Segment.maxEntries, 5])
        #expect(collected.harvests.map(\.provisionalCount) == [0, 1])
        #expect(collected.harvests.map(\.scanNs) == [9, 0])
        #expect(Array(collected.gfns.joined()) == batch.harvests[0].gfns)
    }

    @Test func `a failed iteration is rolled back and may be repeated`() throws {
        let path = scratch.path("a.db")
        let writer = try writer(path)
        let batches = Sample.batches(3)
        try writer.commit(batches[0])
        var broken = batches[1]
        broken.harvests[2].harvest.iteration = 77
        let error = error { try writer.commit(broken) }
        #expect(
            error?.description
                == "Writing \(path) failed: FOREIGN KEY constraint failed; 1 iteration is safe in the file.")
        #expect(error?.hint == "Finish the file with: dirtyrec recover \(path)")
        try writer.commit(batches[1])
        try writer.finish(reason: .duration, endNs: 9999)
        #expect(
            try Replayed.of(RecordingFile(path: path)) == Replayed.of(MemoryRecording(batches: Array(batches[0...1]))))
    }

    /// The batch with only its first harvest, and the rest.
    private func parts(_ batch: IterationBatch) -> (IterationBatch, IterationBatch) {
        var (first, rest) = (IterationBatch(iteration: batch.iteration), batch)
        first.isPart = true
        first.harvests = [rest.harvests.removeFirst()]
        return (first, rest)
    }

    @Test func `an iteration in parts is one iteration`() throws {
        let path = scratch.path("a.db")
        let writer = try writer(path)
        let batches = Sample.batches(3)
        try writer.commit(batches[0])
        let (first, rest) = parts(batches[1])
        try writer.commit(first)
        #expect(writer.committedIterations == 1)
        #expect(try Replayed.of(RecordingFile(path: path)) == Replayed.of(MemoryRecording(batches: [batches[0]])))
        try writer.commit(rest)
        try writer.commit(batches[2])
        try writer.finish(reason: .duration, endNs: 1_000_000)
        #expect(try Verifier.verify(path: path) == [])
        #expect(try Replayed.of(RecordingFile(path: path)) == Replayed.of(MemoryRecording(batches: batches)))
    }

    @Test func `parts without an end are dropped`() throws {
        let path = scratch.path("a.db")
        let writer = try writer(path)
        let batches = Sample.batches(2)
        try writer.commit(batches[0])
        var (first, rest) = parts(batches[1])
        try writer.commit(first)
        rest.harvests[0].harvest.iteration = 77
        #expect(error { try writer.commit(rest) } != nil)
        try writer.commit(first)
        try writer.finish(reason: .error, endNs: 1_000_000)
        #expect(try Verifier.verify(path: path) == [])
        #expect(try Replayed.of(RecordingFile(path: path)) == Replayed.of(MemoryRecording(batches: [batches[0]])))
    }

    @Test func `slots are closed by a later batch`() throws {
        let path = scratch.path("a.db")
        let writer = try writer(path)
        var batch = Sample.batches(1)[0]
        var closed = Sample.slots[0]
        closed.deletedNs = 1500
        batch.slots = [closed]
        try writer.commit(batch)
        #expect(try RecordingFile(path: path).slots == [closed, Sample.slots[1]])
    }

    @Test func `exact times come out of rows and view`() throws {
        for rows in [true, false] {
            let path = scratch.path("exact\(rows).db")
            let writer = try writer(path)
            var batch = IterationBatch(iteration: Iteration(id: 1, startNs: 1000, endNs: 2000))
            batch.harvests = [
                (
                    Harvest(
                        iteration: 1, source: .tracefs, vcpu: 0, cause: .periodic, sinceNs: 1000, tsNs: 2000,
                        entryCount: 3), [300, 301, 300]
                )
            ]
            batch.exactTimes = [0: [1100, 1200, 1900]]
            try writer.commit(batch)
            try writer.finish(reason: .duration, endNs: 2000, rows: rows)
            #expect(try Verifier.verify(path: path) == [])
            let session = try QuerySession(path: path)
            #expect(
                try session.all("SELECT seq, ts_ns, gfn FROM dirty ORDER BY seq") == [
                    [.integer(1), .integer(1100), .integer(300)], [.integer(2), .integer(1200), .integer(301)],
                    [.integer(3), .integer(1900), .integer(300)],
                ])
            if rows { #expect(try shell("sqlite3", [path, "SELECT sum(ts_ns) FROM dirty"]) == "4200\n") }
        }
    }
}

extension QuerySession {
    /// All rows of a query.
    func all(_ sql: String, parameters: [String: SQLValue] = [:], timeout: Duration? = nil) throws -> [[SQLValue]] {
        var rows: [[SQLValue]] = []
        try run(sql, parameters: parameters, timeout: timeout, columns: { _ in }, row: { rows.append($0) })
        return rows
    }
}
