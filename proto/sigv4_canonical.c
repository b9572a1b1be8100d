/* SPDX-License-Identifier: MIT */
#include "proto/sigv4_canonical.h"

#include "proto/sigv4_text.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/sha.h>

/* --- escapes ------------------------------------------------------------- */

static bool is_plain(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

/* Percent-encode all but RFC 3986's unreserved characters. */
static int put_encoded(buf_t *out, const uint8_t *bytes, size_t len)
{
    static const char hex[] = "0123456789ABCDEF";
    int rc = buf_reserve(out, len);

    for (size_t i = 0; i < len && rc == 0; i++) {
        const char code[] = {'%', hex[bytes[i] >> 4], hex[bytes[i] & 15]};
        rc = is_plain(bytes[i]) ? buf_put(out, &bytes[i], 1)
                                : buf_put(out, code, sizeof code);
    }
    return rc;
}

/* Decode what is encoded and encode what has to be: one form for all. */
static int put_recoded(buf_t *out, wire_bytes_t text)
{
    int rc = 0;

    for (size_t i = 0; i < text.len && rc == 0; i++) {
        uint8_t c = text.data[i];
        if (c == '%' && i + 2 < text.len) {
            int high = sigv4_text_hex_digit(text.data[i + 1]);
            int low = sigv4_text_hex_digit(text.data[i + 2]);
            if (high >= 0 && low >= 0) {
                c = (uint8_t)(high * 16 + low);
                i += 2;
            }
        }
        rc = put_encoded(out, &c, 1);
    }
    return rc;
}

/* --- the canonical request ----------------------------------------------- */

/* Back to the '/' in front of the last segment of what was put. */
static void drop_segment(buf_t *out, size_t start)
{
    while (out->len > start && out->data[out->len - 1] != '/') {
        out->len--;
    }
    if (out->len > start) {
        out->len--;
    }
}

/* Without empty segments, "." and "..", and encoded once more. */
static int put_path(buf_t *out, wire_bytes_t path)
{
    size_t start = out->len;
    bool is_open = path.len > 0 && path.data[path.len - 1] == '/';
    int rc = 0;

    while (path.len > 0 && rc == 0) {
        wire_bytes_t segment = sigv4_text_take(&path, '/');
        if (wire_is(segment, "..")) {
            drop_segment(out, start);
        } else if (segment.len > 0 && !wire_is(segment, ".")) {
            rc = buf_put(out, "/", 1);
            rc = rc < 0 ? rc : put_encoded(out, segment.data, segment.len);
        }
    }
    if (rc == 0 && (is_open || out->len == start)) {
        rc = buf_put(out, "/", 1);
    }
    return rc;
}

/* A parameter of the query, encoded; where it is in the scratch buffer. */
typedef struct {
    size_t name, name_len, value, value_len;
    const uint8_t *base; /* borrowed: the scratch buffer's bytes */
} parameter_t;

static wire_bytes_t name_of(const parameter_t *self)
{
    return (wire_bytes_t){self->base + self->name, self->name_len};
}

static wire_bytes_t value_of(const parameter_t *self)
{
    return (wire_bytes_t){self->base + self->value, self->value_len};
}

static int by_name_and_value(const void *left, const void *right)
{
    const parameter_t *a = left, *b = right;
    int order = sigv4_text_compare(name_of(a), name_of(b));

    return order != 0 ? order : sigv4_text_compare(value_of(a), value_of(b));
}

static int encode_parameter(buf_t *scratch, wire_bytes_t text,
                            parameter_t *parameter)
{
    wire_bytes_t name = sigv4_text_take(&text, '=');

    parameter->name = scratch->len;
    int rc = put_recoded(scratch, name);
    parameter->name_len = scratch->len - parameter->name;
    parameter->value = scratch->len;
    rc = rc < 0 ? rc : put_recoded(scratch, text);
    parameter->value_len = scratch->len - parameter->value;
    return rc;
}

static int put_parameters(buf_t *out, const parameter_t *parameters,
                          size_t count)
{
    int rc = 0;

    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = i == 0 ? 0 : buf_put(out, "&", 1);
        rc = rc < 0 ? rc : sigv4_text_put(out, name_of(&parameters[i]));
        rc = rc < 0 ? rc : buf_put(out, "=", 1);
        rc = rc < 0 ? rc : sigv4_text_put(out, value_of(&parameters[i]));
    }
    return rc;
}

static int put_query(buf_t *out, wire_bytes_t query)
{
    static const uint8_t nothing = 0;
    parameter_t parameters[SIGV4_QUERY_MAX];
    size_t count = 0;
    buf_t scratch;
    int rc = 0;

    buf_init(&scratch, SIGV4_CANONICAL_MAX);
    while (query.len > 0 && rc == 0) {
        wire_bytes_t text = sigv4_text_take(&query, '&');
        if (text.len == 0) {
            continue;
        }
        rc = count == SIGV4_QUERY_MAX
                 ? -EINVAL
                 : encode_parameter(&scratch, text, &parameters[count]);
        count++;
    }
    if (rc == 0 && count > 0) {
        for (size_t i = 0; i < count; i++) {
            parameters[i].base = scratch.len > 0 ? scratch.data : &nothing;
        }
        qsort(parameters, count, sizeof *parameters, by_name_and_value);
        rc = put_parameters(out, parameters, count);
    }
    buf_fini(&scratch);
    return rc;
}

/* Trimmed, and each run of spaces one. */
static int put_value(buf_t *out, wire_bytes_t value)
{
    int rc = 0;

    value = sigv4_text_trimmed(value);
    for (size_t i = 0; i < value.len && rc == 0; i++) {
        if (!sigv4_text_is_space(value.data[i])) {
            rc = buf_put(out, &value.data[i], 1);
        } else if (!sigv4_text_is_space(value.data[i - 1])) {
            rc = buf_put(out, " ", 1);
        }
    }
    return rc;
}

/* All headers of this name are one, their values joined. */
static int put_header(buf_t *out, const sigv4_request_t *request,
                      wire_bytes_t name)
{
    size_t found = 0;
    int rc = sigv4_text_put(out, name);

    rc = rc < 0 ? rc : buf_put(out, ":", 1);
    for (size_t i = 0; i < request->header_count && rc == 0; i++) {
        if (sigv4_text_is_name(request->headers[i].name, name)) {
            rc = found++ == 0 ? 0 : buf_put(out, ",", 1);
            rc = rc < 0 ? rc : put_value(out, request->headers[i].value);
        }
    }
    rc = rc < 0 ? rc : buf_put(out, "\n", 1);
    return rc == 0 && found == 0 ? -EINVAL : rc;
}

static int put_headers(buf_t *out, const sigv4_request_t *request,
                       wire_bytes_t names)
{
    int rc = 0;

    for (wire_bytes_t rest = names; rest.len > 0 && rc == 0;) {
        rc = put_header(out, request, sigv4_text_take(&rest, ';'));
    }
    rc = rc < 0 ? rc : buf_put(out, "\n", 1);
    return rc < 0 ? rc : sigv4_text_put(out, names);
}

int sigv4_canonical_put_hash(buf_t *out, wire_bytes_t bytes)
{
    static const uint8_t nothing = 0;
    uint8_t hash[SHA256_DIGEST_LENGTH];
    char text[2 * sizeof hash];

    SHA256(bytes.len == 0 ? &nothing : bytes.data, bytes.len, hash);
    sigv4_text_hex(hash, sizeof hash, text);
    return buf_put(out, text, sizeof text);
}

int sigv4_canonical_put(buf_t *out, const sigv4_request_t *request,
                        wire_bytes_t signed_headers)
{
    int rc = sigv4_text_put(out, request->method);

    rc = rc < 0 ? rc : buf_put(out, "\n", 1);
    rc = rc < 0 ? rc : put_path(out, request->path);
    rc = rc < 0 ? rc : buf_put(out, "\n", 1);
    rc = rc < 0 ? rc : put_query(out, request->query);
    rc = rc < 0 ? rc : buf_put(out, "\n", 1);
    rc = rc < 0 ? rc : put_headers(out, request, signed_headers);
    rc = rc < 0 ? rc : buf_put(out, "\n", 1);
    return rc < 0 ? rc : sigv4_canonical_put_hash(out, request->body);
}
