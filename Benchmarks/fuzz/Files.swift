import Foundation

/// A small generator of random numbers, the same on every run.
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// A recording's file together with its log.
enum Files {
    private static let suffixes = ["", "-wal", "-shm", "-journal"]

    static func remove(_ path: String) throws {
        for suffix in suffixes where FileManager.default.fileExists(atPath: path + suffix) {
            try FileManager.default.removeItem(atPath: path + suffix)
        }
    }

    static func copy(_ from: String, _ to: String) throws {
        try remove(to)
        for suffix in ["", "-wal"] where FileManager.default.fileExists(atPath: from + suffix) {
            try FileManager.default.copyItem(atPath: from + suffix, toPath: to + suffix)
        }
    }

    /// Contents of file and log.
    static func read(_ path: String) throws -> [Data] {
        try ["", "-wal"].filter { FileManager.default.fileExists(atPath: path + $0) }.map {
            try Data(contentsOf: URL(fileURLWithPath: path + $0))
        }
    }
}
