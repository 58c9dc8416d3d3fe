#pragma once

// Two paths change places at once, so that a reader finds either the old or the new. Swift does not import renameat2.
// 0, or -1 with errno.
int cexchange_paths(const char *_Nonnull a, const char *_Nonnull b);
