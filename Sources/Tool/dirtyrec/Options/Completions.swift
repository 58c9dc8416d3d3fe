import Analysis
import ArgumentParser
import Guests
import Model
import Store

/// What the Tab key of bash, zsh and fish offers. Names that only the binary knows are asked of it when the key is pressed.
extension CompletionKind {
    /// A recording, or where one is to be.
    static var recording: CompletionKind { .file(extensions: ["db"]) }

    /// Where a page is to be.
    static var page: CompletionKind { .file(extensions: ["html"]) }

    /// A domain of libvirt's that runs.
    static var domain: CompletionKind { .shellCommand("virsh --readonly --quiet list --name 2>/dev/null") }

    /// A workload's name; what it takes is typed behind a colon.
    static var workload: CompletionKind { .list(Workload.Kind.allCases.map(\.rawValue)) }

    /// A question about one recording.
    static var namedQuery: CompletionKind { .custom { _, _, _ in NamedQuery.all.map(\.name) } }

    /// A question about many recordings.
    static var fleetQuery: CompletionKind { .custom { _, _, _ in NamedQuery.fleet.map(\.name) } }

    /// A condition on a figure that every recording has, with a limit to be changed.
    static var gate: CompletionKind {
        .custom { _, _, _ in
            // What figures there are is for the analysis to say: one empty second has them.
            let iteration = Iteration(id: 1, startNs: 0, endNs: 1_000_000_000)
            let analysis = try? Analyzer.analyze(MemoryRecording(batches: [IterationBatch(iteration: iteration)]))
            return (analysis?.figures ?? []).map(\.name).filter { !$0.contains("[") }.map { "\($0)>+10%" }
        }
    }
}
