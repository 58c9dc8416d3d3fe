import Foundation
import Model
import TestSupport
import Testing

@testable import Store

/// Hostile SQL through every door of the program: it cannot write, attach, load, or outlive its time.
@Suite struct DoorTests {
    private let folder = Scratch()

    /// How SQL comes into the program.
    enum Door: CaseIterable {
        case argument, pipe, shellPipe, file, notebook
    }

    private func recording() throws -> String {
        let path = folder.path + "/r.db"
        try Recordings.write(path, Recordings.random(seed: 5))
        return path
    }

    private func pass(_ sql: String, through door: Door, _ path: String, timeout: String? = nil) throws -> Outcome {
        let limit = timeout.map { ["--timeout", $0] } ?? []
        let script = folder.path + "/script"
        switch door {
        case .argument: return try dirtyrec(["sql", path, sql] + limit)
        case .pipe: return try dirtyrec(["sql", path, "-"] + limit, input: sql)
        case .shellPipe: return try dirtyrec(["sql", path] + limit, input: sql + "\n;\n")
        case .file:
            try sql.write(toFile: script, atomically: true, encoding: .utf8)
            return try dirtyrec(["sql", path, "-f", script] + limit)
        case .notebook:
            try "```sql cell\n\(sql)\n```".write(toFile: script, atomically: true, encoding: .utf8)
            return try dirtyrec(["notebook", script, path, "-o", folder.path + "/out.html"] + limit)
        }
    }

    @Test(arguments: Door.allCases)
    func `nothing is written, attached or loaded`(door: Door) throws {
        let path = try recording()
        let before = try Data(contentsOf: URL(fileURLWithPath: path))
        let victim = folder.path + "/victim.db"
        for sql in [
            "DELETE FROM harvest", "UPDATE recording SET host = 'x'", "CREATE TABLE t(x)", "DROP VIEW dirty",
            "ATTACH '\(victim)' AS v", "VACUUM INTO '\(victim)'", "SELECT load_extension('\(victim)')",
            "PRAGMA journal_mode = WAL", "PRAGMA writable_schema = 1", "PRAGMA trusted_schema = 1",
            "SELECT writefile('\(victim)', 'x')", "SELECT edit('x', 'touch \(victim)')",
            "SELECT 1; DELETE FROM harvest",
            "INSERT INTO temp.sqlite_master VALUES (1, 2, 3, 4, 5)", ".output \(victim)", ".shell touch \(victim)",
        ] {
            let outcome = try pass(sql, through: door, path)
            #expect(outcome.status != 0, "\(sql)")
            #expect(!FileManager.default.fileExists(atPath: victim), "\(sql)")
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
        #expect(!FileManager.default.fileExists(atPath: path + "-wal"))
    }

    /// A bomb runs for minutes, and is told to have been stopped: how long a busy machine takes for that does not matter.
    @Test(arguments: Door.allCases)
    func `nothing outlives its time`(door: Door) throws {
        let path = try recording()
        for bomb in [
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT max(x) FROM n",
            "SELECT count(*) FROM dirty a, dirty b, dirty c, dirty d",
            // One step of the virtual machine that takes minutes.
            """
            SELECT replace(hex(zeroblob(10000000)), '0', 'a') LIKE '%' || replace(hex(zeroblob(12000)), '0', 'a') || 'b'
            """,
        ] {
            let outcome = try pass(bomb, through: door, path, timeout: "300ms")
            #expect(outcome.status != 0)
            let told =
                outcome.errors + ((try? String(contentsOfFile: folder.path + "/out.html", encoding: .utf8)) ?? "")
            #expect(told.contains("time limit"), "\(told)")
        }
    }

    @Test func `large results stream`() throws {
        let path = try recording()
        let query = """
            WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 12000) SELECT hex(zeroblob(1500)) FROM n
            """
        let script = """
            import resource, subprocess, sys
            size = 0
            child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
            while piece := child.stdout.read(1 << 16): size += len(piece)
            child.wait()
            print(size > 36_000_000, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 50_000, child.returncode)
            """
        let outcome = try run("python3", ["-c", script, Self.program, "sql", path, query, "--csv"])
        #expect(outcome.output == "True True 0\n", "\(outcome)")
    }

    struct Outcome {
        var status: Int32
        var output: String
        var errors: String
    }

    /// The program beside the tests.
    private static let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appendingPathComponent("dirtyrec").path

    private func dirtyrec(_ arguments: [String], input: String = "") throws -> Outcome {
        try run(Self.program, arguments, input: input)
    }

    private func run(_ program: String, _ arguments: [String], input: String = "") throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments
        let (into, out) = (Pipe(), Pipe())
        let errors = folder.path + "/stderr"
        try Data().write(to: URL(fileURLWithPath: errors))
        process.standardInput = into
        process.standardOutput = out
        process.standardError = FileHandle(forWritingAtPath: errors)
        try process.run()
        try? into.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try? into.fileHandleForWriting.close()
        let output = out.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Outcome(
            status: process.terminationStatus, output: String(decoding: output, as: UTF8.self),
            errors: (try? String(contentsOfFile: errors, encoding: .utf8)) ?? "")
    }
}
