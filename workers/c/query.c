/* SPDX-License-Identifier: MIT
 *
 * What a handler may ask its broker, and how the answer is read.
 */
#include "base/xalloc.h"
#include "workers/c/asked.h"

#include <errno.h>
#include <stdlib.h>

#define ROWS_MAX    1000
#define CURSOR_MAX  4096
#define QUERY_SLACK 64 /* bytes of a QUERY beside its texts */

/* --- the event that asks ----------------------------------------------- */

static void free_query(query_t *query)
{
    ctx_fini(&query->ctx);
    buf_fini(&query->bytes);
    buf_fini(&query->words);
    free(query);
}

void query_destroy(query_t **query_p)
{
    if (*query_p != NULL) {
        free_query(*query_p);
        *query_p = NULL;
    }
}

/* Copy the REQUEST: its frame goes away when the handler returns. */
static int copy_request(query_t *query, const message_request_t *request)
{
    message_t message;
    int rc = message_put_request(&query->bytes, request);

    if (rc == 0) {
        wire_bytes_t bytes = {query->bytes.data, query->bytes.len};
        wire_cursor_t at = wire_cursor(bytes);
        must(message_decode(&at, &message) == 1); /* it was decoded before */
        query->request = message.request;
    }
    return rc;
}

query_t *query_new(const hoist_ctx *ctx)
{
    query_t *query = calloc(1, sizeof *query);

    if (query == NULL) {
        return NULL;
    }
    list_init(&query->link);
    ctx_init(&query->ctx, ctx->app);
    query->ctx.home = query;
    query->ctx.outbox = ctx->outbox;
    query->ctx.asked = ctx->asked;
    query->ctx.came_ms = ctx->came_ms;
    query->ctx.due_ms = ctx->due_ms;
    query->ctx.is_hurried = ctx->is_hurried;
    query->came_ms = ctx->came_ms;
    buf_init(&query->bytes, FRAME_MAX + (1u << 10));
    if (ctx_is_task(ctx)) {
        query->ctx.head.ws = NULL;
        return query;
    }
    query->ctx.request = &query->request;
    query->ctx.route = ctx->route;
    if (copy_request(query, ctx->request) < 0) {
        query_destroy(&query);
    }
    return query;
}

/* --- the question ------------------------------------------------------ */

/* ["word", text], or ["word"] where text has no data. */
static int put_what(buf_t *out, const char *word, hoist_text text)
{
    bool has_text = text.data != NULL;
    int rc = wire_put_array(out, has_text ? 2 : 1);

    if (rc == 0) {
        rc = wire_put_text(out, word);
    }
    if (rc == 0 && has_text) {
        rc = wire_put_str(out, wire_of(text));
    }
    return rc;
}

static int put_flag(buf_t *out, const char *key)
{
    int rc = wire_put_text(out, key);

    return rc < 0 ? rc : wire_put_bool(out, true);
}

static int put_options(buf_t *out, const hoist_find_options *options)
{
    bool has_cursor = options->cursor.len > 0;
    uint32_t entries = (uint32_t)has_cursor + (options->limit > 0) +
                       options->live + options->count;
    int rc = wire_put_map(out, entries);

    if (rc == 0 && options->limit > 0 &&
        (rc = wire_put_text(out, "limit")) == 0) {
        rc = wire_put_uint(out, options->limit);
    }
    if (rc == 0 && has_cursor && (rc = wire_put_text(out, "cursor")) == 0) {
        rc = wire_put_str(out, wire_of(options->cursor));
    }
    if (rc == 0 && options->live) {
        rc = put_flag(out, "live");
    }
    if (rc == 0 && options->count) {
        rc = put_flag(out, "count");
    }
    return rc;
}

static int put_words(query_t *query, const char *word, hoist_text text,
                     const hoist_find_options *options)
{
    buf_t *parts = &query->ctx.scratch;

    parts->len = 0;
    int rc = put_what(parts, word, text);
    size_t what_len = parts->len;
    if (rc == 0) {
        rc = put_options(parts, options);
    }
    if (rc < 0) {
        return rc;
    }
    message_query_t message = {
        .id = query->id,
        .what = {parts->data, what_len},
        .options = {parts->data + what_len, parts->len - what_len},
    };
    buf_init(&query->words, parts->len + QUERY_SLACK);
    return message_put_query(&query->words, &message);
}

/* May it be asked for?  An absent one is an empty one. */
static int check_text(hoist_text *text, size_t max)
{
    if (text->data == NULL) {
        *text = hoist_str("");
    }
    return text->len > max ? -EMSGSIZE : !is_utf8(*text) ? -EILSEQ : 0;
}

static int check_options(const hoist_find_options *options)
{
    hoist_text cursor = options->cursor;
    bool is_wrong =
        options->limit > ROWS_MAX || options->timeout_ms > ASKED_TIMEOUT_MAX;

    return is_wrong ? -EINVAL : check_text(&cursor, CURSOR_MAX);
}

int ctx_may_ask(const hoist_ctx *self)
{
    int rc = ctx_may_go_on(self);

    if (rc == 0 && self->call_of != NULL) {
        rc = -EDEADLK;
    }
    return rc == 0 && self->asked == NULL ? -ENOTCONN : rc;
}

int64_t ctx_time_for(const hoist_ctx *self, int64_t wanted_ms)
{
    int64_t left_ms =
        self->is_hurried ? hoist_deadline_left_ms(self) : INT64_MAX;

    return left_ms >= wanted_ms ? wanted_ms : left_ms > 1 ? left_ms : 1;
}

static int put(query_t *query, const char *word, hoist_text text,
               const hoist_find_options *options)
{
    asked_t *asked = query->ctx.asked;

    query->id = asked_next_id(asked);
    query->timeout_ms =
        ctx_time_for(&query->ctx, options->timeout_ms > 0 ? options->timeout_ms
                                                          : ASKED_TIMEOUT_MS);
    int rc = put_words(query, word, text, options);
    return rc < 0 ? rc : asked_put(asked, query);
}

/* text: without data for a question that has none. */
static int ask(hoist_ctx *ctx, const char *word, hoist_text text,
               const hoist_find_options *options, hoist_answer_handler *handler,
               void *data)
{
    const hoist_find_options usual = {0};
    int rc = ctx_may_ask(ctx);

    options = options != NULL ? options : &usual;
    if (rc == 0) {
        rc = handler == NULL ? -EINVAL : check_options(options);
    }
    if (rc < 0) {
        return rc;
    }
    query_t *query = ctx->home != NULL ? ctx->home : query_new(ctx);
    if (query == NULL) {
        return -ENOMEM;
    }
    rc = put(query, word, text, options);
    if (rc == 0) {
        query->handler = handler;
        query->pushed = NULL;
        query->resumed.run = NULL;
        query->data = data;
        ctx->query = query;
        return 0;
    }
    buf_fini(&query->words);
    if (query != ctx->home) {
        query_destroy(&query);
    }
    return rc;
}

int hoist_find_connection(hoist_ctx *ctx, hoist_text connection,
                          const hoist_find_options *options,
                          hoist_answer_handler *handler, void *data)
{
    int rc = check_text(&connection, CONN_NAMED_MAX);

    return rc < 0 ? rc
                  : ask(ctx, "connection", connection, options, handler, data);
}

int hoist_find_user(hoist_ctx *ctx, hoist_text user,
                    const hoist_find_options *options,
                    hoist_answer_handler *handler, void *data)
{
    int rc = check_text(&user, USER_MAX);

    return rc < 0 ? rc : ask(ctx, "user", user, options, handler, data);
}

int hoist_find_tenant(hoist_ctx *ctx, hoist_text tenant,
                      const hoist_find_options *options,
                      hoist_answer_handler *handler, void *data)
{
    int rc = check_text(&tenant, TENANT_MAX);

    return rc < 0 ? rc : ask(ctx, "tenant", tenant, options, handler, data);
}

int hoist_find_group(hoist_ctx *ctx, hoist_text group,
                     const hoist_find_options *options,
                     hoist_answer_handler *handler, void *data)
{
    int rc = group.len == 0 ? -EINVAL : check_text(&group, GROUP_MAX);

    return rc < 0 ? rc : ask(ctx, "group", group, options, handler, data);
}

int hoist_find_count(hoist_ctx *ctx, const hoist_find_options *options,
                     hoist_answer_handler *handler, void *data)
{
    return ask(ctx, "count", hoist_str(NULL), options, handler, data);
}

/* --- the answer -------------------------------------------------------- */

hoist_answer answer_of(const message_result_t *result)
{
    hoist_answer answer = {
        .status = (int)result->status,
        .rows = wire_cursor(result->rows),
        .options = result->options,
    };

    if (result->rows.len > 0) {
        (void)wire_get_array(&answer.rows, &answer.left); /* or it stays 0 */
    }
    return answer;
}

int hoist_answer_status(const hoist_answer *answer)
{
    return answer->status;
}

hoist_text hoist_answer_cursor(const hoist_answer *answer)
{
    return lend(wire_map_str(answer->options, "cursor"));
}

uint64_t hoist_answer_count(const hoist_answer *answer)
{
    return wire_map_uint(answer->options, "count", 0);
}

/* [connection, context, …] */
static int get_row(wire_cursor_t *at, wire_bytes_t *conn, wire_bytes_t *context)
{
    wire_bytes_t more;
    uint32_t fields;

    if (wire_get_array(at, &fields) < 0 || fields < 2 ||
        wire_get_str(at, conn) < 0 || wire_get_raw_map(at, context) < 0) {
        return -EPROTO;
    }
    while (fields-- > 2) {
        if (wire_get_raw(at, &more) < 0) {
            return -EPROTO;
        }
    }
    return 0;
}

bool hoist_answer_next(hoist_answer *answer, hoist_row *row)
{
    wire_bytes_t conn, context;

    if (answer->left == 0 || get_row(&answer->rows, &conn, &context) < 0) {
        answer->left = 0;
        return false;
    }
    answer->left--;
    *row = (hoist_row){
        .connection = lend(conn),
        .user = lend(wire_map_str(context, "user")),
        .tenant = lend(wire_map_str(context, "tenant")),
        .ip = lend(wire_map_str(context, "ip")),
        .connected_at_ms = (int64_t)wire_map_uint(context, "connected_at", 0),
        .last_active_at_ms =
            (int64_t)wire_map_uint(context, "last_active_at", 0),
        .ttl_s = (uint32_t)wire_map_uint(context, "ttl", 0),
        .context = lend(context),
    };
    return true;
}

hoist_text hoist_row_attribute(const hoist_row *row, const char *name)
{
    return lend(context_attribute(wire_of(row->context), name));
}
