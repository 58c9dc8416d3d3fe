// What Swift cannot import from <linux/kvm.h>: ioctl numbers and other macros with arguments, and the guest's machine
// code. No logic lives here; every layout that Swift relies on is asserted in layout.c.
#ifndef CKVM_H
#define CKVM_H

#include <linux/kvm.h>
#include <linux/userfaultfd.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

// Newer than Debian 12's headers.
#ifndef KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP
#define KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP 225
#endif

#define CKVM_REQUEST(name) static const unsigned long CKVM_##name = KVM_##name

// System.
CKVM_REQUEST(GET_API_VERSION);
CKVM_REQUEST(CREATE_VM);
CKVM_REQUEST(CHECK_EXTENSION);
CKVM_REQUEST(GET_VCPU_MMAP_SIZE);
// VM.
CKVM_REQUEST(CREATE_VCPU);
CKVM_REQUEST(ENABLE_CAP);
CKVM_REQUEST(SET_USER_MEMORY_REGION);
CKVM_REQUEST(GET_DIRTY_LOG);
CKVM_REQUEST(CLEAR_DIRTY_LOG);
CKVM_REQUEST(RESET_DIRTY_RINGS);
// VM and vCPU. Available with KVM_CAP_BINARY_STATS_FD.
CKVM_REQUEST(GET_STATS_FD);
// vCPU.
CKVM_REQUEST(RUN);

// What only one architecture has.
#if defined(__x86_64__)
#include "../x86_64/machine.h"
#elif defined(__aarch64__)
#include "../arm64/machine.h"
#endif

// Pages that do not come.
static const unsigned long CKVM_UFFDIO_API = UFFDIO_API;
static const unsigned long CKVM_UFFDIO_REGISTER = UFFDIO_REGISTER;
static const unsigned long CKVM_UFFDIO_UNREGISTER = UFFDIO_UNREGISTER;
static const uint64_t CKVM_UFFD_API = UFFD_API;
static const uint64_t CKVM_UFFDIO_REGISTER_MODE_MISSING = UFFDIO_REGISTER_MODE_MISSING;
// The C library has no function for it, and Swift none for syscall().
static inline int ckvm_userfaultfd(int flags) { return (int)syscall(SYS_userfaultfd, flags); }

// States of a ring entry.
static const uint32_t CKVM_DIRTY_GFN_F_DIRTY = KVM_DIRTY_GFN_F_DIRTY;
static const uint32_t CKVM_DIRTY_GFN_F_RESET = KVM_DIRTY_GFN_F_RESET;

// Flags of a memory region.
static const uint32_t CKVM_MEM_LOG_DIRTY_PAGES = KVM_MEM_LOG_DIRTY_PAGES;
static const uint32_t CKVM_MEM_READONLY = KVM_MEM_READONLY;

// Parameters of one vCPU of a built-in workload, in an unlogged page of guest memory. workload.S reads it by these
// offsets (asserted in layout.c); the host reads `progress` while the guest runs.
struct ckvm_workload_params {
    uint64_t base;             // guest address of the region
    uint64_t pages;            // pages in the region
    uint64_t rng;              // state of xorshift64*, not 0
    uint64_t write_threshold;  // a 32-bit draw below it writes; 2^32: always
    uint64_t ticks_per_op;     // 0: as fast as it can
    uint64_t op_limit;         // tell the VMM after so many operations; 2^64-1: never
    uint64_t word_offset;      // where in a page this vCPU writes its operation number
    uint64_t stride;           // stride: pages from one operation to the next
    uint64_t start;            // stride, phases: first page
    uint64_t hot_pages;        // hotspot, phases: size of the hot set
    uint64_t hot_threshold;    // hotspot: a 32-bit draw below it goes to the hot set
    uint64_t phase_ops;        // hotspot: operations until the hot set moves; phases: operations of one
    uint64_t table;            // zipf: guest address of the alias table
    uint64_t burst;            // dma: pages that the VMM writes for one request
    uint64_t slack_ticks;      // how far pacing may fall behind before it forgets the backlog
    uint64_t sleep_ticks;      // a wait of so many ticks is left to the VMM; 2^64-1: none
    uint64_t progress;         // operations completed, written by the guest
    uint64_t walk_step;        // phases: pages from one operation of a walk to the next, times 2^32
    uint64_t move_step;        // phases: pages that the hot set moves down with each operation, times 2^32
    uint64_t move_start;       // phases: first page of the hot set before it moves
    uint64_t meet;             // phases: first page of the set that all vCPUs share
    uint64_t page_shift;       // where pages have several sizes: bytes of a page as a power of two
};

// One entry of zipf's alias table (Walker 1974, Vose 1991).
struct ckvm_alias_entry {
    uint64_t threshold;  // a 32-bit draw below it takes `page`, any other `alias`
    uint32_t page;
    uint32_t alias;
};

// The workloads' machine code, position independent, to be copied into the guest; entry points as offsets into it.
// Swift cannot import arrays of unknown size, hence the two functions.
extern const uint8_t ckvm_workload_code[], ckvm_workload_code_end[];
static inline const uint8_t *ckvm_workload_start(void) { return ckvm_workload_code; }
static inline size_t ckvm_workload_size(void) { return (size_t)(ckvm_workload_code_end - ckvm_workload_code); }
extern const uint32_t ckvm_entry_stride, ckvm_entry_random, ckvm_entry_zipf, ckvm_entry_hotspot, ckvm_entry_phases,
    ckvm_entry_idle, ckvm_entry_dma;

#endif
