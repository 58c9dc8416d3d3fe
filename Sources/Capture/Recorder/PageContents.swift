import Content
import Guests
import KVM
import Model
import Platform

/// Looks at what sampled pages hold once they were harvested, if the plan asks for it.
///
/// Always after re-protection: what is written later makes another entry, so no change is missed. While vCPUs run, a write between harvest
/// and look is seen twice, the second time as a silent one.
struct PageContents {
    private let sample: ContentSample?
    /// Sampled pages that were harvested and not looked at, by the guest's own layout: there a page keeps its content when its slot
    /// moves.
    private var due: [GFN: GFN] = [:]
    /// Harvests of the batch in progress that are in `due`.
    private var observed = 0

    /// Remembers what the sampled pages hold before the vCPUs run.
    init(plan: RecordPlan, map: MemoryMap) {
        sample = plan.content.map { ContentSample($0, startsAtZero: true) }
        guard let sample else { return }
        for slot in map.logged {
            for page in 0..<slot.pages where sample.contains(slot.layoutGFN + page) {
                let offset = slot.offset + Int(page) * pageBytes
                if !slot.memory.isZeroPage(at: offset) {
                    sample.remember(slot.layoutGFN + page, slot.memory.words(at: offset))
                }
            }
        }
    }

    /// Notes what was harvested since the last call; call it before the map changes, and for every iteration.
    mutating func observe(_ batch: IterationBatch, _ map: MemoryMap) {
        guard let sample else { return }
        for (_, gfns) in batch.harvests.dropFirst(observed) {
            for gfn in gfns {
                let layout = map.layoutGFN(gfn)
                if sample.contains(layout) { due[layout] = gfn }
            }
        }
        observed = batch.harvests.count
    }

    /// From here on the batch has no harvests again.
    mutating func batchHandedOver() { observed = 0 }

    /// Adds what the noted pages hold now.
    mutating func look(_ batch: inout IterationBatch, _ map: MemoryMap) {
        guard let sample, !due.isEmpty else { return }
        for (layout, gfn) in due.sorted(by: { $0.key < $1.key }) {
            guard let slot = map.slots.first(where: { $0.contains(gfn * UInt64(pageBytes)) }) else { continue }
            let words = slot.memory.words(at: slot.offset + Int(gfn - slot.baseGFN) * pageBytes)
            batch.contents.append(
                PageContent(iteration: batch.iteration.id, gfn: gfn, digest: sample.look(at: layout, words)))
        }
        due.removeAll(keepingCapacity: true)
    }
}
