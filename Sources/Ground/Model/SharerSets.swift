/// Which rings reported a page in the iteration in progress: sets of rings, each kept once however many pages share it.
///
/// A set is a node of a tree, its members are the rings on the way to the root in the order in which they reported. So a
/// page that 256 vCPUs report costs 256 steps, and its 32,640 pairs are counted once for all pages with these reporters.
package struct SharerSets: Sendable {
    /// Nodes from which on the tree should begin anew.
    private static let mostNodes = 1 << 12
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

    /// No set.
    package init() {}

    /// The set of one ring.
    package mutating func only(_ ring: UInt16) -> UInt32 {
        while single.count <= Int(ring) { single.append(Self.none) }
        if single[Int(ring)] == Self.none {
            single[Int(ring)] = UInt32(nodes.count)
            nodes.append(Node(ring: ring, rest: Self.none, arrivals: 0))
        }
        return single[Int(ring)]
    }

    /// The set that a page's `set` becomes when `ring` reports it too; `set` itself when it had.
    package mutating func adding(_ ring: UInt16, to set: UInt32) -> UInt32 {
        let step = Step(set: set, ring: ring)
        // Neighbouring pages mostly have the same history.
        if lastStep.0 != step { lastStep = (step, steps[step] ?? make(step)) }
        let result = lastStep.1
        if result != set { nodes[Int(result)].arrivals += 1 }
        return result
    }

    /// Whether a set has but one ring.
    package func isSingle(_ set: UInt32) -> Bool { nodes[Int(set)].rest == Self.none }

    /// The ring of a set that reported first.
    package func first(of set: UInt32) -> UInt16 {
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

    /// Whether there are so many sets that they should be forgotten when an iteration ends: none is needed beyond it.
    package var areMany: Bool { nodes.count > Self.mostNodes }

    /// Calls `body` for each two rings of a set, with the number of pages that came to it by the former.
    package func forEachPair(_ body: (_ ring: UInt16, _ other: UInt16, _ pages: Int64) -> Void) {
        for node in nodes where node.arrivals > 0 {
            for other in members(of: node.rest) { body(node.ring, other, node.arrivals) }
        }
    }

    /// Forgets all sets.
    package mutating func removeAll() {
        nodes.removeAll(keepingCapacity: true)
        single.removeAll(keepingCapacity: true)
        steps.removeAll(keepingCapacity: true)
        lastStep = (Step(set: Self.none, ring: 0), Self.none)
    }
}
