import ArgumentParser
import Foundation
import Platform
import Recorder

/// `dirtyrec doctor`.
struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what this host offers for recording, and what to do where something is missing.")

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let findings = HostFindings()
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            encoder.keyEncodingStrategy = .convertToSnakeCase
            printResult(String(decoding: try encoder.encode(findings), as: UTF8.self))
        } else {
            printResult(findings.text)
        }
        if !findings.canRecord { throw ExitCode(3) }
    }
}
