/* SPDX-License-Identifier: MIT
 *
 * What was replied to an event is replied to another one.  Thread of the event.
 */
#ifndef WORKERS_C_MIDDLEWARE_REPLAY_H
#define WORKERS_C_MIDDLEWARE_REPLAY_H

#include "workers/c/hoist_middleware.h"

#define REPLAY_MARK_MAX 64 /* bytes of a member's name */

/*
 * mark  the member that a JSON object begins with, so that one knows: plain
 *       ASCII that stands in a JSON string as it is; "": none.
 * Returns as a layer.
 */
int replay_outcome(hoist_ctx *ctx, const hoist_outcome *outcome,
                   const char *mark);

#endif
