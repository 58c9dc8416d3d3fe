import CKVM
import Foundation

/// Reads KVM's binary statistics of a VM or a vCPU (`KVM_GET_STATS_FD`).
package final class StatisticsReader: Sendable {
    private let handle: Handle
    private let offsets: [Int]
    private let dataOffset: Int
    private let dataSize: Int
    /// Names in the kernel's order; scalar statistics only, histograms are left out.
    package let names: [String]

    init(fd: CInt) throws(KVMError) {
        handle = Handle(owning: fd)
        let header = try Self.read(fd, at: 0, count: 24)
        func word(_ bytes: [UInt8], _ at: Int) -> Int {
            (0..<4).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
        }
        // struct kvm_stats_header: flags, name_size, num_desc, id_offset, desc_offset, data_offset.
        let nameSize = word(header, 4)
        let count = word(header, 8)
        let descriptorSize = MemoryLayout<kvm_stats_desc>.size + nameSize
        guard nameSize <= 4096, count <= 4096 else {
            throw KVMError("KVM_GET_STATS_FD", reason: "the header announces \(count) statistics")
        }
        dataOffset = word(header, 20)
        let descriptors = try Self.read(fd, at: word(header, 16), count: count * descriptorSize)
        var names: [String] = []
        var offsets: [Int] = []
        var size = 0
        for index in 0..<count {
            // struct kvm_stats_desc: flags, exponent (s16), size (u16), offset, bucket_size, name.
            let at = index * descriptorSize
            let values = Int(descriptors[at + 6]) | Int(descriptors[at + 7]) << 8
            let offset = word(descriptors, at + 8)
            let name = descriptors[(at + MemoryLayout<kvm_stats_desc>.size)..<(at + descriptorSize)]
            size = max(size, offset + 8 * values)
            guard values == 1 else { continue }
            names.append(String(decoding: name.prefix { $0 != 0 }, as: UTF8.self))
            offsets.append(offset)
        }
        self.names = names
        self.offsets = offsets
        dataSize = size
    }

    /// The values now, in the order of ``names``.
    package func read() throws(KVMError) -> [Int64] {
        let data = try Self.read(handle.fd, at: dataOffset, count: dataSize)
        return offsets.map { offset in
            Int64(bitPattern: (0..<8).reduce(0) { $0 | UInt64(data[offset + $1]) << (8 * UInt64($1)) })
        }
    }

    private static func read(_ fd: CInt, at offset: Int, count: Int) throws(KVMError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = unsafe bytes.withUnsafeMutableBytes { unsafe pread(fd, $0.baseAddress, $0.count, off_t(offset)) }
        guard got == count else { throw KVMError("reading KVM statistics", errno: got < 0 ? errno : EIO) }
        return bytes
    }
}
