#include "centrytable.h"

SQLITE_EXTENSION_INIT1

// In Swift, EntryTable.swift.
int dirtyrec_register_entry_table(sqlite3 *db);

int sqlite3_dirtyrecsqlite_init(sqlite3 *db, char **error, const sqlite3_api_routines *api) {
    (void)error;
    SQLITE_EXTENSION_INIT2(api);
    return dirtyrec_register_entry_table(db);
}
