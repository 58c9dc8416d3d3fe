import Glibc
import Import
import Platform

/// Why a guest could not be attached to; one sentence that says what to do.
package struct AttachError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// The kernel's trace file system.
package final class Tracefs: Sendable {
    /// A path that leads into it as long as this object lives, even if somebody unmounts it meanwhile: what was switched
    /// on can always be switched off.
    let root: String
    private let folder: CInt

    /// Finds the mounted file system.
    ///
    /// - Throws: ``AttachError``.
    package init() throws {
        let mounts = (try? Files.read("/proc/self/mounts")) ?? ""
        let found = mounts.split(separator: "\n").lazy
            .map { $0.split(separator: " ") }
            .first { $0.count > 2 && $0[2] == "tracefs" }
        guard let found else {
            throw AttachError(
                "The trace file system is not mounted; as root: mount -t tracefs nodev /sys/kernel/tracing")
        }
        let mount = String(found[1])
        folder = unsafe open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw AttachError("\(mount) cannot be opened: \(systemError()).") }
        root = "/proc/self/fd/\(folder)"
        guard unsafe access(root + "/instances", W_OK) == 0 else {
            throw AttachError("\(mount) may not be written; attach needs root.")
        }
    }

    deinit { close(folder) }

    /// What dirtyrec names its instances and probes after: the process that owns them.
    static let prefix = "dirtyrec"

    /// Removes what crashed processes of ours have left behind.
    ///
    /// - Returns: how many instances were removed.
    @discardableResult
    package func removeStale() -> Int {
        var removed = 0
        for name in Files.list(root + "/instances") where name.hasPrefix(Self.prefix + "-") {
            guard let pid = Int32(name.dropFirst(Self.prefix.count + 1)), Self.isDead(pid) else { continue }
            Instance.remove(root + "/instances/" + name)
            removed += 1
        }
        // A probe must not be in use by any instance when it goes.
        for group in Files.list(root + "/events") where group.hasPrefix(Self.prefix + "_") {
            guard let pid = Int32(group.dropFirst(Self.prefix.count + 1)), Self.isDead(pid) else { continue }
            removeProbes(group)
        }
        return removed
    }

    /// Whether the kernel shuts its tracing off, and probes with it.
    static var isLockedDown: Bool {
        (try? Files.read("/sys/kernel/security/lockdown"))?.contains("[confidentiality]") == true
    }

    static let lockdown = AttachError(
        "The kernel is locked down (confidentiality), which forbids tracing: no guest of this host can be followed; boot it with lockdown=integrity."
    )

    private static func isDead(_ pid: Int32) -> Bool { kill(pid, 0) != 0 && errno == ESRCH }

    /// Removes a group of probes, which no instance may use any more.
    func removeProbes(_ group: String) {
        for name in Files.list(root + "/events/" + group) where Files.exists(root + "/events/\(group)/\(name)/format") {
            try? Files.write("-:\(group)/\(name)\n", to: root + "/kprobe_events", append: true)
        }
    }
}

/// Small files of tracefs and /proc.
enum Files {
    static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    static func read(_ path: String) throws -> String { String(decoding: try bytes(path), as: UTF8.self) }

    static func bytes(_ path: String) throws -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw AttachError("\(path) cannot be opened: \(systemError()).") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            guard count >= 0 else { throw AttachError("\(path) cannot be read: \(systemError()).") }
            guard count > 0 else { return bytes }
            bytes += buffer[..<count]
        }
    }

    static func write(_ text: String, to path: String, append: Bool = false) throws {
        let descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC | (append ? O_APPEND : O_TRUNC))
        guard descriptor >= 0 else { throw AttachError("\(path) cannot be opened: \(systemError()).") }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        let written = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
        guard written == bytes.count else { throw AttachError("\(path) cannot be written: \(systemError()).") }
    }

    /// The words of a process' command line; none when it is gone.
    static func arguments(of pid: Int32) -> [String] {
        ((try? read("/proc/\(pid)/cmdline")) ?? "").split(separator: "\0", omittingEmptySubsequences: false).map(
            String.init)
    }

    /// The process that a thread belongs to; nil when there is no such thread.
    static func process(ofThread thread: Int32) -> Int32? {
        ((try? read("/proc/\(thread)/status")) ?? "").split(separator: "\n").first { $0.hasPrefix("Tgid:") }
            .flatMap { Int32($0.dropFirst(5).drop { $0 == "\t" || $0 == " " }) }
    }

    static func list(_ path: String) -> [String] {
        guard let folder = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Where a symbolic link leads; nil when it is none.
    static func link(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe buffer.withUnsafeMutableBytes {
            unsafe readlink(path, $0.assumingMemoryBound(to: CChar.self).baseAddress.unsafelyUnwrapped, $0.count)
        }
        return count >= 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
}
