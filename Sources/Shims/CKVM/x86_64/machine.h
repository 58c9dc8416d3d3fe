// What <linux/kvm.h> has on x86 only; part of ckvm.h.
// System.
CKVM_REQUEST(GET_SUPPORTED_CPUID);
// VM.
CKVM_REQUEST(SET_TSS_ADDR);
CKVM_REQUEST(CREATE_IRQCHIP);
CKVM_REQUEST(CREATE_PIT2);
CKVM_REQUEST(IRQ_LINE);
CKVM_REQUEST(XEN_HVM_SET_ATTR);
// vCPU.
CKVM_REQUEST(GET_REGS);
CKVM_REQUEST(SET_REGS);
CKVM_REQUEST(GET_SREGS);
CKVM_REQUEST(SET_SREGS);
CKVM_REQUEST(SET_CPUID2);
CKVM_REQUEST(GET_TSC_KHZ);
CKVM_REQUEST(SET_MSRS);

// KVM_SET_MSRS with room for one.
struct ckvm_one_msr {
    uint32_t nmsrs, pad;
    struct kvm_msr_entry entry;
};

// I/O ports by which a built-in workload speaks to the VMM.
enum {
    CKVM_PORT_LIMIT = 0xd0,  // op_limit is reached
    CKVM_PORT_PHASE = 0xd1,  // hotspot, phases: eax = number of the phase that begins
    CKVM_PORT_DMA = 0xd2,    // dma: eax = first page to write
    CKVM_PORT_PACE = 0xd3,   // eax = ticks until the next operation's turn, at most 2^32-1
};
