/* SPDX-License-Identifier: MIT */
#include "workers/c/testing/made.h"

#include "base/xalloc.h"
#include "proto/conn_id.h"

#include <stdio.h>
#include <stdlib.h>

#define USUAL_DEADLINE_MS 29000

/* --- what a test may not say ---------------------------------------------- */

static const char *id_of(const char *given, const char *usual)
{
    if (given == NULL) {
        return usual;
    }
    if (strlen(given) != CONN_ID_TEXT) {
        fprintf(stderr,
                "hoist_test: the connection \"%s\" is none: "
                "an id has %d characters\n",
                given, CONN_ID_TEXT);
        abort();
    }
    return given;
}

/* --- maps and arrays whose size shows at the end ------------------------- */

typedef struct {
    buf_t bytes; /* owned */
    uint32_t count;
} many_t;

static void begin(many_t *self)
{
    *self = (many_t){.count = 0};
    buf_init(&self->bytes, FRAME_MAX);
}

static wire_bytes_t all(const many_t *self)
{
    return (wire_bytes_t){self->bytes.data, self->bytes.len};
}

static void end(many_t *self, buf_t *out,
                int (*put_head)(buf_t *out, uint32_t count))
{
    must(put_head(out, self->count) == 0 && wire_put_raw(out, all(self)) == 0);
    buf_fini(&self->bytes);
}

static void put_text(many_t *self, const char *key, const char *text)
{
    if (text != NULL) {
        must(wire_put_entry_str(&self->bytes, key, wire_bytes(text)) == 0);
        self->count++;
    }
}

static void put_number(many_t *self, const char *key, int64_t number)
{
    if (number > 0) {
        must(wire_put_entry_uint(&self->bytes, key, (uint64_t)number) == 0);
        self->count++;
    }
}

/* A map: {name: value, …}. */
static void put_map(many_t *self, const char *key, const hoist_test_pair *pairs)
{
    many_t map;

    begin(&map);
    for (size_t i = 0; i < HOIST_TEST_MANY && pairs[i].name != NULL; i++) {
        put_text(&map, pairs[i].name, pairs[i].value);
    }
    must(wire_put_text(&self->bytes, key) == 0);
    end(&map, &self->bytes, wire_put_map);
    self->count++;
}

/* An array: [[name, value], …]. */
static void put_pairs(many_t *self, const char *key,
                      const hoist_test_pair *pairs)
{
    many_t array;

    begin(&array);
    for (size_t i = 0; i < HOIST_TEST_MANY && pairs[i].name != NULL; i++) {
        const char *value = pairs[i].value != NULL ? pairs[i].value : "";
        must(wire_put_array(&array.bytes, 2) == 0 &&
             wire_put_text(&array.bytes, pairs[i].name) == 0 &&
             wire_put_text(&array.bytes, value) == 0);
        array.count++;
    }
    must(wire_put_text(&self->bytes, key) == 0);
    end(&array, &self->bytes, wire_put_array);
    self->count++;
}

static void put_texts(many_t *self, const char *key,
                      const char *const texts[HOIST_TEST_MANY])
{
    many_t array;

    begin(&array);
    for (size_t i = 0; i < HOIST_TEST_MANY && texts[i] != NULL; i++) {
        must(wire_put_text(&array.bytes, texts[i]) == 0);
        array.count++;
    }
    must(wire_put_text(&self->bytes, key) == 0);
    end(&array, &self->bytes, wire_put_array);
    self->count++;
}

/* --- a REQUEST ----------------------------------------------------------- */

static void put_context(buf_t *out, const hoist_test_event *event)
{
    many_t map;

    begin(&map);
    put_text(&map, "user", event->user);
    put_text(&map, "tenant", event->tenant);
    put_map(&map, "attributes", event->attributes);
    put_text(&map, "ip", event->ip != NULL ? event->ip : HOIST_TEST_IP);
    put_text(&map, "user_agent", event->user_agent);
    put_text(&map, "domain", event->domain);
    put_text(&map, "stage", event->stage);
    end(&map, out, wire_put_map);
}

static void put_details(buf_t *out, const hoist_test_event *event)
{
    many_t map;

    begin(&map);
    switch (event->event) {
    case HOIST_CONNECT:
        put_text(&map, "path", event->path != NULL ? event->path : "/");
        put_pairs(&map, "query", event->query);
        put_pairs(&map, "headers", event->headers);
        put_texts(&map, "subprotocols", event->subprotocols);
        break;
    case HOIST_DISCONNECT:
        put_number(&map, "code", event->close_code);
        put_text(&map, "reason", event->close_reason);
        break;
    case HOIST_PRESENCE:
        put_texts(&map, "joined", event->joined);
        put_texts(&map, "left", event->left);
        break;
    default:
        break;
    }
    end(&map, out, wire_put_map);
}

static body_t body_of(const hoist_test_event *event)
{
    if (event->text != NULL) {
        return (body_t){BODY_TEXT, wire_bytes(event->text)};
    }
    if (event->binary.data != NULL) {
        return (body_t){
            BODY_BINARY,
            {(const uint8_t *)event->binary.data, event->binary.len}};
    }
    return (body_t){.type = BODY_NONE};
}

void made_request(buf_t *out, const hoist_test_event *event, const char *route,
                  uint64_t id)
{
    const char *conn = id_of(event->connection, HOIST_TEST_CONNECTION);
    message_request_t request = {
        .id = id,
        .event = event->event != HOIST_TASK ? event->event : HOIST_MESSAGE,
        .conn = wire_bytes(conn),
        .route = wire_bytes(route),
        .body = body_of(event),
        .deadline_ms =
            event->deadline_ms > 0 ? event->deadline_ms : USUAL_DEADLINE_MS,
        .number = id,
        .attempt = event->attempt,
    };
    buf_t maps;

    buf_init(&maps, FRAME_MAX);
    put_context(&maps, event);
    size_t context_len = maps.len;
    put_details(&maps, event);
    request.context = (wire_bytes_t){maps.data, context_len};
    request.details =
        (wire_bytes_t){maps.data + context_len, maps.len - context_len};
    must(message_put_request(out, &request) == 0);
    buf_fini(&maps);
}

/* --- a RESULT ------------------------------------------------------------ */

static bool is_end(const hoist_test_row *row)
{
    return row->connection == NULL && row->user == NULL &&
           row->tenant == NULL && row->ip == NULL &&
           row->attributes[0].name == NULL && row->connected_at_ms == 0 &&
           row->last_active_at_ms == 0;
}

/* The end of HOIST_TEST_CONNECTION, another for each row. */
static const char usual_ends[] = "0123456789abcdef";

_Static_assert(sizeof usual_ends - 1 == HOIST_TEST_MANY, "each row has one");

static void put_row(many_t *rows, const hoist_test_row *row)
{
    char usual[] = HOIST_TEST_CONNECTION;
    many_t map;

    usual[CONN_ID_TEXT - 1] = usual_ends[rows->count];

    must(wire_put_array(&rows->bytes, 2) == 0 &&
         wire_put_text(&rows->bytes, id_of(row->connection, usual)) == 0);
    begin(&map);
    put_text(&map, "user", row->user);
    put_text(&map, "tenant", row->tenant);
    put_text(&map, "ip", row->ip);
    put_map(&map, "attributes", row->attributes);
    put_number(&map, "connected_at", row->connected_at_ms);
    put_number(&map, "last_active_at", row->last_active_at_ms);
    end(&map, &rows->bytes, wire_put_map);
    rows->count++;
}

void made_result(buf_t *out, const hoist_test_answer *answer, uint64_t id)
{
    message_result_t result = {
        .id = id,
        .status = answer->status > 0 ? (uint64_t)answer->status : 200,
    };
    many_t rows, options;
    buf_t parts;

    begin(&rows);
    for (size_t i = 0; i < HOIST_TEST_MANY && !is_end(&answer->rows[i]); i++) {
        put_row(&rows, &answer->rows[i]);
    }
    begin(&options);
    put_text(&options, "cursor", answer->cursor);
    put_number(&options, "count", (int64_t)answer->count);
    buf_init(&parts, FRAME_MAX);
    end(&rows, &parts, wire_put_array);
    size_t rows_len = parts.len;
    end(&options, &parts, wire_put_map);
    result.rows = (wire_bytes_t){parts.data, rows_len};
    result.options =
        (wire_bytes_t){parts.data + rows_len, parts.len - rows_len};
    must(message_put_result(out, &result) == 0);
    buf_fini(&parts);
}
