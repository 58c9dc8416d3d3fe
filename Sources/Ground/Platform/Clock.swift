import Glibc

/// Nanoseconds on CLOCK_MONOTONIC, the clock of every time in a recording.
package func monotonicNow() -> Int64 { nanoseconds(of: CLOCK_MONOTONIC) }

/// CPU time that all threads of this process have used, in nanoseconds.
package func processTime() -> Int64 { nanoseconds(of: CLOCK_PROCESS_CPUTIME_ID) }

/// CLOCK_REALTIME minus CLOCK_MONOTONIC now, in nanoseconds.
package func wallClockOffset() -> Int64 { nanoseconds(of: CLOCK_REALTIME) - monotonicNow() }

func nanoseconds(of clock: clockid_t) -> Int64 {
    var time = timespec()
    unsafe clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
