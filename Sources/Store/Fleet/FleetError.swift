/// Why a fleet could not be exported or asked: one sentence, and what to do next.
package struct FleetError: Error, Equatable, CustomStringConvertible {
    package let description: String
    /// Whether this machine lacks a program, and not the input.
    package let isHostLack: Bool

    init(_ description: String, isHostLack: Bool = false) {
        self.description = description
        self.isHostLack = isHostLack
    }
}
