// Asks everything of recordings and imports that were damaged at random or made to hurt: dirtyrec-fuzz COUNT SEED FOLDER SECONDS [FROM].
//
// An error or an honest answer is fine. A crash, a question that takes longer than SECONDS of CPU time, a reader that changes the
// file, or a file that `recover` calls complete and `verify` does not, ends the run: FOLDER/case.db, or of an import
// FOLDER/case.input, is the culprit then. Hand-made files and every twentieth damaged one stay as FOLDER/sample-*.db for the
// command line. FROM leaves out so many of the extremes.

import Foundation
import TestSupport

let arguments = CommandLine.arguments
guard (5...6).contains(arguments.count), let count = Int(arguments[1]), let seed = UInt64(arguments[2]),
    let limit = Int(arguments[4])
else {
    print("Usage: dirtyrec-fuzz COUNT SEED FOLDER SECONDS [FROM]")
    exit(2)
}
let folder = arguments[3]
try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
var interrogation = Interrogation(folder: folder, limit: limit)
let path = interrogation.path

let bases = try Bases.make(folder)
// Before the first question, so that a fault of ours there is seen at once.
let samples = try Hostile.files.map { name, make in
    let sample = folder + "/sample-\(name.replacing(" ", with: "-").replacing(",", with: "")).db"
    try Files.remove(sample)
    try make(sample)
    return (name, sample)
}
let extremes = try Extremes.all(of: bases[4])
for (number, extreme) in extremes.enumerated().dropFirst(arguments.count == 6 ? Int(arguments[5]) ?? 0 : 0) {
    try Files.remove(path)
    try Files.copy(bases[4], path)
    // Keys refuse what is no integer: that is no damage then.
    guard (try? Bases.execute(path, extreme.sql)) != nil else { continue }
    try interrogation.ask("extreme \(number): \(extreme.name)")
}

for (name, sample) in samples {
    try Files.remove(path)
    try Files.copy(sample, path)
    try interrogation.ask(name)
}

var random = Seeded(seed)
for number in 0..<count {
    try Files.remove(path)
    let damage = try Damage.apply(to: bases.randomElement(using: &random)!, as: path, using: &random)
    if number % 20 == 0 { try Files.copy(path, folder + "/sample-\(number).db") }
    try interrogation.ask("\(number) (\(damage))")
}

let imports = max(count / 4, 100)
try Imports.run(imports, in: folder, &interrogation, &random)

var usage = rusage()
unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
print(
    """
    \(count) damaged, \(extremes.count) extreme and \(Hostile.files.count) hand-made recordings, \(imports) damaged imports (seed \(seed)): \
    \(interrogation.answers) answers, \
    \(interrogation.refusals) errors; slowest \(interrogation.slowest) (\(interrogation.slowestCase)); peak memory \
    \(usage.ru_maxrss / 1024) MB
    """)
