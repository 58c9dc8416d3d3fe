import Foundation
import Platform

/// Host memory that backs a guest's slot. Bounds are checked; the guest may change it at any time.
@safe
package final class GuestMemory: @unchecked Sendable {
    private let mapping: Mapping
    package let size: Int

    /// Reserves `size` bytes of zeroes; a multiple of the page size.
    package init(size: Int) throws(KVMError) {
        precondition(size > 0 && size % pageBytes == 0, "guest memory comes in pages")
        mapping = try Mapping(anonymous: size, what: "\(size) bytes of guest memory")
        self.size = size
    }

    var base: UnsafeMutableRawPointer { unsafe mapping.base }

    /// Makes `bytes` from `offset` present on the host, so that the guest's first touch costs KVM's fault only.
    ///
    /// - Throws: ``KVMError`` also when the host has less than that: taking it all would make the kernel end processes, of whomever.
    package func populate(offset: Int, bytes: Int) throws(KVMError) {
        precondition(offset >= 0 && bytes >= 0 && offset + bytes <= size)
        if let available = HostMemory.available, bytes > available {
            throw KVMError(
                "making \(bytes >> 20) MiB of guest memory present",
                reason: "this host has \(available >> 20) MiB available; choose a smaller guest")
        }
        let populateWrite: CInt = 23  // MADV_POPULATE_WRITE, Linux 5.14
        if unsafe madvise(mapping.base + offset, bytes, populateWrite) == 0 { return }
        guard errno == EINVAL else { throw KVMError("populating \(bytes) bytes of guest memory", errno: errno) }
        for page in stride(from: offset, to: offset + bytes, by: pageBytes) { store(0 as UInt8, at: page) }
    }

    /// Drops all content and asks for huge pages in its place.
    package func useHugePages() throws(KVMError) {
        guard unsafe madvise(mapping.base, size, MADV_HUGEPAGE) == 0,
            unsafe madvise(mapping.base, size, MADV_DONTNEED) == 0
        else { throw KVMError("asking for huge pages", errno: errno) }
        try populate(offset: 0, bytes: size)
    }

    package func store<Value: BitwiseCopyable>(_ value: Value, at offset: Int) {
        precondition(offset >= 0 && offset + MemoryLayout<Value>.size <= size)
        unsafe mapping.base.storeBytes(of: value, toByteOffset: offset, as: Value.self)
    }

    package func load<Value: BitwiseCopyable>(_ type: Value.Type = Value.self, at offset: Int) -> Value {
        precondition(offset >= 0 && offset + MemoryLayout<Value>.size <= size)
        return unsafe mapping.base.loadUnaligned(fromByteOffset: offset, as: type)
    }

    package func write(_ bytes: [UInt8], at offset: Int) {
        precondition(offset >= 0 && offset + bytes.count <= size)
        unsafe bytes.withUnsafeBytes { source in
            if let start = source.baseAddress { unsafe memcpy(mapping.base + offset, start, source.count) }
        }
    }

    package func read(_ count: Int, at offset: Int) -> [UInt8] {
        precondition(offset >= 0 && count >= 0 && offset + count <= size)
        return unsafe [UInt8](UnsafeRawBufferPointer(start: mapping.base + offset, count: count))
    }

    /// The 8-byte words of the page at `offset`. A guest that runs may change them meanwhile.
    package func words(at offset: Int) -> [UInt64] {
        precondition(offset >= 0 && offset + pageBytes <= size && offset % pageBytes == 0)
        let page = unsafe UnsafeRawBufferPointer(start: mapping.base + offset, count: pageBytes)
        return unsafe [UInt64](page.bindMemory(to: UInt64.self))
    }

    /// A copy of `bytes` from `offset` on, whole pages. Pages of zeroes take no room in it.
    package func copy(from offset: Int, bytes: Int) throws(KVMError) -> GuestMemory {
        precondition(offset >= 0 && bytes >= 0 && offset + bytes <= size && offset % pageBytes == 0)
        let copy = try GuestMemory(size: bytes)
        for page in stride(from: 0, to: bytes, by: pageBytes) where !isZeroPage(at: offset + page) {
            _ = unsafe memcpy(copy.mapping.base + page, mapping.base + offset + page, pageBytes)
        }
        return copy
    }

    /// Whether the page at `offset` holds nothing but zeroes.
    package func isZeroPage(at offset: Int) -> Bool {
        precondition(offset >= 0 && offset + pageBytes <= size)
        // A page is zero when its first byte is and every byte equals the one before.
        let page = unsafe mapping.base + offset
        return unsafe page.load(as: UInt8.self) == 0 && memcmp(page, page + 1, pageBytes - 1) == 0
    }

    /// Whether the page at `offset` holds what the page of `other` at `place` holds.
    package func hasSamePage(at offset: Int, as other: GuestMemory, at place: Int) -> Bool {
        precondition(offset >= 0 && offset + pageBytes <= size && place >= 0 && place + pageBytes <= other.size)
        return unsafe memcmp(mapping.base + offset, other.mapping.base + place, pageBytes) == 0
    }

    /// Compares the page at `offset` with the same page of `other` and copies it there when they differ.
    ///
    /// - Returns: whether they differed.
    package func updatePage(of other: GuestMemory, at offset: Int) -> Bool {
        precondition(offset >= 0 && offset + pageBytes <= size && other.size == size)
        if unsafe memcmp(mapping.base + offset, other.mapping.base + offset, pageBytes) == 0 { return false }
        unsafe memcpy(other.mapping.base + offset, mapping.base + offset, pageBytes)
        return true
    }
}
