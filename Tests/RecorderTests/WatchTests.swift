import Guests
import KVM
import Model
import Synchronization
import Testing

@testable import Recorder

@Suite(.serialized, .enabled(if: KVMHost.isUsable, KVMHost.reason))
struct `Watched pages` {
    private static let base = BuiltinGuest.dataAddress

    @Test func `store every write of every vCPU in order, and memory ends as without the watch`() throws {
        let specification = "sequential:size=12KiB,region=shared,ops=300"
        func run(_ watch: [WatchRange]) throws -> (Recorded, BuiltinGuest) {
            let guest = try BuiltinGuest(workload: Workload(parsing: specification), vcpus: 2, memory: nil)
            let recorded = try record(guest) {
                $0.iterations = nil
                $0.watch = watch
            }
            return (recorded, guest)
        }
        let (recorded, guest) = try run([WatchRange(Self.base..<Self.base + 3 * 4096)])
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
            $0.watch = [WatchRange(Self.base..<Self.base + 4096)]
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

    /// Operation n of the guest writes page (n - 1) % 16: what was watched must be operations of that page without a gap, and no entry may
    /// be missing before or after.
    @Test(arguments: [Source.dirtyRing, .dirtyLog, .clearLog], [HarvestMode.live, .paused])
    func `come and go while the guest runs, and nothing is missed or told twice at the edges`(
        source: Source, mode: HarvestMode
    ) throws {
        // On a busy machine a vCPU may not run at all while its pages are watched: it gets more chances.
        var isEnough = false
        for _ in 0..<20 where !isEnough { isEnough = try comesAndGoes(source, mode) }
        #expect(isEnough)
    }

    /// - Returns: whether each watched page was written more than once meanwhile.
    private func comesAndGoes(_ source: Source, _ mode: HarvestMode) throws -> Bool {
        let guest = try BuiltinGuest(
            workload: Workload(parsing: "sequential:size=64KiB,rate=20k/s"), vcpus: 2, memory: nil)
        let recorded = try record(guest) {
            $0.source = source
            $0.mode = mode
            $0.iterations = 16
            $0.slotEvents = try [
                "15ms:add=0x100003000", "45ms:add=0x100013010..0x100014fff", "75ms:remove=0x100003000",
                "95ms:remove=0x100014000", "115ms:remove=0x100013000",
            ].map(SlotEvent.init(parsingWatch:))
        }
        #expect(recorded.outcome.losses == [])
        #expect((recorded.missing, recorded.unexplained) == (0, 0))
        let events = recorded.batches.flatMap(\.watchEvents)
        var isEnough = true
        // Pages 3 of vCPU 0, and 3 and 4 of vCPU 1.
        for (vcpu, page) in [(0, UInt64(3)), (1, 0x13), (1, 0x14)] {
            let own = events.filter { $0.gpa / 4096 == Self.base / 4096 + page }
            let operations = own.map { $0.newValue.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
            #expect(own.allSatisfy { $0.vcpu == vcpu })
            #expect(operations.allSatisfy { ($0 - 1) % 16 == page % 16 })
            #expect(zip(operations, operations.dropFirst()).allSatisfy { $0 + 16 == $1 })
            isEnough = isEnough && operations.count > 1
        }
        #expect(events.allSatisfy { [3, 0x13, 0x14].contains($0.gpa / 4096 - Self.base / 4096) })
        // What is left behind is one slot again.
        let rows = recorded.batches.flatMap(\.slots)
        let gone = Set(rows.filter { $0.deletedNs != nil }.map { [$0.slot, $0.generation] })
        let left = rows.filter { $0.deletedNs == nil && !gone.contains([$0.slot, $0.generation]) }
        #expect(left.map(\.pages) == [32] && left.first?.slot == Int(BuiltinGuest.dataSlot))
        return isEnough
    }

    /// l: inc rax; mov [rdi+4092], rax; jmp l, across two pages: while they are watched, each half is an exit of its own.
    private static let straddling: [UInt8] = [
        0x48, 0xff, 0xc0, 0x48, 0x89, 0x87, 0xfc, 0x0f, 0x00, 0x00, 0xeb, 0xf4,
    ]

    /// Asks at every moment of the loop, also between a thread's look at its instruction and its look at the stop.
    @Test func `no stop comes between the two exits of one instruction`() throws {
        var plan = RecordPlan()
        plan.watch = try WatchRange.parse("0x100000000..0x100001fff")
        let machine = try Machine(plan: plan, guest: CodeGuest(Self.straddling, pages: 16))
        let isHalf = Atomic(false)
        let crew = VCPUCrew(vcpus: machine.vcpus) { _, exit in
            guard case .mmioWrite(let address, _) = exit else { return .died("\(exit)") }
            isHalf.store(address & 0xfff != 0, ordering: .sequentiallyConsistent)
            return .resume
        }
        crew.start()
        defer { crew.quit(timeout: 1_000_000_000) }
        var halves = 0
        for round in 0..<(KVMHost.isShort ? 1000 : 20_000) {
            crew.resume()
            for _ in 0..<(round % 100) { _ = crew.waiting }
            #expect(crew.stop(timeout: 1_000_000_000).stuck.isEmpty)
            if isHalf.load(ordering: .sequentiallyConsistent) { halves += 1 }
        }
        #expect(halves == 0)
    }

    @Test func `an instruction that leaves the guest twice is ended before its pages are given back`() throws {
        let events = (0..<400).map { "\(500 * $0 + 2000)us:\($0 % 2 == 0 ? "add" : "remove")=0x100000000..0x100001fff" }
        let guest = try CodeGuest(Self.straddling, pages: 16)
        let recorded = try record(guest) {
            $0.mode = .paused
            $0.iterations = 25
            $0.slotEvents = try events.map(SlotEvent.init(parsingWatch:))
        }
        #expect(recorded.outcome.reason == .iterations)
        #expect(recorded.outcome.losses == [])
        #expect(recorded.missing == 0)
        // Halves come in pairs.
        let halves = recorded.batches.flatMap(\.watchEvents)
        #expect(halves.count > 20 && halves.count % 2 == 0)
        for pair in stride(from: 0, to: halves.count - 1, by: 2) {
            #expect((halves[pair].gpa & 0xfff, halves[pair + 1].gpa & 0xfff) == (4092, 0))
        }
    }

    @Test func `two names of one page are an error that tells both`() throws {
        func refusal(_ watch: String?, _ events: [String]) -> String {
            do {
                _ = try record("sequential:size=64KiB") {
                    if let watch { $0.watch = try WatchRange.parse(watch) }
                    $0.slotEvents = try events.map(SlotEvent.init(parsingWatch:))
                }
                return ""
            } catch { return "\(error)" }
        }
        let two = refusal("0x100000000,0x100000008", [])
        #expect(two.contains("--watch 0x100000000 and --watch 0x100000008 are two names of the page at 0x100000000"))
        let later = refusal("0x100002000..0x100004fff", ["5ms:add=0x100003010"])
        #expect(later.contains("--watch 0x100002000..0x100004fff and --watch-event 5ms:add=0x100003010 are two names"))
        let rest = refusal("0x100002000..0x100004fff", ["5ms:remove=0x100003000", "9ms:add=0x100003000"])
        #expect(rest == "")
        #expect(refusal(nil, ["5ms:remove=0x100003000"]).contains("is not watched as a whole then"))
        #expect(refusal(nil, ["5ms:add=0x900000000"]).contains("is not logged guest memory"))
    }
}
