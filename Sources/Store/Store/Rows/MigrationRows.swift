import Foundation
import Model

extension MigrationObservation: StoredRecord {
    static let table = "migration"

    init() { self.init(tool: .qemu, line: 1) }

    /// Figures that rise from row to row, so that they are not summed up; none is negative, and none exceeds 2^60.
    private static let sound: ClosedRange<Int64> = 0...1 << 60

    mutating func code<Row: RowCoder>(_ row: inout Row) throws(Row.Failure) {
        try row.integer("attempt", &attempt, in: 1...1 << 60)
        try row.word("tool", &tool)
        try row.integer("line", &line, in: 1...1 << 60)
        try row.time("ts_ns", &tsNs)
        try row.time("elapsed_ns", &elapsedNs)
        try row.text("state", &state)
        try row.integer("pass", &pass, in: Self.sound)
        try row.integer("transferred_bytes", &transferredBytes, in: Self.sound)
        try row.integer("remaining_bytes", &remainingBytes, in: Self.sound)
        try row.integer("total_bytes", &totalBytes, in: Self.sound)
        try row.integer("pass_bytes", &passBytes, in: Self.sound)
        try row.time("pass_ns", &passNs)
        try row.integer("zero_pages", &zeroPages, in: Self.sound)
        try row.integer("normal_pages", &normalPages, in: Self.sound)
        try row.integer("page_bytes", &pageBytes, in: Self.sound)
        try row.integer("bytes_per_second", &bytesPerSecond, in: Self.sound)
        try row.integer("dirty_bytes_per_second", &dirtyBytesPerSecond, in: Self.sound)
        try row.integer("throttle_percent", &throttlePercent, in: 0...100)
        try row.time("setup_ns", &setupNs)
        try row.time("expected_downtime_ns", &expectedDowntimeNs)
        try row.time("downtime_ns", &downtimeNs)
        try row.time("downtime_limit_ns", &downtimeLimitNs)
        try row.integer("bandwidth_limit", &bandwidthLimit, in: Self.sound)
        try row.text("other", &other)
    }

    var contradiction: String? {
        if let state, state.utf8.count > Self.longestState { return "state is longer than \(Self.longestState) bytes" }
        guard let other else { return nil }
        guard other.utf8.count <= Self.longestOther else { return "other is longer than \(Self.longestOther) bytes" }
        let object = try? JSONSerialization.jsonObject(with: Data(other.utf8))
        return object is [String: Any] ? nil : "other is no JSON object"
    }
}
