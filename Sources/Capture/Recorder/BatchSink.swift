import Model

/// Takes finished iterations for good; a recording's file, or a list in a test.
package protocol BatchSink: AnyObject, Sendable {
    /// Stores one iteration as a whole; its parts, if it comes in parts, become visible together.
    func commit(_ batch: IterationBatch) throws
}
