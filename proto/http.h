/* SPDX-License-Identifier: MIT
 *
 * As much HTTP/1.1 (RFC 9110, RFC 9112) as the front door and the admin
 * listener need: request heads in, responses out.  Pure.
 */
#ifndef PROTO_HTTP_H
#define PROTO_HTTP_H

#include "proto/wire.h"

#define HTTP_HEADERS_MAX 64

typedef struct {
    wire_bytes_t name, value; /* lent; value without space around it */
} http_header_t;

/* A request head.  Everything in it is lent from the bytes parsed. */
typedef struct {
    wire_bytes_t method;
    wire_bytes_t path;  /* as sent, %-encoded; begins with '/' */
    wire_bytes_t query; /* behind '?', without it; empty when there is none */
    int minor;          /* HTTP/1.minor: 0 or 1 */
    http_header_t headers[HTTP_HEADERS_MAX];
    size_t header_count;
    size_t head_len;         /* bytes, with the empty line */
    uint64_t content_length; /* 0 when not said */
    bool is_chunked;
    bool keeps_alive; /* the client would send another request */
} http_request_t;

/*
 * Parse a request head at the start of bytes.
 * Returns 0; -EAGAIN when it is not whole yet; -EMSGSIZE when it is longer
 * than max bytes (431); -EPROTO when it is not HTTP/1.x or could be read in
 * two ways (400).
 */
int http_parse(const uint8_t *bytes, size_t len, size_t max,
               http_request_t *request);

/* The first header of that name (any case), or NULL. */
const http_header_t *http_header(const http_request_t *request,
                                 const char *name);

/* Is token one of the comma separated tokens of all headers of that name? */
bool http_has_token(const http_request_t *request, const char *name,
                    const char *token);

/* Take the next non-empty element off a comma separated list; false at the
 * end. */
bool http_next_token(wire_bytes_t *list, wire_bytes_t *token);

bool http_equal_fold(wire_bytes_t a, wire_bytes_t b);

/* Without the spaces and tabs around it. */
wire_bytes_t http_trim(wire_bytes_t text);

/*
 * Append text with its %-escapes (and, in a query, '+') decoded.
 * Returns 0; -EPROTO for a broken escape or %00; -ENOBUFS, -ENOMEM.
 */
int http_decode(wire_bytes_t text, bool is_query, buf_t *out);

/* Take the next name=value, still encoded, off a query; false at the end. */
bool http_next_pair(wire_bytes_t *query, wire_bytes_t *name,
                    wire_bytes_t *value);

/* May these be sent as a header?  A token; no control bytes. */
bool http_is_header(wire_bytes_t name, wire_bytes_t value);

/* The standard phrase of a status, or that of its class. */
const char *http_reason(unsigned status);

/*
 * Append a response's status line; then headers; then http_put_body.
 * Each returns 0, -ENOBUFS, -ENOMEM; http_put_header also -EINVAL for a header
 * that must not be sent.
 */
int http_put_status(buf_t *out, unsigned status);
int http_put_header(buf_t *out, wire_bytes_t name, wire_bytes_t value);
int http_put_text_header(buf_t *out, const char *name, const char *value);
int http_put_body(buf_t *out, const uint8_t *body, size_t len, bool with_body);

#endif
