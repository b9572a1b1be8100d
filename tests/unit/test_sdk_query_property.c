/* SPDX-License-Identifier: MIT
 *
 * Handlers that ask, fail and reply as chance has it, while the broker answers,
 * takes its time or forgets the worker.
 */
#include "base/xalloc.h"
#include "tests/unit/query_fixture.h"
#include "tests/unit/random_wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- whatever happens ---------------------------------------------------- */

#define CONNS     4
#define EVENTS    400 /* of one world */
#define STEPS     600
#define WORLDS    200
#define QUEUE_MAX 64

/* What the broker knows, and what handlers have seen. */
typedef struct {
    random_t random;
    uint64_t events;                  /* given to the worker so far */
    uint64_t queue[CONNS][QUEUE_MAX]; /* ids without a REPLY, in order */
    size_t waiting[CONNS];            /* of queue */
    uint64_t queries[ASKED_AT_ONCE];  /* without a RESULT */
    size_t query_count;
    uint64_t open[CONNS];        /* the event whose handler runs or waits */
    bool has_failed[EVENTS + 1]; /* behind a question */
    bool is_lost;
    size_t asked, told;
} world_t;

static world_t *world;

static size_t index_of(const hoist_ctx *ctx)
{
    return (size_t)(hoist_connection(ctx).data[CONN_ID_TEXT - 1] - '0');
}

static int told_any(hoist_ctx *ctx, hoist_answer *answer, void *data);

/* End the event, ask, or both. */
static int do_any(hoist_ctx *ctx)
{
    uint64_t *open = &world->open[index_of(ctx)];
    uint64_t what = random_below(&world->random, 8);
    unsigned patience = 1 + (unsigned)random_below(&world->random, 1500);
    hoist_find_options options = {.timeout_ms = patience};

    if (what < 2) {
        *open = 0;
        return what == 0 ? hoist_reply_text(ctx, "done") : -ENOENT;
    }
    assert_int_equal(hoist_find_count(ctx, &options, told_any, world), 0);
    world->asked++;
    if (what == 2) {
        world->has_failed[hoist_request_number(ctx)] = true;
        *open = 0;
        return -EBUSY;
    }
    return 0;
}

static int told_any(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    uint64_t number = hoist_request_number(ctx);

    assert_ptr_equal(data, world);
    assert_true(hoist_answer_status(answer) >= 200);
    world->told++;
    if (world->is_lost) {
        assert_int_equal(hoist_reply_status(ctx, 200), -ENOTCONN);
        return 0;
    }
    if (world->has_failed[number]) {
        assert_int_equal(hoist_reply_status(ctx, 200), -EALREADY);
        return 0;
    }
    assert_int_equal(world->open[index_of(ctx)], number);
    return do_any(ctx);
}

static int handle_any(hoist_ctx *ctx)
{
    uint64_t *open = &world->open[index_of(ctx)];

    assert_int_equal(*open, 0); /* the one before has ended */
    *open = hoist_request_number(ctx);
    return do_any(ctx);
}

static void broker_takes_reply(uint64_t id)
{
    for (size_t i = 0; i < CONNS; i++) {
        uint64_t *queue = world->queue[i];
        if (world->waiting[i] > 0 && queue[0] == id) {
            world->waiting[i]--;
            memmove(queue, queue + 1, world->waiting[i] * sizeof *queue);
            return;
        }
    }
    fail_msg("a REPLY out of order, or to nothing: %" PRIu64, id);
}

static void broker_listens(void)
{
    message_t message;

    while (sdk_take(&worker.link.outbox.ready, &worker.frame, &message)) {
        if (message.kind == KIND_REPLY) {
            broker_takes_reply(message.reply.id);
        } else if (message.kind == KIND_QUERY) {
            assert_true(world->query_count < ASKED_AT_ONCE);
            world->queries[world->query_count++] = message.query.id;
        }
    }
}

static void broker_asks(void)
{
    char conn[] = "000000000000000?";
    size_t i = random_below(&world->random, CONNS);

    if (world->events == EVENTS || world->waiting[i] == QUEUE_MAX) {
        return;
    }
    message_request_t request = sdk_message("any");
    conn[CONN_ID_TEXT - 1] = (char)('0' + i);
    request.id = request.number = ++world->events;
    request.conn = wire_bytes(conn);
    world->queue[i][world->waiting[i]++] = request.id;
    must(message_put_request(&worker.in, &request) == 0);
    feed(worker.now_ms);
}

static void broker_answers(void)
{
    if (world->query_count == 0) {
        return;
    }
    size_t i = random_below(&world->random, world->query_count);
    uint64_t id = world->queries[i];
    world->queries[i] = world->queries[--world->query_count];
    status_comes(id, random_below(&world->random, 4) == 0 ? 503 : 200);
}

static void time_passes(void)
{
    worker.now_ms += 1 + (int64_t)random_below(&world->random, 700);
    must(message_put_bare(&worker.in, KIND_PONG) == 0);
    feed(worker.now_ms);
}

static void broker_forgets(void)
{
    world->is_lost = true;
    must(message_put_bare(&worker.in, KIND_WHO) == 0);
    feed(worker.now_ms);
    world->is_lost = false;
    assert_int_equal(world->asked, world->told);
    memset(world->waiting, 0, sizeof world->waiting);
    memset(world->open, 0, sizeof world->open);
    world->query_count = 0;
    come_up(worker.now_ms);
}

static void step(void)
{
    uint64_t what = random_below(&world->random, 100);

    if (what < 45) {
        broker_asks();
    } else if (what < 90) {
        broker_answers();
    } else if (what < 99) {
        time_passes();
    } else {
        broker_forgets();
    }
    broker_listens();
}

/* Answer all that is still asked; then each event has its reply. */
static void come_to_rest(void)
{
    while (world->query_count > 0) {
        broker_answers();
        broker_listens();
    }
    assert_int_equal(world->asked, world->told);
    assert_int_equal(worker.link.asked.count, 0);
    assert_int_equal(worker.link.mail.boxes, 0);
    assert_int_equal(worker.link.mail.bytes, 0);
    for (size_t i = 0; i < CONNS; i++) {
        assert_int_equal(world->waiting[i], 0);
        assert_int_equal(world->open[i], 0);
    }
}

static void
each_event_has_one_reply_in_order_and_each_question_one_answer(void **state)
{
    (void)state;
    serves("any", handle_any);
    for (uint64_t seed = 1; seed <= WORLDS; seed++) {
        world = xcalloc(1, sizeof *world);
        random_init(&world->random, seed);
        for (int i = 0; i < STEPS; i++) {
            step();
        }
        come_to_rest();
        random_fini(&world->random);
        free(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ASKING_TEST(
            each_event_has_one_reply_in_order_and_each_question_one_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
