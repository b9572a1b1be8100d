/* SPDX-License-Identifier: MIT
 *
 * Spans as a receiver of OTLP reads them.
 */
#include "trace/otlp.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>

static const otlp_source_t source = {"hoist-broker", "b\"1", "boot"};

static span_t a_span(span_kind_t kind)
{
    span_t span = {.kind = (uint8_t)kind,
                   .event = EVENT_MESSAGE,
                   .trace = {0xab, [TRACE_ID_BYTES - 1] = 0x01},
                   .id = {0x0c},
                   .start_us = 5,
                   .end_us = 7,
                   .number = UINT64_MAX,
                   .status = 200};

    memcpy(span.conn, "AAAABBBBCCCCDDDD", CONN_ID_TEXT);
    span_set_route(&span, wire_bytes("echo"));
    return span;
}

/* The one resourceSpans of a request with these spans. */
static json_t *encode(const span_t *spans, size_t count)
{
    buf_t out;

    buf_init(&out, 65536);
    assert_int_equal(otlp_put(&out, &source, spans, count, 1000000), 0);
    json_t *request = json_loadb((const char *)out.data, out.len,
                                 JSON_REJECT_DUPLICATES, NULL);
    buf_fini(&out);
    json_t *all = json_object_get(request, "resourceSpans");
    assert_int_equal(json_array_size(all), 1);
    json_t *one = json_incref(json_array_get(all, 0));
    json_decref(request);
    return one;
}

static json_t *spans_of(json_t *resource)
{
    json_t *scopes = json_object_get(resource, "scopeSpans");

    assert_int_equal(json_array_size(scopes), 1);
    return json_object_get(json_array_get(scopes, 0), "spans");
}

static const char *attribute(json_t *owner, const char *key)
{
    json_t *one;
    size_t i;

    json_array_foreach(json_object_get(owner, "attributes"), i, one)
    {
        if (strcmp(json_string_value(json_object_get(one, "key")), key) == 0) {
            json_t *value = json_object_get(one, "value");
            const char *text =
                json_string_value(json_object_get(value, "stringValue"));
            return text != NULL
                       ? text
                       : json_string_value(json_object_get(value, "intValue"));
        }
    }
    return NULL;
}

static void assert_text(const json_t *object, const char *key, const char *text)
{
    const char *value = json_string_value(json_object_get(object, key));

    assert_non_null(value);
    assert_string_equal(value, text);
}

static void a_span_says_where_when_and_how(void **state)
{
    span_t span = a_span(SPAN_EVENT);
    json_t *resource = encode(&span, 1);
    json_t *told = json_array_get(spans_of(resource), 0);
    (void)state;

    assert_text(told, "traceId", "ab000000000000000000000000000001");
    assert_text(told, "spanId", "0c00000000000000");
    assert_null(json_object_get(told, "parentSpanId"));
    assert_text(told, "name", "hoist message");
    assert_int_equal(json_integer_value(json_object_get(told, "kind")), 2);
    assert_text(told, "startTimeUnixNano", "1000005000");
    assert_text(told, "endTimeUnixNano", "1000007000");
    assert_string_equal(attribute(told, "hoist.route"), "echo");
    assert_string_equal(attribute(told, "hoist.connection"),
                        "AAAABBBBCCCCDDDD");
    assert_string_equal(attribute(told, "hoist.request"),
                        "18446744073709551615");
    assert_string_equal(attribute(told, "hoist.status"), "200");
    assert_null(attribute(told, "hoist.attempt"));
    assert_int_equal(json_object_size(json_object_get(told, "status")), 0);
    json_decref(resource);
}

static void its_source_is_the_resource(void **state)
{
    span_t span = a_span(SPAN_EVENT);
    json_t *resource = encode(&span, 1);
    json_t *who = json_object_get(resource, "resource");
    (void)state;

    assert_string_equal(attribute(who, "service.name"), "hoist-broker");
    assert_string_equal(attribute(who, "service.instance.id"), "boot");
    assert_string_equal(attribute(who, "hoist.name"), "b\"1");
    json_decref(resource);
}

static void a_broker_has_two_kinds_below_the_gateways(void **state)
{
    span_t spans[] = {a_span(SPAN_QUEUE), a_span(SPAN_DISPATCH)};
    (void)state;

    spans[0].parent[0] = spans[1].parent[0] = 0xee;
    spans[1].attempt = 2;
    json_t *resource = encode(spans, 2);
    json_t *queue = json_array_get(spans_of(resource), 0);
    json_t *dispatch = json_array_get(spans_of(resource), 1);
    assert_text(queue, "parentSpanId", "ee00000000000000");
    assert_text(queue, "name", "hoist queue");
    assert_int_equal(json_integer_value(json_object_get(queue, "kind")), 1);
    assert_text(dispatch, "name", "hoist dispatch");
    assert_int_equal(json_integer_value(json_object_get(dispatch, "kind")), 3);
    assert_string_equal(attribute(dispatch, "hoist.attempt"), "2");
    json_decref(resource);
}

static void errors_of_ours_and_of_workers_are_errors(void **state)
{
    static const uint16_t statuses[] = {200, 404, 500, SPAN_LOST};
    span_t spans[4];
    (void)state;

    for (size_t i = 0; i < 4; i++) {
        spans[i] = a_span(SPAN_DISPATCH);
        spans[i].status = statuses[i];
    }
    json_t *resource = encode(spans, 4);
    for (size_t i = 0; i < 4; i++) {
        json_t *span = json_array_get(spans_of(resource), i);
        json_t *status = json_object_get(span, "status");
        assert_int_equal(json_integer_value(json_object_get(status, "code")),
                         i < 2 ? 0 : 2);
    }
    json_t *lost = json_array_get(spans_of(resource), 3);
    assert_null(attribute(lost, "hoist.status"));
    json_decref(resource);
}

static void any_route_is_a_text(void **state)
{
    span_t span = a_span(SPAN_EVENT);
    char key[200];
    (void)state;

    span_set_route(&span, wire_bytes("\xff\"\n"));
    json_t *resource = encode(&span, 1);
    assert_string_equal(
        attribute(json_array_get(spans_of(resource), 0), "hoist.route"),
        "\xef\xbf\xbd\"\n");
    json_decref(resource);
    memset(key, 'k', sizeof key);
    span_set_route(&span, (wire_bytes_t){(const uint8_t *)key, sizeof key});
    assert_int_equal(span.route_len, SPAN_ROUTE_MAX);
}

static void without_room_nothing_is_put(void **state)
{
    span_t span = a_span(SPAN_EVENT);
    buf_t out;
    (void)state;

    buf_init(&out, 100);
    assert_int_equal(otlp_put(&out, &source, &span, 1, 0), -ENOBUFS);
    assert_int_equal(out.len, 0);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_says_where_when_and_how),
        cmocka_unit_test(its_source_is_the_resource),
        cmocka_unit_test(a_broker_has_two_kinds_below_the_gateways),
        cmocka_unit_test(errors_of_ours_and_of_workers_are_errors),
        cmocka_unit_test(any_route_is_a_text),
        cmocka_unit_test(without_room_nothing_is_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
