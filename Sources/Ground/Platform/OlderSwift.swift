// What Swift 6.2 lacks of 6.3, for which everything else is written: Debian's Swift, with which `make arm64` builds, is 6.2.
#if compiler(<6.3)
    extension Array {
        /// Appends at most `count` elements, which `body` puts in place (SE-0485).
        @inlinable
        package mutating func append(
            addingCapacity count: Int, initializingWith body: (inout OutputSpan<Element>) -> Void
        ) {
            append(
                contentsOf: unsafe [Element](unsafeUninitializedCapacity: count) { room, initialized in
                    var span = unsafe OutputSpan(buffer: room, initializedCount: 0)
                    body(&span)
                    initialized = unsafe span.finalize(for: room)
                })
        }
    }
#endif
