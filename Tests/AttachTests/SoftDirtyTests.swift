import Glibc
import Import
import Platform
import Testing

@testable import Attach

@Suite struct `The kernel's word on a page` {
    private let dirty: UInt64 = 1 << 55
    private let swapped: UInt64 = 1 << 62
    private let present: UInt64 = 1 << 63

    @Test func `is that it was written only where there is a page`() {
        #expect(PagemapEntry(dirty | present).isSoftDirty)
        #expect(PagemapEntry(dirty | swapped).isSoftDirty)
        // All bits of a new mapping are set.
        #expect(!PagemapEntry(dirty).isSoftDirty)
        #expect(!PagemapEntry(present).isSoftDirty)
        #expect(PagemapEntry(present | 77).frame == 77)
        #expect(PagemapEntry(swapped | 77).frame == nil)
    }

    @Test func `is that pages may be a large one where they lie in a row and all are dirty, or none`() {
        let row = (1024..<1536).map { UInt64($0) | dirty | present }
        #expect(PagemapEntry.row(row[...])?.firstFrame == 1024)
        #expect(PagemapEntry.row(row[3...])?.firstFrame == 1027)
        for place in [0, 100, 511] {
            for entry in [row[place] & ~dirty, row[place] + 1, row[place] & ~present | swapped] {
                var other = row
                other[place] = entry
                #expect(PagemapEntry.row(other[...]) == nil)
            }
        }
        #expect(PagemapEntry.row(row[...])?.isDirty == true)
        #expect(PagemapEntry.row(row.map { $0 & ~dirty }[...])?.isDirty == false)
        #expect(PagemapEntry.row([]) == nil)
        // Without the right to see it, the kernel says 0.
        #expect(PagemapEntry.row([dirty | present]) == nil)
    }

    @Test func `is that they are one where the first is its head and all others its tails`() {
        let (head, tail, huge, transparent): (UInt64, UInt64, UInt64, UInt64) = (1 << 15, 1 << 16, 1 << 17, 1 << 22)
        let tails = [UInt64](repeating: tail | transparent, count: 511)
        #expect(PageFlags.isLarge([head | transparent] + tails))
        #expect(!PageFlags.isLarge([head | transparent | huge] + tails))
        #expect(!PageFlags.isLarge([head] + tails))
        #expect(!PageFlags.isLarge(tails))
        // Several smaller ones (mTHP) are tracked page by page.
        var smaller = [head | transparent] + tails
        smaller[16] = head | transparent
        #expect(!PageFlags.isLarge(smaller))
        #expect(!PageFlags.isLarge([]))
    }
}

@Suite struct `A VMM's mappings` {
    private let smaps = """
        555500000000-555500001000 r-xp 00000000 fe:01 99                         /usr/bin/vmm
        AnonHugePages:         0 kB
        VmFlags: rd ex mr mw me
        7f0000000000-7f0010000000 rw-s 00000000 00:01 4711                       /memfd:guest ram (deleted)
        Size:             262144 kB
        ShmemPmdMapped:   131072 kB
        VmFlags: rd wr sh mr mw me ms sd
        7f1000000000-7f1008000000 rw-p 00000000 00:00 0
        AnonHugePages:     65536 kB
        VmFlags: rd wr mr mw me ac sd hg
        7f2000000000-7f2000200000 rw-p 00000000 00:0f 12                         /anon_hugepage (deleted)
        VmFlags: rd wr mr mw me de ht sd
        """
    private func region(_ address: UInt64, mebibytes: UInt64) -> VMMMemory.Region {
        VMMMemory.Region(baseGFN: 0, address: address, size: mebibytes << 20)
    }

    @Test func `say which of them hold the guest's memory, and in what pages`() {
        let guest = [region(0x7f00_0000_0000, mebibytes: 256), region(0x7f10_0000_1000, mebibytes: 64)]
        let mappings = GuestMappings(smaps, guest)
        #expect(mappings.mappings.map(\.isShared) == [true, false])
        #expect(mappings.mappings.map(\.file) == ["00:01 4711", nil])
        #expect(!mappings.isHugetlb)
        #expect(mappings.largeShare(of: 384 << 20) == 0.5)
        #expect(mappings.largeShare(of: 1 << 20) == 1)
        #expect(mappings.largeShare(of: 0) == 0)
        #expect(GuestMappings(smaps, [region(0x7f20_0010_0000, mebibytes: 1)]).isHugetlb)
        #expect(GuestMappings("", guest).mappings.isEmpty)
        #expect(GuestMappings(smaps, [VMMMemory.Region(baseGFN: 0, address: .max - 4095, size: .max)]).mappings.isEmpty)
    }

    @Test func `say who else has mapped it for writing`() {
        #expect(GuestMappings.maps(smaps, one: ["00:01 4711"]))
        #expect(!GuestMappings.maps(smaps, one: ["fe:01 99", "00:00 0"]))
        let readOnly = smaps.replacing("rw-s", with: "r--s")
        #expect(!GuestMappings.maps(readOnly, one: ["00:01 4711"]))
    }

    @Test func `and its open files say what devices write by themselves`() {
        #expect(GuestMappings.devices(["/dev/kvm", "socket:[12]", "/dev/vhost-net"]).isEmpty)
        #expect(GuestMappings.devices(["/dev/vfio/vfio", "/dev/vfio/12", "/dev/vhost-vdpa-0"]).count == 2)
    }
}

@Suite struct `Soft-dirty bits` {
    /// Of this process, on a kernel that has them.
    @Test(.enabled(if: SoftDirtyMemory.isSupported && getuid() == 0, "needs a kernel with soft-dirty bits, and root"))
    func `show what was written since they were cleared`() throws {
        let pages = 700
        let size = pages * pageBytes
        let room = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0)
        let bytes = try unsafe #require(room)
        defer { unsafe munmap(bytes, size) }
        unsafe madvise(bytes, size, MADV_NOHUGEPAGE)
        let address = UInt64(UInt(bitPattern: bytes))
        let memory = try SoftDirtyMemory(pid: getpid())
        let region = VMMMemory.Region(baseGFN: 0x100, address: address, size: UInt64(size))
        _ = try memory.look([region], thenClear: true)
        for page in [0, 63, 64, 511, 699] {
            unsafe bytes.storeBytes(of: 1, toByteOffset: page * pageBytes, as: UInt8.self)
        }
        let look = try memory.look([region], thenClear: false)
        let found = look.regions[0].bits.enumerated().flatMap { word, bits in
            (0..<64).filter { bits >> UInt64($0) & 1 != 0 }.map { word * 64 + $0 }
        }
        #expect(found == [0, 63, 64, 511, 699])
        #expect(look.largePages.isEmpty && look.clear == nil)
    }

    /// A kernel without them is noticed, not believed.
    @Test(.enabled(if: !SoftDirtyMemory.isSupported, "needs a kernel without soft-dirty bits"))
    func `that the kernel does not have are refused`() {
        let error = #expect(throws: AttachError.self) { try SoftDirtyMemory.checkHost() }
        #expect(error?.description.contains("CONFIG_MEM_SOFT_DIRTY") == true)
    }
}
