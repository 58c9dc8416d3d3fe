import Model

/// Which vCPU had a page's latest write fault. Takes memory only where there were some.
struct PageOwners {
    private static let chunkBits: UInt64 = 12
    private final class Chunk {
        /// A vCPU's number and 1; 0 for nobody.
        var owners = [UInt16](repeating: 0, count: 1 << chunkBits)
    }
    private var chunks: [GFN: Chunk] = [:]
    private var last: (key: GFN, chunk: Chunk)?

    private static func place(_ gfn: GFN) -> Int { Int(gfn & (1 << chunkBits - 1)) }

    /// Gives a page to a vCPU.
    ///
    /// - Returns: who had it before.
    mutating func own(_ gfn: GFN, _ vcpu: Int) -> Int? {
        let key = gfn >> Self.chunkBits
        let chunk = last?.key == key ? last.map(\.chunk) ?? Chunk() : chunks[key] ?? Chunk()
        if last?.key != key {
            chunks[key] = chunk
            last = (key, chunk)
        }
        let former = Int(chunk.owners[Self.place(gfn)])
        chunk.owners[Self.place(gfn)] = UInt16(truncatingIfNeeded: vcpu + 1)
        return former == 0 ? nil : former - 1
    }

    func isOwned(_ gfn: GFN) -> Bool {
        guard let chunk = chunks[gfn >> Self.chunkBits] else { return false }
        return chunk.owners[Self.place(gfn)] != 0
    }
}
