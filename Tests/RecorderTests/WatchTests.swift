import Guests
import Model
import Recorder
import Testing

@Suite(.serialized, .enabled(if: KVMHost.isUsable, KVMHost.reason))
struct `Watched pages` {
    private static let base = BuiltinGuest.dataAddress

    @Test func `store every write of every vCPU in order, and memory ends as without the watch`() throws {
        let specification = "sequential:size=12KiB,region=shared,ops=300"
        func run(_ watch: [Range<UInt64>]) throws -> (Recorded, BuiltinGuest) {
            let guest = try BuiltinGuest(workload: Workload(parsing: specification), vcpus: 2, memory: nil)
            let recorded = try record(guest) {
                $0.iterations = nil
                $0.watch = watch
            }
            return (recorded, guest)
        }
        let (recorded, guest) = try run([Self.base..<Self.base + 3 * 4096])
        let (_, plain) = try run([])
        #expect(guest.data.read(guest.data.size, at: 0) == plain.data.read(plain.data.size, at: 0))
        let events = recorded.batches.flatMap(\.watchEvents)
        #expect(events.count == 600)
        for vcpu in 0..<2 {
            let own = events.filter { $0.vcpu == vcpu }
            let values = own.map { $0.newValue.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
            #expect(values == Array(1...300))
            #expect(own.allSatisfy { $0.gpa % 4096 == UInt64(vcpu) * 8 && $0.rip != 0 && $0.newValue.count == 8 })
            // The instruction that wrote, not the next one: mov [rcx], rax.
            #expect(own.allSatisfy { guest.low.read(3, at: Int($0.rip)) == [0x48, 0x89, 0x01] })
            // What stood there is what this vCPU wrote a lap before.
            let old = own.map { $0.oldValue.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
            #expect(old == values.map { $0 > 3 ? $0 - 3 : 0 })
        }
        #expect(recorded.missing == 0)
    }

    @Test func `split and page-crossing writes reach memory whole`() throws {
        // mov rax, imm64; mov [rdi+4092], rax (crosses into an unwatched page); out 0x10, al
        let code: [UInt8] = [
            0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 0x48, 0x89, 0x87, 0xfc, 0x0f, 0x00, 0x00, 0xe6, 0x10,
        ]
        let guest = try CodeGuest(code, pages: 16) { if case .portOut = $0 { .done } else { .unexpected } }
        let recorded = try record(guest) {
            $0.iterations = nil
            $0.verify = false
            $0.watch = [Self.base..<Self.base + 4096]
        }
        #expect(recorded.outcome.losses == [])
        let data = guest.regions[1].memory
        #expect(data.read(8, at: 4092) == [1, 2, 3, 4, 5, 6, 7, 8])
        let events = recorded.batches.flatMap(\.watchEvents)
        #expect(events.flatMap(\.newValue) == [1, 2, 3, 4])
        #expect(events.first?.gpa == Self.base + 4092)
        #expect(Set(recorded.entries).contains(Self.base / 4096 + 1))
    }

    @Test(arguments: ["0x100000000,0x100000008", "0x5000", "0x900000000", "0x1000..0x0", "x", ""])
    func `a page named twice, or that is no logged memory, is an error`(text: String) throws {
        #expect(throws: RecordError.self) {
            try record("sequential:size=64KiB") { $0.watch = try WatchRange.parse(text) }
        }
    }
}
