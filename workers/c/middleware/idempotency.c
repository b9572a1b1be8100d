/* SPDX-License-Identifier: MIT
 *
 * A message with a key claims it before its handler runs.
 */
#include "base/digest.h"
#include "base/hash.h"
#include "base/rand.h"
#include "proto/route_expr.h"
#include "workers/c/bytes.h"
#include "workers/c/hoist_middleware.h"
#include "workers/c/middleware/claimed.h"
#include "workers/c/middleware/governed.h"
#include "workers/c/middleware/replay.h"

#include <errno.h>
#include <stdlib.h>

#include <endian.h>

#define USUAL_EXPRESSION "$request.body.idempotencyKey"
#define USUAL_MARK       "replayed"
#define USUAL_REPLY      65536 /* bytes */
#define USUAL_KEEP_S     86400
#define USUAL_HOLD_S     60
#define KEEP_MAX_S       2592000
#define HOLD_MAX_S       86400

/* Bytes of a reply that goes to a ledger.  One that is kept has to come back in
 * a step, with its mark, and to stand among what is owed meanwhile. */
#define SHARED_REPLY_MAX ((size_t)1 << 20)

/* How often a ledger is told what it could not be told before, and for how long
 * the first thread does nothing else. */
#define TELL_EVERY_MS 250
#define TELL_MS       50

/* Of a use; but for claims.use, constant. */
typedef struct {
    claims_t claims;
    whose_t whose;
    hash_key_t digest_key;     /* random: of digests in this process's memory */
    route_expr_t *expression;  /* owned */
    char blank[ROUTE_KEY_MAX]; /* what it makes of a message without members */
    size_t blank_len;
    hoist_key *key;                 /* borrowed, or NULL */
    void *data;                     /* borrowed */
    char mark[REPLAY_MARK_MAX + 1]; /* "": none */
    bool is_required;
    bool passes; /* while the ledger cannot tell */
    hoist_counter *done, *replayed, *in_progress, *reused; /* borrowed */
    hoist_counter *unavailable;                            /* borrowed */
} idempotency_t;

/* --- settings ------------------------------------------------------------ */

static int fail(hoist_app *app, const char *why)
{
    return hoist_init_failed(app, -EINVAL, "hoist_idempotency: %s", why);
}

static int set_times(idempotency_t *self, hoist_app *app,
                     const hoist_idempotency_config *wanted)
{
    int rc = check_most(app, "hoist_idempotency: keep_s", wanted->keep_s,
                        KEEP_MAX_S);

    self->claims.keep_ms =
        1000 * (int64_t)(wanted->keep_s > 0 ? wanted->keep_s : USUAL_KEEP_S);
    self->claims.hold_ms =
        1000 * (int64_t)(wanted->hold_s > 0 ? wanted->hold_s : USUAL_HOLD_S);
    return rc < 0 ? rc
                  : check_most(app, "hoist_idempotency: hold_s", wanted->hold_s,
                               HOLD_MAX_S);
}

/* It stands in a JSON text as it is. */
static int set_mark(idempotency_t *self, hoist_app *app, const char *mark)
{
    size_t len = strlen(mark);

    for (size_t i = 0; i < len; i++) {
        if (mark[i] < ' ' || mark[i] > '~' || mark[i] == '"' ||
            mark[i] == '\\') {
            return fail(app, "mark: it has a quote, a backslash, or what is no "
                             "character of ASCII");
        }
    }
    if (len > REPLAY_MARK_MAX) {
        return fail(app, "mark: it is longer than 64 bytes");
    }
    memcpy(self->mark, mark, len + 1);
    return 0;
}

static int set_sizes(idempotency_t *self, hoist_app *app,
                     const hoist_idempotency_config *wanted)
{
    size_t bytes = wanted->bytes > 0 ? wanted->bytes : LEDGER_BYTES;
    size_t most = wanted->ledger != NULL ? SHARED_REPLY_MAX : bytes;

    self->claims.max_reply =
        wanted->max_reply > 0 ? wanted->max_reply : USUAL_REPLY;
    if (self->claims.max_reply <= most) {
        return 0;
    }
    return fail(app, wanted->ledger != NULL
                         ? "max_reply is more than a mebibyte, the most that "
                           "a ledger is given"
                         : "max_reply is more than bytes, which hold all");
}

/* What is the same of all messages is no key of any. */
static int set_expression(idempotency_t *self, hoist_app *app,
                          const char *expression)
{
    char why[128];
    int rc =
        route_expr_compile(expression != NULL ? expression : USUAL_EXPRESSION,
                           &self->expression, why, sizeof why);

    if (rc < 0) {
        return hoist_init_failed(app, rc, "hoist_idempotency: expression: %s",
                                 why);
    }
    if (!route_expr_varies(self->expression)) {
        return fail(app, "expression: nothing in it is of the message, as "
                         "$request.body.idempotencyKey is");
    }
    if (route_expr_eval(self->expression, wire_bytes("{}"), self->blank,
                        &self->blank_len) < 0) {
        self->blank_len = 0; /* nothing, as is usual */
    }
    return 0;
}

static hoist_counter *counter_of(const idempotency_t *self, hoist_app *app,
                                 const char *outcome)
{
    return whose_counter(&self->whose, app,
                         "hoist_worker_idempotency_events_total",
                         "Messages with a key that came to hoist_idempotency: "
                         "done, replayed, refused since the first is in "
                         "progress or the key was reused, and those of which "
                         "the ledger could not tell.",
                         outcome);
}

static hoist_counter *late_counter_of(const idempotency_t *self, hoist_app *app,
                                      const char *outcome)
{
    return whose_counter(&self->whose, app,
                         "hoist_worker_idempotency_late_total",
                         "Outcomes of which the ledger could not be told when "
                         "they came: told later, and dropped.",
                         outcome);
}

static int tell_ledger(hoist_ctx *ctx, void *data)
{
    idempotency_t *self = data;
    (void)ctx;

    ledger_tell(&self->claims.use, TELL_MS);
    return 0;
}

static int use_shared(idempotency_t *self, hoist_app *app, hoist_ledger *ledger)
{
    const ledger_late_t late = {
        .told = late_counter_of(self, app, "told"),
        .dropped = late_counter_of(self, app, "dropped"),
    };
    int rc =
        ledger_use_init(&self->claims.use, "idempotency", ledger, NULL, &late);

    if (rc == 0) {
        rc = hoist_every(app, TELL_EVERY_MS, tell_ledger, self);
        if (rc < 0) {
            ledger_use_fini(&self->claims.use);
        }
    }
    return rc;
}

static int use_memory(idempotency_t *self, hoist_app *app,
                      const hoist_idempotency_config *wanted)
{
    const ledger_memory_t memory = {
        .keys = wanted->keys,
        .bytes = wanted->bytes,
        .evicted = whose_counter(&self->whose, app,
                                 "hoist_worker_idempotency_evicted_total",
                                 "Replies that went out of memory before their "
                                 "time was over.",
                                 NULL),
    };

    return ledger_use_init(&self->claims.use, "idempotency", NULL, &memory,
                           NULL);
}

static int use_ledger(idempotency_t *self, hoist_app *app,
                      const hoist_idempotency_config *wanted)
{
    self->done = counter_of(self, app, "done");
    self->replayed = counter_of(self, app, "replayed");
    self->in_progress = counter_of(self, app, "in_progress");
    self->reused = counter_of(self, app, "reused");
    self->unavailable = counter_of(self, app, "unavailable");
    int rc = wanted->ledger != NULL ? use_shared(self, app, wanted->ledger)
                                    : use_memory(self, app, wanted);
    return rc == -EINVAL ? fail(app, LEDGER_LACKS) : rc;
}

static int set_texts(idempotency_t *self, hoist_app *app,
                     const hoist_idempotency_config *wanted)
{
    int rc =
        set_mark(self, app, wanted->mark != NULL ? wanted->mark : USUAL_MARK);

    return rc < 0 ? rc : set_expression(self, app, wanted->expression);
}

static int set(idempotency_t *self, hoist_app *app,
               const hoist_idempotency_config *wanted)
{
    const char *name = wanted->name != NULL ? wanted->name : "once", *why;

    if (wanted->ledger != NULL && wanted->name == NULL) {
        /* keys of two programs would be one */
        return fail(app, "ledger without a name");
    }
    if (!is_when_down(wanted->when_down)) {
        return fail(app, NO_WHEN_DOWN);
    }
    if (whose_init(&self->whose, name, wanted->by, NULL, NULL, &why) < 0) {
        return fail(app, why);
    }
    self->key = wanted->key;
    self->data = wanted->data;
    self->is_required = wanted->required;
    self->claims.keeps_failures = wanted->keep_failures;
    self->passes = wanted->when_down == HOIST_WHEN_DOWN_PASS;
    rand_bytes(&self->digest_key, sizeof self->digest_key);
    int rc = set_times(self, app, wanted);
    if (rc == 0) {
        rc = set_sizes(self, app, wanted);
    }
    if (rc == 0) {
        rc = set_texts(self, app, wanted);
    }
    return rc < 0 ? rc : use_ledger(self, app, wanted);
}

static int idempotency_init(hoist_app *app, const void *config, void **state)
{
    static const hoist_idempotency_config usual = {0};
    idempotency_t *self = calloc(1, sizeof *self);

    if (self == NULL) {
        return -ENOMEM;
    }
    int rc = set(self, app, config != NULL ? config : &usual);
    if (rc < 0) {
        route_expr_destroy(&self->expression);
        free(self);
        return rc;
    }
    *state = self;
    return 0;
}

static void idempotency_fini(void *state)
{
    idempotency_t *self = state;

    ledger_use_fini(&self->claims.use);
    route_expr_destroy(&self->expression);
    free(self);
}

/* --- what is claimed ----------------------------------------------------- */

static bool is_key(const idempotency_t *self, hoist_text text)
{
    return !hoist_is(text, "null") &&
           !hoist_equal(text, hoist_bytes(self->blank, self->blank_len));
}

/* The key that the message says, in key; absent when it says none.
 * Returns 0; -EMSGSIZE. */
static int say_key(const idempotency_t *self, hoist_ctx *ctx,
                   char text[ROUTE_KEY_MAX], hoist_text *key)
{
    size_t len;

    *key = hoist_str(NULL);
    if (self->key != NULL) {
        *key = self->key(ctx, self->data);
        return 0;
    }
    if (hoist_body_type(ctx) != HOIST_TEXT) {
        return 0;
    }
    int rc =
        route_expr_eval(self->expression, wire_of(hoist_body(ctx)), text, &len);
    if (rc == 0 && is_key(self, hoist_bytes(text, len))) {
        *key = hoist_bytes(text, len);
    }
    return rc == -ENOBUFS ? -EMSGSIZE : 0;
}

/* What is to be done: two workers come to the same, without a secret that they
 * share, and no client finds a body that passes for another. */
static void digest_for_all(const hoist_ctx *ctx, hoist_claim *claim)
{
    hoist_text route = hoist_route(ctx), body = hoist_body(ctx);
    const uint64_t route_len = htole64(route.len);
    digest_t digest;

    digest_init(&digest);
    digest_add(&digest, &route_len, sizeof route_len);
    digest_add(&digest, route.data, route.len);
    digest_add(&digest, body.data, body.len);
    digest_end(&digest, claim->digest);
}

_Static_assert(2 * HASH_WIDE == HOIST_DIGEST_BYTES, "two fill a digest");

/* The same with a secret, which costs a tenth, where none but this process
 * compares. */
static void digest_for_us(const idempotency_t *self, const hoist_ctx *ctx,
                          hoist_claim *claim)
{
    hoist_text route = hoist_route(ctx), body = hoist_body(ctx);

    hash_wide(&self->digest_key, route.data, route.len, claim->digest);
    hash_wide(&self->digest_key, body.data, body.len,
              claim->digest + HASH_WIDE);
}

static void digest_event(const idempotency_t *self, const hoist_ctx *ctx,
                         hoist_claim *claim)
{
    if (ledger_is_shared(&self->claims.use)) {
        digest_for_all(ctx, claim);
    } else {
        digest_for_us(self, ctx, claim);
    }
}

/* --- events -------------------------------------------------------------- */

typedef struct {
    const idempotency_t *idempotency;
    hoist_ctx *ctx;
    int rc; /* of the reply */
} replay_t;

static void replay(const hoist_outcome *outcome, void *data)
{
    replay_t *self = data;

    self->rc = replay_outcome(self->ctx, outcome, self->idempotency->mark);
}

static int go_without(const idempotency_t *self, hoist_ctx *ctx)
{
    hoist_count(self->unavailable, 1);
    return self->passes ? hoist_next(ctx)
                        : hoist_fail(ctx, 503, "idempotency-unavailable",
                                     "Service Unavailable");
}

static int do_once(idempotency_t *self, hoist_ctx *ctx, claimed_t *claimed,
                   hoist_text holder)
{
    replay_t again = {self, ctx, 0};

    switch (ledger_claim(&self->claims.use, &claimed->claim, holder, replay,
                         &again)) {
    case HOIST_CLAIM_OURS:
        hoist_count(self->done, 1);
        claimed_begin(claimed, ctx);
        return claimed_judge(claimed, ctx, hoist_next(ctx));
    case HOIST_CLAIM_DONE:
        hoist_count(self->replayed, 1);
        claimed->is_replay = true;
        return again.rc;
    case HOIST_CLAIM_TAKEN:
        hoist_count(self->in_progress, 1);
        return hoist_fail(ctx, 409, "duplicate-in-progress",
                          "The first one is not done yet");
    case HOIST_CLAIM_OTHER:
        hoist_count(self->reused, 1);
        return hoist_fail(ctx, 422, "idempotency-key-reused",
                          "The key was used for another message");
    default:
        return go_without(self, ctx);
    }
}

static int without_key(const idempotency_t *self, hoist_ctx *ctx)
{
    return self->is_required ? hoist_fail(ctx, 400, "idempotency-key-missing",
                                          "The message has no idempotency key")
                             : hoist_next(ctx);
}

/* What the key is claimed under, and who holds it then.  Returns 0;
 * -EMSGSIZE. */
static int name_key(const idempotency_t *self, hoist_ctx *ctx, hoist_text key,
                    whose_name_t *name, whose_name_t *holder)
{
    int rc = whose_name(&self->whose, ctx, name);

    if (rc < 0) {
        return rc;
    }
    rc = whose_holder(&self->whose, ctx, name, holder);
    return rc < 0 ? rc : whose_add(name, key);
}

static int idempotency_run(hoist_ctx *ctx, void *state)
{
    idempotency_t *self = state;
    char text[ROUTE_KEY_MAX];
    whose_name_t name, holder;
    hoist_text key;

    if (hoist_event_of(ctx) != HOIST_MESSAGE) {
        return hoist_next(ctx);
    }
    int rc = say_key(self, ctx, text, &key);
    if (rc == 0 && key.len == 0) {
        return without_key(self, ctx);
    }
    if (rc == 0) {
        rc = name_key(self, ctx, key, &name, &holder);
    }
    if (rc < 0) {
        return hoist_fail(ctx, 400, "idempotency-key-invalid",
                          "The idempotency key is too long");
    }
    claimed_t *claimed = claimed_new(&self->claims, ctx, &name);
    if (claimed == NULL) {
        return -ENOBUFS;
    }
    digest_event(self, ctx, &claimed->claim);
    return do_once(self, ctx, claimed, whose_text(&holder));
}

static const hoist_middleware table = {.init = idempotency_init,
                                       .run = idempotency_run,
                                       .fini = idempotency_fini};
const hoist_middleware *const hoist_idempotency = &table;
