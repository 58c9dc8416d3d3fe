import Model
import Platform

/// Which pages are looked at.
package struct ContentShare: Sendable, Equatable, CustomStringConvertible {
    /// One page in so many; 1: every page.
    package let oneIn: UInt64

    /// As ``init(parsing:)`` reads it.
    package var description: String { oneIn == 1 ? "all" : "1/\(oneIn)" }

    /// One page in `oneIn`.
    package init(oneIn: UInt64) { self.oneIn = max(1, oneIn) }

    /// `all`, `1/N`, or a percentage such as `5%`, which is rounded to one page in a whole number.
    ///
    /// - Throws: ``ShareError``.
    package init(parsing text: String) throws(ShareError) {
        let most = 1e6
        if text == "all" {
            oneIn = 1
        } else if text.hasPrefix("1/"), let count = UInt64(text.dropFirst(2)), count >= 1, Double(count) <= most {
            oneIn = count
        } else if text.hasSuffix("%"), let percent = Double(text.dropLast()), percent > 0, percent <= 100,
            100 / percent <= most
        {
            oneIn = UInt64((100 / percent).rounded())
        } else {
            throw ShareError(text: text)
        }
    }

    /// What is no share of pages.
    package struct ShareError: Error, CustomStringConvertible {
        let text: String
        package var description: String {
            "'\(text)' is no share of pages: give all, one in so many such as 1/16, or a percentage such as 5%."
        }
    }
}

/// What sampled pages held when they were looked at last, and the digest of what they hold now.
///
/// The sample is drawn by page, with a random key that is not kept: every page has the same chance, and one that is looked at is looked
/// at whenever it is dirty. Memory: a page for each page of the sample that ever held anything.
package final class ContentSample {
    /// Pages in one piece of memory.
    private static let chunk = 256

    private let share: ContentShare
    private let key = UInt64.random(in: 0 ... .max)
    private let digester = PageDigester()
    /// What a page held before it was looked at for the first time; nil when that is not known.
    private let first: [UInt64]?
    private var places: [GFN: Int] = [:]
    /// Places of pages that were forgotten.
    private var free: [Int] = []
    private var chunks: [[UInt64]] = []
    private var before = [UInt64](repeating: 0, count: PageDigester.words)

    /// - Parameter startsAtZero: Whether pages hold zeros until they are remembered or looked at.
    package init(_ share: ContentShare, startsAtZero: Bool) {
        self.share = share
        first = startsAtZero ? [UInt64](repeating: 0, count: PageDigester.words) : nil
    }

    /// Whether a page is one of the sample.
    package func contains(_ gfn: GFN) -> Bool {
        guard share.oneIn > 1 else { return true }
        // The finalizer of SplitMix64 (Steele, Lea and Flood 2014).
        var mixed = gfn &+ key
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return (mixed ^ mixed >> 31) % share.oneIn == 0
    }

    /// A page holds `words` from the beginning.
    package func remember(_ gfn: GFN, _ words: [UInt64]) {
        if words != first { store(words, at: place(of: gfn)) }
    }

    /// A page was dirty and holds `words` now.
    package func look(at gfn: GFN, _ words: [UInt64]) -> PageContent.Digest {
        guard let place = places[gfn] else {
            let digest = digester.digest(words, before: first)
            remember(gfn, words)
            return digest
        }
        let start = place % Self.chunk * PageDigester.words
        for word in before.indices { before[word] = chunks[place / Self.chunk][start + word] }
        let digest = digester.digest(words, before: before)
        if digest.change?.words != 0 { store(words, at: place) }
        return digest
    }

    /// Forgets what pages held that are not the guest's any more.
    package func forget(where isGone: (GFN) -> Bool) {
        for (gfn, place) in places where isGone(gfn) {
            places[gfn] = nil
            free.append(place)
        }
    }

    private func place(of gfn: GFN) -> Int {
        if let place = places[gfn] { return place }
        let place = free.popLast() ?? places.count
        places[gfn] = place
        if place == chunks.count * Self.chunk {
            chunks.append([UInt64](repeating: 0, count: Self.chunk * PageDigester.words))
        }
        return place
    }

    private func store(_ words: [UInt64], at place: Int) {
        let start = place % Self.chunk * PageDigester.words
        for word in words.indices { chunks[place / Self.chunk][start + word] = words[word] }
    }
}
