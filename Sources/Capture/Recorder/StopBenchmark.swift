import Foundation
import Guests
import KVM
import Model
import Platform
import Synchronization

/// Measures the ways to stop all vCPUs while one thread keeps changing memory slots and the vCPUs spin: the experiment
/// that the mailing list asked for when `immediate_exit` and kicks were discussed.
package struct StopBenchmark {
    /// One line of the result. Times are nanoseconds from the request until the last vCPU had answered.
    package struct Line: Sendable {
        /// How it was asked.
        package var method: String
        /// What the vCPUs did.
        package var workload: String
        /// Answer times of the stops that all vCPUs answered, ascending.
        package var answered: [Int64] = []
        /// Stops that a vCPU had not answered within the limit.
        package var unanswered = 0
        /// Changes of memory slots meanwhile.
        package var slotChanges = 0
    }

    /// Every method on vCPUs that never exit (`idle`) and on vCPUs that exit all the time (`dma` of one page).
    package static func run(vcpus: Int, stops: Int, limitNs: Int64) throws -> [Line] {
        var lines: [Line] = []
        for workload in ["idle", "dma:size=64KiB,burst=1"] {
            for method in VCPUCrew.StopMethod.allCases {
                lines.append(try measure(method, workload, vcpus: vcpus, stops: stops, limitNs: limitNs))
            }
        }
        return lines
    }

    private static func measure(
        _ method: VCPUCrew.StopMethod, _ specification: String, vcpus: Int, stops: Int, limitNs: Int64
    ) throws -> Line {
        let guest = try BuiltinGuest(workload: Workload(parsing: specification), vcpus: vcpus, memory: nil)
        let machine = try Machine(plan: RecordPlan(), guest: guest)
        let crew = VCPUCrew(vcpus: machine.vcpus) { vcpu, exit in
            guest.handle(exit, of: vcpu) == .unexpected ? .died("unexpected exit \(exit)") : .resume
        }
        crew.start()
        defer { crew.quit(timeout: 2_000_000_000) }
        let churn = Monitor((changes: 0, isOver: false, hasEnded: false))
        let spare = try GuestMemory(size: 2 << 20)
        let thread = Thread {
            var region = MemoryRegion(slot: 100, guestAddress: 1 << 40, size: 2 << 20, logged: true)
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
