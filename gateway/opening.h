/* SPDX-License-Identifier: MIT
 *
 * A session before its 101: the request head, plain HTTP, the CONNECT that
 * gates the handshake, and its answers.  Part of session.h; the same thread.
 */
#ifndef GATEWAY_OPENING_H
#define GATEWAY_OPENING_H

#include "gateway/options.h"
#include "gateway/session.h"

/* Bytes that a request head may have; never unbounded. */
size_t opening_head_max(const gateway_options_t *options);

/* Bytes that a session keeps before its 101. */
size_t opening_in_max(const gateway_options_t *options);

/* A request head is due: in time, or the client goes. */
void opening_await(session_t *self);

/* The same, behind an answer. */
void opening_await_next(session_t *self);

/* Bytes for a session before OPEN. */
void opening_received(session_t *self, const uint8_t *bytes, size_t len);

/* Send the CONNECT of a session in WAITING, or leave it in the line. */
void opening_connect(session_t *self);

/* Answer with an HTTP status, body NULL for the status's own words, and end
 * the socket. */
void opening_refuse(session_t *self, unsigned status, const char *body);

/* session_push and session_kick in GATED. */
int opening_push(session_t *self, const body_t *body, pusher_t pusher);
int opening_kick(session_t *self, uint16_t code, wire_bytes_t reason);

/* The session took too long. */
void opening_timeout(session_t *self);

#endif
