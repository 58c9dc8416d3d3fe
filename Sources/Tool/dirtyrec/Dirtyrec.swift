import ArgumentParser
import Model
import Platform
import Store

/// Records which memory pages a KVM guest dirties, and answers questions about it.
@main
struct Dirtyrec: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dirtyrec",
        abstract: "Record every page that a KVM guest dirties, and ask who dirtied what, how often, and when.",
        discussion: """
            Results go to stdout, progress and messages to stderr. Exit status: 0 fine, 1 the answer is no (a loss, a \
            failed check), 2 usage, 3 the host cannot do it, 4 the input is broken, 5 the output cannot be written.
            """,
        version: "\(Version.tool) (commit \(Version.commit ?? "unknown"), SQLite \(SQLiteLibrary.version))",
        subcommands: [
            Record.self,
            Attach.self,
            Top.self,
            Import.self,
            Synth.self,
            ReportCommand.self,
            Converge.self,
            SnapshotsCommand.self,
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

    /// What can be typed behind `dirtyrec`.
    static let commandNames =
        configuration.subcommands.map { $0.configuration.commandName ?? $0._commandName } + ["help"]

    /// The parser would take a mistyped command for an argument too many.
    private static func checkCommand() throws {
        let words = CommandLine.arguments.dropFirst()
        guard let word = words.first == "help" ? words.dropFirst().first : words.first, !word.hasPrefix("-"),
            !commandNames.contains(word)
        else { return }
        let suggestion = Suggestion.sentence(for: word, among: commandNames)
        throw ValidationError(
            "There is no command '\(word)'." + (suggestion.isEmpty ? " See: dirtyrec --help" : suggestion))
    }

    static func main() {
        Output.prepare()
        do {
            try checkCommand()
            var command = try parseAsRoot()
            try command.run()
            try Output.standard.finish()
        } catch {
            Failure.exit(with: error)
        }
    }
}
