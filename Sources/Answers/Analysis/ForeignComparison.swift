import Model

/// Another tool's dirty rate, and what the recording says of the same window and vCPU (question D3).
package struct ForeignComparison: Sendable, Equatable {
    /// What the tool said.
    package var rate: ForeignRate
    /// Our entries in the window, by their exact times; where there are none, by the end of their harvest.
    package var entries: Int64
    /// Different pages among them.
    package var pages: Int64

    /// Length of the window in nanoseconds.
    package var durationNs: Int64 { max(1, rate.tsNs - rate.sinceNs) }

    /// `count` in the window, as bytes a second.
    package func bytesPerSecond(_ count: Int64, pageSize: Int64) -> Double {
        Double(count) * Double(pageSize) * 1e9 / Double(durationNs)
    }

    /// Whether what we have of what the tool counts, and `tolerance` of it, is what the tool says and cut off to its quantum.
    /// A total of entries is the sum of vCPUs' figures that were each cut off.
    package func agrees(pageSize: Int64, vcpus: Int, tolerance: Double = 0.02) -> Bool {
        let ours = bytesPerSecond(rate.counts == .entries ? entries : pages, pageSize: pageSize)
        let cut = Double(rate.quantum) * Double(rate.vcpu == nil && rate.counts == .entries ? max(vcpus, 1) : 1)
        let theirs = Double(rate.bytesPerSecond)
        return ours >= theirs * (1 - tolerance) && ours <= (theirs + cut) * (1 + tolerance)
    }

    /// Compares the first rates of a recording; most recordings hold none, and are not read again.
    ///
    /// - Returns: the comparisons, and how many rates more the recording has.
    /// - Throws: whatever reading the recording throws.
    static func all(_ recording: some Recording) throws -> (compared: [ForeignComparison], leftOut: Int) {
        let rates = try recording.foreignRates
        var compared: [ForeignComparison] = []
        while compared.count < min(rates.count, mostRates) {
            let some = Array(rates[compared.count..<min(compared.count + ratesAtOnce, rates.count)])
            var counter = WindowCounter(rates: some)
            try recording.replay(into: &counter)
            compared += zip(some, zip(counter.entries, counter.pages)).map {
                ForeignComparison(rate: $0, entries: $1.0, pages: Int64($1.1.count))
            }
        }
        return (compared, rates.count - compared.count)
    }

    /// A guest of 256 vCPUs has 257 rates for each measurement.
    static let mostRates = 512
    /// Each costs a bit a page, so that a few are counted in one pass.
    private static let ratesAtOnce = 64
}

/// Counts what falls into each rate's window.
private struct WindowCounter: RecordingVisitor {
    let rates: [ForeignRate]
    var entries: [Int64]
    /// One numbering for all windows: a page costs each of them a bit.
    var index = PageIndex()
    var pages: [PageSet]

    init(rates: [ForeignRate]) {
        self.rates = rates
        entries = rates.map { _ in 0 }
        pages = rates.map { _ in PageSet() }
    }

    mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws { try visit(harvest, gfns: gfns, times: []) }

    mutating func visit(_ harvest: Harvest, gfns: [GFN], times: [Int64]) throws {
        for (number, rate) in rates.enumerated() where rate.vcpu == nil || rate.vcpu == harvest.vcpu {
            guard harvest.tsNs > rate.sinceNs, harvest.sinceNs < rate.tsNs else { continue }
            for (place, gfn) in gfns.enumerated() {
                let time = times.isEmpty ? harvest.tsNs : times[place]
                guard time > rate.sinceNs, time <= rate.tsNs else { continue }
                entries[number] += 1
                pages[number].insert(index.insert(gfn))
            }
        }
    }

    mutating func visit(_ iteration: Iteration) throws {}
}
