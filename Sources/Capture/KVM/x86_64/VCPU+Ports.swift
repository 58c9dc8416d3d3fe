import CKVM

// Port input and output, which only x86 has.
extension VCPU {
    /// Reasons to leave the guest that only this architecture has.
    func architectureExit(_ reason: UInt32) -> VCPUExit {
        CInt(bitPattern: reason) == KVM_EXIT_IO ? portAccess() : .other(reason)
    }

    private func portAccess() -> VCPUExit {
        let io = unsafe run.pointee.io
        let bytes = Int(io.size) * Int(io.count)
        guard CInt(io.direction) == KVM_EXIT_IO_OUT else { return .portIn(port: io.port, size: bytes) }
        let start = unsafe area.base + Int(io.data_offset)
        return .portOut(port: io.port, data: unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: bytes)))
    }

    /// Answers a ``VCPUExit/portIn(port:size:)``; missing bytes read as ones, as on an empty bus.
    package func answerPortIn(_ data: [UInt8]) {
        let io = unsafe run.pointee.io
        for index in 0..<(Int(io.size) * Int(io.count)) {
            let value = index < data.count ? data[index] : 0xff
            unsafe area.base.storeBytes(of: value, toByteOffset: Int(io.data_offset) + index, as: UInt8.self)
        }
    }
}
