import Foundation

/// Damage to an SQLite file that makes walks through it take for ever.
package enum PageCircles {
    /// Lets every interior page of the table trees have one child, many times over, and most of them another interior page.
    package static func make(in path: String) throws {
        let url = URL(fileURLWithPath: path)
        var bytes = try Data(contentsOf: url)
        func integer(_ place: Int, _ count: Int) -> Int { bytes[place..<place + count].reduce(0) { $0 << 8 | Int($1) } }
        let size = integer(16, 2)
        let interior = stride(from: size, to: bytes.count, by: size).filter { bytes[$0] == 5 }
        for (number, page) in interior.enumerated() {
            // From one interior page to the next, and only at last to what was its own first child.
            let own = integer(page + integer(page + 12, 2), 4)
            let child = number % 6 < 5 && number + 1 < interior.count ? interior[number + 1] / size + 1 : own
            let places = (0..<integer(page + 3, 2)).map { page + integer(page + 12 + 2 * $0, 2) } + [page + 8]
            for place in places {
                for byte in 0..<4 { bytes[place + byte] = UInt8(truncatingIfNeeded: child >> (24 - 8 * byte)) }
            }
        }
        try bytes.write(to: url)
    }
}
