/* SPDX-License-Identifier: MIT
 *
 * What a broker shows of its inside, as JSON (docs/operating.md): its peers,
 * its routes, its connections.  What may be long is told in pages or cut, so
 * that no question holds up the loop.  Loop thread only.
 */
#ifndef BROKER_VIEW_H
#define BROKER_VIEW_H

#include "broker/core.h"
#include "broker/report.h"

#define VIEW_PEERS       256  /* told of each kind, the rest is a number */
#define VIEW_WORKER_KEYS 8    /* route keys told of a worker, likewise */
#define VIEW_ROUTES      32   /* of a page, at most */
#define VIEW_CONNS       200  /* likewise */
#define VIEW_SLOTS       1024 /* of a table that a page looks at */

/*
 * Append the answer to STATUS, ROUTES or, with of=broker, CONNECTIONS
 * (base/question.h).
 * Returns 200; 400 with a line of text for a wrong argument; 404 for another
 * question; 500 without memory.
 */
unsigned broker_view(core_t *core, const broker_state_t *state,
                     const store_stats_t *store, const char *question,
                     buf_t *out);

#endif
