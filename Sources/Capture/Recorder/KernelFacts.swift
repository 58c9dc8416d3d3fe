/// What is known about KVM in a mainline kernel, by the release that changed it.
package struct KernelFact: Sendable {
    /// What `dirtyrec doctor` calls it.
    let name: String
    /// The first mainline release with the change.
    let since: KernelRelease
    /// The change in the kernel's history, abbreviated as in its own `Fixes:` lines.
    let commit: String
    /// What holds before that release, and what holds from it on: in a word, and what follows for a recording.
    let before: (value: String, note: String)
    let after: (value: String, note: String)
    /// Whether it matters on CPUs with PML only.
    var isAboutPML = false

    /// All that is known, in the order in which `dirtyrec doctor` shows it. rig/README.md tells on which kernels it is tested.
    static let all = [
        KernelFact(
            name: "dirty rings", since: KernelRelease(5, 11), commit: "fb04a1eddb1a",
            before: ("none", "record with --source dirty-log or clear-log"),
            after: ("there", "one a vCPU")),
        KernelFact(
            name: "ring with bitmap", since: KernelRelease(6, 2), commit: "86bdf3ebcfe1",
            before: ("none", "writes of KVM's own without a vCPU are in no ring"),
            after: ("arm64 only", "x86 has none: what KVM writes there without a vCPU is in no ring")),
        KernelFact(
            name: "faults and signals", since: KernelRelease(6, 2), commit: "766576874b97",
            before: ("fatal only", "a vCPU that waits for a page, as in post-copy, does not answer a stop"),
            after: ("all", "a vCPU that waits for a page answers a stop")),
        KernelFact(
            name: "reset and signals", since: firstEarlyReset, commit: "49005a2a3d2a",
            before: ("completes", "a reset of rings is not interrupted by signals"),
            after: (
                "ends early",
                "a pending signal ends a reset and loses up to 64 pages; dirtyrec resets with all signals blocked"
            )),
        KernelFact(
            name: "order of PML", since: KernelRelease(6, 14), commit: "37c3ddfe5238",
            before: ("reversed", "each batch of up to 512 entries is in reverse write order"),
            after: ("write order", "ring order is write order"),
            isAboutPML: true),
    ]

    private static let firstEarlyReset = KernelRelease(6, 17)

    /// Whether `KVM_RESET_DIRTY_RINGS` ends early when its thread has work to do; true where the release cannot be read.
    ///
    /// - Parameter kernel: what `uname -r` says.
    package static func resetEndsEarly(on kernel: String) -> Bool {
        KernelRelease(kernel).map { $0 >= firstEarlyReset } ?? true
    }

    /// What it says about a host; nil where it does not matter or the release cannot be read.
    ///
    /// - Parameter kernel: what `uname -r` says.
    func finding(kernel: String, pml: Bool?) -> HostFindings.Finding? {
        guard !isAboutPML || pml == true, let release = KernelRelease(kernel) else { return nil }
        let isAfter = release >= since
        let now = isAfter ? after : before
        return HostFindings.Finding(
            name: name, value: now.value, isFine: nil,
            note: "\(now.note) (\(isAfter ? "since" : "before") Linux \(since), \(commit))")
    }
}

/// Version and patch level of a kernel, such as 6.14; compared as numbers.
package struct KernelRelease: Sendable, Comparable, CustomStringConvertible {
    private let major: Int
    private let minor: Int

    init(_ major: Int, _ minor: Int) { (self.major, self.minor) = (major, minor) }

    /// Reads what `uname -r` says, such as `6.12.117+deb12-cloud-amd64`; nil when it does not begin with two numbers.
    package init?(_ text: String) {
        let numbers = text.split(separator: ".", maxSplits: 2).prefix(2).map { Int($0.prefix { $0.isNumber }) }
        guard numbers.count == 2, let major = numbers[0], let minor = numbers[1] else { return nil }
        self.init(major, minor)
    }

    package static func < (a: KernelRelease, b: KernelRelease) -> Bool { (a.major, a.minor) < (b.major, b.minor) }

    package var description: String { "\(major).\(minor)" }
}
