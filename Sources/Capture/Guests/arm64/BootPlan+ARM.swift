extension BootPlan {
    /// Boots nothing: interrupt controller, firmware interface and device tree of arm64 are not written yet.
    package func makeGuest(console: @escaping @Sendable ([UInt8]) -> Void) throws -> any Guest {
        throw GuestError(
            "On arm64 dirtyrec has no guests with a kernel or image of their own yet; use --workload, or record them on x86-64."
        )
    }
}
