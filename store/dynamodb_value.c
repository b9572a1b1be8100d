/* SPDX-License-Identifier: MIT */
#include "store/dynamodb_value.h"

#include "base/base64.h"
#include "base/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX   28   /* DynamoDB: 32, and we are inside of an item */
#define KEY_MAX     1024 /* bytes of the name of an entry */
#define DIGITS_MAX  18   /* of a number that is read */
#define FLOAT_MAX   9e125
#define FLOAT_MIN   1e-129
#define NUMBER_TEXT 32

/* --- scalars ------------------------------------------------------------- */

static json_t *typed(const char *type, json_t *value)
{
    json_t *object = json_object();

    if (object == NULL || value == NULL ||
        json_object_set_new(object, type, value) < 0) {
        json_decref(object); /* the value is gone with a failed set */
        return NULL;
    }
    return object;
}

/* A JSON string, repaired where it is no UTF-8. */
static json_t *string(wire_bytes_t text)
{
    if (text.len == 0) {
        return json_string("");
    }
    if (utf8_is_valid(text.data, text.len)) {
        return json_stringn_nocheck((const char *)text.data, text.len);
    }
    json_t *value = NULL;
    buf_t repaired;
    buf_init(&repaired, text.len * 3);
    if (utf8_put_repaired(&repaired, text.data, text.len) == 0) {
        value = json_stringn_nocheck((const char *)repaired.data, repaired.len);
    }
    buf_fini(&repaired);
    return value;
}

json_t *dynamodb_text(wire_bytes_t text)
{
    return typed("S", string(text));
}

json_t *dynamodb_number(int64_t number)
{
    char text[NUMBER_TEXT];

    snprintf(text, sizeof text, "%" PRId64, number);
    return typed("N", json_string(text));
}

static json_t *unsigned_number(uint64_t number)
{
    char text[NUMBER_TEXT];

    snprintf(text, sizeof text, "%" PRIu64, number);
    return typed("N", json_string(text));
}

static json_t *float_number(double number)
{
    char text[NUMBER_TEXT];
    double size = fabs(number);
    bool fits = number == 0 || (size >= FLOAT_MIN && size <= FLOAT_MAX);

    snprintf(text, sizeof text, "%.17g", number);
    return typed(fits ? "N" : "S", json_string(text));
}

json_t *dynamodb_bytes(wire_bytes_t bytes)
{
    size_t len = base64_len(bytes.len);
    char *text = malloc(len + 1);

    if (text == NULL) {
        return NULL;
    }
    base64_encode(bytes.data, bytes.len, text);
    json_t *value = typed("B", json_stringn_nocheck(text, len));
    free(text);
    return value;
}

/* --- elements ------------------------------------------------------------ */

static json_t *element(wire_cursor_t *at, unsigned depth);

static json_t *array_of(wire_cursor_t *at, uint32_t count, unsigned depth)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < count && list != NULL; i++) {
        json_t *value = element(at, depth + 1);
        if (value == NULL || json_array_append_new(list, value) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list == NULL ? NULL : typed("L", list);
}

/* False: no memory. */
static bool put_entry(json_t *map, wire_bytes_t key, wire_cursor_t *at,
                      unsigned depth)
{
    json_t *name = string(key), *value = element(at, depth + 1);
    bool is_put =
        name != NULL && value != NULL &&
        json_object_set_nocheck(map, json_string_value(name), value) == 0;

    json_decref(name);
    json_decref(value);
    return is_put;
}

static bool is_name(wire_bytes_t key)
{
    return key.len > 0 && key.len <= KEY_MAX &&
           memchr(key.data, '\0', key.len) == NULL;
}

/* What stands at a key that is no name; false: it is no element. */
static bool skip(wire_cursor_t *at)
{
    wire_bytes_t skipped;

    return wire_get_raw(at, &skipped) == 0;
}

static json_t *map_of(wire_cursor_t *at, uint32_t count, unsigned depth)
{
    json_t *map = json_object();
    bool is_good = map != NULL;
    wire_bytes_t key;

    for (uint32_t i = 0; i < count && is_good; i++) {
        bool is_text = wire_get_str(at, &key) == 0;
        if (is_text && is_name(key)) {
            is_good = put_entry(map, key, at, depth);
        } else {
            is_good = (is_text || skip(at)) && skip(at);
        }
    }
    if (!is_good) {
        json_decref(map);
        return NULL;
    }
    return typed("M", map);
}

/* A negative number or a float, which wire.h has no reader for. */
static json_t *number_of(wire_bytes_t raw)
{
    uint64_t bits = 0;
    uint8_t head = raw.data[0];

    for (size_t i = 1; i < raw.len && i <= 8; i++) {
        bits = bits << 8 | raw.data[i];
    }
    if (head >= 0xe0) {
        return dynamodb_number((int8_t)head);
    }
    if (head == 0xcb) {
        double number;
        memcpy(&number, &bits, sizeof number);
        return float_number(number);
    }
    if (head == 0xca) {
        uint32_t half = (uint32_t)bits;
        float number;
        memcpy(&number, &half, sizeof number);
        return float_number((double)number);
    }
    return dynamodb_number(head == 0xd0   ? (int8_t)bits
                           : head == 0xd1 ? (int16_t)bits
                           : head == 0xd2 ? (int32_t)bits
                                          : (int64_t)bits);
}

static bool is_number(uint8_t head)
{
    return head >= 0xe0 || head == 0xca || head == 0xcb ||
           (head >= 0xd0 && head <= 0xd3);
}

static json_t *scalar(wire_cursor_t *at)
{
    uint64_t number;
    bool flag;
    body_t body;
    wire_bytes_t raw;

    if (wire_get_uint(at, &number) == 0) {
        return unsigned_number(number);
    }
    if (wire_get_bool(at, &flag) == 0) {
        return typed("BOOL", json_boolean(flag));
    }
    if (wire_get_body(at, &body) == 0) {
        return body.type == BODY_NONE   ? typed("NULL", json_true())
               : body.type == BODY_TEXT ? dynamodb_text(body.bytes)
                                        : dynamodb_bytes(body.bytes);
    }
    if (wire_get_raw(at, &raw) < 0) {
        return NULL;
    }
    return is_number(raw.data[0]) ? number_of(raw) : typed("NULL", json_true());
}

static json_t *element(wire_cursor_t *at, unsigned depth)
{
    uint32_t count;

    if (depth < DEPTH_MAX) {
        if (wire_get_array(at, &count) == 0) {
            return array_of(at, count, depth);
        }
        if (wire_get_map(at, &count) == 0) {
            return map_of(at, count, depth);
        }
    }
    return scalar(at);
}

json_t *dynamodb_value(wire_cursor_t *at)
{
    return element(at, 0);
}

/* --- reading ------------------------------------------------------------- */

static wire_bytes_t string_of(const json_t *value, const char *type)
{
    const json_t *text = json_object_get(value, type);

    return (wire_bytes_t){(const uint8_t *)json_string_value(text),
                          json_string_length(text)};
}

wire_bytes_t dynamodb_text_of(const json_t *value)
{
    return string_of(value, "S");
}

int dynamodb_number_of(const json_t *value, int64_t *number)
{
    wire_bytes_t text = string_of(value, "N");

    *number = 0;
    if (text.len == 0 || text.len > DIGITS_MAX) {
        return -EPROTO;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return -EPROTO;
        }
        *number = *number * 10 + (text.data[i] - '0');
    }
    return 0;
}

int dynamodb_bytes_of(const json_t *value, buf_t *out)
{
    wire_bytes_t text = string_of(value, "B");
    size_t len;

    if (text.data == NULL || text.len % 4 != 0) {
        return -EPROTO;
    }
    int rc = buf_reserve(out, text.len / 4 * 3);
    if (rc < 0 || text.len == 0) {
        return rc;
    }
    if (base64_decode((const char *)text.data, text.len, out->data + out->len,
                      &len) < 0) {
        return -EPROTO;
    }
    out->len += len;
    return 0;
}
