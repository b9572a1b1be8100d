/* SPDX-License-Identifier: MIT */
#include "store/base64.h"

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

static int value_of(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

/* Four characters, of which the last may be padding: bytes, or -EINVAL. */
static int decode_group(const char *text, int padding, uint8_t out[3])
{
    uint32_t group = 0;

    for (int i = 0; i < 4; i++) {
        int value = i >= 4 - padding ? 0 : value_of(text[i]);
        if (value < 0) {
            return -EINVAL;
        }
        group = group << 6 | (uint32_t)value;
    }
    uint32_t unused = padding == 2 ? 0xffff : padding == 1 ? 0xff : 0;
    if ((group & unused) != 0) {
        return -EINVAL;
    }
    for (int i = 0; i < 3 - padding; i++) {
        out[i] = (uint8_t)(group >> (16 - 8 * i));
    }
    return 3 - padding;
}

int base64_decode(const char *text, size_t len, uint8_t *out, size_t *out_len)
{
    *out_len = 0;
    if (len % 4 != 0) {
        return -EINVAL;
    }
    for (size_t at = 0; at < len; at += 4) {
        int padding = at + 4 < len          ? 0
                      : text[at + 3] != '=' ? 0
                      : text[at + 2] != '=' ? 1
                                            : 2;
        int bytes = decode_group(text + at, padding, out + *out_len);
        if (bytes < 0) {
            return bytes;
        }
        *out_len += (size_t)bytes;
    }
    return 0;
}
