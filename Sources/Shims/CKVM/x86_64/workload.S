// The built-in workloads: 64-bit code that runs at CPL 3 with IOPL 3 and never faults, calls or uses a stack.
//
// Every operation chooses a page, draws whether to write or read it, and posts the number of operations completed.
// Guests/WorkloadModel.swift repeats the same arithmetic, so that the recorder knows which pages must be dirty:
// whoever changes one changes both (KVMTests compares them).
//
//   rdi  this vCPU's ckvm_workload_params      r12  operations completed
//   r8   base   r9  pages                      r13  TSC at which the next operation may begin
//   r10  state of the random numbers           r14  TSC ticks an operation; 0: not paced
//   r11  write threshold                       r15  offset of the word that this vCPU writes
//   rbx, rbp, rsi  the workload's own          rax, rcx, rdx  scratch

#define P_BASE 0x00
#define P_PAGES 0x08
#define P_RNG 0x10
#define P_WRITE 0x18
#define P_TSC 0x20
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

#define PORT_LIMIT 0xd0
#define PORT_PHASE 0xd1
#define PORT_DMA 0xd2
#define PORT_PACE 0xd3

    .section .rodata
    .balign 4096
    .globl ckvm_workload_code
ckvm_workload_code:

.macro PROLOGUE
    movq P_BASE(%rdi), %r8
    movq P_PAGES(%rdi), %r9
    movq P_RNG(%rdi), %r10
    movq P_WRITE(%rdi), %r11
    movq P_TSC(%rdi), %r14
    movq P_WORD(%rdi), %r15
    xorl %r12d, %r12d
    rdtsc
    shlq $32, %rdx
    orq %rdx, %rax
    movq %rax, %r13
.endm

// rax = the next random number (xorshift64*, Vigna 2016); rdx is lost.
.macro DRAW
    movq %r10, %rax
    shrq $12, %rax
    xorq %rax, %r10
    movq %r10, %rax
    shlq $25, %rax
    xorq %rax, %r10
    movq %r10, %rax
    shrq $27, %rax
    xorq %rax, %r10
    movabsq $0x2545F4914F6CDD1D, %rax
    imulq %r10, %rax
.endm

// Waits for this operation's turn; a long wait is the VMM's, which gives the CPU to others. A guest that fell behind by more than the slack
// forgets the backlog.
.macro PACE
    testq %r14, %r14
    jz 92f
    addq %r14, %r13
90: rdtsc
    shlq $32, %rdx
    orq %rdx, %rax
    movq %r13, %rcx
    subq %rax, %rcx
    jbe 91f
    cmpq P_SLEEP(%rdi), %rcx
    jae 93f
    pause
    jmp 90b
93: movl $-1, %eax
    cmpq %rax, %rcx
    cmovbl %ecx, %eax
    outl %eax, $PORT_PACE
    jmp 90b
91: subq %r13, %rax
    cmpq P_SLACK(%rdi), %rax
    jbe 92f
    addq %rax, %r13
92:
.endm

// One more operation is complete: post it and go on at \again. At the limit the VMM is told; before it lets this vCPU go
// on, if ever, it has raised the limit.
.macro COMPLETE again
    incq %r12
    movq %r12, P_PROGRESS(%rdi)
    cmpq P_LIMIT(%rdi), %r12
    jb 95f
    outl %eax, $PORT_LIMIT
95: PACE
    jmp \again
.endm

// Accesses page rax: writes the number of this operation, or reads.
.macro ACCESS again
    shlq $12, %rax
    leaq (%r8, %rax), %rcx
    addq %r15, %rcx
    DRAW
    movl %eax, %eax
    cmpq %r11, %rax
    jae 80f
    leaq 1(%r12), %rax
    movq %rax, (%rcx)
    jmp 81f
80: movq (%rcx), %rax
81: COMPLETE \again
.endm

    .balign 16
stride:
    PROLOGUE
    movq P_START(%rdi), %rbx
    movq P_STRIDE(%rdi), %rbp
1:  movq %rbx, %rax
    addq %rbp, %rbx
    cmpq %r9, %rbx
    jb 2f
    subq %r9, %rbx
2:  ACCESS 1b

    .balign 16
random:
    PROLOGUE
1:  DRAW
    mulq %r9
    movq %rdx, %rax
    ACCESS 1b

    .balign 16
zipf:
    PROLOGUE
    movq P_TABLE(%rdi), %rbx
1:  DRAW
    movl %eax, %ecx
    mulq %r9
    shlq $4, %rdx
    addq %rbx, %rdx
    movl 8(%rdx), %eax
    cmpq (%rdx), %rcx
    jb 2f
    movl 12(%rdx), %eax
2:  ACCESS 1b

    // rbx = first page of the hot set, rbp = operations left in this phase, rsi = number of the phase.
    .balign 16
hotspot:
    PROLOGUE
    xorl %ebx, %ebx
    xorl %esi, %esi
    movq P_PHASE_OPS(%rdi), %rbp
1:  testq %rbp, %rbp
    jnz 2f
    movq P_PHASE_OPS(%rdi), %rbp
    incq %rsi
    movl %esi, %eax
    outl %eax, $PORT_PHASE
    addq P_HOT_PAGES(%rdi), %rbx
    cmpq %r9, %rbx
    jb 2f
    subq %r9, %rbx
2:  decq %rbp
    DRAW
    movl %eax, %ecx
    cmpq P_HOT_THRESHOLD(%rdi), %rcx
    jae 3f
    mulq P_HOT_PAGES(%rdi)
    leaq (%rbx, %rdx), %rax
    cmpq %r9, %rax
    jb 4f
    subq %r9, %rax
    jmp 4f
3:  mulq %r9
    movq %rdx, %rax
4:  ACCESS 1b

    // Four phases in turn: walk, move, meet, rest. rbx = operation in the phase, rsi = number of the phase.
    .balign 16
phases:
    PROLOGUE
    xorl %ebx, %ebx
    xorl %esi, %esi
1:  cmpq P_PHASE_OPS(%rdi), %rbx
    jb 2f
    xorl %ebx, %ebx
    incq %rsi
    movl %esi, %eax
    outl %eax, $PORT_PHASE
2:  movl %esi, %ecx
    andl $3, %ecx
    movq %rbx, %rax
    incq %rbx
    cmpl $1, %ecx
    jb 3f
    je 4f
    cmpl $2, %ecx
    je 5f
    COMPLETE 1b
3:  mulq P_WALK_STEP(%rdi)
    shrdq $32, %rdx, %rax
    addq P_START(%rdi), %rax
    ACCESS 1b
4:  mulq P_MOVE_STEP(%rdi)
    shrdq $32, %rdx, %rax
    movq P_MOVE_START(%rdi), %rcx
    subq %rax, %rcx
    jmp 6f
5:  movq P_MEET(%rdi), %rcx
6:  DRAW
    mulq P_HOT_PAGES(%rdi)
    leaq (%rcx, %rdx), %rax
    ACCESS 1b

    .balign 16
idle:
    PROLOGUE
1:  movl $1000, %ecx
2:  DRAW
    decl %ecx
    jnz 2b
    COMPLETE 1b

    .balign 16
dma:
    PROLOGUE
    xorl %ebx, %ebx
1:  movl %ebx, %eax
    outl %eax, $PORT_DMA
    addq P_BURST(%rdi), %rbx
    cmpq %r9, %rbx
    jb 2f
    subq %r9, %rbx
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

    .section .note.GNU-stack, "", @progbits
