import ArgumentParser
import Recorder

/// Options that walk into a trap of KVM's on purpose, to see what becomes of a recording.
struct TrapOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A test option: this page never comes (userfaultfd), and a vCPU that touches it waits in its fault.",
            valueName: "gpa"))
    var stallPage: String?

    @Option(
        help: ArgumentHelp(
            "A test option: KVM itself writes a page while no vCPU runs, TIME:shared-info=GPA or TIME:wall-clock=GPA; may be repeated. Needs --verify.",
            valueName: "event"))
    var kvmWrite: [String] = []

    func apply(to plan: inout RecordPlan) throws {
        if let stallPage {
            guard let address = GuestAddress(parsing: stallPage) else {
                throw ValidationError(
                    "--stall-page \(stallPage) is not usable: write a guest physical address such as 0x100000000.")
            }
            plan.stallPage = address.value
        }
        plan.kvmWrites = try kvmWrite.map(KVMWrite.init(parsing:))
    }
}
