/* Proves that KVM and its dirty ring work where this runs: a real-mode guest writes one byte to each of PAGES pages, twice.
 *
 * Prints what the kernel offers and what the ring held; exits 0 if every pass logged exactly the expected pages, in order. */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 16, ENTRIES = 1024, CODE_BASE = 0x0, DATA_BASE = 0x10000, DATA_SLOT = 1 };

static const uint8_t code[] = {
    0xb8, 0x00, 0x10,       /*       mov ax, 0x1000   segment of DATA_BASE */
    0xb9, PAGES, 0x00,      /*       mov cx, PAGES                         */
    0x8e, 0xc0,             /* next: mov es, ax                            */
    0x26, 0xa2, 0x00, 0x00, /*       mov es:[0], al                        */
    0x05, 0x00, 0x01,       /*       add ax, 0x100    one page further     */
    0xe2, 0xf5,             /*       loop next                             */
    0xf4,                   /*       hlt                                   */
};

/* The first failed step ends the program with its name. */
static int check(int result, const char *step)
{
    if (result < 0) {
        perror(step);
        _exit(1);
    }
    return result;
}

static uint8_t *map(size_t size, int flags, int fd, off_t offset)
{
    void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, offset);
    check(address == MAP_FAILED ? -1 : 0, "mmap");
    return address;
}

static void add_slot(int vm, uint32_t slot, uint32_t flags, uint64_t base, uint64_t size, uint8_t *memory)
{
    struct kvm_userspace_memory_region region = { .slot = slot, .flags = flags, .guest_phys_addr = base,
                                                  .memory_size = size, .userspace_addr = (uintptr_t)memory };
    check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
}

int main(void)
{
    int kvm = check(open("/dev/kvm", O_RDWR), "open /dev/kvm");
    int vm = check(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
    int bytes = check(ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_DIRTY_LOG_RING), "KVM_CAP_DIRTY_LOG_RING");
    printf("KVM_CAP_DIRTY_LOG_RING %d bytes\n", bytes);
    if (bytes == 0)
        return 1;

    struct kvm_enable_cap ring_cap = { .cap = KVM_CAP_DIRTY_LOG_RING, .args = { ENTRIES * sizeof(struct kvm_dirty_gfn) } };
    check(ioctl(vm, KVM_ENABLE_CAP, &ring_cap), "KVM_ENABLE_CAP dirty ring"); /* before any vCPU */

    uint8_t *low = map(DATA_BASE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t *data = map(PAGES * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(low, code, sizeof code);
    add_slot(vm, 0, 0, CODE_BASE, DATA_BASE, low);
    add_slot(vm, DATA_SLOT, KVM_MEM_LOG_DIRTY_PAGES, DATA_BASE, PAGES * PAGE, data);

    int vcpu = check(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
    struct kvm_run *run = (void *)map(check(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "mmap size"), MAP_SHARED, vcpu, 0);
    struct kvm_dirty_gfn *ring = (void *)map(ENTRIES * sizeof *ring, MAP_SHARED, vcpu, KVM_DIRTY_LOG_PAGE_OFFSET * PAGE);

    struct kvm_sregs sregs;
    check(ioctl(vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
    sregs.cs.base = CODE_BASE;
    sregs.cs.selector = 0;
    check(ioctl(vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");

    uint32_t next = 0;
    int wrong = 0;
    for (int pass = 1; pass <= 2; pass++) {
        struct kvm_regs regs = { .rip = 0, .rflags = 2 };
        check(ioctl(vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
        check(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
        if (run->exit_reason != KVM_EXIT_HLT) {
            printf("exit reason %u instead of HLT\n", run->exit_reason);
            return 1;
        }
        printf("pass %d:", pass);
        uint32_t first = next;
        struct kvm_dirty_gfn *entry = &ring[next % ENTRIES];
        while (__atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE) & KVM_DIRTY_GFN_F_DIRTY) {
            printf(" %u:%llu", entry->slot, (unsigned long long)entry->offset);
            wrong += entry->slot != DATA_SLOT || entry->offset != next - first;
            __atomic_store_n(&entry->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
            entry = &ring[++next % ENTRIES];
        }
        int reset = check(ioctl(vm, KVM_RESET_DIRTY_RINGS, 0), "KVM_RESET_DIRTY_RINGS");
        printf("\npass %d: %u entries, %d reset\n", pass, next - first, reset);
        wrong += next - first != PAGES || reset != PAGES;
    }
    puts(wrong ? "WRONG" : "exact");
    return wrong ? 1 : 0;
}
