import Glibc
import Model
import Platform

/// How a VMM has mapped its guest's memory, and who else may write it.
struct GuestMappings: Equatable {
    /// One mapping, as `/proc/PID/smaps` says it.
    struct Mapping: Equatable {
        var range: Range<UInt64>
        var isShared = false
        /// The file behind it, as `device inode`; nil without one.
        var file: String?
        /// Bytes of it that are mapped in large pages.
        var largeBytes: UInt64 = 0
        var isHugetlb = false
    }
    /// Those that hold guest memory.
    var mappings: [Mapping] = []

    /// The mappings of process `pid` in which `regions` lie.
    init(of pid: Int32, _ regions: some Collection<VMMMemory.Region>) {
        self.init((try? Files.read("/proc/\(pid)/smaps")) ?? "", regions)
    }

    /// - Parameter smaps: The text of `/proc/PID/smaps`.
    init(_ smaps: String, _ regions: some Collection<VMMMemory.Region>) {
        let memory = regions.filter { $0.size > 0 && $0.address <= UInt64.max - $0.size }
            .map { $0.address..<$0.address + $0.size }
        var current: Mapping?
        func keep() {
            guard let current, memory.contains(where: { $0.overlaps(current.range) }) else { return }
            mappings.append(current)
        }
        for line in smaps.split(separator: "\n") {
            let words = line.split(separator: " ", omittingEmptySubsequences: true)
            guard let first = words.first else { continue }
            if let next = Self.mapping(words) {
                keep()
                current = next
            } else if ["AnonHugePages:", "ShmemPmdMapped:", "FilePmdMapped:"].contains(first) {
                let kibibytes = words.dropFirst().first.flatMap { UInt64($0) } ?? 0
                current?.largeBytes += min(kibibytes, 1 << 44) << 10
            } else if first == "VmFlags:" {
                current?.isHugetlb = words.contains("ht")
            }
        }
        keep()
    }

    /// The line that begins a mapping: `7f00-7f10 rw-s 00000000 00:01 77 /memfd:ram`.
    private static func mapping(_ words: [Substring]) -> Mapping? {
        guard words.count >= 5 else { return nil }
        let ends = words[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
        guard ends.count == 2, ends[0] < ends[1], words[1].count == 4 else { return nil }
        return Mapping(
            range: ends[0]..<ends[1], isShared: words[1].hasSuffix("s"),
            file: words[4] == "0" ? nil : "\(words[3]) \(words[4])")
    }

    var isHugetlb: Bool { mappings.contains(where: \.isHugetlb) }

    /// Share of `bytes` of guest memory that is mapped in large pages, at most 1.
    func largeShare(of bytes: Int64) -> Double {
        guard bytes > 0 else { return 0 }
        return min(1, Double(mappings.reduce(0) { $0 &+ $1.largeBytes }) / Double(bytes))
    }

    // MARK: Other writers

    /// Who else may write the memory of the guest of process `pid`, so that neither its bits nor KVM's faults show it; one clause each.
    func unseenWriters(of pid: Int32) -> [String] {
        let files = Files.list("/proc/\(pid)/fd").compactMap { Files.link("/proc/\(pid)/fd/\($0)") }
        return Self.devices(files) + sharers(of: pid)
    }

    /// Devices among a process's open files that write memory by themselves.
    static func devices(_ files: [String]) -> [String] {
        var found: [String] = []
        if files.contains(where: { $0.hasPrefix("/dev/vfio/") || $0.hasPrefix("anon_inode:[vfio") }) {
            found.append("devices that the VMM has passed through to the guest (VFIO)")
        }
        if files.contains(where: { $0.hasPrefix("/dev/vhost-vdpa") }) { found.append("a vDPA device (vhost-vdpa)") }
        return found
    }

    /// Other processes that have mapped the same memory, such as those of vhost-user.
    private func sharers(of pid: Int32) -> [String] {
        let shared = Set(mappings.filter(\.isShared).compactMap(\.file))
        guard !shared.isEmpty else { return [] }
        var found: [String] = []
        for process in Files.list("/proc").compactMap({ Int32($0) }).sorted() where process != pid {
            guard let maps = try? Files.read("/proc/\(process)/maps"), Self.maps(maps, one: shared) else { continue }
            let command = (try? Files.read("/proc/\(process)/comm"))?.split(separator: "\n").first ?? ""
            found.append("\(command) (process \(process)), which has mapped the guest's memory, too")
        }
        return found.isEmpty ? ["whoever maps the guest's shared memory; nobody else does now"] : found
    }

    /// Whether the text of `/proc/PID/maps` has a writable shared mapping of one of `files`.
    static func maps(_ maps: String, one files: Set<String>) -> Bool {
        maps.split(separator: "\n").contains { line in
            let words = line.split(separator: " ", omittingEmptySubsequences: true)
            guard let mapping = mapping(words), let file = mapping.file else { return false }
            return words[1].hasPrefix("rw") && mapping.isShared && files.contains(file)
        }
    }
}
