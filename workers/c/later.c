/* SPDX-License-Identifier: MIT */
#include "workers/c/later.h"

#include "base/xalloc.h"
#include "proto/request_id.h"
#include "workers/c/asked.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the event waits ----------------------------------------------------- */

int hoist_wait(hoist_ctx *ctx, hoist_ticket *ticket)
{
    int rc = ctx_is_task(ctx) ? -EINVAL : ctx_may_ask(ctx);

    if (rc == 0 && asked_is_full(ctx->asked)) {
        rc = -EBUSY;
    }
    if (rc < 0) {
        return rc;
    }
    query_t *query = ctx->home != NULL ? ctx->home : query_new(ctx);
    if (query == NULL) {
        return -ENOMEM;
    }
    rc = asked_park(ctx->asked, query,
                    atomic_fetch_add(&ctx->app->tickets, 1) + 1);
    if (rc < 0) {
        if (query != ctx->home) {
            query_destroy(&query);
        }
        return rc;
    }
    ctx->query = query;
    *ticket = (hoist_ticket){
        .app = ctx->app,
        .thread = ctx->asked->thread,
        .id = query->ticket,
        .request = ctx->request->number,
        .route = ctx->route->key,
    };
    return 0;
}

/* --- and goes on --------------------------------------------------------- */

/* On the heap, since what is posted has room for two pointers. */
typedef struct {
    uint64_t ticket;
    task_t task;
} resumption_t;

int hoist_resume(hoist_ticket ticket, hoist_task *task, void *data)
{
    if (task == NULL || ticket.app == NULL || ticket.id == 0 ||
        ticket.thread >= atomic_load(&ticket.app->inlet_count)) {
        return -EINVAL;
    }
    resumption_t *resumption = malloc(sizeof *resumption);
    if (resumption == NULL) {
        return -ENOMEM;
    }
    *resumption = (resumption_t){ticket.id, {task, data}};
    int rc = posts_put(&ticket.app->inlets[ticket.thread].resumptions,
                       &(task_t){NULL, resumption});
    if (rc < 0) {
        free(resumption);
    }
    return rc;
}

uint64_t later_open(task_t *task)
{
    resumption_t *resumption = task->data;

    if (task->run != NULL || resumption == NULL) {
        return 0;
    }
    uint64_t ticket = resumption->ticket;
    *task = resumption->task;
    free(resumption);
    return ticket;
}

/* --- with no more than a reply ------------------------------------------- */

typedef struct {
    uint64_t request;  /* of the event */
    const char *route; /* the same; borrowed from the app */
    int status;
    hoist_type type;
    size_t len;
    char body[];
} kept_reply_t;

/* Nobody is answered: it is said in the log which event that was. */
static int come_too_late(hoist_ctx *ctx, const kept_reply_t *kept)
{
    char id[REQUEST_ID_TEXT], words[ERROR_MESSAGE_MAX + 1];

    request_id_format(kept->request, id);
    (void)snprintf(words, sizeof words,
                   "a reply when the event is over: request=%.*s route=%s",
                   (int)sizeof id, id, kept->route);
    return hoist_fail(ctx, 504, "", words);
}

static int reply_now(hoist_ctx *ctx, void *data)
{
    kept_reply_t *kept = data;
    hoist_text body = hoist_bytes(kept->body, kept->len);
    int rc = ctx_is_task(ctx)
                 ? come_too_late(ctx, kept)
                 : hoist_reply(ctx, kept->status, kept->type, body);

    free(kept);
    return rc;
}

static int check(int status, hoist_type type, hoist_text body)
{
    if (status < 100 || status > 599 || type < HOIST_NONE ||
        type > HOIST_BINARY) {
        return -EINVAL;
    }
    if (body.len > OUTBOX_BODY_MAX) {
        return -EMSGSIZE;
    }
    return type == HOIST_TEXT && !is_utf8(body) ? -EILSEQ : 0;
}

int hoist_reply_later(hoist_ticket ticket, int status, hoist_type type,
                      hoist_text body)
{
    if (type == HOIST_NONE) {
        body = hoist_str(NULL);
    }
    int rc = check(status, type, body);
    if (rc < 0) {
        return rc;
    }
    kept_reply_t *kept = malloc(sizeof *kept + body.len);
    if (kept == NULL) {
        return -ENOMEM;
    }
    kept->request = ticket.request;
    kept->route = ticket.route;
    kept->status = status;
    kept->type = type;
    kept->len = body.len;
    if (body.len > 0) {
        memcpy(kept->body, body.data, body.len);
    }
    rc = hoist_resume(ticket, reply_now, kept);
    if (rc < 0) {
        free(kept);
    }
    return rc;
}
