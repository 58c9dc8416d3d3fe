/// SHA-256 (FIPS 180-4), for the hashes in a page's Content-Security-Policy.
///
/// Sixty lines of our own instead of swift-crypto: that package would add 90 s to every first build for one call.
enum SHA256 {
    /// The digest of `message`, 32 bytes.
    static func digest(_ message: some Collection<UInt8>) -> [UInt8] {
        var padded = Array(message)
        let bits = UInt64(padded.count) * 8
        padded.append(0x80)
        padded.append(contentsOf: repeatElement(0, count: (120 - padded.count % 64) % 64))
        for shift in stride(from: 56, through: 0, by: -8) {
            padded.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift)))
        }
        var state = initial
        var schedule = [UInt32](repeating: 0, count: 64)
        for block in stride(from: 0, to: padded.count, by: 64) { compress(&state, padded, block, &schedule) }
        return state.flatMap { word in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) } }
    }

    private static func compress(
        _ state: inout [UInt32], _ message: [UInt8], _ block: Int, _ schedule: inout [UInt32]
    ) {
        for word in 0..<16 {
            let place = block + word * 4
            schedule[word] =
                UInt32(message[place]) << 24 | UInt32(message[place + 1]) << 16 | UInt32(message[place + 2]) << 8
                | UInt32(message[place + 3])
        }
        for word in 16..<64 {
            let near = schedule[word - 2]
            let far = schedule[word - 15]
            let small = rotate(far, 7) ^ rotate(far, 18) ^ (far >> 3)
            let large = rotate(near, 17) ^ rotate(near, 19) ^ (near >> 10)
            schedule[word] = schedule[word - 16] &+ small &+ schedule[word - 7] &+ large
        }
        var (a, b, c, d) = (state[0], state[1], state[2], state[3])
        var (e, f, g, h) = (state[4], state[5], state[6], state[7])
        for round in 0..<64 {
            let choice = (e & f) ^ (~e & g)
            let first =
                h &+ (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) &+ choice &+ constants[round] &+ schedule[round]
            let majority = (a & b) ^ (a & c) ^ (b & c)
            let second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) &+ majority
            (h, g, f, e, d, c, b, a) = (g, f, e, d &+ first, c, b, a, first &+ second)
        }
        for (place, value) in [a, b, c, d, e, f, g, h].enumerated() { state[place] &+= value }
    }

    private static func rotate(_ word: UInt32, _ bits: UInt32) -> UInt32 { word >> bits | word << (32 - bits) }

    private static let primes: [UInt32] = {
        var primes: [UInt32] = []
        var next: UInt32 = 2
        while primes.count < 64 {
            if primes.allSatisfy({ !next.isMultiple(of: $0) }) { primes.append(next) }
            next += 1
        }
        return primes
    }()
    /// The standard's constants: the first 32 bits of the fractions of the primes' square and cube roots.
    private static let initial = primes.prefix(8).map { fraction($0, power: 2) }
    private static let constants = primes.map { fraction($0, power: 3) }

    /// The integer r with r^power ≤ prime · 2^(32·power) < (r+1)^power, bit by bit; its low 32 bits are the fraction.
    private static func fraction(_ prime: UInt32, power: Int) -> UInt32 {
        var root: UInt64 = 0
        for bit in stride(from: 36, through: 0, by: -1) {
            let candidate = root | 1 << UInt64(bit)
            var product = UInt128(candidate)
            for _ in 1..<power { product *= UInt128(candidate) }
            if product <= UInt128(prime) << UInt128(32 * power) { root = candidate }
        }
        return UInt32(truncatingIfNeeded: root)
    }
}
