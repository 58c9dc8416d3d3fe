extension BootPlan {
    /// Reads the files and makes the guest.
    ///
    /// - Parameter console: takes what the guest writes to its serial console, on a vCPU's thread.
    package func makeGuest(console: @escaping @Sendable ([UInt8]) -> Void) throws -> any Guest {
        try LinuxGuest(self, console: console)
    }
}
