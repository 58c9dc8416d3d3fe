// The yardsticks: what a plain C program reaches with the same SQLite.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Delta, zigzag, varint: the loop that one would write. Returns the number of bytes; `out` has 10 a value.
size_t cbench_encode(const uint64_t *gfns, size_t count, uint8_t *out);
/// The loop back. Returns the number of bytes read.
size_t cbench_decode(const uint8_t *in, uint64_t *gfns, size_t count);

/// Fills dirty_entry(seq, gfn) of a new file from an array: by INSERT … SELECT from a virtual table over the array.
/// Returns 0, or SQLite's error.
int cbench_rows_by_virtual_table(const char *path, const char *setup, const uint64_t *gfns, size_t count);
/// The same by binding and stepping an INSERT for each row.
int cbench_rows_by_binding(const char *path, const char *setup, const uint64_t *gfns, size_t count);
/// Reads gfn from every row of dirty_entry and adds them up.
int cbench_scan_rows(const char *path, uint64_t *sum);
