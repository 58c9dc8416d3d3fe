/// Files of every format, small and honest.
package enum HonestFile {
    /// What several tools say of a migration.
    package static let migration = """
        1795956574.131 {"return": {"status": "active", "total-time": 404, "setup-time": 11, "expected-downtime": 300, "ram": {"total": 67641344, "dirty-sync-count": 1, "page-size": 4096, "remaining": 3899392, "mbps": 128.05, "transferred": 6401352, "duplicate": 14033, "dirty-pages-rate": 12, "normal": 1529}}}
        {"timestamp": {"seconds": 1795956575, "microseconds": 698}, "event": "MIGRATION_PASS", "data": {"pass": 2}}
        Migration status: active
        total time: 1000 ms
        transferred ram: 16391 kbytes
        remaining ram: 33480 kbytes
        dirty sync count: 2
        cpu throttle percentage: 20
        downtime-limit: 300 ms
        max-bandwidth: 16777216 bytes/second
        Job type:         Completed
        Time elapsed:     2500         ms
        Memory processed: 42.123 MiB
        Iteration:        4
        Total downtime:   12           ms

        2026-11-29 12:50:07 migration active, transferred 198.2 MiB of 2.0 GiB VM-state, 99.6 MiB/s
        cloud-hypervisor:   13.206010s: <vmm> DEBUG -- Precopy: iter=0 curr=1024MiB total=1024MiB bw=1024.00MiB/s transfer=1.00s overhead=2ms est_downtime=0ms elapsed=1.00s avg_bw=1021.95MiB/s

        """

    /// dirtyrec's text with every kind of line.
    package static let text = """
        dirtyrec-text 1
        # a comment
        guest   my own VMM, compiling
        vcpus   2
        label   team=storage
        slot    id=0 base=0x0 pages=65536 name=ram

        harvest iteration=1 vcpu=0 ts=100ms : 0x100 257 0x200-0x20f
        harvest iteration=1 vcpu=1 ts=101ms : 0x100
        loss    ts=101ms kind=overrun vcpu=1 entries=3 : the ring wrapped
        harvest iteration=2 vcpu=0 ts=150ms cause=ring_full provisional=1 stall=3ms : 0x100,0x101
        harvest iteration=2 vcpu=0 ts=200ms : 0x7f@170000000 0x80@180000000
        marker  ts=200ms : phase 2
        end     ts=250ms reason=signal

        """

    /// ftrace's format file of a ring push.
    package static let push = """
        name: kvm_dirty_ring_push
        ID: 30
        format:
        \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
        \tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
        \tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
        \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

        \tfield:int index;\toffset:8;\tsize:4;\tsigned:1;
        \tfield:u32 dirty_index;\toffset:12;\tsize:4;\tsigned:0;
        \tfield:u32 reset_index;\toffset:16;\tsize:4;\tsigned:0;
        \tfield:u32 slot;\toffset:20;\tsize:4;\tsigned:0;
        \tfield:u64 offset;\toffset:24;\tsize:8;\tsigned:0;

        print fmt: "ring %d", REC->index
        """
    /// ftrace's description of a sub-buffer.
    package static let headerPage = """
        \tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
        \tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
        \tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
        \tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;
        """

    /// A push record as the kernel of the format above writes it.
    package static func record(pid: UInt32, ring: UInt32, dirty: UInt32, slot: UInt32, offset: UInt64) -> [UInt8] {
        little(UInt32(30)) + little(pid) + little(ring) + little(dirty) + little(UInt32(0)) + little(slot)
            + little(offset)
    }

    /// The bytes of a number in a trace.
    package static func little(_ value: some FixedWidthInteger) -> [UInt8] {
        (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }

    /// Lines of ftrace and of perf, with losses.
    package static let events = """
        # tracer: nop
         qemu-system-x86-123     [001] d..1.   10.000001: kvm_dirty_ring_push: ring 0: dirty 0x1 reset 0x0 slot 2 offset 0xa101 (used 1)
         qemu-system-x86-124     [000] d..1.   10.000002: kvm_dirty_ring_push: ring 1: dirty 0x1 reset 0x0 slot 2 offset 0x10 (used 1)
        CPU:0 [LOST 5 EVENTS]
         qemu-system-x86-123     [001] d..1.   10.000003: kvm_dirty_ring_push: ring 0: dirty 0x3 reset 0x0 slot 2 offset 0xa102 (used 3)
         qemu-system-x86-123     [001] d..1.   10.000004: kvm_dirty_ring_exit: vcpu 0
         qemu-system-x86-120     [000] d..1.   10.000900: kvm_dirty_ring_reset: ring 0: dirty 0x3 reset 0x3 (used 0)
         qemu-system-x86-120     [000] d..1.   10.000901: kvm_dirty_ring_reset: ring 1: dirty 0x1 reset 0x1 (used 0)
         CPU 1/KVM   124 [000]    10.200000123:     kvm:kvm_dirty_ring_push: ring 1: dirty 0x2 reset 0x1 slot 2 offset 0x11 (used 1)

        """

    /// What trace-cmd 3 writes: version 6, one CPU, two pages.
    package static var traceDat: [UInt8] { traceDat(cpus: [(8192, 8192)]) }

    /// The same with other places of the CPUs' pages.
    package static func traceDat(cpus: [(offset: Int, size: Int)]) -> [UInt8] {
        func sized(_ text: String) -> [UInt8] { little(UInt64(text.utf8.count)) + Array(text.utf8) }
        func page(_ ns: UInt64, _ records: [[UInt8]]) -> [UInt8] {
            let data = records.flatMap { little(UInt32($0.count / 4) | UInt32(5) << 5) + $0 }
            let bytes = little(ns) + little(UInt64(data.count)) + data
            return bytes + [UInt8](repeating: 0, count: 4096 - bytes.count)
        }
        var file = [0x17, 0x08, 0x44] + Array("tracing".utf8) + Array("6\0".utf8) + [0, 8] + little(UInt32(4096))
        file += Array("header_page\0".utf8) + sized(headerPage)
        file += Array("header_event\0".utf8) + sized("# compressed entry header")
        file += little(UInt32(0))
        file += little(UInt32(1)) + Array("kvm\0".utf8) + little(UInt32(1)) + sized(push)
        file += little(UInt32(0)) + little(UInt32(0)) + little(UInt64(0))
        file += little(UInt32(cpus.count)) + Array("options  \0".utf8) + little(UInt16(4))
        file += little(UInt32(5)) + Array("mono\0".utf8) + little(UInt16(0))
        file += Array("flyrecord\0".utf8)
        for cpu in cpus { file += little(UInt64(cpu.offset)) + little(UInt64(cpu.size)) }
        let first = cpus.filter { $0.size > 0 }.map(\.offset).min() ?? 8192
        file += [UInt8](repeating: 0, count: first - file.count)
        for number in [UInt32(0), 2] {
            file += page(
                1_000_000 + UInt64(number) * 1000,
                (1...2).map {
                    record(pid: 9, ring: 0, dirty: number + $0, slot: 1, offset: UInt64(number + $0))
                })
        }
        return file
    }
}
