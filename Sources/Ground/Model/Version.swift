import CBuild

/// Which dirtyrec this is. `scripts/version` reads the number here; CHANGELOG.md says what it brought.
package enum Version {
    /// Major, minor and patch.
    package static let number = "0.2.0"

    /// What a recording says that it was made with.
    package static let tool = "dirtyrec \(number)"

    /// The first digits of the commit that `make build` built; nil where that is not known, as in a debug build.
    package static var commit: String? {
        let commit = unsafe String(cString: cbuild_commit())
        return commit.isEmpty ? nil : commit
    }
}
