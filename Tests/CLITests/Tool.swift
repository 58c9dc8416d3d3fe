import Foundation
import Testing

/// The dirtyrec that was built with these tests.
enum Tool {
    /// What a run printed, and how it ended.
    struct Result {
        var status: Int32
        var stdout: String
        var stderr: String
    }

    static let path = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        .deletingLastPathComponent().appendingPathComponent("dirtyrec").path

    static let canRecord =
        FileManager.default.isWritableFile(atPath: "/dev/kvm")
        && ProcessInfo.processInfo.environment["DIRTYREC_HOST"] != "nested"
    static let reason: Comment = "needs read-write access to /dev/kvm; the demo records in the rig where there is none"

    /// Starts a program; the caller waits.
    static func start(_ arguments: [String], program: String = path) throws -> (Process, Pipe, Pipe) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        let (out, err) = (Pipe(), Pipe())
        process.standardOutput = out
        process.standardError = err
        process.standardInput = FileHandle.nullDevice
        try process.run()
        return (process, out, err)
    }

    /// Runs a program to its end. Its output must fit into a pipe, or be read: stdout is read first.
    static func run(_ arguments: [String], program: String = path) throws -> Result {
        let (process, out, err) = try start(arguments, program: program)
        let stdout = String(decoding: out.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let stderr = String(decoding: err.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return Result(status: process.terminationStatus, stdout: stdout, stderr: stderr)
    }

    /// Runs dirtyrec and expects it to succeed.
    @discardableResult
    static func succeed(_ arguments: [String]) throws -> String {
        let result = try run(arguments)
        #expect(result.status == 0, "dirtyrec \(arguments.joined(separator: " ")): \(result.stderr)")
        return result.stdout
    }

    /// One value from stock sqlite3.
    static func sqlite(_ file: String, _ sql: String) throws -> String {
        try run(["sqlite3", file, sql], program: "/usr/bin/env").stdout.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
