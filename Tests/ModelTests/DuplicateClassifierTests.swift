import Model
import Seeded
import Testing

@Suite struct DuplicateClassifierTests {
    /// The definition, word by word: looks back over every earlier entry of the iteration.
    private func reference(_ entries: [(page: Int, ring: Int32, provisional: Bool)]) -> DuplicateCounts {
        var counts = DuplicateCounts()
        for (position, entry) in entries.enumerated() {
            counts.entries += 1
            let earlier = entries[..<position].filter { $0.page == entry.page }
            if earlier.isEmpty {
                counts.distinct += 1
            } else if entry.ring == -2 {
                counts.vmm += 1
            } else if let last = earlier.last(where: { $0.ring == entry.ring }) {
                if last.provisional { counts.provisional += 1 } else { counts.sameRing += 1 }
            } else {
                counts.crossRing += 1
            }
        }
        return counts
    }

    @Test(arguments: 0..<100) func `agrees with the definition`(seed: UInt64) {
        var random = Seeded(seed)
        var classifier = DuplicateClassifier()
        var total = DuplicateCounts()
        for iteration in 1...4 {
            let entries = (0..<60).map { _ in
                (
                    page: Int.random(in: 0..<12, using: &random), ring: Int32.random(in: -2...3, using: &random),
                    provisional: Int.random(in: 0..<4, using: &random) == 0
                )
            }
            classifier.begin(iteration: Int64(iteration))
            for entry in entries {
                _ = classifier.classify(page: entry.page, ring: entry.ring, provisional: entry.provisional)
            }
            let expected = reference(entries)
            #expect(classifier.counts == expected)
            total += expected
        }
        #expect(total.entries == 240)
        #expect(
            total.entries == total.distinct + total.crossRing + total.sameRing + total.provisional + total.vmm)
    }
}
