/* SPDX-License-Identifier: MIT
 *
 * What other middleware tell hoist_idempotency.  Thread of the event.
 */
#ifndef WORKERS_C_MIDDLEWARE_IDEMPOTENCY_H
#define WORKERS_C_MIDDLEWARE_IDEMPOTENCY_H

#include "workers/c/hoist_middleware.h"

/* What is inside has succeeded, and is about to fail all the same: it was done,
 * and its reply is kept for who asks again, by each use that has a claim of the
 * event. */
void idempotency_was_done(hoist_ctx *ctx);

#endif
