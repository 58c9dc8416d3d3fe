import Foundation

/// A value with a lock and a condition: threads change it one at a time and wait until it is as they need it.
/// Waits are on CLOCK_MONOTONIC, so that a step of the wall clock neither hurries nor delays a harvest.
@safe
package final class Monitor<State>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var state: State

    /// Guards `state`.
    package init(_ state: State) {
        self.state = state
        unsafe pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    /// Reads or changes the state and wakes every waiting thread.
    package func change<Result>(_ body: (inout State) throws -> Result) rethrows -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer {
            unsafe pthread_cond_broadcast(condition)
            unsafe pthread_mutex_unlock(mutex)
        }
        return try body(&state)
    }

    /// Reads the state without waking anyone.
    package func read<Result>(_ body: (State) throws -> Result) rethrows -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try body(state)
    }

    /// Waits until `condition` holds, then runs `body` before anyone else can change the state.
    ///
    /// - Parameter deadline: CLOCK_MONOTONIC nanoseconds; nil waits for ever.
    /// - Returns: what `body` returned, or nil when the deadline came first.
    package func wait<Result>(
        until deadline: Int64? = nil, for isReady: (State) -> Bool, then body: (inout State) -> Result
    ) -> Result? {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while !isReady(state) {
            if let deadline {
                var time = timespec(
                    tv_sec: Int(max(0, deadline) / 1_000_000_000), tv_nsec: Int(max(0, deadline) % 1_000_000_000))
                if unsafe pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT {
                    guard isReady(state) else { return nil }
                }
            } else {
                unsafe pthread_cond_wait(condition, mutex)
            }
        }
        let result = body(&state)
        unsafe pthread_cond_broadcast(condition)
        return result
    }
}
