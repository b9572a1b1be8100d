/* SPDX-License-Identifier: MIT */
#include "workers/c/buckets.h"

#include "base/tokens.h"

#include <errno.h>

#define FORGOTTEN_AT_ONCE 2 /* faster than they can come */

typedef struct {
    keyed_t keyed; /* first: it is one */
    tokens_t tokens;
} bucket_t;

static bucket_t *bucket_of(keyed_t *entry)
{
    return (bucket_t *)entry;
}

void buckets_init(buckets_t *self, size_t max)
{
    *self = (buckets_t){.evicted = 0};
    keyed_init(&self->table, sizeof(bucket_t), max);
}

void buckets_fini(buckets_t *self)
{
    keyed_fini(&self->table);
}

static void forget_full_ones(buckets_t *self, int64_t now_ms)
{
    for (int i = 0; i < FORGOTTEN_AT_ONCE; i++) {
        keyed_t *oldest = keyed_oldest(&self->table);
        if (oldest == NULL ||
            !tokens_are_full(&bucket_of(oldest)->tokens, now_ms)) {
            return;
        }
        keyed_drop(&self->table, oldest);
    }
}

static keyed_t *add(buckets_t *self, hoist_text name, int64_t now_ms)
{
    forget_full_ones(self, now_ms);
    if (keyed_is_full(&self->table)) {
        keyed_drop(&self->table, keyed_oldest(&self->table));
        self->evicted++;
    }
    return keyed_add(&self->table, name);
}

int buckets_spend(buckets_t *self, hoist_text name, const hoist_bucket *bucket,
                  int64_t now_ms, int64_t *wait_ms)
{
    rate_t rate = rate_of_period(1, bucket->token_ns, bucket->burst);
    keyed_t *entry = keyed_find(&self->table, name);

    if (entry == NULL && (entry = add(self, name, now_ms)) == NULL) {
        return -ENOMEM;
    }
    keyed_touch(&self->table, entry);
    tokens_t *tokens = &bucket_of(entry)->tokens;
    int64_t wait_ns = tokens_wait_ns(tokens, &rate, now_ms);
    *wait_ms = (wait_ns + TOKENS_MS_NS - 1) / TOKENS_MS_NS;
    if (wait_ns == 0) {
        tokens_spend(tokens, &rate, now_ms, 1);
    }
    return 0;
}
