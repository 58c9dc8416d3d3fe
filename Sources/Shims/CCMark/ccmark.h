// CommonMark with GitHub's extensions: Debian's libcmark-gfm-dev and libcmark-gfm-extensions-dev.
#include <cmark-gfm.h>
#include <cmark-gfm-extension_api.h>

void cmark_gfm_core_extensions_ensure_registered(void);
