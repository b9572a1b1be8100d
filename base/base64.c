/* SPDX-License-Identifier: MIT */
#include "base/base64.h"

#include <errno.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const uint8_t *bytes, size_t len, char *text)
{
    for (; len > 0; text += 4) {
        size_t have = len < 3 ? len : 3;
        uint32_t group = (uint32_t)bytes[0] << 16;
        group |= have > 1 ? (uint32_t)bytes[1] << 8 : 0;
        group |= have > 2 ? bytes[2] : 0;
        text[0] = alphabet[group >> 18];
        text[1] = alphabet[group >> 12 & 63];
        text[2] = '=';
        text[3] = '=';
        if (have > 1) {
            text[2] = alphabet[group >> 6 & 63];
        }
        if (have > 2) {
            text[3] = alphabet[group & 63];
        }
        bytes += have;
        len -= have;
    }
}

/* The last two characters of the alphabet, which are all that differs. */
typedef struct {
    char of_62, of_63;
} ending_t;

static int value_of(char c, ending_t ending)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == ending.of_62    ? 62
           : c == ending.of_63    ? 63
                                  : -1;
}

/* Two to four characters: their bytes, one less, or -EINVAL. */
static int decode_group(const char *text, size_t len, ending_t ending,
                        uint8_t out[3])
{
    uint32_t group = 0;

    for (size_t i = 0; i < 4; i++) {
        int value = i < len ? value_of(text[i], ending) : 0;
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

/* Text without padding. */
static int decode(const char *text, size_t len, ending_t ending, uint8_t *out,
                  size_t *out_len)
{
    *out_len = 0;
    if (len % 4 == 1) {
        return -EINVAL;
    }
    for (size_t at = 0; at < len; at += 4) {
        size_t group = len - at < 4 ? len - at : 4;
        int bytes = decode_group(text + at, group, ending, out + *out_len);
        if (bytes < 0) {
            return bytes;
        }
        *out_len += (size_t)bytes;
    }
    return 0;
}

static size_t padding_of(const char *text, size_t len)
{
    return len == 0 || text[len - 1] != '=' ? 0 : text[len - 2] != '=' ? 1 : 2;
}

int base64_decode(const char *text, size_t len, uint8_t *out, size_t *out_len)
{
    *out_len = 0;
    if (len % 4 != 0) {
        return -EINVAL;
    }
    return decode(text, len - padding_of(text, len), (ending_t){'+', '/'}, out,
                  out_len);
}

int base64url_decode(const char *text, size_t len, uint8_t *out,
                     size_t *out_len)
{
    return decode(text, len, (ending_t){'-', '_'}, out, out_len);
}
