import Foundation
import Model
import Platform

/// The monitor of a libvirt domain's QEMU. libvirt keeps its socket for itself and passes commands on, which virsh asks it to do.
package final class Virsh: QMPChannel {
    package let name = "virsh"
    package var way: String { "libvirt (virsh)" }
    package var peer: Int32? { nil }
    private let domain: String
    private let program: String
    private let limitNs: Int64

    /// libvirt itself waits for 30 s for whoever works on the domain, and says then who that is; a virsh on a busy host needs its time, too.
    package static let limitNs: Int64 = 60_000_000_000

    /// The domain that virsh knows by this name, id or UUID, at the URI that it finds in the environment.
    ///
    /// - Throws: ``AttachError`` when there is no virsh.
    package init(domain: String, program: String? = BoundedProcess.find("virsh"), limitNs: Int64 = Virsh.limitNs) throws
    {
        guard let program else {
            throw AttachError(
                "There is no virsh on the PATH: install it (Debian: libvirt-clients), or name QEMU's process by --pid PID."
            )
        }
        self.domain = domain
        self.program = program
        self.limitNs = limitNs
    }

    package func answer(to command: [UInt8]) throws -> [UInt8] {
        let outcome = try run(String(decoding: command, as: UTF8.self))
        guard outcome.status == 0 else { throw refusal(outcome) }
        return outcome.output
    }

    private func run(_ command: String) throws -> BoundedProcess.Outcome {
        do {
            // One word with its option, so that no name is taken for one.
            return try BoundedProcess.run(
                program, ["--quiet", "qemu-monitor-command", "--domain=\(domain)", command],
                environment: Self.environment, limitBytes: QMP.longestAnswer, limitNs: limitNs)
        } catch BoundedProcess.Problem.notStarted(let reason) {
            throw AttachError("\(program) cannot be started: \(reason)")
        } catch BoundedProcess.Problem.tooLong {
            throw AttachError("virsh says more than any answer of QEMU: is \(program) libvirt's?")
        } catch {
            throw AttachError(
                "virsh has not answered for domain '\(domain)' in \(Units.duration(limitNs)): libvirt hangs, or works on the domain; try: \(Self.command("domstate", domain))"
            )
        }
    }

    /// The caller's, so that virsh finds its URI; in words that ``hint(_:)`` knows.
    private static var environment: [String: String] {
        var environment = ProcessInfo.processInfo.environment
        environment["LANGUAGE"] = nil
        environment["LC_ALL"] = "C.UTF-8"
        return environment
    }

    private func refusal(_ outcome: BoundedProcess.Outcome) -> AttachError {
        let lines = String(decoding: outcome.errors.prefix(4096), as: UTF8.self).split(whereSeparator: \.isNewline)
        let errors = lines.filter { $0.hasPrefix("error: ") }.map { $0.dropFirst(7) }
        let said = (errors.isEmpty ? lines.suffix(1) : errors[...]).joined(separator: ": ")
        let end = outcome.status < 0 ? "it was ended by signal \(-outcome.status)" : "exit status \(outcome.status)"
        let reason = said.isEmpty ? "it says nothing; \(end)" : String(said.prefix(400))
        return AttachError("virsh cannot reach QEMU of domain '\(domain)': \(reason). \(hint(said))")
    }

    /// What to do next.
    private func hint(_ said: String) -> String {
        let hints = [
            (
                "failed to connect",
                "Start libvirtd (or virtqemud), or name another libvirt's URI in LIBVIRT_DEFAULT_URI."
            ),
            (
                "failed to get domain",
                "See which there are with: virsh list --all; LIBVIRT_DEFAULT_URI says of which libvirt."
            ),
            ("domain is not running", "Start it with: \(Self.command("start", domain))"),
            ("not supported by the connection driver", "It is no guest of QEMU: follow it by --pid PID."),
            (
                "cannot acquire state change lock",
                "Try again later; a domain that migrates logs its pages anyhow: follow it by --pid PID, which dirtyrec doctor tells."
            ),
        ]
        return hints.first { said.contains($0.0) }?.1 ?? "Try: \(Self.command("domstate", domain))"
    }

    /// A command line for people.
    private static func command(_ name: String, _ domain: String) -> String {
        ShellWords.join(["virsh", name] + (domain.hasPrefix("-") ? ["--domain=\(domain)"] : [domain]))
    }
}
