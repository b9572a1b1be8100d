/* SPDX-License-Identifier: MIT
 *
 * Where a request is in a trace, and the spans that a broker makes of it.
 */
#include "proto/traceparent.h"
#include "tests/unit/core_fixture.h"

#define TRACE     "0af7651916cd43dd8448eb211c80319c"
#define GATEWAY   "b7ad6b7169203331"
#define SAMPLED   "00-" TRACE "-" GATEWAY "-01"
#define UNSAMPLED "00-" TRACE "-" GATEWAY "-00"

static node_t *gateway;
static client_t *client;

static int set_up(void **state)
{
    broker_set_up(state);
    gateway = a_gateway(1);
    client = a_client(gateway);
    broker.traceparent = SAMPLED;
    return 0;
}

/* The next message to the worker is that REQUEST; where it is. */
static uint64_t takes_at(node_t *worker, trace_place_t *place)
{
    message_request_t request = gets(worker, KIND_REQUEST).request;

    assert_int_equal(traceparent_parse(request.traceparent, place), 0);
    return request.id;
}

/* The next span; lent until the one behind it. */
static const span_t *gets_span(span_kind_t kind, uint64_t status)
{
    static span_t span;

    assert_true(broker.span_count > 0);
    span = broker.spans[0];
    memmove(broker.spans, broker.spans + 1,
            --broker.span_count * sizeof *broker.spans);
    assert_int_equal(span.kind, kind);
    assert_int_equal(span.status, status);
    return &span;
}

static void assert_below_gateway(const span_t *span)
{
    trace_place_t place;

    assert_int_equal(traceparent_parse(wire_bytes(SAMPLED), &place), 0);
    assert_memory_equal(span->trace, place.trace, sizeof place.trace);
    assert_memory_equal(span->parent, place.span, sizeof place.span);
    assert_memory_not_equal(span->id, place.span, sizeof place.span);
}

static void a_sampled_request_has_a_queue_and_a_dispatch(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    trace_place_t place;
    (void)state;

    client_says(client, "echo", "a");
    uint64_t id = takes_at(worker, &place);
    const span_t *queue = gets_span(SPAN_QUEUE, 200);
    assert_below_gateway(queue);
    assert_int_equal(queue->end_us - queue->start_us, 0);
    time_passes(250);
    answers(worker, id, 404, "b");
    const span_t *dispatch = gets_span(SPAN_DISPATCH, 404);
    assert_below_gateway(dispatch);
    assert_int_equal(dispatch->end_us - dispatch->start_us, 250000);
    assert_int_equal(dispatch->attempt, 1);
    assert_memory_equal(dispatch->conn, client->id, CONN_ID_TEXT);
    assert_memory_equal(dispatch->route, "echo", dispatch->route_len);
    assert_int_equal(broker.span_count, 0);
    assert_int_equal(core_stats(broker.core)->spans, 2);
}

static void its_worker_has_the_dispatch_as_its_parent(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    trace_place_t place;
    (void)state;

    client_says(client, "echo", "a");
    answers(worker, takes_at(worker, &place), 200, "b");
    assert_true(place.is_sampled);
    gets_span(SPAN_QUEUE, 200);
    const span_t *dispatch = gets_span(SPAN_DISPATCH, 200);
    assert_memory_equal(place.trace, dispatch->trace, sizeof place.trace);
    assert_memory_equal(place.span, dispatch->id, sizeof place.span);
}

static void what_waits_does_so_in_its_queue(void **state)
{
    node_t *worker = a_worker("w", "echo", 1);
    trace_place_t place;
    (void)state;

    broker.traceparent = NULL;
    client_says(client, "echo", "first");
    broker.traceparent = SAMPLED;
    client_says(client, "echo", "second");
    time_passes(100);
    answers(worker, takes_message(worker, "first"), 200, "");
    const span_t *queue = gets_span(SPAN_QUEUE, 200);
    assert_int_equal(queue->end_us - queue->start_us, 100000);
    takes_at(worker, &place);
}

static void one_that_is_not_sampled_goes_on_as_it_came(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    broker.traceparent = UNSAMPLED;
    client_says(client, "echo", "a");
    message_request_t request = gets(worker, KIND_REQUEST).request;
    assert_true(is_text(request.traceparent, UNSAMPLED));
    answers(worker, request.id, 200, "b");
    assert_int_equal(broker.span_count, 0);
}

static void what_is_no_traceparent_is_none(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    (void)state;

    broker.traceparent = "00-" TRACE "-0000000000000000-01";
    client_says(client, "echo", "a");
    assert_int_equal(gets(worker, KIND_REQUEST).request.traceparent.len, 0);
    broker.traceparent = NULL;
    client_says(client, "echo", "b");
    assert_int_equal(gets(worker, KIND_REQUEST).request.traceparent.len, 0);
    assert_int_equal(broker.span_count, 0);
}

static void each_worker_that_had_it_is_a_dispatch_of_its_own(void **state)
{
    node_t *first = a_worker("w1", "echo*1", 8);
    trace_place_t one, other;
    (void)state;

    client_says(client, "echo", "a");
    takes_at(first, &one);
    gets_span(SPAN_QUEUE, 200);
    dies(first);
    const span_t *lost = gets_span(SPAN_DISPATCH, SPAN_LOST);
    assert_memory_equal(lost->id, one.span, sizeof one.span);
    time_passes(500);
    node_t *second = a_worker("w2", "echo*1", 8);
    uint64_t id = takes_at(second, &other);
    const span_t *queue = gets_span(SPAN_QUEUE, 200);
    assert_int_equal(queue->end_us - queue->start_us, 500000);
    assert_int_equal(queue->attempt, 2);
    answers(second, id, 200, "");
    const span_t *dispatch = gets_span(SPAN_DISPATCH, 200);
    assert_memory_equal(dispatch->id, other.span, sizeof other.span);
    assert_memory_not_equal(one.span, other.span, sizeof one.span);
    assert_int_equal(broker.span_count, 0);
}

static void one_that_dies_with_its_worker_ends_there(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    trace_place_t place;
    (void)state;

    client_says(client, "echo", "a");
    takes_at(worker, &place);
    dies(worker);
    gets_span(SPAN_QUEUE, 200);
    gets_span(SPAN_DISPATCH, SPAN_LOST);
    assert_int_equal(broker.span_count, 0);
}

static void one_that_no_worker_came_for_has_but_a_queue(void **state)
{
    node_t *worker = a_worker("w", "echo", 1);
    (void)state;

    broker.traceparent = NULL;
    client_says(client, "echo", "first");
    takes_message(worker, "first");
    broker.traceparent = SAMPLED;
    client_says_within(client, "echo", "second", 1000);
    time_passes(2000);
    const span_t *queue = gets_span(SPAN_QUEUE, 503);
    assert_in_range(queue->end_us - queue->start_us, 1000000, 1100000);
    assert_int_equal(broker.span_count, 0);
    gets_reply(gateway, gateway->last_id, 504);
}

static void one_for_no_route_has_no_spans(void **state)
{
    (void)state;

    gets_reply(gateway, client_says(client, "nowhere", "a"), 403);
    assert_int_equal(broker.span_count, 0);
}

static void a_reply_that_is_late_ends_its_dispatch(void **state)
{
    node_t *worker = a_worker("w", "echo", 8);
    trace_place_t place;
    (void)state;

    client_says_within(client, "echo", "a", 1000);
    uint64_t id = takes_at(worker, &place);
    time_passes(2000);
    gets_span(SPAN_QUEUE, 200);
    assert_int_equal(broker.span_count, 0);
    answers(worker, id, 200, "late");
    const span_t *dispatch = gets_span(SPAN_DISPATCH, 200);
    assert_int_equal(dispatch->end_us - dispatch->start_us, 2000000);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, broker_tear_down)
    const struct CMUnitTest tests[] = {
        T(a_sampled_request_has_a_queue_and_a_dispatch),
        T(its_worker_has_the_dispatch_as_its_parent),
        T(what_waits_does_so_in_its_queue),
        T(one_that_is_not_sampled_goes_on_as_it_came),
        T(what_is_no_traceparent_is_none),
        T(each_worker_that_had_it_is_a_dispatch_of_its_own),
        T(one_that_dies_with_its_worker_ends_there),
        T(one_that_no_worker_came_for_has_but_a_queue),
        T(one_for_no_route_has_no_spans),
        T(a_reply_that_is_late_ends_its_dispatch),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
