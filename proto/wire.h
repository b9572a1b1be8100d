/* SPDX-License-Identifier: MIT
 *
 * MessagePack in and out (https://github.com/msgpack/msgpack, spec.md).
 *
 * Reading is a bounds-checked cursor over bytes that a peer sent: nothing is
 * allocated, no length is believed before it is compared with the bytes left,
 * and skipping needs no recursion whatever the nesting.  Writing appends to a
 * buf_t, each number and length in its shortest form.  Pure; any thread.
 */
#ifndef PROTO_WIRE_H
#define PROTO_WIRE_H

#include "base/buf.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes that live elsewhere: lent, never freed through this. */
typedef struct {
    const uint8_t *data; /* may be NULL when len is 0 */
    size_t len;          /* bytes */
} wire_bytes_t;

/* What a body is: nothing (nil), a text frame (str), a binary frame (bin). */
typedef enum { BODY_NONE, BODY_TEXT, BODY_BINARY } body_type_t;

typedef struct {
    body_type_t type;
    wire_bytes_t bytes; /* empty for BODY_NONE */
} body_t;

/* The bytes of a C string. */
wire_bytes_t wire_bytes(const char *text);

bool wire_equal(wire_bytes_t a, wire_bytes_t b);

/* Is it exactly this text? */
bool wire_is(wire_bytes_t bytes, const char *text);

/* --- reading ----------------------------------------------------------- */

typedef struct {
    const uint8_t *at, *end; /* borrowed: the frame */
} wire_cursor_t;

static inline wire_cursor_t wire_cursor(wire_bytes_t bytes)
{
    /* NULL + 0 is undefined in C. */
    return (wire_cursor_t){bytes.data, bytes.len == 0 ? bytes.data
                                                      : bytes.data + bytes.len};
}

static inline bool wire_at_end(const wire_cursor_t *cursor)
{
    return cursor->at == cursor->end;
}

/*
 * Each reads one element and moves behind it.
 * Returns 0, or -EPROTO when the bytes end early, the element has another
 * type or a count is larger than the bytes left can hold; then the cursor
 * stays where it was.
 */
static inline int wire_get_uint(wire_cursor_t *cursor,
                                uint64_t *value); /* any width */
static inline int wire_get_nil(wire_cursor_t *cursor);
int wire_get_bool(wire_cursor_t *cursor, bool *value);
static inline int wire_get_str(wire_cursor_t *cursor, wire_bytes_t *text);
static inline int wire_get_body(wire_cursor_t *cursor, body_t *body);
static inline int wire_get_array(wire_cursor_t *cursor,
                                 uint32_t *count);        /* header only */
int wire_get_map(wire_cursor_t *cursor, uint32_t *count); /* header only */

/* As wire_get_uint, and -EPROTO above max. */
static inline int wire_get_uint_max(wire_cursor_t *cursor, uint64_t max,
                                    uint64_t *value);

/* As wire_get_str, and -EPROTO above max bytes. */
static inline int wire_get_str_max(wire_cursor_t *cursor, size_t max,
                                   wire_bytes_t *text);

/* One whole element, whatever it is and however deep; *raw spans it. */
int wire_get_raw(wire_cursor_t *cursor, wire_bytes_t *raw);

/* As wire_get_raw, and -EPROTO when it is not a map (array). */
static inline int wire_get_raw_map(wire_cursor_t *cursor, wire_bytes_t *raw);
int wire_get_raw_array(wire_cursor_t *cursor, wire_bytes_t *raw);

/*
 * Find key in a map that wire_get_raw_map checked.
 * Returns true with *value at the value, or false when it is not there.  The
 * first of equal keys counts.
 */
bool wire_map_find(wire_bytes_t map, const char *key, wire_cursor_t *value);

/*
 * The text, number or flag under key, or the fallback when the key is absent
 * or of another type (an option of a newer version is no error).
 */
wire_bytes_t wire_map_str(wire_bytes_t map, const char *key);
uint64_t wire_map_uint(wire_bytes_t map, const char *key, uint64_t fallback);
bool wire_map_bool(wire_bytes_t map, const char *key, bool fallback);

/* --- writing ----------------------------------------------------------- */

/*
 * Each appends one element.
 * Returns 0, -ENOBUFS past the buffer's limit, -ENOMEM.
 */
static inline int wire_put_uint(buf_t *out, uint64_t value);
static inline int wire_put_nil(buf_t *out);
int wire_put_bool(buf_t *out, bool value);
int wire_put_str(buf_t *out, wire_bytes_t text);
int wire_put_text(buf_t *out, const char *text);
int wire_put_body(buf_t *out, const body_t *body);
int wire_put_array(buf_t *out, uint32_t count); /* header only */
int wire_put_map(buf_t *out, uint32_t count);   /* header only */

/* An entry of a map: key and value. */
int wire_put_entry_uint(buf_t *out, const char *key, uint64_t value);
int wire_put_entry_bool(buf_t *out, const char *key, bool value);
int wire_put_entry_str(buf_t *out, const char *key, wire_bytes_t value);

/* Bytes that are already one or more elements. */
int wire_put_raw(buf_t *out, wire_bytes_t raw);

/* --- heads of one byte ---------------------------------------------------- */

/*
 * Most elements have a head of one byte, which is all of them or says how long
 * they are; these are read and written in place.  What has another is read and
 * written by the functions that say so.
 */
#define WIRE_NIL         0xc0
#define WIRE_SMALL_MAX   0x7f /* of numbers that are their byte */
#define WIRE_SHORT_STR   0xa0 /* from here on: texts, by their length … */
#define WIRE_SHORT_MAX   0x1f /* … of so many bytes at most */
#define WIRE_SHORT_ARRAY 0x90 /* likewise arrays, by their elements */
#define WIRE_FEW_MAX     0x0f
#define WIRE_BIN         0xc4 /* with a length behind it: of 1, … */
#define WIRE_UINT        0xcc
#define WIRE_STR         0xd9

int wire_put_large(buf_t *out, uint64_t value);

/*
 * What has another head, and what is longer to read: where the element ends
 * that begins at the cursor, or NULL for -EPROTO.  They are given the cursor,
 * and not where it is, so that it need not be in memory.
 */
const uint8_t *wire_read_large(wire_cursor_t from, uint64_t *value);
const uint8_t *wire_read_long(wire_cursor_t from, wire_bytes_t *text);
const uint8_t *wire_read_many(wire_cursor_t from, uint32_t *count);
const uint8_t *wire_read_body(wire_cursor_t from, body_t *body);
const uint8_t *wire_read_raw_map(wire_cursor_t from, wire_bytes_t *raw);

static inline int wire_move(wire_cursor_t *cursor, const uint8_t *end)
{
    if (end == NULL) {
        return -EPROTO;
    }
    cursor->at = end;
    return 0;
}

static inline int wire_get_body(wire_cursor_t *cursor, body_t *body)
{
    return wire_move(cursor, wire_read_body(*cursor, body));
}

static inline int wire_get_raw_map(wire_cursor_t *cursor, wire_bytes_t *raw)
{
    return wire_move(cursor, wire_read_raw_map(*cursor, raw));
}

static inline int wire_get_uint(wire_cursor_t *cursor, uint64_t *value)
{
    if (wire_at_end(cursor) || *cursor->at > WIRE_SMALL_MAX) {
        return wire_move(cursor, wire_read_large(*cursor, value));
    }
    *value = *cursor->at++;
    return 0;
}

static inline int wire_get_uint_max(wire_cursor_t *cursor, uint64_t max,
                                    uint64_t *value)
{
    wire_cursor_t start = *cursor;
    uint64_t number;
    int rc = wire_get_uint(cursor, &number);

    if (rc < 0) {
        return rc;
    }
    if (number > max) {
        *cursor = start;
        return -EPROTO;
    }
    *value = number;
    return 0;
}

static inline int wire_get_nil(wire_cursor_t *cursor)
{
    if (wire_at_end(cursor) || *cursor->at != WIRE_NIL) {
        return -EPROTO;
    }
    cursor->at++;
    return 0;
}

/*
 * The heads from `first` on announce up to `max` bytes, or elements.  Is the
 * element at the cursor one of these, and is there room for what it announces?
 */
static inline bool wire_is_short(const wire_cursor_t *cursor, uint8_t first,
                                 uint8_t max)
{
    size_t left = (size_t)(cursor->end - cursor->at);
    uint8_t announced;

    if (left == 0) {
        return false;
    }
    announced = *cursor->at ^ first; /* above max, if it is another kind */
    return announced <= max && announced < left;
}

static inline int wire_get_str(wire_cursor_t *cursor, wire_bytes_t *text)
{
    if (!wire_is_short(cursor, WIRE_SHORT_STR, WIRE_SHORT_MAX)) {
        return wire_move(cursor, wire_read_long(*cursor, text));
    }
    size_t len = *cursor->at++ & WIRE_SHORT_MAX;
    *text = (wire_bytes_t){cursor->at, len};
    cursor->at += len;
    return 0;
}

static inline int wire_get_str_max(wire_cursor_t *cursor, size_t max,
                                   wire_bytes_t *text)
{
    wire_cursor_t start = *cursor;
    int rc = wire_get_str(cursor, text);

    if (rc == 0 && text->len > max) {
        *cursor = start;
        rc = -EPROTO;
    }
    return rc;
}

static inline int wire_get_array(wire_cursor_t *cursor, uint32_t *count)
{
    if (!wire_is_short(cursor, WIRE_SHORT_ARRAY, WIRE_FEW_MAX)) {
        return wire_move(cursor, wire_read_many(*cursor, count));
    }
    *count = *cursor->at++ & WIRE_FEW_MAX;
    return 0;
}

static inline int wire_put_uint(buf_t *out, uint64_t value)
{
    uint8_t small = (uint8_t)value;

    return value > WIRE_SMALL_MAX ? wire_put_large(out, value)
                                  : buf_put(out, &small, 1);
}

static inline int wire_put_nil(buf_t *out)
{
    static const uint8_t nil = WIRE_NIL;

    return buf_put(out, &nil, 1);
}

/* --- into room that is there ---------------------------------------------- */

/*
 * For who writes many elements at once, and has made room for all of them:
 * WIRE_HEAD_MAX bytes each, of which a number needs no more, and those that a
 * text is long.  Each writes one at `to` and returns where it ends.
 */
#define WIRE_HEAD_MAX 9

/* Of a number that does not fit in a byte. */
uint8_t *wire_write_wide(uint8_t *to, uint8_t first, uint64_t number);

/* A number that a first byte announces, or that counts the bytes behind it: of
 * 1, 2, 4 or 8 bytes, which the first byte counts from `first` on. */
static inline uint8_t *wire_write_number(uint8_t *to, uint8_t first,
                                         uint64_t number)
{
    if (number > UINT8_MAX) {
        return wire_write_wide(to, first, number);
    }
    to[0] = first;
    to[1] = (uint8_t)number;
    return to + 2;
}

static inline uint8_t *wire_write_uint(uint8_t *to, uint64_t value)
{
    if (value > WIRE_SMALL_MAX) {
        return wire_write_number(to, WIRE_UINT, value);
    }
    *to = (uint8_t)value;
    return to + 1;
}

/* The head of an array of WIRE_FEW_MAX elements at most. */
static inline uint8_t *wire_write_few(uint8_t *to, unsigned count)
{
    *to = (uint8_t)(WIRE_SHORT_ARRAY | count);
    return to + 1;
}

static inline uint8_t *wire_write_nil(uint8_t *to)
{
    *to = WIRE_NIL;
    return to + 1;
}

/* Bytes that are already one or more elements: no head. */
static inline uint8_t *wire_write_raw(uint8_t *to, wire_bytes_t raw)
{
    if (raw.len > 0) {
        memcpy(to, raw.data, raw.len);
    }
    return to + raw.len;
}

static inline uint8_t *wire_write_str(uint8_t *to, wire_bytes_t text)
{
    if (text.len > WIRE_SHORT_MAX) {
        to = wire_write_number(to, WIRE_STR, text.len);
    } else {
        *to++ = (uint8_t)(WIRE_SHORT_STR | text.len);
    }
    return wire_write_raw(to, text);
}

static inline uint8_t *wire_write_body(uint8_t *to, const body_t *body)
{
    switch (body->type) {
    case BODY_TEXT:
        return wire_write_str(to, body->bytes);
    case BODY_BINARY:
        to = wire_write_number(to, WIRE_BIN, body->bytes.len);
        return wire_write_raw(to, body->bytes);
    default:
        return wire_write_nil(to);
    }
}

#endif
