/* SPDX-License-Identifier: MIT
 *
 * Ids are hexadecimal, 64-bit integers are texts, enumerations are numbers: the
 * JSON of protobuf as OTLP has it.
 */
#include "trace/otlp.h"

#include "proto/json_out.h"

#include <inttypes.h>
#include <stdio.h>

/* SpanKind and StatusCode of OTLP. */
enum { KIND_INTERNAL = 1, KIND_SERVER = 2, KIND_CLIENT = 3 };
enum { STATUS_ERROR = 2 };

static const char *name_of(const span_t *span)
{
    static const char *const events[] = {
        [EVENT_CONNECT] = "hoist connect",
        [EVENT_MESSAGE] = "hoist message",
        [EVENT_DISCONNECT] = "hoist disconnect",
        [EVENT_PRESENCE] = "hoist presence",
    };

    return span->kind == SPAN_QUEUE      ? "hoist queue"
           : span->kind == SPAN_DISPATCH ? "hoist dispatch"
                                         : events[span->event];
}

static uint64_t kind_of(const span_t *span)
{
    return span->kind == SPAN_QUEUE      ? KIND_INTERNAL
           : span->kind == SPAN_DISPATCH ? KIND_CLIENT
                                         : KIND_SERVER;
}

static void put_id(json_out_t *out, const char *key, const uint8_t *id,
                   size_t len)
{
    char text[2 * TRACE_ID_BYTES];

    traceparent_put_hex(text, id, len);
    json_put_field(out, key, (wire_bytes_t){(const uint8_t *)text, 2 * len});
}

/* A 64-bit integer, as a text. */
static void put_long(json_out_t *out, const char *key, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, value);
    json_put_field(out, key, wire_bytes(text));
}

static void open_attribute(json_out_t *out, const char *key)
{
    json_put_open(out, '{');
    json_put_field(out, "key", wire_bytes(key));
    json_put_key(out, "value");
    json_put_open(out, '{');
}

static void close_attribute(json_out_t *out)
{
    json_put_close(out, '}');
    json_put_close(out, '}');
}

static void put_text(json_out_t *out, const char *key, wire_bytes_t text)
{
    open_attribute(out, key);
    json_put_field(out, "stringValue", text);
    close_attribute(out);
}

static void put_number(json_out_t *out, const char *key, uint64_t value)
{
    open_attribute(out, key);
    put_long(out, "intValue", value);
    close_attribute(out);
}

static void put_attributes(json_out_t *out, const span_t *span)
{
    json_put_key(out, "attributes");
    json_put_open(out, '[');
    put_text(out, "hoist.route", (wire_bytes_t){span->route, span->route_len});
    put_text(out, "hoist.connection",
             (wire_bytes_t){(const uint8_t *)span->conn, CONN_ID_TEXT});
    put_number(out, "hoist.request", span->number);
    if (span->status != SPAN_LOST) {
        put_number(out, "hoist.status", span->status);
    }
    if (span->attempt > 0) {
        put_number(out, "hoist.attempt", span->attempt);
    }
    json_put_close(out, ']');
}

static void put_status(json_out_t *out, const span_t *span)
{
    json_put_key(out, "status");
    json_put_open(out, '{');
    if (span_has_failed(span)) {
        json_put_field_uint(out, "code", STATUS_ERROR);
    }
    if (span->status == SPAN_LOST) {
        json_put_field(out, "message", wire_bytes("worker lost"));
    }
    json_put_close(out, '}');
}

static bool has_parent(const span_t *span)
{
    static const uint8_t none[SPAN_ID_BYTES];

    return memcmp(span->parent, none, sizeof none) != 0;
}

static void put_span(json_out_t *out, const span_t *span, int64_t wall_us)
{
    json_put_open(out, '{');
    put_id(out, "traceId", span->trace, TRACE_ID_BYTES);
    put_id(out, "spanId", span->id, SPAN_ID_BYTES);
    if (has_parent(span)) {
        put_id(out, "parentSpanId", span->parent, SPAN_ID_BYTES);
    }
    json_put_field(out, "name", wire_bytes(name_of(span)));
    json_put_field_uint(out, "kind", kind_of(span));
    put_long(out, "startTimeUnixNano",
             (uint64_t)(span->start_us + wall_us) * 1000);
    put_long(out, "endTimeUnixNano", (uint64_t)(span->end_us + wall_us) * 1000);
    put_attributes(out, span);
    put_status(out, span);
    json_put_close(out, '}');
}

static void put_resource(json_out_t *out, const otlp_source_t *source)
{
    json_put_key(out, "resource");
    json_put_open(out, '{');
    json_put_key(out, "attributes");
    json_put_open(out, '[');
    put_text(out, "service.name", wire_bytes(source->service));
    put_text(out, "service.version", wire_bytes(HOIST_VERSION));
    put_text(out, "service.instance.id", wire_bytes(source->instance));
    if (source->name[0] != '\0') {
        put_text(out, "hoist.name", wire_bytes(source->name));
    }
    json_put_close(out, ']');
    json_put_close(out, '}');
}

static void put_scope(json_out_t *out, const span_t *spans, size_t count,
                      int64_t wall_us)
{
    json_put_key(out, "scopeSpans");
    json_put_open(out, '[');
    json_put_open(out, '{');
    json_put_key(out, "scope");
    json_put_open(out, '{');
    json_put_field(out, "name", wire_bytes("hoist"));
    json_put_close(out, '}');
    json_put_key(out, "spans");
    json_put_open(out, '[');
    for (size_t i = 0; i < count; i++) {
        put_span(out, &spans[i], wall_us);
    }
    json_put_close(out, ']');
    json_put_close(out, '}');
    json_put_close(out, ']');
}

int otlp_put(buf_t *out, const otlp_source_t *source, const span_t *spans,
             size_t count, int64_t wall_us)
{
    size_t start = out->len;
    json_out_t json = json_out(out);

    json_put_open(&json, '{');
    json_put_key(&json, "resourceSpans");
    json_put_open(&json, '[');
    json_put_open(&json, '{');
    put_resource(&json, source);
    put_scope(&json, spans, count, wall_us);
    json_put_close(&json, '}');
    json_put_close(&json, ']');
    json_put_close(&json, '}');
    if (json.rc < 0) {
        out->len = start;
    }
    return json.rc;
}
