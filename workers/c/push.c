/* SPDX-License-Identifier: MIT
 *
 * What handlers and tasks send to connections besides replies.
 */
#include "base/xalloc.h"
#include "workers/c/asked.h"

#include <errno.h>

/* --- what is asked for --------------------------------------------------- */

int check_name(hoist_text name, size_t max)
{
    if (name.len == 0) {
        return -EINVAL;
    }
    return name.len > max ? -EMSGSIZE : !is_utf8(name) ? -EILSEQ : 0;
}

static int check_id(hoist_text connection)
{
    bool is_id = connection.len == CONN_ID_TEXT;

    return !is_id ? -EINVAL : !is_utf8(connection) ? -EILSEQ : 0;
}

static int check_body(hoist_type type, hoist_text body)
{
    if (type != HOIST_TEXT && type != HOIST_BINARY) {
        return -EINVAL;
    }
    return type == HOIST_TEXT && !is_utf8(body) ? -EILSEQ : 0;
}

/* What is said of a lost event or task would reach nobody. */
static int check_broker(const hoist_ctx *ctx)
{
    return ctx->over == -ENOTCONN ? -ENOTCONN : 0;
}

/* A word and the names behind it. */
typedef struct {
    const char *word;
    const hoist_text *names; /* borrowed */
    size_t count;
    size_t max; /* bytes of each; 0: they are ids of connections */
} words_t;

/* Returns 0, or -EINVAL for a target that none of hoist.h's functions made. */
static int words_of(const hoist_target *target, words_t *words)
{
    switch (target->kind) {
    case HOIST_TO_CONNECTION:
        *words = (words_t){"connection", &target->name, 1, 0};
        return 0;
    case HOIST_TO_CONNECTIONS:
        *words = (words_t){"connection", target->names, target->count, 0};
        return target->count > 0 && target->count <= TARGETS_MAX ? 0 : -EINVAL;
    case HOIST_TO_USER:
        *words = (words_t){"user", &target->name, 1, USER_MAX};
        return 0;
    case HOIST_TO_TENANT:
        *words = (words_t){"tenant", &target->name, 1, TENANT_MAX};
        return 0;
    case HOIST_TO_GROUP:
        *words = (words_t){"group", &target->name, 1, GROUP_MAX};
        return 0;
    case HOIST_TO_ALL:
        *words = (words_t){"all", NULL, 0, 0};
        return 0;
    }
    return -EINVAL;
}

/* Who lists connections leaves them out of the list. */
static int check_options(const words_t *words,
                         const hoist_push_options *options)
{
    bool is_list = words->count > 0 && words->max == 0;

    return options->except_count > EXCEPT_MAX ||
                   options->ttl_ms > DURATION_MAX ||
                   (options->except_count > 0 && is_list)
               ? -EINVAL
               : 0;
}

/* --- a PUSH -------------------------------------------------------------- */

static int put_ids(buf_t *out, const hoist_text *ids, size_t count)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = check_id(ids[i]);
        if (rc == 0) {
            rc = wire_put_str(out, wire_of(ids[i]));
        }
    }
    return rc;
}

/* [word, name, …] */
static int put_target(buf_t *out, const words_t *words)
{
    int rc = wire_put_array(out, (uint32_t)words->count + 1);

    if (rc == 0) {
        rc = wire_put_text(out, words->word);
    }
    if (rc < 0 || words->count == 0) {
        return rc;
    }
    if (words->max == 0) {
        return put_ids(out, words->names, words->count);
    }
    rc = check_name(words->names[0], words->max);
    return rc < 0 ? rc : wire_put_str(out, wire_of(words->names[0]));
}

static int put_number(buf_t *out, const char *key, uint64_t value)
{
    int rc = wire_put_text(out, key);

    return rc < 0 ? rc : wire_put_uint(out, value);
}

/* ack: 0 for none.  Nothing where there is no option. */
static int put_options(buf_t *out, const hoist_push_options *options,
                       uint64_t ack)
{
    uint32_t entries = (uint32_t)(options->except_count > 0) +
                       (options->ttl_ms > 0) + (ack != 0);
    int rc = entries > 0 ? wire_put_map(out, entries) : 0;

    if (rc == 0 && ack != 0) {
        rc = put_number(out, "ack", ack);
    }
    if (rc == 0 && options->ttl_ms > 0) {
        rc = put_number(out, "ttl", options->ttl_ms);
    }
    if (rc < 0 || options->except_count == 0) {
        return rc;
    }
    rc = wire_put_text(out, "except");
    if (rc == 0) {
        rc = wire_put_array(out, (uint32_t)options->except_count);
    }
    return rc < 0 ? rc : put_ids(out, options->except, options->except_count);
}

/* What a push is made of, as the program gave it. */
typedef struct {
    const hoist_target *target;
    hoist_type type;
    hoist_text body;
    const hoist_push_options *options;
} parts_t;

static int put(hoist_ctx *ctx, const parts_t *parts, uint64_t ack)
{
    buf_t *scratch = &ctx->scratch;
    words_t words;
    int rc = check_body(parts->type, parts->body);

    if (rc < 0 || (rc = words_of(parts->target, &words)) < 0 ||
        (rc = check_options(&words, parts->options)) < 0) {
        return rc;
    }
    scratch->len = 0;
    rc = put_target(scratch, &words);
    size_t target_len = scratch->len;
    if (rc < 0 || (rc = put_options(scratch, parts->options, ack)) < 0) {
        return rc;
    }
    message_push_t message = {
        .target = {scratch->data, target_len},
        .body = {(body_type_t)parts->type, wire_of(parts->body)},
        .options = {scratch->data + target_len, scratch->len - target_len},
    };
    return outbox_push(ctx->outbox, &message);
}

/* A push whose PUSHED this receipt is for.  *id is the receipt's, or 0 when it
 * fails. */
static int put_with(hoist_ctx *ctx, const parts_t *parts,
                    const receipt_t *receipt, uint64_t *id)
{
    receipts_t *receipts = &ctx->asked->receipts;
    receipt_t undone;

    *id = 0;
    int rc = receipts_put(receipts, receipt, id);
    if (rc < 0) {
        return rc;
    }
    rc = put(ctx, parts, *id);
    if (rc < 0) {
        must(receipts_take(receipts, *id, &undone));
        *id = 0;
    }
    return rc;
}

static const hoist_push_options usual; /* all zero */

int hoist_push_to(hoist_ctx *ctx, hoist_target target, hoist_type type,
                  hoist_text body, const hoist_push_options *options)
{
    const parts_t parts = {&target, type, body,
                           options != NULL ? options : &usual};
    const receipt_t receipt = {.handler = parts.options->told,
                               .data = parts.options->data};
    uint64_t id;
    int rc = check_broker(ctx);

    if (rc < 0 || receipt.handler == NULL) {
        return ctx_noted(ctx, rc < 0 ? rc : put(ctx, &parts, 0));
    }
    return ctx->asked == NULL
               ? -ENOTCONN
               : ctx_noted(ctx, put_with(ctx, &parts, &receipt, &id));
}

int hoist_push_then(hoist_ctx *ctx, hoist_target target, hoist_type type,
                    hoist_text body, const hoist_push_options *options)
{
    int rc =
        options == NULL || options->told == NULL ? -EINVAL : ctx_may_ask(ctx);

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
    rc = put_with(ctx, &(parts_t){&target, type, body, options},
                  &(receipt_t){.query = query}, &query->receipt);
    if (rc == 0) {
        query->pushed = options->told;
        query->resumed.run = NULL;
        query->data = options->data;
        query->timeout_ms = ctx_time_for(&query->ctx, ASKED_TIMEOUT_MS);
        ctx->query = query;
        asked_wait(ctx->asked, query);
    } else if (query != ctx->home) {
        query_destroy(&query);
    }
    return rc;
}

int hoist_push(hoist_ctx *ctx, const hoist_text *connections, size_t count,
               hoist_type type, hoist_text body)
{
    return hoist_push_to(ctx, hoist_to_connections(connections, count), type,
                         body, NULL);
}

int hoist_push_one(hoist_ctx *ctx, hoist_text connection, hoist_type type,
                   hoist_text body)
{
    return hoist_push_to(ctx, hoist_to_connection(connection), type, body,
                         NULL);
}

/* --- groups -------------------------------------------------------------- */

static int put_join(hoist_ctx *ctx, message_kind_t kind, hoist_text group,
                    hoist_text connection)
{
    const message_join_t join = {.group = wire_of(group),
                                 .conn = wire_of(connection)};
    int rc = check_name(group, GROUP_MAX);

    if (rc < 0 || (rc = check_id(connection)) < 0 ||
        (rc = check_broker(ctx)) < 0) {
        return rc;
    }
    return outbox_join(ctx->outbox, kind, &join);
}

int hoist_join(hoist_ctx *ctx, hoist_text group, hoist_text connection)
{
    return ctx_noted(ctx, put_join(ctx, KIND_JOIN, group, connection));
}

int hoist_leave(hoist_ctx *ctx, hoist_text group, hoist_text connection)
{
    return ctx_noted(ctx, put_join(ctx, KIND_LEAVE, group, connection));
}

/* --- closes -------------------------------------------------------------- */

int hoist_close(hoist_ctx *ctx, hoist_text connection, unsigned code,
                const char *reason)
{
    message_close_t close = {
        .conn = wire_of(connection),
        .code = code,
        .reason = wire_bytes(reason != NULL ? reason : ""),
    };
    int rc = check_id(connection);

    if (rc < 0) {
        return rc;
    }
    if (!close_code_is_allowed(code) || close.reason.len > REASON_MAX) {
        return -EINVAL;
    }
    if (!utf8_is_valid(close.reason.data, close.reason.len)) {
        return -EILSEQ;
    }
    rc = check_broker(ctx);
    return rc < 0 ? rc : outbox_close(ctx->outbox, &close);
}
