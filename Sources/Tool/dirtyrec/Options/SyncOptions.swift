import ArgumentParser
import Model
import Store

/// When a recording that is being written is brought to the disk.
struct SyncOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "What a power cut may cost at most: a time, always (nothing: every iteration is synced) or never (sync at the end).",
            valueName: "time|always|never"))
    var sync = SyncPolicy.standard

    @Flag(help: ArgumentHelp("Say on stderr what is committed, and what is safe.", visibility: .hidden))
    var logCommits = false

    /// How the writer is to create the file.
    func writing(replace: Bool, groupNs: Int64 = 0) -> RecordingWriter.Options {
        var options = RecordingWriter.Options(replace: replace, sync: sync, groupNs: groupNs)
        if logCommits { options.onSync = { Terminal.say("safe \($0)") } }
        return options
    }
}

extension SyncPolicy: ExpressibleByArgument {
    /// A duration above 0, `always` or `never`.
    package init?(argument: String) {
        switch argument {
        case "always": self = .always
        case "never": self = .never
        default:
            guard let interval = Nanoseconds(argument: argument), interval.ns > 0 else { return nil }
            self = .every(interval.ns)
        }
    }

    /// As the user would write it.
    package var defaultValueDescription: String {
        switch self {
        case .every(let ns): Units.duration(ns)
        case .always: "always"
        case .never: "never"
        }
    }
}
