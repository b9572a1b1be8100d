/* SPDX-License-Identifier: MIT
 *
 * JSON (RFC 8259) put together piece by piece; commas come by themselves, and
 * an error stays until the end.  Whoever reads it on a terminal is safe: a
 * string holds no byte that a terminal would obey, and no broken UTF-8.  Pure.
 *
 *     json_out_t out = json_out(buf);
 *     json_put_open(&out, '{');
 *     json_put_field_uint(&out, "connections", 3);
 *     json_put_key(&out, "names");
 *     json_put_open(&out, '[');
 *     json_put_text(&out, name);
 *     json_put_close(&out, ']');
 *     json_put_close(&out, '}');
 *     return out.rc < 0 ? 500 : 200;
 */
#ifndef PROTO_JSON_OUT_H
#define PROTO_JSON_OUT_H

#include "proto/wire.h"

typedef struct {
    buf_t *out;   /* borrowed */
    int rc;       /* 0, or the first error of buf_put */
    bool is_next; /* what comes is not the first of its kind: a comma */
} json_out_t;

static inline json_out_t json_out(buf_t *out)
{
    return (json_out_t){.out = out};
}

/* '{' and '}', '[' and ']'. */
void json_put_open(json_out_t *self, char bracket);
void json_put_close(json_out_t *self, char bracket);

/* In an object: its value follows.  key: plain ASCII of ours. */
void json_put_key(json_out_t *self, const char *key);

/* Any bytes; what is no UTF-8 becomes U+FFFD. */
void json_put_text(json_out_t *self, wire_bytes_t text);
void json_put_uint(json_out_t *self, uint64_t value);
void json_put_bool(json_out_t *self, bool value);

/* An array of the lines of a text, each without its end. */
void json_put_lines(json_out_t *self, wire_bytes_t text);

/* What is JSON already. */
void json_put_raw(json_out_t *self, wire_bytes_t json);

/* A key and its value. */
void json_put_field(json_out_t *self, const char *key, wire_bytes_t text);
void json_put_field_uint(json_out_t *self, const char *key, uint64_t value);
void json_put_field_bool(json_out_t *self, const char *key, bool value);

/* The same, unless the text is empty. */
void json_put_field_if(json_out_t *self, const char *key, wire_bytes_t text);

#endif
