// A VMM with two VMs in one process, without rings: VM 1 writes the pages 0x10 to 0x1f, VM 2 those from 0x20 to 0x2f. After SECONDS
// VM 2 gets another vCPU, in a new thread, and more memory, which the new vCPU writes: 0x40 to 0x4f. Harvests are made by
// threads that live for one harvest each. Runs until it is killed. usage: two-vms SECONDS
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 16, LOW = 0x10000 };

// One byte to each of PAGES pages from AX * 16 on, then HLT.
static const uint8_t code[] = { 0xb9, PAGES, 0, 0x8e, 0xc0, 0x26, 0xa2, 0, 0, 0x05, 0, 1, 0xe2, 0xf5, 0xf4 };

static int kvm;
static struct vm { int fd, slots; } vms[2];
static struct vcpu { int vm, id; uint64_t first; } vcpus[] = { { 0, 0, 0x10 }, { 1, 0, 0x20 }, { 1, 1, 0x40 } };

static int check(int result, const char *step)
{
    if (result < 0) {
        perror(step);
        _exit(1);
    }
    return result;
}

static uint8_t *memory(int vm, uint32_t slot, uint32_t flags, uint64_t base, uint64_t size)
{
    uint8_t *place = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(place == MAP_FAILED ? -1 : 0, "mmap");
    memset(place, 0, size); // or first reads would be logged
    struct kvm_userspace_memory_region region = { slot, flags, base, size, (uintptr_t)place };
    check(ioctl(vms[vm].fd, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
    return place;
}

static void *run(void *which)
{
    struct vcpu *v = which;
    int fd = check(ioctl(vms[v->vm].fd, KVM_CREATE_VCPU, v->id), "KVM_CREATE_VCPU");
    struct kvm_sregs sregs;
    check(ioctl(fd, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
    sregs.cs.base = sregs.cs.selector = 0;
    check(ioctl(fd, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
    // Another vCPU than the first would wait to be woken.
    struct kvm_mp_state state = { KVM_MP_STATE_RUNNABLE };
    ioctl(fd, KVM_SET_MP_STATE, &state);
    for (;;) {
        struct kvm_regs regs = { .rax = v->first * PAGE / 16, .rflags = 2 };
        check(ioctl(fd, KVM_SET_REGS, &regs), "KVM_SET_REGS");
        check(ioctl(fd, KVM_RUN, 0), "KVM_RUN");
        usleep(20000);
    }
    return NULL;
}

static void *harvest(void *unused)
{
    for (int vm = 0; vm < 2; vm++)
        for (int slot = 1; slot <= vms[vm].slots; slot++) {
            uint64_t bitmap[64];
            struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = bitmap };
            check(ioctl(vms[vm].fd, KVM_GET_DIRTY_LOG, &log), "KVM_GET_DIRTY_LOG");
        }
    return unused;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 1e9;
    kvm = check(open("/dev/kvm", O_RDWR), "open /dev/kvm");
    pthread_t thread;
    for (int vm = 0; vm < 2; vm++) {
        vms[vm] = (struct vm){ check(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM"), 1 };
        memcpy(memory(vm, 0, 0, 0, LOW), code, sizeof code);
        memory(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, vcpus[vm].first * PAGE, PAGES * PAGE);
        pthread_create(&thread, NULL, run, &vcpus[vm]);
    }
    for (double now = 0;; now += 0.1) {
        if (now >= seconds && vms[1].slots == 1) {
            memory(1, 2, KVM_MEM_LOG_DIRTY_PAGES, vcpus[2].first * PAGE, PAGES * PAGE);
            vms[1].slots = 2;
            pthread_create(&thread, NULL, run, &vcpus[2]);
            puts("plugged in");
            fflush(stdout);
        }
        pthread_create(&thread, NULL, harvest, NULL);
        pthread_join(thread, NULL);
        usleep(100000);
    }
}
