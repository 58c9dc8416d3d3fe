import Model

/// The large pages of a look, and which of them a vCPU has touched.
struct LargePages {
    private static let pages = GFN(SoftDirtyLook.LargePage.pages)
    /// By the group of the guest's pages in which they lie; one that lies across is in two.
    private var groups: [GFN: [SoftDirtyLook.LargePage]] = [:]
    /// Faults of each group.
    private var faults: [GFN: Int] = [:]
    private var touched: Set<UInt64> = []

    /// - Parameter pages: Pages with write faults, each once.
    init(_ all: [SoftDirtyLook.LargePage], _ pages: some Sequence<GFN>) {
        for large in all where !large.gfns.isEmpty {
            for group in large.gfns.lowerBound / Self.pages...(large.gfns.upperBound - 1) / Self.pages {
                groups[group, default: []].append(large)
            }
        }
        guard !groups.isEmpty else { return }
        for gfn in pages {
            guard let large = large(gfn) else { continue }
            faults[gfn / Self.pages, default: 0] += 1
            touched.insert(large.host)
        }
    }

    private func large(_ gfn: GFN) -> SoftDirtyLook.LargePage? {
        groups.isEmpty ? nil : groups[gfn / Self.pages]?.first { $0.gfns.contains(gfn) }
    }

    func contains(_ gfn: GFN) -> Bool { large(gfn) != nil }

    /// Whether KVM may have mapped a page together with others, so that later writes to those made no fault.
    func hidesOthers(of gfn: GFN) -> Bool {
        guard let large = large(gfn), large.isWhole else { return false }
        // Where each page had a fault of its own, nothing is hidden.
        return faults[gfn / Self.pages, default: 0] < SoftDirtyLook.LargePage.pages
    }

    /// A page of each group that was written, but in no part of the host's page by a vCPU.
    var untouched: [GFN] {
        groups.flatMap { group, parts in
            parts.filter { $0.isDirty && !touched.contains($0.host) }.map {
                max($0.gfns.lowerBound, group * Self.pages)
            }.min()
                .map { [$0] } ?? []
        }.sorted()
    }
}
