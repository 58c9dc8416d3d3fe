import KVM
import Model
import Platform

/// What runs in a virtual machine: its memory, its first instruction, and its devices.
package protocol Guest: AnyObject, Sendable {
    var label: String { get }
    var vcpus: Int { get }
    var regions: [GuestRegion] { get }
    /// Whether it runs at CPL 0, which some hosts emulate.
    var needsKernelMode: Bool { get }
    /// Adds devices to the empty machine, before it has memory or vCPUs.
    func prepare(_ vm: VirtualMachine) throws
    /// Makes memory present on the host that the guest is about to use.
    func populate() throws
    /// Sets a fresh vCPU's state so that its first entry starts the guest.
    func start(_ vcpu: VCPU) throws
    /// Whether iterations follow the guest's steps (``GuestAction/waitForIteration``) instead of the clock.
    var isStepped: Bool { get }
    func handle(_ exit: VCPUExit, of vcpu: VCPU) -> GuestAction
    /// Operations that a vCPU has completed; nil for guests that do not count them.
    func completedOperations(of vcpu: Int) -> UInt64?
    /// Address of the instruction that wrote to a watched page, from where the vCPU stands at the exit: on x86 that is the next one; nil
    /// where the guest's code does not tell for certain.
    func writer(before next: UInt64) -> UInt64?
}

extension Guest {
    /// User-mode code unless told.
    package var needsKernelMode: Bool { false }
    /// No devices unless told.
    package func prepare(_ vm: VirtualMachine) throws {}
    /// Nothing is counted unless told.
    package func completedOperations(of vcpu: Int) -> UInt64? { nil }
    /// Code that nobody knows cannot be read backwards.
    package func writer(before next: UInt64) -> UInt64? { nil }
    /// Iterations follow the clock unless told.
    package var isStepped: Bool { false }
}

package struct GuestRegion: Sendable {
    package let name: String
    package let slot: UInt32
    /// Guest physical address.
    package let address: UInt64
    /// The host memory behind it.
    package let memory: GuestMemory
    /// Whether its dirty pages are to be recorded.
    package let isLogged: Bool

    package var baseGFN: GFN { address / UInt64(pageBytes) }
}

/// What an exit asked for, once the guest has served it.
package enum GuestAction: Sendable, Equatable {
    case resume
    /// This vCPU has nothing more to do.
    case done
    /// This vCPU waits until the iteration in progress has been harvested.
    case waitForIteration
    /// This vCPU has nothing to do for so long.
    case sleep(ns: Int64)
    /// Set markers.
    case mark([String])
    /// The guest as a whole has ended; how, as words that follow "The guest".
    case end(String)
    /// The VMM has written these pages on the guest's behalf; KVM does not know.
    case wrote([GFN])
    /// The guest does not know this exit: the vCPU cannot go on.
    case unexpected
}
