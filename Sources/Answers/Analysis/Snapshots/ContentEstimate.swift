import Model

/// Bytes of all diffs at one cadence, were their pages kept in one way, from what a sample of the pages held (question K5).
///
/// Of diffs that hold several iterations, what a page held at their end is exact; how it differs from what it held at their begin lies
/// between bounds that the steps in between give.
package struct ContentEstimate: Sendable, Equatable {
    /// How a page is kept.
    package enum Form: String, Sendable, CaseIterable {
        case whole = "as they are"
        case nonzero = "without zero pages"
        case changed = "without unchanged pages"
        case zstd
        case xbzrle = "XBZRLE"
        case distinct = "deduplicated"
    }

    /// Time between two snapshots, as asked.
    package var cadenceNs: Int64
    package var form: Form
    /// Dirty pages of all diffs.
    package var pages: Int64
    /// Of those, pages that were looked at.
    package var looked: Int64
    /// Bytes, at least and at most, if the sample is like the rest.
    package var low: Double
    package var high: Double
    /// Half of the interval around them that holds the truth in 95 of 100 samples; 0 where every page was looked at, nil of a
    /// single page.
    package var error: Double?
    /// Bytes of the pages as they are.
    package var whole: Int64
}

/// What one page, or all pages, add to the diffs of a cadence, in bytes by form.
private struct Sums {
    /// Diffs that held it.
    var diffs = 0.0
    var low = [Double](repeating: 0, count: Self.forms)
    var high = [Double](repeating: 0, count: Self.forms)
    /// Those that are a sum over pages, by number.
    static let summed: [ContentEstimate.Form] = [.nonzero, .changed, .zstd, .xbzrle]
    static let forms = summed.count
}

/// Follows what the pages of the sample held, through the diffs at one cadence.
struct ContentTally {
    /// A page of the sample.
    private struct Page {
        /// In the diff in progress: how often it was looked at, and what was seen.
        var looks = 0
        var latest: PageContent.Digest?
        var isKnown = true
        var words: Int64 = 0
        var mostWords: Int64 = 0
        var xbzrleBytes: Int64 = 0
        /// At the end of the last diff that held it.
        var hash: UInt64?
        /// Over all complete diffs.
        var sums = Sums()
        /// Diffs in which no other page of the sample held the same, and in which just one did.
        var single = 0.0
        var twin = 0.0
    }

    private let cadenceNs: Int64
    private let pageSize: Int64
    /// Last iterations of the complete diffs.
    private let ends: [Int64]
    private var diff = 0
    private var pages: [Page] = []
    private var touched: [Int] = []
    /// Different contents of all diffs, and those that just one page had, or two.
    private var distinct = 0.0
    private var single = 0.0
    private var twin = 0.0

    init(_ cadenceNs: Int64, pageSize: Int64, ends: [Int64]) {
        (self.cadenceNs, self.pageSize, self.ends) = (cadenceNs, pageSize, ends)
    }

    /// A page of the sample, by its number in it, was looked at; iterations ascend.
    mutating func add(_ content: PageContent, page: Int) {
        while diff < ends.count, content.iteration > ends[diff] { endDiff() }
        guard diff < ends.count else { return }
        if page >= pages.count {
            pages.append(contentsOf: repeatElement(Page(), count: max(page + 1, pages.count * 3 / 2) - pages.count))
        }
        if pages[page].looks == 0 { touched.append(page) }
        pages[page].looks += 1
        pages[page].latest = content.digest
        if let change = content.digest.change {
            pages[page].words += change.words
            pages[page].mostWords = max(pages[page].mostWords, change.words)
            pages[page].xbzrleBytes += change.xbzrleBytes
        } else {
            pages[page].isKnown = false
        }
    }

    private mutating func endDiff() {
        defer { diff += 1 }
        var holders: [UInt64: (count: Int, first: Int, second: Int)] = [:]
        for number in touched {
            guard let latest = pages[number].latest else { continue }
            let (low, high) = bytes(pages[number], latest)
            pages[number].sums.diffs += 1
            for form in low.indices {
                pages[number].sums.low[form] += Double(low[form])
                pages[number].sums.high[form] += Double(high[form])
            }
            let holder = holders[latest.hash]
            holders[latest.hash] = ((holder?.count ?? 0) + 1, holder?.first ?? number, number)
            pages[number].hash = latest.hash
            pages[number].looks = 0
            pages[number].isKnown = true
            (pages[number].words, pages[number].mostWords, pages[number].xbzrleBytes) = (0, 0, 0)
        }
        touched.removeAll(keepingCapacity: true)
        distinct += Double(holders.count)
        for holder in holders.values {
            if holder.count == 1 {
                single += 1
                pages[holder.first].single += 1
            } else if holder.count == 2 {
                twin += 1
                pages[holder.first].twin += 1
                pages[holder.second].twin += 1
            }
        }
    }

    /// Bytes that a page takes in the diff that ends, by form.
    private func bytes(_ page: Page, _ latest: PageContent.Digest) -> (low: [Int64], high: [Int64]) {
        // Words that differ from those at the begin of the diff: steps add up at most, and undo each other at most.
        let leastWords = max(0, 2 * page.mostWords - page.words)
        let isChanged: Bool?
        if let hash = page.hash {
            isChanged = hash != latest.hash
        } else if page.isKnown, page.words == 0 || leastWords > 0 {
            isChanged = leastWords > 0
        } else {
            isChanged = nil
        }
        let changedLow = isChanged == true ? pageSize : 0
        let changedHigh = isChanged == false ? 0 : pageSize
        var (xbzrleLow, xbzrleHigh) = (Int64(0), Int64(0))
        if isChanged != false {
            xbzrleHigh = page.isKnown ? min(pageSize, page.xbzrleBytes) : pageSize
            // A run's two lengths, and a byte for each word.
            xbzrleLow = page.looks == 1 && page.isKnown ? xbzrleHigh : isChanged == true ? max(1, leastWords) + 2 : 0
        }
        let nonzero = latest.isZero ? 0 : pageSize
        return (
            [nonzero, changedLow, latest.zstdBytes, min(xbzrleLow, xbzrleHigh)],
            [nonzero, changedHigh, latest.zstdBytes, xbzrleHigh]
        )
    }

    /// The estimates, from a sample of `total` dirty pages of all diffs.
    mutating func estimates(total: Int64) -> [ContentEstimate] {
        while diff < ends.count { endDiff() }
        let seen = pages.filter { $0.sums.diffs > 0 }
        let looked = seen.reduce(0) { $0 + $1.sums.diffs }
        guard looked > 0, total > 0 else { return [] }
        let population = max(Double(total), looked)
        let part = looked / population
        func estimate(_ form: ContentEstimate.Form, _ low: Double, _ high: Double, _ error: Double?) -> ContentEstimate
        {
            ContentEstimate(
                cadenceNs: cadenceNs, form: form, pages: total, looked: Int64(looked), low: low, high: high,
                error: part == 1 ? 0 : error, whole: total * pageSize)
        }
        let whole = Double(total * pageSize)
        var result = [estimate(.whole, whole, whole, 0)]
        // Up to three in so many pages may be unlike all that were seen.
        let rare = (1 - part) * min(1, 3 / Double(seen.count)) * whole
        for (place, form) in Sums.summed.enumerated() {
            let (low, lowError) = Self.ratio(seen.map { ($0.sums.diffs, $0.sums.low[place]) }, of: population, part)
            let (high, highError) = Self.ratio(seen.map { ($0.sums.diffs, $0.sums.high[place]) }, of: population, part)
            let error = lowError.flatMap { low in highError.map { max(low, $0, rare) } }
            result.append(estimate(form, low, high, error))
        }
        let (low, high, error) = contents(seen, of: population, part)
        result.append(
            estimate(
                .distinct, low * Double(pageSize), high * Double(pageSize),
                seen.count > 1 ? max(error * Double(pageSize), rare) : nil))
        return result
    }

    /// The ratio estimator of a total, with pages as clusters of their diffs, and half of its 95 % interval (Cochran, Sampling
    /// Techniques, 1977, chapters 6 and 9).
    private static func ratio(_ pages: [(diffs: Double, bytes: Double)], of population: Double, _ part: Double) -> (
        total: Double, error: Double?
    ) {
        let diffs = pages.reduce(0) { $0 + $1.diffs }
        let bytes = pages.reduce(0) { $0 + $1.bytes }
        let (ratio, total) = (bytes / diffs, bytes * (population / diffs))
        guard pages.count > 1 else { return (total, nil) }
        let squares = pages.reduce(0) { $0 + ($1.bytes - ratio * $1.diffs) * ($1.bytes - ratio * $1.diffs) }
        let n = Double(pages.count)
        let deviation = ((1 - part) * n / (n - 1) * squares).squareRoot() / diffs
        return (total, 1.96 * deviation * population)
    }

    /// Different contents of all pages. At least: Chao and Lin's bound for a sample without replacement (2012). At most: each content
    /// that one page of the sample had stands for those of the pages that it stands for.
    private func contents(_ seen: [Page], of population: Double, _ part: Double) -> (Double, Double, error: Double) {
        let rest = 1 - part
        guard rest > 0 else { return (distinct, distinct, 0) }
        let spread = 2 * twin + part / rest * single
        let unseen = single > 0 ? single * single / spread : 0
        let most = distinct - single + single / part
        // Pages come with all their diffs.
        let singleVariance = rest * seen.reduce(0) { $0 + $1.single * $1.single }
        let twinVariance = rest * seen.reduce(0) { $0 + $1.twin * $1.twin } / 2
        let bySingle = single > 0 ? (2 * single * spread - single * single * part / rest) / (spread * spread) : 0
        let byTwin = single > 0 ? 2 * single * single / (spread * spread) : 0
        let lowDeviation = (bySingle * bySingle * singleVariance + byTwin * byTwin * twinVariance).squareRoot()
        let highDeviation = singleVariance.squareRoot() / part
        let low = min(population, distinct + unseen)
        return (low, max(low, min(population, most)), 1.96 * max(lowDeviation, highDeviation))
    }
}
