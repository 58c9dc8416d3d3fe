import Analysis
import Model
import Platform

/// What a text report shows of a recording beyond the analysis of its entries: every write to a watched page, and what
/// KVM counted.
package enum TextDetails {
    private static let shownWrites = 20

    /// Sections for what the recording has; empty when it has neither.
    package static func render(_ analysis: RecordingAnalysis, writes: [WatchEvent]) -> String {
        var sections: [Section] = []
        if !writes.isEmpty { sections.append(watched(writes, UInt64(max(1, analysis.info.pageSize)))) }
        if !analysis.statistics.isEmpty { sections.append(counted(analysis)) }
        return sections.map(\.text).joined(separator: "\n")
    }

    private static func watched(_ writes: [WatchEvent], _ pageSize: UInt64) -> Section {
        var section = Section("Writes to watched pages")
        var pages = Columns(["GPA of page", "writes", "vCPUs"], right: [1])
        let byPage = Dictionary(grouping: writes) { $0.gpa / pageSize }
        for (page, writes) in byPage.sorted(by: { $0.key < $1.key }).prefix(shownWrites) {
            let vcpus = Set(writes.map(\.vcpu)).sorted().map(String.init).joined(separator: ", ")
            pages.add([Text.hex(page &* pageSize), Units.count(Int64(writes.count)), vcpus])
        }
        section.table(pages)
        var first = Columns(["vCPU", "GPA", "old", "new", "RIP"], right: [0])
        for write in writes.prefix(shownWrites) {
            first.add([
                String(write.vcpu), Text.hex(write.gpa), TableFormatter.hex(write.oldValue),
                TableFormatter.hex(write.newValue), Text.hex(write.rip),
            ])
        }
        section.table(first)
        section.note(
            "The first \(min(shownWrites, writes.count)) of \(Units.count(Int64(writes.count))) writes; bytes in guest order."
                + " All: SELECT * FROM watch_event")
        return section
    }

    private static func counted(_ analysis: RecordingAnalysis) -> Section {
        var section = Section("\(Tables.statistics.title): what harvesting cost the guest")
        section.table(Tables.statistics.text(analysis.statistics.prefix(64), analysis))
        section.note("Increase over the recording; by iteration: SELECT * FROM kvm_stat")
        return section
    }
}
