import Model

/// Tools that say all on one line.
enum MigrationText {
    /// Longer ones are passed over.
    static let longestLine = 64 << 10

    /// A line without the sequences by which terminals move their cursor, without ends, and without what is no UTF-8.
    static func plain(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        var place = bytes.startIndex
        while place < bytes.endIndex {
            if bytes[place] == 0x1b, place + 1 < bytes.endIndex, bytes[place + 1] == UInt8(ascii: "[") {
                place += 2
                while place < bytes.endIndex, !(0x40...0x7e).contains(bytes[place]) { place += 1 }
            } else if bytes[place] != 13 {
                text.append(bytes[place])
            }
            place += 1
        }
        while let last = text.last, last == 32 || last == 9 { text.removeLast() }
        return text
    }

    /// Words of which every line of these tools has one: most lines of most logs are none.
    private static let signs = ["igration", "recopy"].map { Array($0.utf8) }

    static func mayTell(_ line: [UInt8]) -> Bool {
        guard let most = signs.map(\.count).max(), line.count >= most else { return false }
        return line.indices.contains { place in
            signs.contains { $0[0] == line[place] && line[place...].starts(with: $0) }
        }
    }

    static func observation(_ text: String, _ line: Int64) -> MigrationObservation? {
        virtLauncher(text, line) ?? cloudHypervisor(text, line) ?? qm(text, line)
    }

    /// The part of `text` after `words`; nil when they are not in it.
    private static func after(_ words: String, in text: String) -> Substring? {
        text.firstRange(of: words).map { text[$0.upperBound...] }
    }

    /// Every `name=value` or `name:value` among words.
    static func pairs(_ text: some StringProtocol, _ mark: Character) -> [(name: Substring, value: Substring)] {
        Substring(text).split(separator: " ").compactMap { word in
            guard let place = word.firstIndex(of: mark), place > word.startIndex else { return nil }
            return (word[..<place], word[word.index(after: place)...])
        }
    }

    // MARK: KubeVirt

    /// virt-launcher's line (live-migration-source.go): megabits and mebibytes.
    static func virtLauncher(_ text: String, _ line: Int64) -> MigrationObservation? {
        guard let words = after("Migration info for ", in: text) else { return nil }
        var fields = MigrationFields(.virtLauncher, line: line)
        for (name, value) in pairs(words, ":") where !value.isEmpty {
            let number = MigrationNumber.leading(value)
            switch name {
            case "TimeElapsed": fields.set(\.elapsedNs, number, times: 1e6)
            case "MemoryProcessed": fields.set(\.transferredBytes, number, times: MigrationNumber.mebibyte)
            case "MemoryRemaining": fields.set(\.remainingBytes, number, times: MigrationNumber.mebibyte)
            case "MemoryTotal": fields.set(\.totalBytes, number, times: MigrationNumber.mebibyte)
            case "MemoryBandwidth": fields.set(\.bytesPerSecond, number, times: 125_000)
            case "DirtyRate": fields.set(\.dirtyBytesPerSecond, number, times: 125_000)
            case "Iteration": fields.set(\.pass, number)
            case "ConstantPages": fields.set(\.zeroPages, number)
            case "NormalPages": fields.set(\.normalPages, number)
            case "ExpectedDowntime":
                fields.set(\.expectedDowntimeNs, number, times: 1e6)
                fields.set(state: "active")
            case "Downtime":
                fields.set(\.downtimeNs, number, times: 1e6)
                fields.set(state: "completed")
            default: fields.keep(name, .string(String(value)))
            }
        }
        return fields.isEmpty ? nil : fields.finished()
    }

    // MARK: Cloud Hypervisor

    /// What Cloud Hypervisor logs of a pass after it, and at the end.
    private static func cloudHypervisor(_ text: String, _ line: Int64) -> MigrationObservation? {
        var fields = MigrationFields(.cloudHypervisor, line: line)
        func milliseconds(_ words: String) -> Double? { after(words, in: text).flatMap(MigrationNumber.leading) }
        if let words = after("Precopy: iter=", in: text) {
            cloudHypervisor("iter=" + words, .sent, &fields)
        } else if let words = after("Precopy converged: iter=", in: text) {
            cloudHypervisor("iter=" + words, .pending, &fields)
        } else if let words = after("Precopy complete: iter=", in: text) {
            cloudHypervisor("iter=" + words, .last, &fields)
        } else if let words = after("Migration completed after ", in: text), text.contains(" with a downtime of ") {
            fields.set(state: "completed")
            fields.set(\.elapsedNs, MigrationNumber.leading(words), times: 1e9)
            fields.set(\.downtimeNs, milliseconds(" with a downtime of "), times: 1e6)
            fields.set(\.downtimeLimitNs, milliseconds("(goal was "), times: 1e6)
        } else if let words = after("Precopy: Target downtime can be met: ", in: text) {
            fields.set(\.expectedDowntimeNs, MigrationNumber.leading(words), times: 1e6)
            fields.set(\.downtimeLimitNs, milliseconds(" <= "), times: 1e6)
        } else if text.contains("Precopy: Pausing VM, ignoring target downtime") {
            fields.set(\.downtimeLimitNs, milliseconds("target downtime ("), times: 1e6)
            fields.set(\.expectedDowntimeNs, milliseconds("Estimated downtime: "), times: 1e6)
        } else if text.contains("Precopy: Timeout reached: ") {
            fields.set(state: "failed")
            fields.keep("error", .string("timeout"))
        }
        return fields.isEmpty ? nil : fields.finished()
    }

    private enum Moment { case sent, pending, last }

    private static func cloudHypervisor(_ words: String, _ moment: Moment, _ fields: inout MigrationFields) {
        var passNs: Double?
        var iteration: Double?
        for (name, value) in pairs(words, "=") {
            let number = MigrationNumber.leading(value)
            switch name {
            case "iter":
                // Counted from 0, and after the last pass one too far.
                iteration = number
                fields.set(\.pass, number.map { moment == .last ? $0 : $0 + 1 })
            case "curr":
                fields.set(moment == .pending ? \.remainingBytes : \.passBytes, MigrationNumber.bytes(value))
            case "total": fields.set(\.transferredBytes, MigrationNumber.bytes(value))
            case "elapsed": fields.set(\.elapsedNs, number, times: 1e9)
            case "bw" where moment != .pending: fields.set(\.bytesPerSecond, MigrationNumber.bytes(value))
            case "transfer" where moment != .pending: passNs = number.map { $0 * 1e9 }
            case "overhead" where moment != .pending: passNs = passNs.flatMap { a in number.map { a + $0 * 1e6 } }
            // Before the first pass nothing is estimated.
            case "est_downtime" where iteration != 0: fields.set(\.expectedDowntimeNs, number, times: 1e6)
            default: fields.keep(name, .string(String(value)))
            }
        }
        fields.set(\.passNs, passNs)
        fields.set(state: "active")
    }

    // MARK: Proxmox VE

    /// Lines of the task log of `qm migrate`, in the forms of qemu-server since 2021 and before.
    private static func qm(_ text: String, _ line: Int64) -> MigrationObservation? {
        var fields = MigrationFields(.qm, line: line)
        if let words = after("migration status error: ", in: text) {
            fields.set(state: words.prefix { $0.isLetter })
            if let reason = after(" - ", in: String(words)) { fields.keep("error", .string(String(reason))) }
        } else if let words = after("migration status: ", in: text) {
            fields.set(state: words.prefix { $0.isLetter || $0 == "-" })
            if let sent = after("(transferred ", in: String(words)) { progress(String(sent), &fields) }
        } else if let words = after("migration downtime limit: ", in: text)
            ?? after("auto-increased downtime to continue migration: ", in: text)
        {
            fields.set(\.downtimeLimitNs, MigrationNumber.leading(words), times: 1e6)
        } else if let words = after("migration speed limit: ", in: text) {
            let bytes = words.hasSuffix(" B/s") ? MigrationNumber.leading(words) : MigrationNumber.bytes(words)
            fields.set(\.bandwidthLimit, bytes)
        } else if let words = after("migration speed: ", in: text), let pause = after(" - downtime ", in: text) {
            // Memory by time, not what was sent by time.
            fields.keep("average speed", .string(String(words.prefix { $0 != "-" }.dropLast())))
            fields.set(\.downtimeNs, MigrationNumber.leading(pause), times: 1e6)
        } else if let words = after("migration ", in: text), let sent = after("transferred ", in: String(words)) {
            progress(String(sent), &fields)
            fields.set(state: words.prefix { $0.isLetter || $0 == "-" })
        }
        return fields.isEmpty ? nil : fields.finished()
    }

    private static func progress(_ words: String, _ fields: inout MigrationFields) {
        if let left = after("remaining ", in: words), !words.contains("VM-state") {
            // Bytes, before 2021.
            fields.set(\.transferredBytes, MigrationNumber.leading(words))
            fields.set(\.remainingBytes, MigrationNumber.leading(left))
            fields.set(\.totalBytes, after("total ", in: words).flatMap(MigrationNumber.leading))
            return
        }
        guard words.contains("VM-state") else { return }
        fields.set(\.transferredBytes, MigrationNumber.bytes(words))
        fields.set(\.totalBytes, after(" of ", in: words).flatMap(MigrationNumber.bytes))
        fields.set(\.bytesPerSecond, after("VM-state, ", in: words).flatMap(MigrationNumber.bytes))
        fields.set(\.dirtyBytesPerSecond, after("dirties lots of memory: ", in: words).flatMap(MigrationNumber.bytes))
        if let vfio = after("(+ ", in: words) { fields.keep("VFIO-state", .string(String(vfio.prefix { $0 != ")" }))) }
    }
}
