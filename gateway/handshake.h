/* SPDX-License-Identifier: MIT
 *
 * The opening handshake of RFC 6455 section 4.2: is a request an upgrade that
 * we may accept, and the 101 that accepts it.  Pure.
 */
#ifndef GATEWAY_HANDSHAKE_H
#define GATEWAY_HANDSHAKE_H

#include "proto/http.h"

/* Does the request ask for a WebSocket at all? */
bool handshake_is_wanted(const http_request_t *request);

/*
 * May it be accepted, as far as the gateway can tell?  origins: a comma
 * separated allow-list, "" for any.
 * Returns 0, or the HTTP status of the refusal: 400, 403, 405, 426.
 */
unsigned handshake_check(const http_request_t *request, const char *origins);

/*
 * Append the 101.  subprotocol: what the worker chose, sent only when the
 * client offered it; headers: encoded array of [name, value] from the worker,
 * of which those that belong to the handshake itself are left out.
 * Returns 0, -ENOBUFS, -ENOMEM.
 */
int handshake_accept(buf_t *out, const http_request_t *request,
                     wire_bytes_t subprotocol, wire_bytes_t headers);

/*
 * Append a worker's headers, an encoded array of [name, value]; those that
 * belong to the handshake or the framing, or must not be sent, are left out.
 */
int handshake_put_headers(buf_t *out, wire_bytes_t headers);

/* Is one of them called so, in whatever case? */
bool handshake_has_header(wire_bytes_t headers, const char *wanted);

/* Iterate the offered subprotocols over all headers: *at starts at 0. */
bool handshake_next_subprotocol(const http_request_t *request, size_t *at,
                                wire_bytes_t *list, wire_bytes_t *name);

#endif
