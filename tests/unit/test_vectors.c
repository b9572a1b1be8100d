/* SPDX-License-Identifier: MIT
 *
 * proto/vectors/messages.json against our decoder: each frame is decoded, what
 * came out is written as JSON the way proto/vectors/make.py describes, and
 * compared as text with what the file says, white space aside.  routes.json and
 * ids.json, beside it, against what else the protocol has texts for.
 */
#include "base/xalloc.h"
#include "proto/json.h"
#include "proto/message.h"
#include "proto/route_expr.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FILE_MAX ((size_t)1 << 20)
#define TEXT_MAX 512
/* above it a number is written as text */
#define EXACT_MAX (UINT64_C(1) << 53)

/* --- reading the file ---------------------------------------------------- */

static void take_char(wire_cursor_t *in, uint8_t c)
{
    json_skip_space(in);
    assert_false(wire_at_end(in));
    assert_int_equal(*in->at, c);
    in->at++;
}

static bool is_next(wire_cursor_t *in, uint8_t c)
{
    json_skip_space(in);
    return !wire_at_end(in) && *in->at == c;
}

/* The bytes of the value under the cursor; moves behind it. */
static wire_bytes_t take_value(wire_cursor_t *in)
{
    wire_bytes_t inside;
    int depth = 0;

    json_skip_space(in);
    const uint8_t *start = in->at;
    do {
        assert_false(wire_at_end(in));
        if (*in->at == '"') {
            assert_int_equal(json_skip_string(in, &inside), 0);
        } else if (strchr("{}[],: \n", *in->at) != NULL) {
            depth += *in->at == '{' || *in->at == '[';
            depth -= *in->at == '}' || *in->at == ']';
            in->at++;
        } else {
            assert_int_equal(json_skip_scalar(in), 0);
        }
    } while (depth > 0);
    return (wire_bytes_t){start, (size_t)(in->at - start)};
}

/* The value of a member of an object, or no bytes. */
static wire_bytes_t member(wire_bytes_t object, const char *name)
{
    wire_cursor_t in = wire_cursor(object);
    wire_bytes_t key, found = {NULL, 0};

    take_char(&in, '{');
    while (!is_next(&in, '}')) {
        assert_int_equal(json_skip_string(&in, &key), 0);
        take_char(&in, ':');
        wire_bytes_t value = take_value(&in);
        if (wire_is(key, name)) {
            found = value;
        }
        if (is_next(&in, ',')) {
            take_char(&in, ',');
            json_skip_space(&in);
        }
    }
    return found;
}

static void put(buf_t *out, const void *bytes, size_t len)
{
    assert_int_equal(buf_put(out, bytes, len), 0);
}

static void put_text(buf_t *out, const char *text)
{
    put(out, text, strlen(text));
}

/* A value without the space between its tokens. */
static void put_compact(buf_t *out, wire_bytes_t value)
{
    wire_cursor_t in = wire_cursor(value);
    wire_bytes_t inside;

    for (json_skip_space(&in); !wire_at_end(&in); json_skip_space(&in)) {
        const uint8_t *start = in.at;
        if (*start == '"') {
            assert_int_equal(json_skip_string(&in, &inside), 0);
        } else {
            in.at++;
        }
        put(out, start, (size_t)(in.at - start));
    }
}

static unsigned digit(uint8_t c)
{
    return c <= '9' ? c - (unsigned)'0' : c - (unsigned)'a' + 10;
}

static void put_unhexed(buf_t *out, wire_bytes_t quoted)
{
    for (size_t i = 1; i + 2 < quoted.len; i += 2) {
        uint8_t byte =
            (uint8_t)(digit(quoted.data[i]) << 4 | digit(quoted.data[i + 1]));
        put(out, &byte, 1);
    }
}

/* --- writing what was decoded -------------------------------------------- */

static void put_number(buf_t *out, uint64_t value)
{
    char text[32];

    snprintf(text, sizeof text,
             value > EXACT_MAX ? "\"%" PRIu64 "\"" : "%" PRIu64, value);
    put_text(out, text);
}

static void put_string(buf_t *out, wire_bytes_t text)
{
    put_text(out, "\"");
    put(out, text.data, text.len);
    put_text(out, "\"");
}

static void put_binary(buf_t *out, wire_bytes_t bytes)
{
    char hex[3];

    put_text(out, "{\"bin\":\"");
    for (size_t i = 0; i < bytes.len; i++) {
        snprintf(hex, sizeof hex, "%02x", bytes.data[i]);
        put_text(out, hex);
    }
    put_text(out, "\"}");
}

static void put_element(buf_t *out, wire_cursor_t *in);

static void put_elements(buf_t *out, wire_cursor_t *in, uint32_t count,
                         bool is_map)
{
    put_text(out, is_map ? "{" : "[");
    for (uint32_t i = 0; i < count; i++) {
        put_text(out, i > 0 ? "," : "");
        put_element(out, in);
        if (is_map) {
            put_text(out, ":");
            put_element(out, in);
        }
    }
    put_text(out, is_map ? "}" : "]");
}

static void put_body(buf_t *out, const body_t *body)
{
    if (body->type == BODY_NONE) {
        put_text(out, "null");
    } else if (body->type == BODY_TEXT) {
        put_string(out, body->bytes);
    } else {
        put_binary(out, body->bytes);
    }
}

static void put_element(buf_t *out, wire_cursor_t *in)
{
    uint32_t count;
    uint64_t value;
    body_t body;
    bool flag;

    if (wire_get_uint(in, &value) == 0) {
        put_number(out, value);
    } else if (wire_get_body(in, &body) == 0) {
        put_body(out, &body);
    } else if (wire_get_bool(in, &flag) == 0) {
        put_text(out, flag ? "true" : "false");
    } else if (wire_get_array(in, &count) == 0) {
        put_elements(out, in, count, false);
    } else {
        assert_int_equal(wire_get_map(in, &count), 0);
        put_elements(out, in, count, true);
    }
}

/* --- fields, each with its name in front --------------------------------- */

static void name_field(buf_t *out, const char *name)
{
    put_text(out, ",\"");
    put_text(out, name);
    put_text(out, "\":");
}

static void number_field(buf_t *out, const char *name, uint64_t value)
{
    name_field(out, name);
    put_number(out, value);
}

static void string_field(buf_t *out, const char *name, wire_bytes_t text)
{
    name_field(out, name);
    put_string(out, text);
}

static void body_field(buf_t *out, const body_t *body)
{
    name_field(out, "body");
    put_body(out, body);
}

static void raw_field(buf_t *out, const char *name, wire_bytes_t raw,
                      const char *none)
{
    wire_cursor_t in = wire_cursor(raw);

    name_field(out, name);
    if (raw.len == 0) {
        put_text(out, none);
    } else {
        put_element(out, &in);
    }
}

static void put_greeting(buf_t *out, const message_t *message)
{
    const message_hello_t *hello = &message->hello;
    const message_welcome_t *welcome = &message->welcome;

    if (message->kind == KIND_HELLO) {
        number_field(out, "version", hello->version);
        string_field(out, "role", hello->role);
        string_field(out, "boot", hello->boot);
        string_field(out, "name", hello->name);
        raw_field(out, "options", hello->options, "{}");
        return;
    }
    number_field(out, "version", welcome->version);
    string_field(out, "boot", welcome->boot);
    string_field(out, "name", welcome->name);
    number_field(out, "heartbeat_ms", welcome->heartbeat_ms);
    number_field(out, "liveness_ms", welcome->liveness_ms);
    raw_field(out, "options", welcome->options, "{}");
}

static void put_request(buf_t *out, const message_request_t *request)
{
    number_field(out, "id", request->id);
    number_field(out, "event", request->event);
    string_field(out, "connection", request->conn);
    string_field(out, "route", request->route);
    body_field(out, &request->body);
    number_field(out, "deadline_ms", request->deadline_ms);
    raw_field(out, "context", request->context, "null");
    raw_field(out, "details", request->details, "null");
    number_field(out, "number", request->number);
    number_field(out, "attempt", request->attempt);
    string_field(out, "traceparent", request->traceparent);
}

static void put_payload(buf_t *out, const message_t *message)
{
    if (message->kind == KIND_REPLY) {
        number_field(out, "id", message->reply.id);
        number_field(out, "status", message->reply.status);
        body_field(out, &message->reply.body);
        raw_field(out, "options", message->reply.options, "{}");
        return;
    }
    raw_field(out, "target", message->push.target, "");
    body_field(out, &message->push.body);
    raw_field(out, "options", message->push.options, "{}");
}

static void put_groups(buf_t *out, const message_t *message)
{
    if (message->kind == KIND_PUSHED) {
        number_field(out, "id", message->pushed.id);
        number_field(out, "delivered", message->pushed.delivered);
        number_field(out, "gone", message->pushed.gone);
        number_field(out, "refused", message->pushed.refused);
    } else if (message->kind == KIND_INTEREST) {
        number_field(out, "change", message->interest.change);
        raw_field(out, "names", message->interest.names, "");
        name_field(out, "more");
        put_text(out, message->interest.more ? "true" : "false");
        number_field(out, "session", message->interest.session);
    } else {
        string_field(out, "group", message->join.group);
        string_field(out, "connection", message->join.conn);
        number_field(out, "from", message->join.from);
    }
}

static void put_fields(buf_t *out, const message_t *message)
{
    switch (message->kind) {
    case KIND_HELLO:
    case KIND_WELCOME:
        put_greeting(out, message);
        return;
    case KIND_READY:
        raw_field(out, "routes", message->ready.routes, "");
        number_field(out, "window", message->ready.window);
        number_field(out, "window_bytes", message->ready.window_bytes);
        return;
    case KIND_REQUEST:
        put_request(out, &message->request);
        return;
    case KIND_REPLY:
    case KIND_PUSH:
        put_payload(out, message);
        return;
    case KIND_CLOSE:
        string_field(out, "connection", message->close.conn);
        number_field(out, "code", message->close.code);
        string_field(out, "reason", message->close.reason);
        number_field(out, "from", message->close.from);
        return;
    case KIND_GONE:
        string_field(out, "connection", message->gone.conn);
        number_field(out, "from", message->gone.from);
        return;
    case KIND_QUERY:
        number_field(out, "id", message->query.id);
        raw_field(out, "what", message->query.what, "");
        raw_field(out, "options", message->query.options, "{}");
        return;
    case KIND_RESULT:
        number_field(out, "id", message->result.id);
        number_field(out, "status", message->result.status);
        raw_field(out, "rows", message->result.rows, "");
        raw_field(out, "options", message->result.options, "{}");
        return;
    case KIND_CREDIT:
        number_field(out, "messages", message->credit.messages);
        number_field(out, "bytes", message->credit.bytes);
        return;
    case KIND_PING:
        number_field(out, "in_flight", message->ping.in_flight);
        number_field(out, "oldest_ms", message->ping.oldest_ms);
        number_field(out, "number", message->ping.number);
        return;
    case KIND_PONG:
        number_field(out, "number", message->pong.number);
        return;
    case KIND_SYNC:
        raw_field(out, "connections", message->sync.connections, "");
        name_field(out, "more");
        put_text(out, message->sync.more ? "true" : "false");
        number_field(out, "session", message->sync.session);
        number_field(out, "change", message->sync.change);
        return;
    case KIND_ERROR:
        string_field(out, "code", message->error.code);
        string_field(out, "text", message->error.text);
        number_field(out, "from", message->error.from);
        return;
    case KIND_PUSHED:
    case KIND_JOIN:
    case KIND_LEAVE:
    case KIND_INTEREST:
        put_groups(out, message);
        return;
    case KIND_WATCH:
        name_field(out, "presence");
        put_text(out, message->watch.presence ? "true" : "false");
        return;
    default:
        return;
    }
}

/* All messages of a frame as a JSON array; the last result of the decoder. */
static int put_messages(buf_t *out, wire_bytes_t frame)
{
    wire_cursor_t in = wire_cursor(frame);
    message_t message;
    int rc;

    put_text(out, "[");
    while ((rc = message_decode(&in, &message)) == 1 || rc == -ENOTSUP) {
        put_text(out, out->len > 1 ? "," : "");
        if (rc == -ENOTSUP) {
            put_text(out, "{\"unknown\":");
            put_number(out, (uint64_t)message.kind);
        } else {
            put_text(out, "{\"kind\":");
            put_string(out, wire_bytes(message_kind_name(message.kind)));
            put_fields(out, &message);
        }
        put_text(out, "}");
    }
    put_text(out, "]");
    return rc;
}

/* --- the test ------------------------------------------------------------ */

static void check_vector(wire_bytes_t vector)
{
    wire_bytes_t name = member(vector, "name");
    buf_t frame, expected, got;

    buf_init(&frame, FILE_MAX);
    buf_init(&expected, FILE_MAX);
    buf_init(&got, FILE_MAX);
    put_unhexed(&frame, member(vector, "frame"));
    put_compact(&expected, member(vector, "messages"));
    int rc = put_messages(&got, (wire_bytes_t){frame.data, frame.len});
    bool is_rejected = member(vector, "reject").len > 0;
    bool was_rejected = rc == -EPROTO || rc == -EBADMSG;
    if (was_rejected != is_rejected || (!is_rejected && rc != 0) ||
        got.len != expected.len ||
        memcmp(got.data, expected.data, got.len) != 0) {
        fail_msg("%.*s: result %d\n got      %.*s\n expected %.*s",
                 (int)name.len, (const char *)name.data, rc, (int)got.len,
                 (char *)got.data, (int)expected.len, (char *)expected.data);
    }
    buf_fini(&frame);
    buf_fini(&expected);
    buf_fini(&got);
}

/* Call check for each object of a file's array; at least `least` of them. */
static void check_file(const char *path, void (*check)(wire_bytes_t vector),
                       int least)
{
    FILE *file = fopen(path, "rb");
    uint8_t *text = malloc(FILE_MAX);
    int checked = 0;

    must(file != NULL && text != NULL);
    size_t len = fread(text, 1, FILE_MAX, file);
    assert_true(len < FILE_MAX);
    fclose(file);
    wire_cursor_t in = wire_cursor((wire_bytes_t){text, len});
    take_char(&in, '[');
    while (!is_next(&in, ']')) {
        check(take_value(&in));
        checked++;
        if (is_next(&in, ',')) {
            take_char(&in, ',');
        }
    }
    assert_true(checked >= least);
    free(text);
}

static void every_vector_decodes_as_it_says(void **state)
{
    (void)state;
    check_file(VECTORS "/messages.json", check_vector, 50);
}

/* --- route selection expressions and connection ids ----------------------- */

/* A member that is a string, decoded, with a NUL behind; its length. */
static size_t text_member(wire_bytes_t object, const char *name,
                          char out[TEXT_MAX])
{
    wire_cursor_t in = wire_cursor(member(object, name));
    wire_bytes_t inside = {0};

    assert_int_equal(json_skip_string(&in, &inside), 0);
    int len = json_decode_string(inside, out, TEXT_MAX - 1);
    assert_true(len >= 0);
    out[len] = '\0';
    return (size_t)len;
}

static const char *route_error(int rc)
{
    return rc == -EPROTO    ? "no JSON"
           : rc == -ENOENT  ? "empty"
           : rc == -ENOBUFS ? "too long"
                            : "";
}

static void check_route(wire_bytes_t vector)
{
    char text[TEXT_MAX], body[TEXT_MAX], expected[TEXT_MAX], error[TEXT_MAX];
    char key[ROUTE_KEY_MAX];
    route_expr_t *expr;
    size_t len = 0;

    text_member(vector, "expression", text);
    size_t body_len = text_member(vector, "body", body);
    assert_int_equal(route_expr_compile(text, &expr, error, sizeof error), 0);
    int rc = route_expr_eval(
        expr, (wire_bytes_t){(const uint8_t *)body, body_len}, key, &len);
    route_expr_destroy(&expr);
    if (rc < 0) {
        text_member(vector, "error", expected);
        assert_string_equal(route_error(rc), expected);
        return;
    }
    assert_int_equal(text_member(vector, "key", expected), len);
    assert_memory_equal(key, expected, len);
}

static uint64_t number_member(wire_bytes_t object, const char *name)
{
    wire_bytes_t value = member(object, name);

    assert_true(value.len > 0);
    return strtoull((const char *)value.data, NULL, 10);
}

static void check_id(wire_bytes_t vector)
{
    char text[TEXT_MAX], again[CONN_ID_TEXT];
    size_t len = text_member(vector, "text", text);
    conn_id_t id;

    if (member(vector, "error").len > 0) {
        assert_int_equal(conn_id_parse(text, len, &id), -EINVAL);
        return;
    }
    assert_int_equal(conn_id_parse(text, len, &id), 0);
    assert_int_equal(id.loop, number_member(vector, "loop"));
    assert_int_equal(id.slot, number_member(vector, "slot"));
    assert_int_equal(id.generation, number_member(vector, "generation"));
    assert_int_equal(id.random, number_member(vector, "random"));
    conn_id_format(&id, again);
    assert_memory_equal(again, text, CONN_ID_TEXT);
}

static void every_route_expression_yields_what_it_says(void **state)
{
    (void)state;
    check_file(VECTORS "/routes.json", check_route, 30);
}

static void every_connection_id_is_what_it_says(void **state)
{
    (void)state;
    check_file(VECTORS "/ids.json", check_id, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_decodes_as_it_says),
        cmocka_unit_test(every_route_expression_yields_what_it_says),
        cmocka_unit_test(every_connection_id_is_what_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
