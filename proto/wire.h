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
int wire_get_str(wire_cursor_t *cursor, wire_bytes_t *text);
int wire_get_body(wire_cursor_t *cursor, body_t *body);
int wire_get_array(wire_cursor_t *cursor, uint32_t *count); /* header only */
int wire_get_map(wire_cursor_t *cursor, uint32_t *count);   /* header only */

/* As wire_get_uint, and -EPROTO above max. */
static inline int wire_get_uint_max(wire_cursor_t *cursor, uint64_t max,
                                    uint64_t *value);

/* As wire_get_str, and -EPROTO above max bytes. */
int wire_get_str_max(wire_cursor_t *cursor, size_t max, wire_bytes_t *text);

/* One whole element, whatever it is and however deep; *raw spans it. */
int wire_get_raw(wire_cursor_t *cursor, wire_bytes_t *raw);

/* As wire_get_raw, and -EPROTO when it is not a map (array). */
int wire_get_raw_map(wire_cursor_t *cursor, wire_bytes_t *raw);
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

/* --- elements of one byte ------------------------------------------------ */

/*
 * Most elements of a message are of one byte, which is all of them; these are
 * read and written in place.
 */
#define WIRE_NIL       0xc0
#define WIRE_SMALL_MAX 0x7f /* of numbers that are their byte */

/* The numbers that are not small. */
int wire_get_large(wire_cursor_t *cursor, uint64_t *value);
int wire_put_large(buf_t *out, uint64_t value);

static inline int wire_get_uint(wire_cursor_t *cursor, uint64_t *value)
{
    if (wire_at_end(cursor) || *cursor->at > WIRE_SMALL_MAX) {
        return wire_get_large(cursor, value);
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

#endif
