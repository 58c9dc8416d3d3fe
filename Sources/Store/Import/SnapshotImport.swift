import Foundation
import Model

/// Makes a recording of what snapshots leave: each file is the pages of one iteration, or a full image that is compared with the
/// one before.
package final class SnapshotImport: ImportSource {
    /// What the files are.
    package enum Kind: Sendable {
        /// Diffs: what is no hole was dirty.
        case sparse
        /// Full images: what differs from the one before was written; the first is the base.
        case images
        /// Bitmaps as `KVM_GET_DIRTY_LOG` gives them: bit n of the file, the lowest of each byte first, is page n.
        case bitmaps
    }

    package private(set) var info = RecordingInfo()
    package let slots: [MemorySlot]
    package private(set) var endNs: Int64 = 0
    package let endReason = EndReason.iterations

    private let kind: Kind
    private let intervalNs: Int64
    private var paths: [String]
    private var before: MemoryImage?
    private var iteration: Int64 = 0

    /// Opens every file once, to learn how large the guest is.
    ///
    /// - Parameters:
    ///   - paths: In the order in which they were taken.
    ///   - intervalNs: Time between two.
    ///   - pageSize: A power of two, at least 4096.
    /// - Throws: ``ImportError``.
    package init(_ paths: [String], as kind: Kind, intervalNs: Int64, pageSize: Int64) throws(ImportError) {
        self.kind = kind
        self.intervalNs = intervalNs
        self.paths = paths
        let most = Int64(largestGFN)
        var pages: Int64 = 0
        for path in paths {
            let size = try MemoryImage(path).size
            let held =
                kind == .bitmaps
                ? size.multipliedReportingOverflow(by: 8).partialValue : (size + pageSize - 1) / pageSize
            guard held >= 0, held <= most / pageSize * 4096, size <= most else {
                throw ImportError(path, "is larger than any guest's memory.")
            }
            pages = max(pages, held)
        }
        guard Int64(paths.count).multipliedReportingOverflow(by: intervalNs).overflow == false,
            Int64(paths.count) * intervalNs <= ImportLimits.largestTime
        else {
            throw ImportError(paths[0], "so many files so far apart end beyond any clock; give a shorter --interval.")
        }
        slots = pages == 0 ? [] : [MemorySlot(slot: 0, baseGFN: 0, pages: UInt64(pages), logged: true, name: "ram")]
        info.guestKind = "imported"
        info.source = .imported
        info.mode = .paused
        info.vcpuCount = 1
        info.pageSize = pageSize
        info.intervalNs = intervalNs
        // A bitmap is as long as its last word, not as its slot.
        info.memoryBytes = kind == .bitmaps ? 0 : pages * pageSize
        if kind == .images, let first = paths.first {
            before = try MemoryImage(first)
            self.paths.removeFirst()
        }
    }

    package func next() throws -> IterationBatch? {
        guard !paths.isEmpty else { return nil }
        let file = try MemoryImage(paths.removeFirst())
        iteration += 1
        let (since, end) = (endNs, endNs + intervalNs)
        var batch = IterationBatch(iteration: Iteration(id: iteration, startNs: since, endNs: end))
        var entries = 0
        var gfns: [GFN] = []
        func endHarvest() {
            guard !gfns.isEmpty else { return }
            batch.harvests.append(
                (
                    Harvest(
                        iteration: iteration, source: .imported, vcpu: nil, cause: .paused, sinceNs: since, tsNs: end,
                        entryCount: gfns.count), gfns
                ))
            gfns.removeAll(keepingCapacity: true)
        }
        func add(_ gfn: GFN) throws {
            entries += 1
            guard entries <= ImportLimits.entriesPerIteration else {
                throw ImportError(file.path, "has more than \(ImportLimits.entriesPerIteration) pages.")
            }
            gfns.append(gfn)
            if gfns.count == Segment.maxEntries { endHarvest() }
        }
        switch kind {
        case .sparse: for extent in try file.extents(pageSize: info.pageSize) { for gfn in extent { try add(gfn) } }
        case .images:
            if let before { try file.differences(from: before, pageSize: info.pageSize, add) }
            before = file
        case .bitmaps: try bits(of: file, add)
        }
        endHarvest()
        endNs = end
        return batch
    }

    private func bits(of file: MemoryImage, _ body: (GFN) throws -> Void) throws {
        var bytes: [UInt8] = []
        for offset in stride(from: 0, to: file.size, by: MemoryImage.chunk) {
            let count = min(MemoryImage.chunk, Int(file.size - offset))
            try file.read(count, at: offset, into: &bytes)
            for (place, byte) in bytes.enumerated() where byte != 0 {
                for bit in 0..<8 where byte >> bit & 1 == 1 {
                    try body(GFN(offset) * 8 + GFN(place) * 8 + GFN(bit))
                }
            }
        }
    }
}
