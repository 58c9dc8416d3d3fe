import Model
import TestSupport
import Testing

@Suite struct DuplicateClassifierTests {
    /// The definition, word by word: looks back over every earlier entry of the iteration.
    private func reference(_ entries: [(page: Int, ring: Int32, provisional: Bool, epoch: UInt16)]) -> DuplicateCounts {
        var counts = DuplicateCounts()
        for (position, entry) in entries.enumerated() {
            counts.entries += 1
            let earlier = entries[..<position].filter { $0.page == entry.page }
            if earlier.isEmpty {
                counts.distinct += 1
            } else if entry.ring == -2 {
                counts.vmm += 1
            } else if let last = earlier.last(where: { $0.ring == entry.ring }) {
                if last.provisional {
                    counts.provisional += 1
                } else if last.epoch != entry.epoch {
                    counts.redirtied += 1
                } else {
                    counts.sameRing += 1
                }
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
        for _ in 1...4 {
            let entries = (0..<60).map { place in
                (
                    page: Int.random(in: 0..<12, using: &random), ring: Int32.random(in: -2...3, using: &random),
                    provisional: Int.random(in: 0..<4, using: &random) == 0, epoch: UInt16(place / 20)
                )
            }
            classifier.beginIteration()
            for entry in entries {
                _ = classifier.classify(
                    page: entry.page, ring: entry.ring, provisional: entry.provisional, epoch: entry.epoch)
            }
            let expected = reference(entries)
            #expect(classifier.counts == expected)
            total += expected
        }
        #expect(total.entries == 240)
        #expect(
            total.entries == total.distinct + total.crossRing + total.redirtied + total.sameRing + total.provisional
                + total.vmm)
        #expect(total.redirtied > 0 && total.sameRing > 0)
    }

    private func epochs(
        _ passes: (cause: HarvestCause, source: Source, vcpu: Int?, iteration: Int64, ns: Int64)...
    ) -> [UInt16] {
        var epochs = ProtectionEpochs()
        return passes.map {
            epochs.epoch(
                of: Harvest(
                    iteration: $0.iteration, source: $0.source, vcpu: $0.vcpu, cause: $0.cause, sinceNs: 0, tsNs: $0.ns,
                    entryCount: 1))
        }
    }

    @Test func `a full ring re-protects what it gave, and ends its epoch`() {
        let ring = Source.dirtyRing
        #expect(
            epochs((.ringFull, ring, 0, 1, 1), (.ringFull, ring, 0, 1, 2), (.periodic, ring, 0, 1, 3)) == [0, 1, 2])
        // Another ring's pages are its own.
        #expect(
            epochs((.ringFull, ring, 0, 1, 1), (.ringFull, ring, 1, 1, 2), (.periodic, ring, 0, 1, 3)) == [0, 0, 1])
        // One long pass is two harvests.
        #expect(
            epochs((.ringFull, ring, 0, 1, 1), (.ringFull, ring, 0, 1, 1), (.periodic, ring, 0, 1, 3)) == [0, 0, 1])
        #expect(epochs((.ringFull, ring, 0, 1, 1), (.periodic, ring, 0, 2, 2)) == [0, 0])
    }

    @Test func `live+final re-protects after its second pass only, and GET at each`() {
        #expect(epochs((.periodic, .dirtyRing, 0, 1, 1), (.paused, .dirtyRing, 0, 1, 2)) == [0, 0])
        #expect(epochs((.periodic, .clearLog, nil, 1, 1), (.paused, .clearLog, nil, 1, 2)) == [0, 0])
        #expect(epochs((.periodic, .dirtyLog, nil, 1, 1), (.paused, .dirtyLog, nil, 1, 2)) == [0, 1])
        #expect(epochs((.periodic, .tracefs, 0, 1, 1), (.periodic, .tracefs, 0, 1, 2)) == [0, 1])
    }
}
