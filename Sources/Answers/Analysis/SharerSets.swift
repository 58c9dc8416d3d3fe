/// Which rings reported a page in the iteration in progress: sets of rings, each kept once however many pages share it.
///
/// A set is a node of a tree, its members are the rings on the way to the root in the order in which they reported. So a
/// page that 256 vCPUs report costs 256 steps, and its 32,640 pairs are counted once for all pages with these reporters.
struct SharerSets: Sendable {
    /// Rings beyond this many are not told apart in the sharing matrix.
    static let matrixRings = 512
    /// Nodes from which on pairs are counted and the tree begins anew, at the end of an iteration.
    private static let mostNodes = 1 << 16
    private static let none = UInt32.max

    private struct Node {
        var ring: UInt16
        /// The set without this ring.
        var rest: UInt32
        /// Pages that came to this set since it was made.
        var arrivals: Int64
    }
    private struct Step: Hashable {
        var set: UInt32
        var ring: UInt16
    }

    private var nodes: [Node] = []
    /// Sets of one ring, by ring.
    private var single: [UInt32] = []
    /// The set that a set becomes with a ring: itself when it is a member.
    private var steps: [Step: UInt32] = [:]
    private var lastStep = (Step(set: none, ring: 0), none)
    /// pairs[b(b−1)/2 + a], a < b: pages reported by both rings in one iteration, summed over iterations.
    private var pairs: [Int64] = []

    /// The set of one ring.
    mutating func only(_ ring: UInt16) -> UInt32 {
        while single.count <= Int(ring) { single.append(Self.none) }
        if single[Int(ring)] == Self.none {
            single[Int(ring)] = UInt32(nodes.count)
            nodes.append(Node(ring: ring, rest: Self.none, arrivals: 0))
        }
        return single[Int(ring)]
    }

    /// The set that a page's `set` becomes when `ring` reports it too; `set` itself when it had.
    mutating func adding(_ ring: UInt16, to set: UInt32) -> UInt32 {
        let step = Step(set: set, ring: ring)
        // Neighbouring pages mostly have the same history.
        if lastStep.0 != step { lastStep = (step, steps[step] ?? make(step)) }
        let result = lastStep.1
        if result != set { nodes[Int(result)].arrivals += 1 }
        return result
    }

    /// Whether a set has but one ring.
    func isSingle(_ set: UInt32) -> Bool { nodes[Int(set)].rest == Self.none }

    /// The ring of a set that reported first.
    func first(of set: UInt32) -> UInt16 {
        var node = nodes[Int(set)]
        while node.rest != Self.none { node = nodes[Int(node.rest)] }
        return node.ring
    }

    private mutating func make(_ step: Step) -> UInt32 {
        var result = UInt32(nodes.count)
        if members(of: step.set).contains(step.ring) {
            result = step.set
        } else {
            nodes.append(Node(ring: step.ring, rest: step.set, arrivals: 0))
        }
        steps[step] = result
        return result
    }

    private func members(of set: UInt32) -> some Sequence<UInt16> {
        sequence(state: set) { place in
            guard place != Self.none else { return nil }
            let node = nodes[Int(place)]
            place = node.rest
            return node.ring
        }
    }

    /// Forgets all sets when there are many: none is needed beyond its iteration.
    mutating func endIteration() {
        if nodes.count > Self.mostNodes { countPairs() }
    }

    /// Counts the pairs of all pages, and forgets all sets.
    mutating func countPairs() {
        for node in nodes where node.arrivals > 0 && Int(node.ring) < Self.matrixRings {
            for other in members(of: node.rest) where Int(other) < Self.matrixRings {
                let place = Self.place(Int(node.ring), Int(other))
                if place >= pairs.count { pairs.append(contentsOf: repeatElement(0, count: place + 1 - pairs.count)) }
                pairs[place] += node.arrivals
            }
        }
        nodes.removeAll(keepingCapacity: true)
        single.removeAll(keepingCapacity: true)
        steps.removeAll(keepingCapacity: true)
        lastStep = (Step(set: Self.none, ring: 0), Self.none)
    }

    /// Pages reported by both rings in one iteration, summed over iterations, as far as counted. 0 beyond ``matrixRings``.
    func pages(_ one: Int, _ other: Int) -> Int64 {
        let place = Self.place(one, other)
        return one == other || max(one, other) >= Self.matrixRings || place >= pairs.count ? 0 : pairs[place]
    }

    private static func place(_ one: Int, _ other: Int) -> Int {
        let high = max(one, other)
        return high * (high - 1) / 2 + min(one, other)
    }
}
