import Glibc
import Model

/// The forms in which a recording can be brought in.
package enum ImportFormat: String, CaseIterable, Sendable {
    /// dirtyrec's own text.
    case text
    /// Text of ring events: ftrace, `trace-cmd report`, `perf script`.
    case events
    /// A binary file of trace-cmd.
    case traceCmd = "trace-cmd"

    /// What a file looks like by its first bytes.
    package static func guess(_ path: String) -> ImportFormat {
        let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return .text }
        defer { close(descriptor) }
        var head = [UInt8](repeating: 0, count: 16)
        let count = unsafe head.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, $0.count, 0) }
        if head.starts(with: TraceDat.magic) { return .traceCmd }
        return count > 0 && !head.starts(with: "dirtyrec-text".utf8) ? .events : .text
    }

    /// Opens a file of this form.
    ///
    /// - Parameter threads: Which threads' events count; empty: all. Not for `text`.
    /// - Throws: ``ImportError``.
    package func open(_ path: String, threads: Set<Int> = [], intervalNs: Int64 = 100_000_000) throws
        -> any ImportSource
    {
        switch self {
        case .text: return try TextFormat(path: path)
        case .events:
            guard path != "-" else {
                throw ImportError("standard input", "a trace is read twice; store it in a file first.")
            }
            return try EventImport(path: path, threads: threads, intervalNs: intervalNs) { try EventText(path: path) }
        case .traceCmd:
            let file = try TraceDat(path: path)
            return try EventImport(path: path, threads: threads, intervalNs: intervalNs) { try file.events() }
        }
    }
}
