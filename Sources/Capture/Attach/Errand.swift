import Platform

/// Something that takes its time on a thread of its own, while the one that sent it looks again and again whether it is back.
final class Errand<Value: Sendable>: Sendable {
    private let result = Monitor<Result<Value, any Error>?>(nil)

    init(_ body: @escaping @Sendable () throws -> Value) {
        _ = Worker("errand") { [result] in
            let end = Result(catching: body)
            result.change { $0 = end }
        }
    }

    /// What it brought; nil as long as it is away.
    ///
    /// - Throws: what its body threw.
    func value() throws -> Value? { try result.read { $0 }?.get() }
}
