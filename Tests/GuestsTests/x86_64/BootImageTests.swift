import Foundation
import TestSupport
import Testing

@testable import Guests

/// Offsets of the first program header of ``SampleImages/elf(changing:)``.
private let segment = 64

/// A way to break an image, and what the error must say.
struct Damage: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let says: String
    let change: @Sendable (inout [UInt8]) -> Void

    init(_ name: String, _ says: String, _ change: @escaping @Sendable (inout [UInt8]) -> Void) {
        testDescription = name
        self.says = says
        self.change = change
    }
}

@Suite struct `Boot images` {
    private func kernel(_ bytes: [UInt8], memory: UInt64 = SampleImages.memory) throws -> BootImage {
        try .kernel(ImageBytes(bytes, name: "kernel test"), memory: memory)
    }

    @Test func `a bzImage goes to its preferred address and begins 0x200 behind it`() throws {
        let image = try kernel(SampleImages.bzImage())
        #expect(image.loads == [.init(address: 16 << 20, bytes: 2048..<6144, memorySize: 1 << 20)])
        #expect(image.entry == 16 << 20 + 0x200)
        #expect(image.setupHeader == 0x1f1..<0x26c)
        #expect(image.label == "bzImage 6.99-test")
    }

    @Test func `an ELF64 file goes to its physical addresses, whichever way it names its entry`() throws {
        let image = try kernel(SampleImages.elf())
        #expect(image.loads.map(\.address) == [0x10_0000, 0x20_0000])
        #expect(image.entry == 0x10_0010)
        let virtual = try kernel(
            SampleImages.elf { SampleImages.set(0xffff_ffff_8010_0020 as UInt64, at: 24, in: &$0) })
        #expect(virtual.entry == 0x10_0020)
    }

    @Test func `a flat image is loaded and entered at 1 MiB`() throws {
        let image = try BootImage.flatOrELF(ImageBytes([0xf4], name: "image test"), memory: SampleImages.memory)
        #expect(image.entry == 1 << 20)
        #expect(image.end == 1 << 20 + 1)
    }

    @Test(
        arguments: [
            Damage("empty", "neither a bzImage nor") { $0 = [] },
            Damage("cut in the header", "neither a bzImage nor") { $0.removeLast($0.count - 0x250) },
            Damage("cut behind the setup", "ends too early") { $0.removeLast(4096) },
            Damage("cut in the payload", "ends too early") { $0.removeLast(100) },
            Damage("more setup than file", "ends too early") { $0[0x1f1] = 255 },
            Damage("no boot flag", "neither a bzImage nor") { $0[0x1fe] = 0 },
            Damage("no 64-bit entry", "no 64-bit entry point") { $0[0x236] = 0 },
            Damage("old protocol", "no 64-bit entry point") { SampleImages.set(UInt16(0x20b), at: 0x206, in: &$0) },
            Damage("zImage", "loads below 1 MiB") { $0[0x211] = 0 },
            Damage("short header", "impossible length") { $0[0x201] = 2 },
            Damage("long header", "impossible length") { $0[0x201] = 0xff },
            Damage("at address 0", "below 1 MiB") { SampleImages.set(UInt64(0), at: 0x258, in: &$0) },
            Damage("at the end of the world", "more --memory") {
                SampleImages.set(UInt64.max << 21, at: 0x258, in: &$0)
            },
            Damage("alignment 3", "alignment") { SampleImages.set(UInt32(3), at: 0x230, in: &$0) },
            Damage("huge when unpacked", "more --memory") { SampleImages.set(UInt32.max, at: 0x260, in: &$0) },
            Damage("no payload announced", "ends too early") { SampleImages.set(UInt32(0), at: 0x1f4, in: &$0) },
        ])
    func `a wrong bzImage is an error`(damage: Damage) throws {
        let error = #expect(throws: GuestError.self) { try kernel(SampleImages.bzImage(changing: damage.change)) }
        #expect(error?.description.contains(damage.says) == true, "\(error as Any)")
    }

    @Test(
        arguments: [
            Damage("only the magic", "ends too early") { $0.removeLast(1020) },
            Damage("32 bits", "not a 64-bit one") { $0[4] = 1 }, Damage("ARM", "not a 64-bit one") { $0[18] = 183 },
            Damage("relocatable object", "not an executable") { $0[16] = 1 },
            Damage("no segments", "impossible size or number") { SampleImages.set(UInt16(0), at: 56, in: &$0) },
            Damage("65535 segments", "impossible size or number") { SampleImages.set(UInt16.max, at: 56, in: &$0) },
            Damage("odd header size", "impossible size or number") { SampleImages.set(UInt16(8), at: 54, in: &$0) },
            Damage("table beyond the end", "ends too early") { SampleImages.set(UInt64.max, at: 32, in: &$0) },
            Damage("segment beyond the file", "ends too early") {
                SampleImages.set(UInt64(900), at: segment + 8, in: &$0)
            },
            Damage("overflowing offset", "ends too early") { SampleImages.set(UInt64.max, at: segment + 8, in: &$0) },
            Damage("longer in the file", "longer in the file") {
                SampleImages.set(UInt64(8), at: segment + 40, in: &$0)
            },
            Damage("overlap", "overlap") { SampleImages.set(UInt64(0x20_1000), at: segment + 24, in: &$0) },
            Damage("below 1 MiB", "below 1 MiB") { SampleImages.set(UInt64(0x1000), at: segment + 24, in: &$0) },
            Damage("outside memory", "more --memory") { SampleImages.set(UInt64.max - 255, at: segment + 24, in: &$0) },
            Damage("endless memory", "more --memory") { SampleImages.set(UInt64.max, at: segment + 40, in: &$0) },
            Damage("entry nowhere", "in no segment") { SampleImages.set(UInt64(8), at: 24, in: &$0) },
        ])
    func `a wrong ELF file is an error`(damage: Damage) throws {
        let error = #expect(throws: GuestError.self) { try kernel(SampleImages.elf(changing: damage.change)) }
        #expect(error?.description.contains(damage.says) == true, "\(error as Any)")
    }

    @Test func `600 mutated images give an image that fits or an error`() throws {
        var random = GuestRandom(seed: 8, stream: 0)
        var accepted = 0
        for round in 0..<600 {
            var bytes = [SampleImages.bzImage(), SampleImages.elf(), [UInt8](repeating: 0xf4, count: 300)][round % 3]
            for _ in 0..<(1 + random.next() % 8) where !bytes.isEmpty {
                // Where the headers are; half of the changes make a field huge.
                let place = Int((round % 3 == 0 ? 0x1f0 : 0) + random.next() % 176) % bytes.count
                bytes[place] = random.next() & 1 == 0 ? 0xff : UInt8(truncatingIfNeeded: random.next())
            }
            if random.next() % 4 == 0 { bytes.removeLast(Int(random.next() % UInt64(bytes.count + 1))) }
            let image = ImageBytes(bytes, name: "image test")
            do {
                let boot =
                    round % 3 == 2
                    ? try BootImage.flatOrELF(image, memory: SampleImages.memory) : try kernel(bytes)
                accepted += 1
                for load in boot.loads {
                    #expect(load.address >= BootImage.lowest && load.end <= SampleImages.memory)
                    #expect(load.bytes.upperBound <= bytes.count && load.bytes.count <= load.memorySize)
                }
                for (load, next) in zip(boot.loads, boot.loads.dropFirst()) { #expect(load.end <= next.address) }
            } catch let error as GuestError {
                #expect(error.description.hasSuffix(".") && error.description.count < 300)
            }
        }
        #expect((100..<500).contains(accepted), "\(accepted)")
    }
}

@Suite struct `Files of a guest` {
    private func plan(_ bytes: [UInt8], initrd: [UInt8]? = nil, in folder: URL) throws -> BootPlan {
        let kernel = folder.appendingPathComponent("kernel")
        try Data(bytes).write(to: kernel)
        var plan = BootPlan(.kernel, path: kernel.path)
        plan.memory = Int64(SampleImages.memory)
        if let initrd {
            let file = folder.appendingPathComponent("initrd")
            try Data(initrd).write(to: file)
            plan.initrd = file.path
        }
        return plan
    }

    private func withFolder(_ body: (URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("dirtyrec-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    @Test func `kernel, initrd and zero page are in memory`() throws {
        try withFolder { folder in
            var plan = try plan(SampleImages.bzImage(), initrd: [UInt8](repeating: 7, count: 5000), in: folder)
            plan.append = "quiet"
            let guest = try LinuxGuest(plan) { _ in }
            let memory = guest.regions[0].memory
            let page = Int(BootTables.zeroPage)
            #expect(memory.load(UInt32.self, at: page + 0x202) == 0x5372_6448)
            let start = Int(memory.load(UInt32.self, at: page + 0x218))
            #expect(start % 4096 == 0 && start + 5000 <= memory.size && start > memory.size - 16384)
            #expect(memory.load(UInt32.self, at: page + 0x21c) == 5000)
            #expect(memory.read(5000, at: start) == [UInt8](repeating: 7, count: 5000))
            let line = memory.read(31, at: Int(memory.load(UInt32.self, at: page + 0x228)))
            #expect(String(decoding: line.prefix { $0 != 0 }, as: UTF8.self) == "console=ttyS0 panic=-1 quiet")
            #expect(guest.regions.map(\.isLogged) == [true])
        }
    }

    @Test func `memory above 3 GiB continues at 4 GiB`() throws {
        try withFolder { folder in
            var plan = try plan(SampleImages.bzImage(), in: folder)
            plan.memory = 5 << 30
            let guest = try LinuxGuest(plan) { _ in }
            #expect(guest.regions.map(\.address) == [0, 1 << 32])
            #expect(guest.regions.map(\.memory.size) == [3 << 30, 2 << 30])
        }
    }

    @Test func `what does not fit is an error`() throws {
        try withFolder { folder in
            let large = try plan(SampleImages.bzImage(), initrd: [UInt8](repeating: 7, count: 50 << 20), in: folder)
            #expect(throws: GuestError.self) { try LinuxGuest(large) { _ in } }
            var long = try plan(SampleImages.bzImage(), in: folder)
            long.append = String(repeating: "x", count: 3000)
            #expect(throws: GuestError.self) { try LinuxGuest(long) { _ in } }
            var noInitrd = try plan(
                SampleImages.bzImage { SampleImages.set(UInt32(0), at: 0x22c, in: &$0) }, initrd: [1], in: folder)
            #expect(throws: GuestError.self) { try LinuxGuest(noInitrd) { _ in } }
            noInitrd.initrd = nil
            noInitrd.vcpus = 255
            #expect(throws: GuestError.self) { try LinuxGuest(noInitrd) { _ in } }
        }
    }

    @Test(arguments: ["/nonexistent", "/dev/zero", "/"])
    func `what is not a file is an error`(path: String) {
        #expect(throws: GuestError.self) { try LinuxGuest(BootPlan(.image, path: path)) { _ in } }
    }

    @Test func `a pipe is refused without waiting for its other end`() throws {
        try withFolder { folder in
            let pipe = folder.appendingPathComponent("pipe").path
            try #require(unsafe mkfifo(pipe, 0o600) == 0)
            #expect(throws: GuestError.self) { try LinuxGuest(BootPlan(.image, path: pipe)) { _ in } }
        }
    }
}
