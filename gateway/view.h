/* SPDX-License-Identifier: MIT
 *
 * What a gateway shows of its inside, as JSON (docs/operating.md): its brokers,
 * its connections, its groups.  What may be long is told in pages, each of
 * which looks at a bounded part of a table, so that no question holds up the
 * loop. Loop thread only.
 */
#ifndef GATEWAY_VIEW_H
#define GATEWAY_VIEW_H

#include "gateway/hub.h"

#define VIEW_ROWS  200  /* of a page, at most */
#define VIEW_SLOTS 1024 /* of a table that a page looks at */

/* A cursor is an entry of a loop's table, and above it which loop's. */
#define VIEW_LOOP_SHIFT 32

/*
 * Append the answer to STATUS, GROUPS or, but for of=broker, CONNECTIONS
 * (base/question.h).
 * address: where clients connect.
 * Returns 200; 400 with a line of text for a wrong argument; 404 for another
 * question; 500 without memory.
 */
unsigned gateway_view(hub_t *hub, const char *address, const char *question,
                      buf_t *out);

#endif
