import Analysis
import ArgumentParser
import Report
import Store

struct Diff: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put two recordings side by side, figure by figure; as a gate, fail when one grew too much.",
        discussion: """
            Further recordings of the same kind give a noise band: a change within it passes. Exit status 1 when a gate \
            fails.

            Examples:
              dirtyrec diff before.db after.db --changed
              dirtyrec diff before.db after.db --before again.db --fail-if 'wws.p95>+10%' --format junit
              dirtyrec diff before.db after.db --html diff.html --open
            """)

    @Argument(help: "The recording to compare with.", completion: .recording)
    var old: String

    @Argument(help: "The recording to judge.", completion: .recording)
    var new: String

    @Option(
        help: ArgumentHelp("A further recording like the first; may be repeated.", valueName: "file"),
        completion: .recording)
    var before: [String] = []

    @Option(
        help: ArgumentHelp("A further recording like the second; may be repeated.", valueName: "file"),
        completion: .recording)
    var after: [String] = []

    @Option(
        help: ArgumentHelp("Fail when this holds, such as 'wws.p95>+10%'; may be repeated.", valueName: "condition"),
        completion: .gate)
    var failIf: [String] = []

    @Option(help: "text, json or junit.")
    var format = Format.text

    @Flag(help: "Leave out figures that are the same on both sides; not with junit, which has gates only.")
    var changed = false

    @Option(
        help: ArgumentHelp("Also write one self-contained HTML page to this file.", valueName: "page"),
        completion: .page)
    var html: String?

    @Flag(help: "Show the page in the browser; with --html.")
    var open = false

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json, junit }

    func validate() throws {
        guard html != nil || !open else { throw ValidationError("--open shows a page: give --html FILE as well.") }
        guard html != "-" else { throw ValidationError("The text goes to standard output: give --html a file.") }
        guard format != .junit || !changed else {
            throw ValidationError("--changed belongs to text and json: junit has gates only.")
        }
    }

    func run() throws {
        let gates = try failIf.map(Gate.init)
        func analyses(_ paths: [String]) throws -> [RecordingAnalysis] {
            try paths.map { try Analyzer.analyze(RecordingFile(path: $0)) }
        }
        let (old, new) = try (analyses([old] + before), analyses([new] + after))
        let comparison = Comparison(before: old, after: new)
        let judged = try gates.map { try DiffReport.Judged($0, in: comparison) }
        let shown = changed ? comparison.changed : comparison
        switch format {
        case .text: printResult(DiffReport.text(shown, gates: judged))
        case .json: printResult(DiffReport.json(shown, gates: judged).text(indented: true))
        case .junit: printResult(DiffReport.junit(comparison, gates: judged))
        }
        if let html {
            let page = try DiffPage(
                comparison, gates: judged, before: Self.side(self.old), after: Self.side(self.new),
                repetitions: before.count + after.count)
            try Page.write(page.render(), to: html, open: open)
        }
        if judged.contains(where: { !$0.passes }) { throw Failure.answerIsNo }
    }

    private static func side(_ path: String) throws -> HTMLReport {
        try HTMLReport(RecordingFile(path: path), options: AnalysisOptions(), fileName: path, vega: nil)
    }
}
