import Foundation

/// Measures ours and a yardstick alternately in one run, so that a busy machine hurts both, and keeps the best of each:
/// noise only ever adds time.
struct Pair {
    let name: String
    let yardstick: String
    /// Entries in one run.
    let entries: Int
    /// Least ratio of speeds, ours to the yardstick's.
    let target: Double
    private(set) var ours = Double.infinity
    private(set) var theirs = Double.infinity

    init(_ name: String, against yardstick: String, entries: Int, target: Double) {
        (self.name, self.yardstick, self.entries, self.target) = (name, yardstick, entries, target)
    }

    mutating func measure(_ rounds: Int, ours: () throws -> Void, theirs: () throws -> Void) rethrows {
        for _ in 0..<rounds {
            self.theirs = min(self.theirs, try Self.seconds(theirs))
            self.ours = min(self.ours, try Self.seconds(ours))
        }
    }

    private static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let clock = ContinuousClock()
        let time = try clock.measure(body)
        return Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
    }

    private func rate(_ seconds: Double) -> String { String(format: "%.1f M/s", Double(entries) / seconds / 1e6) }

    /// A row of a Markdown table.
    var row: String {
        let ratio = theirs / ours
        return "| \(name) | \(rate(ours)) | \(yardstick) | \(rate(theirs)) | \(String(format: "%.2f", ratio)) | "
            + "\(String(format: "%.2f", target)) | \(ratio >= target ? "yes" : "**no**") |"
    }
}
