import Model
import TestSupport
import Testing

@Suite struct SegmentTests {
    private func decode(_ segment: [UInt8], count: Int, sinceNs: Int64 = 0) throws -> (gfns: [GFN], times: [Int64]) {
        var gfns: [GFN] = [99]
        var times: [Int64] = [99]
        try Segment.decode(segment.span, count: count, sinceNs: sinceNs, into: &gfns, times: &times)
        return (gfns, times)
    }

    private func roundTrip(_ gfns: [GFN], times: [Int64]? = nil, sinceNs: Int64 = 0) throws {
        var segment: [UInt8] = []
        Segment.encode(gfns, times: times, sinceNs: sinceNs, into: &segment)
        let decoded = try decode(segment, count: gfns.count, sinceNs: sinceNs)
        #expect(decoded.gfns == gfns)
        #expect(decoded.times == times ?? [])
    }

    @Test func `edge cases come back`() throws {
        try roundTrip([])
        try roundTrip([0])
        try roundTrip([largestGFN])
        try roundTrip([0, largestGFN, 0, largestGFN])
        try roundTrip((0..<1000).reversed())
        try roundTrip([7, 7, 7])
        try roundTrip([5, 6], times: [Int64.min, Int64.max], sinceNs: -1)
        try roundTrip([], times: [])
        try roundTrip((0..<1 << 20).map { GFN($0) * 3 })
    }

    @Test(arguments: 0..<50) func `random entries come back`(seed: UInt64) throws {
        var random = Seeded(seed)
        let count = Int.random(in: 0..<3000, using: &random)
        let bits = UInt64.random(in: 1...51, using: &random)
        let gfns = (0..<count).map { _ in GFN.random(in: 0..<1 << bits, using: &random) }
        let times = (0..<count).map { _ in Int64.random(in: 0...1 << 60, using: &random) }
        try roundTrip(gfns)
        try roundTrip(gfns, times: times, sinceNs: 1 << 59)
    }

    @Test func `sizes are as promised`() {
        var random = Seeded(1)
        var uniform: [UInt8] = []
        Segment.encode((0..<100_000).map { _ in GFN.random(in: 0..<1 << 20, using: &random) }, into: &uniform)
        #expect(uniform.count <= 320_000)
        var sequential: [UInt8] = []
        Segment.encode(Array(0..<100_000), into: &sequential)
        #expect(sequential.count <= 120_000)
    }

    @Test func `one segment is appended behind another`() throws {
        var bytes: [UInt8] = []
        Segment.encode([1, 2], into: &bytes)
        let first = bytes
        Segment.encode([300], into: &bytes)
        #expect(try decode(Array(bytes[first.count...]), count: 1).gfns == [300])
        #expect(Array(bytes[..<first.count]) == first)
    }

    @Test(
        arguments: [
            ([], 0, .truncated), ([1], 0, .truncated), ([2, 0], 0, .unknownVersion(2)), ([1, 2], 0, .unknownFlags(2)),
            ([1, 0], 1, .truncated), ([1, 0, 0x80], 1, .truncated), ([1, 0, 0, 0x80], 2, .truncated),
            ([1, 0] + Array(repeating: 0x80, count: 10) + [0], 1, .truncated), ([1, 0, 0, 0], 1, .trailingBytes(1)),
            ([1, 0, 1], 1, .gfnOutOfRange),  // zigzag 1 is -1
            ([1, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10], 1, .gfnOutOfRange),  // 2^52
            ([1, 0], -1, .tooManyEntries(-1)), ([1, 0], 1 << 20 + 1, .tooManyEntries(1 << 20 + 1)),
            ([1, 0], .max, .tooManyEntries(.max)), ([1, 1, 0], 1, .truncated), ([1, 1, 0, 0x80], 1, .truncated),
        ] as [([UInt8], Int, Segment.DecodingError)])
    func `hostile segments are refused`(bytes: [UInt8], count: Int, error: Segment.DecodingError) {
        #expect(throws: error) { try decode(bytes, count: count) }
    }

    @Test func `random bytes never crash`() {
        var random = Seeded(3)
        var refused = 0
        for _ in 0..<20_000 {
            let length = Int.random(in: 0..<40, using: &random)
            var bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            if length > 1 { (bytes[0], bytes[1]) = (1, bytes[1] & 1) }
            do { _ = try decode(bytes, count: Int.random(in: 0..<40, using: &random)) } catch { refused += 1 }
        }
        #expect(refused > 10_000)
    }
}
