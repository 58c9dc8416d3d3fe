// Layouts that Swift code and guest machine code rely on. A kernel header that breaks one must not compile.
#include "ckvm.h"

_Static_assert(sizeof(struct kvm_dirty_gfn) == 16, "a ring entry has 16 bytes");
_Static_assert(offsetof(struct kvm_dirty_gfn, flags) == 0, "flags are the word that both sides exchange");
_Static_assert(offsetof(struct kvm_dirty_gfn, slot) == 4, "slot");
_Static_assert(offsetof(struct kvm_dirty_gfn, offset) == 8, "offset");
_Static_assert(offsetof(struct kvm_run, immediate_exit) == 1, "immediate_exit is written while KVM_RUN runs");
_Static_assert(offsetof(struct kvm_run, exit_reason) == 8, "exit_reason");
_Static_assert(KVM_DIRTY_LOG_PAGE_OFFSET == 64, "rings are mapped at page 64 of the vCPU fd");

#define PARAM(field, at) _Static_assert(offsetof(struct ckvm_workload_params, field) == at, #field)
PARAM(base, 0x00);
PARAM(pages, 0x08);
PARAM(rng, 0x10);
PARAM(write_threshold, 0x18);
PARAM(ticks_per_op, 0x20);
PARAM(op_limit, 0x28);
PARAM(word_offset, 0x30);
PARAM(stride, 0x38);
PARAM(start, 0x40);
PARAM(hot_pages, 0x48);
PARAM(hot_threshold, 0x50);
PARAM(phase_ops, 0x58);
PARAM(table, 0x60);
PARAM(burst, 0x68);
PARAM(slack_ticks, 0x70);
PARAM(sleep_ticks, 0x78);
PARAM(progress, 0x80);
PARAM(walk_step, 0x88);
PARAM(move_step, 0x90);
PARAM(move_start, 0x98);
PARAM(meet, 0xa0);
PARAM(page_shift, 0xa8);
_Static_assert(sizeof(struct ckvm_alias_entry) == 16, "an alias entry has 16 bytes");
