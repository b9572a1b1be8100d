/* SPDX-License-Identifier: MIT */
#include "workers/c/auth/base64url.h"

#include <errno.h>

static int value_of(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '-'             ? 62
           : c == '_'             ? 63
                                  : -1;
}

/* Two to four characters: their bytes, one less, or -EINVAL. */
static int decode_group(const char *text, size_t len, uint8_t out[3])
{
    uint32_t group = 0;

    for (size_t i = 0; i < 4; i++) {
        int value = i < len ? value_of(text[i]) : 0;
        if (value < 0) {
            return -EINVAL;
        }
        group = group << 6 | (uint32_t)value;
    }
    uint32_t unused = len == 2 ? 0xffff : len == 3 ? 0xff : 0;
    if ((group & unused) != 0) {
        return -EINVAL;
    }
    for (size_t i = 0; i < len - 1; i++) {
        out[i] = (uint8_t)(group >> (16 - 8 * i));
    }
    return (int)len - 1;
}

int base64url_decode(hoist_text text, uint8_t *out, size_t *out_len)
{
    *out_len = 0;
    if (text.len % 4 == 1) {
        return -EINVAL;
    }
    for (size_t at = 0; at < text.len; at += 4) {
        size_t len = text.len - at < 4 ? text.len - at : 4;
        int bytes = decode_group(text.data + at, len, out + *out_len);
        if (bytes < 0) {
            return bytes;
        }
        *out_len += (size_t)bytes;
    }
    return 0;
}
