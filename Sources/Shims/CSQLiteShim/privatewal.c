#include "csqliteshim.h"
#include <pthread.h>
#include <string.h>

// The VFS is the default one with four methods of the database file replaced. The memory that they hand out hangs
// behind the default VFS's own file object. One connection uses it, so every lock is granted at once.

enum { MAX_REGIONS = 4096 };  // 32 KiB each: a log of 16 M pages

struct private_index {
    void *region[MAX_REGIONS];
};

static sqlite3_vfs *base;
static sqlite3_vfs private_wal;
static sqlite3_io_methods methods;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t methods_lock = PTHREAD_MUTEX_INITIALIZER;
static int registered;

static struct private_index **index_of(sqlite3_file *file) {
    return (struct private_index **)((char *)file + ((base->szOsFile + 7) & ~7));
}

static int shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out) {
    struct private_index **slot = index_of(file);
    *out = 0;
    if (page < 0 || page >= MAX_REGIONS) return SQLITE_IOERR_SHMSIZE;
    if (!*slot) {
        *slot = sqlite3_malloc64(sizeof(struct private_index));
        if (!*slot) return SQLITE_IOERR_NOMEM;
        memset(*slot, 0, sizeof(struct private_index));
    }
    if (!(*slot)->region[page] && extend) {
        void *memory = sqlite3_malloc64((sqlite3_uint64)size);
        if (!memory) return SQLITE_IOERR_NOMEM;
        memset(memory, 0, (size_t)size);
        (*slot)->region[page] = memory;
    }
    *out = (*slot)->region[page];
    return SQLITE_OK;
}

static int shm_lock(sqlite3_file *file, int offset, int count, int flags) {
    (void)file, (void)offset, (void)count, (void)flags;
    return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *file) {
    (void)file;
    __sync_synchronize();
}

static int shm_unmap(sqlite3_file *file, int delete_flag) {
    (void)delete_flag;
    struct private_index **slot = index_of(file);
    for (int page = 0; *slot && page < MAX_REGIONS; page++) sqlite3_free((*slot)->region[page]);
    sqlite3_free(*slot);
    *slot = 0;
    return SQLITE_OK;
}

static int open_file(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *out_flags) {
    (void)vfs;
    *index_of(file) = 0;
    int code = base->xOpen(base, name, file, flags, out_flags);
    if (code == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB)) {
        pthread_mutex_lock(&methods_lock);
        methods = *file->pMethods;  // the same each time: every database file of the base VFS has the same methods
        methods.xShmMap = shm_map;
        methods.xShmLock = shm_lock;
        methods.xShmBarrier = shm_barrier;
        methods.xShmUnmap = shm_unmap;
        pthread_mutex_unlock(&methods_lock);
        file->pMethods = &methods;
    }
    return code;
}

static void register_once(void) {
    base = sqlite3_vfs_find(0);
    private_wal = *base;
    private_wal.pNext = 0;
    private_wal.zName = CSQLITE_PRIVATE_WAL_VFS;
    private_wal.szOsFile = ((base->szOsFile + 7) & ~7) + (int)sizeof(struct private_index *);
    private_wal.xOpen = open_file;
    registered = sqlite3_vfs_register(&private_wal, 0);
}

int csqlite_register_private_wal_vfs(void) {
    pthread_once(&once, register_once);
    return registered;
}
