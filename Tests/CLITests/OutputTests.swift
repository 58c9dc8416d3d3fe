import Foundation
import Model
import TestSupport
import Testing

/// The core of scripts/test-outputs, which tries everything.
@Suite struct `Outputs` {
    /// Runs a line of shell with `$D` as dirtyrec, in `folder`.
    private func shell(_ line: String, in folder: String) throws -> Tool.Result {
        try Tool.run(["bash", "-c", "cd '\(folder)'; D='\(Tool.path)'; \(line)"], program: "/usr/bin/env")
    }

    private func withRecording(_ body: (String) throws -> Void) throws {
        try withFolder { folder in
            try Tool.succeed([
                "synth", "-o", folder + "/a.db", "--workload", "zipf:size=8MiB,rate=50k/s", "--duration", "1s",
            ])
            try body(folder)
        }
    }

    static let results = [
        "--help", "--version", "report a.db", "report a.db --json", "top a.db", "top a.db --json", "converge a.db",
        "diff a.db a.db", "verify a.db",
        "sql --list", "sql a.db --csv 'SELECT * FROM dirty'", "export a.db --format csv -o -",
    ]

    @Test(arguments: results)
    func `what cannot be written is a sentence and exit status 5`(command: String) throws {
        try withRecording { folder in
            for target in [">/dev/full", ">&-"] {
                let result = try shell("$D \(command) \(target)", in: folder)
                #expect(result.status == 5, "\(command) \(target): \(result.stderr)")
                #expect(result.stderr.hasPrefix("dirtyrec: Standard output cannot be written"), "\(result.stderr)")
                #expect(result.stderr.split(separator: "\n").count == 1, "\(result.stderr)")
            }
        }
    }

    @Test(arguments: results)
    func `a reader that left ends the command quietly, as SIGPIPE does`(command: String) throws {
        try withRecording { folder in
            // The pipe's reader is gone before anything is written; the second time SIGPIPE is ignored, as by CI systems.
            for ignored in ["", "trap '' PIPE; "] {
                let result = try shell(
                    "\(ignored) mkfifo p 2>/dev/null; exec 3<>p 4>p 3>&-; $D \(command) >&4; echo $? >status",
                    in: folder)
                #expect(result.stderr == "", "\(command)")
                #expect(try String(contentsOfFile: folder + "/status", encoding: .utf8) == "141\n", "\(command)")
            }
        }
    }

    @Test func `messages that cannot be written are no failure`() throws {
        try withFolder { folder in
            for target in ["2>/dev/full", "2>&-"] {
                let result = try shell(
                    "$D synth -o a.db --force --duration 100ms \(target) && $D verify a.db", in: folder)
                #expect(result.status == 0, "\(target)")
                #expect(result.stdout.contains("is in order"))
            }
        }
    }

    /// Advice that does not work as it stands would send a user on twice.
    @Test(arguments: [
        ("import t.txt -o \"it's new/a.db\"", "import t.txt -o \"it's new/a.db\""),
        ("report a.db --html \"it's new/a.html\"", "report a.db --html \"it's new/a.html\""),
        ("import t.txt -o './-a b.db'", "verify './-a b.db'"),
        ("export a.db --parquet ./-f", "fleet ./-f --query overview"),
    ])
    func `what a command says to do next can be pasted into a shell`(command: String, works: String) throws {
        try withRecording { folder in
            let result = try shell(
                """
                dirtyrec() { "$D" "$@"; }; printf 'dirtyrec-text 1\\nharvest iteration=1 ts=1ms : 0x1\\n' >t.txt
                said=$($D \(command) 2>&1)
                advice=$(sed -n 's/.*\\(Next\\|with\\): //p' <<<"$said"); [[ $advice ]] || { echo "no advice: $said"; exit 1; }
                eval "$advice" >out.txt 2>&1 || { cat out.txt; exit 1; }
                $D \(works)
                """, in: folder)
            #expect(result.status == 0, "\(result.stdout)\(result.stderr)")
        }
    }

    @Test func `what is said of a file fits it`() throws {
        try withRecording { folder in
            let result = try shell(
                """
                ln -s a.db link.db; $D recover a.db; head -c 100000 a.db >cut.db; $D verify cut.db; echo $?
                $D snapshots a.db --block 2GiB; $D snapshots a.db --coalesce 2GiB
                """, in: folder)
            #expect(result.stdout.contains("a.db is finished already: there is nothing to recover."))
            #expect(result.stdout.contains("take another copy") && result.stdout.hasSuffix("\n1\n"), "\(result.stdout)")
            #expect(result.stderr.contains("up to 1GiB: give multiples of 4KiB."), "\(result.stderr)")
            #expect(result.stderr.contains("--coalesce 2GiB is not usable: give at most 1GiB."))
        }
    }

    @Test(.enabled(if: Tool.canRecord, Tool.reason))
    func `a guest's console empties no recording`() throws {
        try withRecording { folder in
            // mov al, 'A'; out 0xe9, al; hlt
            let result = try shell(
                """
                printf '\\xb0A\\xe6\\xe9\\xf4' >guest.bin; cp a.db before.db
                $D record -o b.db --iterations 1 --image guest.bin --console a.db; echo $?; cmp a.db before.db && [[ ! -e b.db ]]
                """, in: folder)
            #expect(result.status == 0 && result.stdout == "2\n", "\(result.stdout)")
            #expect(result.stderr.contains("a.db is a recording or another SQLite file"), "\(result.stderr)")
        }
    }

    @Test(.enabled(if: Tool.canRecord, Tool.reason))
    func `a link is recorded through, and its recording's size is told`() throws {
        try withFolder { folder in
            let result = try shell(
                "ln -s there.db link.db; $D record -o link.db --force --iterations 3 && [[ -f there.db && -L link.db ]]",
                in: folder)
            #expect(result.status == 0)
            let size = try FileManager.default.attributesOfItem(atPath: folder + "/there.db")[.size] as? Int64
            #expect(result.stderr.contains("(\(Units.size(size ?? 0)))"), "\(result.stderr)")
        }
    }

    static let named = [
        "report a.db --html", "diff a.db a.db --html", "export a.db --force --format csv -o",
        "notebook n.md a.db --format html -o",
    ]

    @Test(.enabled(if: geteuid() == 0, "needs root to make devices"), arguments: named)
    func `a device is written to, never replaced`(command: String) throws {
        try withRecording { folder in
            let result = try shell(
                """
                printf '# n\\n' >n.md; mknod null c 1 3; mknod full c 1 7; mknod disk b 7 0
                $D \(command) null; echo $?; $D \(command) full; echo $?; $D \(command) disk; echo $?
                [[ -c null && -c full && -b disk ]]
                """, in: folder)
            #expect(result.status == 0, "a node was replaced")
            #expect(result.stderr.contains("full cannot be written: No space left on device"), "\(result.stderr)")
        }
    }

    @Test(arguments: named)
    func `a pipe is written to, and without a reader nobody waits for ever`(command: String) throws {
        try withRecording { folder in
            let alone = try shell("printf '# n\\n' >n.md; mkfifo p; timeout 60 $D \(command) p", in: folder)
            #expect(alone.status == 5)
            #expect(alone.stderr.contains("p is a pipe that nobody reads"), "\(alone.stderr)")
            let read = try shell(
                "(wc -c <p >count) & sleep 0.2; timeout 60 $D \(command) p; s=$?; wait; [[ -p p ]] && exit $s",
                in: folder)
            #expect(read.status == 0, "\(read.stderr)")
            let count = try String(contentsOfFile: folder + "/count", encoding: .utf8)
            #expect((Int(count.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0) > 0)
        }
    }

    @Test(arguments: named)
    func `a link's target is replaced, and keeps its mode`(command: String) throws {
        try withRecording { folder in
            let result = try shell(
                "printf '# n\\n' >n.md; echo old >target; chmod 600 target; ln -s target link; $D \(command) link; stat -c %a target; readlink link",
                in: folder)
            #expect(result.stdout.hasSuffix("600\ntarget\n"), "\(result.stdout) \(result.stderr)")
            #expect(try String(contentsOfFile: folder + "/target", encoding: .utf8) != "old\n")
        }
    }

    @Test(arguments: named.filter { !$0.hasPrefix("diff") })
    func `a dash is standard output, and an empty name is none`(command: String) throws {
        try withRecording { folder in
            let dash = try shell("printf '# n\\n' >n.md; $D \(command) -", in: folder)
            #expect(dash.status == 0 && !dash.stdout.isEmpty, "\(dash.stderr)")
            let empty = try shell("$D \(command) ''", in: folder)
            #expect(empty.status == 2 && empty.stderr.hasPrefix("dirtyrec: The output has no name"), "\(empty.stderr)")
            #expect(!FileManager.default.fileExists(atPath: folder + "/-"))
        }
    }

    @Test func `an unknown table or figure is answered with the one that was meant`() throws {
        try withRecording { folder in
            let table = try shell("$D sql a.db 'SELECT * FROM dirtyy'", in: folder)
            #expect(table.status == 2 && table.stderr.contains("did you mean dirty?"), "\(table.stderr)")
            let figure = try shell("$D diff a.db a.db --fail-if 'wws.p59>+10%'", in: folder)
            #expect(figure.status == 2 && figure.stderr.contains("Did you mean 'wws.p95'?"), "\(figure.stderr)")
            let unused = try shell("$D sql a.db 'SELECT 1' --set limti=5", in: folder)
            #expect(unused.status == 2 && unused.stderr.contains("no parameter :limti"), "\(unused.stderr)")
        }
    }

    @Test func `what a spreadsheet would run can be neutralized`() throws {
        try withRecording { folder in
            let query = #"SELECT '=1+1' AS a, '@x' AS b, -5 AS c, 'plain' AS d"#
            let raw = try shell("$D sql a.db --csv \"\(query)\"", in: folder)
            #expect(raw.stdout == "a,b,c,d\r\n=1+1,@x,-5,plain\r\n")
            let harmless = try shell("$D sql a.db --csv --spreadsheet \"\(query)\"", in: folder)
            #expect(harmless.stdout == "a,b,c,d\r\n'=1+1,'@x,-5,plain\r\n")
        }
    }

    /// What a terminal would obey: C0, C1, bidi and bytes that are no UTF-8.
    @Test(
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script"), "needs script(1)"),
        arguments: [
            #"$D report "$E.db""#, #"$D sql a.db "$E""#, #"$D sql a.db "SELECT 1 AS \"$E\"" --csv"#,
            #"$D sql a.db --csv "SELECT '$E'""#, #"$D sql a.db --json "SELECT '$E'""#, #"$D "$E""#,
            #"$D report a.db "--$E""#,
            #"$D record -o x.db --workload "$E""#, #"printf '%s\n' "$E" >t.txt; $D import t.txt -o t.db"#,
            #"printf 'dirtyrec-text 1\n%s\n' "$E" >t.txt; $D import t.txt -o t.db"#,
            #"printf '```sql name=%s\nSELECT %s\n```\n' "$E" "$E" >n.md; $D notebook n.md a.db -o n.html"#,
            #"$D sql a.db --query "$E""#, #"$D diff a.db a.db --fail-if "$E>1""#,
            #"$D synth -o y.db --label "k=$E"; $D report y.db; $D report y.db --json"#,
        ])
    func `control characters reach no terminal`(line: String) throws {
        try withRecording { folder in
            let evil = "E=$(printf 'x\\033]0;t\\007\\033[31m\\302\\233\\342\\200\\256\\377\\r y')"
            try Data("D='\(Tool.path)'\n\(evil)\n\(line)\n".utf8).write(to: URL(fileURLWithPath: folder + "/run.sh"))
            _ = try shell("script -qec 'bash run.sh' seen >/dev/null </dev/null", in: folder)
            let seen = try Data(contentsOf: URL(fileURLWithPath: folder + "/seen"))
            // What script itself writes around, and the live line's own sequence.
            let text = String(decoding: seen, as: UTF8.self).replacing("\r\u{1b}[K", with: "")
            let harmful = text.replacing("\r\n", with: "\n").unicodeScalars.filter {
                switch $0.value {
                case 9, 10: false
                case 0..<32, 127..<160, 0x202a...0x202e, 0x2066...0x2069: true
                default: false
                }
            }
            #expect(harmful.isEmpty, "\(text.debugDescription)")
            #expect(!seen.contains(0xff))
        }
    }

    @Test func `nothing half-made is left, and the old file stays`() throws {
        try withRecording { folder in
            let result = try shell(
                "ulimit -f 4; echo old >b.csv; $D export a.db --format csv -o b.csv --force", in: folder)
            #expect(result.status == 5)
            #expect(result.stderr.contains("b.csv cannot be written: File too large"), "\(result.stderr)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["a.db", "b.csv"])
            #expect(try String(contentsOfFile: folder + "/b.csv", encoding: .utf8) == "old\n")
        }
    }
}
