import Glibc

/// Bringing names and bytes to the disk, so that a power cut cannot take them back.
package enum Durability {
    /// Makes the names in the folder of `path` durable: files created, renamed or removed there.
    ///
    /// - Returns: 0, or the error number. A file system that cannot sync a folder is no error.
    package static func syncFolder(of path: String) -> CInt {
        let descriptor = unsafe open(FilePlace.folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        let code = fsync(descriptor) == 0 ? 0 : errno
        return code == EINVAL || code == ENOTSUP || code == EROFS ? 0 : code
    }
}
