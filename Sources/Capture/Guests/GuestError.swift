/// A guest that cannot be built as asked; one sentence for the user.
package struct GuestError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
    /// Whether an image is broken, rather than not usable in this way.
    package let isBrokenInput: Bool

    package init(_ description: String, isBrokenInput: Bool = false) {
        self.description = description
        self.isBrokenInput = isBrokenInput
    }
}
