import Platform

/// The packed entries of one harvest.
///
/// Byte 0 is the version (1), byte 1 holds flags. Then one LEB128 varint an entry: the zigzag-coded difference
/// to the previous GFN (the first one to 0), in harvest order. With ``Flags/times``, as many varints follow:
/// the zigzag-coded difference of each entry's time to the previous one's (the first one to `since_ns`), in nanoseconds.
/// The number of entries is kept outside, in `harvest.entry_count`. `docs/file-format.md` is the full description.
package enum Segment {
    /// Version of the encoding, the first byte of every segment.
    package static let version: UInt8 = 1
    /// The most entries in one segment; larger passes become several harvests.
    package static let maxEntries = 1 << 20

    /// Bits of the second byte.
    package enum Flags {
        /// A stream of exact times follows the GFNs.
        package static let times: UInt8 = 1
    }

    /// Why a segment could not be decoded.
    package enum DecodingError: Error, Equatable, CustomStringConvertible {
        /// The version byte is not one of ours.
        case unknownVersion(UInt8)
        /// Flag bits that this version does not define.
        case unknownFlags(UInt8)
        /// It ended in the middle of an entry, or a varint was too long.
        case truncated
        /// Bytes were left over after the last entry.
        case trailingBytes(Int)
        /// A GFN lies outside 0...``largestGFN``.
        case gfnOutOfRange
        /// More entries were announced than a segment may hold.
        case tooManyEntries(Int)

        /// One clause, to be put behind the name of the row.
        package var description: String {
            switch self {
            case .unknownVersion(let version): "segment version \(version) is unknown"
            case .unknownFlags(let flags): "segment flags \(flags) are unknown"
            case .truncated: "the segment ends in the middle of an entry"
            case .trailingBytes(let count): "\(count) bytes follow the segment's last entry"
            case .gfnOutOfRange: "a GFN lies outside 0...2^51-1"
            case .tooManyEntries(let count): "\(count) entries are announced, the limit is \(Segment.maxEntries)"
            }
        }
    }

    /// Appends the segment of `gfns` to `output`.
    ///
    /// - Precondition: at most ``maxEntries`` GFNs, each at most ``largestGFN``; as many `times` as GFNs, if any.
    package static func encode(_ gfns: [GFN], times: [Int64]? = nil, sinceNs: Int64 = 0, into output: inout [UInt8]) {
        precondition(gfns.count <= maxEntries, "a segment holds at most \(maxEntries) entries")
        precondition(times == nil || times?.count == gfns.count, "one time an entry")
        output.append(version)
        output.append(times == nil ? 0 : Flags.times)
        appendDeltas(gfns, previous: 0, to: &output) { Int64(bitPattern: $0) }
        if let times { appendDeltas(times, previous: sinceNs, to: &output) { $0 } }
    }

    @inline(__always)
    private static func appendDeltas<Value>(
        _ values: [Value], previous start: Int64, to output: inout [UInt8], as integer: (Value) -> Int64
    ) {
        // Room for the worst case first, so that the loop needs neither bounds checks nor growth.
        output.append(addingCapacity: values.count * longestVarint) { span in
            unsafe span.withUnsafeMutableBufferPointer { bytes, initialized in
                guard let first = bytes.baseAddress else { return }
                var cursor = unsafe first + initialized
                var previous = start
                unsafe values.withUnsafeBufferPointer { values in
                    for index in values.indices {
                        let current = unsafe integer(values[index])
                        let delta = current &- previous
                        previous = current
                        var rest = UInt64(bitPattern: (delta &<< 1) ^ (delta &>> 63))
                        while rest >= 0x80 {
                            unsafe cursor.pointee = UInt8(truncatingIfNeeded: rest) | 0x80
                            unsafe cursor += 1
                            rest &>>= 7
                        }
                        unsafe cursor.pointee = UInt8(truncatingIfNeeded: rest)
                        unsafe cursor += 1
                    }
                }
                initialized = unsafe cursor - first
            }
        }
    }

    /// The most bytes that one varint takes: 64 bits in groups of 7.
    private static let longestVarint = 10

    /// Decodes a segment of `count` entries, replacing what `gfns` holds. If the segment has exact times, they replace
    /// what `times` holds; otherwise `times` is left empty.
    ///
    /// - Throws: ``DecodingError`` for anything but exactly `count` valid entries. Memory is bounded by ``maxEntries``.
    package static func decode(
        _ segment: Span<UInt8>, count: Int, sinceNs: Int64 = 0, into gfns: inout [GFN], times: inout [Int64]
    ) throws(DecodingError) {
        gfns.removeAll(keepingCapacity: true)
        times.removeAll(keepingCapacity: true)
        guard count >= 0, count <= maxEntries else { throw .tooManyEntries(count) }
        guard segment.count >= 2 else { throw .truncated }
        guard segment[0] == version else { throw .unknownVersion(segment[0]) }
        let flags = segment[1]
        guard flags & ~Flags.times == 0 else { throw .unknownFlags(flags) }
        // Every entry takes at least a byte: a lying count cannot make us allocate more than the segment's size allows.
        guard segment.count - 2 >= count else { throw .truncated }

        var position = 2
        try readDeltas(segment, from: &position, count: count, previous: 0, into: &gfns) { GFN(bitPattern: $0) }
        var all: GFN = 0
        for gfn in gfns { all |= gfn }
        guard all <= largestGFN else { throw .gfnOutOfRange }
        if flags & Flags.times != 0 {
            try readDeltas(segment, from: &position, count: count, previous: sinceNs, into: &times) { $0 }
        }
        guard position == segment.count else { throw .trailingBytes(segment.count - position) }
    }

    @inline(__always)
    private static func readDeltas<Value>(
        _ segment: Span<UInt8>, from position: inout Int, count: Int, previous start: Int64, into output: inout [Value],
        as value: (Int64) -> Value
    ) throws(DecodingError) {
        var next = position
        var previous = start
        var complete = true
        output.append(addingCapacity: count) { span in
            unsafe segment.withUnsafeBufferPointer { bytes in
                guard let base = bytes.baseAddress else { return }
                let end = bytes.count
                for _ in 0..<count {
                    guard next < end else { complete = false; return }
                    var byte = unsafe base[next]
                    next += 1
                    var zigzag = UInt64(byte & 0x7f)
                    var shift: UInt64 = 7
                    while byte >= 0x80 {
                        guard next < end, shift < 64 else { complete = false; return }
                        byte = unsafe base[next]
                        next += 1
                        zigzag |= UInt64(byte & 0x7f) &<< shift
                        shift += 7
                    }
                    previous = previous &+ (Int64(bitPattern: zigzag >> 1) ^ -Int64(bitPattern: zigzag & 1))
                    span.append(value(previous))
                }
            }
        }
        guard complete else { throw .truncated }
        position = next
    }
}
