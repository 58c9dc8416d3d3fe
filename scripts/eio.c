// LD_PRELOAD: after EIO_AFTER calls that write files, every further one fails with EIO (see scripts/test-kills).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/types.h>

static atomic_long calls;

static int is_broken(void) {
    static long limit;
    if (!limit) limit = atol(getenv("EIO_AFTER"));
    if (atomic_fetch_add(&calls, 1) < limit) return 0;
    errno = EIO;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    return is_broken() ? -1 : REAL(pwrite)(fd, bytes, count, offset);
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    return is_broken() ? -1 : REAL(pwrite64)(fd, bytes, count, offset);
}
int fsync(int fd) { return is_broken() ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return is_broken() ? -1 : REAL(fdatasync)(fd); }
int ftruncate(int fd, off_t size) { return is_broken() ? -1 : REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { return is_broken() ? -1 : REAL(ftruncate64)(fd, size); }
