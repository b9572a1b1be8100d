/* SPDX-License-Identifier: MIT
 *
 * The reader knows every MessagePack type by its first byte: how many bytes
 * of head, how many of payload, how many elements follow.  Everything else is
 * built on that one function, so bounds are checked in one place.
 */
#include "proto/wire.h"

#include "proto/compat_msgpack.h"

#include <errno.h>
#include <string.h>

typedef enum {
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

/* How each first byte from 0xc0 to 0xdf reads: type, bytes of the number
 * behind it, bytes added to what that number counts (an ext's type). */
typedef struct {
    uint8_t type, width, extra;
} head_t;

static const head_t heads[32] = {
    [0x00] = {TYPE_NIL, 0, 0},      [0x02] = {TYPE_BOOL, 0, 0},
    [0x03] = {TYPE_BOOL, 0, 0},     [0x04] = {TYPE_BIN, 1, 0},
    [0x05] = {TYPE_BIN, 2, 0},      [0x06] = {TYPE_BIN, 4, 0},
    [0x07] = {TYPE_EXT, 1, 1},      [0x08] = {TYPE_EXT, 2, 1},
    [0x09] = {TYPE_EXT, 4, 1},      [0x0a] = {TYPE_FLOAT, 0, 4},
    [0x0b] = {TYPE_FLOAT, 0, 8},    [0x0c] = {TYPE_UINT, 1, 0},
    [0x0d] = {TYPE_UINT, 2, 0},     [0x0e] = {TYPE_UINT, 4, 0},
    [0x0f] = {TYPE_UINT, 8, 0},     [0x10] = {TYPE_NEGATIVE, 1, 0},
    [0x11] = {TYPE_NEGATIVE, 2, 0}, [0x12] = {TYPE_NEGATIVE, 4, 0},
    [0x13] = {TYPE_NEGATIVE, 8, 0}, [0x14] = {TYPE_EXT, 0, 2},
    [0x15] = {TYPE_EXT, 0, 3},      [0x16] = {TYPE_EXT, 0, 5},
    [0x17] = {TYPE_EXT, 0, 9},      [0x18] = {TYPE_EXT, 0, 17},
    [0x19] = {TYPE_STR, 1, 0},      [0x1a] = {TYPE_STR, 2, 0},
    [0x1b] = {TYPE_STR, 4, 0},      [0x1c] = {TYPE_ARRAY, 2, 0},
    [0x1d] = {TYPE_ARRAY, 4, 0},    [0x1e] = {TYPE_MAP, 2, 0},
    [0x1f] = {TYPE_MAP, 4, 0},
};

static uint64_t big_endian(const uint8_t *at, unsigned width)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < width; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

/* Give *element the meaning that its type has for the number in its head. */
static int settle(element_t *element, type_t type, uint64_t number,
                  size_t extra, size_t left)
{
    element->type = type;
    element->value = number;
    element->children = 0;
    element->payload = (uint32_t)extra;
    switch (type) {
    case TYPE_STR:
    case TYPE_BIN:
    case TYPE_EXT:
        if (number + extra > left) {
            return -EPROTO;
        }
        element->payload = (uint32_t)(number + extra);
        return 0;
    case TYPE_ARRAY:
        if (number > left) { /* each element takes a byte at least */
            return -EPROTO;
        }
        element->children = (uint32_t)number;
        return 0;
    case TYPE_MAP:
        if (number > left / 2) {
            return -EPROTO;
        }
        element->children = (uint32_t)(number * 2);
        return 0;
    default:
        return extra > left ? -EPROTO : 0;
    }
}

static int peek_fixed(uint8_t first, size_t left, element_t *element)
{
    if (first <= 0x7f) {
        return settle(element, TYPE_UINT, first, 0, left);
    }
    if (first >= 0xe0) {
        return settle(element, TYPE_NEGATIVE, 0, 0, left);
    }
    if (first >= 0xa0) {
        return settle(element, TYPE_STR, first & 0x1f, 0, left);
    }
    if (first >= 0x90) {
        return settle(element, TYPE_ARRAY, first & 0x0f, 0, left);
    }
    return settle(element, TYPE_MAP, first & 0x0f, 0, left);
}

/* Look at the element under the cursor without moving. */
static int peek(const wire_cursor_t *cursor, element_t *element)
{
    const uint8_t *at = cursor->at;

    if (at == cursor->end) {
        return -EPROTO;
    }
    uint8_t first = *at++;
    size_t left = (size_t)(cursor->end - at);
    int rc;
    if (first < 0xc0 || first >= 0xe0) {
        rc = peek_fixed(first, left, element);
    } else if (first == 0xc1) { /* the one byte that the spec never uses */
        return -EPROTO;
    } else {
        head_t head = heads[first - 0xc0];
        if (head.width > left) {
            return -EPROTO;
        }
        uint64_t number = big_endian(at, head.width);
        if (head.type == TYPE_BOOL) {
            number = first & 1;
        }
        if (head.type == TYPE_NEGATIVE && at[0] <= 0x7f) {
            head.type = TYPE_UINT; /* some encoders write every integer so */
        }
        at += head.width;
        rc = settle(element, (type_t)head.type, number, head.extra,
                    left - head.width);
    }
    element->end = at + element->payload;
    return rc;
}

/* Read the element if it is of this type. */
static int get(wire_cursor_t *cursor, type_t type, element_t *element)
{
    int rc = peek(cursor, element);
    if (rc < 0) {
        return rc;
    }
    if (element->type != type) {
        return -EPROTO;
    }
    cursor->at = element->end;
    return 0;
}

static wire_bytes_t payload(const element_t *element)
{
    return (wire_bytes_t){element->end - element->payload, element->payload};
}

int wire_get_uint(wire_cursor_t *cursor, uint64_t *value)
{
    element_t element;
    int rc = get(cursor, TYPE_UINT, &element);
    if (rc == 0) {
        *value = element.value;
    }
    return rc;
}

int wire_get_uint_max(wire_cursor_t *cursor, uint64_t max, uint64_t *value)
{
    wire_cursor_t start = *cursor;
    int rc = wire_get_uint(cursor, value);
    if (rc == 0 && *value > max) {
        *cursor = start;
        rc = -EPROTO;
    }
    return rc;
}

int wire_get_bool(wire_cursor_t *cursor, bool *value)
{
    element_t element;
    int rc = get(cursor, TYPE_BOOL, &element);
    if (rc == 0) {
        *value = element.value != 0;
    }
    return rc;
}

int wire_get_nil(wire_cursor_t *cursor)
{
    element_t element;
    return get(cursor, TYPE_NIL, &element);
}

int wire_get_str(wire_cursor_t *cursor, wire_bytes_t *text)
{
    element_t element;
    int rc = get(cursor, TYPE_STR, &element);
    if (rc == 0) {
        *text = payload(&element);
    }
    return rc;
}

int wire_get_str_max(wire_cursor_t *cursor, size_t max, wire_bytes_t *text)
{
    wire_cursor_t start = *cursor;
    int rc = wire_get_str(cursor, text);
    if (rc == 0 && text->len > max) {
        *cursor = start;
        rc = -EPROTO;
    }
    return rc;
}

int wire_get_body(wire_cursor_t *cursor, body_t *body)
{
    element_t element;
    int rc = peek(cursor, &element);
    if (rc < 0) {
        return rc;
    }
    switch (element.type) {
    case TYPE_NIL:
        *body = (body_t){.type = BODY_NONE};
        break;
    case TYPE_STR:
        *body = (body_t){BODY_TEXT, payload(&element)};
        break;
    case TYPE_BIN:
        *body = (body_t){BODY_BINARY, payload(&element)};
        break;
    default:
        return -EPROTO;
    }
    cursor->at = element.end;
    return 0;
}

int wire_get_array(wire_cursor_t *cursor, uint32_t *count)
{
    element_t element;
    int rc = get(cursor, TYPE_ARRAY, &element);
    if (rc == 0) {
        *count = element.children;
    }
    return rc;
}

int wire_get_map(wire_cursor_t *cursor, uint32_t *count)
{
    element_t element;
    int rc = get(cursor, TYPE_MAP, &element);
    if (rc == 0) {
        *count = element.children / 2;
    }
    return rc;
}

int wire_get_raw(wire_cursor_t *cursor, wire_bytes_t *raw)
{
    wire_cursor_t at = *cursor;
    uint64_t wanted = 1; /* elements still to read; no stack, so any depth */

    while (wanted > 0) {
        element_t element;
        int rc = peek(&at, &element);
        if (rc < 0) {
            return rc;
        }
        at.at = element.end;
        wanted += element.children;
        wanted--;
        if (wanted > (uint64_t)(at.end - at.at)) {
            return -EPROTO;
        }
    }
    *raw = (wire_bytes_t){cursor->at, (size_t)(at.at - cursor->at)};
    *cursor = at;
    return 0;
}

static int get_raw_of(wire_cursor_t *cursor, type_t type, wire_bytes_t *raw)
{
    element_t element;
    int rc = peek(cursor, &element);
    if (rc == 0 && element.type != type) {
        rc = -EPROTO;
    }
    return rc < 0 ? rc : wire_get_raw(cursor, raw);
}

int wire_get_raw_map(wire_cursor_t *cursor, wire_bytes_t *raw)
{
    return get_raw_of(cursor, TYPE_MAP, raw);
}

int wire_get_raw_array(wire_cursor_t *cursor, wire_bytes_t *raw)
{
    return get_raw_of(cursor, TYPE_ARRAY, raw);
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

/* msgpack-c hands every piece to this; it has no other error than "no". */
static int write_piece(void *data, const char *bytes, size_t len)
{
    return buf_put(data, bytes, len);
}

static msgpack_packer packer(buf_t *out)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, write_piece);
    return packer;
}

int wire_put_uint(buf_t *out, uint64_t value)
{
    msgpack_packer to = packer(out);
    return msgpack_pack_uint64(&to, value);
}

int wire_put_bool(buf_t *out, bool value)
{
    msgpack_packer to = packer(out);
    return value ? msgpack_pack_true(&to) : msgpack_pack_false(&to);
}

int wire_put_nil(buf_t *out)
{
    msgpack_packer to = packer(out);
    return msgpack_pack_nil(&to);
}

int wire_put_str(buf_t *out, wire_bytes_t text)
{
    msgpack_packer to = packer(out);
    int rc = msgpack_pack_str(&to, text.len);
    return rc < 0 ? rc : buf_put(out, text.data, text.len);
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
    msgpack_packer to = packer(out);

    switch (body->type) {
    case BODY_TEXT:
        return wire_put_str(out, body->bytes);
    case BODY_BINARY: {
        int rc = msgpack_pack_bin(&to, body->bytes.len);
        return rc < 0 ? rc : buf_put(out, body->bytes.data, body->bytes.len);
    }
    default:
        return msgpack_pack_nil(&to);
    }
}

int wire_put_array(buf_t *out, uint32_t count)
{
    msgpack_packer to = packer(out);
    return msgpack_pack_array(&to, count);
}

int wire_put_map(buf_t *out, uint32_t count)
{
    msgpack_packer to = packer(out);
    return msgpack_pack_map(&to, count);
}

int wire_put_raw(buf_t *out, wire_bytes_t raw)
{
    return buf_put(out, raw.data, raw.len);
}
