import Foundation
import Platform

/// A connection to QEMU's monitor, one command at a time.
package final class QMP {
    private let descriptor: CInt
    private let path: String
    private var buffer: [UInt8] = []

    /// An answer is at most this long.
    private static let longestLine = 1 << 20
    private static let timeoutSeconds = 10

    /// Connects to the socket of `-qmp unix:SOCKET,server` and shakes hands.
    ///
    /// - Throws: ``AttachError``.
    package init(socket path: String) throws {
        self.path = path
        descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw AttachError("No socket can be made: \(systemError()).") }
        var timeout = timeval(tv_sec: Self.timeoutSeconds, tv_usec: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        try connect()
        let _: Greeting = try message()
        let _: Nothing = try execute("qmp_capabilities")
    }

    deinit { close(descriptor) }

    private func connect() throws {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        // 108 bytes with the final 0, in every ABI of Linux.
        guard bytes.count < 108 else {
            throw AttachError("\(path.prefix(40))… is too long for a socket's path.")
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let code = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code == 0 else {
            throw AttachError(
                "\(path) cannot be connected: \(systemError()); start QEMU with -qmp unix:\(path),server,nowait")
        }
    }

    /// The process at the other end.
    package var peer: Int32? {
        // struct ucred: pid, uid, gid; Glibc's module leaves it out.
        var credentials: [Int32] = [0, 0, 0]
        var size = socklen_t(12)
        let code = unsafe getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size)
        return code == 0 && credentials[0] > 0 ? credentials[0] : nil
    }

    private struct Greeting: Decodable { let QMP: Nothing }
    /// An answer of which nothing is needed.
    package struct Nothing: Decodable {}
    private struct Reply<Value: Decodable>: Decodable {
        struct Problem: Decodable { let desc: String }
        let `return`: Value?
        let error: Problem?
        let event: String?
    }

    /// Sends a command and waits for its answer.
    ///
    /// - Throws: ``AttachError``.
    package func execute<Value: Decodable>(
        _ command: String, _ arguments: [String: any Encodable & Sendable] = [:]
    ) throws -> Value {
        var line = Array(#"{"execute":"\#(command)""#.utf8)
        if !arguments.isEmpty {
            line += Array(#","arguments":"#.utf8)
            line += try JSONSerialization.data(withJSONObject: arguments, options: [.sortedKeys])
        }
        line += Array("}\n".utf8)
        let sent = unsafe line.withUnsafeBytes {
            unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        guard sent == line.count else { throw AttachError("QEMU at \(path) does not take commands: \(systemError()).") }
        while true {
            let reply: Reply<Value> = try message()
            if reply.event != nil { continue }
            if let problem = reply.error { throw AttachError("QEMU refused \(command): \(problem.desc)") }
            guard let value = reply.return else { throw AttachError("QEMU's answer to \(command) is none.") }
            return value
        }
    }

    private func message<Value: Decodable>() throws -> Value {
        let line = try line()
        do {
            return try JSONDecoder().decode(Value.self, from: Data(line))
        } catch {
            let text = String(decoding: line.prefix(80), as: UTF8.self)
            throw AttachError("\(path) does not speak QMP: '\(text)'.")
        }
    }

    private func line() throws -> [UInt8] {
        while true {
            if let end = buffer.firstIndex(of: 10) {
                defer { buffer.removeFirst(end + 1) }
                return Array(buffer[..<end])
            }
            guard buffer.count < Self.longestLine else {
                throw AttachError("\(path) does not speak QMP: no line ends.")
            }
            var chunk = [UInt8](repeating: 0, count: 4096)
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
            guard count > 0 else {
                let reason = count == 0 ? "it closed the connection" : systemError()
                throw AttachError("QEMU at \(path) does not answer: \(reason); does another program use this socket?")
            }
            buffer += chunk[..<count]
        }
    }
}
