/// The bounded queue between a thread that must not wait for a disk and the one that writes. When it is full the first one waits: then rings and
/// trace buffers fill up, which KVM and the kernel tell.
package final class BoundedQueue<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var weight = 0
        var isClosed = false
        var failure: (any Error)?
    }

    private let state = Monitor(State())
    private let capacity: Int
    private let weigh: @Sendable (Element) -> Int

    /// A queue for elements that weigh less than `capacity` together, and one more.
    package init(capacity: Int, weigh: @escaping @Sendable (Element) -> Int) {
        (self.capacity, self.weigh) = (capacity, weigh)
    }

    /// The weight of what waits to be taken.
    package var depth: Int { state.read { $0.weight } }

    /// Adds an element, waiting for room.
    ///
    /// - Throws: why the taker gave up; the element is lost then.
    package func push(_ element: Element) throws {
        let (capacity, weight) = (capacity, weigh(element))
        let failure = state.wait(
            for: { $0.failure != nil || $0.weight < capacity },
            then: { state -> (any Error)? in
                if let failure = state.failure { return failure }
                state.elements.append(element)
                state.weight += weight
                return nil
            })
        if case .some(.some(let failure)) = failure { throw failure }
    }

    /// The next element; nil when the queue is closed and empty.
    package func pop() -> Element? {
        state.wait(
            for: { !$0.elements.isEmpty || $0.isClosed },
            then: { state -> Element? in
                guard !state.elements.isEmpty else { return nil }
                let element = state.elements.removeFirst()
                state.weight -= weigh(element)
                return element
            }) ?? nil
    }

    /// Gives `body` one element after the other until the queue is closed and empty, or `body` throws: nobody takes any more then.
    package func takeAll(by body: (Element) throws -> Void) {
        while let element = pop() {
            do { try body(element) } catch { return state.change { $0.failure = error } }
        }
    }

    /// No more elements will come.
    package func close() { state.change { $0.isClosed = true } }

    /// Why the taker gave up, if it did.
    package var failure: (any Error)? { state.read { $0.failure } }
}
