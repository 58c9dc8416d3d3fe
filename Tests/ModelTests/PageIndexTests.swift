import Model
import TestSupport
import Testing

@Suite struct PageIndexTests {
    @Test(arguments: 0..<10) func `numbers pages as a dictionary would`(seed: UInt64) {
        var random = Seeded(seed)
        var index = PageIndex()
        var expected: [GFN: Int] = [:]
        let bits = UInt64([4, 8, 16, 30, 51][Int(seed) % 5])
        for _ in 0..<5000 {
            let gfn = GFN.random(in: 0..<1 << bits, using: &random)
            let number = expected[gfn] ?? expected.count
            expected[gfn] = number
            #expect(index.insert(gfn) == number)
        }
        #expect(index.count == expected.count)
        for (gfn, number) in expected {
            #expect(index.find(gfn) == number)
            #expect(index.gfns[number] == gfn)
            #expect(index.find(gfn ^ 1 << 51) == nil)
        }
    }

    @Test func `finds the extremes`() {
        var index = PageIndex()
        #expect(index.find(0) == nil)
        #expect(index.insert(largestGFN) == 0)
        #expect(index.insert(0) == 1)
        #expect(index.find(largestGFN) == 0)
        #expect(index.find(1) == nil)
    }
}
