import Foundation
import Model
import Platform

/// A page on its way out.
enum Page {
    /// Writes it as a whole, and shows it in the user's browser if asked.
    static func write(_ text: String, to path: String, open: Bool) throws {
        let output = try Output.open(path, existing: .replacedUnlessDatabase)
        output.write(text)
        try output.finish()
        if output !== Output.standard { Terminal.say("Wrote \(path) (\(Units.size(Int64(text.utf8.count)))).") }
        if open { show(path) }
    }

    /// Shows a file or a URL, or says that it cannot.
    static func show(_ path: String) {
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
