import Glibc

/// Where a named output is, or will be: where links lead, and what is there.
package struct FilePlace: Sendable {
    /// Mode and owner of a file.
    package struct Attributes: Sendable {
        let mode: mode_t
        let owner: uid_t
        let group: gid_t
    }

    /// What is there now.
    package enum Content: Sendable {
        case nothing
        case file(Attributes)
        /// A terminal, a memory device or the like.
        case characterDevice
        /// A FIFO.
        case pipe
    }

    package let name: String
    /// What `name` means when every link is followed, also one that leads nowhere yet.
    package let path: String
    package let content: Content

    /// Looks at what is there.
    ///
    /// - Throws: ``OutputError`` when it can be no output: a folder, a disk, a socket, or a place in no folder.
    package init(_ name: String) throws(OutputError) {
        guard !name.isEmpty else { throw OutputError(.name, "The output has no name: give one.") }
        self.name = name
        var path = name
        var links = 0
        while let next = Self.link(path) {
            links += 1
            guard links <= 40 else { throw OutputError.system(name, ELOOP) }
            path = next.hasPrefix("/") ? next : Self.folder(of: path) + "/" + next
        }
        self.path = path
        var status = stat()
        if unsafe stat(path, &status) != 0 {
            guard errno == ENOENT || errno == ENOTDIR else { throw OutputError.system(name) }
            try Self.requireFolder(of: path, name)
            content = .nothing
            return
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            content = .file(
                Attributes(mode: status.st_mode & 0o7777, owner: status.st_uid, group: status.st_gid))
        case S_IFCHR: content = .characterDevice
        case S_IFIFO: content = .pipe
        case S_IFDIR: throw OutputError(.name, "\(name) is a folder: name a file in it.")
        default: throw OutputError(.name, "\(name) is a disk or a socket: choose another name.")
        }
    }

    /// The folder of ``path``.
    package var folder: String { Self.folder(of: path) }

    /// Renames a complete file to ``path``, with the mode and, where the system allows, the owner of the file that it
    /// replaces. File and folder are on the disk afterwards.
    ///
    /// - Throws: ``OutputError``; the file keeps its old name then.
    package func take(_ staged: String, open descriptor: CInt) throws(OutputError) {
        if case .file(let old) = content {
            // Ownership first: changing it takes set-id bits away. Only root may give files away.
            _ = fchown(descriptor, old.owner, old.group)
            guard fchmod(descriptor, old.mode) == 0 else { throw OutputError.system(name) }
        }
        guard fsync(descriptor) == 0 else { throw OutputError.system(name) }
        guard unsafe rename(staged, path) == 0 else { throw OutputError.system(name) }
        let code = Durability.syncFolder(of: path)
        guard code == 0 else { throw OutputError.system(name, code) }
    }

    private static func link(_ path: String) -> String? {
        var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe target.withUnsafeMutableBytes { unsafe readlink(path, $0.baseAddress!, $0.count) }
        return count > 0 ? String(decoding: target[..<count], as: UTF8.self) : nil
    }

    /// As `dirname` has it.
    static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func requireFolder(of path: String, _ name: String) throws(OutputError) {
        let folder = folder(of: path)
        var status = stat()
        guard unsafe stat(folder, &status) == 0 else {
            throw OutputError(
                .system,
                "\(name) cannot be written: there is no folder \(folder); make it with: mkdir -p \(ShellWords.file(folder))"
            )
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw OutputError(.system, "\(name) cannot be written: \(folder) is no folder.")
        }
    }
}
