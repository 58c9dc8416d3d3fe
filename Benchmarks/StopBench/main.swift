import Model
// Prints how long each way of stopping all vCPUs takes: `stop-bench [VCPUS [STOPS]]`.
import Recorder

let numbers = CommandLine.arguments.dropFirst().compactMap { Int($0) }
let vcpus = numbers.first ?? 2
let stops = numbers.count > 1 ? numbers[1] : 200
let lines = try StopBenchmark.run(vcpus: vcpus, stops: stops, limitNs: 50_000_000)
print("\(vcpus) vCPUs, \(stops) stops each, a thread changing memory slots all the time; unanswered: not within 50 ms")
print("| vCPUs run | way to stop | p50 | p99 | max | unanswered | slot changes |")
print("|---|---|---|---|---|---|---|")
for line in lines {
    func at(_ share: Double) -> String {
        guard !line.answered.isEmpty else { return "-" }
        return Units.duration(line.answered[min(line.answered.count - 1, Int(share * Double(line.answered.count)))])
    }
    print(
        "| \(line.workload) | \(line.method) | \(at(0.5)) | \(at(0.99)) | \(at(1)) | \(line.unanswered) | \(line.slotChanges) |"
    )
}
