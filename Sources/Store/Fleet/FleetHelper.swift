import Foundation
import Platform

/// The Python program that speaks to DuckDB and Spark, embedded: one process for each request.
enum FleetHelper {
    /// The packages that it needs, as scripts/setup-fleet installs them.
    static let packages = "duckdb==1.5.5 duckdb-extension-sqlite-scanner==1.5.5"

    /// One line of an answer.
    private struct Problem: Decodable {
        let error: String
        let message: String
    }

    /// Runs a request and hands out the lines of the answer.
    ///
    /// - Throws: ``FleetError``, and what `line` throws.
    static func run(_ request: some Encodable, line: (Data) throws -> Void) throws {
        let process = Process()
        let python = interpreter()
        process.executableURL = URL(fileURLWithPath: python.contains("/") ? python : "/usr/bin/env")
        process.arguments = (python.contains("/") ? [] : [python]) + ["-c", program]
        let input = try Scratch()
        try input.handle.write(contentsOf: JSONEncoder().encode(request))
        try input.handle.seek(toOffset: 0)
        process.standardInput = input.handle
        let (output, errors) = (Pipe(), try Scratch())
        process.standardOutput = output
        process.standardError = errors.handle
        do { try process.run() } catch {
            throw FleetError("Cannot run \(python): set DIRTYREC_PYTHON to a Python 3 with DuckDB.", isHostLack: true)
        }
        let helper = process.processIdentifier
        let leftover = Leftovers.add { end(helper) }
        defer { Leftovers.forget(leftover) }
        do { try lines(of: output.fileHandleForReading, line) } catch {
            end(helper)
            process.waitUntilExit()
            throw error
        }
        process.waitUntilExit()
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            throw FleetError("The helper process of Python ended unexpectedly: \(errors.lastLine).")
        }
    }

    private static var program: String { String(decoding: PackageResources.fleet_py, as: UTF8.self) }

    /// `DIRTYREC_PYTHON`, the one that scripts/setup-fleet made, or the system's.
    private static func interpreter() -> String {
        let environment = ProcessInfo.processInfo.environment
        if let python = environment["DIRTYREC_PYTHON"], !python.isEmpty { return python }
        let cache =
            environment["DIRTYREC_CACHE"] ?? (environment["XDG_CACHE_HOME"] ?? NSHomeDirectory() + "/.cache")
            + "/dirtyrec"
        let own = cache + "/fleet/bin/python"
        return FileManager.default.isExecutableFile(atPath: own) ? own : "python3"
    }

    /// Lets a helper remove what it spilled, for a second.
    private static func end(_ helper: pid_t) {
        for _ in 0..<20 {
            guard kill(helper, SIGTERM) == 0 else { return }
            usleep(50_000)
        }
        kill(helper, SIGKILL)
    }

    private static func lines(of handle: FileHandle, _ line: (Data) throws -> Void) throws {
        var waiting = Data()
        while let piece = try handle.read(upToCount: 1 << 16), !piece.isEmpty {
            waiting.append(piece)
            while let end = waiting.firstIndex(of: UInt8(ascii: "\n")) {
                let text = waiting[waiting.startIndex..<end]
                if let problem = try? JSONDecoder().decode(Problem.self, from: text) { throw explain(problem) }
                try line(text)
                waiting = waiting[(end + 1)...]
            }
            waiting = Data(waiting)
        }
    }

    private static func explain(_ problem: Problem) -> FleetError {
        guard problem.error == "missing" else { return FleetError(problem.message) }
        let more = problem.message.hasPrefix("PySpark") ? " pyspark==4.1.4, and a Java runtime" : ""
        return FleetError(
            "Python lacks \(problem.message). Install \(packages)\(more), as scripts/setup-fleet does, and name that "
                + "Python in DIRTYREC_PYTHON.", isHostLack: true)
    }
}

/// A file that is gone when nobody has it open any more.
private struct Scratch {
    let handle: FileHandle

    init() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("dirtyrec-\(UUID().uuidString)").path
        guard FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]),
            let handle = FileHandle(forUpdatingAtPath: path)
        else { throw FleetError("Cannot write into the folder for temporary files: make room.", isHostLack: true) }
        try? FileManager.default.removeItem(atPath: path)
        self.handle = handle
    }

    /// What was said last, in one line of bounded length.
    var lastLine: String {
        let size = (try? handle.seekToEnd()) ?? 0
        try? handle.seek(toOffset: size > 4096 ? size - 4096 : 0)
        let text = String(decoding: (try? handle.readToEnd()) ?? Data(), as: UTF8.self)
        return text.split(whereSeparator: \.isNewline).last.map(String.init) ?? "it said nothing"
    }
}
