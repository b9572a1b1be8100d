/* SPDX-License-Identifier: MIT
 *
 * The cursor of a worker is the loop of the gateway where the next page begins,
 * a point, and that gateway's own cursor, if it has one.  Nothing of a question
 * is kept between two pages, so that any broker can go on with it.
 */
#include "broker/live.h"

#include "broker/conns.h"
#include "broker/interests.h"
#include "broker/peers.h"
#include "broker/queries.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CURSOR_MAX 64 /* bytes of a gateway's */

typedef enum { ASKS_CONNECTION, ASKS_MEMBERS, ASKS_COUNT } asks_t;

typedef struct {
    list_t linked; /* in gateway->questions, oldest first */
    asks_t asks;
    uint64_t id;   /* to the gateway, */
    uint32_t loop; /* which has this one */
    asker_t asker;
    int64_t due_ms;
    uint32_t limit; /* rows */
    uint64_t count; /* members of the gateways before */
    size_t cursor_len;
    uint8_t cursor[CURSOR_MAX]; /* the gateway's own, of the page at hand */
    size_t name_len;
    uint8_t name[]; /* of the group; or the connection's id */
} question_t;

/* --- the answer ---------------------------------------------------------- */

/* The question is over. */
static void answer(core_t *core, question_t *question,
                   const message_result_t *result)
{
    message_result_t mine = *result;

    mine.id = question->asker.id;
    list_remove(&question->linked);
    queries_done(core, question->asker.worker, &mine);
    free(question);
}

static void fail(core_t *core, question_t *question, uint64_t status)
{
    answer(core, question, &(message_result_t){.status = status});
}

/* --- the question -------------------------------------------------------- */

static question_t *new_question(core_t *core, asks_t asks, asker_t asker,
                                wire_bytes_t name)
{
    question_t *question = calloc(1, sizeof *question + name.len);

    if (question != NULL) {
        list_init(&question->linked);
        question->asks = asks;
        question->asker = asker;
        question->due_ms = core->now_ms + LIVE_MS;
        question->name_len = name.len;
        memcpy(question->name, name.data, name.len);
    }
    return question;
}

static wire_bytes_t name_of(const question_t *question)
{
    return (wire_bytes_t){question->name, question->name_len};
}

static int put_what(buf_t *out, const question_t *question)
{
    bool is_group = question->asks != ASKS_CONNECTION;
    int rc = wire_put_array(out, 2);

    if (rc == 0 &&
        (rc = wire_put_text(out, is_group ? "group" : "connection")) == 0) {
        rc = wire_put_str(out, name_of(question));
    }
    return rc;
}

static int put_flag(buf_t *out, const char *key)
{
    int rc = wire_put_map(out, 1);

    return rc < 0 ? rc : wire_put_entry_bool(out, key, true);
}

static int put_page(buf_t *out, uint32_t limit, wire_bytes_t cursor)
{
    int rc = wire_put_map(out, 2);

    if (rc == 0 && (rc = wire_put_entry_uint(out, "limit", limit)) == 0) {
        rc = wire_put_entry_str(out, "cursor", cursor);
    }
    return rc;
}

static int put_options(buf_t *out, const question_t *question,
                       wire_bytes_t cursor)
{
    switch (question->asks) {
    case ASKS_CONNECTION:
        return put_flag(out, "live");
    case ASKS_COUNT:
        return put_flag(out, "count");
    default:
        return put_page(out, question->limit, cursor);
    }
}

static void keep_cursor(question_t *question, wire_bytes_t cursor)
{
    question->cursor_len = cursor.len;
    if (cursor.len > 0) {
        memcpy(question->cursor, cursor.data, cursor.len);
    }
}

/* cursor: the gateway's own. */
static void ask(core_t *core, gateway_t *gateway, question_t *question,
                wire_bytes_t cursor)
{
    buf_t *parts = &core->scratch;

    buf_reset(parts, CONTEXT_MAX);
    int rc = put_what(parts, question);
    size_t what_len = parts->len;
    if (rc < 0 || put_options(parts, question, cursor) < 0) {
        fail(core, question, 503);
        return;
    }
    keep_cursor(question, cursor);
    question->id = ++core->next_question;
    question->loop = gateway->loop;
    list_remove(&question->linked);
    list_append(&gateway->questions, &question->linked);
    core->stats.queries_live++;
    message_query_t query = {
        .id = question->id,
        .what = {parts->data, what_len},
        .options = {parts->data + what_len, parts->len - what_len},
    };
    peer_sent(core, gateway->peer,
              message_put_query(peer_out(core, gateway->peer), &query));
}

/* --- one connection ------------------------------------------------------ */

uint64_t live_connection(core_t *core, asker_t asker, const conn_id_t *conn)
{
    gateway_t *gateway = gateway_of_loop(core, conn->loop);
    char text[CONN_ID_TEXT];

    conn_id_format(conn, text);
    question_t *question =
        gateway != NULL
            ? new_question(core, ASKS_CONNECTION, asker,
                           (wire_bytes_t){(uint8_t *)text, sizeof text})
            : NULL;
    if (question == NULL) {
        return 503;
    }
    ask(core, gateway, question, (wire_bytes_t){NULL, 0});
    return 0;
}

/* --- a group ------------------------------------------------------------- */

/* The first gateway from this loop on that may have members, or NULL. */
static gateway_t *next_gateway(const core_t *core, const question_t *question,
                               uint32_t loop)
{
    return interests_next(core, NAME_GROUP, name_of(question), loop);
}

static void answer_count(core_t *core, question_t *question)
{
    buf_t *options = &core->scratch;

    buf_reset(options, CONTEXT_MAX);
    if (wire_put_map(options, 1) < 0 ||
        wire_put_entry_uint(options, "count", question->count) < 0) {
        fail(core, question, 503);
        return;
    }
    answer(core, question,
           &(message_result_t){.status = 200,
                               .options = {options->data, options->len}});
}

/* From the gateways of this loop on. */
static void go_on(core_t *core, question_t *question, uint32_t loop,
                  wire_bytes_t cursor)
{
    gateway_t *gateway = next_gateway(core, question, loop);

    if (gateway == NULL && question->asks == ASKS_COUNT) {
        answer_count(core, question);
    } else if (gateway == NULL) {
        fail(core, question, 200); /* nobody, or nobody is left */
    } else {
        wire_bytes_t none = {NULL, 0};
        ask(core, gateway, question, gateway->loop == loop ? cursor : none);
    }
}

/* Of "loop.cursor"; an empty one is that of the first page. */
static int parse_cursor(wire_bytes_t text, uint32_t *loop, wire_bytes_t *cursor)
{
    uint32_t number = 0;
    size_t at = 0;

    for (; at < text.len && text.data[at] >= '0' && text.data[at] <= '9';
         at++) {
        number = number * 10 + (uint32_t)(text.data[at] - '0');
        if (number > CONN_ID_LOOP_MAX) {
            return -EPROTO;
        }
    }
    if (text.len > 0 && (at == 0 || at == text.len || text.data[at] != '.')) {
        return -EPROTO;
    }
    *loop = number;
    *cursor = text.len > 0
                  ? (wire_bytes_t){text.data + at + 1, text.len - at - 1}
                  : text;
    return cursor->len <= CURSOR_MAX ? 0 : -EPROTO;
}

uint64_t live_members(core_t *core, asker_t asker, const members_t *members)
{
    wire_bytes_t cursor;
    uint32_t loop;

    if (parse_cursor(members->cursor, &loop, &cursor) < 0) {
        return 400;
    }
    question_t *question =
        new_question(core, members->is_count ? ASKS_COUNT : ASKS_MEMBERS, asker,
                     members->group);
    if (question == NULL) {
        return 503;
    }
    question->limit = members->limit;
    go_on(core, question, loop, cursor);
    return 0;
}

/* Where the next page begins: at the same gateway, or at another.  Empty behind
 * the last. */
static wire_bytes_t put_cursor(const core_t *core, const question_t *question,
                               wire_bytes_t own, char *out, size_t size)
{
    const gateway_t *next = next_gateway(core, question, question->loop + 1);
    int len = 0;

    if (own.len > 0) {
        len = snprintf(out, size, "%u.%.*s", (unsigned)question->loop,
                       (int)own.len, (const char *)own.data);
    } else if (next != NULL) {
        len = snprintf(out, size, "%u.", (unsigned)next->loop);
    }
    return (wire_bytes_t){(uint8_t *)out, (size_t)len};
}

static void answer_page(core_t *core, question_t *question,
                        const message_result_t *result, wire_bytes_t own)
{
    char text[CURSOR_MAX + 16];
    wire_bytes_t cursor = put_cursor(core, question, own, text, sizeof text);
    message_result_t page = {.status = 200, .rows = result->rows};
    buf_t *options = &core->scratch;

    buf_reset(options, CONTEXT_MAX);
    if (cursor.len > 0) {
        if (wire_put_map(options, 1) < 0 ||
            wire_put_entry_str(options, "cursor", cursor) < 0) {
            fail(core, question, 503);
            return;
        }
        page.options = (wire_bytes_t){options->data, options->len};
    }
    answer(core, question, &page);
}

static bool has_rows(const message_result_t *result)
{
    wire_cursor_t in = wire_cursor(result->rows);
    uint32_t count = 0;

    return wire_get_array(&in, &count) == 0 && count > 0;
}

/* --- what a gateway says ------------------------------------------------- */

static void page_told(core_t *core, question_t *question,
                      const message_result_t *result)
{
    wire_bytes_t own = wire_map_str(result->options, "cursor");

    if (own.len > CURSOR_MAX) {
        fail(core, question, 503);
    } else if (own.len > 0 || has_rows(result)) {
        answer_page(core, question, result, own);
    } else {
        go_on(core, question, question->loop + 1, own);
    }
}

static void count_told(core_t *core, question_t *question,
                       const message_result_t *result)
{
    question->count += wire_map_uint(result->options, "count", 0);
    go_on(core, question, question->loop + 1, (wire_bytes_t){NULL, 0});
}

/* 410: it ended lately; a worker need not know how lately. */
static uint64_t status_of(const message_result_t *result)
{
    if (result->status == 200 && result->rows.len > LIVE_ROWS_MAX) {
        return 503;
    }
    switch (result->status) {
    case 200:
    case 400:
    case 404:
        return result->status;
    case 410:
        return 404;
    default:
        return 503;
    }
}

/* They come in the order asked, so that it is the first, unless the gateway
 * could not answer one before. */
static question_t *find(const gateway_t *gateway, uint64_t id)
{
    list_foreach(link, &gateway->questions) {
        question_t *question = list_entry(link, question_t, linked);
        if (question->id == id) {
            return question;
        }
    }
    return NULL;
}

bool live_told(core_t *core, gateway_t *gateway, const message_result_t *result)
{
    question_t *question = find(gateway, result->id);

    if (question == NULL) {
        return false;
    }
    uint64_t status = status_of(result);
    if (status != 200) {
        fail(core, question, status);
    } else if (question->asks == ASKS_MEMBERS) {
        page_told(core, question, result);
    } else if (question->asks == ASKS_COUNT) {
        count_told(core, question, result);
    } else {
        answer(core, question,
               &(message_result_t){.status = 200, .rows = result->rows});
    }
    return true;
}

/* Its members are no more. */
void live_lost(core_t *core, gateway_t *gateway)
{
    list_t *link;

    while ((link = list_peek(&gateway->questions)) != NULL) {
        question_t *question = list_entry(link, question_t, linked);
        if (question->asks == ASKS_CONNECTION) {
            fail(core, question, 503);
        } else {
            go_on(core, question, question->loop + 1, (wire_bytes_t){NULL, 0});
        }
    }
}

void live_cut(core_t *core, gateway_t *gateway)
{
    list_t asked, *link;

    list_init(&asked);
    while ((link = list_take(&gateway->questions)) != NULL) {
        list_append(&asked, link);
    }
    while ((link = list_peek(&asked)) != NULL) {
        question_t *question = list_entry(link, question_t, linked);
        uint8_t cursor[CURSOR_MAX];
        memcpy(cursor, question->cursor, question->cursor_len);
        ask(core, gateway, question,
            (wire_bytes_t){cursor, question->cursor_len});
    }
}

void live_turn(core_t *core)
{
    list_foreach(at, &core->gateways) {
        gateway_t *gateway = list_entry(at, gateway_t, linked);
        list_foreach_safe(link, &gateway->questions) {
            question_t *question = list_entry(link, question_t, linked);
            if (core->now_ms >= question->due_ms) {
                fail(core, question, 504);
            }
        }
    }
}
