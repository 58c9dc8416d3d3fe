import Model

/// What the soft-dirty bits of a VMM's memory said at one moment, slot by slot.
package struct SoftDirtyLook: Sendable, Equatable {
    /// The bits of one slot.
    package struct Region: Sendable, Equatable {
        package var baseGFN: GFN
        package var pages: UInt64
        /// Bit n of word m is page 64 m + n of the slot.
        package var bits: [UInt64]

        /// - Parameter bits: One for each page, the last word filled up with zeros.
        package init(baseGFN: GFN, pages: UInt64, bits: [UInt64]) {
            (self.baseGFN, self.pages, self.bits) = (baseGFN, pages, bits)
        }

        func isMarked(_ gfn: GFN) -> Bool? {
            guard gfn >= baseGFN, gfn - baseGFN < pages else { return nil }
            let page = gfn - baseGFN
            return bits[Int(page >> 6)] >> (page & 63) & 1 != 0
        }
    }

    /// A large page of the host, or the part of one that lies in a slot. All of its bits are set, whatever was written in it, or none is.
    package struct LargePage: Sendable, Equatable {
        package var gfns: Range<GFN>
        /// Where the whole of it begins in the VMM: several slots may have parts of one.
        package var host: UInt64
        /// Whether its bits were set when they were read. It may be written until they are cleared.
        package var isDirty: Bool

        package init(gfns: Range<GFN>, host: UInt64, isDirty: Bool = true) {
            (self.gfns, self.host, self.isDirty) = (gfns, host, isDirty)
        }

        /// KVM maps it as one only where it is one of the guest's, too.
        var isWhole: Bool { gfns.count == Self.pages && gfns.lowerBound % GFN(Self.pages) == 0 }
        /// Pages of a whole one: 2 MiB.
        package static let pages = 512
    }

    package struct Clear: Sendable, Equatable {
        package var beganNs: Int64
        package var endedNs: Int64

        package init(beganNs: Int64, endedNs: Int64) { (self.beganNs, self.endedNs) = (beganNs, endedNs) }
    }

    /// When the bits began to be read.
    package var beganNs: Int64
    /// When all of them had been read.
    package var readNs: Int64
    /// When they were cleared afterwards, and the pages protected; nil when they were not.
    package var clear: Clear?
    package var regions: [Region]
    package var largePages: [LargePage]
    /// Page faults of the VM since it began, reads too, as KVM counts them; nil where that is not known.
    package var pageFaults: Int64?

    package init(
        beganNs: Int64, readNs: Int64, clear: Clear? = nil, regions: [Region] = [], largePages: [LargePage] = [],
        pageFaults: Int64? = nil
    ) {
        (self.beganNs, self.readNs, self.clear) = (beganNs, readNs, clear)
        (self.regions, self.largePages, self.pageFaults) = (regions, largePages, pageFaults)
    }
}
