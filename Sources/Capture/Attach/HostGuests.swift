import Model
import Platform

/// A process that runs a KVM guest, and how to follow it.
package struct HostGuest: Sendable, Equatable, Encodable {
    /// Process id.
    package let pid: Int32
    /// Name of the program.
    package let command: String
    /// Number of VMs in the process.
    package let machines: Int
    /// vCPUs of all of them.
    package let vcpus: Int
    /// Memory of the process that is there now, in bytes.
    package let residentBytes: Int64
    /// `ring`, `bitmap`, or `none` as long as there is no vCPU.
    package let log: String
    /// Entries of a vCPU's ring; nil without.
    package let ringEntries: Int?
    /// The command that follows it; nil as long as none can.
    package let follow: String?
    /// The command that follows it while it logs nothing, on a kernel with soft-dirty bits; nil where there is none.
    package let followUnlogged: String?

    /// All processes of this host that run a guest, as far as the caller may look into them.
    package static func all() -> [HostGuest] {
        Files.list("/proc").compactMap { Int32($0) }.sorted().compactMap(HostGuest.init)
    }

    /// Nil when the process runs no guest, or may not be looked into.
    private init?(pid: Int32) {
        let folder = "/proc/\(pid)"
        let files = Files.list(folder + "/fd").compactMap { Files.link("\(folder)/fd/\($0)") }
        machines = files.filter { $0 == Target.machineFile }.count
        guard machines > 0 else { return nil }
        self.pid = pid
        command = (try? Files.read(folder + "/comm"))?.split(separator: "\n").first.map(String.init) ?? ""
        let status = (try? Files.read(folder + "/status")) ?? ""
        residentBytes =
            status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }?
            .split(separator: " ").dropFirst().first.flatMap { Int64($0) }.map { $0 << 10 } ?? 0
        guard let target = try? Target(pid: pid) else {
            (vcpus, log, ringEntries, follow, followUnlogged) = (0, "none", nil, nil, nil)
            return
        }
        vcpus = target.vcpus
        ringEntries = target.ringEntries
        log = target.ringEntries == nil ? "bitmap" : "ring"
        guard target.machines == 1 || target.ringEntries == nil else {
            (follow, followUnlogged) = (nil, nil)
            return
        }
        let arguments = Files.arguments(of: pid)
        // With its monitor QEMU's own dirty-rate measurement can switch logging on.
        let process = "--pid \(pid)" + (target.machines > 1 ? " --vm 1" : "")
        let monitor =
            Self.domain(arguments).map { ShellWords.join($0.hasPrefix("-") ? ["--libvirt=\($0)"] : ["--libvirt", $0]) }
            ?? Self.monitor(arguments).map { "--qmp \($0)" }
        follow = "dirtyrec attach \(monitor ?? process) -o vm.db"
        let isSoft = target.ringEntries == nil && SoftDirtyMemory.isSupported && SoftDirtyMemory.namesAddresses
        followUnlogged = isSoft ? "dirtyrec attach \(process) --soft-dirty -o vm.db" : nil
    }

    /// The socket of `-qmp unix:SOCKET,…`.
    static func monitor(_ arguments: [String]) -> String? {
        zip(arguments, arguments.dropFirst()).lazy
            .filter { ["-qmp", "--qmp"].contains($0.0) && $0.1.hasPrefix("unix:") }
            .compactMap { $0.1.dropFirst(5).split(separator: ",").first.map(String.init) }
            .first { path in path.allSatisfy { $0.isLetter || $0.isNumber || "/._-+:@".contains($0) } }
    }

    /// The name of a domain of the system's libvirt, which gives QEMU a monitor of its own and keeps the domain's secrets in a folder of its own. What
    /// another libvirt runs, one of a user's session, virsh does not find without being told where that is.
    static func domain(_ arguments: [String]) -> String? {
        guard arguments.contains(where: { $0.split(separator: ",").contains("id=charmonitor") }),
            arguments.contains(where: { $0.contains(#""file":"/var/lib/libvirt/qemu/"#) }),
            let name = zip(arguments, arguments.dropFirst()).first(where: { $0.0 == "-name" })?.1,
            name.hasPrefix("guest=")
        else { return nil }
        // A comma ends the value unless it is doubled.
        let value = name.dropFirst(6).replacing(",,", with: "\0").prefix { $0 != "," }.replacing("\0", with: ",")
        return value.isEmpty ? nil : String(value)
    }

    /// One line for people: what it is, and what is known of it.
    package var text: String {
        let log =
            switch (self.log, ringEntries) {
            case ("ring", let entries?): "rings of \(Units.count(Int64(entries)))"
            case ("bitmap", _): "bitmaps"
            default: "no vCPU yet"
            }
        let machines = machines == 1 ? "" : "\(machines) VMs, "
        return
            "\(command), \(machines)\(Units.counted(Int64(vcpus), "vCPU", "vCPUs")), \(Units.size(residentBytes)), \(log)"
    }
}
