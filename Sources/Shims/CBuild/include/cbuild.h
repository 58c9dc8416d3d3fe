// What only the build knows.
#pragma once

/// The commit that was built, or an empty text. `make build` links an object that knows it (scripts/commit-object).
const char *_Nonnull cbuild_commit(void);
