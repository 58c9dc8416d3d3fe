// Keeps ICU's tables out of the binary; see cnoicu.c. There is nothing to call.
#pragma once
