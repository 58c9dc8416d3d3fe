import Foundation
import Model
import TestSupport
import Testing

@testable import Import

/// Files of snapshots, written and read again.
@Suite struct SnapshotImportTests {
    private static let page = 4096
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("dirtyrec-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

    private func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let url = folder.appendingPathComponent(name)
        try Data(bytes).write(to: url)
        return url.path
    }

    /// A file whose pages are the given ones, with holes between.
    private func sparse(_ name: String, _ pages: [GFN: [UInt8]], size: Int) throws -> String {
        let path = folder.appendingPathComponent(name).path
        try Data().write(to: URL(fileURLWithPath: path))
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.truncate(atOffset: UInt64(size))
        for (gfn, bytes) in pages {
            try file.seek(toOffset: gfn * UInt64(Self.page))
            try file.write(contentsOf: bytes)
        }
        try file.close()
        return path
    }

    private func entries(_ source: SnapshotImport) throws -> [[GFN]] {
        var all: [[GFN]] = []
        while let batch = try source.next() {
            #expect(batch.iteration.id == Int64(all.count) + 1)
            all.append(batch.harvests.flatMap(\.gfns))
        }
        return all
    }

    @Test func `the pages of sparse diffs are their extents`() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        var random = Seeded(5)
        var (paths, sets): ([String], [[GFN]]) = ([], [])
        for number in 0..<12 {
            let gfns = Set(
                (0..<Int.random(in: 0...60, using: &random)).map { _ in GFN.random(in: 0..<200, using: &random) })
            // A diff may hold a page of zeros: it is no hole.
            let pages = Dictionary(
                uniqueKeysWithValues: gfns.map { ($0, [UInt8](repeating: UInt8($0 % 3), count: Self.page)) })
            paths.append(try sparse("\(number)", pages, size: 200 * Self.page))
            sets.append(gfns.sorted())
        }
        let source = try SnapshotImport(paths, as: .sparse, intervalNs: 5, pageSize: 4096)
        #expect(source.slots.map(\.pages) == [200] && source.info.memoryBytes == 200 * 4096)
        #expect(try entries(source) == sets)
        #expect(source.endNs == 60)
        // Pages of 16 KiB that are written in part are dirty as a whole.
        let large = try SnapshotImport(paths, as: .sparse, intervalNs: 5, pageSize: 16_384)
        #expect(try entries(large) == sets.map { Set($0.map { $0 / 4 }).sorted() })
    }

    @Test func `images are compared page by page, whatever their lengths`() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        var random = Seeded(6)
        var images: [[UInt8]] = []
        for number in 0..<6 {
            var image = images.last ?? [UInt8](repeating: 1, count: 700 * Self.page)
            for _ in 0..<40 where number > 0 { image[Int.random(in: 0..<image.count, using: &random)] ^= 9 }
            if number == 3 { image += [UInt8](repeating: 0, count: Self.page) + [7] }
            images.append(image)
        }
        let paths = try images.enumerated().map { try write("\($0.offset)", $0.element) }
        let expected = zip(images, images.dropFirst()).map { before, after in
            let count = (max(before.count, after.count) + Self.page - 1) / Self.page
            return (0..<count).filter { page in
                (page * Self.page..<(page + 1) * Self.page).contains { place in
                    (place < before.count ? before[place] : 0) != (place < after.count ? after[place] : 0)
                }
            }.map { GFN($0) }
        }
        let source = try SnapshotImport(paths, as: .images, intervalNs: 1_000, pageSize: 4096)
        #expect(try entries(source) == expected)
        #expect(expected[2].last == 701, "the page behind the old end holds something")
    }

    @Test func `bit n of a bitmap is page n`() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = try write("b", [0b1000_0001, 0, 0b10] + [UInt8](repeating: 0, count: 1 << 20) + [1])
        let source = try SnapshotImport([path], as: .bitmaps, intervalNs: 1, pageSize: 4096)
        #expect(try entries(source) == [[0, 7, 17, ((1 << 20) + 3) * 8]])
    }

    @Test func `a diff is held to what changed`() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        var before = [UInt8](repeating: 3, count: 64 * Self.page)
        let base = try MemoryImage(write("base", before))
        for page in [2, 3, 9, 40] { before[page * Self.page + 17] = 4 }
        let after = try MemoryImage(write("after", before))
        func check(_ pages: [Int], spoil: Int? = nil) throws -> SnapshotCheck {
            var held = Dictionary(
                uniqueKeysWithValues: pages.map {
                    (GFN($0), Array(before[$0 * Self.page..<($0 + 1) * Self.page]))
                })
            if let spoil { held[GFN(spoil)]?[5] = 99 }
            let diff = try MemoryImage(sparse("diff", held, size: before.count))
            return try SnapshotCheck(base: base, diff: diff, after: after, pageSize: 4096)
        }
        let whole = try check([2, 3, 9, 10, 40])
        #expect(whole.changed == 4 && whole.held == 5 && whole.missingCount == 0 && whole.wrongCount == 0)
        let lossy = try check([9, 10, 40], spoil: 10)
        #expect(lossy.missing == [2..<4] && lossy.missingCount == 2)
        #expect(lossy.wrong == [10..<11] && lossy.wrongCount == 1)
        // Against a recording: page 40 is recorded and not in the diff; page 9 is in it and was not recorded.
        let held = [GFN(9): Array(before[9 * Self.page..<10 * Self.page]), 10: [UInt8](repeating: 3, count: Self.page)]
        let diff = try MemoryImage(sparse("short", held, size: before.count))
        let recorded = try SnapshotCheck(base: base, diff: diff, recorded: [10, 40], pageSize: 4096)
        #expect(recorded.missing == [40..<41] && recorded.wrong == [9..<10])
    }

    @Test func `what is no memory is refused`() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(throws: ImportError.self) { try MemoryImage(folder.path) }
        #expect(throws: ImportError.self) { try MemoryImage("/dev/null") }
        #expect(throws: ImportError.self) { try MemoryImage(folder.path + "/none") }
        let empty = try write("empty", [])
        #expect(try entries(SnapshotImport([empty, empty], as: .sparse, intervalNs: 1, pageSize: 4096)) == [[], []])
        // Not every file system takes so large a file.
        if let path = try? sparse("huge", [:], size: 1 << 60) {
            #expect(throws: ImportError.self) {
                try SnapshotImport([path, path], as: .bitmaps, intervalNs: 1, pageSize: 4096)
            }
        }
        #expect(throws: ImportError.self) {
            try SnapshotImport([empty, empty], as: .sparse, intervalNs: .max, pageSize: 4096)
        }
    }
}
