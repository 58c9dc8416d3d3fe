import Foundation

/// What the kernel says of this host's memory, in bytes.
package enum HostMemory {
    /// What the host can give without swapping; nil where it does not say.
    package static var available: Int? { bytes(of: "MemAvailable:", in: "/proc/meminfo") }

    /// What process `pid` has in memory, shared pages among it; nil when it is gone.
    package static func resident(_ pid: Int32) -> Int? { bytes(of: "VmRSS:", in: "/proc/\(pid)/status") }

    private static func bytes(of field: String, in file: String) -> Int? {
        let text = try? String(contentsOfFile: file, encoding: .utf8)
        let line = text?.split(separator: "\n").first { $0.hasPrefix(field) }
        return line?.split { $0 == " " || $0 == "\t" }.dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
    }
}
