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
        package let problem: String
    }

    package func records(in page: ArraySlice<UInt8>) throws(Damage) -> PageRecords {
        guard let start = timestamp.value(in: page), let state = commit.value(in: page) else {
            throw Damage(problem: "a page of the trace is cut off")
        }
        let length = Int(state & Self.lengthMask)
        guard data.offset + length <= page.count else { throw Damage(problem: "a page of the trace is cut off") }
        var lost: Int64? = 0
        if state & Self.missed != 0 {
            let behind = EventFormat.Field(offset: data.offset + length, size: 8, signed: true)
            lost = state & Self.missedStored != 0 ? behind.value(in: page) : nil
        }
        return PageRecords(data: page.dropFirst(data.offset).prefix(length), ns: start, lost: lost)
    }
}

/// The records of a sub-buffer, decoded one by one.
package struct PageRecords: Sendable {
    private let data: ArraySlice<UInt8>
    private var cursor: Int
    private var ns: Int64
    /// How many events the kernel lost before this page; nil when it does not say how many.
    package let lost: Int64?

    init(data: ArraySlice<UInt8>, ns: Int64, lost: Int64?) {
        (self.data, cursor, self.ns, self.lost) = (data, data.startIndex, ns, lost)
    }

    /// The next record and its time; nil after the last.
    package mutating func next() throws(PageLayout.Damage) -> (record: ArraySlice<UInt8>, ns: Int64)? {
        while cursor < data.endIndex {
            let header = try word()
            let delta = Int64(header >> 5)
            var size: Int
            switch header & 31 {
            case 29:  // Padding: to the page's end, or as long as it says, its length included.
                if delta == 0 {
                    cursor = data.endIndex
                    return nil
                }
                ns &+= delta
                cursor += max(0, Int(try word()) - 4)
                continue
            case 30:  // The time that does not fit 27 bits.
                ns &+= delta &+ Int64(try word()) << 27
                continue
            case 31:  // The time itself, without its five highest bits.
                ns = (ns & ~((1 << 59) - 1)) | (delta &+ Int64(try word()) << 27)
                continue
            case 0:  // The length, itself included, stands before the record.
                size = Int(try word()) - 4
            case let words: size = Int(words) * 4
            }
            ns &+= delta
            guard size >= 0, size <= data.endIndex - cursor else {
                throw PageLayout.Damage(problem: "a record of the trace is cut off")
            }
            let record = data[cursor..<cursor + size]
            cursor += (size + 3) & ~3
            return (record, ns)
        }
        return nil
    }

    private mutating func word() throws(PageLayout.Damage) -> UInt32 {
        guard cursor + 4 <= data.endIndex else {
            throw PageLayout.Damage(problem: "a record of the trace is cut off")
        }
        defer { cursor += 4 }
        return UInt32(data[cursor]) | UInt32(data[cursor + 1]) << 8 | UInt32(data[cursor + 2]) << 16
            | UInt32(data[cursor + 3]) << 24
    }
}
