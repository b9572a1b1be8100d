/* SPDX-License-Identifier: MIT
 *
 * Events that fail: what a handler says of it, and what that means to clients.
 */
#include "base/xalloc.h"
#include "workers/c/core.h"

#include <errno.h>
#include <stdio.h>

#define BODY_TEXT_MAX 4096 /* an error's JSON, every byte of it escaped */

/* Copy what fits, and no broken character at its end: it goes out as text. */
static void copy_text(char *to, size_t size, const char *text)
{
    size_t len = text != NULL ? strlen(text) : 0;

    if (len >= size) {
        len = size - 1;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) {
            len--;
        }
    }
    if (len > 0) {
        memcpy(to, text, len);
    }
    to[len] = '\0';
}

int hoist_fail(hoist_ctx *ctx, int status, const char *code,
               const char *message)
{
    if (ctx->status != 0) {
        reply_withdraw(ctx);
    }
    ctx->error_status = status >= 400 && status <= 599 ? status : 500;
    copy_text(ctx->error_code, sizeof ctx->error_code, code);
    copy_text(ctx->error_message, sizeof ctx->error_message, message);
    return -ECANCELED;
}

const char *hoist_error_code(const hoist_ctx *ctx)
{
    return ctx->error_code;
}

const char *hoist_error_message(const hoist_ctx *ctx)
{
    return ctx->error_message;
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

/* Append text as the inside of a JSON string. */
static size_t escape(char *out, size_t at, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            out[at++] = '\\';
            out[at++] = (char)c;
        } else if (c < 0x20) {
            at += (size_t)sprintf(out + at, "\\u%04x", c);
        } else {
            out[at++] = (char)c;
        }
    }
    return at;
}

static size_t append(char *out, size_t at, const char *text)
{
    size_t len = strlen(text);
    memcpy(out + at, text, len);
    return at + len;
}

/* {"code":"…","message":"…"}; returns its length. */
static size_t error_json(const hoist_ctx *ctx, char json[BODY_TEXT_MAX])
{
    size_t at = append(json, 0, "{\"code\":\"");

    at = escape(json, at, ctx->error_code);
    at = append(json, at, "\",\"message\":\"");
    at = escape(json, at, ctx->error_message);
    return append(json, at, "\"}");
}

void reply_failure(hoist_ctx *ctx, int error)
{
    int status = ctx->error_status != 0 ? ctx->error_status : status_of(error);
    char json[BODY_TEXT_MAX];
    body_t body = {.type = BODY_NONE};

    if (ctx->request->event == EVENT_CONNECT && ctx->error_status != 0) {
        size_t len = error_json(ctx, json);
        body = (body_t){BODY_TEXT, {(const uint8_t *)json, len}};
    }
    /* The outbox keeps room for one small reply behind any handler; without
     * memory for it the worker could not keep its promise of an outcome. */
    must(reply_send(ctx, status, body) == 0);
}
