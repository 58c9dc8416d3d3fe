import Foundation
import Platform
import Synchronization

/// A connection to the socket of QEMU's monitor.
package final class QMPSocket: QMPChannel {
    package let name: String
    package var way: String { "QMP" }
    private let descriptor: CInt
    /// What came behind the last line.
    private let buffer = Mutex<[UInt8]>([])

    private static let timeoutSeconds = 10

    /// Connects to the socket of `-qmp unix:SOCKET,server` and shakes hands.
    ///
    /// - Throws: ``AttachError``.
    package init(_ path: String) throws {
        name = path
        descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw AttachError("No socket can be made: \(systemError()).") }
        var timeout = timeval(tv_sec: Self.timeoutSeconds, tv_usec: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        try connect()
        let greeting = try buffer.withLock { try line(&$0) }
        let _: Greeting = try QMP.decode(greeting, from: name)
        let _: QMP.Nothing = try QMP(self).execute("qmp_capabilities")
    }

    deinit { close(descriptor) }

    private func connect() throws {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(name.utf8)
        // 108 bytes with the final 0, in every ABI of Linux.
        guard bytes.count < 108 else {
            throw AttachError("\(name.prefix(40))… is too long for a socket's path.")
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let code = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code == 0 else {
            throw AttachError(
                "\(name) cannot be connected: \(systemError()); start QEMU with -qmp unix:\(name),server,nowait")
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

    private struct Greeting: Decodable { let QMP: QMP.Nothing }
    private struct Event: Decodable { let event: String? }

    package func answer(to command: [UInt8]) throws -> [UInt8] {
        try buffer.withLock { buffer in
            let line = command + [10]
            let sent = unsafe line.withUnsafeBytes {
                unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard sent == line.count else {
                throw AttachError("QEMU at \(name) does not take commands: \(systemError()).")
            }
            while true {
                let line = try self.line(&buffer)
                let message: Event = try QMP.decode(line, from: name)
                if message.event == nil { return line }
            }
        }
    }

    private func line(_ buffer: inout [UInt8]) throws -> [UInt8] {
        while true {
            if let end = buffer.firstIndex(of: 10) {
                defer { buffer.removeFirst(end + 1) }
                return Array(buffer[..<end])
            }
            guard buffer.count < QMP.longestAnswer else {
                throw AttachError("\(name) does not speak QMP: no line ends.")
            }
            var chunk = [UInt8](repeating: 0, count: 4096)
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
            guard count > 0 else {
                let reason = count == 0 ? "it closed the connection" : systemError()
                throw AttachError("QEMU at \(name) does not answer: \(reason); does another program use this socket?")
            }
            buffer += chunk[..<count]
        }
    }
}
