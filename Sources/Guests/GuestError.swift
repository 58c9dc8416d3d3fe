/// A guest that cannot be built as asked; one sentence for the user.
public struct GuestError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong and what to do next.
    public let description: String
    /// Whether an image is broken, rather than not usable in this way.
    public let isBrokenInput: Bool

    /// An error with its sentence.
    public init(_ description: String, isBrokenInput: Bool = false) {
        self.description = description
        self.isBrokenInput = isBrokenInput
    }
}
