import CExchange
import Foundation
import Model
import Platform
import Store

/// A folder with one partition a recording, `recording=<id>/{dirty,iteration,…}.parquet`.
///
/// A partition appears, or takes an older one's place, in one step once all its files are checked. What an export leaves
/// behind when it is killed lies in `.staging` and goes away with the next one.
package final class FleetFolder: Sendable {
    /// Absolute path.
    package let path: String
    /// The lock of the one export that works here; -1 when the folder is only read.
    private let descriptor: CInt
    private let leftover: Int?

    /// Opens a folder for queries.
    ///
    /// - Throws: ``FleetError`` when it holds no partition.
    package init(reading path: String) throws {
        self.path = try Self.absolute(path)
        descriptor = -1
        leftover = nil
        guard !recordings.isEmpty else {
            throw FleetError(
                "\(path) holds no exported recording; make one with: dirtyrec export --parquet \(path) FILE")
        }
    }

    /// Opens a folder for an export, and makes it if it is not there.
    ///
    /// - Throws: ``FleetError`` when it cannot be written, or another export works in it.
    package init(exportingInto path: String) throws {
        let folder = try Self.absolute(path)
        do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
            throw FleetError("\(path) cannot be made: choose a folder that is writable.")
        }
        // Only who has the lock becomes a folder: `deinit` cleans up, and must not clean up after somebody else.
        descriptor = try Self.lock(folder, named: path)
        self.path = folder
        let staging = folder + "/.staging"
        try? FileManager.default.removeItem(atPath: staging)
        leftover = Leftovers.add { try? FileManager.default.removeItem(atPath: staging) }
    }

    private static func lock(_ folder: String, named path: String) throws -> CInt {
        let descriptor = unsafe open(folder + "/.lock", O_CREAT | O_RDWR | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FleetError("\(path) is not writable: choose another folder.") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw FleetError("Another export works in \(path): wait until it is done.")
        }
        return descriptor
    }

    deinit {
        guard descriptor >= 0 else { return }
        try? FileManager.default.removeItem(atPath: staging)
        if let leftover { Leftovers.forget(leftover) }
        close(descriptor)
    }

    /// Ids of the exported recordings in order.
    package var recordings: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.filter { $0.hasPrefix("recording=") }.map { String($0.dropFirst(10)) }.filter(Self.isID).sorted()
    }

    /// Where a browser finds a recording, seen from the folder: its page, or its files if it has none.
    package func address(of id: String) -> String {
        let page = "recording=\(id)/report.html"
        return FileManager.default.fileExists(atPath: "\(path)/\(page)") ? page : "recording=\(id)/"
    }

    /// The name of the file that a recording was exported from; nil where the export did not keep it.
    package func fileName(of id: String) -> String? { Self.isID(id) ? Receipt(in: partition(id))?.file : nil }

    /// Where the partition of a recording is, or will be.
    func partition(_ id: String) -> String { "\(path)/recording=\(id)" }

    /// A new, empty folder for the files of a partition that is being made.
    func stage(_ id: String) throws -> String {
        let folder = "\(staging)/\(id)"
        do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
            throw FleetError("\(path) cannot be written: make room or choose another folder.")
        }
        return folder
    }

    /// Puts a staged partition in its place.
    func publish(_ staged: String, as id: String) throws {
        let target = partition(id)
        let isDone =
            FileManager.default.fileExists(atPath: target)
            ? unsafe cexchange_paths(staged, target) == 0 : unsafe rename(staged, target) == 0
        guard isDone else {
            throw FleetError("\(target) cannot be replaced: \(systemError()).")
        }
    }

    /// Removes a staged partition, or the older one that changed places with it.
    func discard(_ staged: String) { try? FileManager.default.removeItem(atPath: staged) }

    private var staging: String { path + "/.staging" }

    /// Whether `text` can be a recording's id: it becomes a folder's name.
    static func isID(_ text: String) -> Bool {
        text.utf8.count == 32 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    private static func absolute(_ path: String) throws -> String {
        guard !path.contains(where: { "*?[]{}\\".contains($0) || $0.isNewline }) else {
            throw FleetError("The folder's name \(path) has a character that means something to the engines: *?[]{}\\.")
        }
        return URL(fileURLWithPath: path).standardizedFileURL.resolvingSymlinksInPath().path
    }
}
