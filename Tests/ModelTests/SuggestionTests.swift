import Model
import Testing

@Suite struct `A suggestion` {
    private static let known = ["sequential", "stride", "zipf", "report", "record", "dirty", "wws.p95"]

    @Test(arguments: [
        ("zpif", "zipf"), ("reprot", "report"), ("recrod", "record"), ("Zipf", "zipf"), ("wws.p59", "wws.p95"),
        ("sequental", "sequential"), ("dirtyy", "dirty"),
    ])
    func `is the word with the fewest slips`(typed: String, meant: String) {
        #expect(Suggestion.nearest(to: typed, among: Self.known) == meant)
    }

    @Test(arguments: ["", "xyzzy", "q", String(repeating: "x", count: 100_000)])
    func `is not made for what resembles nothing`(typed: String) {
        #expect(Suggestion.sentence(for: typed, among: Self.known) == "")
    }
}
