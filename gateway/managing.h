/* SPDX-License-Identifier: MIT
 *
 * Requests to the management API on the clients' listener: their bodies are
 * gathered, then they are handed to who answers them (hub_manage).  Anybody can
 * send one, so there are few at once, and no body is waited for where the head
 * shows that it is nobody's.  One too many costs the source (admission.h) that
 * has most of them its oldest.  Loop thread only.
 *
 *   HEAD --> BODY --whole--> ASKED --answer--> HEAD, or LINGERING
 *             |
 *             +--refused by its head--> LINGERING
 */
#ifndef GATEWAY_MANAGING_H
#define GATEWAY_MANAGING_H

#include "gateway/session.h"
#include "proto/http.h"

#define MANAGING_MAX 64   /* requests under way; more get 429 */
#define MANAGING_MS  8000 /* for the answer; who gives it gives up before */

/* Is it such a request, and is there somebody who answers it? */
bool managing_is_wanted(const session_t *self, const http_request_t *request);

/* Its head is whole, and maybe more; called again when more came. */
void managing_take(session_t *self, const http_request_t *request);

/* More came while it waits for its answer. */
void managing_ignore(session_t *self);

/* The answer to the request with this number; who is gone gets none.  headers:
 * whole lines. */
void managing_answer(hub_t *hub, uint64_t number, unsigned status,
                     wire_bytes_t headers, wire_bytes_t body);

#endif
