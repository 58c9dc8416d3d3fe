import TestSupport
import Testing

@testable import Analysis

@Suite struct PageOrderTests {
    /// Words that fill slowly or at once, so that leaves of every size grow into the next.
    @Test func `every page keeps its value, however its word grows, also in an array that follows late`() {
        var random = Seeded(11)
        var order = PageOrder()
        var (counts, late): ([UInt32], [UInt32]) = ([], [])
        var waiting: [(place: Int, word: UInt64)] = []
        var expected: [Int: UInt32] = [:]
        var sums = [0]
        func follow() {
            order.follow(&late)
            for (place, word) in waiting { order.update(&late, of: word, at: place, &sums) { count, _ in count += 1 } }
            waiting = []
            order.forgetMoves()
        }
        for round in 0..<4000 {
            let place = Int.random(in: 0..<400, using: &random)
            // Words with a high number are dense.
            let word = (0...place / 10).reduce(UInt64(0)) { sum, _ in
                sum | 1 << UInt64.random(in: 0..<64, using: &random)
            }
            let done = order.moves.count
            order.meet(word, at: place)
            order.follow(&counts, after: done)
            order.update(&counts, of: word, at: place, &sums) { count, sums in
                count += 1
                sums[0] += 1
            }
            waiting.append((place, word))
            for bit in 0..<64 where word >> UInt64(bit) & 1 != 0 { expected[place * 64 + bit, default: 0] += 1 }
            if round % 97 == 0 { follow() }
        }
        follow()
        #expect(sums == [expected.values.reduce(0) { $0 + Int($1) }])
        for (page, count) in expected {
            for array in [counts, late] {
                var array = array
                order.update(&array, of: 1 << UInt64(page % 64), at: page / 64, &sums) { found, _ in
                    #expect(found == count, "page \(page)")
                }
            }
        }
    }
}
