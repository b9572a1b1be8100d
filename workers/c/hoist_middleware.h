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
#include <hoist_ledger.h>

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

/*
 * Whose events count together.  Who has no user (no tenant) counts by its
 * connection, and a CONNECT, which has nothing else of its connection beside
 * it, by its address.  Of IPv6 a network of 64 bits is one address.
 */
typedef enum {
    HOIST_BY_USER = 0,
    HOIST_BY_TENANT = 1,
    HOIST_BY_CONNECTION = 2,
    HOIST_BY_ADDRESS = 3,
} hoist_by;

/*
 * A program's own word on that: a text of at most 256 bytes, lent as ctx is, or
 * memory of the program's; absent: this event is none of the middleware's
 * business.  Any thread that runs handlers.
 *
 * data: that of the settings.
 */
typedef hoist_text hoist_key(hoist_ctx *ctx, void *data);

/*
 * A rate limit for CONNECT and MESSAGE events: token buckets.  What goes beyond
 * is refused with 429 and the code rate-limited: a CONNECT with the header
 * Retry-After, in seconds, and a MESSAGE with the details
 *
 *     {"retryAfterMs":1200}
 *
 * Other events pass.  Around all (hoist_use) it counts the events of all
 * routes together, around one those of that route.
 *
 * In memory at most `keys` buckets are kept.  One that is full again goes;
 * where there are too many the one that was asked for longest ago goes, with
 * what it owes: who can make that many keys is not limited by them.
 *
 * With a ledger of several workers (hoist_redis.h) they are limited together.
 * While it cannot be asked, which is logged (WORKER-LEDGER-FAILED), events
 * pass: that a limit is not kept for a while does less harm than if nothing
 * went on.  With `closed` they are refused instead: 503,
 * rate-limit-unavailable.
 *
 * init: -EINVAL for what is out of range, and without a name where there is a
 * ledger; -ENOMEM.
 */
typedef struct {
    unsigned rate;  /* so many events, 1 to 100000; 0: 10 */
    unsigned per_s; /* in so many seconds, 1 to 86400; 0: 1 */
    unsigned burst; /* at once, 1 to 100000; 0: rate */
    hoist_by by;
    hoist_key *key;       /* instead of by; NULL: by counts */
    void *data;           /* for key, handed on as it is */
    hoist_ledger *ledger; /* borrowed; NULL: this process's memory */
    const char *name;     /* of this limit in the ledger: 1 to 64 of A-Z a-z 0-9
                             _ . -; the same in all workers */
    bool closed;          /* while the ledger cannot be asked nothing passes */
    size_t keys;          /* in memory; 0: 65536 */
} hoist_rate_limit_config;

extern const hoist_middleware *const hoist_rate_limit;

#ifdef __cplusplus
}
#endif

#endif
