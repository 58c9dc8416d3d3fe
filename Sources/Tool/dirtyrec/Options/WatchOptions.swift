import ArgumentParser
import Recorder

/// Pages of which every write is stored.
struct WatchOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Store every write to these pages, as GPA or GPA..GPA (inclusive), several separated by commas; rip is the writing instruction of a workload, of other guests the next one.",
            valueName: "ranges"))
    var watch: String?

    @Option(
        help: ArgumentHelp(
            "Watch pages from a time on, or no longer: TIME:add=GPA..GPA or TIME:remove=GPA..GPA; may be repeated.",
            valueName: "event"))
    var watchEvent: [String] = []

    func apply(to plan: inout RecordPlan) throws {
        if let watch { plan.watch = try WatchRange.parse(watch) }
        plan.slotEvents += try watchEvent.map(SlotEvent.init(parsingWatch:))
    }
}
