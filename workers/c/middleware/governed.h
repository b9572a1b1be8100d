/* SPDX-License-Identifier: MIT
 *
 * What the middleware that refuse events to keep a worker well have in common.
 */
#ifndef WORKERS_C_MIDDLEWARE_GOVERNED_H
#define WORKERS_C_MIDDLEWARE_GOVERNED_H

#include "workers/c/hoist.h"

/* Somebody waits for an answer, which may be a refusal.  Of a DISCONNECT or
 * PRESENCE nobody would hear again. */
static inline bool is_governed(const hoist_ctx *ctx)
{
    hoist_event event = hoist_event_of(ctx);

    return event == HOIST_MESSAGE || event == HOIST_CONNECT;
}

/* A setting in which a zero is the default. */
static inline unsigned either(unsigned wanted, unsigned usual)
{
    return wanted > 0 ? wanted : usual;
}

/*
 * In an init: a setting that is at most so large.
 *
 * setting  with its middleware: "hoist_retry: attempts"
 * Returns 0, or as hoist_init_failed with -EINVAL.
 */
int check_most(hoist_app *app, const char *setting, unsigned wanted,
               unsigned most);

/* Refuse an event for so long: with retryAfterMs in its details, and of a
 * CONNECT with the header Retry-After.  Returns as hoist_fail. */
int refuse_for_now(hoist_ctx *ctx, int status, const char *code,
                   const char *message, int64_t wait_ms);

#endif
