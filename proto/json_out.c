/* SPDX-License-Identifier: MIT */
#include "proto/json_out.h"

#include "base/json_text.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void put(json_out_t *self, const void *bytes, size_t len)
{
    if (self->rc == 0) {
        self->rc = buf_put(self->out, bytes, len);
    }
}

static void begin(json_out_t *self)
{
    if (self->is_next) {
        put(self, ",", 1);
    }
    self->is_next = true;
}

void json_put_open(json_out_t *self, char bracket)
{
    begin(self);
    put(self, &bracket, 1);
    self->is_next = false;
}

void json_put_close(json_out_t *self, char bracket)
{
    put(self, &bracket, 1);
    self->is_next = true;
}

void json_put_raw(json_out_t *self, wire_bytes_t json)
{
    begin(self);
    put(self, json.data, json.len);
}

/* --- strings ------------------------------------------------------------- */

static void put_escaped(json_out_t *self, const uint8_t *text, size_t len)
{
    char escaped[JSON_CHAR_MAX];
    size_t plain = 0; /* what is before it went */

    for (size_t at = 0; at < len;) {
        size_t taken = json_text_escape(text + at, len - at, escaped);
        if (escaped[0] != '\0') {
            put(self, text + plain, at - plain);
            put(self, escaped, strlen(escaped));
            plain = at + taken;
        }
        at += taken;
    }
    put(self, text + plain, len - plain);
}

static void put_repaired(json_out_t *self, const uint8_t *text, size_t len)
{
    char character[JSON_CHAR_MAX];
    size_t size;

    for (size_t at = 0; at < len;) {
        at += json_text_char(text + at, len - at, character, &size);
        put(self, character, size);
    }
}

void json_put_text(json_out_t *self, wire_bytes_t text)
{
    if (text.data == NULL) {
        text = wire_bytes("");
    }
    begin(self);
    put(self, "\"", 1);
    if (utf8_is_valid(text.data, text.len)) {
        put_escaped(self, text.data, text.len);
    } else {
        put_repaired(self, text.data, text.len);
    }
    put(self, "\"", 1);
}

void json_put_lines(json_out_t *self, wire_bytes_t text)
{
    json_put_open(self, '[');
    for (size_t at = 0; at < text.len;) {
        const uint8_t *line = text.data + at;
        const uint8_t *end = memchr(line, '\n', text.len - at);
        size_t len = end == NULL ? text.len - at : (size_t)(end - line);
        json_put_text(self, (wire_bytes_t){line, len});
        at += len + 1;
    }
    json_put_close(self, ']');
}

/* --- the rest ------------------------------------------------------------ */

void json_put_key(json_out_t *self, const char *key)
{
    json_put_text(self, wire_bytes(key));
    put(self, ":", 1);
    self->is_next = false;
}

void json_put_uint(json_out_t *self, uint64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%" PRIu64, value);

    json_put_raw(self, (wire_bytes_t){(const uint8_t *)text, (size_t)len});
}

void json_put_bool(json_out_t *self, bool value)
{
    json_put_raw(self, wire_bytes(value ? "true" : "false"));
}

void json_put_field(json_out_t *self, const char *key, wire_bytes_t text)
{
    json_put_key(self, key);
    json_put_text(self, text);
}

void json_put_field_uint(json_out_t *self, const char *key, uint64_t value)
{
    json_put_key(self, key);
    json_put_uint(self, value);
}

void json_put_field_bool(json_out_t *self, const char *key, bool value)
{
    json_put_key(self, key);
    json_put_bool(self, value);
}

void json_put_field_if(json_out_t *self, const char *key, wire_bytes_t text)
{
    if (text.len > 0) {
        json_put_field(self, key, text);
    }
}
