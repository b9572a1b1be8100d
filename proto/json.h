/* SPDX-License-Identifier: MIT
 *
 * The tokens of JSON (RFC 8259), checked strictly and never copied: scalars
 * are skipped and their bytes lent.  Nesting is the caller's business.  The
 * text must be valid UTF-8 already (a WebSocket text frame is).  Pure.
 */
#ifndef PROTO_JSON_H
#define PROTO_JSON_H

#include "proto/wire.h"

/* Behind the token that begins there (a string; a number, true, false or null),
 * or NULL where none does. */
const uint8_t *json_string_end(const uint8_t *at, const uint8_t *end);
const uint8_t *json_scalar_end(const uint8_t *at, const uint8_t *end);

/*
 * Each expects its token under the cursor and moves behind it; inside is what
 * stands between the quotes.
 * Returns 0, or -EPROTO; then the cursor stays where it was.
 */
static inline int json_skip_string(wire_cursor_t *in, wire_bytes_t *inside)
{
    const uint8_t *end = json_string_end(in->at, in->end);

    if (end == NULL) {
        return -EPROTO;
    }
    *inside = (wire_bytes_t){in->at + 1, (size_t)(end - in->at) - 2};
    in->at = end;
    return 0;
}

static inline int json_skip_scalar(wire_cursor_t *in)
{
    const uint8_t *end = json_scalar_end(in->at, in->end);

    if (end == NULL) {
        return -EPROTO;
    }
    in->at = end;
    return 0;
}

static inline void json_skip_space(wire_cursor_t *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\n' ||
                                *in->at == '\r' || *in->at == '\t')) {
        in->at++;
    }
}

/* Is the inside of a string, once decoded, exactly text?  Decoding makes none
 * longer. */
bool json_string_means(wire_bytes_t inside, wire_bytes_t text);

static inline bool json_string_is(wire_bytes_t inside, wire_bytes_t text)
{
    return inside.len >= text.len && json_string_means(inside, text);
}

/* The characters of a string that json_skip_string passed, once decoded. */
size_t json_string_chars(wire_bytes_t inside);

/*
 * Decode the inside of a string that json_skip_string passed into out, which
 * has room for max bytes.
 * Returns the length, or -ENOBUFS; then as many characters are there as fit.
 */
int json_decode_string(wire_bytes_t inside, char *out, size_t max);

#endif
