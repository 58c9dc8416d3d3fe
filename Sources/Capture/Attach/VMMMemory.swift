import Glibc
import Model
import Platform

/// The guest's memory as the VMM has it mapped.
struct VMMMemory: ~Copyable {
    /// One memory slot, in bytes, but for its first page.
    struct Region: Equatable {
        var baseGFN: GFN
        /// Where it lies in the VMM's address space.
        var address: UInt64
        var size: UInt64

        /// Where a page of the guest lies in the VMM; nil when it is not in this slot.
        func address(of gfn: GFN) -> UInt64? {
            guard gfn >= baseGFN, gfn - baseGFN < size / UInt64(pageBytes) else { return nil }
            return address &+ (gfn - baseGFN) * UInt64(pageBytes)
        }

        /// Whether it has what lies at `place` of the VMM.
        func holds(_ place: UInt64) -> Bool { place >= address && place - address < size }
    }

    private static let pageSize = UInt64(pageBytes)
    /// Pages looked at in one step.
    private static let chunk: UInt64 = 512
    /// A page of the VMM is there (bit 63) or swapped out (bit 62): see the kernel's `pagemap.rst`.
    private static let hasContent: UInt64 = 3 << 62

    private let pagemap: CInt
    private let memory: CInt

    /// Opens the memory of process `pid`; nil when it cannot be.
    init?(pid: Int32) {
        let pagemap = unsafe open("/proc/\(pid)/pagemap", O_RDONLY | O_CLOEXEC)
        let memory = unsafe open("/proc/\(pid)/mem", O_RDONLY | O_CLOEXEC)
        guard pagemap >= 0, memory >= 0 else {
            for descriptor in [pagemap, memory] where descriptor >= 0 { _ = close(descriptor) }
            return nil
        }
        (self.pagemap, self.memory) = (pagemap, memory)
    }

    deinit {
        _ = close(pagemap)
        _ = close(memory)
    }

    /// Pages of `regions` that hold only zeros. Pages that nobody ever touched are not read, so that they stay untouched.
    ///
    /// - Returns: nil when the process's memory cannot be read.
    static func zeroPages(of pid: Int32, in regions: [Region]) -> Int64? {
        guard let memory = VMMMemory(pid: pid) else { return nil }
        var zeros: Int64 = 0
        for region in regions {
            var done: UInt64 = 0
            let pages = region.size / pageSize
            while done < pages {
                let count = min(chunk, pages - done)
                guard let found = memory.zeroPages(from: region.address + done * pageSize, count: Int(count)) else {
                    return nil
                }
                zeros += found
                done += count
            }
        }
        return zeros
    }

    private func map(from address: UInt64, count: Int) -> [UInt64]? {
        var map = [UInt64](repeating: 0, count: count)
        return self.map(from: address, into: &map) ? map : nil
    }

    /// Reads what the kernel says of the pages from `address` on.
    ///
    /// - Returns: whether it says something of all of them.
    func map(from address: UInt64, into map: inout [UInt64]) -> Bool {
        let place = off_t(clamping: address / Self.pageSize * 8)
        return unsafe map.withUnsafeMutableBytes { unsafe pread(pagemap, $0.baseAddress, $0.count, place) == $0.count }
    }

    /// Whether the VMM has a page at `address`. One that it gave back (a balloon) must not be read, which would fetch a new one.
    func hasPage(at address: UInt64) -> Bool {
        var entry: UInt64 = 0
        let place = off_t(clamping: address / Self.pageSize * 8)
        return unsafe pread(pagemap, &entry, 8, place) == 8 && entry & Self.hasContent != 0
    }

    /// Reads what lies at `address` of the VMM into `words`.
    ///
    /// - Returns: whether all of it can be read.
    func read(at address: UInt64, into words: inout [UInt64]) -> Bool {
        let place = off_t(clamping: address)
        return unsafe words.withUnsafeMutableBytes { unsafe pread(memory, $0.baseAddress, $0.count, place) == $0.count }
    }

    private func zeroPages(from address: UInt64, count: Int) -> Int64? {
        guard let map = map(from: address, count: count) else { return nil }
        var page = [UInt64](repeating: 0, count: Int(Self.pageSize / 8))
        var zeros: Int64 = 0
        for (number, entry) in map.enumerated() {
            if entry & Self.hasContent == 0 {
                zeros += 1
                continue
            }
            guard read(at: address + UInt64(number) * Self.pageSize, into: &page) else { return nil }
            if page.allSatisfy({ $0 == 0 }) { zeros += 1 }
        }
        return zeros
    }
}
