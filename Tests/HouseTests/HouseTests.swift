import Foundation
import Testing

/// What the compiler does not say about the sources.
@Suite struct `The house` {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Swift files below a folder of the repository, with their text.
    private static func sources(_ folder: String) throws -> [(path: String, text: String)] {
        let base = root.appendingPathComponent(folder).path
        let names = FileManager.default.enumerator(atPath: base)?.compactMap { $0 as? String } ?? []
        return try names.filter { $0.hasSuffix(".swift") }.sorted().map {
            ("\(folder)/\($0)", try String(contentsOfFile: "\(base)/\($0)", encoding: .utf8))
        }
    }

    /// Floors from the ground up; those of one number stand side by side and know nothing of each other.
    private static let floors = ["Ground": 0, "Store": 1, "Capture": 2, "Answers": 2, "Tool": 3]

    @Test func `a floor imports only downwards`() throws {
        var home: [String: String] = [:]
        for floor in Self.floors.keys {
            let rooms = try FileManager.default.contentsOfDirectory(
                atPath: Self.root.appendingPathComponent("Sources/\(floor)").path)
            for room in rooms { home[room] = floor }
        }
        #expect(home["Platform"] == "Ground" && home["Recorder"] == "Capture")
        for (floor, height) in Self.floors {
            let files = try Self.sources("Sources/\(floor)")
            #expect(!files.isEmpty)
            for file in files {
                for line in file.text.split(separator: "\n") {
                    let words = line.split(separator: " ")
                    guard let place = words.firstIndex(of: "import"), place <= 1, place + 1 < words.count,
                        let other = home[String(words[place + 1])]
                    else { continue }
                    #expect(
                        other == floor || Self.floors[other, default: 0] < height,
                        "\(file.path) imports \(words[place + 1]) of \(other)")
                }
            }
        }
    }

    @Test(arguments: [
        (
            "x86_64",
            #"\bkvm_(s?regs|cpuid\w*|pit\w*|irq_level)\b|KVM_(CREATE_IRQCHIP|SET_TSS_ADDR|SET_CPUID2)|\b(rflags|efer|cr[034])\b"#
        ),
        ("arm64", #"\bC?KVM_(ARM|REG|DOORBELL)_?\w*|\bkvm_(one_reg|vcpu_init)\b"#),
    ])
    func `what only one architecture has stands in folders of its own`(architecture: String, words: String) throws {
        let words = try Regex(words)
        let (own, others) = try Self.sources("Sources/Capture").reduce(into: (0, [String]())) { found, file in
            guard file.text.contains(words) else { return }
            if file.path.contains("/\(architecture)/") { found.0 += 1 } else { found.1.append(file.path) }
        }
        #expect(own > 2 && others.isEmpty, "\(others)")
    }

    @Test func `no logic asks for the architecture`() throws {
        for file in try Self.sources("Sources") {
            #expect(!file.text.contains(/#(if|elseif).*\b(arch|targetEnvironment)\(/), "\(file.path)")
        }
    }

    @Test func `CONTRIBUTING's ten changes touch at most five files each, which there are`() throws {
        let text = try String(
            contentsOfFile: Self.root.appendingPathComponent("CONTRIBUTING.md").path, encoding: .utf8)
        let start = try #require(text.firstRange(of: "| change | files |\n|---|---|\n")).upperBound
        let rows = text[start...].split(separator: "\n", omittingEmptySubsequences: false).prefix { $0.hasPrefix("| ") }
        #expect(rows.count == 10)
        let known = Set(
            try (Self.sources("Sources") + Self.sources("schemas")).map { ($0.path as NSString).lastPathComponent })
        for row in rows {
            let files = row.matches(of: /`(?:[\w\/]*\/)?(\w+\.(?:swift|sql|vl\.json))`/).map { String($0.1) }
            let choices = row.matches(of: /` or `/).count
            if !row.hasPrefix("| an architecture") { #expect(files.count - choices <= 5, "\(row)") }
            for file in files where file.hasSuffix(".swift") && !["NAME.swift", "Package.swift"].contains(file) {
                #expect(known.contains(file), "there is no \(file)")
            }
        }
    }

    @Test(arguments: ["docs/conformance.md", "docs/sources.md"])
    func `each test that a document names is there`(document: String) throws {
        let text = try String(contentsOfFile: Self.root.appendingPathComponent(document).path, encoding: .utf8)
        let tests = try Self.sources("Tests").map(\.text).joined()
        var named = 0
        for table in text.components(separatedBy: "\n\n") {
            // A table with a column of tests, which is not always the last one.
            let rows = table.split(separator: "\n").filter { $0.hasPrefix("| ") }.map {
                $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            }
            guard let place = rows.first?.firstIndex(where: { ["test", "tests that show it"].contains($0) }) else {
                continue
            }
            for row in rows.dropFirst() where place < row.count {
                for match in row[place].matches(of: /`([^`]+ [^`]+)`/) {
                    let name = String(match.1)
                    named += 1
                    let isThere =
                        name.hasSuffix("…")
                        ? tests.contains("func `" + name.dropLast().trimmingCharacters(in: .whitespaces))
                        : tests.contains("func `\(name)`")
                    #expect(isThere, "\(document) names `\(name)`")
                }
            }
        }
        #expect(named > 5)
    }

    /// Standard output and standard error have one door, `Output`: what goes around it traps, or is lost in silence, where it cannot be written.
    @Test(arguments: [
        #"(^|[^.\w"])print\("#, #"\btry!"#, #"standardOutput\.write"#, #"standardError\.write"#, #"\bfputs\("#,
        #"\bputs\("#,
        #"\bprintf\("#, #"debugPrint\("#,
    ])
    func `nothing is written beside the one way out`(pattern: String) throws {
        let beside = try Regex(pattern)
        for file in try Self.sources("Sources") {
            // Some types have functions of their own that are called print.
            let own = ["func print(", "_ print: "].contains(where: file.text.contains)
            for (number, line) in file.text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
                let code = line.firstRange(of: "//").map { line[..<$0.lowerBound] } ?? line
                if own, pattern.contains("print\\(") { continue }
                #expect(!code.contains(beside), "\(file.path):\(number + 1): \(line)")
            }
        }
    }
}
