/* SPDX-License-Identifier: MIT */
#include "gateway/ranking.h"

#include "base/xalloc.h"
#include "gateway/busiest.h"
#include "gateway/rows.h"

#include <string.h>

/* Before the rows of a loop. */
typedef struct {
    int64_t over_ms; /* for so long messages were counted */
} span_head_t;

/* Before each row. */
typedef struct {
    uint32_t messages;
    uint32_t len; /* of the row: an object of JSON without its end */
} row_head_t;

static int put_object(const session_t *session, buf_t *text)
{
    json_out_t out = json_out(text);

    json_put_open(&out, '{');
    row_put_session(&out, session);
    return out.rc;
}

static int put_row(const session_t *session, uint32_t messages, buf_t *out)
{
    row_head_t head = {.messages = messages};
    size_t start = out->len;
    int rc = buf_put(out, &head, sizeof head);

    if (rc < 0 || (rc = put_object(session, out)) < 0) {
        return rc;
    }
    head.len = (uint32_t)(out->len - start - sizeof head);
    memcpy(out->data + start, &head, sizeof head);
    return 0;
}

unsigned ranking_put(hub_t *hub, buf_t *out)
{
    const busiest_t *busiest = &hub->busiest;
    span_head_t head = {.over_ms = busiest->told_ms};

    busiest_ask(hub);
    int rc = buf_put(out, &head, sizeof head);
    for (size_t i = 0; rc == 0 && i < busiest->told_count; i++) {
        const busy_t *busy = &busiest->told[i];
        const session_t *session = hub_find(hub, &busy->id);
        if (session != NULL && session->state == SESSION_OPEN) {
            rc = put_row(session, busy->messages, out);
        }
    }
    return rc < 0 ? 500 : 200;
}

/* The rows of a loop that are not told yet, the busiest first. */
typedef struct {
    wire_bytes_t rest;
    int64_t over_ms;
} rows_t;

static rows_t rows_of(wire_bytes_t bytes)
{
    span_head_t head;

    must(bytes.len >= sizeof head);
    memcpy(&head, bytes.data, sizeof head);
    return (rows_t){.rest = {bytes.data + sizeof head, bytes.len - sizeof head},
                    .over_ms = head.over_ms};
}

/* Its next row; false: there is none. */
static bool peek_row(const rows_t *self, row_head_t *head)
{
    if (self->rest.len < sizeof *head) {
        return false;
    }
    memcpy(head, self->rest.data, sizeof *head);
    return true;
}

static wire_bytes_t take_row(rows_t *self, const row_head_t *head)
{
    wire_bytes_t row = {self->rest.data + sizeof *head, head->len};

    self->rest.data += sizeof *head + head->len;
    self->rest.len -= sizeof *head + head->len;
    return row;
}

/* Messages as if they had been counted for over_ms: loops walk at the same
 * time, but not for the same. */
static uint64_t messages_over(const rows_t *self, const row_head_t *head,
                              int64_t over_ms)
{
    return self->over_ms <= 0 ? head->messages
                              : (uint64_t)head->messages * (uint64_t)over_ms /
                                    (uint64_t)self->over_ms;
}

/* The busiest of what is left; false: nothing is. */
static bool put_busiest(json_out_t *out, rows_t *loops, size_t count,
                        int64_t over_ms)
{
    row_head_t best_head, head;
    uint64_t most = 0;
    rows_t *best = NULL;

    for (size_t i = 0; i < count; i++) {
        uint64_t messages = peek_row(&loops[i], &head)
                                ? messages_over(&loops[i], &head, over_ms) + 1
                                : 0;
        if (messages > most) {
            best = &loops[i];
            best_head = head;
            most = messages;
        }
    }
    if (best == NULL) {
        return false;
    }
    json_put_raw(out, take_row(best, &best_head));
    json_put_field_uint(out, "messages", most - 1);
    json_put_close(out, '}');
    return true;
}

unsigned ranking_show(const wire_bytes_t *rows, size_t count, uint64_t limit,
                      buf_t *text)
{
    rows_t loops[GATEWAY_LOOPS_MAX];
    json_out_t out = json_out(text);
    int64_t over_ms = 0;

    for (size_t i = 0; i < count; i++) {
        loops[i] = rows_of(rows[i]);
        over_ms = loops[i].over_ms > over_ms ? loops[i].over_ms : over_ms;
    }
    json_put_open(&out, '{');
    json_put_field_uint(&out, "over_ms", (uint64_t)over_ms);
    json_put_key(&out, "connections");
    json_put_open(&out, '[');
    while (limit > 0 && put_busiest(&out, loops, count, over_ms)) {
        limit--;
    }
    json_put_close(&out, ']');
    json_put_close(&out, '}');
    return out.rc < 0 ? 500 : 200;
}
