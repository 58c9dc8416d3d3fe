#include "csqliteshim.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <pthread.h>

// The default VFS, but a database file looks as its rollback journal would leave it: the pages that the journal has are read
// from there, and the length is the one before the transaction. Format and rules are those of SQLite's pager.c ("The
// Rollback Journal" in fileformat2.html): what follows the first record that is not whole does not count.

struct record {
    sqlite3_uint64 page;    // from 1 on
    sqlite3_int64 content;  // where its bytes are in the journal
};

struct overlay {
    int journal;
    sqlite3_int64 page_size, file_size;
    sqlite3_int64 count, room;
    struct record *records;  // ascending by page, each page once
};

static sqlite3_vfs *base;
static sqlite3_vfs rollback;
static sqlite3_io_methods methods, base_methods;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t methods_lock = PTHREAD_MUTEX_INITIALIZER;
static int registered;

static struct overlay **overlay_of(sqlite3_file *file) {
    return (struct overlay **)((char *)file + ((base->szOsFile + 7) & ~7));
}

static unsigned big_endian(const unsigned char *bytes) {
    return (unsigned)bytes[0] << 24 | (unsigned)bytes[1] << 16 | (unsigned)bytes[2] << 8 | bytes[3];
}

static void release(struct overlay *overlay) {
    if (!overlay) return;
    if (overlay->journal >= 0) close(overlay->journal);
    sqlite3_free(overlay->records);
    sqlite3_free(overlay);
}

static int by_page(const void *a, const void *b) {
    const struct record *x = a, *y = b;
    if (x->page != y->page) return x->page < y->page ? -1 : 1;
    return (x->content > y->content) - (x->content < y->content);
}

static int append(struct overlay *overlay, sqlite3_uint64 page, sqlite3_int64 content) {
    if (overlay->count == overlay->room) {
        sqlite3_int64 room = overlay->room ? 2 * overlay->room : 256;
        void *records = sqlite3_realloc64(overlay->records, (sqlite3_uint64)room * sizeof(struct record));
        if (!records) return SQLITE_IOERR_NOMEM;
        overlay->records = records;
        overlay->room = room;
    }
    overlay->records[overlay->count++] = (struct record){page, content};
    return SQLITE_OK;
}

static int is_power_of_two(sqlite3_int64 n, sqlite3_int64 least, sqlite3_int64 most) {
    return n >= least && n <= most && (n & (n - 1)) == 0;
}

/// Reads what the journal would undo; a journal that says nothing leaves `page_size` 0.
static int read_journal(struct overlay *overlay) {
    static const unsigned char magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    struct stat status;
    if (fstat(overlay->journal, &status) != 0 || !S_ISREG(status.st_mode)) return SQLITE_OK;
    unsigned char header[28], *page = 0;
    sqlite3_int64 at = 0, sector = 0;
    int code = SQLITE_OK;
    for (;;) {
        if (pread(overlay->journal, header, sizeof header, at) != (ssize_t)sizeof header) break;
        if (memcmp(header, magic, sizeof magic) != 0) break;
        sqlite3_int64 count = big_endian(header + 8);
        unsigned nonce = big_endian(header + 12);
        if (at == 0) {
            sqlite3_int64 size = big_endian(header + 24);
            sector = big_endian(header + 20);
            if (!is_power_of_two(size, 512, 65536) || !is_power_of_two(sector, 32, 65536)) break;
            overlay->page_size = size;
            overlay->file_size = big_endian(header + 16) * size;
            page = sqlite3_malloc64((sqlite3_uint64)size + 8);
            if (!page) return SQLITE_IOERR_NOMEM;
        }
        at += sector;
        sqlite3_int64 record = overlay->page_size + 8;
        // Written without syncs: as many as there are.
        if (count == 0xffffffff) count = (status.st_size - at) / record;
        for (; count > 0; count--, at += record) {
            if (pread(overlay->journal, page, (size_t)record, at) != (ssize_t)record) goto end;
            sqlite3_uint64 number = big_endian(page);
            unsigned sum = nonce;
            for (sqlite3_int64 i = overlay->page_size - 200; i > 0; i -= 200) sum += page[4 + i];
            if (number == 0 || sum != big_endian(page + 4 + overlay->page_size)) goto end;
            if ((code = append(overlay, number, at + 4)) != SQLITE_OK) goto end;
        }
        at = (at + sector - 1) / sector * sector;
    }
end:
    sqlite3_free(page);
    if (code != SQLITE_OK || overlay->count == 0) return code;
    // SQLite would write them in order, so of several the last holds.
    qsort(overlay->records, (size_t)overlay->count, sizeof(struct record), by_page);
    sqlite3_int64 kept = 0;
    for (sqlite3_int64 i = 0; i < overlay->count; i++) {
        if (kept > 0 && overlay->records[kept - 1].page == overlay->records[i].page) kept--;
        overlay->records[kept++] = overlay->records[i];
    }
    overlay->count = kept;
    return SQLITE_OK;
}

static const struct record *find(const struct overlay *overlay, sqlite3_uint64 page) {
    struct record key = {page, 0};
    sqlite3_int64 low = 0, high = overlay->count;
    while (low < high) {
        sqlite3_int64 middle = low + (high - low) / 2;
        if (overlay->records[middle].page < key.page) low = middle + 1; else high = middle;
    }
    return low < overlay->count && overlay->records[low].page == page ? &overlay->records[low] : 0;
}

static int read_file(sqlite3_file *file, void *buffer, int amount, sqlite3_int64 offset) {
    const struct overlay *overlay = *overlay_of(file);
    int code = base_methods.xRead(file, buffer, amount, offset);
    if (!overlay || overlay->page_size == 0) return code;
    if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ) return code;
    // A short read has filled the rest with zeros; the journal may have what the file does not.
    for (sqlite3_int64 at = offset; at < offset + amount;) {
        sqlite3_int64 within = at % overlay->page_size;
        sqlite3_int64 piece = overlay->page_size - within;
        if (piece > offset + amount - at) piece = offset + amount - at;
        const struct record *record = find(overlay, (sqlite3_uint64)(at / overlay->page_size) + 1);
        if (record && pread(overlay->journal, (char *)buffer + (at - offset), (size_t)piece, record->content + within) != piece)
            return SQLITE_IOERR_READ;
        if (record && at + piece == offset + amount) code = SQLITE_OK;
        at += piece;
    }
    return code;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size) {
    const struct overlay *overlay = *overlay_of(file);
    if (!overlay || overlay->page_size == 0) return base_methods.xFileSize(file, size);
    *size = overlay->file_size;
    return SQLITE_OK;
}

static int close_file(sqlite3_file *file) {
    release(*overlay_of(file));
    *overlay_of(file) = 0;
    return base_methods.xClose(file);
}

static int open_file(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *out_flags) {
    (void)vfs;
    *overlay_of(file) = 0;
    int code = base->xOpen(base, name, file, flags, out_flags);
    if (code != SQLITE_OK || !(flags & SQLITE_OPEN_MAIN_DB)) return code;
    struct overlay *overlay = sqlite3_malloc64(sizeof *overlay);
    code = SQLITE_IOERR_NOMEM;
    if (overlay) {
        memset(overlay, 0, sizeof *overlay);
        overlay->journal = open(sqlite3_filename_journal(name), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        code = overlay->journal < 0 ? SQLITE_OK : read_journal(overlay);
    }
    if (code != SQLITE_OK) {
        release(overlay);
        file->pMethods->xClose(file);
        file->pMethods = 0;
        return code;
    }
    *overlay_of(file) = overlay;
    pthread_mutex_lock(&methods_lock);
    methods = base_methods = *file->pMethods;  // the same each time
    methods.iVersion = 1;                      // neither a log nor mapped memory
    methods.xRead = read_file;
    methods.xFileSize = file_size;
    methods.xClose = close_file;
    pthread_mutex_unlock(&methods_lock);
    file->pMethods = &methods;
    return SQLITE_OK;
}

static void register_once(void) {
    base = sqlite3_vfs_find(0);
    rollback = *base;
    rollback.pNext = 0;
    rollback.zName = CSQLITE_ROLLBACK_VFS;
    rollback.szOsFile = ((base->szOsFile + 7) & ~7) + (int)sizeof(struct overlay *);
    rollback.xOpen = open_file;
    registered = sqlite3_vfs_register(&rollback, 0);
}

int csqlite_register_rollback_vfs(void) {
    pthread_once(&once, register_once);
    return registered;
}
