import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Answers HTTP on one thread: documents that somebody else makes, and events that tell of newer ones.
///
/// It trusts nobody who connects: each connection is one request, and each of them is bounded (``Limits``). Whoever publishes never waits for
/// whoever reads.
package final class WebServer: Sendable {
    /// What a connection may take.
    package struct Limits: Sendable {
        /// At a time; more get 503.
        package var connections = 16
        /// Of these, those that may follow events, so that some are left for documents.
        package var readers = 12
        /// Of everything that a peer sends.
        package var requestBytes = 8192
        /// Until the head of a request is there.
        package var requestMilliseconds: Int64 = 5000
        /// Until an answer is taken.
        package var answerMilliseconds: Int64 = 30_000
        /// Between two signs of life to who follows events; who has not taken what was before the last one is let go.
        package var pingMilliseconds: Int64 = 15_000
        /// Of the kernel, for what a peer has not taken.
        package var sendBufferBytes = 1 << 16

        package init() {}
    }

    /// What is served.
    package struct Document: Sendable {
        /// Its media type.
        package var type: String
        let bytes: ByteBuffer

        package init(_ type: String, _ text: String) { (self.type, bytes) = (type, ByteBuffer(string: text)) }
    }

    /// Gives `reply` what stands at `path`, nil for nothing, once, soon; called on the server's thread.
    package typealias Source =
        @Sendable (_ path: String, _ reply: @escaping @Sendable (Document?) -> Void) -> Void

    /// Where it really listens.
    package let address: ListenAddress
    private let group: MultiThreadedEventLoopGroup
    private let listener: any Channel
    private let board: Board

    /// Listens from now on.
    ///
    /// - Parameters:
    ///   - token: What every URL must have behind `?token=`; nil where the address is protection enough.
    ///   - source: What is at each path but `/events`.
    /// - Throws: ``WebError``.
    package init(
        at asked: ListenAddress, token: String?, limits: Limits = Limits(), source: @escaping Source
    ) throws {
        let board = Board()
        let door = Door(isLoopback: asked.isLoopback, token: token)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 16)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.so_sndbuf), value: limits.sendBufferBytes)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            // Whatever the kernel has not taken makes a peer slow.
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 1, high: 1))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        RequestLimit(bytes: limits.requestBytes), ByteToMessageHandler(HTTPRequestDecoder()),
                        HTTPResponseEncoder(), Connection(limits, door, board, source),
                    ])
                }
            }
        do {
            listener = try bootstrap.bind(host: asked.host, port: asked.port).wait()
        } catch {
            try? group.syncShutdownGracefully()
            throw WebError(error, at: asked)
        }
        (self.board, self.group) = (board, group)
        address = asked.with(port: listener.localAddress?.port ?? asked.port)
    }

    /// How many follow events.
    package var readers: Int { board.state.withLock { $0.readers.count } }

    /// Says something to everybody who follows events. Who has not taken what was said before never gets it, but only the newest.
    ///
    /// - Parameters:
    ///   - event: Its type, a word.
    ///   - data: One line.
    package func say(_ event: String, _ data: String) {
        let readers = board.state.withLock { state in
            state.number += 1
            state.event = ByteBuffer(string: "event: \(event)\ndata: \(data)\n\n")
            return Array(state.readers.values)
        }
        for reader in readers { reader.pipeline.fireUserInboundEventTriggered(Connection.News()) }
    }

    /// Ends every connection, and listens no more.
    package func stop() {
        try? listener.close().wait()
        let all = board.state.withLock { Array($0.connections.values) }
        for channel in all { channel.close(promise: nil) }
        try? group.syncShutdownGracefully()
    }
}

/// What the connections of a server share.
final class Board: Sendable {
    struct State {
        var connections: [ObjectIdentifier: any Channel] = [:]
        var readers: [ObjectIdentifier: any Channel] = [:]
        /// What was said last, and how many times something was.
        var event = ByteBuffer()
        var number = 0
    }
    let state = Mutex(State())
}
