import CKVM
import Foundation
import Platform

/// A page of guest memory that does not come, as in a post-copy migration whose source went away: by `userfaultfd`, whoever touches it
/// sleeps until ``release()``, KVM on behalf of the guest as well as this program.
package final class MissingPage: Sendable {
    private let handle: Handle
    private let memory: GuestMemory
    private let offset: Int

    /// Drops what the page at `offset` of `memory` holds, and registers it.
    ///
    /// - Throws: ``KVMError`` when the host has no userfaultfd, or does not let us use it.
    package init(of memory: GuestMemory, offset: Int) throws(KVMError) {
        precondition(offset >= 0 && offset + pageBytes <= memory.size && offset % pageBytes == 0)
        self.memory = memory
        self.offset = offset
        let fd = try request("userfaultfd") { ckvm_userfaultfd(O_CLOEXEC) }
        handle = Handle(owning: fd)
        var api = uffdio_api()
        api.api = CKVM_UFFD_API
        try request("UFFDIO_API") { unsafe ioctl(fd, CKVM_UFFDIO_API, &api) }
        let page = unsafe memory.base + offset
        guard unsafe madvise(page, pageBytes, MADV_DONTNEED) == 0 else {
            throw KVMError("dropping a page of guest memory", errno: errno)
        }
        var register = uffdio_register()
        register.range = range
        register.mode = CKVM_UFFDIO_REGISTER_MODE_MISSING
        try request("UFFDIO_REGISTER") { unsafe ioctl(fd, CKVM_UFFDIO_REGISTER, &register) }
    }

    private var range: uffdio_range {
        var range = uffdio_range()
        range.start = unsafe UInt64(UInt(bitPattern: memory.base + offset))
        range.len = UInt64(pageBytes)
        return range
    }

    /// Lets the page come, full of zeroes, and wakes everybody who waits for it.
    package func release() {
        var range = range
        // It fails only when it was released before.
        _ = unsafe ioctl(handle.fd, CKVM_UFFDIO_UNREGISTER, &range)
    }
}
