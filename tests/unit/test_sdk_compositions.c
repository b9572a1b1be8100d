/* SPDX-License-Identifier: MIT
 *
 * Middleware around and inside of each other.  Each pair of those that come
 * with libhoist stands around handlers that reply, refuse, fail, come late,
 * wait for an answer and call each other; whatever the pair, an event has one
 * outcome, nothing of another's is in it, what is claimed is settled or
 * released, what was done is not done again, and slots come back.
 */
#include "base/xalloc.h"
#include "tests/unit/driven_clock.h"
#include "tests/unit/worker_fixture.h"
#include "workers/c/hoist_middleware.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define IN_TIME_MS 500 /* of hoist_timeout here; requests have 1000 */
#define LATE_MS    600

static int set_up(void **state)
{
    driven_us = 10000000;
    worker_set_up(state);
    worker.now_ms = 10000;
    return 0;
}

static void pass(int64_t ms)
{
    driven_us += ms * 1000;
    worker.now_ms += ms;
}

/* --- layers -------------------------------------------------------------- */

typedef struct {
    const char *name;
    const hoist_middleware *const *middleware;
    const void *config;
} layer_use_t;

static const hoist_rule object = {.type = HOIST_JSON_OBJECT};
static const hoist_idempotency_config once = {.mark = ""};
static const hoist_rate_limit_config often = {.rate = 100000};
static const hoist_timeout_config soon = {.ms = IN_TIME_MS};
static const hoist_bulkhead_config one = {.limit = 1};
static const hoist_breaker_config patient = {.failures = 1000, .least = 1000};
static const hoist_shed_config calm = {.target_ms = 10000};
static const hoist_validate_config objects = {.body = &object};

/* All that may stand around a route of messages: hoist_ip_filter may not. */
static const layer_use_t layers[] = {
    {"recover", &hoist_recover, NULL},
    {"request_id", &hoist_request_id, NULL},
    {"logger", &hoist_logger, NULL},
    {"authorize", &hoist_authorize, NULL},
    {"rate_limit", &hoist_rate_limit, &often},
    {"validate", &hoist_validate, &objects},
    {"idempotency", &hoist_idempotency, &once},
    {"metrics", &hoist_metrics, NULL},
    {"timeout", &hoist_timeout, &soon},
    {"bulkhead", &hoist_bulkhead, &one},
    {"breaker", &hoist_breaker, &patient},
    {"shed", &hoist_shed, &calm},
    {"retry", &hoist_retry, NULL},
};

#define LAYERS (sizeof layers / sizeof *layers)

static void uses_on(const char *route, const layer_use_t *layer)
{
    must(hoist_use_on(worker.app, route, *layer->middleware, layer->config) ==
         0);
}

/* --- handlers ------------------------------------------------------------ */

typedef enum {
    REPLIES,
    SAYS_NOTHING,
    REFUSES,
    FAILS,
    FAILS_ONCE,
    SAYS_500,
    COMES_LATE,
    WAITS,
    WAITS_IN_VAIN,
    WAITS_FOR_A_THREAD,
    IS_FORGOTTEN_BY_A_THREAD,
    CALLS,
    CALLS_WHAT_FAILS_ONCE,
} way_t;

#define WAYS (CALLS_WHAT_FAILS_ONCE + 1)

static const char *const ways[WAYS] = {
    "replies",
    "says nothing",
    "refuses",
    "fails",
    "fails once",
    "says 500",
    "comes late",
    "waits",
    "waits in vain",
    "waits for another thread",
    "waits for one that comes too late",
    "calls a route",
    "calls a route that fails once",
};

static way_t way;
static hoist_ticket ticket; /* of what waits for another thread; id 0: none */
static int done;            /* how often what was asked for was done */
static bool is_again;       /* it has failed once */

/* Whose event it was, so that another's reply would be seen. */
static int reply_to_user(hoist_ctx *ctx)
{
    hoist_text user = hoist_user(ctx);
    char text[64];

    done++;
    (void)snprintf(text, sizeof text, "{\"of\":\"%.*s\"}", (int)user.len,
                   user.data);
    return hoist_reply_text(ctx, text);
}

static int fail_once(hoist_ctx *ctx)
{
    if (!is_again) {
        is_again = true;
        return hoist_fail(ctx, 500, "no", "No");
    }
    return reply_to_user(ctx);
}

static const hoist_find_options in_time = {.timeout_ms = 1000};

static int go_on(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    int status = hoist_answer_status(answer);
    (void)data;

    return status == 200 ? reply_to_user(ctx)
                         : hoist_fail(ctx, status, "late", "Late");
}

static int call_inner(hoist_ctx *ctx)
{
    hoist_text user = hoist_user(ctx);
    hoist_called called;
    char body[64];

    (void)snprintf(body, sizeof body, "{\"idempotencyKey\":\"inner-%.*s\"}",
                   (int)user.len, user.data);
    int rc = hoist_call(ctx, "inner", HOIST_TEXT, hoist_str(body), &called);
    return rc < 0 ? rc
                  : hoist_reply(ctx, called.status, called.type, called.body);
}

static int inner(hoist_ctx *ctx)
{
    return way == CALLS_WHAT_FAILS_ONCE ? fail_once(ctx) : reply_to_user(ctx);
}

static int outer(hoist_ctx *ctx)
{
    switch (way) {
    case REPLIES:
        return reply_to_user(ctx);
    case SAYS_NOTHING:
        done++;
        return 0;
    case REFUSES:
        return hoist_fail(ctx, 402, "no", "No");
    case FAILS:
        return -EIO;
    case FAILS_ONCE:
        return fail_once(ctx);
    case SAYS_500:
        return hoist_reply_status(ctx, 500);
    case COMES_LATE:
        pass(LATE_MS);
        return reply_to_user(ctx);
    case WAITS:
    case WAITS_IN_VAIN:
        return hoist_find_count(ctx, &in_time, go_on, NULL);
    case WAITS_FOR_A_THREAD:
    case IS_FORGOTTEN_BY_A_THREAD:
        return hoist_wait(ctx, &ticket);
    case CALLS:
    case CALLS_WHAT_FAILS_ONCE:
        return call_inner(ctx);
    }
    return -ENOSYS;
}

/* --- events ------------------------------------------------------------- */

typedef struct {
    unsigned replies; /* that were given */
    unsigned status;  /* of the last */
    char body[160];
} outcome_t;

/* What the worker says; who asks is answered, or is not until his time is
 * over. */
static void hear(outcome_t *outcome)
{
    const message_reply_t *reply = &worker.said.reply;

    while (sdk_take(&worker.link.outbox.ready, &worker.frame, &worker.said)) {
        if (worker.said.kind == KIND_QUERY && way == WAITS) {
            status_comes(worker.said.query.id, 200);
        } else if (worker.said.kind == KIND_QUERY) {
            uint64_t id = worker.said.query.id;
            pass(1000);
            time_is(worker.now_ms);
            status_comes(id, 200); /* too late */
        } else if (worker.said.kind == KIND_REPLY) {
            outcome->replies++;
            outcome->status = (unsigned)reply->status;
            (void)snprintf(outcome->body, sizeof outcome->body, "%.*s",
                           (int)reply->body.bytes.len,
                           (const char *)reply->body.bytes.data);
        }
    }
}

/* What is too late for its event is done without one: not at all. */
static int go_on_later(hoist_ctx *ctx, void *data)
{
    (void)data;
    return hoist_event_of(ctx) == HOIST_TASK ? 0 : reply_to_user(ctx);
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

/* Until it has no more to say. */
static void hear_all(outcome_t *outcome)
{
    do {
        hear(outcome);
    } while (another_thread_comes());
}

/* A message of this user comes, with its key. */
static outcome_t asks(const char *route, const char *user, const char *key)
{
    message_request_t request = sdk_message(route);
    outcome_t outcome = {.replies = 0};
    static uint64_t number;
    char body[64];
    buf_t map;

    buf_init(&map, 1000);
    must(wire_put_map(&map, 1) == 0 && wire_put_text(&map, "user") == 0 &&
         wire_put_text(&map, user) == 0);
    (void)snprintf(body, sizeof body, "{\"idempotencyKey\":\"%s\"}", key);
    request.context = (wire_bytes_t){map.data, map.len};
    request.conn = wire_bytes(strcmp(user, "ada") == 0 ? CONN_A : CONN_B);
    request.number = ++number;
    request.body = (body_t){BODY_TEXT, wire_bytes(body)};
    must(message_put_request(&worker.in, &request) == 0);
    buf_fini(&map);
    feed(worker.now_ms);
    hear_all(&outcome);
    return outcome;
}

/* --- each pair ----------------------------------------------------------- */

static const layer_use_t *around, *within;

#define HOLDS(what)                                                            \
    do {                                                                       \
        if (!(what)) {                                                         \
            fail_msg("%s around %s around what %s: %s", around->name,          \
                     within->name, ways[way], #what);                          \
        }                                                                      \
    } while (0)

static bool is_in_pair(const hoist_middleware *middleware)
{
    return *around->middleware == middleware ||
           *within->middleware == middleware;
}

static void has_one_outcome_of_its_own(const outcome_t *outcome,
                                       const char *user)
{
    char own[32];

    (void)snprintf(own, sizeof own, "{\"of\":\"%s\"}", user);
    HOLDS(outcome->replies == 1);
    HOLDS(outcome->status >= 200 && outcome->status < 600);
    HOLDS(strstr(outcome->body, "\"of\"") == NULL ||
          strcmp(outcome->body, own) == 0);
}

static bool goes_well(void)
{
    return way == REPLIES || way == WAITS || way == WAITS_FOR_A_THREAD ||
           way == CALLS;
}

/* Ada, then Eve, then Ada again under the key of before. */
static void three_messages_come(void)
{
    static const char *const users[] = {"ada", "eve", "ada"};
    int done_for_ada = 0;

    for (size_t i = 0; i < 3; i++) {
        is_again = false;
        done = 0;
        outcome_t outcome = asks("outer", users[i], "k");
        has_one_outcome_of_its_own(&outcome, users[i]);
        HOLDS(outcome.status != 409); /* what is over is claimed no more */
        HOLDS(outcome.status == 200 || !goes_well());
        done_for_ada += strcmp(users[i], "ada") == 0 ? done : 0;
    }
    HOLDS(!is_in_pair(hoist_idempotency) || done_for_ada <= 1);
}

/* Who comes then finds all as it was. */
static void all_is_free_again(void)
{
    outcome_t outcome;

    way = REPLIES;
    outcome = asks("outer", "bob", "free");
    HOLDS(outcome.status == 200);
    has_one_outcome_of_its_own(&outcome, "bob");
}

static void pair_is_tried(way_t chosen)
{
    void *state = NULL;

    must(set_up(&state) == 0);
    must(hoist_on(worker.app, "outer", outer) == 0);
    must(hoist_on(worker.app, "inner", inner) == 0);
    uses_on("outer", around);
    uses_on("outer", within);
    uses_on("inner", around);
    uses_on("inner", within);
    worker_freezes();
    way = chosen;
    three_messages_come();
    all_is_free_again();
    must(worker_tear_down(&state) == 0);
}

static void each_pair_keeps_what_each_promises(void **state)
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

/* --- pairs that have a story --------------------------------------------- */

static void serves_both(way_t chosen)
{
    way = chosen;
    is_again = false;
    done = 0;
    serves("inner", inner);
    serves("outer", outer);
}

static void replies(const outcome_t *outcome, unsigned status, const char *body)
{
    assert_int_equal(outcome->replies, 1);
    assert_int_equal(outcome->status, status);
    assert_string_equal(outcome->body, body);
}

/* Whoever calls has what the call before replied in the same memory. */
static void a_call_that_failed_gets_nothing_of_the_call_before(void **state)
{
    static const hoist_idempotency_config all = {.keep_failures = true,
                                                 .mark = ""};
    outcome_t outcome;
    (void)state;

    serves_both(CALLS);
    must(hoist_use_on(worker.app, "inner", hoist_retry, NULL) == 0);
    must(hoist_use_on(worker.app, "inner", hoist_idempotency, &all) == 0);
    worker_freezes();
    outcome = asks("outer", "ada", "k");
    replies(&outcome, 200, "{\"of\":\"ada\"}");
    way = CALLS_WHAT_FAILS_ONCE;
    for (int i = 0; i < 2; i++) {
        outcome = asks("outer", "eve", "k");
        replies(&outcome, 200, "{\"of\":\"eve\"}");
    }
    assert_int_equal(done, 2);
}

static void a_late_success_is_done_once(const layer_use_t *outside,
                                        const layer_use_t *inside)
{
    outcome_t outcome;

    serves_both(COMES_LATE);
    uses_on("outer", outside);
    uses_on("outer", inside);
    worker_freezes();
    outcome = asks("outer", "ada", "k");
    replies(&outcome, 504, "");
    outcome = asks("outer", "ada", "k");
    replies(&outcome, 200, "{\"of\":\"ada\"}");
    assert_int_equal(done, 1);
}

static const layer_use_t idempotency = {"idempotency", &hoist_idempotency,
                                        &once};
static const layer_use_t timeout = {"timeout", &hoist_timeout, &soon};

static void what_a_timeout_outside_finds_late_was_done(void **state)
{
    (void)state;
    a_late_success_is_done_once(&timeout, &idempotency);
}

static void what_a_timeout_inside_finds_late_was_done(void **state)
{
    (void)state;
    a_late_success_is_done_once(&idempotency, &timeout);
}

static const hoist_idempotency_config named = {.mark = "", .name = "outer"};
static const layer_use_t another = {"idempotency", &hoist_idempotency, &named};

static uint64_t replayed_outside(void)
{
    return hoist_counted(
        hoist_counter_of(worker.app, "hoist_worker_idempotency_events_total",
                         "", "name=\"outer\",outcome=\"replayed\""));
}

static void
what_a_timeout_between_two_finds_late_was_done_for_both(void **state)
{
    outcome_t outcome;
    (void)state;

    serves_both(COMES_LATE);
    uses_on("outer", &another);
    uses_on("outer", &timeout);
    uses_on("outer", &idempotency);
    worker_freezes();
    outcome = asks("outer", "ada", "k");
    replies(&outcome, 504, "");
    outcome = asks("outer", "ada", "k");
    replies(&outcome, 200, "{\"of\":\"ada\"}");
    assert_int_equal(done, 1);
    assert_int_equal(replayed_outside(), 1);
}

static int say_less(hoist_ctx *ctx, void *state)
{
    int rc = hoist_next(ctx);
    (void)state;

    return rc < 0 ? hoist_reply_status(ctx, 400) : rc;
}

static void what_failed_inside_is_not_kept_as_a_refusal(void **state)
{
    (void)state;
    serves_both(FAILS_ONCE);
    must(hoist_wrap_on(worker.app, "outer", say_less, NULL) == 0);
    uses_on("outer", &idempotency);
    worker_freezes();
    outcome_t outcome = asks("outer", "ada", "k");
    replies(&outcome, 400, "");
    outcome = asks("outer", "ada", "k");
    replies(&outcome, 200, "{\"of\":\"ada\"}");
}

/* --- without room -------------------------------------------------------- */

#define VALUES 16 /* that an event may have */

static int hoard(hoist_ctx *ctx, void *state)
{
    static char keys[VALUES];
    (void)state;

    for (int i = 0; i < VALUES; i++) {
        must(hoist_set(ctx, &keys[i], &keys[i]) == 0);
    }
    return hoist_next(ctx);
}

static void without_room_for_a_claim_nothing_is_done(void **state)
{
    (void)state;
    serves_both(REPLIES);
    must(hoist_wrap_on(worker.app, "outer", hoard, NULL) == 0);
    uses_on("outer", &idempotency);
    worker_freezes();
    outcome_t outcome = asks("outer", "ada", "k");
    replies(&outcome, 503, "");
    assert_int_equal(done, 0);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, set_up, worker_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pair_keeps_what_each_promises),
        TEST(a_call_that_failed_gets_nothing_of_the_call_before),
        TEST(what_a_timeout_outside_finds_late_was_done),
        TEST(what_a_timeout_inside_finds_late_was_done),
        TEST(what_a_timeout_between_two_finds_late_was_done_for_both),
        TEST(what_failed_inside_is_not_kept_as_a_refusal),
        TEST(without_room_for_a_claim_nothing_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
