import Content
import Glibc
import Model
import Platform

/// Looks at what sampled pages of an attached guest hold, once the VMM has harvested them.
///
/// The guest runs on: what it wrote between harvest and look is seen twice, the second time as no change. A page is known by its place
/// in the VMM, where it keeps its content when its slot moves.
struct VMMContents: ~Copyable {
    /// What became of the sampled pages, each counted once an iteration.
    struct Tally: Equatable {
        /// Looked at before the VMM had protected them again: what the guest wrote from the look until then has no entry.
        var early: Int64 = 0
        /// Not looked at: where they lay is not known or no slot's memory any more, or the VMM gave them back.
        var unseen: Int64 = 0
    }

    private let sample: ContentSample
    private let memory: VMMMemory
    /// Sampled pages of the iteration in progress, and where they lie; nil when nobody knows.
    private var due: [GFN: UInt64?]
    private var words: [UInt64]
    private(set) var tally: Tally

    /// - Throws: ``AttachError`` when the memory of process `pid` cannot be read, or this host has no room for the copies.
    init(_ share: ContentShare, pid: Int32) throws(AttachError) {
        guard let memory = VMMMemory(pid: pid) else {
            throw AttachError(
                "What pages hold cannot be seen: /proc/\(pid)/mem and /proc/\(pid)/pagemap cannot be opened (\(systemError())); run as root, or leave --content away."
            )
        }
        if let resident = HostMemory.resident(pid), let available = HostMemory.available,
            resident / Int(share.oneIn) > available / 2
        {
            throw AttachError(
                "A copy of one page in \(share.oneIn) of the \(Units.size(Int64(resident))) that process \(pid) has takes more than half of the \(Units.size(Int64(available))) that this host has left; ask for a smaller --content."
            )
        }
        // What a page held before the first look is not known.
        sample = ContentSample(share, startsAtZero: false)
        self.memory = memory
        // Not where they are declared: Swift 6.2 trips over an initializer that throws when a part of the value is there.
        (due, words, tally) = ([:], [UInt64](repeating: 0, count: pageBytes / 8), Tally())
    }

    /// Adds to an iteration what its pages hold now; to the last part of one for all parts.
    ///
    /// - Parameter isOpen: Whether the VMM has yet to protect a page again.
    mutating func look(_ batch: inout IterationBatch, _ slots: inout SlotAddresses, isOpen: (GFN) -> Bool) {
        for (number, (harvest, gfns)) in batch.harvests.enumerated() {
            let times = batch.exactTimes[number]
            for (entry, gfn) in gfns.enumerated() where sample.contains(gfn) {
                // A page that was written at two places is looked at where it was last.
                let address = slots.address(of: gfn, at: times?[entry] ?? harvest.tsNs)
                if address != nil || due[gfn] == nil { due.updateValue(address, forKey: gfn) }
            }
        }
        guard !batch.isPart else { return }
        defer { due.removeAll(keepingCapacity: true) }
        if slots.takeGone() { sample.forget { !slots.holds($0) } }
        for (gfn, address) in due.sorted(by: { $0.key < $1.key }) {
            guard let address, slots.holds(address), memory.hasPage(at: address), memory.read(at: address, into: &words)
            else {
                tally.unseen += 1
                continue
            }
            if isOpen(gfn) { tally.early += 1 }
            batch.contents.append(
                PageContent(iteration: batch.iteration.id, gfn: gfn, digest: sample.look(at: address, words)))
        }
    }
}
