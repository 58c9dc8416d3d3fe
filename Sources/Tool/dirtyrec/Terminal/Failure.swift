import Analysis
import ArgumentParser
import Attach
import Fleet
import Foundation
import Guests
import Import
import KVM
import Platform
import Recorder
import Store
import Web

/// What each failure means to the caller.
enum Failure {
    /// The answer is no: a gate failed, a check found something, an entry was lost.
    static let no: Int32 = 1
    /// Ends the command with that status; the reason has been said.
    static let answerIsNo = ExitCode(no)
    private static let usage: Int32 = 2
    private static let host: Int32 = 3
    private static let input: Int32 = 4
    private static let output: Int32 = 5

    /// Says what went wrong, in one sentence and a hint, and ends the process.
    static func exit(with error: any Error) -> Never {
        switch error {
        case let error as OutputError: end(error)
        case let error as KVMError: end(host, error.description + ".")
        case let error as RecordError: end(error.isHostLack ? host : usage, error.description)
        case let error as AttachError: end(host, error.description)
        case let error as WebError: end(host, error.description)
        case let error as UnknownTerminal: end(host, error.description)
        case let error as ImportError: end(input, error.description)
        case let error as FleetError: end(error.isHostLack ? host : input, error.description)
        case let error as GuestError: end(error.isBrokenInput ? input : usage, error.description)
        case let error as Gate.ParsingError: end(usage, error.description)
        case let error as RecordingError: end(status(of: error.problem), sentence(of: error))
        case let error as Refusal: end(usage, error.description)
        case is Interrupted: end(no, "Interrupted: what was made before is kept.")
        case let error as ExitCode: end(error.rawValue)
        default:
            switch Dirtyrec.exitCode(for: error) {
            case .success:
                Output.standard.write(Dirtyrec.fullMessage(for: error) + "\n")
                end(0)
            case .validationFailure: end(usage, sentence(ofParser: Dirtyrec.message(for: error)))
            case let code: end(code.rawValue, Dirtyrec.message(for: error))
            }
        }
    }

    /// What went wrong in one sentence, and what to do next.
    static func sentence(of error: any Error) -> String {
        guard let error = error as? RecordingError else { return "\(error)" }
        return [error.description, error.hint].compactMap { $0 }.joined(separator: " ")
    }

    /// What the argument parser says, on one line, and where to read more.
    private static func sentence(ofParser message: String) -> String {
        let list = message.replacing("one of the following:\n  - ", with: "one of ").replacing("\n  - ", with: ", ")
        var sentence = list.replacing("\n   or: ", with: "; or: ")
        if let last = sentence.last, !".?!:".contains(last) { sentence += "." }
        let isItsOwn = ["Unknown option", "Unexpected argument", "Missing "].contains { sentence.hasPrefix($0) }
        guard isItsOwn, !sentence.hasSuffix("?") else { return sentence }
        let command = CommandLine.arguments.dropFirst().first.flatMap { Dirtyrec.commandNames.contains($0) ? $0 : nil }
        return sentence + " See: \(["dirtyrec", command, "--help"].compactMap(\.self).joined(separator: " "))"
    }

    private static func status(of problem: RecordingError.Problem) -> Int32 {
        switch problem {
        case .exists, .inUse, .query, .timeout, .notCutOff, .missing, .notAFile, .refused(doing: "open", _): usage
        case .interrupted: no
        case .notADatabase, .notARecording, .newerSchema, .olderSchema, .damaged, .corrupt, .foreignDefinition,
            .incomplete:
            input
        case .folderMissing, .refused, .writeFailed, .moved, .notReplaced: output
        }
    }

    private static func end(_ error: OutputError) -> Never {
        switch error.cause {
        case .name: end(usage, error.description)
        case .system: end(output, error.description)
        // As if the write had ended the program, which is what a pipeline expects: 141 in a shell.
        case .readerLeft: Termination.end(by: SIGPIPE)
        }
    }

    private static func end(_ status: Int32, _ message: String) -> Never {
        Terminal.endLive()
        Terminal.say("dirtyrec: \(Sanitizer.line(message))")
        Termination.exit(status)
    }

    /// Ends with a status whose reason has been said, unless the results do not get out.
    private static func end(_ status: Int32) -> Never {
        do throws(OutputError) { try Output.standard.finish() } catch { end(error) }
        Termination.exit(status)
    }
}
