/* SPDX-License-Identifier: MIT
 *
 * Which events a gateway samples, where in a trace they are, and how long they
 * took.
 */
#include "gateway/trips.h"
#include "tests/unit/hub_fixture.h"

#define TRACE       "0af7651916cd43dd8448eb211c80319c"
#define CLIENT      "b7ad6b7169203331"
#define SAMPLED     "00-" TRACE "-" CLIENT "-01"
#define UNSAMPLED   "00-" TRACE "-" CLIENT "-00"
#define JOINING(at) "GET / HTTP/1.1\r\n" HOST HANDSHAKE at "\r\n"
#define HEADER(at)  "TraceParent: " at "\r\n"

static void samples(double share, bool trusts)
{
    gateway.options.trace_sample = share;
    gateway.options.trace_trust = trusts;
    gateway.records_spans = true;
    gateway_restarts();
}

/* Let in with these headers; its CONNECT's span, if any, is forgotten. */
static client_t *a_client_with(const char *head)
{
    client_t *client = a_newcomer(head);

    answers(gets_connect(), 200, NULL);
    hears_head(client);
    gateway.span_count = 0;
    return client;
}

/* The next message to the broker is a MESSAGE; 0 with its place, or -EINVAL. */
static int gets_place(uint64_t *id, trace_place_t *place)
{
    message_request_t request = gets_request(EVENT_MESSAGE);

    *id = request.id;
    return traceparent_parse(request.traceparent, place);
}

static void without_a_share_nobody_is_sampled(void **state)
{
    (void)state;
    samples(0, false);
    client_t *client = a_client();
    client_says(client, "x");
    message_request_t request = gets_request(EVENT_MESSAGE);
    assert_int_equal(request.traceparent.len, 0);
    answers(request.id, 200, NULL);
    assert_int_equal(gateway.span_count, 0);
    assert_int_equal(gateway.hub->stats.spans, 0);
}

static void a_sampled_message_has_a_span_to_its_outcome(void **state)
{
    trace_place_t place;
    uint64_t id;
    (void)state;

    samples(1, false);
    client_t *client = a_client_with(UPGRADE);
    client_says(client, "{\"action\":\"echo\"}");
    assert_int_equal(gets_place(&id, &place), 0);
    assert_true(place.is_sampled);
    time_passes(100);
    assert_int_equal(gateway.span_count, 0);
    answers(id, 404, "no");
    assert_int_equal(gateway.span_count, 1);
    const span_t *span = &gateway.spans[0];
    assert_memory_equal(span->trace, place.trace, sizeof place.trace);
    assert_memory_equal(span->id, place.span, sizeof place.span);
    assert_int_equal(span->parent[0] | span->parent[7], 0);
    assert_int_equal(span->kind, SPAN_EVENT);
    assert_int_equal(span->event, EVENT_MESSAGE);
    assert_int_equal(span->status, 404);
    assert_int_equal(span->number, id);
    assert_in_range(span->end_us - span->start_us, 100000, 200000);
    assert_memory_equal(span->conn, client->id, CONN_ID_TEXT);
    assert_memory_equal(span->route, "echo", span->route_len);
    assert_int_equal(gateway.hub->stats.spans, 2); /* with the CONNECT's */
}

static void each_event_of_one_that_is_in_no_trace_begins_one(void **state)
{
    trace_place_t one, other;
    uint64_t id;
    (void)state;

    samples(1, false);
    client_t *client = a_client_with(UPGRADE);
    client_says(client, "1");
    client_says(client, "2");
    assert_int_equal(gets_place(&id, &one), 0);
    assert_int_equal(gets_place(&id, &other), 0);
    assert_memory_not_equal(one.trace, other.trace, sizeof one.trace);
}

static void the_handshakes_place_is_the_parent_of_all_events(void **state)
{
    trace_place_t client_place, place;
    uint64_t id;
    (void)state;

    assert_int_equal(traceparent_parse(wire_bytes(SAMPLED), &client_place), 0);
    samples(1, false);
    client_t *client = a_newcomer(JOINING(HEADER(SAMPLED)));
    answers(gets_connect(), 200, NULL);
    hears_head(client);
    client_says(client, "x");
    assert_int_equal(gets_place(&id, &place), 0);
    answers(id, 200, NULL);
    client_closes(client, 1000, "");
    answers(gets_disconnect(client, 1000, ""), 200, NULL);
    assert_int_equal(gateway.span_count, 3);
    for (size_t i = 0; i < 3; i++) {
        const span_t *span = &gateway.spans[i];
        assert_int_equal(span->event, EVENT_CONNECT + i);
        assert_memory_equal(span->trace, client_place.trace,
                            sizeof span->trace);
        assert_memory_equal(span->parent, client_place.span,
                            sizeof span->parent);
    }
}

static void a_client_cannot_have_itself_sampled(void **state)
{
    uint64_t id;
    trace_place_t place;
    (void)state;

    samples(0, false);
    client_t *client = a_client_with(JOINING(HEADER(SAMPLED)));
    client_says(client, "x");
    message_request_t request = gets_request(EVENT_MESSAGE);
    assert_int_equal(request.traceparent.len, strlen(UNSAMPLED));
    assert_memory_equal(request.traceparent.data, UNSAMPLED, strlen(UNSAMPLED));
    answers(request.id, 200, NULL);
    assert_int_equal(gateway.span_count, 0);
    samples(1, false);
    client = a_client_with(JOINING(HEADER(UNSAMPLED)));
    client_says(client, "x"); /* nor keep itself from it */
    assert_int_equal(gets_place(&id, &place), 0);
    assert_true(place.is_sampled);
}

static void but_where_clients_are_trusted(void **state)
{
    uint64_t id;
    trace_place_t place;
    (void)state;

    samples(0, true);
    client_t *client = a_client_with(JOINING(HEADER(SAMPLED)));
    client_says(client, "x");
    assert_int_equal(gets_place(&id, &place), 0);
    answers(id, 200, NULL);
    assert_int_equal(gateway.span_count, 1);
    samples(1, true);
    client = a_client_with(JOINING(HEADER(UNSAMPLED)));
    client_says(client, "x");
    assert_int_equal(gets_place(&id, &place), 0);
    assert_false(place.is_sampled);
    answers(id, 200, NULL);
    assert_int_equal(gateway.span_count, 0);
}

static void without_a_receiver_a_trusted_flag_goes_on_to_workers(void **state)
{
    (void)state;
    gateway.options.trace_trust = true;
    gateway_restarts();
    client_t *client = a_client_with(JOINING(HEADER(SAMPLED)));
    client_says(client, "x");
    message_request_t request = gets_request(EVENT_MESSAGE);
    assert_memory_equal(request.traceparent.data, SAMPLED, strlen(SAMPLED));
}

static void what_is_no_traceparent_is_none(void **state)
{
    static const char *const heads[] = {
        JOINING(HEADER("00-" TRACE "-0000000000000000-01")),
        JOINING(HEADER("")),
        JOINING(HEADER(SAMPLED) HEADER(SAMPLED)),
    };
    (void)state;

    samples(0, false);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        client_t *client = a_client_with(heads[i]);
        client_says(client, "x");
        assert_int_equal(gets_request(EVENT_MESSAGE).traceparent.len, 0);
    }
}

static void about_the_share_is_sampled(void **state)
{
    uint64_t sampled = 0;
    (void)state;

    samples(0.25, false);
    client_t *client = a_client_with(UPGRADE);
    uint64_t before = gateway.hub->stats.spans;
    for (int i = 0; i < 2000; i++) {
        client_says(client, "x");
        message_request_t request = gets_request(EVENT_MESSAGE);
        sampled += request.traceparent.len > 0;
        answers(request.id, 200, NULL);
        gateway.span_count = 0;
    }
    assert_in_range(sampled, 400, 600); /* 500, give or take five deviations */
    assert_int_equal(gateway.hub->stats.spans - before, sampled);
}

static void what_is_lost_with_its_broker_has_a_span_all_the_same(void **state)
{
    uint64_t id;
    trace_place_t place;
    (void)state;

    samples(1, false);
    client_t *client = a_client_with(UPGRADE);
    client_says(client, "x");
    assert_int_equal(gets_place(&id, &place), 0);
    broker_says_bare(KIND_BYE);
    assert_int_equal(gateway.span_count, 1);
    assert_int_equal(gateway.spans[0].status, 500);
    hears_error(client, "Internal server error", id);
}

/* It is freed with the link: the leak would be seen. */
static void what_is_under_way_at_the_end_has_none(void **state)
{
    (void)state;
    samples(1, false);
    client_says(a_client_with(UPGRADE), "x");
    gets_request(EVENT_MESSAGE);
    assert_int_equal(gateway.span_count, 0);
}

static void every_request_is_timed_by_its_event(void **state)
{
    (void)state;
    gateway_restarts();
    client_t *client = a_newcomer(UPGRADE);
    uint64_t id = gets_connect();
    time_passes(100);
    answers(id, 200, NULL);
    hears_head(client);
    client_says(client, "x");
    id = gets_message("x");
    time_passes(250);
    answers(id, 200, NULL);
    const histogram_t *took = gateway.hub->trips.request;
    assert_int_equal(took[EVENT_CONNECT].count, 1);
    assert_in_range(took[EVENT_CONNECT].sum, 100000, 150000);
    assert_int_equal(took[EVENT_MESSAGE].count, 1);
    assert_in_range(took[EVENT_MESSAGE].sum, 250000, 300000);
    assert_int_equal(took[EVENT_DISCONNECT].count, 0);
}

int main(void)
{
#define T(name)                                                                \
    cmocka_unit_test_setup_teardown(name, gateway_set_up, gateway_tear_down)
    const struct CMUnitTest tests[] = {
        T(without_a_share_nobody_is_sampled),
        T(a_sampled_message_has_a_span_to_its_outcome),
        T(each_event_of_one_that_is_in_no_trace_begins_one),
        T(the_handshakes_place_is_the_parent_of_all_events),
        T(a_client_cannot_have_itself_sampled),
        T(but_where_clients_are_trusted),
        T(without_a_receiver_a_trusted_flag_goes_on_to_workers),
        T(what_is_no_traceparent_is_none),
        T(about_the_share_is_sampled),
        T(what_is_lost_with_its_broker_has_a_span_all_the_same),
        T(what_is_under_way_at_the_end_has_none),
        T(every_request_is_timed_by_its_event),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
