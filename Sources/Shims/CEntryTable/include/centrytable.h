// SQLite as the virtual table of entries sees it: always through the table of functions that SQLite hands to
// extensions. So the same code works inside our programs and inside any other program's SQLite.
#pragma once
#include <sqlite3ext.h>

extern const sqlite3_api_routines *sqlite3_api;

/// Cursor of the virtual table, laid out in C because SQLite's part must come first. The Swift side owns the pointers:
/// `gfns` and `times` point to the decoded segment of one harvest, `source` to what decodes the next.
struct entry_cursor {
    sqlite3_vtab_cursor base;
    void *source;
    const unsigned long long *gfns;
    const long long *times;  // null when the segment has no exact times
    sqlite3_int64 index, end;  // of the current entry and behind the last one, in the decoded segment
    sqlite3_int64 first_seq, harvest, ts_ns;
};

/// The virtual table itself.
struct entry_table {
    sqlite3_vtab base;
    sqlite3 *db;
};

/// SQLite's entry point into the extension: registers the virtual table on a connection.
int sqlite3_dirtyrecsqlite_init(sqlite3 *db, char **error, const sqlite3_api_routines *api);

// SQLite's functions under names that Swift can import.
static inline int ext_create_module(sqlite3 *db, const char *name, const sqlite3_module *module) {
    return sqlite3_create_module_v2(db, name, module, 0, 0);
}
static inline int ext_declare_vtab(sqlite3 *db, const char *sql) { return sqlite3_declare_vtab(db, sql); }
/// Lets the table be used in views although stored SQL is not trusted.
static inline int ext_vtab_innocuous(sqlite3 *db) { return sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS); }
static inline void *ext_malloc(sqlite3_uint64 size) { return sqlite3_malloc64(size); }
static inline void ext_free(void *memory) { sqlite3_free(memory); }
static inline int ext_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **statement) {
    return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, 0);
}
static inline void ext_bind(sqlite3_stmt *statement, int index, sqlite3_int64 value) {
    sqlite3_bind_int64(statement, index, value);
}
static inline int ext_step(sqlite3_stmt *statement) { return sqlite3_step(statement); }
static inline void ext_reset(sqlite3_stmt *statement) { sqlite3_reset(statement); }
static inline void ext_finalize(sqlite3_stmt *statement) { sqlite3_finalize(statement); }
static inline sqlite3_int64 ext_int64(sqlite3_stmt *statement, int column) {
    return sqlite3_column_int64(statement, column);
}
static inline const void *ext_blob(sqlite3_stmt *statement, int column) {
    return sqlite3_column_blob(statement, column);
}
static inline int ext_bytes(sqlite3_stmt *statement, int column) { return sqlite3_column_bytes(statement, column); }
static inline const char *ext_error(sqlite3 *db) { return sqlite3_errmsg(db); }
static inline int ext_numeric_type(sqlite3_value *value) { return sqlite3_value_numeric_type(value); }
static inline sqlite3_int64 ext_value_int64(sqlite3_value *value) { return sqlite3_value_int64(value); }
static inline double ext_value_double(sqlite3_value *value) { return sqlite3_value_double(value); }
static inline void ext_result(sqlite3_context *context, sqlite3_int64 value) {
    sqlite3_result_int64(context, value);
}
