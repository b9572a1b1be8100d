/* SPDX-License-Identifier: MIT
 *
 * Between the hub and admission.h: who is refused is counted, said in the log,
 * and told when to come again.  Loop thread only.
 */
#ifndef GATEWAY_ADMITTING_H
#define GATEWAY_ADMITTING_H

#include "gateway/hub.h"
#include "proto/http.h"

void admitting_init(hub_t *hub);

/* The limits in hub->options are others. */
void admitting_limit(hub_t *hub);

/*
 * A socket has come from there.  Returns true with what it counts for, see
 * admission_arrive, or false: close it without a word, which would cost more
 * than it tells.
 */
bool admitting_socket(hub_t *hub, const ip_t *from, source_t **source);

/* A trusted proxy says whose request it hands on.  Returns as the next one. */
unsigned admitting_locate(session_t *session, const ip_t *client,
                          int64_t *retry_s);

/* A request has its answer, and its socket takes another: a proxy's is nobody's
 * until then. */
void admitting_rest(session_t *session);

/*
 * It asks to be a WebSocket; what it says of itself is right.
 * Returns 0, or the HTTP status of the refusal, with the seconds in which to
 * try again, or 0 where nobody knows.
 */
unsigned admitting_handshake(session_t *session, int64_t *retry_s);

/* It is refused since it is none of --origins. */
void admitting_refuse_origin(session_t *session, const http_request_t *request);

#endif
