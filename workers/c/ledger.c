/* SPDX-License-Identifier: MIT */
#include "workers/c/ledger.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "workers/c/buckets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>

/* --- in memory ----------------------------------------------------------- */

typedef struct {
    hoist_ledger ledger;    /* first: it is one */
    hoist_counter *evicted; /* borrowed */
    pthread_mutex_t lock;   /* of all below */
    buckets_t buckets;
    outcomes_t outcomes;
    uint64_t told; /* evictions that were counted */
} memory_t;

static memory_t *lock(hoist_ledger *ledger)
{
    memory_t *self = (memory_t *)ledger;

    pthread_mutex_lock(&self->lock);
    return self;
}

static int unlock(memory_t *self, int rc, hoist_reason *reason)
{
    uint64_t evicted = self->buckets.evicted + self->outcomes.evicted;
    uint64_t more = evicted - self->told;

    self->told = evicted;
    pthread_mutex_unlock(&self->lock);
    if (more > 0) {
        hoist_count(self->evicted, more);
    }
    if (rc < 0) {
        (void)snprintf(reason->text, sizeof reason->text, "no room");
    }
    return rc;
}

static int memory_spend(hoist_ledger *ledger, hoist_text name,
                        const hoist_bucket *bucket, int64_t *wait_ms,
                        hoist_reason *reason)
{
    int64_t now_ms = clock_mono_ms();
    memory_t *self = lock(ledger);
    int rc = buckets_spend(&self->buckets, name, bucket, now_ms, wait_ms);

    return unlock(self, rc, reason);
}

static int memory_claim(hoist_ledger *ledger, const hoist_claim *claim,
                        hoist_outcome_handler *found, void *data,
                        hoist_reason *reason)
{
    int64_t now_ms = clock_mono_ms();
    memory_t *self = lock(ledger);
    int rc = outcomes_claim(&self->outcomes, claim, now_ms, found, data);

    return unlock(self, rc, reason);
}

static int memory_settle(hoist_ledger *ledger, const hoist_claim *claim,
                         const hoist_outcome *outcome, int64_t keep_ms,
                         hoist_reason *reason)
{
    int64_t now_ms = clock_mono_ms();
    memory_t *self = lock(ledger);
    int rc = outcomes_settle(&self->outcomes, claim, outcome, now_ms, keep_ms);

    return unlock(self, rc, reason);
}

static int memory_release(hoist_ledger *ledger, const hoist_claim *claim,
                          hoist_reason *reason)
{
    memory_t *self = lock(ledger);

    return unlock(self, outcomes_release(&self->outcomes, claim), reason);
}

static const hoist_ledger_table memory_table = {
    .size = sizeof memory_table,
    .spend = memory_spend,
    .claim = memory_claim,
    .settle = memory_settle,
    .release = memory_release,
};

static hoist_ledger *memory_new(const ledger_memory_t *wanted)
{
    size_t keys = wanted->keys > 0 ? wanted->keys : LEDGER_KEYS;
    size_t bytes = wanted->bytes > 0 ? wanted->bytes : LEDGER_BYTES;
    memory_t *self = calloc(1, sizeof *self);

    if (self == NULL) {
        return NULL;
    }
    self->ledger.table = &memory_table;
    self->evicted = wanted->evicted;
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    buckets_init(&self->buckets, keys);
    outcomes_init(&self->outcomes, keys, bytes, wanted->whose);
    return &self->ledger;
}

static void memory_destroy(hoist_ledger *ledger)
{
    memory_t *self = (memory_t *)ledger;

    if (self != NULL) {
        buckets_fini(&self->buckets);
        outcomes_fini(&self->outcomes);
        pthread_mutex_destroy(&self->lock);
        free(self);
    }
}

/* --- a use --------------------------------------------------------------- */

int ledger_use_init(ledger_use_t *self, const char *middleware,
                    hoist_ledger *ledger, const ledger_memory_t *memory)
{
    *self = (ledger_use_t){.middleware = middleware, .ledger = ledger};
    if (ledger == NULL) {
        self->memory = memory_new(memory);
        self->ledger = self->memory;
    }
    if (self->ledger == NULL) {
        return -ENOMEM;
    }
    if (self->ledger->table->size < sizeof(hoist_ledger_table)) {
        return -EINVAL;
    }
    brake_init(&self->brake);
    return 0;
}

void ledger_use_fini(ledger_use_t *self)
{
    brake_fini(&self->brake);
    memory_destroy(self->memory);
}

/* The ledger could not tell. */
static int failed(ledger_use_t *self, int rc, const hoist_reason *reason)
{
    uint32_t suppressed;

    if (brake_pass(&self->brake, LEVEL_WARN, &suppressed)) {
        log_warn("WORKER-LEDGER-FAILED",
                 "middleware=%s error=\"%s\" reason=\"%s\" suppressed=%u",
                 self->middleware, strerror(-rc), reason->text, suppressed);
    }
    return rc;
}

int ledger_spend(ledger_use_t *self, hoist_text name,
                 const hoist_bucket *bucket, int64_t *wait_ms)
{
    hoist_reason reason = {""};
    int rc = self->ledger->table->spend(self->ledger, name, bucket, wait_ms,
                                        &reason);

    return rc < 0 ? failed(self, rc, &reason) : 0;
}

int ledger_claim(ledger_use_t *self, const hoist_claim *claim,
                 hoist_outcome_handler *found, void *data)
{
    hoist_reason reason = {""};
    int rc =
        self->ledger->table->claim(self->ledger, claim, found, data, &reason);

    if (rc > HOIST_CLAIM_OTHER) {
        rc = -EPROTO;
    }
    return rc < 0 ? failed(self, rc, &reason) : rc;
}

void ledger_settle(ledger_use_t *self, const hoist_claim *claim,
                   const hoist_outcome *outcome, int64_t keep_ms)
{
    hoist_reason reason = {""};
    int rc = self->ledger->table->settle(self->ledger, claim, outcome, keep_ms,
                                         &reason);

    if (rc < 0) {
        (void)failed(self, rc, &reason);
    }
}

void ledger_release(ledger_use_t *self, const hoist_claim *claim)
{
    hoist_reason reason = {""};
    int rc = self->ledger->table->release(self->ledger, claim, &reason);

    if (rc < 0) {
        (void)failed(self, rc, &reason);
    }
}
