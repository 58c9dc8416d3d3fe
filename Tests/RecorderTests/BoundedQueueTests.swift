import Platform
import Synchronization
import Testing

@Suite struct `A bounded queue` {
    private struct Failure: Error, Equatable {}

    @Test func `elements come in order, and all of them`() throws {
        let queue = BoundedQueue<Int>(capacity: 10) { $0 }
        let taken = Mutex<[Int]>([])
        let taker = Worker("taker") { queue.takeAll { element in taken.withLock { $0.append(element) } } }
        // One may be heavier than all that fits.
        let elements = [3, 9, 1, 40, 0, 10] + Array(0..<100)
        for element in elements { try queue.push(element) }
        queue.close()
        taker.join()
        #expect(taken.withLock { $0 } == elements)
        #expect(queue.depth == 0)
    }

    @Test func `whoever adds waits for room`() throws {
        let queue = BoundedQueue<Int>(capacity: 10) { $0 }
        try queue.push(10)
        let isThrough = Monitor(false)
        let adder = Worker("adder") {
            try? queue.push(1)
            isThrough.change { $0 = true }
        }
        let early = isThrough.wait(until: monotonicNow() + 50_000_000, for: { $0 }, then: { _ in true })
        #expect(early == nil)
        #expect(queue.depth == 10)
        #expect(queue.pop() == 10)
        adder.join()
        #expect(queue.depth == 1)
    }

    @Test func `when the taker gives up, the adder learns why`() throws {
        let queue = BoundedQueue<Int>(capacity: 2) { $0 }
        let taker = Worker("taker") { queue.takeAll { if $0 == 1 { throw Failure() } } }
        #expect(throws: Failure.self) { while true { try queue.push(1) } }
        taker.join()
        #expect(queue.failure is Failure)
    }
}
