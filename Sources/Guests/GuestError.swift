/// A guest that cannot be built as asked; one sentence for the user.
public struct GuestError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong and what to do next.
    public let description: String

    /// An error with its sentence.
    public init(_ description: String) { self.description = description }
}
