// Compares two images of memory page by page: prints the numbers of the pages that differ, and writes these to a sparse file.
// usage: pages BASE AFTER DIFF
// Or prints which pages of a private mapping a process has for itself, by /proc/PID/pagemap: those that it wrote since it made it.
// usage: pages private PID FIRST COUNT, both in pages
// Or writes a word at the begin of each of COUNT pages of a file, or prints which pages of an image begin with it.
// usage: pages mark FILE COUNT WORD; pages marked IMAGE WORD
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *map(const char *path, off_t *size)
{
    int fd = open(path, O_RDONLY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return NULL;
    *size = status.st_size;
    void *image = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    return image == MAP_FAILED ? NULL : image;
}

static int list_private(const char *pid, long long first, long long count)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/pagemap", pid);
    int fd = open(path, O_RDONLY);
    for (long long page = 0; page < count; page++) {
        uint64_t entry;
        if (pread(fd, &entry, 8, (first + page) * 8) != 8) {
            fprintf(stderr, "pages: %s cannot be read\n", path);
            return 1;
        }
        // Swapped out (bit 62), or there (63) and not of the file (61).
        if (entry >> 62 & 1 || (entry >> 63 && !(entry >> 61 & 1)))
            printf("%lld\n", page);
    }
    return 0;
}

static int mark(const char *path, long long count, const char *word)
{
    int fd = open(path, O_RDWR | O_CREAT, 0644);
    char page[4096];
    for (long long number = 0; number < count; number++) {
        memset(page, 0, sizeof page);
        snprintf(page, sizeof page, "%s %lld", word, number);
        if (pwrite(fd, page, sizeof page, number * 4096) != sizeof page) {
            fprintf(stderr, "pages: %s cannot be written\n", path);
            return 1;
        }
    }
    return 0;
}

static int list_marked(const char *path, const char *word)
{
    off_t size;
    const char *image = map(path, &size);
    if (!image) {
        fprintf(stderr, "pages: %s cannot be read\n", path);
        return 1;
    }
    for (off_t at = 0; at + 4096 <= size; at += 4096)
        if (!strncmp(image + at, word, strlen(word)))
            printf("%lld\n", (long long)at / 4096);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && !strcmp(argv[1], "private"))
        return list_private(argv[2], atoll(argv[3]), atoll(argv[4]));
    if (argc == 5 && !strcmp(argv[1], "mark"))
        return mark(argv[2], atoll(argv[3]), argv[4]);
    if (argc == 4 && !strcmp(argv[1], "marked"))
        return list_marked(argv[2], argv[3]);
    if (argc != 4)
        return 2;
    off_t size, other;
    const char *base = map(argv[1], &size), *after = map(argv[2], &other);
    int diff = open(argv[3], O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (!base || !after || diff < 0 || size != other || ftruncate(diff, size) < 0) {
        fprintf(stderr, "pages: the images cannot be compared\n");
        return 1;
    }
    for (off_t at = 0; at < size; at += 4096) {
        if (!memcmp(base + at, after + at, 4096))
            continue;
        printf("%lld\n", (long long)at / 4096);
        if (pwrite(diff, after + at, 4096, at) != 4096)
            return 1;
    }
    return 0;
}
