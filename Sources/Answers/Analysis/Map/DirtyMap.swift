import Model

/// GFN × time × vCPU, counted in entries: what a picture of a recording shows.
///
/// Bounded however long the recording is: at most ``Limits/cells`` cells a layer, ``Limits/counters`` in all.
package struct DirtyMap: Sendable, Equatable {
    /// How large a map may become.
    package struct Limits: Sendable, Equatable {
        /// Rows times columns.
        package var cells = 2_000_000
        /// Rows times columns times layers: 4 bytes each.
        package var counters = 4_000_000
        package var rows = 2048
        /// Layers of their own; further vCPUs share one more.
        package var layers = 16

        /// 2 M cells, 16 MB.
        package init() {}
    }

    /// Entries of one vCPU, of a source without vCPUs, or of all that have no layer of their own.
    package struct Layer: Sendable, Equatable {
        package var name: String
        /// The vCPU, if it is one.
        package var vcpu: Int?
        /// Row by row, ``DirtyMap/columns`` counters each.
        package var counts: [UInt32]
    }

    package private(set) var axis: MapAxis
    /// One a vCPU, the busiest ``Limits/layers``, in the order of their numbers.
    package private(set) var layers: [Layer]
    /// Stretches of time: the timeline's.
    package let course: [CourseColumn]
    /// Iterations in a column; the last column may hold fewer.
    package let iterationsPerColumn: Int64
    package var columns: Int { course.count }

    fileprivate init(
        _ axis: MapAxis, _ layers: [Layer], course: [CourseColumn], iterationsPerColumn: Int64
    ) {
        (self.axis, self.layers, self.course) = (axis, layers, course)
        self.iterationsPerColumn = iterationsPerColumn
    }

    /// The same map with half as many rows: for when its picture would be too large.
    package func coarser() -> DirtyMap {
        var result = self
        result.axis = axis.coarser()
        for layer in layers.indices {
            var counts = [UInt32](repeating: 0, count: result.axis.rows * columns)
            for (old, new) in zip(axis.segments, result.axis.segments) {
                for row in 0..<old.rows {
                    let source = (old.firstRow + row) * columns
                    let target = (new.firstRow + row / 2) * columns
                    for column in 0..<columns { counts[target + column] &+= layers[layer].counts[source + column] }
                }
            }
            result.layers[layer].counts = counts
        }
        return result
    }
}

/// What must be known of a recording before its map can be filled: which blocks are dirty, how many iterations there are, which rings
/// are the busiest.
package struct MapOutline: Sendable {
    static let blockPages: UInt64 = 64
    /// Numbers of blocks of ``blockPages`` pages, ascending.
    let blocks: [UInt64]
    let iterations: Int
    let startNs: Int64
    private let rings: [RingUse]

    init(_ gathered: Gathered) {
        var found = PageIndex()
        gathered.pass.pages.forEachPage { gfn, _ in _ = found.insert(gfn / Self.blockPages) }
        blocks = found.gfns.sorted()
        iterations = gathered.pass.iterations
        startNs = gathered.pass.startNs ?? 0
        rings = gathered.rings
    }

    /// As the timeline merges: the least power of two that leaves at most its capacity.
    var iterationsPerColumn: Int {
        var width = 1
        while (iterations + width - 1) / width > Timeline.capacity { width *= 2 }
        return width
    }

    /// The busiest rings, a layer each; all others share one more.
    func layering(limit: Int) -> (names: [(name: String, vcpu: Int?)], layerOf: [Int32: Int]) {
        let busiest = rings.map { (ring: $0, name: $0.vcpu.map { "vCPU \($0)" } ?? $0.source.rawValue) }
            .sorted { ($1.ring.duplicates.entries, $0.name) < ($0.ring.duplicates.entries, $1.name) }
        let own = busiest.prefix(limit).sorted {
            ($0.ring.vcpu ?? .max, $0.name) < ($1.ring.vcpu ?? .max, $1.name)
        }
        var names = own.map { ($0.name, $0.ring.vcpu) }
        var layerOf: [Int32: Int] = [:]
        for (layer, own) in own.enumerated() { layerOf[own.ring.number] = layer }
        if busiest.count > limit {
            for other in busiest.dropFirst(limit) { layerOf[other.ring.number] = names.count }
            names.append(("\(busiest.count - limit) others", nil))
        }
        return (names, layerOf)
    }
}

/// Fills a map in one pass.
package struct MapFiller: RecordingVisitor {
    private let axis: MapAxis
    private let columns: Int
    private let iterationsPerColumn: Int
    private let names: [(name: String, vcpu: Int?)]
    private let layerOf: [Int32: Int]
    private var counts: [[UInt32]]
    private var course: [CourseColumn] = []
    private var completed = 0
    private var endNs: Int64
    private var segment = 0

    /// - Parameters:
    ///   - outline: of the recording that will be read.
    ///   - slots: all its slots.
    package init(_ outline: MapOutline, slots: [MemorySlot], limits: DirtyMap.Limits = .init()) {
        iterationsPerColumn = outline.iterationsPerColumn
        columns = max(1, (outline.iterations + iterationsPerColumn - 1) / iterationsPerColumn)
        (names, layerOf) = outline.layering(limit: limits.layers)
        let layers = max(1, names.count)
        axis = MapAxis(
            blocks: outline.blocks, blockPages: MapOutline.blockPages,
            edges: slots.filter(\.logged).flatMap { [$0.baseGFN, $0.baseGFN + $0.pages] },
            maxRows: max(1, min(limits.rows, limits.cells / columns, limits.counters / columns / layers)))
        endNs = outline.startNs
        counts = Array(repeating: [UInt32](repeating: 0, count: axis.rows * columns), count: layers)
    }

    package mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws {
        guard !axis.segments.isEmpty else { return }
        let column = openColumn()
        guard let layer = layerOf[harvest.ring] else { return }
        course[column].add(harvest, layer: layer)
        course[column].endNs = max(course[column].endNs, harvest.tsNs)
        Self.add(gfns, column: column, of: columns, axis, guess: &segment, to: &counts[layer])
    }

    /// A function of its own arrays, so that the loop checks uniqueness once.
    private static func add(
        _ gfns: [GFN], column: Int, of columns: Int, _ axis: MapAxis, guess: inout Int, to counts: inout [UInt32]
    ) {
        for gfn in gfns { counts[axis.row(of: gfn, guess: &guess) * columns + column] &+= 1 }
    }

    package mutating func visit(_ iteration: Iteration) throws {
        guard !axis.segments.isEmpty else { return }
        let column = openColumn()
        course[column].add(iteration)
        endNs = course[column].endNs
        completed += 1
    }

    /// The column of the iteration in progress.
    private mutating func openColumn() -> Int {
        let column = completed / iterationsPerColumn
        if column == course.count {
            course.append(
                CourseColumn(
                    firstIteration: Int64(completed + 1), startNs: endNs, endNs: endNs,
                    entries: Array(repeating: 0, count: counts.count)))
        }
        return column
    }

    package var map: DirtyMap {
        DirtyMap(
            axis, zip(names, counts).map { DirtyMap.Layer(name: $0.name, vcpu: $0.vcpu, counts: $1) }, course: course,
            iterationsPerColumn: Int64(iterationsPerColumn))
    }
}
