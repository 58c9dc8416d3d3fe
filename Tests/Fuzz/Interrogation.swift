import Analysis
import Foundation
import Model
import Report
import Store

/// Asks everything of one file after the other.
struct Interrogation {
    /// The file in question.
    let path: String
    private let folder: String
    private var asked = 0
    private(set) var answers = 0
    private(set) var refusals = 0
    private(set) var slowest = Duration.zero
    private(set) var slowestCase = ""

    /// Seconds of CPU time that a question may take.
    private let limit: Int

    init(folder: String, limit: Int) {
        (self.folder, self.limit) = (folder, limit)
        path = folder + "/case.db"
    }

    /// Tables that are made from the rest of a recording.
    private static let derived: Set = ["dirty_entry", "entry_time", "iteration_summary", "page_summary", "vcpu"]

    /// Asks everything of the file at ``path``; `name` says what was done to it.
    mutating func ask(_ name: String) throws {
        let path = path
        // What is being asked, for whoever finds the process dead.
        try Data(name.utf8).write(to: URL(fileURLWithPath: folder + "/case.txt"))
        let before = try Files.read(path)
        time(name + ": report") {
            let analysis = try Analyzer.analyze(RecordingFile(path: path))
            _ = JSONReport.render(analysis).text(indented: true) + TextReport.render(analysis)
        }
        time(name + ": verify") { _ = try Verifier.verify(path: path) }
        time(name + ": sql") {
            try QuerySession(path: path).run(
                "SELECT count(*) FROM dirty", timeout: .seconds(10), columns: { _ in }, row: { _ in })
        }
        // Each kind in turn.
        let extend = ConvergenceOptions.Extension.allCases[asked % ConvergenceOptions.Extension.allCases.count]
        time(name + ": converge, beyond the end \(extend)") {
            var options = ConvergenceOptions()
            options.extend = extend
            let report = try Convergence.grid(RecordingFile(path: path), options: options)
            _ = JSONConvergence.render(report).text(indented: true) + TextConvergence.render(report)
        }
        time(name + ": page") {
            let file = try RecordingFile(path: path)
            var options = AnalysisOptions()
            options.convergence = HTMLReport.convergenceOptions
            let session = try QuerySession(path: path)
            let page = try HTMLReport(file, options: options, fileName: path, vega: nil)
            _ = try page.render { sql in
                var rows: [[SQLValue]] = []
                try session.run(sql, timeout: .seconds(10)) { _ in
                } row: {
                    rows.append($0)
                }
                return rows
            }
        }
        time(name + ": top") {
            var counter = IterationCounter(vcpuCount: 0)
            var stretch = RecentStretch(lengthNs: 60_000_000_000)
            let look = try RecordingTail(path: path).look {
                try counter.add($0)
                stretch.add($0)
            }
            counter.add(look.losses)
            let view = try LiveView(
                info: look.info, state: .cutOff, totals: counter.totals(),
                recent: RecentAnalysis(stretch, look.info, slots: look.slots), bandwidth: 1_250_000_000,
                downtimeNs: 300_000_000)
            _ = LiveScreen(width: 80, height: 24).lines(view).count + view.line.count + view.json.text().count
        }
        time(name + ": diff") {
            let analysis = try Analyzer.analyze(RecordingFile(path: path))
            _ = DiffReport.text(Comparison(before: [analysis], after: [analysis]), gates: [])
        }
        time(name + ": perfetto") { try ChromeTrace.render(RecordingFile(path: path)) { _ in } }
        time(name + ": content") { _ = try RecordingContent(RecordingFile(path: path)) }
        asked += 1
        guard try Files.read(path) == before else {
            print("\(name): a reader changed the file.")
            exit(1)
        }
        try write(name)
    }

    /// Lets those change a copy that may, and holds them to what they say: a file that they call complete is in order.
    private mutating func write(_ name: String) throws {
        let copy = folder + "/written.db"
        let bytes = try Files.read(path).reduce(0) { $0 + $1.count }
        for (name, write) in [
            (name + ": recover", { _ = try Recovery.recover(path: copy) }),
            (name + ": rows", { try Recovery.expandRows(path: copy, indexed: true, rebuild: true) }),
        ] as [(String, () throws -> Void)] {
            try Files.copy(path, copy)
            var isWritten = false
            time(name) {
                try write()
                isWritten = true
            }
            guard try Files.read(copy).reduce(0, { $0 + $1.count }) < 20 * bytes + (64 << 20) else {
                print("\(name): the file has grown beyond measure.")
                exit(1)
            }
            guard isWritten else { continue }
            time(name + ", verify") {
                let found = try Verifier.verify(path: copy).filter { Self.derived.contains($0.table) }
                guard found.isEmpty else {
                    print("\(name): the file was called complete, and is not: \(found[0])")
                    exit(1)
                }
            }
        }
        try Files.remove(copy)
    }

    /// Ends the process after so much more time on a CPU: nobody handles the signal, and the script sees it. 0: never.
    private static func setTimer(_ seconds: Int) {
        var timer = itimerval()
        timer.it_value.tv_sec = seconds
        unsafe setitimer(__itimer_which_t(ITIMER_PROF.rawValue), &timer, nil)
    }

    /// Asks one question in the time that it may take.
    mutating func time(_ name: String, _ question: () throws -> Void) {
        Self.setTimer(limit)
        let taken = ContinuousClock().measure {
            do {
                try question()
                answers += 1
            } catch { refusals += 1 }
        }
        Self.setTimer(0)
        if taken > slowest { (slowest, slowestCase) = (taken, name) }
    }
}
