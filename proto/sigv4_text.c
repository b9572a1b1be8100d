/* SPDX-License-Identifier: MIT */
#include "proto/sigv4_text.h"

#include <string.h>

#include <strings.h>

int sigv4_text_put(buf_t *out, wire_bytes_t bytes)
{
    return buf_put(out, bytes.data, bytes.len);
}

void sigv4_text_hex(const uint8_t *bytes, size_t len, char *text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
}

int sigv4_text_hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

int sigv4_text_number(const uint8_t *at, unsigned count)
{
    int value = 0;

    for (unsigned i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9') {
            return -1;
        }
        value = value * 10 + (at[i] - '0');
    }
    return value;
}

wire_bytes_t sigv4_text_take(wire_bytes_t *rest, char stop)
{
    const uint8_t *at =
        rest->len == 0 ? NULL : memchr(rest->data, stop, rest->len);
    wire_bytes_t part = *rest;

    if (at == NULL) {
        *rest = (wire_bytes_t){NULL, 0};
        return part;
    }
    part.len = (size_t)(at - rest->data);
    *rest = (wire_bytes_t){at + 1, rest->len - part.len - 1};
    return part;
}

bool sigv4_text_is_space(uint8_t c)
{
    return c == ' ' || c == '\t';
}

wire_bytes_t sigv4_text_trimmed(wire_bytes_t text)
{
    while (text.len > 0 && sigv4_text_is_space(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && sigv4_text_is_space(text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}

bool sigv4_text_is_name(wire_bytes_t a, wire_bytes_t b)
{
    return a.len == b.len &&
           (a.len == 0 || strncasecmp((const char *)a.data,
                                      (const char *)b.data, a.len) == 0);
}

int sigv4_text_compare(wire_bytes_t a, wire_bytes_t b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len == 0 ? 0 : memcmp(a.data, b.data, len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}
