import NIOHTTP1

/// Who is let in.
struct Door: Sendable {
    let isLoopback: Bool
    let token: String?

    /// The path that a request asks for, or why it gets nothing.
    func path(of request: HTTPRequestHead) -> Result<String, Refused> {
        guard [.GET, .HEAD].contains(request.method) else {
            return .failure(Refused(.methodNotAllowed, "Only GET and HEAD are answered."))
        }
        let headers = request.headers
        guard !headers.contains(name: "transfer-encoding"), headers["content-length"].allSatisfy({ $0 == "0" }) else {
            return .failure(Refused(.badRequest, "A request has no body here."))
        }
        guard request.uri.hasPrefix("/"), headers["host"].count == 1, let host = headers.first(name: "host") else {
            return .failure(Refused(.badRequest, "A request names a path and one host."))
        }
        let parts = request.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        if let token {
            let given = parts.count < 2 ? [] : parts[1].split(separator: "&").filter { $0.hasPrefix("token=") }
            guard given.count == 1, Self.areEqual(given[0].dropFirst(6).utf8, token.utf8) else {
                return .failure(Refused(.forbidden, "The address ends with the token that dirtyrec printed: ?token=…"))
            }
        } else if isLoopback, !Self.isLoopback(host) {
            // A page elsewhere whose name was made to mean this machine.
            return .failure(
                Refused(.misdirectedRequest, "This is for this machine only: ask for localhost, 127.0.0.1 or [::1]."))
        }
        // A page elsewhere that a reader of ours has open, too.
        if headers.first(name: "sec-fetch-site") == "cross-site", headers.first(name: "sec-fetch-mode") != "navigate" {
            return .failure(Refused(.forbidden, "Pages of others get nothing here."))
        }
        return .success(String(parts[0]))
    }

    struct Refused: Error {
        let status: HTTPResponseStatus
        let reason: String
        init(_ status: HTTPResponseStatus, _ reason: String) { (self.status, self.reason) = (status, reason) }
    }

    /// Whether a `Host` header names this machine as only itself can mean it; the port may be a tunnel's.
    private static func isLoopback(_ host: String) -> Bool {
        let end = host.hasPrefix("[") ? host.firstIndex(of: "]").map(host.index(after:)) : host.firstIndex(of: ":")
        let name = host[..<(end ?? host.endIndex)]
        let rest = host[name.endIndex...]
        guard rest.isEmpty || rest.hasPrefix(":") && UInt16(rest.dropFirst()) != nil else { return false }
        return ["localhost", "[::1]"].contains(name.lowercased())
            || ListenAddress("\(name):0")?.isLoopback == true
    }

    /// In a time that does not tell where they differ.
    private static func areEqual(_ one: Substring.UTF8View, _ other: String.UTF8View) -> Bool {
        one.count == other.count && zip(one, other).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
