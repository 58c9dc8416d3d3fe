import ArgumentParser
import Foundation
import Model

/// Vega's bundle, which `scripts/vega` installs: it makes the charts of a page interactive.
enum VegaBundle {
    /// Looks in `DIRTYREC_SHARE`, beside the binary, and in the cache; nil when it is in none of them.
    static func find() -> String? {
        let environment = ProcessInfo.processInfo.environment
        var folders: [String] = []
        if let share = environment["DIRTYREC_SHARE"], !share.isEmpty {
            folders = [share]
        } else {
            if let binary = Bundle.main.executableURL?.resolvingSymlinksInPath() {
                folders.append(binary.deletingLastPathComponent().path + "/../share/dirtyrec")
            }
            let home = environment["HOME"] ?? NSHomeDirectory()
            folders.append(
                environment["DIRTYREC_CACHE"] ?? (environment["XDG_CACHE_HOME"] ?? home + "/.cache") + "/dirtyrec")
        }
        for folder in folders {
            if let text = try? String(contentsOfFile: folder + "/vega.js", encoding: .utf8), !text.isEmpty {
                return text
            }
        }
        return nil
    }
}

/// A page that is done.
enum Page {
    /// Writes it as a whole, and shows it in the user's browser if asked.
    static func write(_ text: String, to path: String, open: Bool) throws {
        // A page is made anew without asking, a recording never is.
        if let file = FileHandle(forReadingAtPath: path),
            (try? file.read(upToCount: 16)) == Data("SQLite format 3\0".utf8)
        {
            throw ValidationError("\(path) is a recording or another SQLite file: choose another name.")
        }
        do { try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
            throw ValidationError("Cannot write \(path): choose a file in a folder that exists and is writable.")
        }
        Terminal.say("Wrote \(path) (\(Units.size(Int64(text.utf8.count)))).")
        if open { show(path) }
    }

    /// Shows a file, or says that it cannot.
    private static func show(_ path: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        #if os(macOS)
            process.arguments = ["open", path]
        #else
            process.arguments = ["xdg-open", path]
        #endif
        process.standardError = FileHandle.nullDevice
        do {
            try process.run()
            process.waitUntilExit()
            if process.terminationStatus == 0 { return }
        } catch {}
        Terminal.say("Cannot open a browser here: open \(path) yourself.")
    }
}
