#!/usr/bin/env python3
"""Prints every entry of a dirtyrec recording as "seq gfn ts_ns", from the packed segments, with Python alone."""
import sqlite3
import sys


def varints(data, start, count):
    """Yields `count` zigzag-coded LEB128 numbers, then the position behind them."""
    for _ in range(count):
        value = shift = 0
        while True:
            byte = data[start]
            start += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80: break
        yield (value >> 1) ^ -(value & 1)
    yield start


def entries(segment, count, since_ns, ts_ns):
    version, flags = segment[0], segment[1]
    if version != 1 or flags > 1:
        raise ValueError(f"unknown segment version {version} or flags {flags}")
    *deltas, position = varints(segment, 2, count)
    *time_deltas, position = varints(segment, position, count if flags else 0)
    if position != len(segment):
        raise ValueError("bytes are left over")
    gfn = 0
    for index, delta in enumerate(deltas):
        gfn += delta
        since_ns += time_deltas[index] if flags else 0
        yield gfn, since_ns if flags else ts_ns


database = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
query = "SELECT first_seq, entry_count, since_ns, ts_ns, entries FROM harvest ORDER BY id"
for first_seq, count, since_ns, ts_ns, segment in database.execute(query):
    for seq, (gfn, time) in enumerate(entries(segment, count, since_ns, ts_ns), first_seq):
        print(seq, gfn, time)
