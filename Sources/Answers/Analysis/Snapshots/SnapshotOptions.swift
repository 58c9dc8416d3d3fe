import Model

/// What is asked of the snapshots that a guest would have been taken.
package struct SnapshotOptions: Sendable, Equatable {
    /// Times between two snapshots; nil chooses up to six that fit the recording.
    package var cadencesNs: [Int64]?
    /// Block sizes in bytes; those that are no multiple of the page size are left out.
    package var blocks: [Int64] = [4096, 16_384, 65_536, 2 << 20]
    /// Clean gaps of at most so many bytes are written too, so that two extents become one; 0 joins neighbours only.
    package var coalesce: Int64 = 0
    package var cost = SnapshotCost()
    /// Times after a fork at which its private pages are counted; nil for the cadences.
    package var withinNs: [Int64]?
    /// Forks that memory is planned for.
    package var forks: Int64 = 100

    package init() {}
}

/// How long it takes to write a snapshot while the guest stands still, and to read it back.
package struct SnapshotCost: Sendable, Equatable {
    /// Bytes written, or read at a restore, in a second.
    package var bytesPerSecond: Int64 = 2_000_000_000
    /// For each extent: a system call, a request, a seek.
    package var perExtentNs: Int64 = 20_000
    /// For each snapshot whatever its size: stopping the vCPUs, their state, the devices.
    package var baseNs: Int64 = 3_000_000

    package init() {}

    /// Nanoseconds of one snapshot, rounded down.
    package func nanoseconds(bytes: Int64, extents: Int64) -> Int64 {
        let product = UInt64(clamping: bytes).multipliedFullWidth(by: 1_000_000_000)
        let rate = UInt64(clamping: max(1, bytesPerSecond))
        let transfer = product.high < rate ? rate.dividingFullWidth(product).quotient : .max
        let seeks = extents.multipliedReportingOverflow(by: perExtentNs)
        let sum = Int64(clamping: transfer).addingReportingOverflow(seeks.overflow ? .max : seeks.partialValue)
        let all = (sum.overflow ? Int64.max : sum.partialValue).addingReportingOverflow(baseNs)
        return all.overflow ? .max : all.partialValue
    }

    /// The bytes in extents of `bytesPerExtent` whose snapshot takes as long as `full`; more than that take longer.
    func breakEven(full: Int64, bytesPerExtent: Double) -> Double {
        let perByte = 1e9 / Double(max(1, bytesPerSecond)) + Double(perExtentNs) / bytesPerExtent
        return Double(max(0, full - baseNs)) / perByte
    }
}
