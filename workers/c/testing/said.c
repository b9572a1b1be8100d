/* SPDX-License-Identifier: MIT */
#include "workers/c/testing/said.h"

#include "base/xalloc.h"
#include "workers/c/core.h"

#include <stdlib.h>

static const struct {
    const char *word;
    hoist_target_kind kind;
} targets[] = {
    {"connection", HOIST_TO_CONNECTION},
    {"user", HOIST_TO_USER},
    {"tenant", HOIST_TO_TENANT},
    {"group", HOIST_TO_GROUP},
    {"all", HOIST_TO_ALL},
    {"count", HOIST_TO_ALL},
};

static hoist_target_kind kind_of(wire_bytes_t word)
{
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        if (wire_is(word, targets[i].word)) {
            return targets[i].kind;
        }
    }
    panic(__FILE__, __LINE__, "a target that the library does not make");
}

/* count texts behind the cursor, which the library has encoded. */
static void get_texts(wire_cursor_t *at, hoist_text *texts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        wire_bytes_t text;
        must(wire_get_str(at, &text) == 0);
        texts[i] = lend(text);
    }
}

/* [word], [word, name] or ["connection", id, …]. */
static hoist_target get_target(said_t *self, wire_bytes_t array)
{
    wire_cursor_t at = wire_cursor(array);
    wire_bytes_t word;
    uint32_t count;

    must(wire_get_array(&at, &count) == 0 && wire_get_str(&at, &word) == 0);
    hoist_target target = {.kind = kind_of(word)};
    self->names = xcalloc(count + EXCEPT_MAX, sizeof *self->names);
    get_texts(&at, self->names, --count);
    if (count > 1) {
        target.kind = HOIST_TO_CONNECTIONS;
        target.names = self->names;
        target.count = count;
    } else if (count == 1) {
        target.name = self->names[0];
    }
    return target;
}

static void take_push(said_t *self, const message_push_t *push)
{
    hoist_test_said *said = &self->said;
    wire_cursor_t at;
    uint32_t count = 0;

    self->id = wire_map_uint(push->options, "ack", 0);
    said->kind = HOIST_TEST_PUSH;
    said->target = get_target(self, push->target);
    said->type = (hoist_type)push->body.type;
    said->body = lend(push->body.bytes);
    said->ttl_ms = (unsigned)wire_map_uint(push->options, "ttl", 0);
    said->is_told = self->id != 0;
    if (wire_map_find(push->options, "except", &at)) {
        hoist_text *except = self->names + said->target.count + 1;
        must(wire_get_array(&at, &count) == 0 && count <= EXCEPT_MAX);
        get_texts(&at, except, count);
        said->except = except;
        said->except_count = count;
    }
}

static void take_query(said_t *self, const message_query_t *query)
{
    hoist_test_said *said = &self->said;

    self->id = query->id;
    said->kind = HOIST_TEST_FIND;
    said->target = get_target(self, query->what);
    said->cursor = lend(wire_map_str(query->options, "cursor"));
    said->limit = (unsigned)wire_map_uint(query->options, "limit", 0);
    said->live = wire_map_bool(query->options, "live", false);
    said->count = wire_map_bool(query->options, "count", false);
}

static void take_join(said_t *self, hoist_test_kind kind,
                      const message_join_t *join)
{
    self->said.kind = kind;
    self->said.target = hoist_to_connection(lend(join->conn));
    self->said.group = lend(join->group);
}

static void take_close(said_t *self, const message_close_t *close)
{
    self->said.kind = HOIST_TEST_CLOSE;
    self->said.target = hoist_to_connection(lend(close->conn));
    self->said.code = (unsigned)close->code;
    self->said.reason = lend(close->reason);
}

static void take(said_t *self, const message_t *message)
{
    switch (message->kind) {
    case KIND_PUSH:
        take_push(self, &message->push);
        break;
    case KIND_JOIN:
        take_join(self, HOIST_TEST_JOIN, &message->join);
        break;
    case KIND_LEAVE:
        take_join(self, HOIST_TEST_LEAVE, &message->join);
        break;
    case KIND_CLOSE:
        take_close(self, &message->close);
        break;
    default:
        must(message->kind == KIND_QUERY);
        take_query(self, &message->query);
        break;
    }
}

said_t *said_new(wire_bytes_t raw)
{
    said_t *self = xcalloc(1, sizeof *self);
    message_t message;

    list_init(&self->link);
    self->bytes = xcalloc(1, raw.len);
    memcpy(self->bytes, raw.data, raw.len);
    wire_cursor_t at = wire_cursor((wire_bytes_t){self->bytes, raw.len});
    must(message_decode(&at, &message) == 1); /* the library encoded it */
    take(self, &message);
    return self;
}

void said_destroy(said_t **self_p)
{
    said_t *self = *self_p;

    free(self->bytes);
    free(self->names);
    free(self);
    *self_p = NULL;
}
