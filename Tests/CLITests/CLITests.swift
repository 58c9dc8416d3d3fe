import Foundation
import TestSupport
import Testing

@Suite struct `The command line` {
    static let commands = [
        "record", "report", "converge", "snapshots", "diff", "sql", "notebook", "export", "verify", "recover", "rows",
        "attach", "top",
        "import", "synth", "fleet", "doctor",
    ]

    @Test(arguments: commands)
    func `every command has help with an example`(command: String) throws {
        let help = try Tool.succeed(["help", command])
        #expect(help.contains("OVERVIEW: ") && help.contains("USAGE: dirtyrec \(command)"))
        #expect(command == "doctor" || help.contains("Example"))
    }

    @Test func `help lists exactly the commands that are tested`() throws {
        let help = try Tool.succeed(["--help"])
        let listed = help.split(separator: "SUBCOMMANDS:")[1].split(separator: "\n")
            .filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") && !$0.hasPrefix("  See ") }.compactMap {
                $0.split(separator: " ").first.map(String.init)
            }
        #expect(Set(listed) == Set(Self.commands))
    }

    @Test func `the version says its number, the commit and SQLite's`() throws {
        let version = try Tool.succeed(["--version"])
        #expect(
            version.wholeMatch(
                of: /dirtyrec \d+\.\d+\.\d+ \(commit (unknown|[0-9a-f]{12}(-dirty)?), SQLite 3\.\d+\.\d+\)\n/) != nil,
            "\(version)")
    }

    /// What may be typed freely: the Tab key has nothing to offer.
    static let free: Set = [
        "bandwidth", "bits", "entries", "event", "gpa", "key=value", "list", "memory", "n", "name=value", "pages",
        "percent", "pid",
        "ranges",
        "size", "sizes", "sql", "text", "tid,…", "time", "times", "url", "vcpus",
    ]

    @Test(arguments: commands)
    func `the Tab key knows what every argument takes`(command: String) throws {
        let help = try JSONSerialization.jsonObject(
            with: Data(Tool.succeed(["--experimental-dump-help"]).utf8))
        let tree = try #require((help as? [String: Any])?["command"] as? [String: Any])
        let commands = try #require(tree["subcommands"] as? [[String: Any]])
        let own = try #require(commands.first { $0["commandName"] as? String == command })
        for argument in own["arguments"] as? [[String: Any]] ?? [] where argument["kind"] as? String != "flag" {
            let value = try #require(argument["valueName"] as? String)
            #expect(
                argument["completionKind"] != nil || Self.free.contains(value),
                "\(command): <\(value)> has no `completion:` (Options/Completions.swift)")
        }
    }

    @Test(arguments: [
        (["sql", "--", "--query"], "duplicates/top_shared"), (["fleet", "--", "--query"], "overview"),
        (["diff", "--", "--fail-if"], "wws.p95>+10%"),
    ])
    func `names are asked of the binary when the Tab key is pressed`(words: [String], candidate: String) throws {
        let line = ["dirtyrec", words[0], words[2], ""]
        let result = try Tool.run(
            ["SAP_SHELL=bash", Tool.path, "---completion"] + words + ["3", "0"] + line, program: "/usr/bin/env")
        #expect(result.status == 0, "\(result.stderr)")
        let candidates = result.stdout.split(separator: "\n").map(String.init)
        #expect(candidates.contains(candidate))
        // A gate that is offered is a gate.
        for gate in candidates where words[0] == "diff" {
            #expect(try Tool.run(["diff", "a", "a", "--fail-if", gate]).stderr.contains("a does not exist"))
        }
    }

    /// Arguments, exit status, and what the one sentence must contain.
    static let refusals: [([String], Int32, String)] = [
        (["import", "-o", "F/a.db"], 2, "There is nothing to import: name a file, or a migration's log"),
        (["import", "-o", "F/a.db", "--migration", "F/text.db", "--interval", "1s"], 2, "leave the other options out"),
        (["import", "-", "-o", "F/a.db", "--migration", "-"], 2, "Standard input cannot be both"),
        (["import", "-o", "F/text.db", "--migration", "F/text.db", "--force"], 2, "choose another name"),
        (["import", "-o", "F/a.db", "--migration", "F/text.db"], 4, "says nothing of a migration"),
        (
            ["record", "-o", "F/a.db", "--workload", "nonsense"], 2,
            "There is no workload 'nonsense'; known are sequential, stride"
        ),
        (
            ["record", "-o", "F/a.db", "--workload", "zipf:thetta=1"], 2,
            "has no parameter 'thetta'; known are theta, size"
        ),
        (["record", "-o", "F/a.db", "--workload", "zipf:size=10"], 2, "give a multiple of 4096 bytes"),
        (["record", "-o", "F/a.db", "--memory", "3"], 2, "Guest memory of 3 bytes is not usable"),
        (["record", "-o", "F/a.db", "--memory", "4096"], 2, "more than the guest's 4 KiB"),
        (["record", "-o", "F/a.db", "--vcpus", "0"], 2, "--vcpus 0 is not usable"),
        (["record", "-o", "F/a.db", "--watch", "zzz"], 2, "--watch zzz is not usable"),
        (["record", "-o", "F/a.db", "--slot-event", "1s:explode"], 2, "--slot-event 1s:explode is not usable"),
        (["record"], 2, "dirtyrec: Missing expected argument '--output <output>'. See: dirtyrec record --help"),
        (["reprot", "F/text.db"], 2, "dirtyrec: There is no command 'reprot'. Did you mean 'report'?"),
        (["help", "recrod"], 2, "dirtyrec: There is no command 'recrod'. Did you mean 'record'?"),
        (["report", "F/text.db", "--topp", "5"], 2, "dirtyrec: Unknown option '--topp'. Did you mean '--top'?"),
        (
            ["export", "F/text.db", "--format", "parket", "-o", "-"], 2,
            "Please provide one of 'csv', 'jsonl' or 'perfetto'."
        ),
        (["sql", "F/text.db", "--query", "duplicates/top_shard"], 2, "Did you mean 'duplicates/top_shared'?"),
        (["fleet", "F", "--query", "overveiw"], 2, "Did you mean 'overview'?"),
        (["record", "-o", "F/a.db", "--workload", "zpif"], 2, "Did you mean 'zipf'?"),
        (["converge", "F/text.db", "--policy", "qmeu"], 2, "Did you mean 'qemu'?"),
        (["report", "F/text.db", "--listen", "127.0.0.1:1"], 2, "--listen says where a page is served"),
        (["report", "F/text.db", "--follow", "--html", "F/a.html"], 2, "--follow serves the page"),
        (["report", "F/text.db", "--follow", "--json"], 2, "--follow serves the page"),
        (["report", "F/text.db", "--open"], 2, "--open shows a page: give --html"),
        (["report", "F/text.db", "--follow", "--listen", "8080"], 2, "'8080' is no address and port in digits"),
        (["report", "F/text.db", "--follow", "--listen", "example.com:80"], 2, "is no address and port in digits"),
        (["report", "F/text.db", "--follow"], 4, "F/text.db is not an SQLite database."),
        (["report", "F/missing.db", "--follow"], 2, "F/missing.db does not exist."),
        (["top"], 2, "Name either a recording, or a VMM"),
        (["top", "F/text.db", "--pid", "1"], 2, "Name either a recording, or a VMM"),
        (["top", "F/text.db", "-o", "F/a.db"], 2, "is a recording already"),
        (["top", "F/text.db", "--delay", "10ms"], 2, "--delay must be at least 100ms."),
        (["top", "F/text.db", "--plain", "--json"], 2, "Give either --plain or --json"),
        (["top", "--pid", "1", "--force"], 2, "--force is for -o."),
        (["top", "F/text.db"], 4, "F/text.db is not an SQLite database."),
        (["top", "F/missing.db"], 2, "F/missing.db does not exist."),
        (["record", "-o", "-"], 2, "A recording cannot go to standard output"),
        (["record", "-o", ""], 2, "The output has no name"),
        (["synth", "-o", ""], 2, "The output has no name"),
        (
            ["record", "-o", "F/a.db", "--source", "dirty-log", "--ring-size", "512"], 2,
            "--ring-size is for --source dirty-ring"
        ),
        (["record", "-o", "F/a.db", "--clear-chunk", "128"], 2, "--clear-chunk is for --source clear-log"),
        (["record", "-o", "F/a.db", "--compare-sources", "--source", "dirty-log"], 2, "leave --source out"),
        (["record", "-o", "F/a.db", "--metrics", "-"], 2, "--metrics makes its file anew every second"),
        (["record", "-o", "F/a.db", "--metrics", "F/a.prom", "--compare-sources"], 2, "--metrics is of one recording"),
        (["record", "-o", "F/a.db", "--interval", "2562047h"], 2, "a duration is at most 320255h"),
        (["attach", "--pid", "1", "--soft-dirty", "--qmp", "F/q", "-o", "F/a.db"], 2, "for a VM that logs nothing"),
        (["attach", "--libvirt", "a", "--soft-dirty", "-o", "F/a.db"], 2, "--libvirt lets QEMU log, and --soft-dirty"),
        (["attach", "--libvirt", "a", "--qmp", "F/q", "-o", "F/a.db"], 2, "both lead to QEMU's monitor"),
        (["attach", "--libvirt", "", "-o", "F/a.db"], 2, "needs the name, id or UUID of a domain"),
        (["attach", "-o", "F/a.db"], 2, "Name the VMM: --pid PID, --qmp SOCKET or --libvirt DOMAIN."),
        (["attach", "--pid", "1", "--soft-dirty", "--times", "off", "-o", "F/a.db"], 2, "leave --times off away"),
        (
            ["attach", "--pid", "1", "--soft-dirty", "--interval", "1ms", "-o", "F/a.db"], 2,
            "at least 10ms with --soft-dirty"
        ),
        (["record", "-o", "F/a.db", "--duration", "9223372036854775807ns"], 2, "is too long"),
        (["record", "-o", "F/a.db", "--sync", "9223372036854775807ns"], 2, "is too long"),
        (["record", "-o", "F/a.db", "--slot-event", "9223372036854775807ns:add=2MiB"], 2, "is not usable"),
        (["converge", "F/text.db", "--sync", "9223372036854775807ns"], 2, "is too long"),
        (["sql", "F/text.db", "--timeout", "9223372036854775807ns", "SELECT 1"], 2, "is too long"),
        (["record", "-o", "F/a.db", "--slow"], 2, "--slow is for --kernel or --image"),
        (
            ["record", "-o", "F/a.db", "--source", "tracefs"], 2,
            "Please provide one of 'dirty-ring', 'dirty-log' or 'clear-log'."
        ),
        (["record", "-o", "F/a.db", "--workload", "zipf:size=8MiB,size=16MiB"], 2, "size is given twice"),
        (["synth", "-o", "F/a.db", "--label", "a=1", "--label", "a=2"], 2, "A label is given twice"),
        (
            ["sql", "F/text.db", "--query", "duplicates/top_shared", "--set", "limit=1", "--set", "limit=2"], 2,
            "two values"
        ),
        (["sql", "--list", "--query", "duplicates/top_shared"], 2, "leave the query out"),
        (["fleet", "F", "--html", "F/p.html", "--format", "csv"], 2, "--format belongs to --query."),
        (["converge", "F/text.db", "--policy", "xen", "--zero-pages", "5"], 2, "are for --policy qemu"),
        (["diff", "F/text.db", "F/text.db", "--html", "-"], 2, "give --html a file"),
        (["report", "F/\u{1b}[31m\u{9b}x\u{202e}.db"], 2, "\\u{1b}[31m\\u{9b}x\\u{202e}.db does not exist."),
        (["report", "F/missing.db"], 2, "F/missing.db does not exist."),
        (["report", "F/text.db"], 4, "F/text.db is not an SQLite database."),
        (["report", "F/other.db"], 4, "F/other.db is an SQLite database, but not a recording of dirtyrec."),
        (["report", "F"], 2, "F is not a regular file."),
        (["sql", "F/text.db", "SELECT 1"], 4, "is not an SQLite database"),
        (["verify", "F/other.db"], 4, "not a recording of dirtyrec"),
        (
            ["converge", "F/text.db", "--bandwidth", "fast"], 2,
            "'--bandwidth <list>': 'fast' is not a bandwidth; write for example 10Gbit/s"
        ),
        (["snapshots", "F/text.db", "--prefetch", "F/a"], 2, "--prefetch is for one cadence"),
        (["snapshots", "F/text.db", "--forks", "0"], 2, "--forks 0 is not usable"),
        (["import", "F/text.db", "F/text.db", "-o", "F/a.db"], 2, "Several files are snapshots"),
        (["import", "F/text.db", "--page-size", "4KiB", "-o", "F/a.db"], 2, "--page-size is for files of snapshots"),
        (["import", "F/text.db", "--format", "images", "-o", "F/a.db"], 2, "give at least two"),
        (["import", "F", "--format", "sparse", "-o", "F/a.db"], 4, "F: is no regular file"),
        (["verify", "F/text.db", "F/text.db"], 2, "Give one recording."),
        (["verify", "--snapshot", "F/text.db", "F/text.db"], 2, "Give the base, the diff"),
        (["verify", "--snapshot", "F/none", "F/text.db", "F/text.db"], 4, "F/none: cannot be opened"),
        (["snapshots", "F/text.db", "--cadence", "0s"], 2, "'0s' is not above 0."),
        (["snapshots", "F/text.db", "--block", "4K"], 2, "'4K' is ambiguous"),
        (["snapshots", "F/text.db"], 4, "F/text.db is not an SQLite database."),
        (["converge", "F/text.db", "--bandwidth", "1Gbit/s,0B/s"], 2, "'0B/s' is not above 0."),
        (["converge", "F/text.db", "--policy", "vmware"], 2, "'vmware' is no policy; known are"),
        (["record", "-o", "/proc/a.db"], 5, "Cannot create /proc/a.db: that folder takes no files."),
        (["diff", "F/text.db", "F/text.db", "--fail-if", "wws.p95 is big"], 2, "A gate"),
        (["synth", "-o", "F/a.db", "--workload", "dma"], 2, "which has no model"),
        (["synth", "-o", "F/a.db", "--workload", "zipf:step=5"], 2, "leave it out"),
        (["synth", "-o", "F/a.db", "--duration", "0s"], 2, "--duration 0 ns is not usable"),
        (["synth", "-o", "F/a.db", "--label", "x"], 2, "--label x is not usable: write key=value."),
        (["export", "F/text.db"], 2, "Give --format and -o, or --parquet DIR."),
        (["export", "F/text.db", "--parquet", "F/fleet", "-o", "F/a.csv"], 2, "leave --format and -o out"),
        (["export", "F/text.db", "F/text.db", "--format", "csv", "-o", "-"], 2, "--parquet takes any number"),
        (["export", "F/text.db", "--parquet", "F/a*"], 4, "means something to the engines"),
        (["fleet", "F", "--query", "nonsense"], 2, "There is no fleet query 'nonsense'; known are overview"),
        (["fleet", "F", "--query", "overview"], 4, "holds no exported recording"),
        (["fleet", "F", "--query", "overview", "--master", "local[1]"], 2, "--master belongs to --engine spark."),
        (["diff", "F/text.db", "F/text.db"], 4, "F/text.db is not an SQLite database."),
    ]

    @Test(arguments: refusals)
    func `bad input is one sentence and the right exit status`(arguments: [String], status: Int32, sentence: String)
        throws
    {
        try withFolder { folder in
            try Data(repeating: 65, count: 5000).write(to: URL(fileURLWithPath: folder + "/text.db"))
            _ = try Tool.sqlite(folder + "/other.db", "CREATE TABLE t(a)")
            let before = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
            let result = try Tool.run(arguments.map { $0.replacing("F", with: folder, maxReplacements: 1) })
            #expect(result.status == status, "\(result.stderr)")
            #expect(result.stderr.contains(sentence.replacing("F", with: folder)), "\(result.stderr)")
            #expect(result.stdout == "")
            #expect(result.stderr.split(separator: "\n").count == 1, "\(result.stderr)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == before)
        }
    }

    @Test func `doctor says the same in JSON`() throws {
        let text = try Tool.run(["doctor"])
        let json = try Tool.run(["doctor", "--json"])
        #expect(text.status == json.status)
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(json.stdout.utf8)) as? [String: Any])
        let findings = try #require(object["findings"] as? [[String: Any]])
        for finding in findings { #expect(text.stdout.contains(finding["name"] as? String ?? "?")) }
        #expect((object["can_record"] as? Bool) == (text.status == 0))
    }
}

@Suite struct `A migration's log from the command line` {
    private static let log = """
        {"status": "active", "total-time": 1000, "ram": {"transferred": 4096000, "remaining": 409600, "dirty-sync-count": 1}}
        {"status": "completed", "total-time": 2000, "downtime": 7, "ram": {"transferred": 5000000, "remaining": 0, "dirty-sync-count": 2}}

        """
    private static let trace = """
        dirtyrec-text 1
        slot    id=0 base=0 pages=1000
        harvest iteration=1 vcpu=0 ts=1s : 0-99
        harvest iteration=2 vcpu=0 ts=2s : 0-99
        harvest iteration=3 vcpu=0 ts=3s : 0-99
        harvest iteration=4 vcpu=0 ts=4s : 0-99

        """

    @Test func `is a recording, alone and beside a trace`() throws {
        try withFolder { folder in
            let (log, trace, alone, both) = (folder + "/log", folder + "/trace", folder + "/a.db", folder + "/b.db")
            try Data(Self.log.utf8).write(to: URL(fileURLWithPath: log))
            try Data(Self.trace.utf8).write(to: URL(fileURLWithPath: trace))
            try Tool.succeed(["import", "--migration", log, "-o", alone])
            try Tool.succeed(["import", trace, "--migration", log, "-o", both])
            for file in [alone, both] {
                #expect(try Tool.succeed(["verify", file]).contains("is in order"))
                let report = try Tool.succeed(["report", file])
                #expect(report.contains("How did the migration go?") && report.contains("Completed"))
                #expect(
                    report.contains("Migration as it was seen, and as the recording foretells it") == (file == both))
                #expect(report.contains("Dirty rate") == (file == both))
                let rows = try Tool.succeed(["sql", file, "--csv", "SELECT tool, pass, downtime_ns FROM migration"])
                #expect(rows == "tool,pass,downtime_ns\r\nqemu,1,\r\nqemu,2,7000000\r\n")
                try Tool.succeed(["report", file, "--html", folder + "/page.html"])
                try Tool.succeed(["export", file, "--format", "csv", "-o", folder + "/rows", "--force"])
                _ = try Tool.succeed(["converge", file])
            }
            // A log replaces nothing unless told, and a trace without a harvest is none.
            #expect(try Tool.run(["import", "--migration", log, "-o", alone]).status != 0)
            try Tool.succeed(["import", "--migration", log, "-o", alone, "--force"])
            try Data("dirtyrec-text 1\n".utf8).write(to: URL(fileURLWithPath: trace))
            let empty = try Tool.run(["import", trace, "--migration", log, "-o", folder + "/c.db"])
            #expect(empty.status == 4 && empty.stderr.contains("holds no harvest"))
            #expect(!FileManager.default.fileExists(atPath: folder + "/c.db"))
        }
    }
}

@Suite(.serialized, .enabled(if: Tool.canRecord, Tool.reason))
struct `Recording from the command line` {
    private static let quick = ["--workload", "zipf:size=8MiB,region=shared,rate=50k/s", "--interval", "20ms"]

    @Test func `no page and no import replaces what it was made of`() throws {
        try withFolder { folder in
            let (file, text) = (folder + "/a.db", folder + "/a.txt")
            try Tool.succeed(["record", "-o", file, "--duration", "100ms"] + Self.quick)
            try Data("dirtyrec-text 1\nharvest iteration=1 ts=1ms : 0x1\n".utf8).write(to: URL(fileURLWithPath: text))
            let before = try [file, text].map { try Data(contentsOf: URL(fileURLWithPath: $0)) }
            for arguments in [
                ["report", file, "--html", file], ["diff", file, file, "--html", file],
                ["import", text, "-o", text, "--force"], ["import", text, "-o", folder + "/./a.txt", "--force"],
            ] {
                let result = try Tool.run(arguments)
                #expect(result.status == 2, "\(arguments)")
                #expect(result.stderr.contains("choose another name."), "\(result.stderr)")
            }
            #expect(try [file, text].map { try Data(contentsOf: URL(fileURLWithPath: $0)) } == before)
        }
    }

    /// Waits until a recording in progress has stored so many iterations with entries: a busy machine takes its time.
    private func waitForIterations(_ count: Int, in file: String) throws {
        for _ in 0..<600 {
            let found = try? Tool.run([
                "sql", file, "--csv", "SELECT count(DISTINCT iteration) >= \(count) AS many FROM dirty",
            ])
            if found?.stdout == "many\r\n1\r\n" { return }
            Thread.sleep(forTimeInterval: 0.1)
        }
        Issue.record("\(file) did not get \(count) iterations within a minute")
    }

    @Test func `sqlite3, report and verify agree on one file`() throws {
        try withFolder { folder in
            let file = folder + "/a.db"
            try Tool.succeed(
                ["record", "-o", file, "--vcpus", "2", "--duration", "500ms", "--label", "team=mm"] + Self.quick)
            // An iteration of 20 ms may be empty: those of the table count.
            let sqlite = try Tool.sqlite(
                file,
                """
                SELECT count(*), count(DISTINCT gfn), count(DISTINCT vcpu), (SELECT count(*) FROM iteration) FROM dirty
                """)
            let json = try #require(
                try JSONSerialization.jsonObject(with: Data(Tool.succeed(["report", file, "--json"]).utf8))
                    as? [String: Any])
            let counts = try #require(json["counts"] as? [String: Any])
            let reported = ["entries", "distinct_gfns", "vcpus", "iterations"].map { "\(counts[$0] ?? "?")" }
            #expect(sqlite == reported.joined(separator: "|"))
            #expect(try Tool.succeed(["verify", file]).contains("is in order"))
            #expect(try Tool.sqlite(file, "SELECT value FROM label") == "mm")
            let both = try Tool.succeed([
                "sql", file, "--json", "SELECT 1 AS a UNION SELECT 2; ; SELECT 3 AS b WHERE 0;",
            ])
            let results = try #require(try JSONSerialization.jsonObject(with: Data(both.utf8)) as? [[[String: Int]]])
            #expect(results == [[["a": 1], ["a": 2]], []])
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a.db"])
            #expect(
                try Tool.succeed(["sql", file, "--csv", "SELECT count(*) AS n FROM dirty"])
                    == "n\r\n\(sqlite.prefix { $0 != "|" })\r\n")
        }
    }

    @Test func `an existing file is replaced only with --force`() throws {
        try withFolder { folder in
            let file = folder + "/a.db"
            try Data("precious".utf8).write(to: URL(fileURLWithPath: file))
            let refused = try Tool.run(["record", "-o", file, "--iterations", "2"] + Self.quick)
            #expect(refused.status == 2)
            #expect(
                refused.stderr == "dirtyrec: \(file) exists already. Choose another name, or replace it with --force.\n"
            )
            #expect(try String(contentsOfFile: file, encoding: .utf8) == "precious")
            try Tool.succeed(["record", "-o", file, "--iterations", "2", "--force"] + Self.quick)
            #expect(try Tool.succeed(["verify", file]).contains("is in order"))
        }
    }

    @Test(arguments: [
        (["--ring-size", "1000"], Int32(2), "--ring-size 1000 is not a power of two"),
        (["--ring-size", "1048576"], 2, "is too large; this host allows 65536 entries"),
        (["--initially-set"], 2, "--initially-set needs --source clear-log"),
        (["--clear-chunk", "100", "--source", "clear-log"], 2, "is not a multiple of 64 pages"),
        (["--watch", "0x100000000,0x100000010"], 2, "are two names of the page"),
    ])
    func `plans that cannot be carried out leave nothing behind`(flags: [String], status: Int32, sentence: String)
        throws
    {
        try withFolder { folder in
            let result = try Tool.run(["record", "-o", folder + "/a.db", "--iterations", "2"] + flags)
            #expect(result.status == status)
            #expect(result.stderr.contains(sentence), "\(result.stderr)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
        }
    }

    @Test func `a folder that does not exist is named, with the command that makes it`() throws {
        try withFolder { folder in
            let result = try Tool.run(["record", "-o", folder + "/no/a.db", "--iterations", "2"] + Self.quick)
            #expect(result.status == 5)
            #expect(
                result.stderr
                    == "dirtyrec: \(folder)/no/a.db cannot be written: there is no folder \(folder)/no; make it with: mkdir -p \(folder)/no\n"
            )
        }
    }

    @Test(.enabled(if: geteuid() == 0, "needs root to become somebody who may not use /dev/kvm"))
    func `no permission for the device is exit status 3 and says what to do`() throws {
        try withFolder { folder in
            let attributes = try FileManager.default.attributesOfItem(atPath: "/dev/kvm")
            guard (attributes[.posixPermissions] as? Int ?? 0) & 0o006 == 0 else { return }
            // The build folder may be closed to others: run a copy.
            let copy = folder + "/dirtyrec"
            try FileManager.default.copyItem(atPath: Tool.path, toPath: copy)
            try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: folder)
            let result = try Tool.run(
                ["--reuid=65534", "--regid=65534", "--clear-groups", copy, "record", "-o", folder + "/a.db"],
                program: "/usr/bin/setpriv")
            #expect(result.status == 3)
            #expect(
                result.stderr
                    == "dirtyrec: open(/dev/kvm) failed: Permission denied; add yourself to the group of /dev/kvm (usually kvm), or run as root.\n"
            )
            #expect(!FileManager.default.fileExists(atPath: folder + "/a.db"))
        }
    }

    @Test func `Ctrl-C ends cleanly with everything kept`() throws {
        try withFolder { folder in
            let file = folder + "/a.db"
            let (process, _, err) = try Tool.start(["record", "-o", file, "--duration", "600s"] + Self.quick)
            try waitForIterations(5, in: file)
            process.interrupt()
            process.waitUntilExit()
            let message = String(decoding: err.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            #expect(process.terminationStatus == 0)
            #expect(message.contains("ended by signal"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a.db"])
            #expect(try Tool.succeed(["verify", file]).contains("is in order"))
        }
    }

    @Test func `losing the terminal ends a recording as Ctrl-C does, unless nohup says no`() throws {
        try withFolder { folder in
            let file = "\(folder)/hup.db"
            let (process, out, _) = try Tool.start(["record", "-o", file, "--duration", "600s"] + Self.quick)
            try waitForIterations(1, in: file)
            kill(process.processIdentifier, SIGHUP)
            _ = out.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            #expect(process.terminationReason == .exit && process.terminationStatus == 0)
            #expect(try Tool.sqlite(file, "SELECT end_reason FROM recording") == "signal")

            let kept = "\(folder)/nohup.db"
            let arguments = ["nohup", Tool.path, "record", "-o", kept, "--duration", "600s"] + Self.quick
            let (nohup, output, _) = try Tool.start(arguments, program: "/usr/bin/env")
            try waitForIterations(1, in: kept)
            // What ends it is the second signal.
            kill(nohup.processIdentifier, SIGHUP)
            try waitForIterations(20, in: kept)
            kill(nohup.processIdentifier, SIGTERM)
            _ = output.fileHandleForReading.readDataToEndOfFile()
            nohup.waitUntilExit()
            #expect(nohup.terminationStatus == 0)
        }
    }

    @Test func `nobody's output replaces a recording that is being made`() throws {
        try withFolder { folder in
            let file = folder + "/a.db"
            let old = folder + "/old.db"
            try Tool.succeed(["synth", "-o", old, "--duration", "200ms", "--workload", "sequential:size=1MiB"])
            let (process, _, err) = try Tool.start(["record", "-o", file] + Self.quick)
            try waitForIterations(2, in: file)
            let refused = try Tool.run(["export", old, "--format", "csv", "--force", "-o", file])
            #expect(refused.status == 2 && refused.stderr.contains("a.db is being written by another dirtyrec"))
            process.interrupt()
            process.waitUntilExit()
            _ = err.fileHandleForReading.readDataToEndOfFile()
            #expect(process.terminationStatus == 0)
            try Tool.succeed(["verify", file])
        }
    }

    @Test func `a guest that this host has no memory for is refused`() throws {
        try withFolder { folder in
            let refused = try Tool.run(
                ["record", "-o", folder + "/a.db", "--workload", "random:size=16TiB", "--iterations", "1"])
            #expect(refused.status == 3 && refused.stderr.contains("of guest memory present failed: this host has"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
        }
    }

    @Test func `metrics are the report's figures`() throws {
        try withFolder { folder in
            let file = folder + "/a.prom"
            try Tool.succeed(
                ["record", "-o", folder + "/a.db", "--metrics", file, "--duration", "300ms", "--vcpus", "2"]
                    + Self.quick)
            let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
            func sum(_ name: String, _ label: String = "") -> Double? {
                let samples = lines.filter {
                    $0.hasPrefix("dirtyrec_\(name){") && (label.isEmpty || $0.contains(label))
                }
                let values = samples.compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }
                return values.isEmpty || values.count < samples.count ? nil : values.reduce(0, +)
            }
            let rows = try Tool.sqlite(
                folder + "/a.db",
                """
                SELECT sum(entries), sum(unique_pages), sum(cross_ring), count(*), (SELECT count(*) FROM page_summary),
                    (SELECT sum(entries) FROM vcpu WHERE vcpu = 1), (SELECT count(*) FROM loss)
                FROM iteration_summary
                """)
            let figures = [
                sum("entries_total"), sum("entries_total", "class=\"unique\""),
                sum("entries_total", "class=\"cross_ring\""), sum("iterations_total"), sum("pages"),
                sum("vcpu_entries_total", "vcpu=\"1\""), sum("losses_total"),
            ]
            #expect(figures == rows.split(separator: "|").map { Double($0) })
            #expect(sum("recording_active") == 0)
            // What stands in the way is said before the guest runs, and leaves nothing.
            let refused = try Tool.run(["record", "-o", folder + "/b.db", "--metrics", folder + "/a.db"] + Self.quick)
            #expect(refused.status == 2 && refused.stderr.contains("a.db is a recording or another SQLite file"))
            #expect(!FileManager.default.fileExists(atPath: folder + "/b.db"))
        }
    }

    @Test func `the last line of top is what the report says`() throws {
        try withFolder { folder in
            let file = folder + "/a.db"
            try Tool.succeed([
                "synth", "-o", file, "--workload", "zipf:size=8MiB,rate=50k/s", "--vcpus", "2", "--duration", "3s",
            ])
            func object(_ text: some StringProtocol) throws -> [String: Any] {
                try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
            }
            let lines = try Tool.succeed(["top", file, "--json"]).split(separator: "\n")
            #expect(lines.count == 1)
            let top = try object(try #require(lines.last))
            let report = try object(try Tool.succeed(["report", file, "--json"]))
            func figure(_ object: [String: Any], _ path: String) -> Double? {
                var value: Any? = object
                for key in path.split(separator: ".") {
                    value = Int(key).map { (value as? [Any])?[$0] } ?? (value as? [String: Any])?[String(key)]
                }
                return (value as? NSNumber)?.doubleValue
            }
            for (mine, theirs) in [
                ("entries", "counts.entries"), ("pages", "counts.distinct_gfns"), ("iterations", "counts.iterations"),
                ("duration_ns", "counts.duration_ns"), ("unique", "duplicates.distinct"),
                ("duplicates.cross_ring", "duplicates.cross_ring"),
                ("average.pages_per_s", "rate.pages_per_s"), ("average.bytes_per_s", "rate.bytes_per_s"),
                ("average.entries_per_s", "rate.entries_per_s"),
                ("working_set.0.max", "working_set.0.pages.max"), ("working_set.0.p95", "working_set.0.pages.p95"),
                ("working_set.0.tau_ns", "working_set.0.tau_ns"),
            ] {
                let found = figure(top, mine)
                #expect(found != nil && found == figure(report, theirs), "\(mine), \(theirs)")
            }
            let converge = try object(
                try Tool.succeed([
                    "converge", file, "--bandwidth", "10Gbit/s", "--downtime", "300ms", "--policy", "qemu", "--json",
                ]))
            for (mine, theirs) in [
                ("total_ns", "grid.0.total_ns"), ("downtime_actual_ns_low", "grid.0.downtime_actual_ns_low"),
                ("least_bandwidth_bytes_per_s", "least_bandwidth.0.bandwidth_bytes_per_s"),
            ] {
                let found = figure(top, "migration." + mine)
                #expect(found != nil && found == figure(converge, theirs), "\(mine), \(theirs)")
            }
        }
    }

    @Test func `top follows a recording to its end, in lines, and keeps nobody from ending it`() throws {
        try withFolder { folder in
            let file = folder + "/a.db"
            let (recorder, _, _) = try Tool.start(
                ["record", "-o", file, "--duration", "4s", "--workload", "zipf:size=8MiB,rate=20k/s"])
            defer { if recorder.isRunning { recorder.terminate() } }
            while !FileManager.default.fileExists(atPath: file), recorder.isRunning { usleep(20_000) }
            let lines = try Tool.succeed(["top", file, "--plain", "--delay", "200ms"]).split(separator: "\n")
            recorder.waitUntilExit()
            #expect(recorder.terminationStatus == 0)
            #expect(lines.count > 1 && lines.last?.hasSuffix("ended: duration") == true, "\(lines)")
            #expect(try Tool.succeed(["verify", file]).contains("summaries agree"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a.db"])
        }
    }

    /// A page that is served, until Ctrl-C.
    private func withServed(_ arguments: [String], _ body: (_ url: String, _ process: Process) throws -> Void) throws {
        let (server, out, err) = try Tool.start(["report"] + arguments + ["--follow"])
        defer { if server.isRunning { server.terminate() } }
        var line = Data()
        while !line.contains(UInt8(ascii: "\n")), case let more = out.fileHandleForReading.availableData, !more.isEmpty
        {
            line += more
        }
        let url = String(decoding: line, as: UTF8.self).trimmingCharacters(in: .newlines)
        try #require(url.hasPrefix("http://"), "\(url)")
        try body(url, server)
        kill(server.processIdentifier, SIGINT)
        let said = String(decoding: err.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        server.waitUntilExit()
        #expect(server.terminationStatus == 0 && !said.contains("dirtyrec:"), "\(said)")
    }

    /// A status and a body.
    private func fetch(_ url: String) throws -> Tool.Result {
        let script = """
            import sys, urllib.request, urllib.error
            try: reply = urllib.request.urlopen(sys.argv[1], timeout=600)
            except urllib.error.HTTPError as error: reply = error
            sys.stdout.buffer.write(reply.read())
            sys.exit(0 if reply.status == 200 else reply.status % 256)
            """
        return try Tool.run(["python3", "-c", script, url], program: "/usr/bin/env")
    }

    @Test func `a recording that has ended is served as the page of a file`() throws {
        try withFolder { folder in
            let file = folder + "/a.db"
            try Tool.succeed(["synth", "-o", file, "--workload", "zipf:size=1MiB,rate=20k/s", "--duration", "1s"])
            try Tool.succeed(["report", file, "--html", folder + "/a.html"])
            let page = try String(contentsOfFile: folder + "/a.html", encoding: .utf8)
            try withServed([file, "--listen", "127.0.0.1:0"]) { url, _ in
                // While it is read there is a page that follows.
                var served = try fetch(url)
                while served.stdout.contains("EventSource") { served = try fetch(url) }
                #expect(served.status == 0 && served.stdout == page)
                let metrics = try fetch(url + "metrics")
                #expect(metrics.stdout.contains("\ndirtyrec_recording_active{") && metrics.stdout.contains("} 0\n"))
                #expect(try fetch(url + "missing").status == Int32(404 % 256))
                let port = try #require(url.split(separator: ":").last?.dropLast())
                let second = try Tool.run(["report", file, "--follow", "--listen", "127.0.0.1:\(port)"])
                #expect(second.status == 3 && second.stdout.isEmpty)
                #expect(second.stderr.hasPrefix("dirtyrec: Somebody listens at 127.0.0.1:\(port) already"))
            }
            try withServed([file, "--listen", "0.0.0.0:0"]) { url, _ in
                let parts = url.split(separator: "/")
                let (port, token) = (try #require(parts[1].split(separator: ":").last), try #require(parts.last))
                #expect(token.wholeMatch(of: /\?token=[0-9a-f]{32}/) != nil, "\(url)")
                #expect(try fetch("http://127.0.0.1:\(port)/metrics").status == Int32(403 % 256))
                #expect(try fetch("http://127.0.0.1:\(port)/metrics\(token)").status == 0)
            }
        }
    }

    @Test func `what is to be a recording in a moment is waited for, what is none is not`() throws {
        try withFolder { folder in
            try Tool.succeed(["synth", "-o", folder + "/whole.db", "--duration", "1s"])
            let file = folder + "/a.db"
            // As a recorder leaves it for a moment: a database without tables.
            _ = try Tool.sqlite(file, "PRAGMA user_version = 0; VACUUM")
            let (top, out, _) = try Tool.start(["top", file, "--plain"])
            usleep(300_000)
            #expect(top.isRunning)
            let status = unsafe rename(folder + "/whole.db", file)
            #expect(status == 0)
            let said = String(decoding: out.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            top.waitUntilExit()
            #expect(top.terminationStatus == 0 && said.contains("ended: duration"), "\(said)")
            _ = try Tool.sqlite(folder + "/old.db", "CREATE TABLE t(a)")
            let old = [FileAttributeKey.modificationDate: Date(timeIntervalSinceNow: -60)]
            try FileManager.default.setAttributes(old, ofItemAtPath: folder + "/old.db")
            #expect(try Tool.run(["top", folder + "/old.db"]).status == 4)
        }
    }

    @Test func `a recording goes on without metrics that cannot be written any more`() throws {
        try withFolder { folder in
            let place = folder + "/metrics"
            try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
            let (process, out, err) = try Tool.start(
                ["record", "-o", folder + "/a.db", "--metrics", place + "/a.prom"] + Self.quick)
            try waitForIterations(2, in: folder + "/a.db")
            try FileManager.default.removeItem(atPath: place)
            var said = Data()
            while !said.contains(UInt8(ascii: "\n")), case let more = err.fileHandleForReading.availableData,
                !more.isEmpty
            {
                said += more
            }
            #expect(String(decoding: said, as: UTF8.self).contains("The recording goes on without --metrics."))
            process.interrupt()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            #expect(out.fileHandleForReading.readDataToEndOfFile().isEmpty)
            #expect(!FileManager.default.fileExists(atPath: place))
        }
    }

    @Test func `Ctrl-C ends a comparison of sources, not only its first`() throws {
        try withFolder { folder in
            let (process, out, err) = try Tool.start(
                ["record", "-o", folder + "/a.db", "--compare-sources", "--duration", "600s"] + Self.quick)
            try waitForIterations(2, in: folder + "/a.dirty-ring.db")
            process.interrupt()
            process.waitUntilExit()
            #expect(process.terminationStatus == 1)
            #expect(out.fileHandleForReading.readDataToEndOfFile().isEmpty)
            #expect(
                String(decoding: err.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self).contains("Interrupted"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a.dirty-ring.db"])
            try FileManager.default.removeItem(atPath: folder + "/a.dirty-ring.db")
            try Data().write(to: URL(fileURLWithPath: folder + "/a.clear-log.db"))
            let refused = try Tool.run(
                ["record", "-o", folder + "/a.db", "--compare-sources", "--duration", "1s"] + Self.quick)
            #expect(refused.status == 2 && refused.stderr.contains("a.clear-log.db exists already"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a.clear-log.db"])
        }
    }

    @Test(arguments: ["paused", "live"])
    func `a recording that is stopped in the middle of resets heals what they drop, or says that it may be lost`(
        mode: String
    ) throws {
        try withFolder { folder in
            // Linux from 6.17 on returns early if a stop meets a reset, which is up to the scheduler: a few attempts, and
            // all that they bring must be in order.
            for attempt in 0..<8 {
                let file = "\(folder)/\(attempt).db"
                // One or a few entries a reset: then nearly each is the last batch of its ring.
                let (process, out, _) = try Tool.start(
                    ["record", "--mode", mode, "-o", file, "--workload", "zipf:size=1MiB,step=4,ops=4000"]
                        + (mode == "paused" ? ["--verify"] : []))
                while process.isRunning {
                    kill(process.processIdentifier, SIGSTOP)
                    kill(process.processIdentifier, SIGCONT)
                    usleep(1000)
                }
                process.waitUntilExit()
                let output = String(decoding: out.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                let losses = try Tool.sqlite(file, "SELECT count(*) FROM loss")
                #expect(process.terminationStatus == (losses == "0" ? 0 : 1), "\(output)")
                #expect(try Tool.sqlite(file, "SELECT count(*) FROM loss WHERE kind <> 'short_reset'") == "0")
                let healed = try Tool.sqlite(
                    file, "SELECT count(*) FROM marker WHERE text LIKE 'KVM_RESET_DIRTY_RINGS%'")
                if mode == "paused" {
                    #expect(losses == "0")
                    #expect(try Tool.sqlite(file, "SELECT sum(missing + unexplained) FROM oracle_verdict") == "0")
                } else {
                    #expect(healed == "0")
                }
                if losses != "0" || healed != "0" { break }
            }
        }
    }

    @Test func `kill -9 leaves a file that says so and answers`() throws {
        try withFolder { folder in
            let file = folder + "/a.db"
            let (process, _, _) = try Tool.start(["record", "-o", file, "--duration", "600s"] + Self.quick)
            try waitForIterations(5, in: file)
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            let report = try Tool.succeed(["report", file])
            #expect(report.contains("cut off"))
            let counts = try Tool.succeed([
                "sql", file, "--csv", "SELECT count(DISTINCT iteration) >= 5 AS many FROM dirty",
            ])
            #expect(counts == "many\r\n1\r\n")
            #expect(try Tool.succeed(["recover", file]).contains("it had been cut off"))
            #expect(try Tool.succeed(["recover", file]).contains("there is nothing to recover"))
            #expect(try Tool.succeed(["verify", file]).contains("is in order"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a.db"])
        }
    }

    @Test func `a recording of a newer schema is refused with what to do`() throws {
        try withFolder { folder in
            let file = folder + "/a.db"
            try Tool.succeed(["record", "-o", file, "--iterations", "2"] + Self.quick)
            _ = try Tool.sqlite(file, "PRAGMA user_version = 99")
            let result = try Tool.run(["report", file])
            #expect(result.status == 4)
            #expect(result.stderr.contains("has schema version 99; this dirtyrec knows versions up to"))
        }
    }

    @Test func `the report shows writes to watched pages and KVM statistics`() throws {
        try withFolder { folder in
            let file = folder + "/a.db"
            try Tool.succeed([
                "record", "-o", file, "--workload", "sequential:size=12KiB,ops=30", "--watch", "0x100001000",
            ])
            let report = try Tool.succeed(["report", file])
            #expect(report.contains("  0x100001000      10  0\n"))
            #expect(report.contains("     0  0x100001000  0000000000000000  0200000000000000  0x1"))
            #expect(report.contains("The first 10 of 10 writes"))
            #expect(report.contains("mmio_exits"))
        }
    }

    @Test(.enabled(if: geteuid() == 0, "needs root to mount a small file system"))
    func `a full disk ends the recording with a clear message and keeps what is safe`() throws {
        try withFolder { folder in
            let disk = folder + "/disk"
            try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
            let mount = try Tool.run(["-t", "tmpfs", "-o", "size=1m", "none", disk], program: "/usr/bin/mount")
            #expect(mount.status == 0, "\(mount.stderr)")
            defer { _ = try? Tool.run([disk], program: "/usr/bin/umount") }
            let file = disk + "/a.db"
            let result = try Tool.run(
                ["record", "-o", file, "--duration", "60s", "--interval", "20ms", "--workload", "random:size=64MiB"])
            #expect(result.status == 5)
            #expect(
                result.stderr.contains("the disk is full") && result.stderr.contains("safe in the file"),
                "\(result.stderr)")
            #expect(result.stderr.contains("dirtyrec recover \(file)"))
            #expect(try Tool.succeed(["report", file]).contains("cut off"))
        }
    }

    @Test func `a terminal-less recording prints plain lines`() throws {
        try withFolder { folder in
            let result = try Tool.run(
                ["record", "-o", folder + "/a.db", "--iterations", "3", "--verify", "--mode", "paused"] + Self.quick)
            #expect(result.status == 0)
            #expect(!result.stderr.contains("\u{1b}") && !result.stderr.contains("\r"))
            #expect(result.stderr.contains("0 missing, 0 unexplained"))
            #expect(result.stderr.hasSuffix("Next: dirtyrec report \(folder)/a.db\n"))
        }
    }
}
