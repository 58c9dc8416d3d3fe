import Foundation

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
