import Foundation
import Import
import Store
import TestSupport

/// Damages inputs of `dirtyrec import` at random, and asks everything of what becomes of them.
enum Imports {
    private static let honest: [(ImportFormat, [UInt8])] = [
        (.text, Array(HonestFile.text.utf8)), (.events, Array(HonestFile.events.utf8)),
        (.traceCmd, HonestFile.traceDat),
    ]

    /// Inputs that were made to hurt.
    private static let hostile: [(String, ImportFormat, [UInt8])] = [
        ("4096 CPUs name one page", .traceCmd, HonestFile.traceDat(cpus: (0..<4096).map { _ in (131_072, 8192) })),
        ("CPUs overlap by half", .traceCmd, HonestFile.traceDat(cpus: [(8192, 8192), (12_288, 4096)])),
        (
            "4096 slots that overlap", .text,
            Array(("dirtyrec-text 1\n" + (0..<4096).map { "slot id=\($0) base=\($0) pages=4096\n" }.joined()).utf8)
        ),
        (
            "costs beyond any time", .text,
            Array(
                "dirtyrec-text 1\nharvest iteration=1 ts=1 scan=\(1 << 60) reset=\(1 << 60) stall=\(1 << 60) : 1\n".utf8
            )
        ),
        ("re-protected one by one", .events, oneByOne),
    ]

    /// A ring that is full of entries, and then re-protected entry by entry.
    private static var oneByOne: [UInt8] {
        let pushes = (1...60_000).map {
            " q-1 [000] .. 1.000001: kvm_dirty_ring_push: ring 0: dirty \($0) reset 0 slot 0 offset \($0 % 64) (used 1)\n"
        }
        let resets = (1...60_000).map {
            " q-1 [000] .. 1.000002: kvm_dirty_ring_reset: ring 0: dirty 60000 reset \($0) (used 0)\n"
        }
        return Array((pushes + resets).joined().utf8)
    }

    static func run(_ count: Int, in folder: String, _ interrogation: inout Interrogation, _ random: inout Seeded)
        throws
    {
        for (name, format, bytes) in hostile { try ask(name, format, bytes, folder, &interrogation) }
        for number in 0..<count where number % 4 == 3 {
            var bytes = Array(HonestFile.migration.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty { damage(&bytes, &random) }
            try askLog("migration \(number)", bytes, folder, &interrogation)
        }
        for number in 0..<count where number % 4 != 3 {
            var (format, bytes) = honest[number % honest.count]
            for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty { damage(&bytes, &random) }
            try ask("import \(number) (\(format.rawValue))", format, bytes, folder, &interrogation)
        }
    }

    private static func damage(_ bytes: inout [UInt8], _ random: inout Seeded) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<7, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0 ... .max, using: &random)
        case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 2: bytes.removeLast(bytes.count - place)
        case 3: bytes.insert(contentsOf: bytes[place...].prefix(40), at: place)
        case 4: bytes.removeSubrange(place..<min(bytes.count, place + 8))
        case 5: for next in place..<min(bytes.count, place + 8) { bytes[next] = 0xff }
        default:
            // A number of the text becomes another one.
            let digits = bytes.indices.filter { (48..<58).contains(bytes[$0]) }
            guard let digit = digits.randomElement(using: &random) else { return }
            let number = ["0", "1152921504606846976", "9223372036854775807", "4095", "99"].randomElement(using: &random)
            bytes.replaceSubrange(digit...digit, with: (number ?? "").utf8)
        }
    }

    /// The same of a migration's log beside a trace.
    private static func askLog(
        _ name: String, _ bytes: [UInt8], _ folder: String, _ interrogation: inout Interrogation
    ) throws {
        let input = folder + "/case.input"
        let path = interrogation.path
        try Files.remove(path)
        var isWhole = false
        interrogation.time(name) {
            try Data(bytes).write(to: URL(fileURLWithPath: input))
            let log = try MigrationLog.read(input)
            try Data(HonestFile.text.utf8).write(to: URL(fileURLWithPath: input))
            let source = try ImportFormat.open(input, as: .text)
            let writer = try RecordingWriter(
                path: path, info: source.info, slots: source.slots, migrations: log.observations)
            while let batch = try source.next() { try writer.commit(batch) }
            try writer.finish(reason: source.endReason, endNs: source.endNs)
            isWhole = true
        }
        guard isWhole else { return }
        guard try Verifier.verify(path: path).isEmpty else {
            throw ImportError(input, "became a recording with faults.")
        }
        try interrogation.ask(name)
    }

    /// Imports and, where that works, asks everything of the recording.
    private static func ask(
        _ name: String, _ format: ImportFormat, _ bytes: [UInt8], _ folder: String, _ interrogation: inout Interrogation
    ) throws {
        let input = folder + "/case.input"
        try Data(bytes).write(to: URL(fileURLWithPath: input))
        try Files.remove(interrogation.path)
        let path = interrogation.path
        var isWhole = false
        interrogation.time(name) {
            let source = try ImportFormat.open(input, as: format)
            let writer = try RecordingWriter(path: path, info: source.info, slots: source.slots)
            while let batch = try source.next() { try writer.commit(batch) }
            guard writer.committedIterations > 0 else { return writer.discard() }
            try writer.finish(reason: source.endReason, endNs: source.endNs)
            isWhole = true
        }
        guard isWhole else { return }
        // What was taken as sound must be sound.
        _ = try RecordingFile(path: path).counts
        guard try Verifier.verify(path: path).isEmpty else {
            throw ImportError(input, "became a recording with faults.")
        }
        try interrogation.ask(name)
    }
}
