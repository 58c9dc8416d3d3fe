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
        asked += 1
        guard try Files.read(path) == before else {
            print("\(name): a reader changed the file.")
            exit(1)
        }
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
