/* SPDX-License-Identifier: MIT
 *
 * The reader knows every MessagePack type by its first byte: how many bytes
 * of head, how many of payload, how many elements follow.  Everything else is
 * built on that one function, so bounds are checked in one place.
 */
#include "proto/wire.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <endian.h>

typedef enum {
    TYPE_NONE,
    TYPE_UINT,
    TYPE_NEGATIVE,
    TYPE_NIL,
    TYPE_BOOL,
    TYPE_FLOAT,
    TYPE_STR,
    TYPE_BIN,
    TYPE_EXT,
    TYPE_ARRAY,
    TYPE_MAP,
} type_t;

typedef struct {
    type_t type;
    uint64_t value;     /* of a TYPE_UINT or TYPE_BOOL */
    uint32_t children;  /* elements inside: count, or 2 × count of a map */
    uint32_t payload;   /* bytes behind the head */
    const uint8_t *end; /* of head and payload */
} element_t;

/* How an element reads that begins with some byte: its type, the bytes of the
 * number behind it (where there are none, the number is in the byte itself,
 * under the mask), whether that number counts bytes, how many elements are
 * inside for each one counted, and the bytes behind it that are always there.
 */
typedef struct {
    uint8_t type, width, mask, is_length, children, extra;
} head_t;

/* By the upper half of the byte; two of these are in `heads`. */
static const head_t fixed_heads[16] = {
    [0x0] = {.type = TYPE_UINT, .mask = 0x7f},
    [0x1] = {.type = TYPE_UINT, .mask = 0x7f},
    [0x2] = {.type = TYPE_UINT, .mask = 0x7f},
    [0x3] = {.type = TYPE_UINT, .mask = 0x7f},
    [0x4] = {.type = TYPE_UINT, .mask = 0x7f},
    [0x5] = {.type = TYPE_UINT, .mask = 0x7f},
    [0x6] = {.type = TYPE_UINT, .mask = 0x7f},
    [0x7] = {.type = TYPE_UINT, .mask = 0x7f},
    [0x8] = {.type = TYPE_MAP, .mask = 0x0f, .children = 2},
    [0x9] = {.type = TYPE_ARRAY, .mask = 0x0f, .children = 1},
    [0xa] = {.type = TYPE_STR, .mask = 0x1f, .is_length = 1},
    [0xb] = {.type = TYPE_STR, .mask = 0x1f, .is_length = 1},
    [0xe] = {.type = TYPE_NEGATIVE},
    [0xf] = {.type = TYPE_NEGATIVE},
};

/* From 0xc0 to 0xdf; the spec never uses the byte without a row. */
static const head_t heads[32] = {
    [0x00] = {.type = TYPE_NIL},
    [0x01] = {.type = TYPE_NONE},
    [0x02] = {.type = TYPE_BOOL, .mask = 1},
    [0x03] = {.type = TYPE_BOOL, .mask = 1},
    [0x04] = {.type = TYPE_BIN, .width = 1, .is_length = 1},
    [0x05] = {.type = TYPE_BIN, .width = 2, .is_length = 1},
    [0x06] = {.type = TYPE_BIN, .width = 4, .is_length = 1},
    [0x07] = {.type = TYPE_EXT, .width = 1, .is_length = 1, .extra = 1},
    [0x08] = {.type = TYPE_EXT, .width = 2, .is_length = 1, .extra = 1},
    [0x09] = {.type = TYPE_EXT, .width = 4, .is_length = 1, .extra = 1},
    [0x0a] = {.type = TYPE_FLOAT, .extra = 4},
    [0x0b] = {.type = TYPE_FLOAT, .extra = 8},
    [0x0c] = {.type = TYPE_UINT, .width = 1},
    [0x0d] = {.type = TYPE_UINT, .width = 2},
    [0x0e] = {.type = TYPE_UINT, .width = 4},
    [0x0f] = {.type = TYPE_UINT, .width = 8},
    [0x10] = {.type = TYPE_NEGATIVE, .width = 1},
    [0x11] = {.type = TYPE_NEGATIVE, .width = 2},
    [0x12] = {.type = TYPE_NEGATIVE, .width = 4},
    [0x13] = {.type = TYPE_NEGATIVE, .width = 8},
    [0x14] = {.type = TYPE_EXT, .extra = 2},
    [0x15] = {.type = TYPE_EXT, .extra = 3},
    [0x16] = {.type = TYPE_EXT, .extra = 5},
    [0x17] = {.type = TYPE_EXT, .extra = 9},
    [0x18] = {.type = TYPE_EXT, .extra = 17},
    [0x19] = {.type = TYPE_STR, .width = 1, .is_length = 1},
    [0x1a] = {.type = TYPE_STR, .width = 2, .is_length = 1},
    [0x1b] = {.type = TYPE_STR, .width = 4, .is_length = 1},
    [0x1c] = {.type = TYPE_ARRAY, .width = 2, .children = 1},
    [0x1d] = {.type = TYPE_ARRAY, .width = 4, .children = 1},
    [0x1e] = {.type = TYPE_MAP, .width = 2, .children = 2},
    [0x1f] = {.type = TYPE_MAP, .width = 4, .children = 2},
};

static uint64_t big_endian(const uint8_t *at, unsigned width)
{
    uint64_t wide;
    uint32_t word;
    uint16_t half;

    switch (width) {
    case 1:
        return *at;
    case 2:
        memcpy(&half, at, sizeof half);
        return be16toh(half);
    case 4:
        memcpy(&word, at, sizeof word);
        return be32toh(word);
    default:
        memcpy(&wide, at, sizeof wide);
        return be64toh(wide);
    }
}

/* Look at the element under the cursor without moving. */
static inline int peek(const wire_cursor_t *cursor, element_t *element)
{
    const uint8_t *at = cursor->at;

    if (at == cursor->end) {
        return -EPROTO;
    }
    uint8_t first = *at++;
    const head_t *head = first >= 0xc0 && first < 0xe0
                             ? &heads[first - 0xc0]
                             : &fixed_heads[first >> 4];
    uint64_t number = first & head->mask;
    size_t left = (size_t)(cursor->end - at);
    element->type = (type_t)head->type;
    if (head->width > 0) {
        if (head->width > left) {
            return -EPROTO;
        }
        if (head->type == TYPE_NEGATIVE && *at <= 0x7f) {
            element->type =
                TYPE_UINT; /* some encoders write every integer so */
        }
        number = big_endian(at, head->width);
        at += head->width;
        left -= head->width;
    }
    uint64_t payload = number * head->is_length + head->extra;
    uint64_t children = number * head->children;
    if (payload > left || children > left) { /* each of those takes a byte */
        return -EPROTO;
    }
    element->value = number;
    element->children = (uint32_t)children;
    element->payload = (uint32_t)payload;
    element->end = at + payload;
    return element->type == TYPE_NONE ? -EPROTO : 0;
}

/* Where the element ends if it is of this type, or NULL. */
static const uint8_t *read(wire_cursor_t from, type_t type, element_t *element)
{
    return peek(&from, element) == 0 && element->type == type ? element->end
                                                              : NULL;
}

static wire_bytes_t payload(const element_t *element)
{
    return (wire_bytes_t){element->end - element->payload, element->payload};
}

const uint8_t *wire_read_large(wire_cursor_t from, uint64_t *value)
{
    size_t left = (size_t)(from.end - from.at);
    unsigned doubled = left > 8 ? (unsigned)*from.at - WIRE_UINT : UINT_MAX;
    element_t element;

    if (doubled <= 3) { /* a word is there, of which it is the upper bytes */
        unsigned width = 1u << doubled;
        *value = big_endian(from.at + 1, 8) >> (64 - 8 * width);
        return from.at + 1 + width;
    }
    const uint8_t *end = read(from, TYPE_UINT, &element);
    if (end != NULL) {
        *value = element.value;
    }
    return end;
}

const uint8_t *wire_read_long(wire_cursor_t from, wire_bytes_t *text)
{
    size_t left = (size_t)(from.end - from.at);
    element_t element;

    if (left >= 2 && from.at[0] == WIRE_STR && from.at[1] <= left - 2) {
        *text = (wire_bytes_t){from.at + 2, from.at[1]};
        return from.at + 2 + from.at[1];
    }
    const uint8_t *end = read(from, TYPE_STR, &element);
    if (end != NULL) {
        *text = payload(&element);
    }
    return end;
}

const uint8_t *wire_read_body(wire_cursor_t from, body_t *body)
{
    element_t element;

    if (wire_get_nil(&from) == 0) {
        *body = (body_t){.type = BODY_NONE};
        return from.at;
    }
    if (wire_get_str(&from, &body->bytes) == 0) {
        body->type = BODY_TEXT;
        return from.at;
    }
    const uint8_t *end = read(from, TYPE_BIN, &element);
    if (end != NULL) {
        *body = (body_t){BODY_BINARY, payload(&element)};
    }
    return end;
}

const uint8_t *wire_read_many(wire_cursor_t from, uint32_t *count)
{
    element_t element;
    const uint8_t *end = read(from, TYPE_ARRAY, &element);

    if (end != NULL) {
        *count = element.children;
    }
    return end;
}

int wire_get_map(wire_cursor_t *cursor, uint32_t *count)
{
    element_t element;
    const uint8_t *end = read(*cursor, TYPE_MAP, &element);

    if (end != NULL) {
        *count = element.children / 2;
    }
    return wire_move(cursor, end);
}

int wire_get_bool(wire_cursor_t *cursor, bool *value)
{
    element_t element;
    const uint8_t *end = read(*cursor, TYPE_BOOL, &element);

    if (end != NULL) {
        *value = element.value != 0;
    }
    return wire_move(cursor, end);
}

/* Move behind the element if it is a short text or a number of one byte, which
 * most are, in maps most of all. */
static inline bool skip_short(wire_cursor_t *at)
{
    size_t left = (size_t)(at->end - at->at);
    size_t size = 1;

    if (left == 0) {
        return false;
    }
    if (wire_is_short(at, WIRE_SHORT_STR, WIRE_SHORT_MAX)) {
        size += *at->at & WIRE_SHORT_MAX;
    } else if (*at->at > WIRE_SMALL_MAX) {
        return false;
    }
    at->at += size;
    return true;
}

/* Where so many elements end, with what is in them, or NULL.  No stack, so they
 * may be nested to any depth. */
static const uint8_t *skip(wire_cursor_t from, uint64_t wanted)
{
    for (; wanted > 0; wanted--) {
        element_t element;
        if (skip_short(&from)) {
            continue;
        }
        if (peek(&from, &element) < 0) {
            return NULL;
        }
        from.at = element.end;
        wanted += element.children;
        if (wanted - 1 > (uint64_t)(from.end - from.at)) {
            return NULL;
        }
    }
    return from.at;
}

/* Where the element of this type ends, with what is in it. */
static const uint8_t *read_raw(wire_cursor_t from, type_t type,
                               wire_bytes_t *raw)
{
    element_t element;
    const uint8_t *end = read(from, type, &element);

    if (end != NULL) {
        end = skip((wire_cursor_t){end, from.end}, element.children);
    }
    if (end != NULL) {
        *raw = (wire_bytes_t){from.at, (size_t)(end - from.at)};
    }
    return end;
}

const uint8_t *wire_read_raw_map(wire_cursor_t from, wire_bytes_t *raw)
{
    return read_raw(from, TYPE_MAP, raw);
}

int wire_get_raw_array(wire_cursor_t *cursor, wire_bytes_t *raw)
{
    return wire_move(cursor, read_raw(*cursor, TYPE_ARRAY, raw));
}

int wire_get_raw(wire_cursor_t *cursor, wire_bytes_t *raw)
{
    const uint8_t *end = skip(*cursor, 1);

    if (end != NULL) {
        *raw = (wire_bytes_t){cursor->at, (size_t)(end - cursor->at)};
    }
    return wire_move(cursor, end);
}

bool wire_map_find(wire_bytes_t map, const char *key, wire_cursor_t *value)
{
    wire_cursor_t cursor = wire_cursor(map);
    wire_bytes_t name, skipped;
    uint32_t count;

    if (map.len == 0 || wire_get_map(&cursor, &count) < 0) {
        return false;
    }
    while (count-- > 0) {
        bool is_text = wire_get_str(&cursor, &name) == 0;
        if (is_text && wire_is(name, key)) {
            *value = cursor;
            return true;
        }
        /* A key that is no text is still to be skipped, then its value. */
        if ((!is_text && wire_get_raw(&cursor, &skipped) < 0) ||
            wire_get_raw(&cursor, &skipped) < 0) {
            return false;
        }
    }
    return false;
}

wire_bytes_t wire_map_str(wire_bytes_t map, const char *key)
{
    wire_cursor_t value;
    wire_bytes_t text = {NULL, 0};

    if (wire_map_find(map, key, &value)) {
        (void)wire_get_str(&value, &text);
    }
    return text;
}

uint64_t wire_map_uint(wire_bytes_t map, const char *key, uint64_t fallback)
{
    wire_cursor_t value;
    uint64_t number = fallback;

    if (wire_map_find(map, key, &value)) {
        (void)wire_get_uint(&value, &number);
    }
    return number;
}

bool wire_map_bool(wire_bytes_t map, const char *key, bool fallback)
{
    wire_cursor_t value;
    bool flag = fallback;

    if (wire_map_find(map, key, &value)) {
        (void)wire_get_bool(&value, &flag);
    }
    return flag;
}

wire_bytes_t wire_bytes(const char *text)
{
    return (wire_bytes_t){(const uint8_t *)text, strlen(text)};
}

bool wire_equal(wire_bytes_t a, wire_bytes_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool wire_is(wire_bytes_t bytes, const char *text)
{
    return wire_equal(bytes, wire_bytes(text));
}

/* --- writing ----------------------------------------------------------- */

static const wire_bytes_t nothing;

/* The number in `width` bytes: 0, 1, 2, 4 or 8. */
static inline void store(uint8_t *at, uint64_t number, unsigned width)
{
    uint64_t wide = htobe64(number);
    uint32_t word = htobe32((uint32_t)number);
    uint16_t half = htobe16((uint16_t)number);

    switch (width) {
    case 0:
        return;
    case 1:
        *at = (uint8_t)number;
        return;
    case 2:
        memcpy(at, &half, sizeof half);
        return;
    case 4:
        memcpy(at, &word, sizeof word);
        return;
    default:
        memcpy(at, &wide, sizeof wide);
        return;
    }
}

/* Append a head, its first byte and `width` bytes of a number, and what it
 * announces. */
static inline int put(buf_t *out, uint8_t first, uint64_t number,
                      unsigned width, wire_bytes_t payload)
{
    int rc = buf_reserve(out, 1 + width + payload.len);
    if (rc < 0) {
        return rc;
    }
    uint8_t *at = out->data + out->len;
    *at++ = first;
    store(at, number, width);
    if (payload.len > 0) {
        memcpy(at + width, payload.data, payload.len);
    }
    out->len += 1 + width + payload.len;
    return 0;
}

/* As put, of a number of the fewest bytes, 1, 2, 4 or 8, which the first byte
 * counts from `first` on. */
static int put_shortest(buf_t *out, uint8_t first, uint64_t number,
                        wire_bytes_t payload)
{
    if (number <= UINT8_MAX) {
        return put(out, first, number, 1, payload);
    }
    if (number <= UINT16_MAX) {
        return put(out, first + 1, number, 2, payload);
    }
    if (number <= UINT32_MAX) {
        return put(out, first + 2, number, 4, payload);
    }
    return put(out, first + 3, number, 8, payload);
}

uint8_t *wire_write_wide(uint8_t *to, uint8_t first, uint64_t number)
{
    unsigned doubled = number <= UINT16_MAX ? 1 : number <= UINT32_MAX ? 2 : 3;

    *to = (uint8_t)(first + doubled);
    store(to + 1, number, 1u << doubled);
    return to + 1 + (1u << doubled);
}

int wire_put_large(buf_t *out, uint64_t value)
{
    return put_shortest(out, WIRE_UINT, value, nothing);
}

int wire_put_bool(buf_t *out, bool value)
{
    return put(out, value ? 0xc3 : 0xc2, 0, 0, nothing);
}

int wire_put_str(buf_t *out, wire_bytes_t text)
{
    return text.len <= WIRE_SHORT_MAX
               ? put(out, (uint8_t)(WIRE_SHORT_STR | text.len), 0, 0, text)
               : put_shortest(out, WIRE_STR, text.len, text);
}

int wire_put_text(buf_t *out, const char *text)
{
    return wire_put_str(out, wire_bytes(text));
}

int wire_put_entry_uint(buf_t *out, const char *key, uint64_t value)
{
    int rc = wire_put_text(out, key);

    return rc < 0 ? rc : wire_put_uint(out, value);
}

int wire_put_entry_bool(buf_t *out, const char *key, bool value)
{
    int rc = wire_put_text(out, key);

    return rc < 0 ? rc : wire_put_bool(out, value);
}

int wire_put_entry_str(buf_t *out, const char *key, wire_bytes_t value)
{
    int rc = wire_put_text(out, key);

    return rc < 0 ? rc : wire_put_str(out, value);
}

int wire_put_body(buf_t *out, const body_t *body)
{
    switch (body->type) {
    case BODY_TEXT:
        return wire_put_str(out, body->bytes);
    case BODY_BINARY:
        return put_shortest(out, WIRE_BIN, body->bytes.len, body->bytes);
    default:
        return wire_put_nil(out);
    }
}

/* The number of an array or a map has two bytes or four. */
static int put_count(buf_t *out, uint8_t few, uint8_t many, uint32_t count)
{
    if (count <= 0x0f) {
        return put(out, (uint8_t)(few | count), 0, 0, nothing);
    }
    return count <= UINT16_MAX ? put(out, many, count, 2, nothing)
                               : put(out, many + 1, count, 4, nothing);
}

int wire_put_array(buf_t *out, uint32_t count)
{
    return put_count(out, 0x90, 0xdc, count);
}

int wire_put_map(buf_t *out, uint32_t count)
{
    return put_count(out, 0x80, 0xde, count);
}

int wire_put_raw(buf_t *out, wire_bytes_t raw)
{
    return buf_put(out, raw.data, raw.len);
}
