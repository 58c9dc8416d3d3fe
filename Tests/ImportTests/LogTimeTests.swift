import Testing

@testable import Import

@Suite struct `The time of a line` {
    @Test(arguments: [
        ("2024-11-29 12:00:00 hello", LogTime.Clock.local, 1_732_881_600_000_000_000, "hello"),
        ("2024-11-29T12:00:00.25Z: hello", .wall, 1_732_881_600_250_000_000, "hello"),
        ("[2024-11-29 12:00:00,123456789123 UTC] hello", .wall, 1_732_881_600_123_456_789, "hello"),
        ("2024-11-29T13:00:00+01:00 hello", .wall, 1_732_881_600_000_000_000, "hello"),
        ("2024-11-29T06:30:00-0530\thello", .wall, 1_732_881_600_000_000_000, "hello"),
        ("2024-11-29 12:00:00 +0", .local, 1_732_881_600_000_000_000, "+0"),
        ("1732881600.5 hello", .wall, 1_732_881_600_500_000_000, "hello"),
        ("1732881600", .wall, 1_732_881_600_000_000_000, ""),
        ("cloud-hypervisor:  12.5s: hello", .program, 12_500_000_000, "hello"),
        ("1970-01-01 00:00:00", .local, 0, ""),
    ])
    func `is read in each form`(line: String, clock: LogTime.Clock, ns: Int, rest: String) {
        let (time, behind) = LogTime.split(line)
        #expect(time?.clock == clock)
        #expect(time?.ns == Int64(ns))
        #expect(behind == rest)
    }

    @Test(arguments: [
        "", "[", "hello", "2024-13-29 12:00:00 a", "2024-11-29", "2024-11-29 24:00:00", "2024-11-29 12:00",
        "17328816000 a",
        "1732881600. a", "1732881600x", "12345 a", "cloud-hypervisor: 12s: a", "cloud-hypervisor: .5s",
        "1969-12-31 23:59:59",
        "2024-11-29T12:00:00é", "é2024-11-29 12:00:00",
    ])
    func `is none where the form is another one`(line: String) {
        let (time, rest) = LogTime.split(line)
        if let time {
            // What follows a whole time is no part of it.
            #expect(line == "2024-11-29T12:00:00é" && rest == "é" && time.clock == .local)
        } else {
            #expect(rest == line)
        }
    }
}
