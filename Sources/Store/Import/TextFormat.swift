import Model

/// Reads dirtyrec's text format: one harvest a line. `docs/import.md` describes it.
package final class TextFormat: ImportSource {
    /// The first line of every such file.
    static let signature = "dirtyrec-text 1"

    package private(set) var info = RecordingInfo()
    package private(set) var slots: [MemorySlot] = []
    package private(set) var endNs: Int64 = 0
    package private(set) var endReason = EndReason.duration

    private let lines: LineReader
    private var memory = SlotRanges()
    private var slotIDs: Set<Int> = []
    private var batch: IterationBatch?
    private var entries = 0
    /// Nanoseconds of all costs so far, and entries of all losses.
    private var (costs, lost): (Int64, Int64) = (0, 0)
    /// The line that begins the next iteration, or the first after the head.
    private var pending: Line?
    private var hasEnd = false
    /// When each source was harvested last, by vCPU.
    private var lastPass: [PassKey: Int64] = [:]

    private struct PassKey: Hashable {
        var source: Source
        var vcpu: Int?
    }

    /// Reads the head of a file.
    init(_ input: ImportInput) throws {
        lines = LineReader(input)
        guard let first = try lines.next(),
            first.split(whereSeparator: { $0 == 32 || $0 == 9 }).joined(separator: [32]).elementsEqual(
                Self.signature.utf8)
        else {
            throw ImportError(lines.path, line: 1, "the first line must be '\(Self.signature)'.")
        }
        info.guestKind = "imported"
        info.source = .imported
        while pending == nil, let line = try nextLine() {
            if Self.bodyWords.contains(line.word) { pending = line } else { try readHead(line) }
        }
        endNs = info.startNs
    }

    package func next() throws -> IterationBatch? {
        while let line = try pending ?? nextLine() {
            pending = nil
            if line.word == "harvest", let batch, try line.iteration() != batch.iteration.id {
                pending = line
                self.batch = nil
                entries = 0
                return batch
            }
            try readBody(line)
        }
        defer { batch = nil }
        return batch
    }

    // MARK: Lines

    private static let bodyWords: Set<String> = ["harvest", "loss", "marker", "end"]

    private func nextLine() throws -> Line? {
        while let bytes = try lines.next() {
            if let line = try Line(bytes, lines) { return line }
        }
        return nil
    }

    private func readHead(_ line: Line) throws {
        switch line.word {
        case "guest": info.guest = line.rest
        case "host": info.host = line.rest
        case "kernel": info.kernel = line.rest
        case "pml":
            guard ["on", "off"].contains(line.rest) else { throw line.error("pml is on or off.") }
            info.pml = line.rest == "on"
        case "source": info.source = try line.one(of: Source.self)
        case "mode": info.mode = try line.one(of: HarvestMode.self)
        case "vcpus": info.vcpuCount = try line.number(line.rest, in: 0...Int64(ImportLimits.items), Int.init)
        case "page-size":
            info.pageSize = try line.number(line.rest, in: 4096...65536) { $0 }
            guard info.pageSize.nonzeroBitCount == 1 else { throw line.error("the page size must be a power of two.") }
        case "ring":
            info.ringEntries = try line.number(line.rest, in: 1...1 << 32, Int.init)
        case "interval": info.intervalNs = try line.time(line.rest)
        case "start": info.startNs = try line.time(line.rest)
        case "wall-offset": info.wallOffsetNs = try line.time(line.rest)
        case "label":
            let parts = line.rest.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw line.error("write a label as 'label key=value'.") }
            guard info.labels.count < ImportLimits.items else { throw line.error("there are too many labels.") }
            info.labels[parts[0]] = parts[1]
        case "slot": try addSlot(line)
        default:
            throw line.error("'\(line.word)' is no word of this format; see docs/import.md.")
        }
    }

    private func addSlot(_ line: Line) throws {
        let fields = try line.fields(["id", "base", "pages", "name", "logged"])
        let largest = Int64(largestGFN)
        let slot = MemorySlot(
            slot: try line.number(fields["id"], named: "id", in: 0...0xffff, Int.init),
            baseGFN: try line.number(fields["base"], named: "base", in: 0...largest, GFN.init),
            pages: try line.number(fields["pages"], named: "pages", in: 1...largest, UInt64.init),
            logged: fields["logged"] != "0", name: fields["name"] ?? "")
        guard slot.baseGFN + slot.pages <= largestGFN + 1 else { throw line.error("the slot ends beyond 2^51 pages.") }
        guard slots.count < ImportLimits.items else { throw line.error("there are too many slots.") }
        guard slotIDs.insert(slot.slot).inserted else { throw line.error("slot \(slot.slot) is there already.") }
        if let other = memory.insert(slot) {
            throw line.error("slot \(slot.slot) overlaps slot \(other): a page lies in one slot only.")
        }
        slots.append(slot)
        let most: Int64 = 1 << 60
        info.memoryBytes = min(info.memoryBytes + min(Int64(slot.pages), most / info.pageSize) * info.pageSize, most)
    }

    private func readBody(_ line: Line) throws {
        guard !hasEnd else { throw line.error("nothing may follow the line 'end'.") }
        switch line.word {
        case "harvest": try addHarvest(line)
        case "loss": try addLoss(line)
        case "marker":
            let fields = try line.fields(["ts", "vcpu"])
            let marker = Marker(
                tsNs: try line.time(fields["ts"], named: "ts"), iteration: try current(line).iteration.id,
                vcpu: try vcpu(fields, line), text: line.text)
            batch?.markers.append(marker)
        case "end":
            let fields = try line.fields(["ts", "reason"])
            let ts = try line.time(fields["ts"], named: "ts")
            guard ts >= endNs else { throw line.error("the recording ends before its last harvest.") }
            endNs = ts
            if let reason = fields["reason"] { endReason = try line.one(of: EndReason.self, reason) }
            hasEnd = true
        default:
            throw line.error("'\(line.word)' must stand before the first harvest, or is no word of this format.")
        }
    }

    private func current(_ line: Line) throws -> IterationBatch {
        guard let batch else { throw line.error("a harvest must come first.") }
        guard batch.losses.count + batch.markers.count < ImportLimits.items * 16 else {
            throw line.error("the iteration has too many losses and markers.")
        }
        return batch
    }

    private func vcpu(_ fields: [String: String], _ line: Line) throws -> Int? {
        guard let text = fields["vcpu"], text != "-" else { return nil }
        guard info.vcpuCount > 0 else {
            throw line.error("vcpu=\(text.prefix(20)) does not exist: the head says 'vcpus 0'.")
        }
        return try line.number(text, named: "vcpu", in: 0...Int64(info.vcpuCount) - 1, Int.init)
    }

    private func addLoss(_ line: Line) throws {
        let fields = try line.fields(["ts", "kind", "vcpu", "entries"])
        let loss = Loss(
            iteration: try current(line).iteration.id, tsNs: try line.time(fields["ts"], named: "ts"),
            kind: try line.one(of: LossKind.self, fields["kind"] ?? ""), vcpu: try vcpu(fields, line),
            entries: try fields["entries"].map { try line.number($0, named: "entries", in: 0...1 << 40) { $0 } },
            detail: line.text)
        lost += loss.entries ?? 0
        guard lost <= ImportLimits.largestSum else { throw line.error("all losses add up to more than 2^59 entries.") }
        batch?.losses.append(loss)
    }

    private func addHarvest(_ line: Line) throws {
        let fields = try line.fields([
            "iteration", "vcpu", "source", "cause", "since", "ts", "provisional", "scan", "reset", "stall",
        ])
        let number = try line.iteration()
        var batch = try self.batch ?? begin(number, line)
        // One owner only, or each harvest would copy all that came before.
        self.batch = nil
        let source = try fields["source"].map { try line.one(of: Source.self, $0) } ?? info.source
        let vcpu = try vcpu(fields, line)
        let key = PassKey(source: source, vcpu: vcpu)
        let ts = try line.time(fields["ts"], named: "ts")
        let since = try fields["since"].map { try line.time($0) } ?? lastPass[key] ?? info.startNs
        guard since <= ts else { throw line.error("the harvest ends before the previous one of its source.") }
        guard ts >= batch.iteration.startNs else { throw line.error("the harvest ends before its iteration begins.") }

        var pages = PageList(limit: ImportLimits.entriesPerIteration - entries)
        do {
            try line.pages.read(into: &pages, since: since, ts: ts, memory: memory)
        } catch { throw line.error(error.sentence) }
        let largest = GFN(Int64.max / info.pageSize)
        guard pages.gfns.allSatisfy({ $0 <= largest }) else { throw line.error("a GFN lies beyond 2^63 bytes.") }
        entries += pages.gfns.count

        var harvest = Harvest(
            iteration: number, source: source, vcpu: vcpu,
            cause: try fields["cause"].map { try line.one(of: HarvestCause.self, $0) } ?? .periodic, sinceNs: since,
            tsNs: ts, entryCount: pages.gfns.count)
        if let text = fields["provisional"] {
            let most = Int64(min(1, pages.gfns.count))
            harvest.provisionalCount = try line.number(text, named: "provisional", in: 0...most, Int.init)
        }
        harvest.scanNs = try cost(fields["scan"], line)
        harvest.resetNs = try cost(fields["reset"], line)
        harvest.stallNs = try cost(fields["stall"], line)
        if !pages.times.isEmpty { batch.exactTimes[batch.harvests.count] = pages.times }
        guard batch.harvests.count < 1 << 16 else { throw line.error("the iteration has more than 65536 harvests.") }
        batch.harvests.append((harvest, pages.gfns))
        batch.iteration.endNs = max(batch.iteration.endNs, ts)
        batch.iteration.scanNs += harvest.scanNs
        batch.iteration.resetNs += harvest.resetNs
        self.batch = batch
        lastPass[key] = ts
        endNs = max(endNs, ts)
    }

    private func cost(_ text: String?, _ line: Line) throws -> Int64 {
        guard let text else { return 0 }
        let cost = try line.time(text)
        costs += cost
        guard costs <= ImportLimits.largestSum else { throw line.error("all costs add up to more than 18 years.") }
        return cost
    }

    private var lastIteration: Int64 = 0

    private func begin(_ number: Int64, _ line: Line) throws -> IterationBatch {
        guard number == lastIteration + 1 else {
            throw line.error(
                "iteration \(number) follows iteration \(lastIteration); they are counted from 1, without gaps.")
        }
        lastIteration = number
        return IterationBatch(iteration: Iteration(id: number, startNs: endNs, endNs: endNs))
    }
}
