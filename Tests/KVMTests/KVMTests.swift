import Guests
import KVM
import Platform
import Testing

/// Runs one vCPU of a workload to its end, harvesting whenever the ring is full.
@Suite(.serialized, .enabled(if: KVMSystem.isAvailable, "needs read-write access to /dev/kvm"))
struct `Built-in guests under KVM` {
    @Test(arguments: [
        "sequential:size=1MiB,ops=600", "stride:size=1MiB,stride=12KiB,ops=500", "random:size=1MiB,ops=2000",
        "zipf:size=4MiB,ops=5000", "hotspot:size=2MiB,phase=300,hot=64KiB,ops=2000",
        "random:size=2MiB,ops=900,writes=0.5", "phases:size=4MiB,phase=300,hot=64KiB,ops=3000",
        // A step of more than a page, and one of less; a hot set as large as its part.
        "phases:size=8MiB,phase=7,ops=500", "phases:size=64KiB,phase=1000,hot=64KiB,ops=5000,writes=0.7",
    ])
    func `the ring holds exactly what the model says`(specification: String) throws {
        let workload = try Workload(parsing: specification)
        let guest = try BuiltinGuest(workload: workload, vcpus: 1, memory: nil)
        let system = try KVMSystem()
        let vm = try system.makeVM()
        try vm.enableDirtyRing(entries: 65536)
        let vcpu = try vm.makeVCPU(index: 0, ringEntries: 65536)
        try guest.populate()
        for region in guest.regions {
            try vm.setMemory(
                MemoryRegion(
                    slot: region.slot, guestAddress: region.address, size: UInt64(region.memory.size),
                    logged: region.isLogged), memory: region.memory)
        }
        try guest.start(vcpu)
        run: while true {
            switch try vcpu.enter() {
            case .interrupted: continue
            case let exit:
                switch guest.handle(exit, of: vcpu) {
                case .done: break run
                case .unexpected:
                    Issue.record("unexpected exit \(exit): \(vcpu.registerDump())")
                    return
                default: continue
                }
            }
        }
        var order: [UInt64] = []
        _ = vcpu.harvest {
            #expect($0.slot == BuiltinGuest.dataSlot); order.append(guest.dataGFN + $0.offset)
        }
        var model = guest.model(of: 0)
        var touched: [UInt64] = []
        var seen: Set<UInt64> = []
        for _ in 0..<workload.operations! {
            // A first read of a page is logged like a write.
            model.step { gfn, _ in if seen.insert(gfn).inserted { touched.append(gfn) } }
        }
        #expect(guest.progress(of: 0) == workload.operations!)
        #expect(order.count == touched.count)
        #expect(order.elementsEqual(touched))
    }
}
