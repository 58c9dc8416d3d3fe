import Foundation

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
