import Analysis
import Model
import Platform

/// The fidelity card: how far to trust a report. It ends every text report.
enum TextFidelity {
    static func section(_ analysis: RecordingAnalysis) -> Section {
        let fidelity = analysis.fidelity
        let info = analysis.info
        var section = Section("Fidelity")
        section.field("complete", completeness(analysis))
        let iteration = fidelity.iteration
        section.field(
            "ticks",
            "\(Units.count(fidelity.iterations)), min \(Units.duration(iteration.min)), p50 \(Units.duration(iteration.p50)), "
                + "p99 \(Units.duration(iteration.max == 0 ? 0 : iteration.p99)), max \(Units.duration(iteration.max))"
                + (fidelity.askedIntervalNs > 0 ? ", asked \(Units.duration(fidelity.askedIntervalNs))" : ""))
        for loss in fidelity.losses {
            section.field(
                "lost",
                "\(loss.kind.rawValue) × \(Units.count(loss.count)): \(Units.counted(loss.entries, "entry", "entries")) known"
                    + (loss.unknownExtent > 0 ? ", \(Units.count(loss.unknownExtent)) of unknown extent" : ""))
        }
        section.field("provisional", "\(Units.count(fidelity.provisional)) duplicates at full rings")
        section.field(
            "order",
            fidelity.hasVCPUs
                ? "within a ring \(withinRing(analysis.order)); across rings "
                    + (fidelity.orderConfidence.map { "\(Units.percent($0)) of pairs known" } ?? "nothing to compare")
                : "none: a bitmap does not say which page was written first")
        if let way = info.labels[WayIn.key] {
            section.field("way in", WayIn(rawValue: way).map(sight) ?? Sanitizer.line(way))
        }
        if let logging = info.labels[WayIn.loggingKey] { section.field("logging by", Sanitizer.line(logging)) }
        if let check = info.labels[WayIn.checkKey] { section.field("self-check", Sanitizer.line(check)) }
        if let large = largeEntries(analysis) { section.field("large pages", large) }
        if let times = times(fidelity) { section.field("times", times) }
        section.field(
            "overhead", "all vCPUs stood still \(Units.percent(fidelity.pausedShare)) of the time for harvests")
        for oracle in fidelity.oracles {
            section.field(
                "oracle",
                "\(Sanitizer.line(oracle.oracle)), \(Units.counted(oracle.iterations, "iteration", "iterations")): "
                    + "\(Units.counted(oracle.expected, "page", "pages")) expected, \(Units.count(oracle.missing)) missing, "
                    + "\(Units.count(oracle.unexplained)) unexplained, \(Units.count(oracle.silent)) silent")
        }
        if fidelity.oracles.isEmpty { section.field("oracle", "none: nothing checked these entries") }
        let pml = info.pml.map { $0 ? "PML on" : "PML off" } ?? "PML unknown"
        let nested = info.nested == true ? ", host is a virtual machine" : ""
        section.field(
            "host",
            Sanitizer.line(
                "kernel \(info.kernel.isEmpty ? "unknown" : info.kernel), "
                    + "\(info.kvmModule.isEmpty ? "KVM module unknown" : info.kvmModule), ") + pml + nested)
        if let shared = info.labels[RecordingInfo.sharedCPUsKey] {
            section.field(
                "CPUs",
                Sanitizer.line(
                    "\(shared) for \(info.vcpuCount) vCPUs: rates and stand-stills are those of vCPUs that take turns"))
        }
        if !info.capabilities.isEmpty {
            section.note(
                "Capabilities: "
                    + info.capabilities.sorted { $0.key < $1.key }.map { Sanitizer.line("\($0.key)=\($0.value)") }
                    .joined(separator: " "))
        }
        section.note(unseen(info))
        return section
    }

    static func ending(_ analysis: RecordingAnalysis) -> String {
        switch analysis.fidelity.ending {
        case .cutOff: "cut off"
        case .inProgress: "not yet: it is being recorded"
        case .clean, .failed: analysis.info.endReason?.rawValue ?? "cut off"
        }
    }

    static func completeness(_ analysis: RecordingAnalysis) -> String {
        let reasons = incompleteness(analysis)
        return reasons.isEmpty ? "yes: no known loss" : "no: " + reasons.joined(separator: "; ")
    }

    /// Why figures may be too small; empty for a complete recording.
    static func incompleteness(_ analysis: RecordingAnalysis) -> [String] {
        let fidelity = analysis.fidelity
        var reasons: [String] = []
        switch fidelity.ending {
        case .clean: break
        case .cutOff: reasons.append("the recording was cut off; its last iterations may be missing")
        case .failed: reasons.append("an error ended the recording; what came after it is missing")
        case .inProgress: reasons.append("it is being recorded; this is what is there so far")
        }
        if !fidelity.losses.isEmpty {
            reasons.append(
                "entries were lost (\(fidelity.lossesOfUnknownExtent > 0 ? "at least " : "")\(Units.count(fidelity.lost)) known): page counts are lower bounds"
            )
        }
        let missing = fidelity.oracles.reduce(Int64(0)) { $0 &+ $1.missing }
        if missing > 0 { reasons.append("an oracle misses \(Units.counted(missing, "page", "pages"))") }
        let unexplained = fidelity.oracles.reduce(Int64(0)) { $0 &+ $1.unexplained }
        if unexplained > 0 {
            reasons.append("an oracle cannot explain \(Units.counted(unexplained, "reported page", "reported pages"))")
        }
        return reasons
    }

    /// What the time of an entry says about its write, where that is not plain.
    private static func times(_ fidelity: Fidelity) -> String? {
        switch fidelity.entryTime {
        case .written: nil
        case .kicked: "exact with PML: vCPUs left the guest for a moment before each live harvest, 0 writes late"
        case .late: "PML: up to 512 writes of each vCPU came a harvest late, and are older than its interval"
        case .flushed:
            "PML: of its log's flush, up to 512 writes after the write; first touches of a page have their own"
        // Bitmaps of others have no better time either way.
        case .unknown where !fidelity.hasVCPUs: nil
        case .unknown: "of KVM's push; with PML, of which the recording says nothing, up to 512 writes after the write"
        }
    }

    /// What a way in sees and what not.
    private static func sight(_ way: WayIn) -> String {
        switch way {
        case .ring: "dirty ring, by KVM's events: each entry, numbered by KVM, so that a gap shows"
        case .bitmap:
            "bitmap, by probes on marks and masks: the first write to a page since it was last protected, and first reads of pages that were not there"
        case .masks: "bitmap, by probes on masks alone: what each harvest took, without times and vCPUs"
        case .softDirty:
            "soft-dirty bits and write faults: each page's first write by a vCPU in an iteration, with its time; what the VMM, KVM or the host wrote, without (source vmm)"
        }
    }

    private static func unseen(_ info: RecordingInfo) -> String {
        guard info.labels[WayIn.key] == WayIn.softDirty.rawValue else {
            return "Unseen: reads, and writes by the VMM or by KVM itself that they did not log."
        }
        let writers = info.labels[WayIn.unseenKey].map { "; " + Sanitizer.line($0) } ?? ""
        return
            "Unseen: reads; what the VMM wrote to pages while their bits were read and cleared; pages that it gave back to the host; devices that write by themselves\(writers)."
    }

    /// What entries that stand for several pages mean for figures.
    private static func largeEntries(_ analysis: RecordingAnalysis) -> String? {
        let (large, pages) = (analysis.fidelity.largeEntries, analysis.fidelity.mostEntryPages)
        guard large > 0 else { return nil }
        return
            "\(Units.count(large)) of \(Units.counted(analysis.counts.entries, "entry", "entries")) stand for up to \(Units.count(pages)) pages each, of which one or more were written: figures in pages and bytes are lower bounds"
    }

    private static func withinRing(_ order: Order) -> String {
        let proven = order.provenShare.map { Units.percent($0) } ?? "nothing"
        let isReversed = order.rings.contains { $0.verdict == .reversedBatches }
        return switch order.host {
        case .written: "exact"
        case .reversedBatches where order.rings.allSatisfy { $0.provenShare ?? 1 == 1 } && !isReversed: "exact"
        case .reversedBatches: "by PML batches of up to 512, backwards: \(proven) of the places can be restored"
        case .unknown where isReversed: "by batches of up to 512, backwards: \(proven) of the places can be restored"
        case .unknown: "exact unless PML before Linux 6.14 reversed it: the recording names neither, or only one"
        }
    }
}
