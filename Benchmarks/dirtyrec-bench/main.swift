// Everything that is measured: `make bench` runs it and writes docs/performance.md.
import CStoreBench
import Foundation
import Guests
import Recorder

let usage = """
    Usage: dirtyrec-bench store [MILLIONS [ROUNDS]]   the store against plain C on the same SQLite
           dirtyrec-bench analysis [ENTRIES [ITERATIONS [PAGES [VCPUS]]]]   the analysis of a generated recording
           dirtyrec-bench queries FILE [ENTRIES]      every named query on FILE, which is generated when it is missing
           dirtyrec-bench stop [VCPUS [STOPS [MIB...]]]   the ways to stop all vCPUs, and what changes of slots cost them
           dirtyrec-bench log [ROUNDS [MIB...]]       what GET, CLEAR and RESET cost; `log instructions …` in Bochs
           dirtyrec-bench watch [MILLISECONDS [ROUNDS]]   what watched pages cost
           dirtyrec-bench make FILE MILLIONS [segments]   writes a synthetic recording, with rows or with segments only
           dirtyrec-bench limit FILE NAME             writes one at a limit: vcpus, memory, iterations or entries
           dirtyrec-bench scan FILE                   reads gfn from its rows, in C
    """

struct Failure: Error { let code: Int32 }

func check(_ code: Int32) throws { if code != 0 { throw Failure(code: code) } }

let arguments = Array(CommandLine.arguments.dropFirst())
let numbers = arguments.dropFirst().map { Int($0) }
/// A number of the command line, or what stands for it.
func number(_ place: Int, _ standard: Int) -> Int { place < numbers.count ? numbers[place] ?? standard : standard }

/// What ran it, above a table.
func host() throws -> String {
    let info = try Recorder(
        plan: RecordPlan(), guest: BuiltinGuest(workload: Workload(parsing: "idle"), vcpus: 1, memory: nil)
    ).info
    let pml = info.pml.map { $0 ? ", PML on" : ", PML off" } ?? ""
    return
        "`\((CommandLine.arguments.first as NSString?)?.lastPathComponent ?? "") \(arguments.joined(separator: " "))` on Linux \(info.kernel), \(info.kvmModule)\(pml)"
}

switch (arguments.first, arguments.count) {
case ("store", _): try StoreBench(entries: 1_000_000 * number(0, 10), rounds: number(1, 5)).run()
case ("analysis", _):
    try AnalysisBench.run(
        entries: number(0, 10_000_000), iterations: number(1, 500), pages: number(2, 1 << 20), vcpus: number(3, 2))
case ("queries", 2...): try QueryBench.run(arguments[1], entries: number(1, 10_000_000))
case ("stop", _):
    say(try host() + "\n")
    let (vcpus, stops) = (number(0, 2), number(1, 200))
    if stops > 0 { try StopBench.run(vcpus: vcpus, stops: stops) }
    print("\n\(vcpus) vCPUs that write to one page after the other of their memory; medians of 9 changes\n")
    print(
        "| memory | change | all stood still | KVM's call | faults of a lap | lap before | lap after | progress lost |")
    say("|---|---|---|---|---|---|---|---|")
    let sizes = numbers.dropFirst(2).compactMap { $0 }
    for memory in sizes.isEmpty ? [64, 1024] : sizes { try SlotBench(vcpus: vcpus, memory: memory, rounds: 9).run() }
case ("log", _):
    say(try host() + "\n")
    let isCounted = arguments.dropFirst().first == "instructions"
    let given = numbers.compactMap { $0 }
    let sizes = Array(given.dropFirst())
    try LogBench(
        rounds: given.first ?? 9, sizes: sizes.isEmpty ? [64, 512, 2048, 8192] : sizes, instructions: isCounted
    ).run()
case ("watch", _):
    say(try host() + "\n")
    try WatchBench(seconds: Double(number(0, 1000)) / 1000, rounds: number(1, 3)).run()
case ("make", 3...4):
    try Synthetic.write(arguments[1], entries: 1_000_000 * number(1, 10), rows: arguments.last != "segments")
case ("limit", 3):
    guard let limit = Limits(rawValue: arguments[2]) else { fallthrough }
    try limit.write(arguments[1])
case ("scan", 2):
    var sum: UInt64 = 0
    try check(unsafe cbench_scan_rows(arguments[1], &sum))
    print(sum)
default:
    print(usage)
    exit(2)
}
