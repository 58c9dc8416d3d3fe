import CKVM
import Foundation

// How a fresh vCPU's first entry begins: 64-bit code with page tables that the guest's memory already holds.
extension VCPU {
    /// Starts 64-bit user-mode code (CPL 3, IOPL 3) with identity-mapped page tables.
    ///
    /// - Parameters:
    ///   - entry: address of the first instruction.
    ///   - pageTable: physical address of the top-level page table.
    ///   - argument: value of RDI.
    package func startUserMode(entry: UInt64, pageTable: UInt64, argument: UInt64) throws(KVMError) {
        try start(pageTable: pageTable, code: 0x33, data: 0x2b, privilege: 3, gdt: nil)
        var regs = kvm_regs()
        regs.rip = entry
        regs.rdi = argument
        // IOPL 3 lets user code use ports. Interrupts are on, as for all user code: nobody sends any, but Bochs, when it enters a
        // guest that has them off, forgets that an interrupt of its host has to leave the guest.
        regs.rflags = 0x3202
        try request("KVM_SET_REGS") { unsafe ioctl(handle.fd, CKVM_SET_REGS, &regs) }
    }

    /// Starts 64-bit kernel-mode code (CPL 0, interrupts off) as Linux's boot protocol asks for it.
    ///
    /// - Parameters:
    ///   - entry: address of the first instruction.
    ///   - pageTable: physical address of the top-level page table.
    ///   - gdt: where the GDT is and its size in bytes; code is selector 0x10, data 0x18.
    ///   - stack: value of RSP.
    ///   - argument: value of RSI.
    package func startKernelMode(
        entry: UInt64, pageTable: UInt64, gdt: (address: UInt64, size: Int), stack: UInt64, argument: UInt64
    ) throws(KVMError) {
        try start(pageTable: pageTable, code: 0x10, data: 0x18, privilege: 0, gdt: gdt)
        var regs = kvm_regs()
        regs.rip = entry
        regs.rsp = stack
        regs.rsi = argument
        regs.rflags = 2
        try request("KVM_SET_REGS") { unsafe ioctl(handle.fd, CKVM_SET_REGS, &regs) }
    }

    private func start(
        pageTable: UInt64, code: UInt16, data: UInt16, privilege: UInt8, gdt: (address: UInt64, size: Int)?
    ) throws(KVMError) {
        var sregs = kvm_sregs()
        try request("KVM_GET_SREGS") { unsafe ioctl(handle.fd, CKVM_GET_SREGS, &sregs) }
        func segment(_ selector: UInt16, type: UInt8, isCode: Bool) -> kvm_segment {
            var segment = kvm_segment()
            segment.limit = 0xffff_ffff
            segment.selector = selector
            segment.type = type
            segment.present = 1
            segment.dpl = privilege
            segment.s = 1
            segment.g = 1
            segment.l = isCode ? 1 : 0
            segment.db = isCode ? 0 : 1
            return segment
        }
        sregs.cs = segment(code, type: 0xb, isCode: true)
        let flat = segment(data, type: 0x3, isCode: false)
        sregs.ds = flat
        sregs.es = flat
        sregs.fs = flat
        sregs.gs = flat
        sregs.ss = flat
        if let gdt {
            sregs.gdt.base = gdt.address
            sregs.gdt.limit = UInt16(gdt.size - 1)
        }
        sregs.cr0 = 0x8005_0033  // PG, AM, WP, NE, ET, MP, PE
        sregs.cr3 = pageTable
        sregs.cr4 = 0x620  // PAE, OSFXSR, OSXMMEXCPT
        sregs.efer = 0x501  // LMA, LME, SCE
        try request("KVM_SET_SREGS") { unsafe ioctl(handle.fd, CKVM_SET_SREGS, &sregs) }
    }
}
