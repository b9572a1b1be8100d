/* SPDX-License-Identifier: MIT */
#include "workers/c/ledger.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "workers/c/buckets.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* When a use ends: how long it tries to tell what is owed, and how often. */
#define LAST_WORDS_MS 1000
#define LAST_EVERY_MS 50

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

static int memory_claim_for(hoist_ledger *ledger, const hoist_claim *claim,
                            hoist_text holder, hoist_outcome_handler *found,
                            void *data, hoist_reason *reason)
{
    int64_t now_ms = clock_mono_ms();
    memory_t *self = lock(ledger);
    int rc =
        outcomes_claim(&self->outcomes, claim, holder, now_ms, found, data);

    return unlock(self, rc, reason);
}

/* Who asks as one asks any ledger holds all himself. */
static int memory_claim(hoist_ledger *ledger, const hoist_claim *claim,
                        hoist_outcome_handler *found, void *data,
                        hoist_reason *reason)
{
    return memory_claim_for(ledger, claim, hoist_str(""), found, data, reason);
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

/* --- what is owed -------------------------------------------------------- */

static owed_t *lock_owed(ledger_use_t *self)
{
    pthread_mutex_lock(&self->lock);
    return &self->owed;
}

static void tell_dropped(ledger_use_t *self, uint64_t count)
{
    uint32_t suppressed;

    hoist_count(self->late.dropped, count);
    if (brake_pass(&self->dropped, LEVEL_WARN, &suppressed)) {
        log_warn("WORKER-LEDGER-DROPPED",
                 "middleware=%s count=%" PRIu64 " suppressed=%u",
                 self->middleware, count, suppressed);
    }
}

static void unlock_owed(ledger_use_t *self)
{
    uint64_t dropped = self->owed.dropped - self->counted;

    self->counted = self->owed.dropped;
    pthread_mutex_unlock(&self->lock);
    if (dropped > 0) {
        tell_dropped(self, dropped);
    }
}

/* outcome: NULL where the claim was released. */
static void owe(ledger_use_t *self, const hoist_claim *claim,
                const hoist_outcome *outcome, int64_t keep_ms)
{
    int64_t now_ms = clock_mono_ms();

    if (ledger_is_shared(self)) {
        owed_put(lock_owed(self), claim, outcome, keep_ms, now_ms);
        unlock_owed(self);
    }
}

static int claim_owed(ledger_use_t *self, const hoist_claim *claim,
                      hoist_outcome_handler *found, void *data)
{
    if (!ledger_is_shared(self)) {
        return HOIST_CLAIM_OURS;
    }
    int claimed = owed_claim(lock_owed(self), claim, found, data);
    unlock_owed(self);
    return claimed;
}

/* Returns whether the ledger has heard something: there may be more. */
static bool tell_next(ledger_use_t *self)
{
    const hoist_ledger_table *table = self->ledger->table;
    hoist_reason reason = {""};
    int64_t now_ms = clock_mono_ms();

    const debt_t *debt = owed_next(lock_owed(self), now_ms);
    unlock_owed(self);
    if (debt == NULL) {
        return false;
    }
    int rc = debt->is_settled
                 ? table->settle(self->ledger, &debt->claim, &debt->outcome,
                                 debt->keep_ms, &reason)
                 : table->release(self->ledger, &debt->claim, &reason);
    owed_told(lock_owed(self), rc == 0);
    unlock_owed(self);
    if (rc == 0) {
        hoist_count(self->late.told, 1);
    }
    return rc == 0;
}

void ledger_tell(ledger_use_t *self, int64_t ms)
{
    int64_t until_ms = clock_mono_ms() + ms;

    while (tell_next(self) && clock_mono_ms() < until_ms) {
    }
}

/* --- a use --------------------------------------------------------------- */

/* The table of the first version.  What comes to it later is there where its
 * size covers it; what was compiled before goes on to be a ledger. */
#define FIRST_TABLE                                                            \
    (offsetof(hoist_ledger_table, release) +                                   \
     sizeof(((hoist_ledger_table *)NULL)->release))

static bool is_whole(const hoist_ledger_table *table)
{
    return table != NULL && table->size >= FIRST_TABLE &&
           table->spend != NULL && table->claim != NULL &&
           table->settle != NULL && table->release != NULL;
}

int ledger_use_init(ledger_use_t *self, const char *middleware,
                    hoist_ledger *ledger, const ledger_memory_t *memory,
                    const ledger_late_t *late)
{
    *self = (ledger_use_t){.middleware = middleware, .ledger = ledger};
    if (ledger == NULL) {
        self->memory = memory_new(memory);
        self->ledger = self->memory;
    }
    if (self->ledger == NULL) {
        return -ENOMEM;
    }
    if (!is_whole(self->ledger->table)) {
        return -EINVAL;
    }
    if (late != NULL) {
        self->late = *late;
    }
    brake_init(&self->failed);
    brake_init(&self->dropped);
    must(pthread_mutex_init(&self->lock, NULL) == 0);
    owed_init(&self->owed);
    return 0;
}

static void say_last_words(ledger_use_t *self)
{
    int64_t until_ms = clock_mono_ms() + LAST_WORDS_MS;

    ledger_tell(self, LAST_WORDS_MS);
    while (!owed_is_empty(&self->owed) && clock_mono_ms() < until_ms) {
        clock_sleep_ms(LAST_EVERY_MS);
        ledger_tell(self, LAST_EVERY_MS);
    }
}

void ledger_use_fini(ledger_use_t *self)
{
    say_last_words(self);
    if (!owed_is_empty(&self->owed)) {
        tell_dropped(self, keyed_count(&self->owed.table));
    }
    owed_fini(&self->owed);
    pthread_mutex_destroy(&self->lock);
    brake_fini(&self->dropped);
    brake_fini(&self->failed);
    memory_destroy(self->memory);
}

/* The ledger could not tell. */
static int failed(ledger_use_t *self, int rc, const hoist_reason *reason)
{
    uint32_t suppressed;

    if (brake_pass(&self->failed, LEVEL_WARN, &suppressed)) {
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
                 hoist_text holder, hoist_outcome_handler *found, void *data)
{
    hoist_reason reason = {""};
    int rc = claim_owed(self, claim, found, data);

    if (rc != HOIST_CLAIM_OURS) {
        return rc;
    }
    rc = self->memory != NULL ? memory_claim_for(self->memory, claim, holder,
                                                 found, data, &reason)
                              : self->ledger->table->claim(
                                    self->ledger, claim, found, data, &reason);
    if (rc == HOIST_CLAIM_UNSURE) {
        owe(self, claim, NULL, 0);
        rc = -ETIMEDOUT;
    }
    if (rc > HOIST_CLAIM_UNSURE) {
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
        owe(self, claim, outcome, keep_ms);
        (void)failed(self, rc, &reason);
    }
}

void ledger_release(ledger_use_t *self, const hoist_claim *claim)
{
    hoist_reason reason = {""};
    int rc = self->ledger->table->release(self->ledger, claim, &reason);

    if (rc < 0) {
        owe(self, claim, NULL, 0);
        (void)failed(self, rc, &reason);
    }
}
