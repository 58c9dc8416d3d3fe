// A VMM that logs nothing, and tells what was written when. usage: plain-vm anonymous|thp|memfd|shared|hugetlb
//
// 64 MiB of guest memory lie at 1 GiB. vCPU 0 writes pages of the first quarter's first half, and only reads those of its second half;
// vCPU 1 writes those of the second quarter; both write those of the third; the VMM, as a device would, those of the fourth.
// Each access is a line of stdout when it ends: who, first page, pages, and the times before and after. On SIGUSR1 it begins to log, or ends it;
// on SIGUSR2 it plugs in 1 MiB at 2 GiB, which vCPU 0 writes from then on.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 16384, QUARTER = PAGES / 4, RUN = 16, PLUGGED = 256 };
static const uint64_t base = 1ull << 30, plugged = 2ull << 30;

// 32-bit code without paging: CX pages from EDI on are written (read), and the vCPU halts.
static const uint8_t writing[] = { 0x88, 0x07, 0x81, 0xc7, 0, 0x10, 0, 0, 0xe2, 0xf6, 0xf4 };
static const uint8_t reading[] = { 0x8a, 0x07, 0x81, 0xc7, 0, 0x10, 0, 0, 0xe2, 0xf6, 0xf4 };

static int vm;
static uint8_t *memory;
static struct kvm_userspace_memory_region region;
static volatile int stop, log_now, plug_now, is_plugged;
static pthread_mutex_t out = PTHREAD_MUTEX_INITIALIZER;

static int check(int result, const char *step)
{
    if (result < 0) {
        perror(step);
        _exit(1);
    }
    return result;
}

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void tell(const char *who, uint64_t page, int pages, long long since)
{
    long long until = now();
    pthread_mutex_lock(&out);
    printf("%s %llu %d %lld %lld\n", who, (unsigned long long)page, pages, since, until);
    pthread_mutex_unlock(&out);
}

static void *aligned(size_t size, int flags, int fd)
{
    // So that large pages of the host are some of the guest's.
    uint8_t *room = mmap(NULL, size + (2 << 20), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t *place = (uint8_t *)(((uintptr_t)room + (2 << 20) - 1) & ~((uintptr_t)(2 << 20) - 1));
    place = mmap(place, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0);
    check(place == MAP_FAILED ? -1 : 0, "mmap");
    return place;
}

static void *run(void *which)
{
    int id = (int)(intptr_t)which;
    int fd = check(ioctl(vm, KVM_CREATE_VCPU, id), "KVM_CREATE_VCPU");
    struct kvm_sregs sregs;
    check(ioctl(fd, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
    sregs.cr0 |= 1;
    struct kvm_segment code = { .limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .db = 1, .g = 1 };
    struct kvm_segment data = code;
    data.selector = 16;
    data.type = 3;
    sregs.cs = code;
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
    check(ioctl(fd, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
    struct kvm_mp_state state = { KVM_MP_STATE_RUNNABLE };
    ioctl(fd, KVM_SET_MP_STATE, &state);
    unsigned seed = id + 1;
    char name[8];
    snprintf(name, sizeof name, "%d", id);
    for (int turn = 0; !stop; turn++) {
        uint64_t page = 0;
        int reads = 0;
        unsigned place = rand_r(&seed);
        if (turn % 4 == 3)
            page = 2 * QUARTER + place % (QUARTER - RUN);
        else if (id == 1)
            page = QUARTER + place % (QUARTER - RUN);
        else if ((reads = turn % 4 == 2))
            page = QUARTER / 2 + place % (QUARTER / 2 - RUN);
        else
            page = place % (QUARTER / 2 - RUN);
        uint64_t address = base + page * PAGE;
        if (is_plugged && id == 0 && turn % 8 == 0)
            address = plugged + place % (PLUGGED - RUN) * PAGE;
        struct kvm_regs regs = { .rip = reads ? 0x100 : 0, .rdi = address, .rcx = RUN, .rax = turn & 0xff, .rflags = 2 };
        check(ioctl(fd, KVM_SET_REGS, &regs), "KVM_SET_REGS");
        long long since = now();
        check(ioctl(fd, KVM_RUN, 0), "KVM_RUN");
        check(ioctl(fd, KVM_GET_REGS, &regs), "KVM_GET_REGS");
        if (regs.rcx != 0)
            check(-1, "the guest did not do its work");
        tell(reads ? "r" : name, address / PAGE, RUN, since);
        usleep(4000);
    }
    return NULL;
}

static void set(int signal)
{
    if (signal == SIGUSR1)
        log_now = !log_now;
    else if (signal == SIGUSR2)
        plug_now = 1;
    else
        stop = 1;
}

int main(int argc, char **argv)
{
    const char *kind = argc > 1 ? argv[1] : "";
    size_t size = (size_t)PAGES * PAGE;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS, fd = -1;
    if (strcmp(kind, "memfd") == 0) {
        fd = check(memfd_create("guest", 0), "memfd_create");
        check(ftruncate(fd, size), "ftruncate");
        flags = MAP_SHARED;
    } else if (strcmp(kind, "shared") == 0)
        flags = MAP_SHARED | MAP_ANONYMOUS;
    else if (strcmp(kind, "hugetlb") == 0)
        flags |= MAP_HUGETLB;
    memory = aligned(size, flags, fd);
    if (flags & MAP_PRIVATE)
        madvise(memory, size, strcmp(kind, "thp") == 0 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    memset(memory, 1, size);
    int kvm = check(open("/dev/kvm", O_RDWR), "open /dev/kvm");
    vm = check(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
    uint8_t *code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(code, writing, sizeof writing);
    memcpy(code + 0x100, reading, sizeof reading);
    struct kvm_userspace_memory_region first = { 0, 0, 0, PAGE, (uintptr_t)code };
    check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &first), "KVM_SET_USER_MEMORY_REGION");
    region = (struct kvm_userspace_memory_region){ 1, 0, base, size, (uintptr_t)memory };
    check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
    int signals[] = { SIGUSR1, SIGUSR2, SIGTERM, SIGINT };
    for (int i = 0; i < 4; i++)
        sigaction(signals[i], &(struct sigaction){ .sa_handler = set, .sa_flags = SA_RESTART }, NULL);
    pthread_t threads[2];
    for (intptr_t id = 0; id < 2; id++)
        pthread_create(&threads[id], NULL, run, (void *)id);
    unsigned seed = 9;
    while (!stop) {
        int page = 3 * QUARTER + rand_r(&seed) % QUARTER;
        long long since = now();
        memory[(size_t)page * PAGE + 8]++;
        tell("d", base / PAGE + page, 1, since);
        if (log_now != !!region.flags) {
            region.flags = log_now ? KVM_MEM_LOG_DIRTY_PAGES : 0;
            check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
        }
        if (plug_now && !is_plugged) {
            uint8_t *more = mmap(NULL, PLUGGED * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            struct kvm_userspace_memory_region slot = { 2, 0, plugged, PLUGGED * PAGE, (uintptr_t)more };
            check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot), "KVM_SET_USER_MEMORY_REGION");
            is_plugged = 1;
        }
        usleep(3000);
    }
    for (int id = 0; id < 2; id++)
        pthread_join(threads[id], NULL);
    return 0;
}
