// What Swift cannot say to SQLite itself: variadic functions, and a VFS.
#pragma once
#include <sqlite3.h>

/// Forbids SQL to reach into the file's structure, and stored SQL to call anything that is not known to be harmless.
static inline int csqlite_harden(sqlite3 *db) {
    int defensive = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)0);
    int trusted = sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)0);
    int triggers = sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, (int *)0);
    return defensive != SQLITE_OK ? defensive : trusted != SQLITE_OK ? trusted : triggers;
}

/// Lets a virtual table be used in views although stored SQL is not trusted. Call from xConnect only.
static inline int csqlite_vtab_innocuous(sqlite3 *db) { return sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS); }

/// Name of the VFS that reads a database in WAL mode without a -shm file: the index of the log is kept in private
/// memory, so that nothing beside the database is created or changed. Only for files that nobody writes.
#define CSQLITE_PRIVATE_WAL_VFS "dirtyrec-private-wal"

/// Registers the VFS; harmless when repeated.
int csqlite_register_private_wal_vfs(void);

/// Cursor of the virtual table of entries, laid out in C because SQLite's part must come first. The Swift side owns
/// the pointers: `gfns` and `times` point to the decoded segment of one harvest, `source` to what decodes the next.
struct csqlite_entry_cursor {
    sqlite3_vtab_cursor base;
    void *source;
    const unsigned long long *gfns;
    const long long *times;  // null when the segment has no exact times
    sqlite3_int64 index, end;  // of the current entry and behind the last one, in the decoded segment
    sqlite3_int64 first_seq, harvest, ts_ns;
};

/// The virtual table itself.
struct csqlite_entry_table {
    sqlite3_vtab base;
    sqlite3 *db;
};
