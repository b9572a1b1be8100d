/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* What a lead byte asks of the bytes behind it (RFC 3629, section 4). */
static bool begin(utf8_t *self, uint8_t lead)
{
    self->low = 0x80;
    self->high = 0xbf;
    if (lead < 0x80) {
        self->left = 0;
        return true;
    }
    if (lead < 0xc2 || lead > 0xf4) {
        return false;
    }
    if (lead < 0xe0) {
        self->left = 1;
        return true;
    }
    if (lead < 0xf0) {
        self->left = 2;
        self->low = lead == 0xe0 ? 0xa0 : 0x80;
        self->high = lead == 0xed ? 0x9f : 0xbf;
        return true;
    }
    self->left = 3;
    self->low = lead == 0xf0 ? 0x90 : 0x80;
    self->high = lead == 0xf4 ? 0x8f : 0xbf;
    return true;
}

static bool go_on(utf8_t *self, uint8_t byte)
{
    if (byte < self->low || byte > self->high) {
        return false;
    }
    self->left--;
    self->low = 0x80;
    self->high = 0xbf;
    return true;
}

static inline bool is_ascii_word(const uint8_t *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof word);
    return (word & HIGH_BITS) == 0;
}

/* How many bytes from the start are plain ASCII, in steps of eight, the last of
 * which ends with the text. */
static size_t skip_ascii(const uint8_t *bytes, size_t len)
{
    size_t at = 0;

    while (len - at >= 8) {
        if (!is_ascii_word(bytes + at)) {
            return at;
        }
        at += 8;
    }
    return at > 0 && is_ascii_word(bytes + len - 8) ? len : at;
}

bool utf8_check(utf8_t *self, const uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at < len; at++) {
        if (self->left > 0) {
            if (!go_on(self, bytes[at])) {
                return false;
            }
            continue;
        }
        at += skip_ascii(bytes + at, len - at);
        if (at < len && !begin(self, bytes[at])) {
            return false;
        }
    }
    return true;
}

bool utf8_is_valid(const uint8_t *bytes, size_t len)
{
    utf8_t utf8 = {0};
    size_t ascii = skip_ascii(bytes, len); /* most texts, to their end */

    return ascii == len || (utf8_check(&utf8, bytes + ascii, len - ascii) &&
                            utf8_is_whole(&utf8));
}

/* How many bytes of whole characters there are; *broken is how many follow
 * that begin one which does not go on. */
static size_t whole_prefix(const uint8_t *bytes, size_t len, size_t *broken)
{
    utf8_t utf8 = {0};
    size_t whole = 0;

    for (size_t at = 0; at < len; at++) {
        if (!utf8_check(&utf8, bytes + at, 1)) {
            *broken = at > whole ? at - whole : 1;
            return whole;
        }
        if (utf8_is_whole(&utf8)) {
            whole = at + 1;
        }
    }
    *broken = len - whole;
    return whole;
}

size_t utf8_first(const uint8_t *bytes, size_t len, bool *is_whole)
{
    utf8_t utf8 = {0};
    size_t at = 0;

    *is_whole = false;
    while (at < len && utf8_check(&utf8, bytes + at, 1)) {
        at++;
        if (utf8_is_whole(&utf8)) {
            *is_whole = true;
            return at;
        }
    }
    return at > 0 ? at : 1;
}

int utf8_put_repaired(buf_t *out, const uint8_t *bytes, size_t len)
{
    static const uint8_t replacement[] = {0xef, 0xbf, 0xbd};
    int rc = 0;

    while (rc == 0 && len > 0) {
        size_t broken;
        size_t whole = whole_prefix(bytes, len, &broken);
        rc = buf_put(out, bytes, whole);
        if (rc == 0 && broken > 0) {
            rc = buf_put(out, replacement, sizeof replacement);
        }
        bytes += whole + broken;
        len -= whole + broken;
    }
    return rc;
}

size_t utf8_cut(const uint8_t *bytes, size_t len, size_t max)
{
    if (len <= max) {
        return len;
    }
    while (max > 0 && (bytes[max] & 0xc0) == 0x80) {
        max--;
    }
    return max;
}

/* U+200E and U+200F, U+2028 to U+202E, U+2066 to U+2069, by their last two
 * bytes. */
static bool is_direction(uint8_t second, uint8_t third)
{
    return second == 0x80 ? third == 0x8e || third == 0x8f ||
                                (third >= 0xa8 && third <= 0xae)
                          : second == 0x81 && third >= 0xa6 && third <= 0xa9;
}

size_t utf8_obeyed(const uint8_t *bytes, size_t len)
{
    if (bytes[0] < 0x20 || bytes[0] == 0x7f) {
        return 1;
    }
    if (len > 1 && ((bytes[0] == 0xc2 && bytes[1] >= 0x80 && bytes[1] < 0xa0) ||
                    (bytes[0] == 0xd8 && bytes[1] == 0x9c))) { /* U+061C */
        return 2;
    }
    return len > 2 && bytes[0] == 0xe2 && is_direction(bytes[1], bytes[2]) ? 3
                                                                           : 0;
}
