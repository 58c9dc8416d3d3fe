// LD_PRELOAD: logs to WRITES_LOG, in their order, what a program does to the files in the folder WRITES_FOLDER, and what it says
// on stderr (see scripts/test-crash-points, which knows the records).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;  // held over a call and its record: the log's order is the files'
static const char *folder;
static int log_fd = -1;

__attribute__((constructor)) static void begin(void) {
    folder = getenv("WRITES_FOLDER");
    log_fd = REAL(open)(getenv("WRITES_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    unsetenv("LD_PRELOAD");
}

struct record {
    char kind, pad[7];
    uint64_t inode, offset, length;  // length: of the bytes that follow
};

static void note(char kind, uint64_t inode, uint64_t offset, const void *bytes, uint64_t length) {
    struct record record = {.kind = kind, .inode = inode, .offset = offset, .length = length};
    __typeof__(&write) put = REAL(write);
    if (put(log_fd, &record, sizeof record) != sizeof record || put(log_fd, bytes, length) != (ssize_t)length) abort();
}

static const char *name_in_folder(const char *path) {
    char real[4096], *slash;
    if (!folder || strlen(path) >= sizeof real) return 0;
    strcpy(real, path);
    slash = strrchr(real, '/');
    if (!slash) return 0;
    *slash = 0;
    return strcmp(real, folder) ? 0 : path + (slash - real) + 1;
}

// The inode of a file or folder that is watched; 0 for all others. Indexes of logs hold nothing that lasts.
static uint64_t watched(int fd) {
    char link[64], path[4096];
    struct stat status;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (!folder || length < 0 || fstat(fd, &status)) return 0;
    path[length] = 0;
    if (strncmp(path, folder, strlen(folder)) || strstr(path, "-shm")) return 0;
    return status.st_ino;
}

static int opened(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    const char *name = flags & O_CREAT ? name_in_folder(path) : 0;
    if (!name || strstr(name, "-shm")) return real(path, flags, mode);
    struct stat status;
    pthread_mutex_lock(&lock);
    int is_new = lstat(path, &status) != 0, fd = real(path, flags, mode), code = errno;
    if (fd >= 0 && is_new) note('C', watched(fd), 0, name, strlen(name));
    pthread_mutex_unlock(&lock);
    errno = code;
    return fd;
}

#define MODE va_list list; va_start(list, flags); mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0; va_end(list)
int open(const char *path, int flags, ...) { MODE; return opened(REAL(open), path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE; return opened(REAL(open64), path, flags, mode); }

static ssize_t written(int fd, const void *bytes, off64_t offset, ssize_t (*real)(int, const void *, size_t, off64_t), size_t count) {
    uint64_t inode = watched(fd);
    if (!inode) return real(fd, bytes, count, offset);
    pthread_mutex_lock(&lock);
    ssize_t done = real(fd, bytes, count, offset);
    int code = errno;
    if (done > 0) note('W', inode, offset, bytes, done);
    pthread_mutex_unlock(&lock);
    errno = code;
    return done;
}
ssize_t pwrite(int fd, const void *b, size_t n, off_t o) { return written(fd, b, o, REAL(pwrite64), n); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t o) { return written(fd, b, o, REAL(pwrite64), n); }

ssize_t write(int fd, const void *bytes, size_t count) {
    if (fd == 2) {
        pthread_mutex_lock(&lock);
        note('M', 0, 0, bytes, count);
        pthread_mutex_unlock(&lock);
    } else if (watched(fd)) {
        abort();  // nobody writes without an offset; the replay would not know where
    }
    return REAL(write)(fd, bytes, count);
}

static int cut(int fd, off64_t size, int (*real)(int, off64_t)) {
    uint64_t inode = watched(fd);
    if (!inode) return real(fd, size);
    pthread_mutex_lock(&lock);
    int code = real(fd, size);
    if (!code) note('T', inode, size, "", 0);
    pthread_mutex_unlock(&lock);
    return code;
}
int ftruncate(int fd, off_t size) { return cut(fd, size, REAL(ftruncate64)); }
int ftruncate64(int fd, off64_t size) { return cut(fd, size, REAL(ftruncate64)); }

// What was written before a sync began is on the disk when it has ended.
static int synced(int fd, int (*real)(int)) {
    uint64_t inode = watched(fd);
    if (!inode) return real(fd);
    static uint64_t number;
    pthread_mutex_lock(&lock);
    uint64_t own = ++number;
    note('B', inode, own, "", 0);
    pthread_mutex_unlock(&lock);
    int code = real(fd);
    pthread_mutex_lock(&lock);
    if (!code) note('E', inode, own, "", 0);
    pthread_mutex_unlock(&lock);
    return code;
}
int fsync(int fd) { return synced(fd, REAL(fsync)); }
int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }

int unlink(const char *path) {
    const char *name = name_in_folder(path);
    pthread_mutex_lock(&lock);
    int code = REAL(unlink)(path), error = errno;
    if (!code && name) note('U', 0, 0, name, strlen(name));
    pthread_mutex_unlock(&lock);
    errno = error;
    return code;
}

int rename(const char *from, const char *to) {
    const char *one = name_in_folder(from), *other = name_in_folder(to);
    char both[512];
    pthread_mutex_lock(&lock);
    int code = REAL(rename)(from, to), error = errno;
    if (!code && one && other) note('R', 0, 0, both, snprintf(both, sizeof both, "%s/%s", one, other));
    pthread_mutex_unlock(&lock);
    errno = error;
    return code;
}
