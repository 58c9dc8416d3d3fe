import Foundation
import KVM
import Model
import Platform
import Synchronization

/// A guest that boots a Linux kernel, or other 64-bit code that begins in the same way, at CPL 0 in long mode.
///
/// All of its memory is logged. KVM serves interrupt controllers and timer; here are a serial console, ACPI tables for CPUs and
/// power-off, and ports for markers. There is no firmware, no PCI and no disk. docs/linux-guests.md describes it for users.
package final class LinuxGuest: Guest {
    private static let lowSlot: UInt32 = 0
    private static let highSlot: UInt32 = 1
    /// Below 4 GiB the last GiB belongs to devices.
    private static let lowMax: Int64 = 3 << 30

    /// Format and name of what boots.
    package let label: String
    package let vcpus: Int
    /// Memory from address 0, and from 4 GiB on.
    package let regions: [GuestRegion]
    private let entry: UInt64
    private let console: @Sendable ([UInt8]) -> Void

    private struct State {
        var devices = PortDevices()
        var vm: VirtualMachine?
        var lineIsHigh = false
    }
    private let state = Mutex(State())

    /// Reads and checks the files, and lays out the guest's memory.
    ///
    /// - Parameter console: takes what the guest writes to its serial console, on a vCPU's thread.
    /// - Throws: ``GuestError`` when an image is not usable or does not fit, ``KVMError`` when the host has no room.
    package init(_ plan: BootPlan, console: @escaping @Sendable ([UInt8]) -> Void) throws {
        guard (1...ACPITables.maxCPUs).contains(plan.vcpus) else {
            throw GuestError("A guest with a kernel has 1 to \(ACPITables.maxCPUs) vCPUs; use fewer --vcpus.")
        }
        guard plan.memory >= 4 << 20, plan.memory % Int64(pageBytes) == 0, plan.memory <= 1 << 44 else {
            throw GuestError(
                "Guest memory of \(plan.memory) bytes is not usable: give a multiple of 4096 from 4MiB to 16TiB, such as 256MiB."
            )
        }
        let lowSize = min(plan.memory, Self.lowMax)
        let limit = Int(lowSize)
        let bytes = try ImageBytes(file: plan.path, what: plan.kind == .kernel ? "kernel" : "image", limit: limit)
        let image: BootImage
        switch plan.kind {
        case .kernel: image = try .kernel(bytes, memory: UInt64(lowSize))
        case .image: image = try .flatOrELF(bytes, memory: UInt64(lowSize))
        }
        let initrd: ImageBytes? =
            if let path = plan.initrd { try ImageBytes(file: path, what: "initrd", limit: limit) } else { nil }
        let commandLine = try Self.commandLine(plan.append, for: image)

        let low = try GuestMemory(size: limit)
        var regions = [GuestRegion(name: "memory", slot: Self.lowSlot, address: 0, memory: low, isLogged: true)]
        if plan.memory > lowSize {
            regions.append(
                GuestRegion(
                    name: "memory above 4 GiB", slot: Self.highSlot, address: 1 << 32,
                    memory: try GuestMemory(size: Int(plan.memory - lowSize)), isLogged: true))
        }
        self.regions = regions
        label = image.label + " " + URL(fileURLWithPath: plan.path).lastPathComponent
        vcpus = plan.vcpus
        entry = image.entry
        self.console = console

        for load in image.loads { low.write(Array(bytes.bytes[load.bytes]), at: Int(load.address)) }
        let initrdRange = try initrd.map { try Self.place($0, behind: image, memory: UInt64(lowSize)) }
        if let initrd, let initrdRange { low.write(initrd.bytes, at: Int(initrdRange.lowerBound)) }
        low.write(commandLine, at: Int(BootTables.commandLine))
        low.write(
            BootTables.zeroPage(
                header: bytes.bytes[image.setupHeader ?? 0..<0],
                map: BootTables.e820(low: UInt64(lowSize), high: UInt64(plan.memory - lowSize)),
                commandLine: commandLine.count - 1, initrd: initrdRange), at: Int(BootTables.zeroPage))
        for (place, entry) in BootTables.segments.enumerated() { low.store(entry, at: Int(BootTables.gdt) + 8 * place) }
        for (place, entry) in BootTables.pageTables.enumerated() {
            low.store(entry, at: Int(BootTables.pageTable) + 8 * place)
        }
        low.write(ACPITables.block(cpus: plan.vcpus, at: BootTables.acpi), at: Int(BootTables.acpi))
    }

    /// The whole command line with its NUL.
    private static func commandLine(_ append: String, for image: BootImage) throws(GuestError) -> [UInt8] {
        let text = Array((append.isEmpty ? BootPlan.ownCommandLine : BootPlan.ownCommandLine + " " + append).utf8)
        let limit = min(image.commandLineMax, BootTables.commandLineRoom - 1)
        guard text.count <= limit, !text.contains(0) else {
            throw GuestError("The kernel's command line may have \(limit) bytes and no NUL; shorten --append.")
        }
        return text + [0]
    }

    /// The highest place that the kernel allows, as loaders do: it is out of the way there.
    private static func place(
        _ initrd: ImageBytes, behind image: BootImage, memory: UInt64
    ) throws(GuestError) -> Range<UInt64> {
        let top = min(memory, image.initrdMax + 1)
        let size = UInt64(initrd.count)
        guard size <= top, (top - size) / UInt64(pageBytes) * UInt64(pageBytes) >= image.end else {
            throw GuestError(
                "The \(initrd.name) of \(size) bytes does not fit behind the kernel, which ends at \(image.end);"
                    + " give more --memory.")
        }
        let start = (top - size) / UInt64(pageBytes) * UInt64(pageBytes)
        return start..<(start + size)
    }

    /// Kernels run at CPL 0.
    package var needsKernelMode: Bool { true }

    package func prepare(_ vm: VirtualMachine) throws {
        try vm.makeInterruptControllers()
        state.withLock { $0.vm = vm }
    }

    /// Nothing: the images are there already, and a kernel touches the rest when it needs it.
    package func populate() {}

    /// Sets the first vCPU to the image's entry point. The others wait until the guest's kernel starts them.
    package func start(_ vcpu: VCPU) throws {
        guard vcpu.index == 0 else { return }
        try vcpu.startKernelMode(
            entry: entry, pageTable: BootTables.pageTable,
            gdt: (BootTables.gdt, MemoryLayout<UInt64>.size * BootTables.segments.count), stack: BootTables.stack,
            argument: BootTables.zeroPage)
    }

    /// Serves an exit: an access to a port, to memory that is not there, or the end.
    package func handle(_ exit: VCPUExit, of vcpu: VCPU) -> GuestAction {
        switch exit {
        case .portOut(let port, let data):
            let effect = access { $0.write(data, to: port) }
            if !effect.console.isEmpty { console(effect.console) }
            // Markers of the same breath would be lost with the end; a guest that sets some does so before.
            if let end = effect.end { return .end(end) }
            return effect.markers.isEmpty ? .resume : .mark(effect.markers)
        case .portIn(let port, let size):
            vcpu.answerPortIn(access { $0.read(size, from: port) })
            return .resume
        case .mmioRead:
            vcpu.answerEmptyRead()
            return .resume
        case .mmioWrite: return .resume
        case .shutdown: return .end("ended by a triple fault, as a crash or a reset does")
        case .systemEvent(let type): return .end("ended by system event \(type)")
        default: return .unexpected
        }
    }

    /// Uses the devices, one vCPU at a time, and tells KVM when the serial port's interrupt has changed.
    private func access<Result: Sendable>(_ body: (inout PortDevices) -> Result) -> Result {
        state.withLock { state in
            let result = body(&state.devices)
            if state.devices.serialInterrupt != state.lineIsHigh {
                state.lineIsHigh.toggle()
                // KVM refuses this only without an interrupt controller; `prepare` has made one.
                try? state.vm?.setInterruptLine(SerialPort.interruptLine, high: state.lineIsHigh)
            }
            return result
        }
    }
}
