/* SPDX-License-Identifier: MIT
 *
 * Middleware around and inside of each other, of a CONNECT.  Each pair of those
 * that come with libhoist and libhoist-auth stands around handlers of
 * "$connect" that accept, refuse, fail, come late and wait; whatever the pair,
 * a visit has one outcome, who has no token comes to no handler where one is
 * asked for, who has one comes in as its user and as no other's, and slots come
 * back.
 */
#include "base/xalloc.h"
#include "tests/unit/driven_clock.h"
#include "tests/unit/made_token.h"
#include "tests/unit/worker_fixture.h"
#include "workers/c/hoist_auth.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define IN_TIME_MS 500 /* of hoist_timeout here; requests have 1000 */
#define LATE_MS    600
#define HEADER     "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define STRANGER   "fedcba9876543210fedcba9876543210" /* his secret */

/* --- layers -------------------------------------------------------------- */

typedef struct {
    const char *name;
    const hoist_middleware *const *middleware;
    const void *config;
} layer_use_t;

static const hoist_rule object = {.type = HOIST_JSON_OBJECT};
static const hoist_jwt_config by_secret = {.secret = MADE_SECRET};
static const hoist_ip_filter_config at_home = {.allow = "10.0.0.0/8"};
static const hoist_rate_limit_config often = {.rate = 100000};
static const hoist_timeout_config soon = {.ms = IN_TIME_MS};
static const hoist_bulkhead_config one = {.limit = 1};
static const hoist_breaker_config patient = {.failures = 1000, .least = 1000};
static const hoist_shed_config calm = {.target_ms = 10000};
static const hoist_validate_config objects = {.body = &object};

static const layer_use_t layers[] = {
    {"jwt", &hoist_jwt, &by_secret},
    {"ip_filter", &hoist_ip_filter, &at_home},
    {"recover", &hoist_recover, NULL},
    {"request_id", &hoist_request_id, NULL},
    {"logger", &hoist_logger, NULL},
    {"authorize", &hoist_authorize, NULL},
    {"rate_limit", &hoist_rate_limit, &often},
    {"validate", &hoist_validate, &objects},
    {"idempotency", &hoist_idempotency, NULL},
    {"metrics", &hoist_metrics, NULL},
    {"timeout", &hoist_timeout, &soon},
    {"bulkhead", &hoist_bulkhead, &one},
    {"breaker", &hoist_breaker, &patient},
    {"shed", &hoist_shed, &calm},
    {"retry", &hoist_retry, NULL},
};

#define LAYERS (sizeof layers / sizeof *layers)

static const layer_use_t *around, *within;

static bool is_in_pair(const hoist_middleware *middleware)
{
    return *around->middleware == middleware ||
           *within->middleware == middleware;
}

/* --- handlers ------------------------------------------------------------ */

typedef enum {
    ACCEPTS,
    REFUSES,
    FAILS,
    FAILS_ONCE,
    SAYS_500,
    COMES_LATE,
    WAITS,
    WAITS_IN_VAIN,
    WAITS_FOR_A_THREAD,
    IS_FORGOTTEN_BY_A_THREAD,
} way_t;

#define WAYS (IS_FORGOTTEN_BY_A_THREAD + 1)

static const char *const ways[WAYS] = {
    "accepts",
    "refuses",
    "fails",
    "fails once",
    "says 500",
    "comes late",
    "waits",
    "waits in vain",
    "waits for another thread",
    "waits for one that comes too late",
};

static way_t way;
static hoist_ticket ticket; /* of what waits for another thread; id 0: none */
static int handled;         /* how often the handler was run */

static void pass(int64_t ms)
{
    driven_us += ms * 1000;
    worker.now_ms += ms;
}

static const hoist_find_options in_time = {.timeout_ms = 1000};

static int go_on(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    int status = hoist_answer_status(answer);
    (void)data;

    return status == 200 ? hoist_reply_status(ctx, 200)
                         : hoist_fail(ctx, status, "late", "Late");
}

static int let_in(hoist_ctx *ctx)
{
    handled++;
    switch (way) {
    case ACCEPTS:
        return 0;
    case REFUSES:
        return hoist_fail(ctx, 402, "no", "No");
    case FAILS:
        return -EIO;
    case FAILS_ONCE:
        return handled == 1 ? hoist_fail(ctx, 500, "no", "No") : 0;
    case SAYS_500:
        return hoist_reply_status(ctx, 500);
    case COMES_LATE:
        pass(LATE_MS);
        return 0;
    case WAITS:
    case WAITS_IN_VAIN:
        return hoist_find_count(ctx, &in_time, go_on, NULL);
    case WAITS_FOR_A_THREAD:
    case IS_FORGOTTEN_BY_A_THREAD:
        return hoist_wait(ctx, &ticket);
    }
    return -ENOSYS;
}

/* --- visits -------------------------------------------------------------- */

typedef struct {
    unsigned replies; /* that were given */
    unsigned status;  /* of the last */
    char user[32];    /* that came in with it; "": none */
} outcome_t;

static void note_reply(outcome_t *outcome, const message_reply_t *reply)
{
    wire_bytes_t user = reply->options.len > 0
                            ? wire_map_str(reply->options, "user")
                            : (wire_bytes_t){NULL, 0};

    outcome->replies++;
    outcome->status = (unsigned)reply->status;
    (void)snprintf(outcome->user, sizeof outcome->user, "%.*s", (int)user.len,
                   user.data != NULL ? (const char *)user.data : "");
}

static void hear(outcome_t *outcome)
{
    while (sdk_take(&worker.link.outbox.ready, &worker.frame, &worker.said)) {
        uint64_t id = worker.said.query.id;
        if (worker.said.kind == KIND_REPLY) {
            note_reply(outcome, &worker.said.reply);
        } else if (worker.said.kind == KIND_QUERY && way == WAITS) {
            status_comes(id, 200);
        } else if (worker.said.kind == KIND_QUERY) {
            pass(1000);
            time_is(worker.now_ms);
            status_comes(id, 200); /* too late */
        }
    }
}

static int go_on_later(hoist_ctx *ctx, void *data)
{
    (void)data;
    return hoist_event_of(ctx) == HOIST_TASK ? 0 : hoist_reply_status(ctx, 200);
}

/* Whoever has a ticket comes with it.  Returns whether somebody has. */
static bool another_thread_comes(void)
{
    hoist_ticket taken = ticket;

    if (taken.id == 0) {
        return false;
    }
    ticket.id = 0;
    if (way == IS_FORGOTTEN_BY_A_THREAD) {
        pass(1000);
        time_is(worker.now_ms);
    }
    must(hoist_resume(taken, go_on_later, NULL) == 0);
    posts_are_run();
    return true;
}

static void put_details(buf_t *out, const char *token)
{
    char value[512];

    (void)snprintf(value, sizeof value, "Bearer %s", token);
    must(wire_put_map(out, 1) == 0 && wire_put_text(out, "headers") == 0 &&
         wire_put_array(out, 1) == 0 && wire_put_array(out, 2) == 0 &&
         wire_put_text(out, "authorization") == 0 &&
         wire_put_text(out, token != NULL ? value : "") == 0);
}

/* From 10.0.0.1, with this token or none. */
static outcome_t visits(const char *token)
{
    message_request_t request = sdk_event(EVENT_CONNECT);
    outcome_t outcome = {.replies = 0};
    buf_t context, details;

    buf_init(&context, 100);
    buf_init(&details, 1000);
    must(wire_put_map(&context, 1) == 0 && wire_put_text(&context, "ip") == 0 &&
         wire_put_text(&context, "10.0.0.1") == 0);
    put_details(&details, token);
    request.context = (wire_bytes_t){context.data, context.len};
    request.details = (wire_bytes_t){details.data, details.len};
    must(message_put_request(&worker.in, &request) == 0);
    buf_fini(&context);
    buf_fini(&details);
    handled = 0;
    feed(worker.now_ms);
    do {
        hear(&outcome);
    } while (another_thread_comes());
    return outcome;
}

static const char *token_of(const char *user, const char *secret)
{
    char payload[100];

    (void)snprintf(payload, sizeof payload,
                   "{\"sub\":\"%s\",\"exp\":4102444800}", user); /* 2100 */
    return made_hs256(HEADER, payload, secret);
}

/* --- each pair ----------------------------------------------------------- */

#define HOLDS(what)                                                            \
    do {                                                                       \
        if (!(what)) {                                                         \
            fail_msg("%s around %s around what %s: %s", around->name,          \
                     within->name, ways[way], #what);                          \
        }                                                                      \
    } while (0)

/* Somebody with a token: may he come to the handler? */
static bool may_come(void)
{
    return !is_in_pair(hoist_authorize) || *around->middleware == hoist_jwt;
}

static bool goes_well(void)
{
    return way == ACCEPTS || way == WAITS || way == WAITS_FOR_A_THREAD ||
           (way == FAILS_ONCE && is_in_pair(hoist_retry)) ||
           (way == COMES_LATE && !is_in_pair(hoist_timeout));
}

static void one_with_a_token_comes(const char *user)
{
    const char *expected = is_in_pair(hoist_jwt) ? user : "";
    outcome_t outcome = visits(token_of(user, MADE_SECRET));

    HOLDS(outcome.replies == 1);
    HOLDS(outcome.status >= 200 && outcome.status < 600);
    HOLDS((outcome.status == 200) == (may_come() && goes_well()));
    HOLDS((handled > 0) == may_come());
    HOLDS(strcmp(outcome.user, outcome.status == 200 ? expected : "") == 0);
}

static void one_without_a_right_token_comes(const char *token)
{
    outcome_t outcome = visits(token);

    HOLDS(outcome.replies == 1);
    HOLDS(strcmp(outcome.user, "") == 0);
    HOLDS(!is_in_pair(hoist_jwt) || outcome.status == 401);
    HOLDS(!is_in_pair(hoist_jwt) || handled == 0);
}

static void pair_is_tried(way_t chosen)
{
    void *state = NULL;

    driven_us = 10000000;
    must(worker_set_up(&state) == 0);
    worker.now_ms = 10000;
    ticket.id = 0;
    must(hoist_on(worker.app, "$connect", let_in) == 0);
    must(hoist_use_on(worker.app, "$connect", *around->middleware,
                      around->config) == 0);
    must(hoist_use_on(worker.app, "$connect", *within->middleware,
                      within->config) == 0);
    worker_freezes();
    way = chosen;
    one_with_a_token_comes("ada");
    one_without_a_right_token_comes(NULL);
    one_without_a_right_token_comes(token_of("ada", STRANGER));
    one_with_a_token_comes("eve");
    way = ACCEPTS;
    one_with_a_token_comes("bob"); /* who finds all as it was */
    must(worker_tear_down(&state) == 0);
}

static void each_pair_lets_in_whom_it_may_and_nobody_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < LAYERS * LAYERS; i++) {
        around = &layers[i / LAYERS];
        within = &layers[i % LAYERS];
        for (int chosen = 0; chosen < WAYS && around != within; chosen++) {
            pair_is_tried((way_t)chosen);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pair_lets_in_whom_it_may_and_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
