import Glibc
import Platform

/// The guest's memory as the VMM has it mapped.
struct VMMMemory {
    /// One memory slot: where it lies in the VMM's address space, in bytes.
    struct Region: Equatable {
        var address: UInt64
        var size: UInt64
    }

    private static let pageSize = UInt64(pageBytes)
    /// Pages looked at in one step.
    private static let chunk: UInt64 = 512
    /// A page of the VMM is there (bit 63) or swapped out (bit 62): see the kernel's `pagemap.rst`.
    private static let hasContent: UInt64 = 3 << 62

    private let pagemap: CInt
    private let memory: CInt

    /// Opens the memory of process `pid`; nil when it cannot be.
    private init?(pid: Int32) {
        pagemap = unsafe open("/proc/\(pid)/pagemap", O_RDONLY | O_CLOEXEC)
        memory = unsafe open("/proc/\(pid)/mem", O_RDONLY | O_CLOEXEC)
        if pagemap < 0 || memory < 0 {
            close()
            return nil
        }
    }

    private func close() {
        for descriptor in [pagemap, memory] where descriptor >= 0 { _ = Glibc.close(descriptor) }
    }

    /// Pages of `regions` that hold only zeros. Pages that nobody ever touched are not read, so that they stay untouched.
    ///
    /// - Returns: nil when the process's memory cannot be read.
    static func zeroPages(of pid: Int32, in regions: [Region]) -> Int64? {
        guard let memory = VMMMemory(pid: pid) else { return nil }
        defer { memory.close() }
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

    private func zeroPages(from address: UInt64, count: Int) -> Int64? {
        var map = [UInt64](repeating: 0, count: count)
        let place = off_t(clamping: address / Self.pageSize * 8)
        let read = unsafe map.withUnsafeMutableBytes { unsafe pread(pagemap, $0.baseAddress, $0.count, place) }
        guard read == count * 8 else { return nil }
        var page = [UInt64](repeating: 0, count: Int(Self.pageSize / 8))
        var zeros: Int64 = 0
        for (number, entry) in map.enumerated() {
            if entry & Self.hasContent == 0 {
                zeros += 1
                continue
            }
            let start = off_t(clamping: address + UInt64(number) * Self.pageSize)
            let read = unsafe page.withUnsafeMutableBytes { unsafe pread(memory, $0.baseAddress, $0.count, start) }
            guard read == Int(Self.pageSize) else { return nil }
            if page.allSatisfy({ $0 == 0 }) { zeros += 1 }
        }
        return zeros
    }
}
