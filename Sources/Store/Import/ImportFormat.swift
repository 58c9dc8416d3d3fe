import Model

/// The forms in which a recording can be brought in.
package enum ImportFormat: String, CaseIterable, Sendable {
    /// dirtyrec's own text.
    case text
    /// Text of ring events: ftrace, `trace-cmd report`, `perf script`.
    case events
    /// A binary file of trace-cmd.
    case traceCmd = "trace-cmd"

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
