import Analysis
import Model

package enum TextSnapshots {
    package static func render(_ report: SnapshotReport) -> String {
        ([summary(report)] + cadences(report) + [contents(report), chains(report), stability(report), forks(report)])
            .filter {
                !$0.lines.isEmpty
            }.map(\.text)
            .joined(separator: "\n")
    }

    private static func summary(_ report: SnapshotReport) -> Section {
        var section = Section("Snapshots")
        let cost = report.options.cost
        section.field(
            "full snapshot",
            "\(Units.size(report.fullBytes)) (\(TextConvergence.basis(report.memoryBasis))), \(Units.duration(report.fullNs))"
        )
        section.field(
            "cost",
            "\(Units.duration(cost.baseNs)) a snapshot, \(Units.duration(cost.perExtentNs)) an extent, "
                + "\(Units.dataRate(Double(cost.bytesPerSecond))) written")
        if report.options.coalesce > 0 {
            section.field("coalesced", "clean gaps of at most \(Units.size(report.options.coalesce)) are written too")
        }
        if report.sizes.isEmpty {
            section.note(
                report.options.blocks.isEmpty
                    ? "No block: give sizes that are multiples of the recording's page size, "
                        + "\(Units.size(report.pageSize))." : "No diff: the recording is shorter than any cadence.")
        }
        for cadence in report.unfinishedNs where !report.options.blocks.isEmpty {
            section.note("Every \(Units.duration(cadence)): the recording is shorter than that.")
        }
        if report.losses > 0 {
            section.note(
                "Entries were lost (\(Units.counted(report.losses, "loss", "losses"))): a real diff may hold more than this."
            )
        }
        return section
    }

    private static func cadences(_ report: SnapshotReport) -> [Section] {
        var sections: [Section] = []
        for cadence in report.options.cadencesNs ?? [] {
            let sizes = report.sizes.filter { $0.cadenceNs == cadence }
            guard let any = sizes.first else { continue }
            let span = Text.bracket(any.leastNs, any.mostNs, Units.duration)
            var section = Section(
                "Every \(Units.duration(cadence)): \(Units.counted(any.count, "diff", "diffs")), \(span) apart")
            section.table(Tables.snapshotSizes.text(sizes, report))
            sections.append(section)
        }
        if var last = sections.popLast() {
            last.note(
                "Diffs begin and end with iterations, so that their figures are exact. Full from: the share of memory in dirty blocks "
                    + "from which on a full snapshot takes no longer. Rebase every: diffs until restoring reads twice the guest."
            )
            sections.append(last)
        }
        return sections
    }

    private static func contents(_ report: SnapshotReport) -> Section {
        var section = Section(Tables.contents.title)
        guard let any = report.contents.first else { return section }
        section.table(Tables.contents.text(report))
        section.note(
            any.looked == any.pages
                ? "Every page was looked at."
                : "From a sample of the pages: in 95 of 100 samples the truth is within ±.")
        if report.looksFailed > 0 {
            section.note(
                "\(Units.counted(report.looksFailed, "look", "looks")) at pages of the sample failed; those pages are taken to be like the others."
            )
        }
        if report.looksEarly > 0 {
            section.note(
                "\(Units.counted(report.looksEarly, "look", "looks")) came before the VMM had protected the page again: some changes count for the next diff that has the page."
            )
        }
        return section
    }

    private static func chains(_ report: SnapshotReport) -> Section {
        // The smallest block alone: the JSON has every one.
        let smallest = report.options.blocks.min()
        let rows = report.chains.filter { $0.block == smallest }
        var section = Section(Tables.snapshotChains.title)
        guard !rows.isEmpty else { return section }
        section.table(Tables.snapshotChains.text(rows, report))
        return section
    }

    private static func stability(_ report: SnapshotReport) -> Section {
        var section = Section(Tables.stability.title)
        guard !report.stability.isEmpty else { return section }
        section.table(Tables.stability.text(report))
        for cadence in report.options.cadencesNs ?? [] {
            guard let best = report.ranked(cadence).first, best.hits > 0 else { continue }
            section.note(
                "Every \(Units.duration(cadence)), best by precision and recall together: \(best.policy.name).")
        }
        return section
    }

    private static func forks(_ report: SnapshotReport) -> Section {
        var section = Section(Tables.forks.title)
        guard !report.forks.isEmpty else { return section }
        section.table(Tables.forks.text(report))
        section.note(
            "Memory of the base and \(Units.counted(report.options.forks, "fork", "forks")): on average where they do different "
                + "things, at p95 where all do the same at once.")
        return section
    }
}

/// The file of `dirtyrec snapshots --prefetch`: lines of a guest physical address and a length in bytes.
package enum PrefetchText {
    package static func render(_ list: PrefetchList, pageSize: Int64) -> String {
        let policy = list.policy
        var text = """
            # dirtyrec-prefetch 1
            # policy \(policy.policy.name), every \(policy.cadenceNs) ns, after \(policy.diffs + 1) diffs
            # order \(list.isByTime ? "first write" : "address")
            # pages \(list.pages) of \(pageSize) bytes

            """
        for range in list.ranges {
            text += "\(Text.hex(range.first &* UInt64(pageSize))) \(range.pages * pageSize)\n"
        }
        return text
    }
}
