import Model

/// The forms in which a recording can be brought in.
package enum ImportFormat: String, CaseIterable, Sendable {
    /// dirtyrec's own text.
    case text
    /// Text of ring events: ftrace, `trace-cmd report`, `perf script`.
    case events
    /// A binary file of trace-cmd.
    case traceCmd = "trace-cmd"
    /// Diffs of snapshots: the pages of one iteration each, with holes between.
    case sparse
    /// Full images of guest memory: each is compared with the one before.
    case images
    /// Dirty bitmaps as KVM gives them.
    case bitmaps

    /// How files of snapshots are read; nil for what is a single file.
    package var snapshots: SnapshotImport.Kind? {
        switch self {
        case .sparse: .sparse
        case .images: .images
        case .bitmaps: .bitmaps
        case .text, .events, .traceCmd: nil
        }
    }

    /// Opens a file or a pipe.
    ///
    /// - Parameters:
    ///   - path: `-` is standard input.
    ///   - format: What it is; nil: what its first bytes look like.
    ///   - threads: Which threads' events count; empty: all. Not for `text`.
    /// - Throws: ``ImportError``.
    package static func open(
        _ path: String, as format: ImportFormat? = nil, threads: Set<Int> = [], intervalNs: Int64 = 100_000_000
    ) throws -> any ImportSource {
        let input = try ImportInput(path)
        switch format ?? guess(input.head) {
        case .text: return try TextFormat(input)
        case .sparse: return try SnapshotImport([path], as: .sparse, intervalNs: intervalNs, pageSize: 4096)
        case .images: return try SnapshotImport([path], as: .images, intervalNs: intervalNs, pageSize: 4096)
        case .bitmaps: return try SnapshotImport([path], as: .bitmaps, intervalNs: intervalNs, pageSize: 4096)
        case .events:
            // Events are read twice.
            try input.makeSeekable()
            return try EventImport(input.path, threads: threads, intervalNs: intervalNs) { EventText(input) }
        case .traceCmd:
            try input.makeSeekable()
            let file = try TraceDat(input)
            return try EventImport(input.path, threads: threads, intervalNs: intervalNs) { file.events() }
        }
    }

    private static func guess(_ head: [UInt8]) -> ImportFormat {
        if head.starts(with: TraceDat.magic) { return .traceCmd }
        return head.isEmpty || String(decoding: head, as: UTF8.self).contains("dirtyrec-text") ? .text : .events
    }
}
