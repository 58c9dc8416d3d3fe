import Analysis
import Foundation
import Model
import Platform

/// A dirty map as the page carries it: packed counts for the canvas, and a picture for readers without scripts.
struct MapPicture {
    let map: DirtyMap
    /// Each layer's counts, packed and in base64.
    let layers: [String]

    /// The most bytes that all layers may take; the map is made coarser until they do.
    private static let maxBytes = 1_600_000

    init(_ map: DirtyMap) {
        var map = map
        var packed = map.layers.map { Self.pack($0.counts) }
        while packed.reduce(0, { $0 + $1.count }) > Self.maxBytes, map.axis.rows > map.axis.segments.count {
            let coarser = map.coarser()
            if coarser.axis.rows == map.axis.rows { break }
            map = coarser
            packed = map.layers.map { Self.pack($0.counts) }
        }
        self.map = map
        layers = packed.map { Data($0).base64EncodedString() }
    }

    /// Counts as LEB128 numbers; 0 is followed by how many zeros there are.
    static func pack(_ counts: [UInt32]) -> [UInt8] {
        var bytes: [UInt8] = []
        func append(_ number: Int) {
            var rest = number
            while rest >= 128 {
                bytes.append(UInt8(rest & 127 | 128))
                rest >>= 7
            }
            bytes.append(UInt8(rest))
        }
        var zeros = 0
        for count in counts {
            if count == 0 {
                zeros += 1
                continue
            }
            if zeros > 0 {
                bytes.append(0)
                append(zeros)
                zeros = 0
            }
            append(Int(count))
        }
        if zeros > 0 {
            bytes.append(0)
            append(zeros)
        }
        return bytes
    }

    func json(slots: [MemorySlot], origin: Int64) -> JSON {
        let logged = slots.filter { $0.logged && $0.pages > 0 }
        return [
            "columns": JSON(map.columns), "rows": JSON(map.axis.rows), "pagesPerRow": JSON(map.axis.pagesPerRow),
            "ticksPerColumn": JSON(map.iterationsPerColumn),
            "segments": JSON(map.axis.segments) {
                [JSON($0.firstGFN), JSON($0.pages), JSON($0.firstRow), JSON($0.rows)]
            },
            "times": JSON(map.course) {
                [
                    JSON($0.firstIteration), JSON($0.iterations), JSON(Double($0.startNs - origin) / 1e9),
                    JSON(Double($0.endNs - origin) / 1e9),
                ]
            },
            "layers": JSON(zip(map.layers, layers)) { ["name": JSON($0.name), "data": JSON($1)] },
            "slots": JSON(logged.prefix(256)) { [JSON(Self.name(of: $0)), JSON($0.baseGFN), JSON($0.pages)] },
        ]
    }

    static func name(of slot: MemorySlot) -> String {
        "slot \(slot.slot)" + (slot.name.isEmpty ? "" : " " + Sanitizer.line(slot.name))
            + (slot.generation > 1 ? " (generation \(slot.generation))" : "")
    }

    /// The whole map as a PNG in a `data:` URL: time to the right, GFNs downwards, colour by the most entries of any cell
    /// that a pixel stands for.
    var dataURL: String {
        let width = 640
        let height = 240
        let rows = map.axis.rows
        var largest = [UInt32](repeating: 0, count: width * height)
        if rows > 0, map.columns > 0 {
            var totals = [UInt32](repeating: 0, count: rows * map.columns)
            for layer in map.layers { for cell in totals.indices { totals[cell] &+= layer.counts[cell] } }
            for y in 0..<height {
                for row in Self.share(y, of: height, in: rows) {
                    for x in 0..<width {
                        for column in Self.share(x, of: width, in: map.columns) {
                            largest[y * width + x] = max(largest[y * width + x], totals[row * map.columns + column])
                        }
                    }
                }
            }
        }
        let most = Foundation.log(Double(largest.max() ?? 0) + 1)
        let pixels = largest.map { count -> UInt8 in
            count == 0 ? 0 : UInt8(1 + min(14, (Foundation.log(Double(count) + 1) / max(most, 1e-9) * 14).rounded()))
        }
        let palette = [0xF3F5F7] + (0..<15).map { Palette.heat(Double($0) / 14) }
        return "data:image/png;base64,"
            + Data(PNG.encode(width: width, height: height, pixels: pixels, palette: palette)).base64EncodedString()
    }

    /// The cells of one axis that pixel `place` stands for: at least one.
    private static func share(_ place: Int, of pixels: Int, in cells: Int) -> Range<Int> {
        let first = place * cells / pixels
        return first..<max(first + 1, (place + 1) * cells / pixels)
    }
}

/// Colours that people with any kind of colour vision can order: lightness falls steadily from few to many.
enum Palette {
    private static let anchors: [(Double, Double, Double)] = [
        (217, 232, 232), (137, 196, 186), (58, 146, 160), (43, 88, 140), (40, 24, 82),
    ]

    /// The colour of a share of 1, as 0xRRGGBB.
    static func heat(_ share: Double) -> UInt32 {
        let place = min(max(share, 0), 1) * Double(anchors.count - 1)
        let low = min(Int(place), anchors.count - 2)
        let part = place - Double(low)
        func mix(_ channel: KeyPath<(Double, Double, Double), Double>) -> UInt32 {
            let (from, to) = (anchors[low][keyPath: channel], anchors[low + 1][keyPath: channel])
            return UInt32((from + (to - from) * part).rounded())
        }
        return mix(\.0) << 16 | mix(\.1) << 8 | mix(\.2)
    }
}
