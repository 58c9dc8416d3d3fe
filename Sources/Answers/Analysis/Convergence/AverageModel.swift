/// What the average-rate model says of one cell (question C4; Liu et al. 2011): λ = dirty rate / bandwidth, round i sends
/// V · λⁱ, and λ ≥ 1 diverges. It knows rates only, so it is wrong where the same pages are dirtied again and again.
package struct LambdaModel: Sendable, Equatable {
    /// Unique dirty bytes per second over bandwidth.
    package var lambda: Double
    package var converges: Bool
    /// Rounds before the pause; nil when it diverges.
    package var rounds: Int?
    /// Total time in nanoseconds; nil when it diverges.
    package var totalNs: Int64?

    init(memoryBytes: Double, dirtyBytesPerSecond: Double, bandwidth: Int64, downtimeNs: Int64) {
        let rate = Double(bandwidth)
        let limit = rate * Double(downtimeNs) / 1e9
        lambda = dirtyBytesPerSecond / rate
        converges = memoryBytes < limit || lambda < 1
        guard converges else { return }
        var left = memoryBytes
        var total = 0.0
        var count = 0
        // λ close to 1 and a limit of nothing would never end.
        while left >= limit, left >= 1, count < 100_000 {
            total += left / rate
            left *= lambda
            count += 1
        }
        rounds = count
        totalNs = Int64(min((total + left / rate) * 1e9, 9e18))
    }
}

/// What the average footprint says of a bandwidth (question C2): round k of w iterations leaves fp(w) pages.
struct AverageConvergence {
    let footprint: Footprint
    let iterations: Int
    let iterationNs: Double
    let pageSize: Int64

    /// Least bandwidth in bytes per second that converges on average to a downtime: fp(d) · P / d, `low..high` where d
    /// lies between iterations. Nil when the recording takes no time or is shorter than d.
    func leastBandwidth(downtimeNs: Int64) -> (low: Int64, high: Int64)? {
        let window = Double(downtimeNs) / iterationNs
        guard iterationNs > 0, downtimeNs > 0, window <= Double(iterations) else { return nil }
        let pages = footprint.bracket(window)
        let scale = Double(pageSize) * 1e9 / Double(downtimeNs)
        // Of nanoseconds of downtime it may be more than 2^63.
        return (Int64(min(pages.low * scale, 9e18)), Int64(min((pages.high * scale).rounded(.up), 9e18)))
    }

    /// Least reachable downtime d*, the fixed point of d = fp(d) · P / B. It lies between the shortest window of whole
    /// iterations that is sent in its own time and the window before, so sending either of them brackets it. Nil when there
    /// is none in the recording.
    func leastDowntimeNs(bandwidth: Int64) -> Bracket? {
        guard iterationNs > 0 else { return nil }
        var shorter = 0.0
        for window in stride(from: 1, through: iterations, by: 1) {
            let time = footprint.point(window).pages * Double(pageSize) / Double(bandwidth) * 1e9
            if time <= Double(window) * iterationNs {
                return Bracket(low: Int64(shorter), high: Int64(time.rounded(.up)))
            }
            shorter = time
        }
        return nil
    }
}
