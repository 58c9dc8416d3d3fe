import ArgumentParser
import Foundation

/// A file or stdout, written in large pieces.
final class BufferedOutput {
    private static let pieceSize = 1 << 16
    private let handle: FileHandle
    private var waiting = Data()
    private var failure: (any Error)?

    init(_ handle: FileHandle = .standardOutput) { self.handle = handle }

    func write(_ text: String) {
        waiting.append(contentsOf: text.utf8)
        if waiting.count >= Self.pieceSize { flush() }
    }

    func flush() {
        if failure == nil {
            do { try handle.write(contentsOf: waiting) } catch { failure = error }
        }
        waiting.removeAll(keepingCapacity: true)
    }

    /// Throws what went wrong while writing, if something did.
    func check() throws {
        if failure != nil { throw ValidationError("Writing the output failed: make room on the disk, then try again.") }
    }
}
