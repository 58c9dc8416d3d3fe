import Foundation
import Glibc
import Testing

@testable import Web

/// A server on loopback that is given nobody well-behaved.
@Suite struct WebTests {
    /// A peer that sends what it likes.
    final class Peer: Sendable {
        let descriptor: CInt

        init(_ server: WebServer, receiveBuffer: CInt? = nil) throws {
            descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
            if var receiveBuffer {
                unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<CInt>.size))
            }
            var patience = timeval(tv_sec: 60, tv_usec: 0)
            unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(UInt16(server.address.port)).bigEndian
            address.sin_addr.s_addr = unsafe inet_addr("127.0.0.1")
            let size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let status = unsafe withUnsafePointer(to: &address) {
                unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe connect(descriptor, $0, size) }
            }
            try #require(status == 0)
        }

        deinit { close(descriptor) }

        /// - Returns: whether the server took all of it.
        @discardableResult
        func say(_ text: String) -> Bool {
            let bytes = Array(text.utf8)
            return unsafe send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL)) == bytes.count
        }

        /// What comes until the end, or until it holds `text`.
        func hear(until text: String? = nil) -> String {
            var bytes: [UInt8] = []
            var piece = [UInt8](repeating: 0, count: 1 << 16)
            while case let count = unsafe recv(descriptor, &piece, piece.count, 0), count > 0 {
                bytes += piece[..<count]
                if let text, String(decoding: bytes, as: UTF8.self).contains(text) { break }
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    private func withServer(
        token: String? = nil, _ limits: WebServer.Limits = .init(), _ body: (WebServer) throws -> Void
    ) throws {
        let server = try WebServer(at: try #require(ListenAddress("127.0.0.1:0")), token: token, limits: limits) {
            path, reply in
            switch path {
            case "/": reply(.init("text/html; charset=utf-8", "<p>page</p>"))
            case "/large": reply(.init("text/plain", String(repeating: "x", count: 4 << 20)))
            default: reply(nil)
            }
        }
        defer { server.stop() }
        try body(server)
    }

    private func ask(_ server: WebServer, _ request: String) throws -> String {
        let peer = try Peer(server)
        peer.say(request)
        return peer.hear()
    }

    private func get(_ server: WebServer, _ path: String, host: String = "localhost", _ more: String = "") throws
        -> String
    {
        try ask(server, "GET \(path) HTTP/1.1\r\nHost: \(host)\r\n\(more)\r\n")
    }

    @Test func `a document comes whole, with what keeps it from others`() throws {
        try withServer { server in
            let answer = try get(server, "/")
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n") && answer.hasSuffix("\r\n\r\n<p>page</p>"))
            for header in [
                "content-length: 11", "connection: close", "cache-control: no-store", "x-content-type-options: nosniff",
                "content-security-policy: frame-ancestors 'none'", "cross-origin-resource-policy: same-origin",
            ] { #expect(answer.contains("\r\n\(header)\r\n"), "\(header)") }
            #expect(try get(server, "/?a=b").hasSuffix("<p>page</p>"))
            let head = try ask(server, "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(head.contains("content-length: 11\r\n") && head.hasSuffix("\r\n\r\n"))
            #expect(try get(server, "/large").utf8.count > 4 << 20)
            #expect(try get(server, "/missing").hasPrefix("HTTP/1.1 404 "))
        }
    }

    @Test(arguments: [
        ("\0\u{1}\u{2}\r\n\r\n", 400), ("GET / HTTP/1.1\r\n\r\n", 400), ("GET /\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nHost: a\r\n\r\n", 400),
        ("GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nX\u{0}: 1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", 400),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n", 405),
        ("DELETE / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        ("CONNECT a:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        ("HEAD /events HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        ("GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}", 400),
    ])
    func `rubbish gets a status, and the next peer its page`(request: String, status: Int) throws {
        try withServer { server in
            let answer = try ask(server, request)
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(answer)")
            #expect(try get(server, "/").hasSuffix("<p>page</p>"))
        }
    }

    @Test func `a head has at most 8 KiB, whether it ends or not`() throws {
        try withServer { server in
            let long = try get(server, "/", "X: \(String(repeating: "x", count: 8000))\r\n")
            #expect(long.hasPrefix("HTTP/1.1 200 "))
            for end in ["\r\n", ""] {
                let answer = try get(server, "/", "X: \(String(repeating: "x", count: 9000))" + end)
                #expect(answer.hasPrefix("HTTP/1.1 431 "), "\(answer)")
            }
            #expect(try ask(server, String(repeating: "A", count: 1 << 20)).hasPrefix("HTTP/1.1 4"))
        }
    }

    @Test func `who sends nothing, or a head without end, is let go`() throws {
        var limits = WebServer.Limits()
        limits.requestMilliseconds = 200
        try withServer(limits) { server in
            for text in ["", "GET / HTTP/1.1\r\nHost: loc"] {
                let peer = try Peer(server)
                peer.say(text)
                #expect(peer.hear() == "")
            }
        }
    }

    @Test func `who does not take an answer is let go`() throws {
        var limits = WebServer.Limits()
        limits.answerMilliseconds = 300
        limits.connections = 1
        try withServer(limits) { server in
            let peer = try Peer(server, receiveBuffer: 4096)
            peer.say("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
            // The only place is free again when it is gone.
            var answer = ""
            while !answer.hasPrefix("HTTP/1.1 200 ") { answer = try get(server, "/") }
            #expect(peer.hear().utf8.count < 4 << 20)
        }
    }

    @Test func `there are so many connections, and places for documents beside events`() throws {
        var limits = WebServer.Limits()
        (limits.connections, limits.readers) = (4, 2)
        try withServer(limits) { server in
            let readers = try (0..<2).map { _ in try Peer(server) }
            for reader in readers {
                reader.say("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
                #expect(reader.hear(until: "retry").contains("content-type: text/event-stream\r\n"))
            }
            #expect(server.readers == 2)
            #expect(try get(server, "/events").hasPrefix("HTTP/1.1 503 "))
            #expect(try get(server, "/").hasPrefix("HTTP/1.1 200 "))
            // Those that were answered are gone; two that say nothing take the rest.
            let silent = try (0..<2).map { _ in try Peer(server) }
            var answer = ""
            while !answer.hasPrefix("HTTP/1.1 503 ") { answer = try get(server, "/") }
            #expect(answer.hasSuffix("Too many readers: close one.\n"))
            _ = silent
        }
        try withServer { server in
            do {
                let reader = try Peer(server)
                reader.say("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
                _ = reader.hear(until: "retry")
                #expect(server.readers == 1)
            }
            while server.readers > 0 { usleep(10_000) }
        }
    }

    @Test func `who reads events gets the newest, however slowly`() throws {
        try withServer { server in
            server.say("state", "before")
            let reader = try Peer(server)
            reader.say("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(reader.hear(until: "data: before").contains("event: state\ndata: before\n\n"))
            server.say("state", "after")
            #expect(reader.hear(until: "data: after").contains("event: state\ndata: after\n\n"))

            let slow = try Peer(server, receiveBuffer: 4096)
            slow.say("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while server.readers < 2 { usleep(1000) }
            // Far more than its buffers hold; one who reads gets each of them.
            let large = String(repeating: "x", count: 100_000)
            for number in 0..<300 {
                server.say("state", "\(number) \(large)")
                #expect(reader.hear(until: "data: \(number) ").contains("data: \(number) "))
            }
            server.say("state", "the end")
            #expect(reader.hear(until: "the end").contains("data: the end\n\n"))
            let heard = slow.hear(until: "the end")
            #expect(heard.contains("data: the end\n\n"))
            #expect(heard.utf8.count < 8 << 20, "a queue of \(heard.utf8.count) bytes")
            #expect(
                heard.matches(of: /data: (\d+) x+\n\n/).map { Int($0.1) ?? 0 }.reduce(-1) { $1 > $0 ? $1 : Int.max }
                    < Int.max)
        }
    }

    @Test func `who follows events and takes nothing is let go`() throws {
        var limits = WebServer.Limits()
        limits.pingMilliseconds = 100
        try withServer(limits) { server in
            let reader = try Peer(server)
            reader.say("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            // Signs of life.
            #expect(reader.hear(until: ":\n\n").contains(":\n\n"))
            let slow = try Peer(server, receiveBuffer: 4096)
            slow.say("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while server.readers < 2 { usleep(1000) }
            let large = String(repeating: "x", count: 100_000)
            while server.readers > 1 {
                server.say("state", large)
                _ = reader.hear(until: "x\n\n")
            }
            #expect(server.readers == 1)
        }
    }

    @Test(arguments: [
        ("localhost", true), ("localhost:9000", true), ("127.0.0.1", true), ("127.1.2.3:80", true), ("[::1]:80", true),
        ("LOCALHOST:1", true), ("evil.example", false), ("evil.example:8080", false), ("localhost.evil.example", false),
        ("127.0.0.1.evil.example", false), ("localhost:evil", false), ("10.0.0.1", false), ("[::1", false), ("", false),
        ("localhost@evil.example", false),
    ])
    func `on loopback, only names that mean this machine are answered`(host: String, isAnswered: Bool) throws {
        try withServer { server in
            let answer = try get(server, "/", host: host)
            #expect(answer.hasPrefix(isAnswered ? "HTTP/1.1 200 " : "HTTP/1.1 421 "), "\(answer)")
        }
    }

    @Test func `a page elsewhere may lead here, and gets nothing`() throws {
        try withServer { server in
            for (headers, isAnswered) in [
                ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\n", false),
                ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n", true),
                ("Sec-Fetch-Site: same-origin\r\n", true),
            ] {
                let answer = try get(server, "/", headers)
                #expect(answer.hasPrefix(isAnswered ? "HTTP/1.1 200 " : "HTTP/1.1 403 "), "\(answer)")
            }
        }
    }

    @Test func `with a token, only its owner is answered, by any name`() throws {
        try withServer(token: "secret") { server in
            let page = try get(server, "/?token=secret", host: "vm.example")
            #expect(page.hasSuffix("<p>page</p>"))
            for query in [
                "", "?", "?token=", "?token=secre", "?token=secrets", "?token=secret&token=secret", "?Token=secret",
            ] {
                for path in ["/", "/events", "/missing"] {
                    #expect(try get(server, path + query).hasPrefix("HTTP/1.1 403 "), "\(path)\(query)")
                }
            }
            #expect(try get(server, "/?a=b&token=secret").hasSuffix("<p>page</p>"))
        }
    }

    @Test func `addresses`() throws {
        for (text, host, port) in [
            ("127.0.0.1:8080", "127.0.0.1", 8080), ("localhost:0", "127.0.0.1", 0), ("[::1]:65535", "::1", 65535),
            ("0.0.0.0:80", "0.0.0.0", 80), ("[::]:80", "::", 80),
        ] {
            let address = try #require(ListenAddress(text), "\(text)")
            #expect(address.host == host && address.port == port)
            #expect(address.isLoopback == ["127.0.0.1", "::1"].contains(host))
        }
        for text in [
            "", ":", "8080", "127.0.0.1", ":8080", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80", "example.com:80",
            "127.0.0.1:80x",
        ] {
            #expect(ListenAddress(text) == nil, "\(text)")
        }
    }

    @Test func `what cannot be listened at is one sentence`() throws {
        try withServer { server in
            let taken = server.address
            #expect {
                _ = try WebServer(at: taken, token: nil) { $1(nil) }
            } throws: {
                "\($0)"
                    == "Somebody listens at 127.0.0.1:\(taken.port) already: give --listen another port, or port 0 for one that is free."
            }
        }
        let foreign = try #require(ListenAddress("192.0.2.1:0"))
        #expect {
            _ = try WebServer(at: foreign, token: nil) { $1(nil) }
        } throws: { "\($0)".hasPrefix("This machine has no address 192.0.2.1") }
    }
}
