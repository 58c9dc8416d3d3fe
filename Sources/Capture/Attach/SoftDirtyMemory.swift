import Glibc
import Import
import Model
import Platform

/// The soft-dirty bits of a VMM's memory: bit 55 of its pagemap, cleared through `clear_refs` (the kernel's `soft-dirty.rst`).
final class SoftDirtyMemory {
    private let pid: Int32
    private let memory: VMMMemory
    private let clearing: CInt
    private let pageFlags: CInt

    private static let pageSize = UInt64(pageBytes)
    /// Pages of a large page of the host.
    private static let largePages = UInt64(SoftDirtyLook.LargePage.pages)
    /// Large pages whose entries are read in one step.
    private static let step: UInt64 = 128

    /// Opens what is needed of process `pid`.
    ///
    /// - Throws: ``AttachError`` where bits cannot be read or cleared.
    init(pid: Int32) throws {
        self.pid = pid
        let path = "/proc/\(pid)/clear_refs"
        clearing = unsafe open(path, O_WRONLY | O_CLOEXEC)
        guard clearing >= 0 else { throw AttachError("\(path) cannot be opened: \(systemError()).") }
        pageFlags = unsafe open("/proc/kpageflags", O_RDONLY | O_CLOEXEC)
        guard pageFlags >= 0, let memory = VMMMemory(pid: pid) else {
            let reason = systemError()
            close(clearing)
            if pageFlags >= 0 { close(pageFlags) }
            throw AttachError("/proc/\(pid)/pagemap or /proc/kpageflags cannot be opened: \(reason).")
        }
        self.memory = memory
    }

    deinit {
        close(clearing)
        close(pageFlags)
    }

    // MARK: The kernel

    /// Whether this kernel has soft-dirty bits, tried on a page of our own: one that has none takes the request to clear them, too.
    package static let isSupported: Bool = {
        let page = unsafe mmap(
            nil, pageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0)
        guard let page = unsafe page, unsafe page != MAP_FAILED, let own = VMMMemory(pid: getpid()) else {
            return false
        }
        defer { unsafe munmap(page, pageBytes) }
        func isDirty() -> Bool? {
            var entry: [UInt64] = [0]
            let address = UInt64(UInt(bitPattern: page))
            return own.map(from: address, into: &entry) ? PagemapEntry(entry[0]).isSoftDirty : nil
        }
        unsafe page.storeBytes(of: 1, as: UInt8.self)
        guard (try? Files.write("4\n", to: "/proc/self/clear_refs")) != nil, isDirty() == false else { return false }
        unsafe page.storeBytes(of: 2, as: UInt8.self)
        return isDirty() == true
    }()

    /// Whether KVM's faults name guest addresses: only where the CPU translates them.
    static var namesAddresses: Bool {
        ["kvm_amd/parameters/npt", "kvm_intel/parameters/ept"].contains { parameter in
            (try? Files.read("/sys/module/" + parameter)).map { $0.hasPrefix("Y") || $0.hasPrefix("1") } ?? false
        }
    }

    /// - Throws: ``AttachError`` where no VM of this host can be followed by soft-dirty bits.
    static func checkHost() throws {
        guard isSupported else {
            throw AttachError(
                "This kernel has no soft-dirty bits (CONFIG_MEM_SOFT_DIRTY), so writes cannot be seen without a dirty log; let the VMM log, and leave --soft-dirty away."
            )
        }
        guard namesAddresses else {
            throw AttachError(
                "KVM shadows the guest's page tables here (without NPT or EPT), and its faults name no guest addresses; let the VMM log, and leave --soft-dirty away."
            )
        }
    }

    // MARK: Bits

    /// Clears the bits of the whole process, which protects its pages; KVM drops its mappings.
    ///
    /// - Throws: ``AttachError`` when the process is gone.
    func clear() throws -> SoftDirtyLook.Clear {
        let began = monotonicNow()
        let text: StaticString = "4\n"
        guard unsafe write(clearing, text.utf8Start, text.utf8CodeUnitCount) == text.utf8CodeUnitCount else {
            throw AttachError("The soft-dirty bits of process \(pid) cannot be cleared: \(systemError()).")
        }
        return SoftDirtyLook.Clear(beganNs: began, endedNs: monotonicNow())
    }

    /// Reads the bits of `regions`, and clears them if told, as soon as all are read.
    ///
    /// - Throws: ``AttachError`` when the process is gone.
    func look(_ regions: some Sequence<VMMMemory.Region>, thenClear: Bool) throws -> SoftDirtyLook {
        var look = SoftDirtyLook(beganNs: monotonicNow(), readNs: 0)
        var candidates: [Candidate] = []
        for region in regions { look.regions.append(try read(region, &candidates)) }
        look.readNs = monotonicNow()
        if thenClear { look.clear = try clear() }
        look.largePages = candidates.filter { isLarge(firstFrame: $0.firstFrame) }.map(\.page)
        look.pageFaults = pageFaults
        return look
    }

    /// Pages that may be one, or a part of one, for the host.
    private struct Candidate {
        var page: SoftDirtyLook.LargePage
        /// The number of the whole one's first page in the host's memory.
        var firstFrame: UInt64
    }

    private func read(_ region: VMMMemory.Region, _ candidates: inout [Candidate]) throws -> SoftDirtyLook.Region {
        let pages = region.size / Self.pageSize
        var bits = [UInt64](repeating: 0, count: Int((pages + 63) / 64))
        var map: [UInt64] = []
        /// The number of the region's first page within the process's memory.
        let first = region.address / Self.pageSize
        var page: UInt64 = 0
        while page < pages {
            let end = min(pages, ((first + page) / Self.largePages + Self.step) * Self.largePages - first)
            if map.count != Int(end - page) { map = [UInt64](repeating: 0, count: Int(end - page)) }
            guard memory.map(from: region.address + page * Self.pageSize, into: &map) else {
                throw AttachError("The memory of process \(pid) cannot be read any more.")
            }
            var offset: UInt64 = 0
            while page + offset < end {
                let next = min(
                    end - page, ((first + page + offset) / Self.largePages + 1) * Self.largePages - first - page)
                let part = map[Int(offset)..<Int(next)]
                for (number, entry) in part.enumerated() where PagemapEntry(entry).isSoftDirty {
                    let place = page + offset + UInt64(number)
                    bits[Int(place / 64)] |= 1 << (place % 64)
                }
                if let (frame, isDirty) = PagemapEntry.row(part) {
                    let inside = (first + page + offset) % Self.largePages
                    if frame % Self.largePages == inside {
                        let gfns = region.baseGFN + page + offset..<region.baseGFN + page + next
                        candidates.append(
                            Candidate(
                                page: .init(
                                    gfns: gfns, host: (first + page + offset - inside) * Self.pageSize, isDirty: isDirty
                                ),
                                firstFrame: frame - inside))
                    }
                }
                offset = next
            }
            page = end
        }
        return SoftDirtyLook.Region(baseGFN: region.baseGFN, pages: pages, bits: bits)
    }

    /// Whether the host's pages from `firstFrame` on are one large page.
    private func isLarge(firstFrame: UInt64) -> Bool {
        var flags = [UInt64](repeating: 0, count: Int(Self.largePages))
        let place = off_t(clamping: firstFrame * 8)
        let count = unsafe flags.withUnsafeMutableBytes { unsafe pread(pageFlags, $0.baseAddress, $0.count, place) }
        return count == flags.count * 8 && PageFlags.isLarge(flags)
    }

    /// Page faults of the process's VMs so far, as KVM counts them; nil where debugfs is not there.
    var pageFaults: Int64? {
        let folder = "/sys/kernel/debug/kvm"
        let counts = Files.list(folder).filter { $0.hasPrefix("\(pid)-") }.compactMap { vm in
            (try? Files.read("\(folder)/\(vm)/pf_taken")).flatMap { Int64($0.filter { !$0.isWhitespace }) }
        }
        return counts.isEmpty ? nil : counts.reduce(0, &+)
    }
}

/// What the kernel says of a page of a process in `pagemap`.
struct PagemapEntry: Equatable {
    private static let (softDirty, swapped, present): (UInt64, UInt64, UInt64) = (1 << 55, 1 << 62, 1 << 63)

    private let bits: UInt64
    init(_ bits: UInt64) { self.bits = bits }

    /// Whether there is a page, and it was written since the bits were cleared. A new mapping has every bit set, also of pages that are
    /// not there yet.
    var isSoftDirty: Bool { bits & Self.softDirty != 0 && bits & (Self.present | Self.swapped) != 0 }
    /// Its place in the host's memory, in pages; nil when it has none.
    var frame: UInt64? { bits & Self.present != 0 ? bits & (Self.softDirty - 1) : nil }

    /// Where pages begin that lie one after the other in the host's memory, and are all dirty or all clean; nil when they do not, or are not.
    static func row(_ entries: ArraySlice<UInt64>) -> (firstFrame: UInt64, isDirty: Bool)? {
        guard let first = entries.first.map(PagemapEntry.init), let frame = first.frame, frame > 0 else { return nil }
        for (number, entry) in entries.enumerated() {
            let entry = PagemapEntry(entry)
            guard entry.isSoftDirty == first.isSoftDirty, entry.frame == frame + UInt64(number) else { return nil }
        }
        return (frame, first.isSoftDirty)
    }
}

/// What the kernel says of a page of its own in `kpageflags`.
enum PageFlags {
    private static let (head, tail, huge, transparent): (UInt64, UInt64, UInt64, UInt64) =
        (1 << 15, 1 << 16, 1 << 17, 1 << 22)

    /// Whether these pages are one transparent large page.
    static func isLarge(_ flags: [UInt64]) -> Bool {
        guard let first = flags.first, first & (head | transparent) == head | transparent, first & huge == 0 else {
            return false
        }
        return flags.dropFirst().allSatisfy { $0 & (head | tail) == tail }
    }
}
