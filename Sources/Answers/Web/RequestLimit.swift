import NIOCore

/// Lets the first bytes of a peer through and drops the rest, so that no head takes more.
final class RequestLimit: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// There was more than may be.
    struct Exceeded: Sendable {}

    private var left: Int

    init(bytes: Int) { left = bytes }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        let first = bytes.getSlice(at: bytes.readerIndex, length: min(left, bytes.readableBytes)) ?? ByteBuffer()
        left -= first.readableBytes
        if first.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(first)) }
        if first.readableBytes < bytes.readableBytes { context.fireUserInboundEventTriggered(Exceeded()) }
    }
}
