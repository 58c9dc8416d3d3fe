// What <linux/kvm.h> has on arm64 only; part of ckvm.h.
// VM.
CKVM_REQUEST(ARM_PREFERRED_TARGET);
// vCPU.
CKVM_REQUEST(ARM_VCPU_INIT);
CKVM_REQUEST(GET_ONE_REG);
CKVM_REQUEST(SET_ONE_REG);

// Registers, as KVM_GET_ONE_REG and KVM_SET_ONE_REG name them.
#define CKVM_CORE(name, field) \
    static const uint64_t CKVM_REG_##name = \
        KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | (offsetof(struct kvm_regs, field) / sizeof(uint32_t))
CKVM_CORE(X0, regs.regs[0]);
CKVM_CORE(X1, regs.regs[1]);
CKVM_CORE(X2, regs.regs[2]);
CKVM_CORE(X3, regs.regs[3]);
CKVM_CORE(PC, regs.pc);
CKVM_CORE(PSTATE, regs.pstate);
#define CKVM_SYSTEM(name, ...) static const uint64_t CKVM_REG_##name = ARM64_SYS_REG(__VA_ARGS__)
CKVM_SYSTEM(SCTLR_EL1, 3, 0, 1, 0, 0);
CKVM_SYSTEM(TTBR0_EL1, 3, 0, 2, 0, 0);
CKVM_SYSTEM(TCR_EL1, 3, 0, 2, 0, 2);
CKVM_SYSTEM(ELR_EL1, 3, 0, 4, 0, 1);
CKVM_SYSTEM(ESR_EL1, 3, 0, 5, 2, 0);
CKVM_SYSTEM(FAR_EL1, 3, 0, 6, 0, 0);
CKVM_SYSTEM(MAIR_EL1, 3, 0, 10, 2, 0);
CKVM_SYSTEM(CNTKCTL_EL1, 3, 0, 14, 1, 0);

// Ticks a second of the counter that guests read, too.
static inline uint64_t ckvm_counter_frequency(void) {
    uint64_t frequency;
    __asm__("mrs %0, cntfrq_el0" : "=r"(frequency));
    return frequency;
}

// Where a built-in workload speaks to the VMM: a page that no slot covers, below the data.
static const uint64_t CKVM_DOORBELL = 0xc0000000;
// A 32-bit store to one of its words.
enum {
    CKVM_DOORBELL_LIMIT = 0x0,  // op_limit is reached
    CKVM_DOORBELL_PHASE = 0x4,  // hotspot, phases: number of the phase that begins
    CKVM_DOORBELL_DMA = 0x8,    // dma: first page to write
    CKVM_DOORBELL_PACE = 0xc,   // ticks until the next operation's turn, at most 2^32-1
};
