import ArgumentParser
import Foundation
import Guests

/// What runs in the virtual machine.
struct GuestOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("Built-in workload, as NAME:key=value,… (default: zipf).", valueName: "spec"),
        completion: .workload)
    var workload: String?

    @Option(
        help: ArgumentHelp("Boot this Linux kernel, a bzImage or vmlinux, instead.", valueName: "file"),
        completion: .file())
    var kernel: String?

    @Option(
        help: ArgumentHelp("Run this 64-bit code, an ELF64 file or a flat image, instead.", valueName: "file"),
        completion: .file())
    var image: String?

    @Option(help: ArgumentHelp("The kernel's initial RAM disk.", valueName: "file"), completion: .file())
    var initrd: String?

    @Option(
        help: ArgumentHelp(
            "Words for the kernel's command line, behind '\(BootPlan.ownCommandLine)'.", valueName: "text"))
    var append: String?

    @Option(
        help: ArgumentHelp("Write the guest's serial console to this file (default: stderr).", valueName: "file"),
        completion: .file())
    var console: String?

    @Option(help: "Number of vCPUs.")
    var vcpus = 1

    @Option(
        help: ArgumentHelp(
            "Guest memory, such as 256MiB (default: what the workload takes; 256MiB for a kernel or image).",
            valueName: "size"), transform: ByteSize.init(parsing:))
    var memory: ByteSize?

    func validate() throws {
        guard (1...4096).contains(vcpus) else {
            throw ValidationError(
                "--vcpus \(vcpus) is not usable: give 1 to 4096; `dirtyrec doctor` shows the host's limit.")
        }
        guard [workload, kernel, image].compactMap({ $0 }).count <= 1 else {
            throw ValidationError("--workload, --kernel and --image exclude one another; give one of them.")
        }
        for (flag, value) in [("initrd", initrd), ("append", append), ("console", console)]
        where value != nil && kernel == nil && image == nil {
            throw ValidationError("--\(flag) is for --kernel or --image; a built-in workload has nothing like it.")
        }
    }

    /// Whether the guest's console is shown where the live line would be.
    var usesTerminal: Bool { (kernel ?? image) != nil && console == nil }

    /// Makes the guest and, if it has one, its console.
    func makeGuest() throws -> (any Guest, ConsoleOutput?) {
        guard let path = kernel ?? image else {
            let workload = try Workload(parsing: workload ?? "zipf")
            return (try BuiltinGuest(workload: workload, vcpus: vcpus, memory: memory?.bytes), nil)
        }
        var plan = BootPlan(kernel != nil ? .kernel : .image, path: path)
        plan.initrd = initrd
        plan.append = append ?? ""
        plan.vcpus = vcpus
        if let memory { plan.memory = memory.bytes }
        let output = try ConsoleOutput(path: console)
        return (try plan.makeGuest { output.write($0) }, output)
    }
}
