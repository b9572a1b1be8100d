/* SPDX-License-Identifier: MIT */
#include "tests/unit/colliding_names.h"

#include "base/xalloc.h"

#define CHOICES  16 /* for either half */
#define HALF_LEN (COLLIDING_NAME_LEN / 2)

static const char *const firsts[CHOICES] = {
    "7d16071b0d041c0b393a3b081808080104083b75",
    "7d151a0a140504073f191f14310d14091f06087b",
    "7f0f333411163805380b7b3f100b3602023e0974",
    "75350b1c1b107c0b1c070913141f06040604037a",
    "7930150c0c32373b083709301016097d050f1c7a",
    "7b141d04140c09790c03370e14301375070b0874",
    "7b123e0a14110b04053633143c3535070e1d0a79",
    "441108091002090e36081716711211110c1a197a",
    "7d140f0f0e0d08030c05180c0f7613110b3a147a",
    "43340b19120104010c11700e11700d6d090c0874",
    "7f0b0b06140206030c1f36062f0c0c13390b097e",
    "7e36360904021d7e057c0f160e391808723a057e",
    "7f11170f0e7a0a060913153d1e0b7f0f0f1b0d78",
    "433d1f090a043e0a073d373176091f150d0d0b78",
    "4012111a0e0a1c01163e361e11370f1809181b63",
    "44160b0803041a1f0c1a081431793a0a3a0a0566",
};

static const char *const seconds[CHOICES] = {
    "761a09190309030f1b08393b081b09030439067a",
    "777410060a101b1907341b71731d14020b78017f",
    "4b100c020e7a36050a387a313b110a031c3e097a",
    "4a7a300234320c0609021b1178300879020e017a",
    "4c353104111307050839121113110a070c080472",
    "4c31100413130d0e020b0e11332c080706030d7b",
    "777d0a0a181c143c091d18120f1f0a060306087a",
    "761b050410061c0d0d38751c17710575180f1960",
    "7210043e34020a10051067056a0c026d0c08157e",
    "7614050936023b0f040d1805371d0213070f097d",
    "70717f181b01031d1a0910397f333c1f060e1e66",
    "72170c0e1c1e0c093a331c110f1e130a0a19077d",
    "77760a0b1c05061807760d3f161a191a0e090261",
    "7777320a037f783d1f1d0f77160d08051004037f",
    "7e3e0e0b1a17021a1c750b3533341b041c381e60",
    "753d13083a0b040b082c0b151278333a0b0b1f60",
};

static unsigned digit(char hex)
{
    return hex <= '9' ? (unsigned)(hex - '0') : (unsigned)(hex - 'a' + 10);
}

static void read_half(const char *hex, uint8_t bytes[HALF_LEN])
{
    for (size_t i = 0; i < HALF_LEN; i++) {
        bytes[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    }
}

void colliding_name(unsigned number, uint8_t name[COLLIDING_NAME_LEN])
{
    must(number < COLLIDING_NAMES);
    read_half(firsts[number / CHOICES], name);
    read_half(seconds[number % CHOICES], name + HALF_LEN);
}
