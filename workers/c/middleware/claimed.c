/* SPDX-License-Identifier: MIT
 *
 * What becomes of a claim is decided by what comes back from inside: a reply is
 * kept as it lies there, and a failure that may go well the next time gives the
 * claim up, whatever those outside make of either.  Two things are known by the
 * event's outcome alone: the answer for which it waits, and the words of a
 * refusal, which those outside choose.
 */
#include "workers/c/middleware/claimed.h"

#include "base/hash.h"
#include "base/rand.h"
#include "workers/c/asked.h"
#include "workers/c/middleware/idempotency.h"

static const char claimed_key; /* its address, for hoist_get: the last */

/* The same each time that the event is delivered. */
static uint64_t owner_of(const hoist_ctx *ctx)
{
    uint64_t number = hoist_request_number(ctx);

    if (number == 0) { /* who sent it gave it none */
        rand_bytes(&number, sizeof number);
    }
    hoist_text connection = hoist_connection(ctx);
    return number ^ hash_bytes(connection.data, connection.len);
}

/* The last that was made of the event, or NULL; behind it those before. */
static claimed_t *last_of(const hoist_ctx *ctx)
{
    return hoist_get(ctx, &claimed_key);
}

/* --- its end ------------------------------------------------------------- */

static bool is_kept(const claims_t *self, int status)
{
    return self->keeps_failures || (status < 500 && status != 429);
}

/* It was done, with this status and the reply that lies there, or none. */
static void settle(claimed_t *self, const hoist_ctx *ctx, int status)
{
    claims_t *of = self->of;
    hoist_outcome outcome = {.status = status};
    body_t body = {.type = BODY_NONE};

    (void)reply_peek(ctx, &body);
    if (body.bytes.len > of->max_reply) {
        outcome.is_cut = true;
    } else {
        outcome.type = (hoist_type)body.type;
        outcome.body = lend(body.bytes);
    }
    self->is_ours = false;
    ledger_settle(&of->use, &self->claim, &outcome, of->keep_ms);
}

static void conclude(hoist_ctx *ctx, void *data);

/* Leave it to another context of the event to conclude.  Returns whether there
 * is room for that. */
static bool hand_over(claimed_t *self, hoist_ctx *to)
{
    size_t size = sizeof *self + self->claim.name.len;
    claimed_t *before = last_of(to), *copy = values_alloc(&to->values, size);

    if (copy == NULL || values_set(&to->values, &claimed_key, copy) < 0 ||
        values_finally(&to->values, &(finally_t){conclude, copy}) < 0) {
        return false;
    }
    memcpy(copy, self, size);
    copy->before = before;
    copy->claim.name = hoist_bytes(copy->name, self->claim.name.len);
    self->is_ours = false;
    return true;
}

/* Leave it to the answer that is still to come, if there is one: of this
 * context, or of one that goes on where this ends. */
static bool hand_on(claimed_t *self, hoist_ctx *ctx)
{
    if (ctx->abandoned == NULL) {
        return false;
    }
    return ctx->abandoned == ctx->home
               ? values_finally(&ctx->values, &(finally_t){conclude, self}) == 0
               : hand_over(self, &ctx->abandoned->ctx);
}

/* It was not done, and may be claimed anew.  Where an answer is still to come,
 * it is when that has: until then its handler may be about to do what another
 * would do meanwhile. */
static void give_up(claimed_t *self, hoist_ctx *ctx)
{
    if (!hand_on(self, ctx)) {
        self->is_ours = false;
        ledger_release(&self->of->use, &self->claim);
    }
}

/* The event has its outcome; or a run of it, without a reply, where somebody
 * outside tries again.  Where those outside have failed what waits, that is no
 * outcome of what is inside. */
static void conclude(hoist_ctx *ctx, void *data)
{
    claimed_t *self = data;
    bool has_waited = !self->waits || ctx->home != NULL;
    body_t body;

    if (!self->is_ours) {
        return;
    }
    if (has_waited && reply_peek(ctx, &body) &&
        is_kept(self->of, hoist_replied(ctx))) {
        settle(self, ctx, hoist_replied(ctx));
    } else {
        give_up(self, ctx);
    }
}

/* --- events -------------------------------------------------------------- */

claimed_t *claimed_new(claims_t *of, hoist_ctx *ctx, const whose_name_t *name)
{
    claimed_t *self = hoist_alloc(ctx, sizeof *self + name->len);

    if (self == NULL) {
        return NULL;
    }
    memcpy(self->name, name->text, name->len);
    self->of = of;
    self->before = last_of(ctx);
    self->claim = (hoist_claim){
        .name = hoist_bytes(self->name, name->len),
        .owner = owner_of(ctx),
        .hold_ms = of->hold_ms,
    };
    bool is_known = hoist_set(ctx, &claimed_key, self) == 0 &&
                    hoist_finally(ctx, conclude, self) == 0;
    return is_known ? self : NULL;
}

/* Another run of the event may have left it to an answer to release this. */
void claimed_begin(claimed_t *self, const hoist_ctx *ctx)
{
    claimed_t *former =
        ctx->abandoned != NULL ? last_of(&ctx->abandoned->ctx) : NULL;

    for (; former != NULL; former = former->before) {
        if (former->of == self->of &&
            hoist_equal(former->claim.name, self->claim.name)) {
            former->is_ours = false;
        }
    }
    self->is_ours = true;
}

/* The status of what has come back from inside; 200 where nothing was said. */
static int status_of(const hoist_ctx *ctx, int rc)
{
    if (ctx->status != 0) {
        return ctx->status;
    }
    return rc < 0 ? failure_status(&ctx->failure) : 200;
}

int claimed_judge(claimed_t *self, hoist_ctx *ctx, int rc)
{
    int status = status_of(ctx, rc);

    self->waits = rc >= 0 && ctx->query != NULL;
    if (!self->is_ours || self->waits) {
        return rc;
    }
    if (!is_kept(self->of, status)) {
        give_up(self, ctx);
    } else if (rc >= 0 || ctx->status != 0) {
        settle(self, ctx, status);
    }
    return rc;
}

void idempotency_was_done(hoist_ctx *ctx)
{
    claimed_t *self = last_of(ctx);

    for (; self != NULL; self = self->before) {
        if (self->is_ours) {
            settle(self, ctx, status_of(ctx, 0));
        }
    }
}

bool hoist_is_replay(const hoist_ctx *ctx)
{
    const claimed_t *self = last_of(ctx);

    while (self != NULL && !self->is_replay) {
        self = self->before;
    }
    return self != NULL;
}
