import ArgumentParser
import Attach
import Foundation
import Platform
import Recorder

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what this host offers for recording, and what to do where something is missing.",
        discussion: """
            Guests that run here are listed, each with the command that follows it; of other people's only root sees them. Of \
            each: its program, vCPUs, the memory that the process has now, and whether KVM logs its pages in rings or bitmaps.
            """)

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let findings = HostFindings()
        let guests = HostGuest.all()
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            encoder.keyEncodingStrategy = .convertToSnakeCase
            printResult(String(decoding: try encoder.encode(Answer(findings: findings, guests: guests)), as: UTF8.self))
        } else {
            let lines = guests.map { guest in
                Sanitizer.line(
                    "    \(guest.pid)  \(guest.text): \(guest.follow ?? "cannot be followed")"
                        + (guest.followUnlogged.map { "; while it logs nothing: \($0)" } ?? ""))
            }
            printResult(findings.text(and: lines.isEmpty ? [] : ["", "Guests on this host"] + lines))
        }
        if !findings.canRecord { throw ExitCode(3) }
    }

    /// The findings, and beside them the guests.
    private struct Answer: Encodable {
        let findings: HostFindings
        let guests: [HostGuest]
        enum Key: CodingKey { case guests }

        func encode(to encoder: any Encoder) throws {
            try findings.encode(to: encoder)
            var values = encoder.container(keyedBy: Key.self)
            try values.encode(guests, forKey: .guests)
        }
    }
}
