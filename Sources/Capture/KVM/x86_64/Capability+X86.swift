import CKVM

extension Capability {
    /// Dirty rings on x86's strong memory model.
    package static let dirtyRing = Capability(
        "DIRTY_LOG_RING", CInt(KVM_CAP_DIRTY_LOG_RING), requiredBy: "record --source dirty-ring", availableWith: "5.11")
    /// The guest's TSC frequency, for `rate=` of built-in workloads.
    package static let tscFrequency = Capability(
        "GET_TSC_KHZ", KVM_CAP_GET_TSC_KHZ, requiredBy: "rate= of built-in workloads", availableWith: "3.0")
    /// An interrupt controller in the kernel, for Linux guests.
    package static let irqchip = Capability(
        "IRQCHIP", KVM_CAP_IRQCHIP, requiredBy: "record --kernel", availableWith: "2.6.24")
    /// A local APIC timer that counts in TSC ticks.
    package static let tscDeadline = Capability(
        "TSC_DEADLINE_TIMER", KVM_CAP_TSC_DEADLINE_TIMER, requiredBy: "record --kernel", availableWith: "3.2")
    /// Xen's hypercalls, event channels and shared pages.
    package static let xenHVM = Capability(
        "XEN_HVM", CInt(KVM_CAP_XEN_HVM), requiredBy: "record --kvm-write TIME:shared-info=GPA", availableWith: "5.12")

    /// Dirty rings, the one to be preferred last.
    static let rings = [dirtyRing, dirtyRingAcquireRelease]
    /// Those that only this architecture has.
    static let ofArchitecture = [tscFrequency, irqchip, tscDeadline, xenHVM]
}
