/// Layout of a sub-buffer, as `events/header_page` says it.
package struct PageLayout: Sendable, Equatable {
    private var timestamp = EventFormat.Field(offset: 0, size: 8, signed: false)
    private var commit = EventFormat.Field(offset: 8, size: 8, signed: true)
    private var data = EventFormat.Field(offset: 16, size: 4080, signed: false)

    /// The layout of a 64-bit kernel with 4 KiB pages.
    package init() {}

    /// Parses the text of `header_page`; nil when it is not one.
    package init?(parsing text: String) {
        var fields: [String: EventFormat.Field] = [:]
        for line in text.split(whereSeparator: \.isNewline) {
            let line = line.drop { $0 == "\t" || $0 == " " }
            guard line.hasPrefix("field:") else { continue }
            if let (name, field) = EventFormat.field(line.dropFirst(6)) { fields[name] = field }
        }
        guard let timestamp = fields["timestamp"], let commit = fields["commit"], let data = fields["data"],
            timestamp.size == 8, commit.size == 4 || commit.size == 8, data.size >= 8
        else { return nil }
        (self.timestamp, self.commit, self.data) = (timestamp, commit, data)
    }

    /// Bytes of a page.
    package var size: Int { data.offset + data.size }

    // Flags in the field commit: events were lost before this page, and their number stands behind the data.
    private static let missed: Int64 = 1 << 31
    private static let missedStored: Int64 = 1 << 30
    private static let lengthMask: Int64 = (1 << 20) - 1

    /// What is the matter with a page.
    package struct Damage: Error, Equatable {
        /// One clause.
        package let problem: String
    }

    /// Calls `body` with every record of a page and its time.
    ///
    /// - Returns: how many events the kernel lost before this page: 0, or nil when it does not say how many.
    package func forEachRecord(
        in page: ArraySlice<UInt8>, _ body: (ArraySlice<UInt8>, Int64) throws -> Void
    ) throws -> Int64? {
        guard let start = timestamp.value(in: page), let state = commit.value(in: page) else {
            throw Damage(problem: "a page of the trace is cut off")
        }
        let first = page.startIndex + data.offset
        let length = Int(state & Self.lengthMask)
        guard data.offset + length <= page.count else { throw Damage(problem: "a page of the trace is cut off") }
        let end = first + length
        var now = start
        var cursor = first

        func word(at place: Int) throws -> UInt32 {
            guard place >= first, place + 4 <= end else { throw Damage(problem: "a record of the trace is cut off") }
            return UInt32(page[place]) | UInt32(page[place + 1]) << 8 | UInt32(page[place + 2]) << 16
                | UInt32(page[place + 3]) << 24
        }
        records: while cursor < end {
            let header = try word(at: cursor)
            let delta = Int64(header >> 5)
            cursor += 4
            var size: Int
            switch header & 31 {
            case 29:  // Padding: to the page's end, or as long as it says.
                if delta == 0 { break records }
                now &+= delta
                cursor += Int(try word(at: cursor))
                continue
            case 30:  // The time that does not fit 27 bits.
                now &+= delta &+ Int64(try word(at: cursor)) << 27
                cursor += 4
                continue
            case 31:  // The time itself, without its five highest bits.
                now = (now & ~((1 << 59) - 1)) | (delta &+ Int64(try word(at: cursor)) << 27)
                cursor += 4
                continue
            case 0:  // The length, itself included, stands before the record.
                size = Int(try word(at: cursor)) - 4
                cursor += 4
            case let words: size = Int(words) * 4
            }
            now &+= delta
            guard size >= 0, size <= end - cursor else { throw Damage(problem: "a record of the trace is cut off") }
            try body(page[cursor..<cursor + size], now)
            cursor += (size + 3) & ~3
        }
        guard state & Self.missed != 0 else { return 0 }
        guard state & Self.missedStored != 0 else { return nil }
        return EventFormat.Field(offset: data.offset + length, size: 8, signed: true).value(in: page)
    }
}
