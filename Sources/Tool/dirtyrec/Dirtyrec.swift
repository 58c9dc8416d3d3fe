import Analysis
import ArgumentParser
import Attach
import Fleet
import Foundation
import Guests
import Import
import KVM
import Model
import Platform
import Recorder
import Store

/// Records which memory pages a KVM guest dirties, and answers questions about it.
@main
struct Dirtyrec: ParsableCommand {
    static let version = "dirtyrec 0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "dirtyrec",
        abstract: "Record every page that a KVM guest dirties, and ask who dirtied what, how often, and when.",
        discussion: """
            Results go to stdout, progress and messages to stderr. Exit status: 0 fine, 1 the answer is no (a loss, a \
            failed check), 2 usage, 3 the host cannot do it, 4 the input is broken.
            """,
        version: version,
        subcommands: [
            Record.self,
            Attach.self,
            Import.self,
            Synth.self,
            ReportCommand.self,
            Converge.self,
            Diff.self,
            SQL.self,
            NotebookCommand.self,
            Export.self,
            FleetCommand.self,
            Verify.self,
            Recover.self,
            Rows.self,
            Doctor.self,
        ])

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            Failure.exit(with: error)
        }
    }
}

/// What each failure means to the caller.
enum Failure {
    /// The answer is no: a gate failed, a check found something, an entry was lost.
    static let no: Int32 = 1
    /// Ends the command with that status; the reason has been said.
    static let answerIsNo = ExitCode(no)
    private static let usage: Int32 = 2
    private static let host: Int32 = 3
    private static let input: Int32 = 4

    /// Says what went wrong, in one sentence and a hint, and ends the process.
    static func exit(with error: any Error) -> Never {
        switch error {
        case let error as KVMError: end(host, error.description + ".")
        case let error as RecordError: end(error.isHostLack ? host : usage, error.description)
        case let error as AttachError: end(host, error.description)
        case let error as ImportError: end(input, error.description)
        case let error as FleetError: end(error.isHostLack ? host : input, error.description)
        case let error as GuestError: end(error.isBrokenInput ? input : usage, error.description)
        case let error as Gate.ParsingError: end(usage, error.description)
        case let error as RecordingError: end(status(of: error.problem), sentence(of: error))
        case let error as ExitCode: Foundation.exit(error.rawValue)
        default:
            let isUsage = Dirtyrec.exitCode(for: error) == .validationFailure
            guard isUsage else { Dirtyrec.exit(withError: error) }
            var lines = Dirtyrec.fullMessage(for: error).split(separator: "\n", maxSplits: 1).map(String.init)
            if let reason = Refusal.reason { lines[0] += ": \(reason)" }
            Terminal.say(lines.joined(separator: "\n"))
            Foundation.exit(usage)
        }
    }

    /// What went wrong in one sentence, and what to do next.
    static func sentence(of error: any Error) -> String {
        guard let error = error as? RecordingError else { return "\(error)" }
        return [error.description, error.hint].compactMap { $0 }.joined(separator: " ")
    }

    private static func status(of problem: RecordingError.Problem) -> Int32 {
        switch problem {
        case .exists, .folderMissing, .inUse, .query, .timeout, .notCutOff, .refused, .missing, .notAFile: usage
        case .writeFailed, .notReplaced, .interrupted: no
        case .notADatabase, .notARecording, .newerSchema, .olderSchema, .damaged, .corrupt, .incomplete: input
        }
    }

    private static func end(_ status: Int32, _ message: String) -> Never {
        Terminal.say("dirtyrec: \(message)")
        Foundation.exit(status)
    }
}
