import Foundation
import Model

/// What tools said of a guest's migrations, read from a log in which their words stand in any order (docs/import.md): QEMU's monitor as
/// text and as QMP, `virsh`, virt-launcher, Cloud Hypervisor, Proxmox VE. Lines that are none of these are passed over.
package struct MigrationLog: Sendable {
    package private(set) var observations: [MigrationObservation] = []
    /// When its first time was, in nanoseconds since 1970; nil when the log says no time, or not of which zone.
    package private(set) var wallNs: Int64?
    /// Nanoseconds from its first time to its last, or that the longest migration took, where that is more.
    package var endNs: Int64 { observations.reduce(0) { max($0, $1.tsNs ?? 0, $1.elapsedNs ?? 0) } }

    private var firstTime: LogTime?
    /// What each tool said last of the migration in progress.
    private var latest: [MigrationObservation.Tool: MigrationObservation] = [:]
    private var isOver = false
    private var attempt: Int64 = 1
    private var otherBytes = 0

    /// Bytes that ``MigrationObservation/other`` may add up to.
    private static let mostOtherBytes = 64 << 20

    /// Reads a file or a pipe to its end; `-` is standard input.
    ///
    /// - Throws: ``ImportError``, also when it says nothing of a migration.
    package static func read(_ path: String) throws(ImportError) -> MigrationLog {
        let lines = LineReader(try ImportInput(path))
        var log = MigrationLog()
        var documents = JSONDocuments()
        var block = MigrationBlock()
        // A time alone on a line belongs to what follows.
        var alone: LogTime?
        while let bytes = try lines.next() {
            let line = Int64(lines.number)
            if documents.isOpen || documents.mayBegin(bytes) {
                try log.add(block.end(), lines)
                try log.add(documents.add(bytes, lines, alone), lines)
                continue
            }
            guard bytes.count <= MigrationText.longestLine else { continue }
            let plain = MigrationText.plain(bytes)
            let (time, text) = LogTime.split(String(decoding: plain, as: UTF8.self))
            if time != nil, documents.mayBegin(Array(text.utf8)[...]) {
                try log.add(block.end(), lines)
                try log.add(documents.add(Array(text.utf8)[...], lines, time), lines)
                continue
            }
            if MigrationText.mayTell(plain), let found = MigrationText.observation(text, line) {
                try log.add(block.end(), lines)
                try log.add([MigrationFinding(found, time ?? alone)], lines)
                continue
            }
            if text.isEmpty, time != nil { alone = time }
            try log.add(block.add(text, line, time ?? alone), lines)
        }
        try log.add(block.end(), lines)
        guard !log.observations.isEmpty else {
            throw ImportError(
                lines.path,
                documents.isOpen
                    ? "ends within its JSON; let it be written to its end."
                    : "says nothing of a migration; docs/import.md has the forms.")
        }
        return log
    }

    private mutating func add(_ findings: [MigrationFinding], _ lines: LineReader) throws(ImportError) {
        for finding in findings {
            var observation = finding.observation
            observation.tsNs = place(finding.time)
            number(&observation)
            otherBytes += observation.other?.utf8.count ?? 0
            guard observations.count < MigrationObservation.most, otherBytes <= Self.mostOtherBytes else {
                throw lines.error(
                    "holds more than \(MigrationObservation.most) observations, or very long ones; import a part of it."
                )
            }
            observations.append(observation)
        }
    }

    /// Nanoseconds since the first time; nil of another clock, and before the first.
    private mutating func place(_ time: LogTime?) -> Int64? {
        guard let time else { return nil }
        if firstTime == nil {
            firstTime = time
            wallNs = time.clock == .wall ? time.ns : nil
        }
        guard let first = firstTime, first.isComparable(to: time), time.ns >= first.ns,
            time.ns - first.ns <= ImportLimits.largestTime
        else { return nil }
        return time.ns - first.ns
    }

    /// Another migration begins when one was over and something moves again, or when what only rises fell.
    private mutating func number(_ observation: inout MigrationObservation) {
        let before = latest[observation.tool]
        func fell(_ figure: KeyPath<MigrationObservation, Int64?>) -> Bool {
            guard let then = before?[keyPath: figure], let now = observation[keyPath: figure] else { return false }
            return now < then
        }
        if isOver && observation.isUnderWay || fell(\.elapsedNs) || fell(\.transferredBytes) {
            attempt += 1
            latest = [:]
            isOver = false
        }
        isOver = isOver || observation.isOver
        observation.attempt = attempt
        var known = latest[observation.tool] ?? observation
        known.elapsedNs = observation.elapsedNs ?? known.elapsedNs
        known.transferredBytes = observation.transferredBytes ?? known.transferredBytes
        latest[observation.tool] = known
    }
}

/// An observation, and the time that its log gives it.
struct MigrationFinding {
    var observation: MigrationObservation
    var time: LogTime?

    init(_ observation: MigrationObservation, _ time: LogTime?) { (self.observation, self.time) = (observation, time) }
}
