import Foundation
import Model
import Store
import Synchronization

/// Copies recordings into a fleet's folder, as Parquet. Sources are never changed.
package final class FleetExport: Sendable {
    package enum Outcome: Sendable, Equatable {
        /// Its partition was made, or made anew; so many entries.
        case exported(id: String, entries: Int64)
        /// Its partition is there already, made of this very file.
        case unchanged(id: String)
    }

    /// Where partitions go.
    package let folder: FleetFolder
    /// Make partitions anew that are there already.
    package let force: Bool
    /// Makes the page `report.html` of a recording's partition; nil: partitions have none.
    package let page: (@Sendable (RecordingFile) throws -> String)?
    /// Recordings that this export makes, or has found made.
    private let met = Mutex<Set<String>>([])

    package init(into folder: FleetFolder, force: Bool, page: (@Sendable (RecordingFile) throws -> String)? = nil) {
        self.folder = folder
        self.force = force
        self.page = page
    }

    /// Exports one recording; callable from several threads.
    ///
    /// - Throws: `RecordingError`, ``FleetError``; then nothing of it is in the folder.
    package func export(_ path: String) throws -> Outcome {
        let file = try RecordingFile(path: path)
        let id = file.info.id
        guard FleetFolder.isID(id) else { throw FleetError("\(path) has an id that is not 32 hexadecimal digits.") }
        let receipt = try Receipt(of: path, hasPage: page != nil)
        if !force, let made = Receipt(in: folder.partition(id)), made.serves(receipt) {
            try claim(id, path)
            return .unchanged(id: id)
        }
        let content = try RecordingContent(file)
        try claim(id, path)
        let staged = try folder.stage(id)
        defer { folder.discard(staged) }
        do {
            try copy(file, content, into: staged)
            if let page { try Self.write(Data(try page(file).utf8), to: staged + "/report.html") }
            try Self.write(JSONEncoder().encode(receipt), to: staged + Receipt.name)
            try folder.publish(staged, as: id)
        } catch {
            // Another file may hold the same recording unharmed, and use the same place.
            folder.discard(staged)
            met.withLock { _ = $0.remove(id) }
            guard let error = error as? FleetError, !error.isHostLack else { throw error }
            throw FleetError("\(path) cannot be exported: \(error)")
        }
        return .exported(id: id, entries: content.entries)
    }

    private func claim(_ id: String, _ path: String) throws {
        guard met.withLock({ $0.insert(id).inserted }) else {
            throw FleetError("\(path) is the same recording as another of these files, by its id \(id).")
        }
    }

    private static func write(_ data: Data, to path: String) throws {
        do { try data.write(to: URL(fileURLWithPath: path)) } catch {
            throw FleetError("there is no room left in the folder")
        }
    }

    private func copy(_ file: RecordingFile, _ content: RecordingContent, into staged: String) throws {
        let source = staged + "/source.db"
        let files = FileManager.default
        // What a link leads to: a copy of the link would let the original be changed.
        let original = URL(fileURLWithPath: file.path).resolvingSymlinksInPath().path
        if content.rows == content.entries {
            // A fixed name: the path itself never becomes part of a statement.
            try files.createSymbolicLink(atPath: source, withDestinationPath: original)
        } else {
            do { try files.copyItem(atPath: original, toPath: source) } catch {
                throw FleetError("there is no room for a copy with plain rows")
            }
            try files.setAttributes([.posixPermissions: 0o600], ofItemAtPath: source)
            try Recovery.expandRows(path: source)
        }
        var answer: Answer?
        try FleetHelper.run(Request(folder: staged, content)) {
            answer = try? JSONDecoder().decode(Answer.self, from: $0)
        }
        guard let answer else { throw FleetError("the helper did not say what it wrote") }
        try check(answer, content)
        for name in ["source.db", "spill"] { try? files.removeItem(atPath: "\(staged)/\(name)") }
    }

    /// Every table has as many rows as its source, and the entries name the same pages.
    private func check(_ answer: Answer, _ content: RecordingContent) throws {
        for (name, rows) in content.tables.map({ ($0.name, $0.rows) }) + [("dirty", content.entries)]
        where answer.rows[name] != rows {
            throw FleetError("\(name) has \(rows) rows, but \(answer.rows[name] ?? 0) arrived; see dirtyrec verify")
        }
        guard answer.gfnSum == String(content.gfnSum) else {
            throw FleetError("its rows name other pages than its packed entries; see dirtyrec verify")
        }
    }

    private struct Request: Encodable {
        struct Table: Encodable {
            let name: String
            let columns: [[String]]
            let rows: Int64
            let absent: Bool
        }
        let `do` = "export"
        let folder: String
        let tables: [Table]
        let entries: Int64
        let exactTimes: Bool

        init(folder: String, _ content: RecordingContent) {
            self.folder = folder
            tables = content.tables.map { table in
                Table(
                    name: table.name, columns: table.columns.map { [$0.name, $0.type] }, rows: table.rows,
                    absent: table.isAbsent)
            }
            entries = content.entries
            exactTimes = content.hasExactTimes
        }
    }

    private struct Answer: Decodable {
        let rows: [String: Int64]
        let gfnSum: String
    }
}

/// Which file a partition was made of: the same size and time of change mean the same recording.
struct Receipt: Codable, Equatable {
    static let name = "/export.json"
    /// Counts changes of what an export writes.
    private static let layout = 2
    let layout: Int
    let bytes: Int64
    let modifiedNs: Int64
    var hasPage: Bool
    /// The file's name, for people; nil where an older export did not keep it.
    var file: String?

    init(of path: String, hasPage: Bool) throws {
        self.hasPage = hasPage
        file = URL(fileURLWithPath: path).lastPathComponent
        let values = try FileManager.default.attributesOfItem(
            atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
        layout = Self.layout
        bytes = (values[.size] as? NSNumber)?.int64Value ?? 0
        let modified = (values[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
        modifiedNs = Int64(min(max(modified * 1e9, -9e18), 9e18))
    }

    /// Whether what was made then is what is wanted now; a page too many does no harm.
    func serves(_ wanted: Receipt) -> Bool {
        var same = self
        same.hasPage = wanted.hasPage
        same.file = wanted.file
        return same == wanted && (hasPage || !wanted.hasPage)
    }

    init?(in partition: String) {
        guard let data = FileManager.default.contents(atPath: partition + Self.name),
            let receipt = try? JSONDecoder().decode(Receipt.self, from: data)
        else { return nil }
        self = receipt
    }
}
