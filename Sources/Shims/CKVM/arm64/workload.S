// The built-in workloads: A64 code that runs at EL0 with interrupts masked and never faults, calls or uses a stack.
//
// Every operation chooses a page, draws whether to write or read it, and posts the number of operations completed.
// Guests/WorkloadModel.swift repeats the same arithmetic, so that the recorder knows which pages must be dirty:
// whoever changes one changes both, and x86_64/workload.S (KVMTests compares them).
//
//   x0   this vCPU's ckvm_workload_params      x12  operations completed
//   x8   base   x9  pages                      x13  count at which the next operation may begin
//   x10  state of the random numbers           x14  ticks an operation; 0: not paced
//   x11  write threshold                       x15  offset of the word that this vCPU writes
//   x16  shift of a page                       x17  multiplier of the random numbers
//   x18  doorbell                              x19, x20, x21  the workload's own
//   x1, x2, x3  scratch

#define P_BASE 0x00
#define P_PAGES 0x08
#define P_RNG 0x10
#define P_WRITE 0x18
#define P_TICKS 0x20
#define P_LIMIT 0x28
#define P_WORD 0x30
#define P_STRIDE 0x38
#define P_START 0x40
#define P_HOT_PAGES 0x48
#define P_HOT_THRESHOLD 0x50
#define P_PHASE_OPS 0x58
#define P_TABLE 0x60
#define P_BURST 0x68
#define P_SLACK 0x70
#define P_SLEEP 0x78
#define P_PROGRESS 0x80
#define P_WALK_STEP 0x88
#define P_MOVE_STEP 0x90
#define P_MOVE_START 0x98
#define P_MEET 0xa0
#define P_SHIFT 0xa8

#define DOORBELL 0xc0000000
#define LIMIT 0x0
#define PHASE 0x4
#define DMA 0x8
#define PACED 0xc

    .section .rodata
    .balign 4096
    .globl ckvm_workload_code
ckvm_workload_code:

.macro PROLOGUE
    ldr x8, [x0, #P_BASE]
    ldr x9, [x0, #P_PAGES]
    ldr x10, [x0, #P_RNG]
    ldr x11, [x0, #P_WRITE]
    ldr x14, [x0, #P_TICKS]
    ldr x15, [x0, #P_WORD]
    ldr x16, [x0, #P_SHIFT]
    movz x17, #0xdd1d
    movk x17, #0x4f6c, lsl #16
    movk x17, #0xf491, lsl #32
    movk x17, #0x2545, lsl #48
    mov x18, #DOORBELL
    mov x12, #0
    mrs x13, cntvct_el0
.endm

// x1 = the next random number (xorshift64*, Vigna 2016).
.macro DRAW
    eor x10, x10, x10, lsr #12
    eor x10, x10, x10, lsl #25
    eor x10, x10, x10, lsr #27
    mul x1, x10, x17
.endm

// Waits for this operation's turn; a long wait is the VMM's, which gives the CPU to others. A guest that fell behind by more than the slack
// forgets the backlog.
.macro PACE
    cbz x14, 92f
    add x13, x13, x14
90: isb
    mrs x1, cntvct_el0
    subs x3, x13, x1
    b.ls 91f
    ldr x2, [x0, #P_SLEEP]
    cmp x3, x2
    b.hs 93f
    yield
    b 90b
93: mov w2, #-1
    cmp x3, x2
    csel x2, x3, x2, lo
    str w2, [x18, #PACED]
    b 90b
91: sub x1, x1, x13
    ldr x2, [x0, #P_SLACK]
    cmp x1, x2
    b.ls 92f
    add x13, x13, x1
92:
.endm

// One more operation is complete: post it, behind what it wrote, and go on at \again. At the limit the VMM is told; before it lets
// this vCPU go on, if ever, it has raised the limit.
.macro COMPLETE again
    add x12, x12, #1
    add x2, x0, #P_PROGRESS
    stlr x12, [x2]
    ldr x2, [x0, #P_LIMIT]
    cmp x12, x2
    b.lo 95f
    str wzr, [x18, #LIMIT]
95: PACE
    b \again
.endm

// Accesses page x1: writes the number of this operation, or reads.
.macro ACCESS again
    lsl x1, x1, x16
    add x2, x8, x1
    add x2, x2, x15
    DRAW
    mov w1, w1
    cmp x1, x11
    b.hs 80f
    add x1, x12, #1
    str x1, [x2]
    b 81f
80: ldr x1, [x2]
81: COMPLETE \again
.endm

    .balign 16
stride:
    PROLOGUE
    ldr x19, [x0, #P_START]
    ldr x20, [x0, #P_STRIDE]
1:  mov x1, x19
    add x19, x19, x20
    cmp x19, x9
    b.lo 2f
    sub x19, x19, x9
2:  ACCESS 1b

    .balign 16
random:
    PROLOGUE
1:  DRAW
    umulh x1, x1, x9
    ACCESS 1b

    .balign 16
zipf:
    PROLOGUE
    ldr x19, [x0, #P_TABLE]
1:  DRAW
    mov w3, w1
    umulh x2, x1, x9
    add x2, x19, x2, lsl #4
    ldr w1, [x2, #8]
    ldr x20, [x2]
    cmp x3, x20
    b.lo 2f
    ldr w1, [x2, #12]
2:  ACCESS 1b

    // x19 = first page of the hot set, x20 = operations left in this phase, x21 = number of the phase.
    .balign 16
hotspot:
    PROLOGUE
    mov x19, #0
    mov x21, #0
    ldr x20, [x0, #P_PHASE_OPS]
1:  cbnz x20, 2f
    ldr x20, [x0, #P_PHASE_OPS]
    add x21, x21, #1
    str w21, [x18, #PHASE]
    ldr x1, [x0, #P_HOT_PAGES]
    add x19, x19, x1
    cmp x19, x9
    b.lo 2f
    sub x19, x19, x9
2:  sub x20, x20, #1
    DRAW
    mov w3, w1
    ldr x2, [x0, #P_HOT_THRESHOLD]
    cmp x3, x2
    b.hs 3f
    ldr x2, [x0, #P_HOT_PAGES]
    umulh x1, x1, x2
    add x1, x19, x1
    cmp x1, x9
    b.lo 4f
    sub x1, x1, x9
    b 4f
3:  umulh x1, x1, x9
4:  ACCESS 1b

    // Four phases in turn: walk, move, meet, rest. x19 = operation in the phase, x21 = number of the phase.
    .balign 16
phases:
    PROLOGUE
    mov x19, #0
    mov x21, #0
1:  ldr x1, [x0, #P_PHASE_OPS]
    cmp x19, x1
    b.lo 2f
    mov x19, #0
    add x21, x21, #1
    str w21, [x18, #PHASE]
2:  and w3, w21, #3
    mov x1, x19
    add x19, x19, #1
    cmp w3, #1
    b.lo 3f
    b.eq 4f
    cmp w3, #2
    b.eq 5f
    COMPLETE 1b
3:  ldr x2, [x0, #P_WALK_STEP]
    umulh x3, x1, x2
    mul x1, x1, x2
    extr x1, x3, x1, #32
    ldr x2, [x0, #P_START]
    add x1, x1, x2
    ACCESS 1b
4:  ldr x2, [x0, #P_MOVE_STEP]
    umulh x3, x1, x2
    mul x1, x1, x2
    extr x1, x3, x1, #32
    ldr x20, [x0, #P_MOVE_START]
    sub x20, x20, x1
    b 6f
5:  ldr x20, [x0, #P_MEET]
6:  DRAW
    ldr x2, [x0, #P_HOT_PAGES]
    umulh x1, x1, x2
    add x1, x20, x1
    ACCESS 1b

    .balign 16
idle:
    PROLOGUE
1:  mov w3, #1000
2:  DRAW
    subs w3, w3, #1
    b.ne 2b
    COMPLETE 1b

    .balign 16
dma:
    PROLOGUE
    mov x19, #0
1:  str w19, [x18, #DMA]
    ldr x1, [x0, #P_BURST]
    add x19, x19, x1
    cmp x19, x9
    b.lo 2f
    sub x19, x19, x9
2:  COMPLETE 1b

    .globl ckvm_workload_code_end
ckvm_workload_code_end:

    .balign 4
    .globl ckvm_entry_stride, ckvm_entry_random, ckvm_entry_zipf, ckvm_entry_hotspot, ckvm_entry_phases
    .globl ckvm_entry_idle, ckvm_entry_dma
ckvm_entry_stride:  .long stride - ckvm_workload_code
ckvm_entry_random:  .long random - ckvm_workload_code
ckvm_entry_zipf:    .long zipf - ckvm_workload_code
ckvm_entry_hotspot: .long hotspot - ckvm_workload_code
ckvm_entry_phases:  .long phases - ckvm_workload_code
ckvm_entry_idle:    .long idle - ckvm_workload_code
ckvm_entry_dma:     .long dma - ckvm_workload_code

    .section .note.GNU-stack, "", %progbits
