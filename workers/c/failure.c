/* SPDX-License-Identifier: MIT
 *
 * Events that fail.  A failure begins as a negative result, of hoist_fail or of
 * anything else, and is carried outwards by ctx_settle until a layer has an
 * answer to it; if none has, it becomes the event's outcome.
 */
#include "base/xalloc.h"
#include "proto/json_out.h"
#include "workers/c/asked.h"

#include <errno.h>

static const hoist_text no_text = {NULL, 0};

/* Copy what fits, and no broken character at its end: it goes out as text. */
static void copy_text(char *to, size_t size, hoist_text text)
{
    size_t len = text.len;

    if (len >= size) {
        len = size - 1;
        while (len > 0 && ((unsigned char)text.data[len] & 0xc0) == 0x80) {
            len--;
        }
    }
    if (len > 0) {
        memcpy(to, text.data, len);
    }
    to[len] = '\0';
}

/* The event has failed: its answer is still to come, and changes nothing. */
static void abandon_query(hoist_ctx *ctx)
{
    if (ctx->query != NULL) {
        ctx->query->ctx.over = -EALREADY;
        ctx->abandoned = ctx->query;
        ctx->query = NULL;
    }
}

static void copy_details(failure_t *self, hoist_text details)
{
    bool fits = details.len < sizeof self->details && is_utf8(details);

    copy_text(self->details, sizeof self->details, fits ? details : no_text);
}

int hoist_fail_with(hoist_ctx *ctx, const hoist_error *error)
{
    const int status = error->status;
    failure_t failure = {
        .result = -ECANCELED,
        .status = status >= 400 && status <= 599 ? status : 500,
    };

    if (ctx->over == -EALREADY) {
        return -ECANCELED; /* it has its outcome */
    }
    if (ctx->status != 0) {
        reply_withdraw(ctx);
    }
    copy_text(failure.code, sizeof failure.code, error->code);
    copy_text(failure.message, sizeof failure.message, error->message);
    copy_details(&failure, error->details);
    ctx->failure = failure; /* whose texts the error's may have been */
    return -ECANCELED;
}

int hoist_fail(hoist_ctx *ctx, int status, const char *code,
               const char *message)
{
    return hoist_fail_with(ctx, &(hoist_error){.status = status,
                                               .code = hoist_str(code),
                                               .message = hoist_str(message)});
}

hoist_error hoist_error_of(const hoist_ctx *ctx)
{
    const failure_t *failure = &ctx->failure;

    return (hoist_error){
        .status = failure->result != 0 ? failure_status(failure) : 0,
        .code = hoist_str(failure->code),
        .message = hoist_str(failure->message),
        .details = hoist_str(failure->details),
    };
}

const char *hoist_error_code(const hoist_ctx *ctx)
{
    return ctx->failure.code;
}

const char *hoist_error_message(const hoist_ctx *ctx)
{
    return ctx->failure.message;
}

int ctx_settle_failure(hoist_ctx *ctx, int rc)
{
    failure_t *failure = &ctx->failure;

    rc = program_result(rc);
    if (rc == 0 && ctx->status == 0) {
        rc = failure->result; /* it stays one, though a layer dropped it */
    }
    if (rc == 0) {
        return 0;
    }
    abandon_query(ctx);
    if (ctx->status != 0 && !ctx_refuses(ctx, ctx->status)) {
        reply_withdraw(ctx); /* success that turned out to be none */
    }
    failure->result = rc;
    failure->is_ours = true;
    return rc;
}

static int status_of(int error)
{
    switch (-error) {
    case EINVAL:
    case EBADMSG:
    case EPROTO:
    case EILSEQ:
        return 400;
    case EACCES:
    case EPERM:
        return 403;
    case ENOENT:
        return 404;
    case EEXIST:
        return 409;
    case EMSGSIZE:
        return 413;
    case EAGAIN:
        return 429;
    case EBUSY:
    case ENOBUFS:
        return 503;
    case ETIMEDOUT:
        return 504;
    default:
        return 500;
    }
}

int failure_status(const failure_t *self)
{
    return self->status != 0 ? self->status : status_of(self->result);
}

const char *failure_reason(const failure_t *self, int rc)
{
    if (self->status != 0) {
        return self->message;
    }
    return rc < 0 ? strerror(-rc) : "";
}

/* The words for a failure that has none. */
static const struct {
    int status;
    const char *code, *message;
} usual_words[] = {
    {400, "bad-request", "Bad Request"},
    {403, "forbidden", "Forbidden"},
    {404, "not-found", "Not Found"},
    {409, "conflict", "Conflict"},
    {413, "too-long", "Message too long"},
    {429, "too-many-requests", "Too Many Requests"},
    {503, "unavailable", "Service Unavailable"},
    {504, "timeout", "Endpoint request timed out"},
    {499, "failed", "Bad Request"}, /* and below */
    {599, "internal", "Internal server error"},
};

#define ROWS (sizeof usual_words / sizeof usual_words[0])

/* The index of a status's own words, or of those for all like it. */
static size_t find_words(int status)
{
    for (size_t i = 0; i < ROWS - 2; i++) {
        if (usual_words[i].status == status) {
            return i;
        }
    }
    return status < 500 ? ROWS - 2 : ROWS - 1;
}

const char *failure_word(int status)
{
    return usual_words[find_words(status)].code;
}

static wire_bytes_t either(const char *own, const char *usual)
{
    return wire_bytes(*own != '\0' ? own : usual);
}

/* What the handler said, as JSON; all that is known where it is to be told. */
static void put_failure(hoist_ctx *ctx, json_out_t *json)
{
    const failure_t *failure = &ctx->failure;
    size_t usual = find_words(failure_status(failure));
    bool tells = ctx->values.size.tells_failure;

    json_put_open(json, '{');
    json_put_field(json, "code",
                   either(failure->code, tells ? usual_words[usual].code : ""));
    json_put_field(
        json, "message",
        either(failure->message, tells ? usual_words[usual].message : ""));
    if (failure->details[0] != '\0') {
        json_put_key(json, "details");
        json_put_raw(json, wire_bytes(failure->details));
    }
    if (tells) {
        json_put_field(json, "requestId", wire_of(hoist_request_id_of(ctx)));
    }
    json_put_close(json, '}');
}

/* Does the client see the body of a failure? */
static bool has_words(const hoist_ctx *ctx)
{
    return event_is_counted(ctx->request->event) &&
           (ctx->values.size.tells_failure ||
            (ctx->request->event == EVENT_CONNECT && ctx->failure.status != 0));
}

const char *failure_code(const hoist_ctx *ctx)
{
    const failure_t *failure = &ctx->failure;
    bool has_usual = failure->is_told && ctx->values.size.tells_failure &&
                     event_is_counted(ctx->request->event);

    return *failure->code != '\0' || !has_usual
               ? failure->code
               : failure_word(failure_status(failure));
}

void failure_log(hoist_ctx *ctx, brake_t *brake)
{
    hoist_text id = hoist_request_id_of(ctx), route = hoist_route(ctx);
    hoist_text conn = hoist_connection(ctx);
    uint32_t suppressed;

    if (!brake_pass(brake, LEVEL_WARN, &suppressed)) {
        return;
    }
    log_warn("WORKER-HANDLER-FAILED",
             "request=%.*s route=%.*s connection=%.*s status=%d code=%s "
             "error=\"%s\" suppressed=%u",
             (int)id.len, id.data, (int)route.len, route.data, (int)conn.len,
             conn.data, hoist_replied(ctx), failure_code(ctx),
             failure_reason(&ctx->failure, ctx->failure.result), suppressed);
}

/* Bytes of such a reply, each of its texts escaped, and of what else a CONNECT
 * is refused with. */
#define REPLY_MAX                                                              \
    (6 * (ERROR_CODE_MAX + ERROR_MESSAGE_MAX + REQUEST_ID_TEXT) +              \
     ERROR_DETAILS_MAX + HEADERS_MAX + 512)

_Static_assert((size_t)(ASKED_MAX + 1) * REPLY_MAX < OUTBOX_RESERVE,
               "the reserve is enough for all that wait, and one that runs");

void reply_failure(hoist_ctx *ctx)
{
    json_out_t json = json_out(&ctx->scratch);
    body_t body = {.type = BODY_NONE};

    ctx->failure.is_told = true;
    ctx->scratch.len = 0;
    if (has_words(ctx)) {
        put_failure(ctx, &json);
        body = (body_t){BODY_TEXT, {ctx->scratch.data, ctx->scratch.len}};
    }
    /* Where replies use the reserve up, too much waits for an event to begin:
     * those that are left are the one that runs and those that have asked.  So
     * only memory can be missing, and without that the worker could not keep
     * its promise of an outcome. */
    must(json.rc == 0 &&
         reply_send_failure(ctx, failure_status(&ctx->failure), body) == 0);
}
