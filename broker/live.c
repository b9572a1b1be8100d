/* SPDX-License-Identifier: MIT */
#include "broker/live.h"

#include "broker/conns.h"
#include "broker/peers.h"
#include "broker/queries.h"

#include <stdlib.h>

typedef struct {
    list_t linked;      /* in gateway->questions, oldest first */
    uint64_t id;        /* to the gateway */
    uint64_t worker;    /* handle */
    uint64_t worker_id; /* of its QUERY */
    int64_t due_ms;
} question_t;

/* --- the question -------------------------------------------------------- */

/* {"live": true} */
static const uint8_t live[] = {0x81, 0xa4, 'l', 'i', 'v', 'e', 0xc3};

static int put_what(buf_t *out, const conn_id_t *conn)
{
    char text[CONN_ID_TEXT];
    int rc = wire_put_array(out, 2);

    conn_id_format(conn, text);
    if (rc == 0 && (rc = wire_put_text(out, "connection")) == 0) {
        rc = wire_put_str(out, (wire_bytes_t){(uint8_t *)text, sizeof text});
    }
    return rc;
}

uint64_t live_connection(core_t *core, uint64_t worker, uint64_t id,
                         const conn_id_t *conn)
{
    gateway_t *gateway = gateway_of_loop(core, conn->loop);

    buf_reset(&core->scratch, CONTEXT_MAX);
    if (gateway == NULL || put_what(&core->scratch, conn) < 0) {
        return 503;
    }
    question_t *question = calloc(1, sizeof *question);
    if (question == NULL) {
        return 503;
    }
    question->id = ++core->next_question;
    question->worker = worker;
    question->worker_id = id;
    question->due_ms = core->now_ms + LIVE_MS;
    list_append(&gateway->questions, &question->linked);
    core->stats.queries_live++;
    message_query_t query = {
        .id = question->id,
        .what = {core->scratch.data, core->scratch.len},
        .options = {live, sizeof live},
    };
    peer_sent(core, gateway->peer,
              message_put_query(peer_out(core, gateway->peer), &query));
    return 0;
}

/* --- the answer ---------------------------------------------------------- */

static void answer(core_t *core, question_t *question, uint64_t status,
                   wire_bytes_t rows)
{
    message_result_t result = {
        .id = question->worker_id, .status = status, .rows = rows};

    list_remove(&question->linked);
    queries_done(core, question->worker, &result);
    free(question);
}

static void fail(core_t *core, question_t *question, uint64_t status)
{
    answer(core, question, status, (wire_bytes_t){NULL, 0});
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

/* 410: it ended lately; a worker need not know how lately. */
static uint64_t status_of(const message_result_t *result)
{
    if (result->status == 200) {
        return result->rows.len <= LIVE_ROWS_MAX ? 200 : 503;
    }
    return result->status == 404 || result->status == 410 ? 404 : 503;
}

bool live_told(core_t *core, gateway_t *gateway, const message_result_t *result)
{
    question_t *question = find(gateway, result->id);

    if (question == NULL) {
        return false;
    }
    uint64_t status = status_of(result);
    if (status == 200) {
        answer(core, question, status, result->rows);
    } else {
        fail(core, question, status);
    }
    return true;
}

void live_lost(core_t *core, gateway_t *gateway)
{
    list_t *link;

    while ((link = list_peek(&gateway->questions)) != NULL) {
        fail(core, list_entry(link, question_t, linked), 503);
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
