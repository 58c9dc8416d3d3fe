import Foundation

/// Another program, run to its end, which comes in time: it may hang, talk without end, or leave children behind that keep its pipes open.
package enum BoundedProcess {
    /// How it ended, and what it said.
    package struct Outcome: Sendable {
        /// Exit status; negative: the signal.
        package let status: Int32
        package let output: [UInt8]
        /// What it said on standard error, of which no more is kept than of `output`.
        package let errors: [UInt8]
    }

    /// Why there is no outcome.
    package enum Problem: Error, Sendable {
        /// It cannot be started, with the reason.
        case notStarted(String)
        /// It had not ended in time, and was killed.
        case timedOut
        /// It said more than the limit, and was killed.
        case tooLong
    }

    /// The file of a program, as PATH has it; nil when it has none.
    package static func find(_ name: String, in path: String? = ProcessInfo.processInfo.environment["PATH"]) -> String?
    {
        (path ?? "").split(separator: ":").map { "\($0)/\(name)" }.first {
            var status = stat()
            return unsafe access($0, X_OK) == 0 && stat($0, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        }
    }

    /// Runs a program without a shell, without input and in a process group of its own: a Ctrl-C at the terminal is not for it, and it cannot ask there.
    ///
    /// - Parameters:
    ///   - limitBytes: How much it may say.
    ///   - limitNs: How long it may take.
    /// - Throws: ``Problem``.
    package static func run(
        _ program: String, _ arguments: [String], environment: [String: String], limitBytes: Int, limitNs: Int64
    ) throws(Problem) -> Outcome {
        let deadline = monotonicNow() + limitNs
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.environment = environment
        let (output, errors) = (Pipe(), Pipe())
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        let hasEnded = Monitor(false)
        process.terminationHandler = { _ in hasEnded.change { $0 = true } }
        do { try process.run() } catch { throw .notStarted("\(error.localizedDescription)") }
        let group = process.processIdentifier
        // Foundation makes it the leader of its group.
        let leftover = Leftovers.add { kill(-group, SIGKILL) }
        defer { Leftovers.forget(leftover) }
        do throws(Problem) {
            let said = try read([output, errors], limitBytes, until: deadline)
            guard hasEnded.wait(until: deadline, for: { $0 }, then: { _ in true }) == true else { throw .timedOut }
            let status = process.terminationStatus
            return Outcome(
                status: process.terminationReason == .exit ? status : -status, output: said[0], errors: said[1])
        } catch {
            kill(-group, SIGKILL)
            throw error
        }
    }

    /// Reads pipes to their ends.
    private static func read(_ pipes: [Pipe], _ limit: Int, until deadline: Int64) throws(Problem) -> [[UInt8]] {
        var said = [[UInt8]](repeating: [], count: pipes.count)
        var polls = pipes.map {
            pollfd(fd: $0.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
        }
        var chunk = [UInt8](repeating: 0, count: 1 << 14)
        while polls.contains(where: { $0.fd >= 0 }) {
            let left = (deadline - monotonicNow()) / 1_000_000
            guard left > 0 else { throw .timedOut }
            unsafe poll(&polls, nfds_t(polls.count), CInt(clamping: left))
            for number in polls.indices where polls[number].fd >= 0 && polls[number].revents != 0 {
                let count = unsafe chunk.withUnsafeMutableBytes {
                    unsafe Glibc.read(polls[number].fd, $0.baseAddress, $0.count)
                }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else {
                    // poll() leaves negative ones out.
                    polls[number].fd = -1
                    continue
                }
                said[number] += chunk[..<count]
                guard said[number].count <= limit else { throw .tooLong }
            }
        }
        return said
    }
}
