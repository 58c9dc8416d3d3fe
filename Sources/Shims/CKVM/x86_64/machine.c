// Layouts that Swift code relies on, on x86 only.
#include "ckvm.h"

_Static_assert(offsetof(struct ckvm_one_msr, nmsrs) == offsetof(struct kvm_msrs, nmsrs), "nmsrs");
_Static_assert(offsetof(struct ckvm_one_msr, entry) == offsetof(struct kvm_msrs, entries), "the entry follows the header");
