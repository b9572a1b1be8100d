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
 * the usual one; what it points at is lent to hoist_use, where nothing else is
 * said.  Settings that cannot be make hoist_use fail as stands behind "init:",
 * and a line of the log (WORKER-REGISTRATION) says which and why.  None has any
 * state beside that of its use in an app, and a ledger that it was given.  In
 * the order above each sees what the ones below it do: the logger has the id of
 * the first and logs what the last says.
 */
#ifndef HOIST_MIDDLEWARE_H
#define HOIST_MIDDLEWARE_H

#include <hoist.h>
#include <hoist_ledger.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default) /* what the library shows */

/* --- telling what happened --------------------------------------------- */

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
 * Failures of 500 and above are logged with their code and message
 * (WORKER-HANDLER-FAILED), ten a second at most.  A handler that crashes ends
 * its process: a supervisor is to start it again, and the broker gives what it
 * held its outcome.
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
 * bodies.  Status 0: it is over without a reply.
 */
typedef struct {
    bool starts;      /* another line when it begins: WORKER-EVENT-BEGUN */
    unsigned slow_ms; /* only what took so long, or has failed with 500 and
                         above, or is over; 0: all */
} hoist_logger_config;

extern const hoist_middleware *const hoist_logger;

/* --- limits of each client --------------------------------------------- */

/*
 * Whose events count together.  Who has no user (no tenant) counts by its
 * connection, and a CONNECT, which has nothing else of its connection beside
 * it, by its address.  Of IPv6 a network of 64 bits is one address.  Names of
 * users are of their tenant: "eve" of one and "eve" of another are two.
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
 * went on.  Where `when_down` says so they are refused instead: 503,
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
    hoist_when_down when_down; /* usual: PASS */
    size_t keys;               /* in memory; 0: 65536 */
} hoist_rate_limit_config;

extern const hoist_middleware *const hoist_rate_limit;

/* --- bodies ------------------------------------------------------------ */

/* What a value of JSON is to be; an integer has no fraction and no exponent,
 * and at most 2^53, so that every language reads the same. */
typedef enum {
    HOIST_JSON_ANY = 0,
    HOIST_JSON_OBJECT = 1,
    HOIST_JSON_ARRAY = 2,
    HOIST_JSON_STRING = 3,
    HOIST_JSON_NUMBER = 4,
    HOIST_JSON_INTEGER = 5,
    HOIST_JSON_BOOLEAN = 6,
} hoist_json_type;

/*
 * A rule for a value.  What is zero asks for nothing, but that a member is
 * there, and that an object has no others than those that are listed.
 *
 *     static const hoist_rule item[] = {
 *         {.name = "sku", .type = HOIST_JSON_STRING, .min = 1, .max = 32},
 *         {.name = "count", .type = HOIST_JSON_INTEGER, .least = 1, .most = 9},
 *         {.name = "note", .type = HOIST_JSON_STRING, .optional = true},
 *         {.name = NULL},
 *     };
 *     static const hoist_rule an_item = {.type = HOIST_JSON_OBJECT,
 *                                        .members = item};
 *
 * Rules may lead back to themselves.  At most 64 members of an object, and 256
 * lists of members and rules of items.
 */
typedef struct hoist_rule hoist_rule;
struct hoist_rule {
    const char *name; /* of a member; NULL ends a list */
    hoist_json_type type;
    bool optional;      /* the member may be missing */
    bool nullable;      /* null will do, too */
    bool open;          /* of an object: other members may be there */
    unsigned min, max;  /* characters of a string, elements of an array, members
                           of an object; max 0: any number */
    double least, most; /* of a number, of at most 63 characters then; both 0:
                           any.  HUGE_VAL where there is one bound. */
    const char *const *choices; /* of a string, NULL behind the last; NULL: any
                                   will do */
    const hoist_rule *members;  /* of an object; NULL: any will do */
    const hoist_rule *items;    /* of an array, of each; NULL: any will do */
};

/*
 * Messages whose body is not as the rules say are refused before the handler
 * sees them: 400 with the code invalid-body, and the details
 *
 *     {"path":"/items/2/count","problem":"range"}
 *
 * of the first thing that is wrong.  path is a JSON Pointer (RFC 6901), cut to
 * 128 bytes; problem is json (it is none), depth, type, missing, unknown,
 * twice, length, range or choice.  A body that is too long is refused with 413
 * and too-long.  A message that is binary, or has no body, is no JSON.  Other
 * events pass.
 *
 * One pass over the body; nothing is allocated.
 *
 * init: -EINVAL without rules, and for rules that contradict themselves; -E2BIG
 * for too many; -ENOMEM.
 */
typedef struct {
    const hoist_rule *body; /* borrowed, as all that it leads to: it outlives
                               the app */
    size_t max_bytes;   /* of a body; 0: as many as the gateway lets through */
    unsigned max_depth; /* of nesting, 1 to 64; 0: 16 */
} hoist_validate_config;

extern const hoist_middleware *const hoist_validate;

/* --- done once --------------------------------------------------------- */

/*
 * A message that says a key is done once: who sends it again under the same
 * key, because no reply came, gets the reply of the first time.  The key is a
 * member of the message, and belongs to the user, of this tenant (who has none:
 * to the connection), that sent it.
 *
 *     {"action":"order","idempotencyKey":"9f1c…","item":7}
 *
 * Of a second message with a key
 *
 *     while the first is at its handler     409 duplicate-in-progress
 *     with another body or route            422 idempotency-key-reused
 *     when the first is done                what the first was replied
 *
 * A reply is kept for keep_s, whether it says yes or no; of 500 and above, and
 * 429, it is not: what failed so may go well the next time, and is done again.
 * (Stripe's API v1 keeps those of 500, too, and its v2 tries again:
 * docs.stripe.com/api/idempotent_requests.  `keep_failures` is the former.)
 * What comes back from inside counts, whatever those outside make of it, and a
 * success that hoist_timeout found too late is one, on either side: who asks
 * again gets the reply.  What waits for an answer, and is failed all the same
 * meanwhile, was not done; that can be done again when the answer has come, and
 * until then a duplicate is 409.  What is outside of this middleware decides
 * before it, and nothing of that is kept: put hoist_validate there.  Pushes are
 * not repeated.
 *
 * A reply that is a JSON object (nested 64 deep at most) is marked where it is
 * repeated: it begins with "replayed":true.  hoist_is_replay tells the layers
 * outside.
 *
 * Messages without a key pass, and so do all other events.
 *
 * In memory at most `keys` names and `bytes` of replies are kept; where there
 * are more, whoever has most of them (`by`; who has no user: the address) loses
 * the longest done, which would be done again: so one who fills the memory
 * takes from himself, under however many connections.  Where nobody has more
 * than a fair share, which is as much as each of all could have, or a 1024th,
 * the longest done of all goes.  Who comes under enough names, of users that
 * may sign up or addresses, drives out others in that way.  What is under way
 * is never forgotten.
 *
 * With a ledger (hoist_redis.h) it holds for all workers that share it.  There
 * a claim stands for hold_s, in case the worker dies: a handler that takes
 * longer may run beside a second one.  A message that is delivered again since
 * its worker died (hoist_redeliver) takes the claim over.  What the ledger
 * cannot be told when it happens, it is told when it can be asked again, within
 * hold_s and 1024 of them at most; what is dropped is logged
 * (WORKER-LEDGER-DROPPED).  Until then this process knows it.  The app's first
 * thread tries four times a second, for which each such use has a timer
 * (hoist_every), and when the app is destroyed for up to a second more.
 *
 * While the ledger cannot be asked, which is logged (WORKER-LEDGER-FAILED),
 * messages with a key are refused: 503, idempotency-unavailable, since to do
 * nothing is what can be repeated.  Where `when_down` says so they are done, at
 * the risk of twice.
 *
 * init: -EINVAL for what is out of range, for what is no expression or has
 * nothing of the message in it, and without a name where there is a ledger;
 * -ENOMEM.
 */
typedef struct {
    const char *expression; /* where the key is, as routes are selected
                               (docs/routes.md), at most 128 bytes of it; NULL:
                               $request.body.idempotencyKey.  null is none. */
    hoist_key *key;         /* instead; NULL: expression counts */
    void *data;             /* for key, handed on as it is */
    const char *mark;     /* the member that marks; NULL: replayed; "": none */
    hoist_ledger *ledger; /* borrowed; NULL: this process's memory */
    const char *name;     /* of this use in the ledger: as of a rate limit */
    size_t keys, bytes;   /* in memory; 0: 65536 and 16777216 */
    size_t max_reply;   /* bytes of a body that is kept; 0: 65536.  Up to bytes,
                           with a ledger up to 1048576.  Of a longer body only
                           that it was is kept: 409, already-done */
    hoist_by by;        /* whose keys they are */
    unsigned keep_s;    /* 1 to 2592000; 0: 86400 */
    unsigned hold_s;    /* 1 to 86400; 0: 60 */
    bool required;      /* without a key: 400, idempotency-key-missing */
    bool keep_failures; /* all replies are kept */
    hoist_when_down when_down; /* usual: REFUSE */
} hoist_idempotency_config;

extern const hoist_middleware *const hoist_idempotency;

/* Is what the event was replied a repetition? */
bool hoist_is_replay(const hoist_ctx *ctx);

/* --- who may ----------------------------------------------------------- */

/*
 * Who may connect, by address.  A CONNECT from elsewhere is refused: 403,
 * "address-refused".  Other events pass.  An app without a handler of
 * "$connect" serves it all the same (hoist_serve_connect), since a CONNECT that
 * nobody serves is accepted unasked.
 *
 * Lists are of addresses and networks with commas between, "10.0.0.0/8,::1", at
 * most 256 each.  What is denied is denied, also where it is allowed.  A list
 * that is empty is refused: it would let in everyone, where a variable was set
 * to nothing.  The address is that of hoist_ip: behind a proxy it is the
 * client's only where the gateway trusts the proxy.  One of IPv4 is in networks
 * of IPv4 alone, so "::/0" denies none.
 *
 * init: -EINVAL for what is no list, and around a route other than "$connect",
 * where nobody would be asked; -E2BIG; -ENOMEM.
 */
typedef struct {
    const char *allow; /* NULL: everyone who is not denied; "": -EINVAL */
    const char *deny;  /* NULL: nobody; "": -EINVAL */
} hoist_ip_filter_config;

extern const hoist_middleware *const hoist_ip_filter;

/* Attributes of a connection: its roles and its scopes, with blanks between.
 * hoist_jwt (<hoist_auth.h>) sets them, or a $connect handler
 * (hoist_accept_attribute). */
#define HOIST_ROLES               "roles"
#define HOIST_SCOPES              "scopes"

#define HOIST_AUTHORIZE_RULES_MAX 1024

/*
 * Who may what.  A CONNECT or MESSAGE is refused when the connection has no
 * user (401, "not-authenticated"), none of these roles (403, "role-missing"),
 * or not all of these scopes (403, "scope-missing"); lists have blanks between.
 * What asks for neither is for everybody who has a user, and so is a route that
 * has no rule, unless `closed` says otherwise: then its messages are refused
 * (403, "route-closed").  DISCONNECT and PRESENCE pass.
 *
 *     hoist_use_on(app, "delete", hoist_authorize,
 *                  &(hoist_authorize_config){.roles = "admin owner"});
 *
 * or all routes in one table:
 *
 *     static const hoist_authorize_rule rules[] = {
 *         {.route = "delete", .roles = "admin owner"},
 *         {.route = "read", .scopes = "orders:read"},
 *         {.route = "help", .anyone = true},
 *     };
 *     hoist_use(app, hoist_authorize,
 *               &(hoist_authorize_config){.rules = rules, .rule_count = 3});
 *
 * Around all it is asked at CONNECT, too: what says who connects has to stand
 * outside of it, registered by hoist_use before it.
 *
 * hoist_run fails with -ENOENT for a rule of a route that has no handler by
 * then, which would count for nothing: keys that "$default" serves have the
 * rule of that.  And with -EINVAL where nobody could connect: there is a
 * "$connect", without a rule for anyone, and of the middleware outside none but
 * the library's own, of which only hoist_jwt says who somebody is.
 *
 * init: -EINVAL for a rule without a route, and for a list with nothing in it,
 * which would ask for nothing; -EEXIST for two of one; -ENOSPC for more than
 * HOIST_AUTHORIZE_RULES_MAX; -ENOMEM.
 */
typedef struct {
    const char *route;  /* the key of hoist_on */
    const char *roles;  /* one of them; NULL: no matter which */
    const char *scopes; /* all of them; NULL: no matter which */
    bool anyone;        /* also without a user; the rest is not looked at */
} hoist_authorize_rule;

typedef struct {
    const char *roles;  /* of routes without a rule: as there */
    const char *scopes; /* likewise */
    bool closed;        /* routes without a rule take messages of nobody; roles
                           and scopes are for CONNECT then */
    const hoist_authorize_rule *rules;
    size_t rule_count;
} hoist_authorize_config;

extern const hoist_middleware *const hoist_authorize;

/* --- numbers ----------------------------------------------------------- */

/*
 * What becomes of events, in numbers of hoist_metrics.h (docs/metrics.md has
 * the table): how many of each route, how they fail, how long they take until
 * their outcome, also where that comes after an answer, and how large messages
 * are.
 *
 * Labels are routes that are registered, kinds of event, classes of status, and
 * codes of errors, of which a route has at most 16: all others count as
 * "other".  How many connections stand is told where the app has handlers of
 * both "$connect" and "$disconnect", and this is around all.
 */
typedef struct {
    unsigned count_ms; /* ask a broker so often for the number of connections
                          of all (hoist_find_count), 1000 at least; 0: never */
} hoist_metrics_config;

extern const hoist_middleware *const hoist_metrics;

/* --- staying well ------------------------------------------------------ */

/*
 * A time for what is inside, of a CONNECT or MESSAGE.  Handlers and layers see
 * it (hoist_deadline_left_ms); nobody stops one that runs.  One that comes back
 * too late with a success has failed: 504, `timeout`.  So has an event whose
 * time was over when its turn came, without being run.  Where it waits for an
 * answer (hoist_find_user, hoist_push_then), that is 504 when the time is over,
 * and what its handler says to that counts.
 *
 * What came too late was done: a layer that undoes what fails belongs inside.
 */
typedef struct {
    unsigned ms; /* 0: 10000.  No more than the request has. */
} hoist_timeout_config;

extern const hoist_middleware *const hoist_timeout;

/*
 * So many events at once, CONNECT and MESSAGE, in all threads of the process
 * and until their outcome, so that what waits for an answer counts; others are
 * 503, `busy`, at once.  None waits: that would hold up a thread, and who waits
 * does so better at the broker.
 */
typedef struct {
    unsigned limit; /* 0: 100 */
} hoist_bulkhead_config;

extern const hoist_middleware *const hoist_bulkhead;

/*
 * A circuit breaker for CONNECT and MESSAGE events.  It opens when what is
 * inside fails with 500 or above several times in a row, or for a share of
 * those in a window.  Then events are 503, `unavailable`, with
 * {"retryAfterMs":…} as details (a CONNECT with the header Retry-After, in
 * seconds), until few are tried: as soon as one of these fails it opens again,
 * and when all have succeeded it closes.  What counts is the event's outcome,
 * so a handler that replies with 500 has failed as much as one that returns an
 * error (hoist_retry runs only the latter again).
 * A status of 4xx is a success: what refuses events itself, hoist_validate say,
 * belongs outside of it, or events that are bad would close one that is half
 * open.
 *
 * init: -EINVAL for a percent above 100, and for a name that is no label:
 * longer than 117 bytes, or with a quote, a backslash or the end of a line;
 * -ENOMEM.
 */
typedef struct {
    const char *name;   /* of the thing behind it, a label; NULL: "all" */
    unsigned failures;  /* in a row; 0: 5 */
    unsigned percent;   /* of a window's events; 0: 50 */
    unsigned least;     /* events in it before percent counts; 0: 10 */
    unsigned window_ms; /* 0: 300000 */
    unsigned open_ms;   /* 0: 60000 */
    unsigned probes;    /* tried at once, and to succeed; 0: 3 */
} hoist_breaker_config;

extern const hoist_middleware *const hoist_breaker;

/*
 * Load shedding by how long MESSAGE and CONNECT events have waited, in the
 * manner of CoDel (RFC 8289): when none has waited less than a target for an
 * interval, those that have waited twice as long are refused, 503,
 * `overloaded`, until one has waited less.  Others are never refused, a
 * $disconnect least of all.
 *
 * A wait is what was used up of the request's time (`--request-timeout` of the
 * gateways) when its handler's turn comes.  How much that was is learnt of each
 * gateway's loop (of 256) from the longest seen, so gateways may differ, and be
 * restarted with another; where it is said here, say the least of them.
 */
typedef struct {
    unsigned target_ms;   /* 0: 100 */
    unsigned interval_ms; /* 0: 100 */
    unsigned request_ms;  /* the requests' whole time; 0: is learnt */
} hoist_shed_config;

extern const hoist_middleware *const hoist_shed;

/*
 * Try again what has failed with 500 or above, not with 501: a handler or layer
 * that returned an error (hoist_fail, a negative errno).  One that replies with
 * 500 has answered, and is not run again (hoist_breaker counts it all the
 * same).  Put it around what may run twice and do no harm.  It sleeps in
 * between, and holds up its thread so long: pauses are short by default.  Each
 * is twice the one before, less up to a half by chance; where the event's time
 * would not outlast the next, it stays as it is.  What waits for an answer is
 * not tried again.
 */
typedef struct {
    unsigned attempts; /* with the first; 0: 3 */
    unsigned pause_ms; /* before the second; 0: 10 */
    unsigned most_ms;  /* before any; 0: 100 */
} hoist_retry_config;

extern const hoist_middleware *const hoist_retry;

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
