import GRDB
import Platform

/// Why a recording could not be written or read: one sentence, and what to do next.
package struct RecordingError: Error, Equatable, CustomStringConvertible {
    package let path: String
    package let problem: Problem

    package enum Problem: Equatable, Sendable {
        /// A file is in the way, and replacing it was not asked for.
        case exists
        /// There is no such file.
        case missing
        /// The folder that should hold the new file does not exist.
        case folderMissing(String)
        /// It is a folder, a device or the like.
        case notAFile
        /// The system refused; the text is the system's.
        case refused(doing: String, reason: String)
        /// The new recording could not take its place; it has another name.
        case notReplaced(String, reason: String)
        /// It is no SQLite database.
        case notADatabase
        /// It is an SQLite database, but no recording.
        case notARecording
        /// It was written by a newer dirtyrec.
        case newerSchema(Int)
        /// It was written by an older dirtyrec.
        case olderSchema(Int)
        /// Another dirtyrec is recording, completing or reading it right now.
        case inUse
        /// It is shorter than its header says, or its pages contradict each other.
        case damaged(String)
        /// A row says something that cannot be.
        case corrupt(table: String, row: Int64?, String)
        /// It has a table or an index that this program would not make, and which could run SQL of the file.
        case foreignDefinition(String)
        case writeFailed(WriteFailure, Kept)
        /// While it was recorded: there is no file, or another one, where it was.
        case moved
        /// SQL that the user wrote is wrong or not allowed.
        case query(String)
        case timeout
        case interrupted
        /// It was cut off, or its completion was interrupted.
        case incomplete
        /// A clean recording needs no recovery.
        case notCutOff
    }

    package enum WriteFailure: Equatable, Sendable {
        case diskFull
        /// The disk reports an error.
        case inputOutput
        /// Somebody else reads or writes the file.
        case locked
        /// In SQLite's words.
        case other(String)
    }

    /// What a failure has left untouched.
    package struct Kept: Equatable, Sendable {
        /// Iterations that survive a power cut.
        package var synced: Int64 = 0
        /// Iterations in the file, those included.
        package var committed: Int64 = 0
    }

    package init(_ path: String, _ problem: Problem) {
        self.path = path
        self.problem = problem
    }

    package var description: String {
        switch problem {
        case .exists: "\(path) exists already."
        case .missing: "\(path) does not exist."
        case .folderMissing(let folder): "The folder \(folder) does not exist."
        case .notAFile: "\(path) is not a regular file."
        case .refused(let doing, let reason): "Cannot \(doing) \(path): \(reason)."
        case .notReplaced(let name, let reason): "Cannot replace \(path): \(reason); the new recording is \(name)."
        case .notADatabase: "\(path) is not an SQLite database."
        case .notARecording: "\(path) is an SQLite database, but not a recording of dirtyrec."
        case .newerSchema(let version):
            "\(path) has schema version \(version); this dirtyrec knows versions up to \(Schema.version)."
        case .olderSchema(let version):
            "\(path) has schema version \(version); this dirtyrec reads version \(Schema.version)."
        case .inUse: "\(path) is in use by another dirtyrec."
        case .damaged(let detail): "\(path) is damaged: \(detail)."
        case .corrupt(let table, let row?, let detail): "\(path) is corrupt: \(table) row \(row): \(detail)."
        case .corrupt(let table, nil, let detail): "\(path) is corrupt: table \(table): \(detail)."
        case .foreignDefinition(let object):
            "\(path) was not changed: its \(object) is not as dirtyrec makes it, and could run SQL of its own."
        case .moved:
            "\(path) was removed, renamed or replaced while it was recorded: what was recorded is lost, unless it has another name."
        case .writeFailed(let reason, Kept(synced: 0, committed: 0)):
            "Writing \(path) failed: \(reason); nothing was recorded."
        case .writeFailed(let reason, let kept): "Writing \(path) failed: \(reason); \(kept)."
        case .query(let message): "The query failed: \(message)."
        case .timeout: "The query was stopped because it reached its time limit."
        case .interrupted: "The query was interrupted."
        case .incomplete: "\(path) is not complete: it was cut off, or its completion was interrupted."
        case .notCutOff: "\(path) is finished already: there is nothing to recover."
        }
    }

    /// Whether what is wrong is in the recording itself.
    var isDamage: Bool {
        switch problem {
        case .damaged, .corrupt: true
        default: false
        }
    }

    /// What to do next, if something can be done.
    package var hint: String? {
        switch problem {
        case .exists: "Choose another name, or replace it with --force."
        case .folderMissing(let folder): "Create it with: mkdir -p \(ShellWords.file(folder))"
        case .newerSchema: "Read it with the dirtyrec that wrote it, or a newer one."
        case .olderSchema: "Bring it up to date with: dirtyrec recover \(ShellWords.file(path))"
        case .inUse: "Wait until it is done, or choose another name."
        case .notADatabase, .notARecording, .notAFile, .missing: "Make a recording with: dirtyrec record -o FILE"
        case .damaged, .corrupt: "See what is left with: dirtyrec verify \(ShellWords.file(path))"
        case .incomplete: "Finish it with: dirtyrec recover \(ShellWords.file(path))"
        case .foreignDefinition: "Read it as it is, or drop what was added with sqlite3."
        case .moved: "If it has, finish it there with: dirtyrec recover NAME"
        case .writeFailed(let reason, Kept(synced: 0, committed: 0)):
            "\(reason.remedy.map { "\($0) and try" } ?? "Try") again."
        case .writeFailed(let reason, _):
            "\(reason.remedy.map { "\($0), then finish" } ?? "Finish") the file with: dirtyrec recover \(ShellWords.file(path))"
        case .timeout: "Narrow the query to an iteration, a vcpu or a time, or give more time with --timeout."
        case .refused, .notReplaced, .query, .interrupted, .notCutOff: nil
        }
    }

    /// Turns what SQLite says while writing `path` into what a user can understand.
    static func writing(_ path: String, _ error: any Error, _ kept: Kept) -> RecordingError {
        if let error = error as? RecordingError { return error }
        let reason: WriteFailure =
            switch (error as? DatabaseError)?.resultCode {
            case .SQLITE_FULL?: .diskFull
            case .SQLITE_IOERR?: .inputOutput
            case .SQLITE_BUSY?, .SQLITE_LOCKED?: .locked
            default: .other((error as? DatabaseError)?.message ?? "\(error)")
            }
        return RecordingError(path, .writeFailed(reason, kept))
    }

    /// Turns what SQLite says while reading `path` into what a user can understand.
    static func reading(_ path: String, _ error: any Error) -> RecordingError {
        if let error = error as? RecordingError { return error }
        guard let error = error as? DatabaseError else { return RecordingError(path, .damaged("\(error)")) }
        let message = error.message ?? "\(error.resultCode)"
        return switch error.resultCode {
        case .SQLITE_NOTADB: RecordingError(path, .notADatabase)
        case .SQLITE_BUSY, .SQLITE_LOCKED: RecordingError(path, .inUse)
        case .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_READONLY, .SQLITE_AUTH:
            RecordingError(path, .refused(doing: "open", reason: message))
        default: RecordingError(path, .damaged(message))
        }
    }
}

extension RecordingError.WriteFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .diskFull: "the disk is full"
        case .inputOutput: "the disk reports an input/output error"
        case .locked: "another program keeps the file locked"
        case .other(let message): message
        }
    }

    /// What to do first.
    fileprivate var remedy: String? {
        switch self {
        case .diskFull: "Make room"
        case .inputOutput: "See to the disk"
        case .locked: "Close that program"
        case .other: nil
        }
    }
}

extension RecordingError.Kept: CustomStringConvertible {
    package var description: String {
        let rest = committed - synced
        return "\(synced) iteration\(synced == 1 ? " is" : "s are") safe in the file"
            + (rest > 0 ? ", \(rest) more \(rest == 1 ? "is" : "are") committed" : "")
    }
}
