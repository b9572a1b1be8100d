/* SPDX-License-Identifier: MIT */
#include "workers/c/middleware/replay.h"

#include "proto/json.h"
#include "workers/c/core.h"
#include "workers/c/shape.h"

#include <errno.h>
#include <stdio.h>

/* Is it one JSON object?  Behind which byte does that begin? */
static bool is_object(const hoist_outcome *outcome, size_t *behind)
{
    static const hoist_rule object = {.type = HOIST_JSON_OBJECT};
    wire_cursor_t at = wire_cursor(wire_of(outcome->body));
    shape_verdict_t verdict;

    if (outcome->type != HOIST_TEXT) {
        return false;
    }
    shape_verify(&object, wire_of(outcome->body), SHAPE_DEPTH_MAX, (locale_t)0,
                 &verdict);
    if (verdict.problem != SHAPE_FITS) {
        return false;
    }
    json_skip_space(&at);
    *behind = outcome->body.len - (size_t)(at.end - at.at) + 1;
    return true;
}

/* Is there a member behind the bracket? */
static bool has_member(hoist_text rest)
{
    wire_cursor_t at = wire_cursor(wire_of(rest));

    json_skip_space(&at);
    return *at.at != '}';
}

/* Of two members of one name that behind counts, so the handler's own wins. */
static int reply_marked(hoist_ctx *ctx, const hoist_outcome *outcome,
                        size_t behind, const char *mark)
{
    hoist_text rest =
        hoist_bytes(outcome->body.data + behind, outcome->body.len - behind);
    char member[REPLAY_MARK_MAX + 16];
    int len = snprintf(member, sizeof member, "\"%s\":true%s", mark,
                       has_member(rest) ? "," : "");
    buf_t *whole = &ctx->scratch;

    whole->len = 0;
    if (buf_put(whole, outcome->body.data, behind) < 0 ||
        buf_put(whole, member, (size_t)len) < 0 ||
        buf_put(whole, rest.data, rest.len) < 0) {
        return -ENOMEM;
    }
    return hoist_reply(ctx, outcome->status, HOIST_TEXT,
                       hoist_bytes(whole->data, whole->len));
}

static int say_done(hoist_ctx *ctx, int status)
{
    char details[32];

    (void)snprintf(details, sizeof details, "{\"status\":%d}", status);
    return hoist_fail_with(
        ctx, &(hoist_error){.status = 409,
                            .code = hoist_str("already-done"),
                            .message = hoist_str("The reply was too long to be "
                                                 "kept"),
                            .details = hoist_str(details)});
}

int replay_outcome(hoist_ctx *ctx, const hoist_outcome *outcome,
                   const char *mark)
{
    size_t behind;

    if (outcome->is_cut) {
        return say_done(ctx, outcome->status);
    }
    if (mark[0] != '\0' && is_object(outcome, &behind)) {
        return reply_marked(ctx, outcome, behind, mark);
    }
    return hoist_reply(ctx, outcome->status, outcome->type, outcome->body);
}
