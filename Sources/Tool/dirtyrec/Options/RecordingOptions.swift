import ArgumentParser
import Model
import Platform
import Store

/// Where a recording goes, and how it is written.
struct RecordingOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "File to create.", completion: .recording)
    var output: String

    @Flag(name: .long, help: "Replace an existing file once an iteration of the new one is on the disk.")
    var force = false

    @Flag(
        inversion: .prefixedNo,
        help: "Store plain rows at the end (dirty_entry); without them `dirtyrec rows` makes them later.")
    var rows = true

    @OptionGroup var durability: SyncOptions

    func validate() throws {
        guard !output.isEmpty else { throw ValidationError("The output has no name: give one.") }
        guard output != "-" else {
            throw ValidationError(
                "A recording cannot go to standard output: it is a file that is written in place. Give it a name.")
        }
    }

    /// Begins the file at ``output``, or at another place.
    ///
    /// - Throws: `OutputError`, `RecordingError`.
    func writer(
        _ info: RecordingInfo, _ slots: [MemorySlot] = [], migrations: [MigrationObservation] = [],
        at path: String? = nil, groupNs: Int64 = 0
    ) throws -> RecordingWriter {
        let path = path ?? output
        switch try FilePlace(path).content {
        case .nothing, .file: break
        case .pipe, .characterDevice:
            throw OutputError(
                .name,
                "\(path) is a pipe or a device, and a recording is a file that is written in place: "
                    + "choose another name.")
        }
        var info = info
        info.tool = Version.tool
        info.commandLine = ShellWords.join(CommandLine.arguments)
        return try RecordingWriter(
            path: path, info: info, slots: slots, migrations: migrations,
            options: durability.writing(replace: force, groupNs: groupNs))
    }

    /// Says what somebody who reads the file has kept out of it.
    static func tell(_ completion: Completion, of path: String) {
        let reads = "Another program reads \(path), so "
        let remedy = "with: dirtyrec recover \(ShellWords.file(path))"
        switch completion {
        case .whole: break
        case .withLog:
            Terminal.say(
                reads
                    + "\(path)-wal has to stay, without which the file is not whole; once that program has ended, join them "
                    + remedy)
        case .partial: Terminal.say(reads + "rows and summaries were left out; make them " + remedy)
        }
    }
}
