// ICU's tables of the world's languages, time zones and currencies are one object of 32 MB in Swift's static runtime: half of
// the binary. Nothing of ours asks for them: texts are compared byte by byte, numbers and times are written without a locale. This
// empty package takes their place when the program is linked; where Foundation is a shared library it has no effect.
// What would need the tables (DateFormatter, Locale, Calendar, localized comparison) does not work in this program.
#include "cnoicu.h"

#include <stdint.h>

// The format is that of ICU's unicode/udata.h and ucmndata.h: a header, then a table of contents, here without contents.
struct package {
    uint16_t headerSize;
    uint8_t magic[2];
    uint16_t infoSize, reserved;
    uint8_t isBigEndian, charsetFamily, sizeofUChar, reservedByte;
    uint8_t dataFormat[4], formatVersion[4], dataVersion[4];
    uint8_t padding[8];
    uint32_t count;
};

// The number is ICU's version in Swift 6.3. With another one the tables would come back, and scripts/test-packages say so.
__attribute__((visibility("hidden"), aligned(16))) const struct package icudt76_dat = {
    .headerSize = 32,
    .magic = {0xda, 0x27},
    .infoSize = 20,
    .sizeofUChar = 2,
    .dataFormat = "CmnD",
    .formatVersion = {1},
    .dataVersion = {76, 1},
};
