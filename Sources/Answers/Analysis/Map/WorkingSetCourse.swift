/// How the writable working set of one window length goes over time (question W1): distinct pages dirtied in the window
/// that ends at each boundary.
package struct WorkingSetCourse: Sendable, Equatable {
    /// The last iteration of a window, and what it holds.
    package struct Point: Sendable, Equatable {
        package var lastIteration: Int64
        /// When it ends, nanoseconds on CLOCK_MONOTONIC.
        package var endNs: Int64
        package var pages: Int64
    }

    package var iterations: Int64
    /// Every window, or evenly spaced ones when there are more than 512.
    package var points: [Point]

    /// One window of this length.
    package struct Window: Sendable, Equatable {
        package var iterations: Int64
        package var point: Point
    }
    /// Every point with the length of its window.
    package var windows: [Window] { points.map { Window(iterations: iterations, point: $0) } }

    private static let maxPoints = 512

    /// Four lengths from one iteration to a good part of the recording.
    static func all(_ table: WindowTable) -> [WorkingSetCourse] {
        let groups = table.groups - (table.lastGroupIsShort ? 1 : 0)
        let fitting = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].filter { $0 == 1 || $0 * 4 <= groups }
        guard groups > 0, let longest = fitting.last else { return [] }
        let wanted = [1, 5, 20, longest].filter { $0 <= longest }
        return Set(wanted).sorted().map { window in
            let count = groups - window + 1
            let step = (count + maxPoints - 1) / maxPoints
            return WorkingSetCourse(
                iterations: Int64(window * table.iterationsPerGroup),
                points: stride(from: window, through: groups, by: step).map { last in
                    Point(
                        lastIteration: Int64(last * table.iterationsPerGroup), endNs: table.boundaries[last],
                        pages: table.pages(after: last - window, through: last))
                })
        }
    }
}
