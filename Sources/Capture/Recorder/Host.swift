import Foundation
import KVM
import Model

/// What this machine is, as far as a reader of the recording must know.
package struct Host: Sendable {
    package let name: String
    /// `uname -r`.
    package let kernel: String
    /// CPU model name.
    package let cpu: String
    /// The ``KVMModule``; empty when none can be seen.
    package let kvmModule: String
    /// Page-modification logging; nil when unknown.
    package let pml: Bool?
    /// Whether this machine is itself virtual.
    package let isNested: Bool

    /// Looks at /proc and /sys of this machine.
    package init() {
        func file(_ path: String) -> String? {
            (try? String(contentsOfFile: path, encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        name = file("/proc/sys/kernel/hostname") ?? ""
        kernel = file("/proc/sys/kernel/osrelease") ?? ""
        let cpuinfo = file("/proc/cpuinfo") ?? ""
        func field(_ key: String) -> String {
            let line = cpuinfo.split(separator: "\n").first { $0.hasPrefix(key) }
            return line?.split(separator: ":", maxSplits: 1).last?.trimmingCharacters(in: .whitespaces) ?? ""
        }
        // arm64's kernel knows its CPUs by numbers only.
        let part = ["implementer", "part"].map { field("CPU \($0)") }
        cpu =
            part.contains("")
            ? field("model name") : "\(KVMSystem.architecture), implementer \(part[0]), part \(part[1])"
        isNested = field("flags").split(separator: " ").contains("hypervisor")
        kvmModule =
            KVMModule.allCases.map(\.rawValue).first {
                FileManager.default.fileExists(atPath: "/sys/module/\($0)")
            } ?? KVMSystem.builtInModule
        switch file("/sys/module/\(kvmModule)/parameters/pml")?.first {
        case "Y": pml = true
        case "N": pml = false
        // Others have no such parameter because they have no such thing.
        default: pml = KVMModule(rawValue: kvmModule)?.hasPML == false ? false : nil
        }
    }

    /// Whether kernel-mode code of a guest is emulated here.
    var emulatesKernelMode: Bool { KVMModule(rawValue: kvmModule)?.emulatesKernelMode == true }

    /// Puts what it is into the provenance of a recording.
    package func describe(_ info: inout RecordingInfo) {
        info.host = name
        info.kernel = kernel
        info.kvmModule = kvmModule
        info.cpu = cpu
        info.pml = pml
        info.nested = isNested
    }
}
