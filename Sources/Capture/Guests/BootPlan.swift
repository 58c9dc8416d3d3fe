/// A guest that boots a kernel or other code of its own, as the user describes it. `BootPlan.makeGuest(console:)` makes it, where the
/// architecture has such guests.
package struct BootPlan: Sendable {
    /// Words with which every kernel command line begins: the console, and an end instead of a hang after a panic.
    package static let ownCommandLine = "console=ttyS0 panic=-1"

    /// Which formats are accepted.
    package enum Kind: Sendable {
        /// bzImage or vmlinux.
        case kernel
        /// ELF64 or flat.
        case image
    }

    package var kind: Kind
    package var path: String
    package var initrd: String?
    /// Words behind ``ownCommandLine``; the kernel lets later words win.
    package var append = ""
    package var vcpus = 1
    /// Bytes of guest memory.
    package var memory: Int64 = 256 << 20

    package init(_ kind: Kind, path: String) {
        self.kind = kind
        self.path = path
    }
}
