import Foundation

/// xorshift64* (Vigna 2016), the random numbers of workload.S.
struct GuestRandom: Sendable {
    private(set) var state: UInt64

    /// The generator of one vCPU. The seed is mixed (splitmix64), so that neighbouring seeds give unrelated streams.
    init(seed: UInt64, stream: Int) {
        var mixed = seed &+ 0x9E37_79B9_7F4A_7C15 &* UInt64(stream + 1)
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        state = mixed == 0 ? 1 : mixed
    }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }
}

/// Repeats on the host what one vCPU of a built-in workload does, operation by operation: the known answer.
///
/// Must stay in step with workload.S; KVMTests compares the two.
package struct WorkloadModel: Sendable {
    private let workload: Workload
    private let table: AliasTable?
    private let firstPage: UInt64
    private let writeThreshold: UInt64
    private var random: GuestRandom
    private var cursor: UInt64
    private var phaseLeft: UInt64
    private let places: PhasePlaces
    private var phase: UInt64 = 0
    /// Operations done.
    package private(set) var operations: UInt64 = 0

    init(
        workload: Workload, vcpu: Int, firstPage: UInt64, cursor: UInt64, places: PhasePlaces, table: AliasTable?
    ) {
        self.workload = workload
        self.table = table
        self.firstPage = firstPage
        self.cursor = cursor
        writeThreshold = Self.threshold(workload.writes)
        random = GuestRandom(seed: workload.seed, stream: vcpu)
        phaseLeft = workload.phase
        self.places = places
    }

    /// A probability as the bound of a 32-bit draw; 1 becomes 2³², which every draw is below.
    static func threshold(_ share: Double) -> UInt64 { UInt64(share * 4_294_967_296) }

    /// Does the next operation and hands the guest's access to `body`: page number (GFN) and whether it writes.
    /// Pages that the VMM writes for `dma` are not the guest's and are left out.
    @inline(__always)
    package mutating func step(_ body: (_ gfn: UInt64, _ writes: Bool) -> Void) {
        operations += 1
        let pages = workload.pages
        let page: UInt64
        switch workload.kind {
        case .sequential, .shared, .stride:
            page = cursor
            cursor += workload.stridePages
            if cursor >= pages { cursor -= pages }
        case .random:
            page = random.next().multipliedFullWidth(by: pages).high
        case .zipf:
            page = table?.choose(random.next(), pages: pages) ?? 0
        case .hotspot:
            if phaseLeft == 0 {
                phaseLeft = workload.phase
                cursor += workload.hotPages
                if cursor >= pages { cursor -= pages }
            }
            phaseLeft -= 1
            let draw = random.next()
            if draw & 0xffff_ffff < Self.threshold(workload.share) {
                let hot = cursor + draw.multipliedFullWidth(by: workload.hotPages).high
                page = hot >= pages ? hot - pages : hot
            } else {
                page = draw.multipliedFullWidth(by: pages).high
            }
        case .phases:
            if phaseLeft == 0 {
                phaseLeft = workload.phase
                phase += 1
            }
            let place = workload.phase - phaseLeft
            phaseLeft -= 1
            switch phase % 4 {
            case 0: page = cursor + PhasePlaces.pages(place, places.walkStep)
            case 1:
                let first = places.moveStart - PhasePlaces.pages(place, places.moveStep)
                page = first + random.next().multipliedFullWidth(by: places.hotPages).high
            case 2: page = places.meet + random.next().multipliedFullWidth(by: places.hotPages).high
            default: return
            }
        case .idle, .dma:
            return
        }
        body(firstPage + page, random.next() & 0xffff_ffff < writeThreshold)
    }
}

/// Where the workload `phases` takes one vCPU; pages count from the region's first.
struct PhasePlaces: Sendable {
    /// The phases in their order, as markers name them.
    static let names = ["walk", "move", "meet", "rest"]

    /// Pages of the hot set: at most the vCPU's part of the region.
    let hotPages: UInt64
    /// Pages an operation, times 2³².
    let walkStep: UInt64
    let moveStep: UInt64
    /// The hot set's first page before it moves, downwards.
    let moveStart: UInt64
    /// First page of the set that all share.
    let meet: UInt64

    /// The places of the vCPU whose part of the region begins at `start`.
    init(_ workload: Workload, vcpus: Int, start: UInt64) {
        let part = max(1, workload.pages / UInt64(vcpus))
        hotPages = min(workload.hotPages, part)
        walkStep = (part << 32) / workload.phase
        moveStep = ((part - hotPages) << 32) / workload.phase
        moveStart = start + part - hotPages
        meet = (workload.pages - hotPages) / 2
    }

    /// How far `operations` lead.
    static func pages(_ operations: UInt64, _ step: UInt64) -> UInt64 {
        let (high, low) = operations.multipliedFullWidth(by: step)
        return high << 32 | low >> 32
    }
}

/// Zipf-distributed page numbers by the alias method (Walker 1974; Vose 1991): one draw and one table entry each.
struct AliasTable: Sendable {
    struct Entry: Sendable {
        var threshold: UInt64
        var page: UInt32
        var alias: UInt32
    }
    let entries: [Entry]

    /// Rank r (from 1) has weight r^-theta; ranks are spread over the pages by a permutation that `seed` decides.
    init(pages: Int, theta: Double, seed: UInt64) {
        var weights = (1...pages).map { pow(Double($0), -theta) }
        let scale = Double(pages) / weights.reduce(0, +)
        for rank in 0..<pages { weights[rank] *= scale }

        var pageOfRank = (0..<UInt32(pages)).map { $0 }
        var random = GuestRandom(seed: seed, stream: -1)
        for rank in stride(from: pages - 1, to: 0, by: -1) {
            pageOfRank.swapAt(rank, Int(random.next().multipliedFullWidth(by: UInt64(rank + 1)).high))
        }

        var entries = pageOfRank.map { Entry(threshold: 1 << 32, page: $0, alias: $0) }
        var small = (0..<pages).filter { weights[$0] < 1 }
        var large = (0..<pages).filter { weights[$0] >= 1 }
        while let less = small.popLast(), let more = large.last {
            entries[less].threshold = WorkloadModel.threshold(weights[less])
            entries[less].alias = pageOfRank[more]
            weights[more] -= 1 - weights[less]
            if weights[more] < 1 {
                large.removeLast()
                small.append(more)
            }
        }
        self.entries = entries
    }

    @inline(__always)
    func choose(_ draw: UInt64, pages: UInt64) -> UInt64 {
        let entry = entries[Int(draw.multipliedFullWidth(by: pages).high)]
        return UInt64(draw & 0xffff_ffff < entry.threshold ? entry.page : entry.alias)
    }
}
