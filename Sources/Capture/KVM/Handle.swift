import Foundation

/// Owns one file descriptor and closes it exactly once.
struct Handle: ~Copyable, Sendable {
    let fd: CInt
    init(owning fd: CInt) { self.fd = fd }
    deinit { _ = close(fd) }
}

/// Owns one mapping and unmaps it exactly once.
@safe
struct Mapping: ~Copyable, @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    let size: Int

    /// Maps `size` bytes of `fd`, shared.
    init(fd: CInt, offset: Int, size: Int, what: String) throws(KVMError) {
        guard let base = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, off_t(offset)),
            unsafe base != MAP_FAILED
        else { throw KVMError("mmap of \(what)", errno: errno) }
        unsafe self.base = base
        self.size = size
    }

    /// Maps `size` bytes of zeroed private memory that takes room only where it is touched.
    init(anonymous size: Int, what: String) throws(KVMError) {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard let base = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, flags, -1, 0), unsafe base != MAP_FAILED
        else { throw KVMError("mmap of \(what)", errno: errno) }
        unsafe self.base = base
        self.size = size
    }

    deinit { _ = unsafe munmap(base, size) }
}
