import Glibc
import NIOCore

/// Why nothing can be served, in one sentence.
package struct WebError: Error, CustomStringConvertible {
    package let description: String

    init(_ error: any Error, at address: ListenAddress) {
        let place = "\(address.hostInURL):\(address.port)"
        description =
            switch (error as? IOError)?.errnoCode {
            case EADDRINUSE:
                "Somebody listens at \(place) already: give --listen another port, or port 0 for one that is free."
            case EADDRNOTAVAIL:
                "This machine has no address \(address.host): give --listen one that it has, or 127.0.0.1:\(address.port)."
            case EACCES: "Port \(address.port) needs root: give --listen a port from 1024 on."
            default: "Cannot listen at \(place): \(error)."
            }
    }
}
