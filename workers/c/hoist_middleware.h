/* SPDX-License-Identifier: MIT
 *
 * Middleware that comes with libhoist.
 *
 *     hoist_use(app, hoist_request_id, NULL);
 *     hoist_use(app, hoist_logger, NULL);
 *     hoist_use(app, hoist_recover, NULL);
 *     hoist_on(app, "echo", echo);
 *
 * Each has a struct of settings in which a zero is the default, so that NULL is
 * the usual one; what it points at is lent to hoist_use.  None has any state
 * beside that of its use in an app.  In the order above each sees what the ones
 * below it do: the logger has the id of the first and logs what the last says.
 */
#ifndef HOIST_MIDDLEWARE_H
#define HOIST_MIDDLEWARE_H

#include <hoist.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Failures are told in words.  A CONNECT or MESSAGE that fails, also behind a
 * question (hoist_find_user), is answered with the status of the failure and
 *
 *     {"code":"not-found","message":"Not Found","requestId":"…"}
 *
 * with the code, message and details of hoist_fail; where there are none, with
 * those of the status: bad-request, forbidden, not-found, conflict, too-long,
 * too-many-requests, unavailable, timeout, failed (any other below 500) or
 * internal.  Nothing of a bare errno is told.  Without this a MESSAGE gets the
 * gateway's error frame.
 *
 * Failures of 500 and above are logged (WORKER-HANDLER-FAILED), ten a second at
 * most.  A handler that crashes ends its process: a supervisor is to start it
 * again, and the broker gives what it held its outcome.
 */
typedef struct {
    bool silent; /* nothing is logged */
} hoist_recover_config;

extern const hoist_middleware *const hoist_recover;

/*
 * An id for people.  A CONNECT that brings one in a header has that one
 * (hoist_request_id_of) instead of the number of its request; the 101 response
 * carries the id that it has.  The client's counts when it is 1 to 128 of
 * A-Z a-z 0-9 . _ - = + / : @ ~.  Other events have the number of their
 * request, which the client sees in error frames.
 *
 * init: -EINVAL for a header's name that is none; -ENOMEM.
 */
typedef struct {
    const char *header; /* NULL: X-Request-ID */
    bool own;           /* the client's never counts */
} hoist_request_id_config;

extern const hoist_middleware *const hoist_request_id;

/*
 * A line in the log for each event when it has its outcome, also where that
 * comes after an answer: WORKER-EVENT with the request's id, kind of event,
 * route, connection, status, code of an error, microseconds and attempt.  Never
 * bodies. Status 0: it is over without a reply.
 */
typedef struct {
    bool starts;      /* another line when it begins: WORKER-EVENT-BEGUN */
    unsigned slow_ms; /* only what took so long, or has failed with 500 and
                         above, or is over; 0: all */
} hoist_logger_config;

extern const hoist_middleware *const hoist_logger;

#ifdef __cplusplus
}
#endif

#endif
