import Model
import Testing

@testable import Analysis

@Suite struct RecentTests {
    private func stretch(_ recording: MemoryRecording, lengthNs: Int64 = .max / 2) -> RecentStretch {
        recording.batches.reduce(into: RecentStretch(lengthNs: lengthNs)) { $0.add($1) }
    }

    @Test(arguments: 0..<40)
    func `of a recording that fits, the stretch says what the report says`(seed: UInt64) throws {
        let recording = Recordings.random(seed)
        guard !recording.batches.isEmpty else { return }
        let recent = try RecentAnalysis(stretch(recording), recording.info, slots: [])
        var options = AnalysisOptions()
        options.convergence.bandwidths = [1_000_000_000]
        options.convergence.downtimesNs = [50]
        let report = try Analyzer.analyze(recording, options: options)
        #expect(recent.rate == report.rate)
        #expect(recent.course == report.timeline)
        for row in recent.workingSet { #expect(report.workingSet.contains(row.window)) }
        #expect(recent.regions(by: .pages).reduce(0) { $0 + $1.pages } == report.counts.distinctGFNs)
        #expect(recent.regions(by: .rate).reduce(0) { $0 + $1.reports } == report.duplicates.distinct)
        let migration = try #require(try recent.migration(bandwidth: 1_000_000_000, downtimeNs: 50))
        if migration.isRepeated {
            #expect(report.convergence.grid.first?.outcome.verdict == .recordingTooShort)
        } else {
            #expect(migration.cell == report.convergence.grid.first)
            #expect(migration.least == report.convergence.leastBandwidth.first)
        }
    }

    @Test func `the stretch forgets what is older`() throws {
        let recording = Recordings.plain((0..<100).map { [GFN($0), 1000] })
        let recent = try RecentAnalysis(stretch(recording, lengthNs: 10_000_000_000), recording.info, slots: [])
        #expect(recent.iterations == 10 && recent.durationNs == 10_000_000_000)
        #expect(recent.rate.pagesPerSecond == 2 && recent.now.pagesPerSecond == 2)
        #expect(recent.workingSet.map(\.now) == [2, 11])
        #expect(recent.workingSet.map(\.window.iterations) == [1, 10])
        #expect(recent.vcpus == [RecentVCPU(vcpu: 0, entriesPerSecond: 2, stallShare: 0)])
        let whole = recording.batches.suffix(10)
        #expect(try Analyzer.analyze(MemoryRecording(info: recording.info, batches: Array(whole))).rate == recent.rate)
    }

    @Test func `memory of the stretch is bounded, whatever comes`() {
        var stretch = RecentStretch(lengthNs: .max / 2)
        let many = Recordings.plain((0..<5000).map { [GFN($0)] }, iterationNs: 1000)
        for batch in many.batches { stretch.add(batch) }
        #expect(stretch.recording(many.info, slots: []).batches.count == RecentStretch.mostIterations)
        #expect(
            !stretch.isWhole && stretch.startNs == many.batches[5000 - RecentStretch.mostIterations].iteration.startNs)
        var longer = RecentStretch(lengthNs: .max / 2, iterations: 5000)
        for batch in many.batches { longer.add(batch) }
        #expect(longer.isWhole && longer.startNs == many.batches[0].iteration.startNs)
        // An iteration that does not fit: in parts, of which none is kept.
        let half = Recordings.plain([Array(0..<GFN(RecentStretch.mostEntries / 2 + 1))])
        var part = half.batches[0]
        part.isPart = true
        stretch.add(part)
        stretch.add(half.batches[0])
        #expect(stretch.recording(many.info, slots: []).batches.isEmpty)
        // The next ones count again.
        stretch.add(many.batches[0])
        #expect(stretch.recording(many.info, slots: []).batches.count == 1)
    }

    @Test func `what a recording was so far is what a report of its last stretch says`() throws {
        var recording = Recordings.plain((0..<100).map { [GFN($0), 1000] })
        recording.info.endReason = nil
        let markers = [Marker(tsNs: recording.info.startNs, iteration: 1, text: "begins")]
        let losses = [Loss(iteration: 1, tsNs: 1, kind: .overrun, vcpu: 0, entries: 1, detail: "")]
        let info = recording.info
        func soFar(_ stretch: RecentStretch) -> RecordingSoFar {
            RecordingSoFar(stretch, info, slots: [], losses: losses, markers: markers)
        }
        let whole = soFar(stretch(recording))
        #expect(whole.info == recording.info && whole.markers == markers)
        let (all, mine) = try (Analyzer.analyze(recording), Analyzer.analyze(whole))
        #expect(all.workingSet == mine.workingSet && all.timeline == mine.timeline && all.duplicates == mine.duplicates)
        #expect(mine.fidelity.ending == .inProgress && mine.fidelity.lost == 1)
        let last = soFar(stretch(recording, lengthNs: 10_000_000_000))
        #expect(last.markers.isEmpty && last.losses == losses)
        #expect(last.info.startNs == recording.batches[90].iteration.startNs)
        #expect(try Analyzer.analyze(last).counts.iterations == 10)
    }

    @Test func `regions come in the asked order`() throws {
        let recording = Recordings.plain([[0, 1, 2], [512], [512], [512, 513], [512]])
        let recent = try RecentAnalysis(stretch(recording), recording.info, slots: [])
        #expect(recent.regions(by: .rate).map(\.firstGFN) == [512, 0])
        #expect(recent.regions(by: .pages).map(\.firstGFN) == [0, 512])
        #expect(recent.regions(by: .address).map(\.firstGFN) == [0, 512])
        #expect(recent.regions(by: .rate).map(recent.pagesPerSecond) == [1, 0.6])
    }
}
