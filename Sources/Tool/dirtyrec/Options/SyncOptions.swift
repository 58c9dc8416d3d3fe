import ArgumentParser
import Model
import Store

/// When a recording that is being written is brought to the disk.
struct SyncOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "What a power cut may cost at most: a time, always (nothing: every iteration is synced) or never (sync at the end). (default: \(SyncPolicy.standard.text))",
            valueName: "time|always|never"), completion: .list(["always", "never"]),
        transform: SyncPolicy.init(parsing:))
    var sync: SyncPolicy?

    @Flag(help: ArgumentHelp("Say on stderr what is committed, and what is safe.", visibility: .hidden))
    var logCommits = false

    /// How the writer is to create the file.
    func writing(replace: Bool, groupNs: Int64 = 0) -> RecordingWriter.Options {
        var options = RecordingWriter.Options(replace: replace, sync: sync ?? .standard, groupNs: groupNs)
        if logCommits { options.onSync = { Terminal.say("safe \($0)") } }
        return options
    }
}

extension SyncPolicy {
    /// A duration above 0, `always` or `never`.
    init(parsing text: String) throws {
        switch text {
        case "always": self = .always
        case "never": self = .never
        default:
            self = .every(try Refusal.unlessPositive(Units.parseDuration(text), text))
        }
    }

    /// As the user would write it.
    var text: String {
        switch self {
        case .every(let ns): Units.duration(ns)
        case .always: "always"
        case .never: "never"
        }
    }
}
