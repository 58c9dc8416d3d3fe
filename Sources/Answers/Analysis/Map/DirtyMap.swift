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

    /// Reads `recording` twice: where pages were dirtied, then how often.
    ///
    /// - Throws: whatever reading the recording throws.
    package init(_ recording: some Recording, limits: Limits = Limits()) throws {
        var survey = MapSurvey()
        try recording.replay(into: &survey)
        survey.finish()
        let columns = max(1, (survey.iterations + survey.iterationsPerColumn - 1) / survey.iterationsPerColumn)
        let layering = survey.layering(limit: limits.layers)
        let layerCount = max(1, layering.names.count)
        let edges = try recording.slots.filter(\.logged).flatMap { [$0.baseGFN, $0.baseGFN + $0.pages] }
        axis = MapAxis(
            blocks: survey.blocks.gfns.sorted(), blockPages: MapSurvey.blockPages, edges: edges,
            maxRows: max(1, min(limits.rows, limits.cells / columns, limits.counters / columns / layerCount)))
        var filler = MapFiller(
            axis: axis, columns: columns, iterationsPerColumn: survey.iterationsPerColumn, layerOf: layering.layerOf,
            layers: layerCount, startNs: survey.startNs)
        if !axis.segments.isEmpty { try recording.replay(into: &filler) }
        layers = zip(layering.names, filler.counts).map { Layer(name: $0.name, vcpu: $0.vcpu, counts: $1) }
        course = filler.finish()
        iterationsPerColumn = Int64(survey.iterationsPerColumn)
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

/// The first pass: which blocks are dirty, how many iterations there are, which rings are the busiest.
private struct MapSurvey: RecordingVisitor {
    static let blockPages: UInt64 = 64
    var blocks = PageIndex()
    var iterations = 0
    var startNs: Int64 = 0
    private var rings: [Int32: (name: String, vcpu: Int?, entries: Int)] = [:]
    private var isOpen = false

    /// As the timeline merges: the least power of two that leaves at most its capacity.
    var iterationsPerColumn: Int {
        var width = 1
        while (iterations + width - 1) / width > Timeline.capacity { width *= 2 }
        return width
    }

    mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws {
        isOpen = true
        if iterations == 0, startNs == 0 { startNs = harvest.sinceNs }
        for gfn in gfns { _ = blocks.insert(gfn / Self.blockPages) }
        let name = harvest.vcpu.map { "vCPU \($0)" } ?? harvest.source.rawValue
        rings[harvest.ring, default: (name, harvest.vcpu, 0)].entries += gfns.count
    }

    mutating func visit(_ iteration: Iteration) throws {
        if iterations == 0 { startNs = iteration.startNs }
        iterations += 1
        isOpen = false
    }

    mutating func finish() { if isOpen { iterations += 1 } }

    /// The busiest rings by number, a layer each; all others share one more.
    func layering(limit: Int) -> (names: [(name: String, vcpu: Int?)], layerOf: [Int32: Int]) {
        let busiest = rings.sorted { ($1.value.entries, $0.value.name) < ($0.value.entries, $1.value.name) }
        let own = busiest.prefix(limit).sorted {
            ($0.value.vcpu ?? .max, $0.value.name) < ($1.value.vcpu ?? .max, $1.value.name)
        }
        var names = own.map { ($0.value.name, $0.value.vcpu) }
        var layerOf: [Int32: Int] = [:]
        for (layer, ring) in own.enumerated() { layerOf[ring.key] = layer }
        if busiest.count > limit {
            for ring in busiest.dropFirst(limit) { layerOf[ring.key] = names.count }
            names.append(("\(busiest.count - limit) others", nil))
        }
        return (names, layerOf)
    }
}

/// The second pass: counts.
private struct MapFiller: RecordingVisitor {
    let axis: MapAxis
    let columns: Int
    let iterationsPerColumn: Int
    let layerOf: [Int32: Int]
    private(set) var counts: [[UInt32]]
    private var course: [CourseColumn] = []
    private let layers: Int
    private var completed = 0
    private var endNs: Int64
    private var segment = 0

    init(
        axis: MapAxis, columns: Int, iterationsPerColumn: Int, layerOf: [Int32: Int], layers: Int, startNs: Int64
    ) {
        self.axis = axis
        self.columns = columns
        self.iterationsPerColumn = iterationsPerColumn
        self.layerOf = layerOf
        self.layers = layers
        endNs = startNs
        counts = Array(repeating: [UInt32](repeating: 0, count: axis.rows * columns), count: layers)
    }

    mutating func visit(_ harvest: Harvest, gfns: [GFN]) throws {
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

    mutating func visit(_ iteration: Iteration) throws {
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
                    entries: Array(repeating: 0, count: layers)))
        }
        return column
    }

    func finish() -> [CourseColumn] { course }
}
