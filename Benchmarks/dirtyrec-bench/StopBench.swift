import Foundation
import Guests
import KVM
import Model
import Platform
import Recorder
import Synchronization

/// Measures the ways to stop all vCPUs while one thread keeps changing memory slots and the vCPUs spin: the experiment
/// that the mailing list asked for when `immediate_exit` and kicks were discussed.
enum StopBench {
    /// One line of the result. Times are nanoseconds from the request until the last vCPU had answered.
    private struct Line {
        /// How it was asked.
        var method: String
        /// What the vCPUs did.
        var workload: String
        /// Answer times of the stops that all vCPUs answered, ascending.
        var answered: [Int64] = []
        /// Stops that a vCPU had not answered within the limit.
        var unanswered = 0
        /// Changes of memory slots meanwhile.
        var slotChanges = 0
    }

    /// Prints every method's times on vCPUs that never exit (`idle`) and on vCPUs that exit all the time (`dma` of one page).
    static func run(vcpus: Int, stops: Int) throws {
        print(
            "\(vcpus) vCPUs, \(stops) stops each, a thread changing memory slots all the time; unanswered: not within 50 ms"
        )
        print("| vCPUs run | way to stop | p50 | p99 | max | unanswered | slot changes |")
        print("|---|---|---|---|---|---|---|")
        for workload in ["idle", "dma:size=64KiB,burst=1"] {
            for method in VCPUCrew.StopMethod.allCases {
                let line = try measure(method, workload, vcpus: vcpus, stops: stops, limitNs: 50_000_000)
                func at(_ share: Double) -> String {
                    guard !line.answered.isEmpty else { return "-" }
                    let place = min(line.answered.count - 1, Int(share * Double(line.answered.count)))
                    return Units.duration(line.answered[place])
                }
                print(
                    "| \(line.workload) | \(line.method) | \(at(0.5)) | \(at(0.99)) | \(at(1)) | \(line.unanswered) | \(line.slotChanges) |"
                )
            }
        }
    }

    private static func measure(
        _ method: VCPUCrew.StopMethod, _ specification: String, vcpus: Int, stops: Int, limitNs: Int64
    ) throws -> Line {
        let guest = try BuiltinGuest(workload: Workload(parsing: specification), vcpus: vcpus, memory: nil)
        let machine = try Machine(plan: RecordPlan(), guest: guest)
        let crew = VCPUCrew(vcpus: machine.vcpus) { vcpu, exit in
            switch guest.handle(exit, of: vcpu) {
            case .unexpected: .died("unexpected exit \(exit)")
            case .sleep(let ns): .sleep(ns)
            default: .resume
            }
        }
        crew.start()
        defer { crew.quit(timeout: 2_000_000_000) }
        let churn = Monitor((changes: 0, isOver: false, hasEnded: false))
        let spare = try GuestMemory(size: 2 << 20)
        let thread = Thread {
            var region = MemoryRegion(slot: 100, guestAddress: 1 << 38, size: 2 << 20, logged: true)
            while !churn.read({ $0.isOver }) {
                // A refused change is none; the count tells.
                guard (try? machine.vm.setMemory(region, memory: spare)) != nil else { continue }
                region.size = region.size == 0 ? 2 << 20 : 0
                churn.change { $0.changes += 1 }
            }
            churn.change { $0.hasEnded = true }
        }
        thread.start()
        var line = Line(method: method.rawValue, workload: specification)
        for _ in 0..<stops {
            crew.resume()
            Thread.sleep(forTimeInterval: 0.002)
            let result = crew.stop(timeout: limitNs, method: method)
            if result.stuck.isEmpty {
                line.answered.append(result.latencies.map(\.ns).max() ?? 0)
            } else {
                line.unanswered += 1
                // The next round needs them all outside the guest.
                _ = crew.stop(timeout: 2_000_000_000)
            }
        }
        churn.change { $0.isOver = true }
        line.slotChanges = churn.wait(for: { $0.hasEnded }, then: { $0.changes }) ?? 0
        line.answered.sort()
        return line
    }
}
