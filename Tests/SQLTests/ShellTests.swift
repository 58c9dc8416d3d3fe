import Foundation
import TestSupport
import Testing

@testable import Store

/// The shell on a real terminal: completion, errors that do not end it, Ctrl-C that stops a query and nothing else.
@Suite struct ShellTests {
    @Test func `a session on a terminal`() throws {
        let folder = Scratch()
        let path = folder.path + "/r.db"
        try Recordings.write(path, Recordings.random(seed: 5))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        process.arguments = [
            "python3", "-c", Self.session, program.appendingPathComponent("dirtyrec").path, path, folder.path,
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let told = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(told == "fine\n")
        let history = try String(contentsOfFile: folder.path + "/dirtyrec/history", encoding: .utf8)
        #expect(history.contains("nope"))
    }

    /// Types into the shell and waits for what must appear; whatever does not come in time is an error.
    private static let session = """
        import os, pty, select, sys, time
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ.update(XDG_STATE_HOME=sys.argv[3], TERM="xterm")
            os.execv(sys.argv[1], ["dirtyrec", "sql", sys.argv[2]])
        seen = b""
        def expect(text):
            global seen
            end = time.time() + 60
            while text.encode() not in seen:
                if not select.select([terminal], [], [], max(0, end - time.time()))[0]: sys.exit(f"no {text!r} in {seen!r}")
                seen += os.read(terminal, 4096)
            seen = seen[seen.index(text.encode()) + len(text.encode()):]
        def type(text): os.write(terminal, text.encode())
        def seconds(): # of processor time
            with open(f"/proc/{pid}/stat") as file: fields = file.read().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        expect("dirtyrec> ")
        type("SELECT entries AS found FROM iteration_r\\tLIMIT 0;\\n"); expect("found"); expect("dirtyrec> ")
        type("select iteration_\\t"); expect("iteration_rate  iteration_summary")
        type("\\x03"); expect("^C"); expect("dirtyrec> ")
        type("select nope;\\n"); expect("no such column"); expect("dirtyrec> ")
        type("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT max(x) FROM n;\\n")
        # An early ^C would reach the prompt or end the program: only a query that runs uses so much.
        begun, end = seconds(), time.time() + 60
        while seconds() < begun + 1:
            if time.time() > end: sys.exit("the query does not run")
            time.sleep(0.05)
        expect("FROM n;"); type("\\x03"); expect("interrupted"); expect("dirtyrec> ")
        type(".query pages/slots\\n"); expect("dirty_pages"); expect("dirtyrec> ")
        type(".quit\\n")
        print("fine" if os.waitpid(pid, 0)[1] == 0 else "failed")
        """
}
