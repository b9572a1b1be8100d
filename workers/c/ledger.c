/* SPDX-License-Identifier: MIT */
#include "workers/c/ledger.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "workers/c/buckets.h"
#include "workers/c/outcomes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>

#define WHY_MAX 256 /* bytes of a reason in the log */

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

static int unlock(memory_t *self, int rc)
{
    uint64_t evicted = self->buckets.evicted + self->outcomes.evicted;
    uint64_t more = evicted - self->told;

    self->told = evicted;
    pthread_mutex_unlock(&self->lock);
    if (more > 0) {
        hoist_count(self->evicted, more);
    }
    return rc;
}

static int memory_spend(hoist_ledger *ledger, hoist_text name,
                        const hoist_bucket *bucket, int64_t *wait_ms)
{
    int64_t now_ms = clock_mono_ms();
    memory_t *self = lock(ledger);

    return unlock(self,
                  buckets_spend(&self->buckets, name, bucket, now_ms, wait_ms));
}

static int memory_claim(hoist_ledger *ledger, const hoist_claim *claim,
                        hoist_outcome_handler *found, void *data)
{
    int64_t now_ms = clock_mono_ms();
    memory_t *self = lock(ledger);

    return unlock(self,
                  outcomes_claim(&self->outcomes, claim, now_ms, found, data));
}

static int memory_settle(hoist_ledger *ledger, const hoist_claim *claim,
                         const hoist_outcome *outcome, int64_t keep_ms)
{
    int64_t now_ms = clock_mono_ms();
    memory_t *self = lock(ledger);

    return unlock(self, outcomes_settle(&self->outcomes, claim, outcome, now_ms,
                                        keep_ms));
}

static int memory_release(hoist_ledger *ledger, const hoist_claim *claim)
{
    memory_t *self = lock(ledger);

    return unlock(self, outcomes_release(&self->outcomes, claim));
}

static void memory_explain(hoist_ledger *ledger, char *text, size_t size)
{
    (void)ledger;
    (void)snprintf(text, size, "no room");
}

static const hoist_ledger_table memory_table = {
    .spend = memory_spend,
    .claim = memory_claim,
    .settle = memory_settle,
    .release = memory_release,
    .explain = memory_explain,
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
    outcomes_init(&self->outcomes, keys, bytes);
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

int ledger_use_init(ledger_use_t *self, hoist_ledger *ledger,
                    const ledger_memory_t *memory)
{
    *self = (ledger_use_t){.ledger = ledger};
    if (ledger == NULL) {
        self->memory = memory_new(memory);
        self->ledger = self->memory;
    }
    if (self->ledger == NULL) {
        return -ENOMEM;
    }
    return 0;
}

void ledger_use_fini(ledger_use_t *self)
{
    memory_destroy(self->memory);
}

void ledger_use_failed(ledger_use_t *self, const char *middleware, int rc)
{
    char why[WHY_MAX] = "";

    self->ledger->table->explain(self->ledger, why, sizeof why);
    log_braked(&self->brake, LEVEL_WARN, "WORKER-LEDGER-FAILED",
               "middleware=%s error=\"%s\" reason=\"%s\"", middleware,
               strerror(-rc), why);
}
