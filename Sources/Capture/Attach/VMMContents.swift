import Content
import Model
import Platform

/// Looks at what sampled pages of an attached guest hold, once the VMM has harvested them, if that was asked for.
///
/// The guest runs on: what it wrote between harvest and look is seen twice, the second time as no change. Where the VMM clears by
/// itself a page may be re-protected after the look only; what is written until then is seen when it is dirty again. A page is known
/// by its place in the VMM, where it keeps its content when its slot moves.
struct VMMContents {
    private let sample: ContentSample
    private let pid: Int32
    /// Sampled pages of the iteration in progress: their GFNs by their addresses in the VMM.
    private var due: [UInt64: GFN] = [:]
    private var words = [UInt64](repeating: 0, count: pageBytes / 8)
    /// Entries of harvested pages that could not be looked at: where they lie is unknown, or the process is gone.
    private(set) var unseen: Int64 = 0

    init(_ share: ContentShare, pid: Int32) {
        // What a page held before the first look is not known.
        sample = ContentSample(share, startsAtZero: false)
        self.pid = pid
    }

    /// Adds to an iteration what its pages hold now; to the last part of one for all parts.
    mutating func look(_ batch: inout IterationBatch, _ regions: some Collection<VMMMemory.Region>) {
        // Neighbours in a harvest mostly lie in one slot.
        var last: VMMMemory.Region?
        for (_, gfns) in batch.harvests {
            for gfn in gfns {
                if last?.address(of: gfn) == nil { last = regions.first { $0.address(of: gfn) != nil } }
                guard let address = last?.address(of: gfn) else {
                    unseen += 1
                    continue
                }
                if sample.contains(address) { due[address] = gfn }
            }
        }
        guard !batch.isPart, !due.isEmpty else { return }
        defer { due.removeAll(keepingCapacity: true) }
        guard let memory = VMMMemory(pid: pid) else {
            unseen += Int64(due.count)
            return
        }
        for (address, gfn) in due.sorted(by: { $0.value < $1.value }) {
            guard memory.read(at: address, into: &words) else {
                unseen += 1
                continue
            }
            batch.contents.append(
                PageContent(iteration: batch.iteration.id, gfn: gfn, digest: sample.look(at: address, words)))
        }
    }
}
