import Model

/// Tools that say one thing a line, `name: value`: QEMU's monitor and `virsh`. Lines are gathered until another answer begins.
struct MigrationBlock {
    private var fields: MigrationFields?
    private var names: Set<String> = []
    private var time: LogTime?
    private var kind = Kind.qemu

    private enum Kind { case qemu, virsh, parameters, dirtyRate }

    /// Adds a line; gives the answer before it where it begins another one, or ends that.
    mutating func add(_ text: String, _ line: Int64, _ time: LogTime?) -> [MigrationFinding] {
        if text.isEmpty || text.hasPrefix("(qemu)") { return end() }
        if kind == .dirtyRate, fields != nil, let pair = MigrationText.pairs(text, "=").first {
            addRate(pair.name, pair.value)
            return []
        }
        guard let colon = text.firstIndex(of: ":") else { return [] }
        let name = String(text[..<colon].drop { $0 == " " || $0 == "\t" })
        let value = text[text.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
        guard name.utf8.count <= 64 else { return [] }
        var before: [MigrationFinding] = []
        let begins: Kind? =
            switch name {
            case "Migration status", "Status": .qemu
            case "Job type": .virsh
            case "announce-initial", "max-bandwidth", "downtime-limit":
                fields != nil && kind == .parameters ? nil : .parameters
            case "Domain": .dirtyRate
            default: nil
            }
        if name.lowercased() == "globals" { return end() }
        // What comes twice belongs to the next answer.
        if begins != nil || fields != nil && names.contains(name) { before = end() }
        if let begins {
            kind = begins
            fields = MigrationFields(begins == .virsh || begins == .dirtyRate ? .virsh : .qemu, line: line)
            self.time = time
        }
        guard fields != nil else { return before }
        names.insert(name)
        switch kind {
        case .qemu: addMonitor(name, value)
        case .virsh: addVirsh(name, value)
        case .parameters: addParameter(name, value)
        case .dirtyRate: break
        }
        return before
    }

    /// The answer that was gathered, if any.
    mutating func end() -> [MigrationFinding] {
        defer { (fields, names, kind) = (nil, [], .qemu) }
        guard let fields, !fields.isEmpty else { return [] }
        let observation = fields.finished()
        // A monitor that was never asked to migrate, or a domain without a job, has nothing to say.
        guard observation.state != "none", kind != .dirtyRate || observation.dirtyBytesPerSecond != nil else {
            return []
        }
        return [MigrationFinding(observation, time)]
    }

    private mutating func keep(_ name: String, _ value: some StringProtocol) {
        fields?.keep(name, .string(String(value.prefix(1024))))
    }

    // MARK: QEMU

    private mutating func addMonitor(_ name: String, _ value: Substring) {
        let number = MigrationNumber.leading(value)
        switch name {
        case "Migration status", "Status":
            fields?.set(state: value.prefix { $0 != " " && $0 != "(" })
            if let reason = value.firstIndex(of: "(") { keep("error", value[reason...].dropFirst().dropLast()) }
        case "total time": fields?.set(\.elapsedNs, number, times: 1e6)
        case "expected downtime": fields?.set(\.expectedDowntimeNs, number, times: 1e6)
        case "downtime": fields?.set(\.downtimeNs, number, times: 1e6)
        case "setup": fields?.set(\.setupNs, number, times: 1e6)
        case "transferred ram": fields?.set(\.transferredBytes, MigrationNumber.bytes(value))
        case "remaining ram": fields?.set(\.remainingBytes, MigrationNumber.bytes(value))
        case "total ram": fields?.set(\.totalBytes, MigrationNumber.bytes(value))
        case "throughput", "Throughput (Mbps)": fields?.set(\.bytesPerSecond, number, times: 125_000)
        case "duplicate": fields?.set(\.zeroPages, number)
        case "normal": fields?.set(\.normalPages, number)
        case "dirty sync count": fields?.set(\.pass, number)
        case "page size": fields?.set(\.pageBytes, MigrationNumber.bytes(value))
        case "dirty pages rate": fields?.dirtyPagesPerSecond = number
        case "cpu throttle percentage", "CPU Throttle (%)": fields?.set(\.throttlePercent, number)
        case "Time (ms)", "Sizes", "Transfers", "Channels", "Page Types", "Page Rates (pps)", "Others":
            addList(name, value)
        case "RAM info": break
        default: keep(name, value)
        }
    }

    /// `name=value, name=value`: QEMU 11, and not yet 10.0.
    private mutating func addList(_ list: String, _ text: Substring) {
        for part in text.split(separator: ",") {
            let pair = part.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
            guard pair.count == 2 else { continue }
            let number = MigrationNumber.leading(pair[1])
            let bytes = MigrationNumber.bytes(pair[1])
            switch (list, pair[0]) {
            case ("Time (ms)", "total"): fields?.set(\.elapsedNs, number, times: 1e6)
            case ("Time (ms)", "setup"): fields?.set(\.setupNs, number, times: 1e6)
            case ("Time (ms)", "exp_down"): fields?.set(\.expectedDowntimeNs, number, times: 1e6)
            case ("Time (ms)", "down"): fields?.set(\.downtimeNs, number, times: 1e6)
            case ("Sizes", "pagesize"): fields?.set(\.pageBytes, bytes)
            case ("Sizes", "total"): fields?.set(\.totalBytes, bytes)
            case ("Transfers", "transferred"): fields?.set(\.transferredBytes, bytes)
            case ("Transfers", "remain"): fields?.set(\.remainingBytes, bytes)
            case ("Page Types", "normal"): fields?.set(\.normalPages, number)
            case ("Page Types", "zero"): fields?.set(\.zeroPages, number)
            case ("Page Rates (pps)", "dirty"): fields?.dirtyPagesPerSecond = number
            case ("Others", "dirty_syncs"): fields?.set(\.pass, number)
            default: keep("\(list).\(pair[0])", pair[1])
            }
        }
    }

    private mutating func addParameter(_ name: String, _ value: Substring) {
        switch name {
        case "downtime-limit": fields?.set(\.downtimeLimitNs, MigrationNumber.leading(value), times: 1e6)
        case "max-bandwidth": fields?.set(\.bandwidthLimit, MigrationNumber.leading(value))
        default: keep(name, value)
        }
    }

    // MARK: virsh

    /// `virsh domjobinfo`.
    private mutating func addVirsh(_ name: String, _ value: Substring) {
        let number = MigrationNumber.leading(value)
        let bytes = MigrationNumber.bytes(value)
        switch name {
        case "Job type":
            let word = value.lowercased()
            fields?.set(state: word == "bounded" || word == "unbounded" ? "active" : word)
        case "Time elapsed": fields?.set(\.elapsedNs, number, times: 1e6)
        case "Memory processed": fields?.set(\.transferredBytes, bytes)
        case "Memory remaining": fields?.set(\.remainingBytes, bytes)
        case "Memory total": fields?.set(\.totalBytes, bytes)
        case "Memory bandwidth": fields?.set(\.bytesPerSecond, bytes)
        case "Dirty rate": fields?.dirtyPagesPerSecond = number
        case "Page size": fields?.set(\.pageBytes, number)
        case "Iteration": fields?.set(\.pass, number)
        case "Constant pages": fields?.set(\.zeroPages, number)
        case "Normal pages": fields?.set(\.normalPages, number)
        case "Total downtime": fields?.set(\.downtimeNs, number, times: 1e6)
        case "Expected downtime": fields?.set(\.expectedDowntimeNs, number, times: 1e6)
        case "Setup time": fields?.set(\.setupNs, number, times: 1e6)
        case "Auto converge throttle": fields?.set(\.throttlePercent, number)
        default: keep(name, value)
        }
    }

    /// `virsh domstats --dirtyrate`: MiB a second.
    private mutating func addRate(_ name: Substring, _ value: Substring) {
        if name == "dirtyrate.megabytes_per_second" {
            fields?.set(\.dirtyBytesPerSecond, MigrationNumber.leading(value), times: MigrationNumber.mebibyte)
        } else if name.hasPrefix("dirtyrate.") {
            keep(String(name), value)
        }
    }
}
