/* Holds two virtual machines, with one vCPU each, for as long as it lives; prints a line when it has them.
 *
 * KVM patches the kernel's code (static keys) when the first virtual machine comes and when the last one goes, and likewise for vCPUs
 * without an APIC in the kernel and for vCPUs whose APIC is not enabled yet. Under QEMU's TCG with a thread per CPU, another CPU may still
 * execute the breakpoint of such a patch after it was taken away: "Oops: int3" in __schedule was seen, and machines that hang may be the same. While this runs, there
 * is never a first or a last one of either kind: its vCPUs never run. */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int hold(int kvm, int with_apic)
{
    int vm = ioctl(kvm, KVM_CREATE_VM, 0);
    if (vm < 0 || (with_apic && ioctl(vm, KVM_CREATE_IRQCHIP, 0) < 0))
        return -1;
    return ioctl(vm, KVM_CREATE_VCPU, 0);
}

int main(void)
{
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0 || hold(kvm, 0) < 0 || hold(kvm, 1) < 0) {
        perror("rig: cannot hold virtual machines");
        return 1;
    }
    puts("rig: holds two virtual machines");
    fclose(stdout);
    pause();
}
