import Foundation

/// Bytes of a host page: the unit in which KVM logs.
package let pageBytes = sysconf(CInt(_SC_PAGESIZE))
