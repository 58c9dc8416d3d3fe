import ArgumentParser
import TraceModel

/// A size on the command line, such as `64MiB`.
struct ByteSize: ExpressibleByArgument {
    let bytes: Int64
    init?(argument: String) {
        guard let bytes = try? Units.parseSize(argument) else { return nil }
        self.bytes = bytes
    }
}

/// A duration on the command line, such as `250ms`.
struct Nanoseconds: ExpressibleByArgument {
    let ns: Int64
    init?(argument: String) {
        guard let ns = try? Units.parseDuration(argument) else { return nil }
        self.ns = ns
    }
}

extension Source: ExpressibleByArgument {}
extension HarvestMode: ExpressibleByArgument {}
