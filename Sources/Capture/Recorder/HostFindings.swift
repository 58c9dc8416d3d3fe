import Foundation
import KVM
import Model
import Platform

/// What a host offers for recording, line by line, with what to do for each lack.
package struct HostFindings: Sendable, Encodable {
    /// One thing looked at.
    package struct Finding: Sendable, Encodable {
        package let name: String
        /// What was found.
        package let value: String
        /// Whether it is as dirtyrec needs it; nil where it is only worth knowing.
        package let isFine: Bool?
        /// What it is for, or what to do.
        package let note: String
    }

    /// Whether `dirtyrec record` can run here.
    package let canRecord: Bool
    /// Entries of the largest ring; 0 without rings.
    package let maxRingEntries: Int
    /// `KVM_CHECK_EXTENSION` by capability.
    package let capabilities: [String: Int]
    package let findings: [Finding]

    package init() {
        let host = Host()
        var findings = [
            Finding(name: "host", value: "\(host.name), \(host.cpu)", isFine: nil, note: ""),
            Finding(name: "kernel", value: host.kernel, isFine: nil, note: KVMSystem.architecture),
        ]
        do {
            let system = try KVMSystem()
            let rings = system.maxRingEntries
            findings.append(Finding(name: KVMSystem.path, value: "opens", isFine: true, note: "API version 12"))
            findings.append(Self.module(host))
            for capability in Capability.all {
                let answer = system.check(capability)
                findings.append(
                    Finding(
                        name: capability.name, value: String(answer),
                        isFine: capability == .dirtyRingWithBitmap ? nil : answer > 0,
                        note: answer > 0
                            ? "for \(capability.requiredBy)"
                            : "missing; \(capability.requiredBy) needs it; in mainline from Linux \(capability.availableWith)"
                    ))
            }
            findings.append(
                Finding(
                    name: "largest ring", value: rings == 0 ? "none" : "\(rings) entries", isFine: rings > 0,
                    note: rings > 0 ? "for --ring-size" : "record with --source dirty-log or clear-log"))
            capabilities = Dictionary(uniqueKeysWithValues: Capability.all.map { ($0.name, system.check($0)) })
            maxRingEntries = rings
            canRecord = system.check(.immediateExit) > 0
        } catch {
            findings.append(Finding(name: KVMSystem.path, value: "unusable", isFine: false, note: "\(error)"))
            capabilities = [:]
            maxRingEntries = 0
            canRecord = false
        }
        findings.append(
            Finding(
                name: "PML", value: host.pml.map { $0 ? "on" : "off" } ?? "unknown", isFine: nil,
                note: host.pml == true
                    ? "rings of at least \(RingLimits.least(pml: true)) entries; entries wait in the CPU until a vCPU leaves the guest"
                    : host.pml == false ? "ring order is write order" : ""))
        findings += KernelFact.all.compactMap { $0.finding(kernel: host.kernel, pml: host.pml) }
        findings.append(Self.tracefs)
        self.findings = findings
    }

    private static func module(_ host: Host) -> Finding {
        Finding(
            name: "KVM module", value: host.kvmModule.isEmpty ? "unknown" : host.kvmModule, isFine: nil,
            note: host.emulatesKernelMode
                ? "kernel-mode guest code is emulated in batches of up to 1024 instructions: a tight loop there can overrun a ring"
                : host.isNested ? "this host is itself virtual" : "")
    }

    private static var tracefs: Finding {
        let events = "/sys/kernel/tracing/events/kvm/kvm_dirty_ring_push"
        if FileManager.default.fileExists(atPath: events) {
            return Finding(
                name: "tracefs", value: "kvm:kvm_dirty_ring_push", isFine: true,
                note: "ring pushes of any VMM can be traced")
        }
        return Finding(
            name: "tracefs", value: "not seen", isFine: nil,
            note: "to trace other VMMs: mount -t tracefs nodev /sys/kernel/tracing (as root)")
    }

    /// For people: aligned, one finding a line.
    ///
    /// - Parameter more: Lines before the verdict.
    package func text(and more: [String]) -> String {
        let name = findings.map(\.name.count).max() ?? 0
        let value = findings.filter { $0.name != "host" }.map(\.value.count).max() ?? 0
        func pad(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(0, width - text.count))
        }
        let lines = findings.map { finding in
            let sign = finding.isFine.map { $0 ? "ok" : "NO" } ?? "  "
            let line = "\(sign)  \(pad(finding.name, name))  \(pad(finding.value, value))  \(finding.note)"
            return line.replacing(#/\s+$/#, with: "")
        }
        return
            (lines + more + [
                "",
                canRecord
                    ? "dirtyrec record can run here."
                    : "dirtyrec record cannot run here; rig/README.md shows how to run it in QEMU.",
            ])
            .joined(separator: "\n")
    }
}
