import Foundation
import Platform

/// A way to QEMU's monitor.
package protocol QMPChannel: Sendable {
    /// What messages call it.
    var name: String { get }

    /// What recordings call it.
    var way: String { get }

    /// The process of QEMU, where the way itself knows it.
    var peer: Int32? { get }

    /// Sends a command, which is one object of JSON, and waits for its answer, which is another one; events are left out.
    ///
    /// - Throws: ``AttachError``.
    func answer(to command: [UInt8]) throws -> [UInt8]
}

/// QEMU's monitor, one command at a time, whichever way leads to it.
package struct QMP: Sendable {
    private let channel: any QMPChannel

    /// An answer is at most this long.
    static let longestAnswer = 1 << 20

    /// The monitor at the other end.
    package init(_ channel: any QMPChannel) { self.channel = channel }

    /// An answer of which nothing is needed.
    package struct Nothing: Decodable {}
    private struct Reply<Value: Decodable>: Decodable {
        struct Problem: Decodable { let desc: String }
        let `return`: Value?
        let error: Problem?
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
        line += Array("}".utf8)
        let reply: Reply<Value> = try Self.decode(channel.answer(to: line), from: channel.name)
        if let problem = reply.error { throw AttachError("QEMU refused \(command): \(problem.desc)") }
        guard let value = reply.return else { throw AttachError("QEMU's answer to \(command) is none.") }
        return value
    }

    /// Reads what came by the way `name`.
    ///
    /// - Throws: ``AttachError``.
    static func decode<Value: Decodable>(_ bytes: [UInt8], from name: String) throws -> Value {
        do { return try JSONDecoder().decode(Value.self, from: Data(bytes)) } catch {
            let text = String(decoding: bytes.prefix(80), as: UTF8.self)
            throw AttachError("\(name) does not speak QMP: '\(text)'.")
        }
    }

    /// What recordings call the way that leads to it.
    package var way: String { channel.way }

    /// The guest's name, if it has one.
    package var guestName: String? {
        struct Named: Decodable { let name: String? }
        let answer: Named? = try? execute("query-name")
        return answer?.name.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The process of QEMU: who is at the other end, or the one that has the threads of QEMU's vCPUs and QEMU's UUID on its command line.
    ///
    /// - Throws: ``AttachError``, also when that is no process of this host.
    package func process() throws -> Int32 {
        if let peer = channel.peer { return peer }
        struct CPU: Decodable {
            let thread: Int32
            enum CodingKeys: String, CodingKey { case thread = "thread-id" }
        }
        struct Identity: Decodable { let UUID: String }
        let cpus: [CPU] = try execute("query-cpus-fast")
        let identity: Identity = try execute("query-uuid")
        guard let thread = cpus.first?.thread, let pid = Files.process(ofThread: thread),
            Files.arguments(of: pid).has("-uuid", identity.UUID)
        else {
            throw AttachError(
                "No process of this host has the vCPUs and the UUID \(identity.UUID) of which QEMU tells by \(channel.name): run dirtyrec on the host of the guest, or name QEMU's process by --pid PID."
            )
        }
        return pid
    }
}

extension [String] {
    /// Whether these words of a command line have an option with a value, whose case does not matter.
    fileprivate func has(_ option: String, _ value: String) -> Bool {
        zip(self, dropFirst()).contains { $0.0 == option && $0.1.lowercased() == value.lowercased() }
    }
}
