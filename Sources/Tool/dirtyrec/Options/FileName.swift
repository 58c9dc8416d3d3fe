import ArgumentParser
import Foundation

/// Names of files on the command line.
enum FileName {
    /// Makes sure that an output does not replace what it is made of.
    static func keep(_ inputs: [String], from output: String) throws {
        let target = resolved(output)
        for input in inputs where input != "-" && resolved(input) == target {
            throw ValidationError("The output would replace \(input): choose another name.")
        }
    }

    private static func resolved(_ path: String) -> URL { URL(fileURLWithPath: path).resolvingSymlinksInPath() }
}
