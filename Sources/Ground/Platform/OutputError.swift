import Glibc

/// Why output could not be written: one sentence that ends with what to do.
package struct OutputError: Error, Equatable, CustomStringConvertible {
    /// Who is at fault.
    package enum Cause: Sendable {
        /// The command line names something that must not be written to.
        case name
        /// The system refused.
        case system
        /// Whoever read it does so no more: no error, but the end.
        case readerLeft
    }

    package let cause: Cause
    package let description: String

    package init(_ cause: Cause, _ description: String) {
        self.cause = cause
        self.description = description
    }

    /// The system refused to write `name`, and left its reason in `errno`.
    static func system(_ name: String, _ code: CInt = errno) -> OutputError {
        let advice =
            switch code {
            case ENOSPC, EDQUOT: "; make room, then try again"
            case EFBIG: "; the limit on a file's size (ulimit -f) is reached"
            case EACCES, EPERM, EROFS: "; choose a place that you may write to"
            case EBADF: ": it is closed"
            default: ""
            }
        let reason = code == EBADF ? "" : ": \(systemError(code))"
        return OutputError(.system, "\(name) cannot be written\(reason)\(advice).")
    }
}
