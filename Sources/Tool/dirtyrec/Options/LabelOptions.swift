import ArgumentParser

/// The user's labels, as in `--label kernel=6.12`.
struct LabelOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Label of the recording, as key=value; may be repeated.", valueName: "key=value"))
    var label: [String] = []

    func validate() throws {
        for label in label where label.split(separator: "=", maxSplits: 1).count != 2 {
            throw ValidationError("--label \(label) is not usable: write key=value.")
        }
        guard values.count == label.count else { throw ValidationError("A label is given twice: leave one out.") }
    }

    var values: [String: String] {
        Dictionary(
            label.map { pair in
                let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
                return (parts[0], parts[1])
            }
        ) { $1 }
    }
}
