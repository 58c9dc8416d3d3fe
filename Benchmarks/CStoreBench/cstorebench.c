#include "cstorebench.h"
#include <sqlite3.h>
#include <string.h>

size_t cbench_encode(const uint64_t *gfns, size_t count, uint8_t *out) {
    uint8_t *cursor = out;
    uint64_t previous = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t delta = (int64_t)(gfns[i] - previous);
        previous = gfns[i];
        uint64_t rest = ((uint64_t)delta << 1) ^ (uint64_t)(delta >> 63);
        while (rest >= 0x80) {
            *cursor++ = (uint8_t)rest | 0x80;
            rest >>= 7;
        }
        *cursor++ = (uint8_t)rest;
    }
    return (size_t)(cursor - out);
}

size_t cbench_decode(const uint8_t *in, uint64_t *gfns, size_t count) {
    const uint8_t *cursor = in;
    uint64_t previous = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 0;
        for (int shift = 0;; shift += 7) {
            uint8_t byte = *cursor++;
            value |= (uint64_t)(byte & 0x7f) << shift;
            if (byte < 0x80) break;
        }
        previous += (value >> 1) ^ -(value & 1);
        gfns[i] = previous;
    }
    return (size_t)(cursor - in);
}

// A virtual table over an array, as small as it can be.

struct array {
    const uint64_t *gfns;
    sqlite3_int64 count;
};
struct table {
    sqlite3_vtab base;
    struct array *array;
};
struct cursor {
    sqlite3_vtab_cursor base;
    struct array *array;
    sqlite3_int64 row;
};

static int connect_table(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **error) {
    (void)argc, (void)argv, (void)error;
    int code = sqlite3_declare_vtab(db, "CREATE TABLE x(seq INTEGER, gfn INTEGER)");
    if (code != SQLITE_OK) return code;
    struct table *table = sqlite3_malloc64(sizeof *table);
    if (!table) return SQLITE_NOMEM;
    *table = (struct table){.array = aux};
    *out = &table->base;
    return SQLITE_OK;
}
static int best_index(sqlite3_vtab *table, sqlite3_index_info *info) {
    (void)table;
    info->estimatedCost = 1e9;
    return SQLITE_OK;
}
static int disconnect(sqlite3_vtab *table) {
    sqlite3_free(table);
    return SQLITE_OK;
}
static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **out) {
    struct cursor *cursor = sqlite3_malloc64(sizeof *cursor);
    if (!cursor) return SQLITE_NOMEM;
    *cursor = (struct cursor){.array = ((struct table *)table)->array};
    *out = &cursor->base;
    return SQLITE_OK;
}
static int close_cursor(sqlite3_vtab_cursor *cursor) {
    sqlite3_free(cursor);
    return SQLITE_OK;
}
static int filter(sqlite3_vtab_cursor *cursor, int plan, const char *name, int argc, sqlite3_value **argv) {
    (void)plan, (void)name, (void)argc, (void)argv;
    ((struct cursor *)cursor)->row = 0;
    return SQLITE_OK;
}
static int next(sqlite3_vtab_cursor *cursor) {
    ((struct cursor *)cursor)->row++;
    return SQLITE_OK;
}
static int eof(sqlite3_vtab_cursor *cursor) {
    return ((struct cursor *)cursor)->row >= ((struct cursor *)cursor)->array->count;
}
static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
    struct cursor *cursor = (struct cursor *)base;
    sqlite3_result_int64(context, column == 0 ? cursor->row + 1 : (sqlite3_int64)cursor->array->gfns[cursor->row]);
    return SQLITE_OK;
}
static int rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *out) {
    *out = ((struct cursor *)cursor)->row + 1;
    return SQLITE_OK;
}

static const sqlite3_module module = {
    .xConnect = connect_table, .xBestIndex = best_index, .xDisconnect = disconnect, .xOpen = open_cursor,
    .xClose = close_cursor, .xFilter = filter, .xNext = next, .xEof = eof, .xColumn = column, .xRowid = rowid,
};

static int open_file(const char *path, const char *setup, sqlite3 **db) {
    // As our connections: without SQLite's own locking between threads.
    int code = sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, 0);
    if (code == SQLITE_OK) code = sqlite3_exec(*db, setup, 0, 0, 0);
    return code;
}

int cbench_rows_by_virtual_table(const char *path, const char *setup, const uint64_t *gfns, size_t count) {
    sqlite3 *db = 0;
    struct array array = {gfns, (sqlite3_int64)count};
    int code = open_file(path, setup, &db);
    if (code == SQLITE_OK) code = sqlite3_create_module_v2(db, "array", &module, &array, 0);
    if (code == SQLITE_OK) code = sqlite3_exec(db, "INSERT INTO dirty_entry SELECT seq, gfn FROM array", 0, 0, 0);
    sqlite3_close(db);
    return code;
}

int cbench_rows_by_binding(const char *path, const char *setup, const uint64_t *gfns, size_t count) {
    sqlite3 *db = 0;
    sqlite3_stmt *insert = 0;
    int code = open_file(path, setup, &db);
    if (code == SQLITE_OK) code = sqlite3_exec(db, "BEGIN", 0, 0, 0);
    if (code == SQLITE_OK) code = sqlite3_prepare_v2(db, "INSERT INTO dirty_entry VALUES (?, ?)", -1, &insert, 0);
    for (size_t i = 0; code == SQLITE_OK && i < count; i++) {
        sqlite3_bind_int64(insert, 1, (sqlite3_int64)i + 1);
        sqlite3_bind_int64(insert, 2, (sqlite3_int64)gfns[i]);
        if (sqlite3_step(insert) != SQLITE_DONE) code = sqlite3_errcode(db);
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    if (code == SQLITE_OK) code = sqlite3_exec(db, "COMMIT", 0, 0, 0);
    sqlite3_close(db);
    return code;
}

int cbench_scan_rows(const char *path, uint64_t *sum) {
    sqlite3 *db = 0;
    sqlite3_stmt *scan = 0;
    *sum = 0;
    int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, 0);
    if (code == SQLITE_OK) code = sqlite3_prepare_v2(db, "SELECT gfn FROM dirty_entry", -1, &scan, 0);
    if (code == SQLITE_OK) {
        while ((code = sqlite3_step(scan)) == SQLITE_ROW) *sum += (uint64_t)sqlite3_column_int64(scan, 0);
        if (code == SQLITE_DONE) code = SQLITE_OK;
    }
    sqlite3_finalize(scan);
    sqlite3_close(db);
    return code;
}
