// Everything that is measured: `make bench` runs it and writes docs/performance.md.
import CStoreBench
import Foundation

let usage = """
    Usage: dirtyrec-bench store [MILLIONS [ROUNDS]]   the store against plain C on the same SQLite
           dirtyrec-bench analysis [ENTRIES [ITERATIONS [PAGES [VCPUS]]]]   the analysis of a generated recording
           dirtyrec-bench queries FILE [ENTRIES]      every named query on FILE, which is generated when it is missing
           dirtyrec-bench stop [VCPUS [STOPS]]        the ways to stop all vCPUs
           dirtyrec-bench make FILE MILLIONS          writes a synthetic recording
           dirtyrec-bench limit FILE NAME             writes one at a limit: vcpus, memory, iterations or entries
           dirtyrec-bench scan FILE                   reads gfn from its rows, in C
    """

struct Failure: Error { let code: Int32 }

func check(_ code: Int32) throws { if code != 0 { throw Failure(code: code) } }

let arguments = Array(CommandLine.arguments.dropFirst())
let numbers = arguments.dropFirst().map { Int($0) }
/// A number of the command line, or what stands for it.
func number(_ place: Int, _ standard: Int) -> Int { place < numbers.count ? numbers[place] ?? standard : standard }

switch (arguments.first, arguments.count) {
case ("store", _): try StoreBench(entries: 1_000_000 * number(0, 10), rounds: number(1, 5)).run()
case ("analysis", _):
    try AnalysisBench.run(
        entries: number(0, 10_000_000), iterations: number(1, 500), pages: number(2, 1 << 20), vcpus: number(3, 2))
case ("queries", 2...): try QueryBench.run(arguments[1], entries: number(1, 10_000_000))
case ("stop", _): try StopBench.run(vcpus: number(0, 2), stops: number(1, 200))
case ("make", 3): try Synthetic.write(arguments[1], entries: 1_000_000 * number(1, 10))
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
