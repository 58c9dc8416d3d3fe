import NIOCore
import NIOHTTP1

/// One connection: a request, and its answer or events until somebody ends it.
///
/// ```
/// waiting ──head──▶ asking ──document──▶ answering ──taken──▶ leaving ──peer closes, or 2 s──▶ closed
///    │  └──/events──▶ following ──slow, or gone──▶ closed        ▲
///    └──rubbish, or too much: a status of 4xx ───────────────────┘
/// ```
final class Connection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// Something was said.
    struct News: Sendable {}

    /// It is time for a sign of life.
    private struct Ping: Sendable {}

    private enum Phase { case waiting, asking, answering, following, leaving }

    private let limits: WebServer.Limits
    private let door: Door
    private let board: Board
    private let source: WebServer.Source
    private var phase = Phase.waiting
    /// Ends the phase.
    private var deadline: Scheduled<Void>?
    private var ping: RepeatedTask?
    /// The number of what was said to this reader last.
    private var sent = 0
    /// It has not taken what was before the last sign of life.
    private var isLate = false
    private static let leavingMilliseconds: Int64 = 2000

    init(_ limits: WebServer.Limits, _ door: Door, _ board: Board, _ source: @escaping WebServer.Source) {
        (self.limits, self.door, self.board, self.source) = (limits, door, board, source)
    }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        let isRoom = board.state.withLock { state in
            guard state.connections.count < limits.connections else { return false }
            state.connections[ObjectIdentifier(channel)] = channel
            return true
        }
        if isRoom {
            end(context, in: limits.requestMilliseconds)
        } else {
            phase = .leaving
            write(
                context, .serviceUnavailable, .init("text/plain; charset=utf-8", "Too many readers: close one.\n"),
                isHead: false)
            context.close(promise: nil)
        }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        ping?.cancel()
        phase = .leaving
        let channel = ObjectIdentifier(context.channel)
        board.state.withLock { state in
            state.connections[channel] = nil
            state.readers[channel] = nil
        }
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard phase == .waiting, case .head(let request) = unwrapInboundIn(data) else { return }
        let isHead = request.method == .HEAD
        switch door.path(of: request) {
        case .failure(let refusal): refuse(context, refusal.status, refusal.reason, isHead: isHead)
        case .success("/events"):
            isHead ? refuse(context, .methodNotAllowed, "Events have no head.", isHead: true) : follow(context)
        case .success(let path):
            phase = .asking
            deadline?.cancel()
            let answer = context.eventLoop.makePromise(of: WebServer.Document?.self)
            let loop = context.eventLoop
            source(path) { document in loop.execute { answer.succeed(document) } }
            answer.futureResult.assumeIsolated().whenSuccess { [self] document in
                guard phase == .asking else { return }
                if let document {
                    self.answer(context, .ok, document, isHead: isHead)
                } else {
                    refuse(context, .notFound, "There is nothing at this address; the page is at /.", isHead: isHead)
                }
            }
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is News: tell(context)
        case is Ping: giveSign(context)
        case is RequestLimit.Exceeded where phase == .waiting:
            refuse(context, .requestHeaderFieldsTooLarge, "A request has at most \(limits.requestBytes) bytes.")
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        tell(context)
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is HTTPParserError, phase == .waiting {
            return refuse(context, .badRequest, "That is no HTTP request.")
        }
        if error is HTTPParserError { return }
        context.close(promise: nil)
    }

    // MARK: Answers

    private func refuse(
        _ context: ChannelHandlerContext, _ status: HTTPResponseStatus, _ reason: String, isHead: Bool = false
    ) { answer(context, status, .init("text/plain; charset=utf-8", reason + "\n"), isHead: isHead) }

    private func answer(
        _ context: ChannelHandlerContext, _ status: HTTPResponseStatus, _ document: WebServer.Document, isHead: Bool
    ) {
        phase = .answering
        end(context, in: limits.answerMilliseconds)
        write(context, status, document, isHead: isHead).assumeIsolated().whenSuccess { [self] in leave(context) }
    }

    @discardableResult
    private func write(
        _ context: ChannelHandlerContext, _ status: HTTPResponseStatus, _ document: WebServer.Document, isHead: Bool
    ) -> EventLoopFuture<Void> {
        var headers = Self.headers(document.type)
        headers.add(name: "content-length", value: "\(document.bytes.readableBytes)")
        if status == .methodNotAllowed { headers.add(name: "allow", value: "GET, HEAD") }
        context.write(wrapOutboundOut(.head(.init(version: .http1_1, status: status, headers: headers))), promise: nil)
        if !isHead { context.write(wrapOutboundOut(.body(.byteBuffer(document.bytes))), promise: nil) }
        let taken = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: taken)
        return taken.futureResult
    }

    private static func headers(_ type: String) -> HTTPHeaders {
        [
            "content-type": type, "connection": "close", "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer", "cross-origin-resource-policy": "same-origin",
            "content-security-policy": "frame-ancestors 'none'",
        ]
    }

    /// Says that nothing more comes, and lets the peer take it: a socket that is closed while something is unread takes its answer back.
    private func leave(_ context: ChannelHandlerContext) {
        phase = .leaving
        context.close(mode: .output, promise: nil)
        end(context, in: Self.leavingMilliseconds)
    }

    private func end(_ context: ChannelHandlerContext, in milliseconds: Int64) {
        deadline?.cancel()
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: .milliseconds(milliseconds)) { channel.close(promise: nil) }
    }

    // MARK: Events

    private func follow(_ context: ChannelHandlerContext) {
        let channel = context.channel
        let isRoom = board.state.withLock { state in
            guard state.readers.count < limits.readers else { return false }
            state.readers[ObjectIdentifier(channel)] = channel
            return true
        }
        guard isRoom else { return refuse(context, .serviceUnavailable, "Too many readers: close one.") }
        phase = .following
        deadline?.cancel()
        var headers = Self.headers("text/event-stream")
        // Until the connection ends, piece by piece as it is.
        headers.add(name: "transfer-encoding", value: "chunked")
        context.write(wrapOutboundOut(.head(.init(version: .http1_1, status: .ok, headers: headers))), promise: nil)
        send(context, ByteBuffer(string: "retry: 1000\n\n"))
        let every = TimeAmount.milliseconds(limits.pingMilliseconds)
        ping = context.eventLoop.scheduleRepeatedTask(initialDelay: every, delay: every) { _ in
            channel.pipeline.fireUserInboundEventTriggered(Ping())
        }
        tell(context)
    }

    /// Says what is newest, unless the reader has it or has not taken what was before: then it comes when it has.
    private func tell(_ context: ChannelHandlerContext) {
        guard phase == .following, context.channel.isWritable else { return }
        let (event, number) = board.state.withLock { ($0.event, $0.number) }
        guard number > sent else { return }
        sent = number
        send(context, event)
    }

    private func giveSign(_ context: ChannelHandlerContext) {
        if context.channel.isWritable {
            isLate = false
            send(context, ByteBuffer(string: ":\n\n"))
        } else if isLate {
            context.close(promise: nil)
        } else {
            isLate = true
        }
    }

    private func send(_ context: ChannelHandlerContext, _ bytes: ByteBuffer) {
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
    }
}
