import ArgumentParser
import Foundation
import Model
import Platform
import Report
import Store
import Synchronization

/// Statements and dot commands from a terminal, with editing, or from a pipe.
///
/// On a terminal an error is told and the shell goes on; in a pipe it ends the program.
struct SQLShell {
    private static let help = """
        SQL ends with a semicolon and can only read. Tab completes tables, columns and queries.
          .help                     this text
          .tables                   views, tables and named queries
          .schema [NAME]            columns of a view or table; parameters and columns of a named query
          .query AREA/NAME [P=V…]   run a named query
          .mode [FORMAT]            table, csv, tsv, json, jsonl or markdown
          .timeout [TIME]           the longest time for a query, such as 5s; none for no limit
          .quit                     leave (or Ctrl-D); Ctrl-C stops a query
        """
    static let commands = [".help", ".mode", ".query", ".quit", ".schema", ".tables", ".timeout"]

    private var printer: RowPrinter
    private let isRunning = Flag()

    init(_ printer: RowPrinter) { self.printer = printer }

    mutating func run() throws {
        let isInteractive = isatty(0) == 1 && isatty(1) == 1
        let editor = isInteractive ? LineEditor(historyPath: Self.historyPath) : nil
        let (session, isRunning) = (printer.session, self.isRunning)
        Termination.watch { count in
            // At the prompt Ctrl-C is a key, so this signal came from elsewhere and means the program.
            guard isRunning.value.load(ordering: .relaxed), isInteractive || count == 1 else {
                editor?.close()
                Termination.exit(Failure.no)
            }
            session.interrupt()
        }
        if isInteractive {
            printResult("Recording \(session.file.path). Type .help for help, .quit to leave.")
            Output.standard.flush()
        }
        try readStatements(editor, isInteractive: isInteractive)
        editor?.close()
    }

    private mutating func readStatements(_ editor: LineEditor?, isInteractive: Bool) throws {
        var pending = ""
        var hasInput = isInteractive
        while true {
            let input = editor?.read(prompt: pending.isEmpty ? "dirtyrec> " : "     ...> ") ?? .end(readLine())
            guard case .line(let line) = input else {
                if case .interrupted = input {
                    pending = ""
                    continue
                }
                break
            }
            hasInput = true
            let isCommand = pending.isEmpty && line.hasPrefix(".")
            pending += (pending.isEmpty ? "" : "\n") + line
            guard isCommand || QuerySession.isComplete(pending) else { continue }
            let text = pending
            pending = ""
            if !text.allSatisfy(\.isWhitespace) { editor?.remember(text) }
            if isCommand, [".quit", ".exit"].contains(text) { return }
            try tolerating(isInteractive) { shell in
                if isCommand { try shell.command(text) } else { try shell.query(text) }
            }
            Output.standard.flush()
            try Output.standard.check()
        }
        // Nothing was asked: say what can be.
        if !hasInput { Catalog.list(printer.format) }
        // The last statement of a pipe needs no semicolon.
        if !isInteractive, !pending.allSatisfy(\.isWhitespace) { try query(pending) }
    }

    private mutating func tolerating(_ tolerates: Bool, _ body: (inout Self) throws -> Void) throws {
        do { try body(&self) } catch {
            guard tolerates, !(error is OutputError) else { throw error }
            Terminal.say(Failure.sentence(of: error))
        }
    }

    private func query(_ sql: String, _ parameters: [String: SQLValue] = [:]) throws {
        isRunning.value.store(true, ordering: .relaxed)
        defer { isRunning.value.store(false, ordering: .relaxed) }
        try printer.run(sql, parameters: parameters)
    }

    private mutating func command(_ text: String) throws {
        let words = text.split(separator: " ").map(String.init)
        let argument = words.count > 1 ? words[1] : nil
        switch words[0] {
        case ".help": printResult(Self.help)
        case ".tables": Catalog.list(printer.format)
        case ".schema":
            guard let argument else { return Catalog.list(printer.format) }
            guard Catalog.describe(argument, printer.format) else {
                let known = SchemaCatalog.objects.map(\.name) + NamedQuery.all.map(\.name)
                throw ValidationError(
                    "There is no view, table or named query '\(argument)'; list them with .tables."
                        + Suggestion.sentence(for: argument, among: known))
            }
        case ".query":
            guard let argument, case let settings = words.dropFirst(2).compactMap({ try? Setting(parsing: $0) }),
                settings.count == words.count - 2
            else {
                throw ValidationError("Write: .query AREA/NAME PARAMETER=VALUE…")
            }
            let named = try SQL.named(argument, settings)
            try query(named.sql, named.values)
        case ".mode":
            guard let format = argument.map(TableFormat.init(rawValue:)) ?? printer.format else {
                throw ValidationError("The modes are \(TableFormat.allCases.map(\.rawValue).joined(separator: ", ")).")
            }
            printer.format = format
            if argument == nil { printResult(format.rawValue) }
        case ".timeout":
            if argument == "none" { return printer.timeout = nil }
            if let argument { return printer.timeout = try Nanoseconds(parsing: argument) }
            printResult(printer.timeout.map { Units.duration($0.ns) } ?? "none")
        default:
            throw ValidationError(
                "There is no command \(words[0]); see .help." + Suggestion.sentence(for: words[0], among: Self.commands)
            )
        }
    }

    /// `$XDG_STATE_HOME/dirtyrec/history`.
    private static var historyPath: String? {
        let environment = ProcessInfo.processInfo.environment
        let state = environment["XDG_STATE_HOME"] ?? environment["HOME"].map { $0 + "/.local/state" }
        guard let folder = state.map({ $0 + "/dirtyrec" }) else { return nil }
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return folder + "/history"
    }
}

/// Whether a query runs, for the thread that receives signals.
private final class Flag: Sendable {
    let value = Atomic(false)
}
