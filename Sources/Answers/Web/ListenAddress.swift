import Foundation
import NIOCore

/// Where a server listens: an address of this machine, and a port.
package struct ListenAddress: Sendable, Equatable {
    /// In digits.
    package let host: String
    /// 0 is any that is free.
    package let port: Int

    private init(host: String, port: Int) { (self.host, self.port) = (host, port) }

    /// Reads `127.0.0.1:8080`, `[::1]:8080` or `localhost:8080`; nil for anything else: names are not looked up.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            return nil
        }
        if host == "localhost" { host = "127.0.0.1" }
        guard let address = try? SocketAddress(ipAddress: host, port: Int(port)), let digits = address.ipAddress else {
            return nil
        }
        self.init(host: digits, port: Int(port))
    }

    /// The same with the port that the system chose.
    func with(port: Int) -> ListenAddress { ListenAddress(host: host, port: port) }

    /// Whether only this machine reaches it.
    package var isLoopback: Bool { host.hasPrefix("127.") || host == "::1" }
    /// Whether it stands for every address of this machine.
    package var isAny: Bool { host == "0.0.0.0" || host == "::" }

    /// The host as a URL names it.
    var hostInURL: String { host.contains(":") ? "[\(host)]" : host }

    /// Where a browser finds the page; by the machine's name where every address will do.
    package func url(token: String?) -> String {
        let name = isAny ? try? String(contentsOfFile: "/proc/sys/kernel/hostname", encoding: .utf8) : nil
        let host = name?.trimmingCharacters(in: .whitespacesAndNewlines) ?? hostInURL
        return "http://\(host):\(port)/" + (token.map { "?token=\($0)" } ?? "")
    }
}
