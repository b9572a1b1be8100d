/* SPDX-License-Identifier: MIT */
#include "proto/json.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <endian.h>

#define REPLACED_MAX 4 /* bytes of UTF-8 that one escape can become */
#define BYTES(byte)  (UINT64_C(0x0101010101010101) * (byte))

static int hex4(const uint8_t *at, const uint8_t *end, uint32_t *value)
{
    *value = 0;
    if (end - at < 4) {
        return -EPROTO;
    }
    for (int i = 0; i < 4; i++) {
        uint8_t c = at[i];
        uint32_t digit = c >= '0' && c <= '9'   ? c - (uint32_t)'0'
                         : c >= 'a' && c <= 'f' ? c - (uint32_t)'a' + 10
                         : c >= 'A' && c <= 'F' ? c - (uint32_t)'A' + 10
                                                : 16;
        if (digit == 16) {
            return -EPROTO;
        }
        *value = *value << 4 | digit;
    }
    return 0;
}

/* The code point of \uXXXX, of a pair where it takes two; *at is behind 'u'
 * and moves behind the last digit.  A lone surrogate is no character. */
static int take_code_point(const uint8_t **at, const uint8_t *end,
                           uint32_t *code)
{
    uint32_t low;

    if (hex4(*at, end, code) < 0) {
        return -EPROTO;
    }
    *at += 4;
    if (*code < 0xd800 || *code > 0xdfff) {
        return 0;
    }
    if (*code > 0xdbff || end - *at < 6 || (*at)[0] != '\\' ||
        (*at)[1] != 'u' || hex4(*at + 2, end, &low) < 0 || low < 0xdc00 ||
        low > 0xdfff) {
        return -EPROTO;
    }
    *at += 6;
    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
    return 0;
}

static size_t put_utf8(uint32_t code, uint8_t out[REPLACED_MAX])
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 63));
        out[2] = (uint8_t)(0x80 | (code & 63));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 63));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 63));
    out[3] = (uint8_t)(0x80 | (code & 63));
    return 4;
}

/* What the escape at *at (behind the backslash) stands for; its length, or
 * -EPROTO.  *at moves behind it. */
static int take_escape(const uint8_t **at, const uint8_t *end,
                       uint8_t out[REPLACED_MAX])
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint32_t code;

    if (*at == end) {
        return -EPROTO;
    }
    uint8_t c = *(*at)++;
    if (c == 'u') {
        return take_code_point(at, end, &code) < 0 ? -EPROTO
                                                   : (int)put_utf8(code, out);
    }
    const char *known = c != '\0' ? strchr(from, c) : NULL;
    if (known == NULL) {
        return -EPROTO;
    }
    out[0] = (uint8_t)to[known - from];
    return 1;
}

/* Is it a byte that a string does not have as it stands? */
static bool is_special(uint8_t byte)
{
    return byte == '"' || byte == '\\' || byte < ' ';
}

/* The high bit of each byte of the word that is special; above the first that
 * is, more may be set.  With the bit of 2 turned, quotes stand right behind the
 * controls, and blanks do not. */
static uint64_t specials(uint64_t word)
{
    uint64_t quotes = (word ^ BYTES(2)) - BYTES(' ' + 1);
    uint64_t backslashes = (word ^ BYTES('\\')) - BYTES(1);

    return (quotes | backslashes) & ~word & BYTES(0x80);
}

/* Behind the bytes that are not special, eight at a time. */
static inline const uint8_t *skip_plain(const uint8_t *at, const uint8_t *end)
{
    uint64_t word;

    for (; end - at >= (ptrdiff_t)sizeof word; at += sizeof word) {
        memcpy(&word, at, sizeof word);
        uint64_t found = specials(le64toh(word));
        if (found != 0) {
            return at + __builtin_ctzll(found) / 8;
        }
    }
    while (at < end && !is_special(*at)) {
        at++;
    }
    return at;
}

static inline const uint8_t *end_string(const uint8_t *at, const uint8_t *end)
{
    return at < end && *at == '"' ? at + 1 : NULL;
}

/* As json_string_end, from the first backslash on.  Few strings have any, and
 * the others do not pay for it. */
__attribute__((noinline)) static const uint8_t *skip_escaped(const uint8_t *at,
                                                             const uint8_t *end)
{
    uint8_t unused[REPLACED_MAX];

    while (at < end && *at == '\\') {
        at++;
        if (take_escape(&at, end, unused) < 0) {
            return NULL;
        }
        at = skip_plain(at, end);
    }
    return end_string(at, end);
}

const uint8_t *json_string_end(const uint8_t *at, const uint8_t *end)
{
    if (at == end || *at != '"') {
        return NULL;
    }
    at = skip_plain(at + 1, end);
    return at < end && *at == '\\' ? skip_escaped(at, end)
                                   : end_string(at, end);
}

static const uint8_t *skip_digits(const uint8_t *at, const uint8_t *end)
{
    while (at < end && *at >= '0' && *at <= '9') {
        at++;
    }
    return at;
}

/* Behind the digits at `at`, or NULL when there is none. */
static const uint8_t *need_digits(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *behind = skip_digits(at, end);
    return behind > at ? behind : NULL;
}

static const uint8_t *skip_number(const uint8_t *at, const uint8_t *end)
{
    if (*at == '-') {
        at++;
    }
    if (at < end && *at == '0') {
        at++; /* nothing may follow a leading zero */
    } else if ((at = need_digits(at, end)) == NULL) {
        return NULL;
    }
    if (at < end && *at == '.' && (at = need_digits(at + 1, end)) == NULL) {
        return NULL;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-')) {
            at++;
        }
        return need_digits(at, end);
    }
    return at;
}

const uint8_t *json_scalar_end(const uint8_t *at, const uint8_t *end)
{
    static const char *const words[] = {"true", "false", "null"};
    size_t left = (size_t)(end - at);

    if (left == 0) {
        return NULL;
    }
    if (*at == '-' || (*at >= '0' && *at <= '9')) {
        return skip_number(at, end);
    }
    for (size_t i = 0; i < 3; i++) {
        size_t len = strlen(words[i]);
        if (left >= len && memcmp(at, words[i], len) == 0) {
            return at + len;
        }
    }
    return NULL;
}

/* The next decoded bytes of a checked string; their count. */
static size_t take_piece(const uint8_t **at, const uint8_t *end,
                         uint8_t out[REPLACED_MAX])
{
    if (**at != '\\') {
        out[0] = *(*at)++;
        return 1;
    }
    (*at)++;
    int len = take_escape(at, end, out);
    return len > 0 ? (size_t)len : 0;
}

static bool has_escape(wire_bytes_t inside)
{
    return memchr(inside.data, '\\', inside.len) != NULL;
}

/* As json_string_means, a character at a time. */
static bool means(wire_bytes_t inside, wire_bytes_t text)
{
    const uint8_t *at = inside.data, *end = inside.data + inside.len;
    uint8_t piece[REPLACED_MAX];
    size_t matched = 0;

    while (at < end) {
        size_t len = take_piece(&at, end, piece);
        if (len > text.len - matched ||
            memcmp(text.data + matched, piece, len) != 0) {
            return false;
        }
        matched += len;
    }
    return matched == text.len;
}

bool json_string_means(wire_bytes_t inside, wire_bytes_t text)
{
    if (inside.len == text.len &&
        memcmp(inside.data, text.data, text.len) == 0) {
        return !has_escape(text);
    }
    /* Only escapes make it longer than what it means. */
    return inside.len > text.len && has_escape(inside) && means(inside, text);
}

/* A piece begins a character, unless it is a byte of UTF-8 that goes on with
 * one. */
size_t json_string_chars(wire_bytes_t inside)
{
    const uint8_t *at = inside.data, *end = inside.data + inside.len;
    uint8_t piece[REPLACED_MAX];
    size_t chars = 0;

    while (at < end) {
        (void)take_piece(&at, end, piece);
        chars += (piece[0] & 0xc0) != 0x80;
    }
    return chars;
}

/* As json_decode_string, a character at a time. */
static int decode(wire_bytes_t inside, char *out, size_t max)
{
    const uint8_t *at = inside.data, *end = inside.data + inside.len;
    uint8_t piece[REPLACED_MAX];
    size_t used = 0;

    while (at < end) {
        size_t len = take_piece(&at, end, piece);
        if (len > max - used) {
            return -ENOBUFS;
        }
        memcpy(out + used, piece, len);
        used += len;
    }
    return (int)used;
}

int json_decode_string(wire_bytes_t inside, char *out, size_t max)
{
    if (inside.len > max || has_escape(inside)) {
        return decode(inside, out, max);
    }
    memcpy(out, inside.data, inside.len);
    return (int)inside.len;
}
