import Glibc
import Import
import Platform

/// The process whose guest is looked at, as /proc shows it.
package struct Target: Sendable {
    package let pid: Int32
    package let command: String
    /// Number of vCPUs: one more than the highest id.
    package let vcpuCount: Int
    /// Number of vCPUs of all its VMs together.
    package let vcpus: Int
    /// Number of VMs; rarely more than one.
    package let machines: Int
    /// Entries of a vCPU's dirty ring; nil when the VM has none.
    package let ringEntries: Int?

    /// What /proc calls a VM's file.
    static let machineFile = "anon_inode:kvm-vm"
    /// A ring is mapped at this page of its vCPU's file.
    private static let ringOffset = 64 * pageBytes

    /// Looks at a process.
    ///
    /// - Throws: ``AttachError`` when it is no VMM.
    package init(pid: Int32) throws {
        self.pid = pid
        let folder = "/proc/\(pid)"
        guard Files.exists(folder) else { throw AttachError("There is no process \(pid).") }
        command = (try? Files.read(folder + "/comm"))?.split(separator: "\n").first.map(String.init) ?? ""
        let files = Files.list(folder + "/fd").compactMap { Files.link("\(folder)/fd/\($0)") }
        machines = files.filter { $0 == Self.machineFile }.count
        guard machines > 0 else {
            throw AttachError("Process \(pid) (\(command)) runs no KVM guest, or only root may look at it.")
        }
        let ids = files.compactMap { name in
            name.hasPrefix("anon_inode:kvm-vcpu:") ? Int(name.dropFirst(20).prefix { $0.isNumber }) : nil
        }
        guard let last = ids.max(), last < ImportLimits.items else {
            throw AttachError("The VM of process \(pid) (\(command)) has no vCPU yet; attach when the guest runs.")
        }
        vcpuCount = last + 1
        vcpus = ids.count
        ringEntries = Self.ringEntries((try? Files.read(folder + "/maps")) ?? "")
    }

    /// The size of the mapped rings, 16 bytes an entry, from the text of /proc/PID/maps.
    static func ringEntries(_ maps: String) -> Int? {
        for line in maps.split(separator: "\n") where line.contains("anon_inode:kvm-vcpu") {
            let parts = line.split(separator: " ")
            let range = parts[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
            guard parts.count > 2, range.count == 2, range[0] < range[1],
                Int(parts[2], radix: 16) == ringOffset
            else { continue }
            return Int((range[1] - range[0]) / 16)
        }
        return nil
    }

    package var isAlive: Bool { kill(pid, 0) == 0 || errno == EPERM }

    /// Waits whether the process ends within so many nanoseconds.
    func ends(within ns: Int64) -> Bool {
        let deadline = monotonicNow() + ns
        while isAlive {
            guard monotonicNow() < deadline else { return false }
            usleep(20_000)
        }
        return true
    }
}
