/* SPDX-License-Identifier: MIT */
#include "workers/c/core.h"
#include "workers/c/hoist_metrics.h"
#include "workers/c/hoist_middleware.h"

#include <errno.h>
#include <stdlib.h>

#define ID_MAX 128 /* bytes of a client's id */

typedef struct {
    bool is_own;
    hoist_counter *taken, *made; /* borrowed */
    char header[];
} request_id_t;

static hoist_counter *counter_of(hoist_app *app, const char *labels)
{
    return hoist_counter_of(app, "hoist_worker_request_ids_total",
                            "Connections that came to hoist_request_id: those "
                            "whose own id was taken over, and those that have "
                            "the number of their request.",
                            labels);
}

static int request_id_init(hoist_app *app, const void *config, void **state)
{
    const hoist_request_id_config *wanted = config;
    const char *header = wanted != NULL && wanted->header != NULL
                             ? wanted->header
                             : "X-Request-ID";
    size_t size = strlen(header) + 1;

    if (size == 1 || strpbrk(header, ": \t\r\n") != NULL) {
        return hoist_init_failed(app, -EINVAL,
                                 "hoist_request_id: header is none");
    }
    request_id_t *self = malloc(sizeof *self + size);
    if (self == NULL) {
        return -ENOMEM;
    }
    self->is_own = wanted != NULL && wanted->own;
    self->taken = counter_of(app, "outcome=\"taken\"");
    self->made = counter_of(app, "outcome=\"made\"");
    memcpy(self->header, header, size);
    *state = self;
    return 0;
}

/* It goes into logs and headers as it is. */
static bool is_plain(hoist_text id)
{
    static const char marks[] = "._-=+/:@~";

    for (size_t i = 0; i < id.len; i++) {
        char c = id.data[i];
        bool is_alnum = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                        (c >= '0' && c <= '9');
        if (!is_alnum && memchr(marks, c, sizeof marks - 1) == NULL) {
            return false;
        }
    }
    return id.len >= 1 && id.len <= ID_MAX;
}

/* Taken over, or the event keeps its own. */
static void take_id(hoist_ctx *ctx, hoist_text id)
{
    char *copy = is_plain(id) ? hoist_alloc(ctx, id.len) : NULL;

    if (copy != NULL) {
        memcpy(copy, id.data, id.len);
        ctx->values.request_id = hoist_bytes(copy, id.len);
        ctx->values.size.has_request_id = true;
    }
}

static int request_id_run(hoist_ctx *ctx, void *state)
{
    const request_id_t *self = state;

    if (hoist_event_of(ctx) != HOIST_CONNECT) {
        return hoist_next(ctx);
    }
    if (!self->is_own) {
        take_id(ctx, hoist_header(ctx, self->header));
    }
    hoist_count(ctx->values.size.has_request_id ? self->taken : self->made, 1);
    int rc = hoist_accept_header(ctx, self->header, hoist_request_id_of(ctx));
    return rc < 0 ? rc : hoist_next(ctx);
}

static const hoist_middleware table = {.init = request_id_init,
                                       .run = request_id_run,
                                       .fini = free};
const hoist_middleware *const hoist_request_id = &table;
