import Model

/// The last stretch of a recording that is being made, as a recording for those who ask everything of it.
package struct RecordingSoFar: Recording {
    private let stretch: MemoryRecording
    package let losses: [Loss]
    package let markers: [Marker]

    /// - Parameters:
    ///   - losses: Of the whole recording: what is lost is not trusted, whenever it was.
    ///   - markers: Of the whole recording; those before the stretch are left out.
    package init(
        _ stretch: RecentStretch, _ info: RecordingInfo, slots: [MemorySlot], losses: [Loss], markers: [Marker]
    ) {
        var info = info
        // Times on axes and diffs count from the first iteration that there is.
        if !stretch.isWhole { info.startNs = stretch.startNs ?? info.startNs }
        self.stretch = stretch.recording(info, slots: slots)
        self.losses = losses
        self.markers = markers.filter { $0.tsNs >= info.startNs }
    }

    package var info: RecordingInfo { stretch.info }
    package var slots: [MemorySlot] { stretch.slots }
    package var isInProgress: Bool { true }
    package var stops: [StopLatency] { stretch.stops }
    package var verdicts: [OracleVerdict] { stretch.verdicts }

    package func replay(into visitor: inout some RecordingVisitor) throws { try stretch.replay(into: &visitor) }
}
