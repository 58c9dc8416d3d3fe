#include "cbuild.h"

// A weak symbol: an object that defines it, too, wins.
__attribute__((weak)) const char dirtyrec_commit[] = "";

const char *cbuild_commit(void) { return dirtyrec_commit; }
