import Glibc

/// The system's words for an error number, by default for the one that the last call left.
package func systemError(_ code: CInt = errno) -> String { unsafe String(cString: strerror(code)) }
