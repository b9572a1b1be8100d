/* SPDX-License-Identifier: MIT
 *
 * What stood when a layer ran what is inside of it, so that it can run it again
 * from there when that has failed: what the event keeps, and what a CONNECT has
 * accepted.  There is a mark for each layer that is at work.  Nothing is
 * allocated once the buffer has its working size.
 */
#ifndef WORKERS_C_AGAIN_H
#define WORKERS_C_AGAIN_H

#include "base/buf.h"
#include "proto/message.h"
#include "workers/c/chain.h"
#include "workers/c/values.h"

/* Of a route, with the handler and what a test puts around (testing/test.c). */
#define LAYERS_MAX (2 * MIDDLEWARE_MAX + 2)

/* What a CONNECT's reply will carry (core.h). */
typedef struct accept accept_t;

/* Of what only grows the length is enough; what can be replaced is copied. */
typedef struct {
    size_t at; /* of the copies: user, tenant, attributes */
    size_t user_len, tenant_len, attributes_len, headers_len, groups_len;
    size_t refusal_len;
    bool has_user, has_tenant;
    uint32_t attribute_count, header_count, group_count, refusal_count;
    uint32_t ttl_s;
    wire_bytes_t subprotocol; /* borrowed: of the request */
} accept_mark_t;

typedef struct {
    values_mark_t values;
    accept_mark_t accept; /* of a CONNECT */
} again_mark_t;

typedef struct {
    buf_t copies; /* owned: of the outer layers first */
    again_mark_t marks[LAYERS_MAX];
} again_t;

void again_init(again_t *self);
void again_fini(again_t *self);

/* Another CONNECT begins. */
static inline void again_reset(again_t *self)
{
    self->copies.len = 0;
}

/* Remember what a CONNECT has accepted.  Returns 0, -ENOMEM. */
int again_keep_accept(again_t *self, accept_mark_t *mark,
                      const accept_t *accept);

#endif
