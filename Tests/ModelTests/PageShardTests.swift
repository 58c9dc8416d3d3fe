import TestSupport
import Testing

@testable import Model

@Suite struct PageShardTests {
    @Test(arguments: [6, 20, 51] as [UInt64]) func `a page's place in its shard leads back to it`(bits: UInt64) {
        var random = Seeded(bits)
        for _ in 0..<10_000 {
            let gfn = random.next() >> (64 - bits)
            #expect(PageShard.gfn(PageShard.local(gfn), in: PageShard.number(of: gfn)) == gfn)
        }
    }

    @Test(arguments: [0, 6, 9, 12, 18, 30] as [UInt64]) func `guests that stride use most shards`(shift: UInt64) {
        let used = Set((0..<4096 as Range<UInt64>).map { PageShard.number(of: $0 << shift) })
        #expect(used.count >= PageShard.count / 2)
    }

    @Test func `pages that are neighbours stay so within their shard`() {
        for gfn in (0..<1 << 16 as Range<UInt64>) where gfn & 63 < 63 {
            #expect(PageShard.number(of: gfn) == PageShard.number(of: gfn + 1))
            #expect(PageShard.local(gfn) + 1 == PageShard.local(gfn + 1))
        }
    }
}
