import Glibc

/// How much of the kernel's memory the events of a guest need on each host CPU.
package struct TraceBuffers: Sendable, Equatable {
    /// KiB of a CPU on which a thread of the VMM may run.
    package let kibibytes: Int
    /// Those CPUs, by number; nil: all.
    let cpus: Set<Int>?
    /// How many they are.
    package let cpuCount: Int

    /// Of a CPU where none of the VMM's threads may run now. Affinities change, and then the kernel counts what it drops.
    static let smallest = 64
    /// A push or a mark in a buffer: the record, and the buffer's own header before it.
    private static let eventBytes = (push: 36, mark: 44)
    /// No vCPU dirties more pages a second.
    private static let fastest = 400_000
    /// dirtyrec looks every 10 ms. On a busy host, or while it waits for its disk, a look may come this late.
    private static let looksASecond = 4
    /// A full ring stops its vCPU until the VMM has re-protected its pages, which takes a round through every ring: no more
    /// rounds fit between two looks.
    private static let rounds = 16

    /// What the guest of `target` needs: on each CPU what one vCPU can push between two looks, as no more than one runs there at
    /// a time. All CPUs together never take more than a 32nd of the host's memory.
    ///
    /// - Parameter kibibytes: What the user wants instead.
    package init(for target: Target, kibibytes: Int? = nil) {
        let memory = (try? Files.read("/proc/meminfo")).flatMap(Self.totalMemory) ?? 1 << 20
        let online =
            (try? Files.read("/sys/devices/system/cpu/online")).flatMap(CPUList.init)?.cpus ?? [0]
        let used = Self.cpus(of: target.pid).intersection(online)
        self.init(
            ringEntries: target.ringEntries, online: online,
            used: used.isEmpty ? online : used,
            hostKiB: memory, asked: kibibytes)
    }

    /// - Parameter ringEntries: nil for a VM without rings, which marks pages until they all are.
    init(ringEntries: Int?, online: Set<Int>, used: Set<Int>, hostKiB: Int, asked: Int?) {
        let events = min(Self.fastest / Self.looksASecond, ringEntries.map { $0 * Self.rounds } ?? .max)
        let bytes = ringEntries == nil ? Self.eventBytes.mark : Self.eventBytes.push
        let fair = hostKiB / 32 / used.count
        self.kibibytes = asked ?? max(Self.smallest, min(events * bytes / 1024, fair))
        cpus = used == online ? nil : used
        cpuCount = used.count
    }

    /// Nanoseconds in which no vCPU fills a buffer.
    var leastFillNs: Int64 { Int64(kibibytes) * 1024 * 1_000_000_000 / Int64(Self.fastest * Self.eventBytes.mark) }

    /// All of it, in KiB.
    package var total: Int { kibibytes * cpuCount }

    /// The CPUs on which threads of `pid` may run.
    private static func cpus(of pid: Int32) -> Set<Int> {
        var cpus: Set<Int> = []
        for thread in Files.list("/proc/\(pid)/task") {
            let status = (try? Files.read("/proc/\(pid)/task/\(thread)/status")) ?? ""
            for line in status.split(separator: "\n") where line.hasPrefix("Cpus_allowed_list:") {
                cpus.formUnion(CPUList(String(line.dropFirst(18)))?.cpus ?? [])
            }
        }
        return cpus
    }

    /// KiB, out of /proc/meminfo.
    private static func totalMemory(_ text: String) -> Int? {
        text.split(separator: "\n").first { $0.hasPrefix("MemTotal:") }?
            .split(separator: " ").dropFirst().first.flatMap { Int($0) }
    }
}

/// A list of CPUs as the kernel writes them: `0-3,8`.
struct CPUList: Equatable {
    var cpus: Set<Int> = []

    init?(_ text: String) {
        for part in text.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
            let ends = part.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last, (0...last).contains(first), last < 1 << 16
            else {
                return nil
            }
            cpus.formUnion(first...last)
        }
    }
}
