import Model

/// What a JSON document says of a migration: QEMU's answers and events, KubeVirt's log.
enum MigrationJSON {
    /// Names by which people's own wrappers call the time.
    private static let timeNames = ["timestamp", "time", "ts", "date"]

    /// - Parameter time: That of the log, for a document without one.
    static func findings(in tree: JSONTree, _ line: Int64, _ time: LogTime?, depth: Int = 0) -> [MigrationFinding] {
        if case .array(let elements) = tree, depth < 2 {
            return elements.flatMap { findings(in: $0, line, time, depth: depth + 1) }
        }
        guard let members = tree.members else { return [] }
        let time = timeNames.lazy.compactMap { members[$0].flatMap(self.time) }.first ?? time
        func finding(_ observation: MigrationObservation?) -> [MigrationFinding] {
            observation.map { [MigrationFinding($0, time)] } ?? []
        }
        if case .string(let name)? = members["event"] { return finding(event(name, members["data"], line)) }
        if case .string(let message)? = members["msg"] { return finding(MigrationText.virtLauncher(message, line)) }
        if members["ram"]?.members != nil || members["status"]?.string != nil { return finding(answer(members, line)) }
        if members["downtime-limit"] != nil || members["max-bandwidth"] != nil {
            return finding(parameters(members, line))
        }
        // QMP's `return`, or a wrapper of one's own.
        guard depth < 2 else { return [] }
        return members.sorted { $0.key < $1.key }.flatMap { findings(in: $0.value, line, time, depth: depth + 1) }
    }

    private static func time(_ value: JSONTree) -> LogTime? {
        if let seconds = value["seconds"]?.integer {
            return LogTime(seconds: seconds, microseconds: value["microseconds"]?.integer ?? 0)
        }
        if let text = value.string { return LogTime(text) }
        // Numbers below are no moments of this century.
        guard let seconds = value.number, seconds >= 1e8 else { return nil }
        return LogTime(seconds: seconds, .wall)
    }

    /// `MIGRATION` and `MIGRATION_PASS`, which come where the capability `events` is on.
    private static func event(_ name: String, _ data: JSONTree?, _ line: Int64) -> MigrationObservation? {
        var fields = MigrationFields(.qemu, line: line)
        switch name {
        case "MIGRATION": fields.set(state: data?["status"]?.string ?? "")
        case "MIGRATION_PASS": fields.set(\.pass, data?["pass"]?.number)
        default: return nil
        }
        return fields.isEmpty ? nil : fields.finished()
    }

    private static func parameters(_ members: [String: JSONTree], _ line: Int64) -> MigrationObservation? {
        var fields = MigrationFields(.qemu, line: line)
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            switch name {
            case "downtime-limit": fields.set(\.downtimeLimitNs, value.number, times: 1e6)
            case "max-bandwidth": fields.set(\.bandwidthLimit, value.number)
            default: fields.keep(name, value)
            }
        }
        return fields.finished()
    }

    /// `query-migrate`. Other answers with a `status`, of `query-dirty-rate` or `query-status`, are none.
    private static func answer(_ members: [String: JSONTree], _ line: Int64) -> MigrationObservation? {
        guard members["calc-time"] == nil, members["running"] == nil else { return nil }
        var fields = MigrationFields(.qemu, line: line)
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            switch name {
            case "status": fields.set(state: value.string ?? "")
            case "total-time": fields.set(\.elapsedNs, value.number, times: 1e6)
            case "expected-downtime": fields.set(\.expectedDowntimeNs, value.number, times: 1e6)
            case "downtime": fields.set(\.downtimeNs, value.number, times: 1e6)
            case "setup-time": fields.set(\.setupNs, value.number, times: 1e6)
            case "cpu-throttle-percentage": fields.set(\.throttlePercent, value.number)
            case "ram": memory(value.members ?? [:], &fields)
            default: fields.keep(name, value)
            }
        }
        return fields.observation.state == "none" ? nil : fields.finished()
    }

    private static func memory(_ members: [String: JSONTree], _ fields: inout MigrationFields) {
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            switch name {
            case "transferred": fields.set(\.transferredBytes, value.number)
            case "remaining": fields.set(\.remainingBytes, value.number)
            case "total": fields.set(\.totalBytes, value.number)
            case "duplicate": fields.set(\.zeroPages, value.number)
            case "normal": fields.set(\.normalPages, value.number)
            case "page-size": fields.set(\.pageBytes, value.number)
            case "dirty-sync-count": fields.set(\.pass, value.number)
            case "mbps": fields.set(\.bytesPerSecond, value.number, times: 125_000)
            case "dirty-pages-rate": fields.dirtyPagesPerSecond = value.number
            default: fields.keep("ram." + name, value)
            }
        }
    }
}
