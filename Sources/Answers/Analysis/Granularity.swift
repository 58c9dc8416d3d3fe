import Model

/// What tracking at a coarser granularity costs (question W4).
package struct Granularity: Sendable, Equatable {
    /// Size of a unit in bytes: the page size, 64 KiB, 2 MiB, 1 GiB.
    package var bytes: Int64
    /// Units with at least one dirty page, over the whole recording.
    package var units: Int64
    /// What sending those units would take.
    package var dirtyBytes: Int64 { units * bytes }
    /// Amplification A_g = units · g / distinct pages, g in pages; 0 when there is no page.
    package var amplification: Double

    static func all(_ dirty: PageLedger, pageSize: Int64) -> [Granularity] {
        let sizes = [pageSize, 64 << 10, 2 << 20, 1 << 30]
        var result: [Granularity] = []
        // Units of units: the groups met at one size are all that the next one must look at.
        var met: [UInt64]?
        var metBytes = pageSize
        for bytes in sizes where bytes >= metBytes && bytes % metBytes == 0 {
            let factor = UInt64(bytes / metBytes)
            if factor > 1 {
                var index = PageIndex()
                if let met {
                    for unit in met { _ = index.insert(unit / factor) }
                } else {
                    dirty.forEachPage { gfn, _ in _ = index.insert(gfn / factor) }
                }
                met = index.gfns
            }
            metBytes = bytes
            let units = met?.count ?? dirty.count
            let pages = Double(units) * Double(bytes / pageSize)
            result.append(
                Granularity(
                    bytes: bytes, units: Int64(units), amplification: dirty.count == 0 ? 0 : pages / Double(dirty.count)
                )
            )
        }
        return result
    }
}
