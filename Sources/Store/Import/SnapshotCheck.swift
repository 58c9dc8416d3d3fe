import Model

/// Whether a diff holds every page that changed since its base.
package struct SnapshotCheck: Sendable, Equatable {
    /// Neighbouring pages with the same finding.
    package typealias Ranges = [Range<GFN>]

    /// Pages that had to be in the diff.
    package private(set) var changed: Int64 = 0
    /// Pages that the diff holds.
    package private(set) var held: Int64 = 0
    /// Pages that had to be in the diff and are not: what a restore would lose. The first ranges.
    package private(set) var missing: Ranges = []
    package private(set) var missingCount: Int64 = 0
    /// Pages of the diff whose content is not that of the image after it; or, of a recording, pages that differ from the base and that
    /// the recording does not have. The first ranges.
    package private(set) var wrong: Ranges = []
    package private(set) var wrongCount: Int64 = 0

    /// The most ranges kept of a kind.
    package static let mostRanges = 64

    /// Compares the images before and after with the diff between them.
    ///
    /// - Throws: ``ImportError``.
    package init(base: MemoryImage, diff: MemoryImage, after: MemoryImage, pageSize: Int64) throws {
        let extents = try diff.extents(pageSize: pageSize)
        held = extents.reduce(0) { $0 + Int64($1.count) }
        var place = 0
        try after.differences(from: base, pageSize: pageSize) { gfn in
            changed += 1
            while place < extents.count, extents[place].upperBound <= gfn { place += 1 }
            if place == extents.count || extents[place].lowerBound > gfn { lack(gfn) }
        }
        place = 0
        try after.differences(from: diff, pageSize: pageSize) { gfn in
            while place < extents.count, extents[place].upperBound <= gfn { place += 1 }
            if place < extents.count, extents[place].contains(gfn) { differ(gfn) }
        }
    }

    /// Compares a diff on top of its base with the pages that a recording of the time between has, each once, ascending.
    ///
    /// - Throws: ``ImportError``.
    package init(base: MemoryImage, diff: MemoryImage, recorded: [GFN], pageSize: Int64) throws {
        let extents = try diff.extents(pageSize: pageSize)
        held = extents.reduce(0) { $0 + Int64($1.count) }
        changed = Int64(recorded.count)
        var place = 0
        for gfn in recorded {
            while place < extents.count, extents[place].upperBound <= gfn { place += 1 }
            if place == extents.count || extents[place].lowerBound > gfn { lack(gfn) }
        }
        place = 0
        var next = 0
        try diff.differences(from: base, pageSize: pageSize) { gfn in
            while place < extents.count, extents[place].upperBound <= gfn { place += 1 }
            guard place < extents.count, extents[place].contains(gfn) else { return }
            while next < recorded.count, recorded[next] < gfn { next += 1 }
            if next == recorded.count || recorded[next] != gfn { differ(gfn) }
        }
    }

    private mutating func lack(_ gfn: GFN) {
        missingCount += 1
        Self.append(gfn, to: &missing)
    }

    private mutating func differ(_ gfn: GFN) {
        wrongCount += 1
        Self.append(gfn, to: &wrong)
    }

    private static func append(_ gfn: GFN, to ranges: inout Ranges) {
        if let last = ranges.last, last.upperBound == gfn {
            ranges[ranges.count - 1] = last.lowerBound..<gfn + 1
        } else if ranges.count < mostRanges {
            ranges.append(gfn..<gfn + 1)
        }
    }
}
