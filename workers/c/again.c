/* SPDX-License-Identifier: MIT */
#include "workers/c/again.h"

#include "workers/c/core.h"

#include <errno.h>

/* Copies of one layer; attributes may have their limit beside a former value
 * while one is set, never when a layer is left. */
#define COPIES_MAX (USER_MAX + TENANT_MAX + 2 * ATTRIBUTES_MAX)

#define NOWHERE    SIZE_MAX

void again_init(again_t *self)
{
    buf_init(&self->copies, (size_t)LAYERS_MAX * COPIES_MAX);
}

void again_fini(again_t *self)
{
    buf_fini(&self->copies);
}

int again_keep_accept(again_t *self, accept_mark_t *mark,
                      const accept_t *accept)
{
    const accept_name_t *user = &accept->user, *tenant = &accept->tenant;
    buf_t *copies = &self->copies;

    *mark = (accept_mark_t){
        .at = copies->len,
        .user_len = user->is_set ? user->len : 0,
        .tenant_len = tenant->is_set ? tenant->len : 0,
        .attributes_len = accept->attributes.len,
        .headers_len = accept->headers.len,
        .groups_len = accept->groups.len,
        .refusal_len = accept->refusal.len,
        .has_user = user->is_set,
        .has_tenant = tenant->is_set,
        .attribute_count = accept->attribute_count,
        .header_count = accept->header_count,
        .group_count = accept->group_count,
        .refusal_count = accept->refusal_count,
        .ttl_s = accept->ttl_s,
        .subprotocol = accept->subprotocol,
    };
    int rc = buf_put(copies, user->text, mark->user_len);
    if (rc == 0) {
        rc = buf_put(copies, tenant->text, mark->tenant_len);
    }
    if (rc == 0) {
        rc = buf_put(copies, accept->attributes.data, accept->attributes.len);
    }
    if (rc < 0) {
        mark->at = NOWHERE;
    }
    return rc;
}

static const uint8_t *return_name(accept_name_t *name, bool is_set, size_t len,
                                  const uint8_t *copy)
{
    name->is_set = is_set;
    name->len = len;
    if (len > 0) {
        memcpy(name->text, copy, len);
    }
    return copy + len;
}

/* It has accepted what it had then.  0; -ENOMEM when that is not known. */
static int return_accept(again_t *self, const accept_mark_t *mark,
                         accept_t *accept)
{
    size_t len = mark->user_len + mark->tenant_len + mark->attributes_len;

    if (mark->at == NOWHERE) {
        return -ENOMEM;
    }
    self->copies.len = mark->at + len; /* those of layers inside are over */
    if (len > 0) {
        const uint8_t *at = self->copies.data + mark->at;
        at = return_name(&accept->user, mark->has_user, mark->user_len, at);
        at = return_name(&accept->tenant, mark->has_tenant, mark->tenant_len,
                         at);
        if (mark->attributes_len > 0) { /* else it may have no memory yet */
            memcpy(accept->attributes.data, at, mark->attributes_len);
        }
    }
    accept->user.is_set = mark->has_user;
    accept->tenant.is_set = mark->has_tenant;
    accept->attributes.len = mark->attributes_len;
    accept->headers.len = mark->headers_len;
    accept->groups.len = mark->groups_len;
    accept->refusal.len = mark->refusal_len;
    accept->attribute_count = mark->attribute_count;
    accept->header_count = mark->header_count;
    accept->group_count = mark->group_count;
    accept->refusal_count = mark->refusal_count;
    accept->ttl_s = mark->ttl_s;
    accept->subprotocol = mark->subprotocol;
    return 0;
}

int again_return(hoist_ctx *ctx)
{
    const again_mark_t *mark = ctx->mark;
    int rc = 0;

    ctx->status = failure_status(&ctx->failure);
    ctx_run_finally(ctx, mark->values.size.finally);
    ctx->status = 0;
    values_return(&ctx->values, &mark->values);
    if (ctx->request->event == EVENT_CONNECT) {
        rc = return_accept(ctx->again, &mark->accept, &ctx->accept);
    }
    failure_forget(&ctx->failure);
    return rc;
}
