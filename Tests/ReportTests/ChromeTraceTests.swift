import Foundation
import Model
import Report
import Testing

/// A Chrome trace is JSON whose slices, counters and instants say what the recording says.
@Suite struct ChromeTraceTests {
    @Test func `slices, counters and instants carry the recording`() throws {
        var info = RecordingInfo()
        info.vcpuCount = 2
        info.guest = "zipf \"</script>"
        info.startNs = 1000
        var batch = IterationBatch(iteration: Iteration(id: 1, startNs: 1000, endNs: 2_001_000))
        let full = Harvest(
            iteration: 1, source: .dirtyRing, vcpu: 1, cause: .ringFull, sinceNs: 1000, tsNs: 901_000, entryCount: 3,
            scanNs: 2000, resetNs: 1000, stallNs: 500_000)
        let log = Harvest(
            iteration: 1, source: .vmm, vcpu: nil, cause: .periodic, sinceNs: 1000, tsNs: 2_000_000, entryCount: 1)
        batch.harvests = [(full, [1, 2, 2]), (log, [2])]
        batch.markers = [Marker(tsNs: 501_000, iteration: 1, text: "boot")]
        batch.losses = [Loss(iteration: 1, tsNs: 601_000, kind: .overrun, vcpu: 1, detail: "wrapped")]
        let events = try events(of: MemoryRecording(info: info, batches: [batch]))

        func only(_ name: String) throws -> [String: Any] {
            let found = events.filter { $0["name"] as? String == name }
            #expect(found.count == 1, "\(name)")
            return try #require(found.first)
        }
        let stall = try only("ring full")
        #expect(stall["ts"] as? Double == 401 && stall["dur"] as? Double == 500 && stall["tid"] as? Int == 2)
        #expect(try only("harvest ring_full")["ts"] as? Double == 898)
        #expect(try only("iteration 1")["dur"] as? Double == 2000)
        #expect(try (only("entries/s")["args"] as? [String: Double]) == ["value": 2000])
        #expect(try (only("unique pages/s")["args"] as? [String: Double]) == ["value": 1000])
        #expect(try only("boot")["ph"] as? String == "i")
        #expect(try only("loss: overrun: wrapped")["tid"] as? Int == 2)
    }

    @Test func `an empty recording is a valid trace`() throws {
        #expect(try events(of: MemoryRecording()).allSatisfy { $0["ph"] as? String == "M" })
    }

    private func events(of trace: MemoryRecording) throws -> [[String: Any]] {
        var text = ""
        try ChromeTrace.render(trace) { text += $0 }
        let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        return try #require(object?["traceEvents"] as? [[String: Any]])
    }
}
