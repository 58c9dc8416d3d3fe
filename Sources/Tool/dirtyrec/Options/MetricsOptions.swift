import ArgumentParser
import Model
import Platform

/// Figures for a monitoring system while a recording is being made.
struct MetricsOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Keep figures of the recording in this file, in Prometheus' text format, at most a second old; node_exporter's textfile collector takes names that end in .prom.",
            valueName: "file"), completion: .file(extensions: ["prom"]))
    var metrics: String?

    func validate() throws {
        guard metrics != "-" else {
            throw ValidationError(
                "--metrics makes its file anew every second, so it cannot be standard output: name a file.")
        }
    }

    /// Begins the file, if one is wanted.
    ///
    /// - Throws: `OutputError`.
    func file(of info: RecordingInfo) throws -> MetricsFile? {
        guard let metrics else { return nil }
        switch try FilePlace(metrics).content {
        case .nothing, .file: return try MetricsFile(metrics, of: info)
        case .pipe, .characterDevice:
            throw OutputError(
                .name,
                "\(metrics) is a pipe or a device, and --metrics makes its file anew every second: name a regular file."
            )
        }
    }
}
