// What Swift cannot say to SQLite itself: variadic functions, and VFSs.
#pragma once
#include <fcntl.h>
#include <sqlite3.h>

/// Forbids SQL to reach into the file's structure, and stored SQL to call anything that is not known to be harmless.
static inline int csqlite_harden(sqlite3 *db) {
    int defensive = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)0);
    int trusted = sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)0);
    int triggers = sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, (int *)0);
    return defensive != SQLITE_OK ? defensive : trusted != SQLITE_OK ? trusted : triggers;
}

/// Says in `lock` what would keep an open file description from taking it (F_OFD_GETLK).
static inline int csqlite_get_lock(int descriptor, struct flock *lock) { return fcntl(descriptor, 36, lock); }

/// Name of the VFS that reads a database in WAL mode without a -shm file: the index of the log is kept in private
/// memory, so that nothing beside the database is created or changed. Only for files that nobody writes.
#define CSQLITE_PRIVATE_WAL_VFS "dirtyrec-private-wal"

/// Registers the VFS; harmless when repeated.
int csqlite_register_private_wal_vfs(void);

/// Name of the VFS that shows a database as its rollback journal would leave it, and writes nothing. Only for files that
/// nobody writes.
#define CSQLITE_ROLLBACK_VFS "dirtyrec-rollback"

/// Registers the VFS; harmless when repeated.
int csqlite_register_rollback_vfs(void);

/// Makes every connection that is opened from now on begin with `entry`, as if it had loaded that extension.
static inline int csqlite_auto_extension(
    int (*entry)(sqlite3 *, char **, const struct sqlite3_api_routines *)) {
    return sqlite3_auto_extension((void (*)(void))entry);
}
