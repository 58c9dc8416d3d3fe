// What Swift cannot say to the CPU.
#pragma once

/// Asks for the cache line at `address`, which will be written soon.
static inline void cprefetch(const void *address) { __builtin_prefetch(address, 1); }
