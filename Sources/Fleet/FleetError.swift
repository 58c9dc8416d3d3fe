/// Why a fleet could not be exported or asked: one sentence, and what to do next.
public struct FleetError: Error, Equatable, CustomStringConvertible {
    /// The sentence.
    public let description: String
    /// Whether this machine lacks a program, and not the input.
    public let isHostLack: Bool

    init(_ description: String, isHostLack: Bool = false) {
        self.description = description
        self.isHostLack = isHostLack
    }
}
