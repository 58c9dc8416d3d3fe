import Analysis
import Foundation
import Model
import Testing

@testable import Report
@testable import Store

/// What a report says of a recording that did not end as it was meant to.
@Suite struct EndingTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ending-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

    private func writer() throws -> RecordingWriter {
        let path = folder.appendingPathComponent("\(UUID().uuidString).db").path
        let writer = try RecordingWriter(path: path, info: RecordingInfo())
        var batch = IterationBatch(iteration: Iteration(id: 1, startNs: 0, endNs: 1000))
        let harvest = Harvest(
            iteration: 1, source: .imported, vcpu: nil, cause: .periodic, sinceNs: 0, tsNs: 1000, entryCount: 1)
        batch.harvests = [(harvest, [256])]
        try writer.commit(batch)
        return writer
    }

    /// What text and JSON say: complete, ended, cut off, in progress.
    private func said(_ path: String) throws -> [String] {
        let analysis = try Analyzer.analyze(RecordingFile(path: path))
        let json = JSONReport.render(analysis).text(indented: false)
        func value(_ key: String) -> String {
            let rest = json.firstRange(of: "\"\(key)\":").map { json[$0.upperBound...] } ?? ""
            return String(rest.prefix { $0.isLetter })
        }
        return [TextFidelity.completeness(analysis), TextFidelity.ending(analysis)]
            + ["complete", "cut_off", "in_progress"].map(value)
    }

    @Test func `a recording in progress is not one that was cut off`() throws {
        var writer: RecordingWriter? = try writer()
        let path = try #require(writer?.path)
        #expect(
            try said(path) == [
                "no: it is being recorded; this is what is there so far", "not yet: it is being recorded", "false",
                "false", "true",
            ])
        writer = nil
        let cutOff = "no: the recording was cut off; its last iterations may be missing"
        #expect(try said(path) == [cutOff, "cut off", "false", "true", "false"])
        _ = try Recovery.recover(path: path)
        #expect(try said(path) == [cutOff, "cut off", "false", "true", "false"])
    }

    @Test func `a recording that an error ended is not complete`() throws {
        let failed = try writer()
        try failed.finish(reason: .error, endNs: 1000)
        #expect(
            try said(failed.path) == [
                "no: an error ended the recording; what came after it is missing", "error", "false", "false", "false",
            ])
        let clean = try writer()
        try clean.finish(reason: .duration, endNs: 1000)
        #expect(try said(clean.path) == ["yes: no known loss", "duration", "true", "false", "false"])
    }
}
