/* SPDX-License-Identifier: MIT */
#include "workers/c/outcomes.h"

#include <errno.h>
#include <stdlib.h>

/* Who holds no more than one part of so many fills nothing. */
#define FEW 1024

typedef struct {
    keyed_t keyed;    /* first: it is one */
    holder_t *holder; /* borrowed: whose it is */
    list_t held;      /* in holder->held, when it is done */
    uint64_t owner;
    uint8_t digest[HOIST_DIGEST_BYTES];
    bool is_done;
    bool is_cut;
    int status;
    hoist_type type;
    int64_t until_ms; /* of what is done */
    char *body;       /* owned, or NULL */
    size_t body_len;
} outcome_t;

static outcome_t *outcome_of(keyed_t *entry)
{
    return (outcome_t *)entry;
}

void outcomes_init(outcomes_t *self, size_t max, size_t max_bytes)
{
    *self = (outcomes_t){.max_bytes = max_bytes};
    keyed_init(&self->table, sizeof(outcome_t), max);
    holders_init(&self->holders, max);
}

static void drop(outcomes_t *self, outcome_t *outcome)
{
    if (outcome->is_done) {
        list_remove(&outcome->held);
        holders_remove(&self->holders, outcome->holder, outcome->body_len);
    }
    holders_leave(&self->holders, outcome->holder);
    self->bytes -= outcome->body_len;
    free(outcome->body);
    keyed_drop(&self->table, &outcome->keyed);
}

static outcome_t *longest_done(const outcomes_t *self)
{
    keyed_t *oldest = keyed_oldest(&self->table);

    return oldest != NULL ? outcome_of(oldest) : NULL;
}

void outcomes_fini(outcomes_t *self)
{
    for (outcome_t *done; (done = longest_done(self)) != NULL;) {
        drop(self, done);
    }
    keyed_fini(&self->table); /* what is under way has no body */
    holders_fini(&self->holders);
}

static void forget_old_ones(outcomes_t *self, int64_t now_ms)
{
    for (outcome_t *done;
         (done = longest_done(self)) != NULL && done->until_ms <= now_ms;) {
        drop(self, done);
    }
}

/* Of this kind a holder may have so much before it is the one who fills the
 * table: as much as each of all could, and a little in any case. */
static size_t fair_share(const outcomes_t *self, held_t kind)
{
    size_t room = kind == HELD_NAMES ? self->table.max : self->max_bytes;
    size_t holders = holders_count(&self->holders);
    size_t each = (room + holders - 1) / holders;

    return each > room / FEW ? each : room / FEW;
}

/* The longest done of whoever fills the table; if nobody does, of all; NULL:
 * nothing is done. */
static outcome_t *next_to_go(const outcomes_t *self, held_t kind)
{
    const holder_t *most = holders_most(&self->holders, kind);

    return most != NULL && most->amount[kind] > fair_share(self, kind)
               ? list_entry(list_peek(&most->held), outcome_t, held)
               : longest_done(self);
}

static bool evict(outcomes_t *self, held_t kind)
{
    outcome_t *outcome = next_to_go(self, kind);

    if (outcome != NULL) {
        drop(self, outcome);
        self->evicted++;
    }
    return outcome != NULL;
}

static int begin(outcomes_t *self, const hoist_claim *claim, hoist_text name)
{
    if (keyed_is_full(&self->table) && !evict(self, HELD_NAMES)) {
        return -ENOMEM;
    }
    holder_t *holder = holders_take(&self->holders, name);
    if (holder == NULL) {
        return -ENOMEM;
    }
    keyed_t *entry = keyed_add(&self->table, claim->name);
    if (entry == NULL) {
        holders_leave(&self->holders, holder);
        return -ENOMEM;
    }
    outcome_t *outcome = outcome_of(entry);
    outcome->holder = holder;
    outcome->owner = claim->owner;
    memcpy(outcome->digest, claim->digest, sizeof claim->digest);
    return HOIST_CLAIM_OURS;
}

static hoist_outcome lend_outcome(const outcome_t *self)
{
    return (hoist_outcome){.status = self->status,
                           .type = self->type,
                           .body = hoist_bytes(self->body, self->body_len),
                           .is_cut = self->is_cut};
}

int outcomes_claim(outcomes_t *self, const hoist_claim *claim,
                   hoist_text holder, int64_t now_ms,
                   hoist_outcome_handler *found, void *data)
{
    forget_old_ones(self, now_ms);
    keyed_t *entry = keyed_find(&self->table, claim->name);
    if (entry == NULL) {
        return begin(self, claim, holder);
    }
    const outcome_t *known = outcome_of(entry);
    if (memcmp(known->digest, claim->digest, sizeof claim->digest) != 0) {
        return HOIST_CLAIM_OTHER;
    }
    if (known->is_done) {
        hoist_outcome outcome = lend_outcome(known);
        found(&outcome, data);
        return HOIST_CLAIM_DONE;
    }
    return known->owner == claim->owner ? HOIST_CLAIM_OURS : HOIST_CLAIM_TAKEN;
}

/* What this claim has under way, or NULL. */
static outcome_t *find_own(const outcomes_t *self, const hoist_claim *claim)
{
    keyed_t *entry = keyed_find(&self->table, claim->name);

    return entry != NULL && !outcome_of(entry)->is_done &&
                   outcome_of(entry)->owner == claim->owner
               ? outcome_of(entry)
               : NULL;
}

/* Copy the body, for which others may have to go. */
static int keep_body(outcomes_t *self, outcome_t *to, hoist_text body)
{
    if (body.len > self->max_bytes) {
        return -ENOMEM;
    }
    while (self->bytes + body.len > self->max_bytes) {
        (void)evict(self, HELD_BYTES); /* all are of what is done */
    }
    if (body.len > 0 && (to->body = malloc(body.len)) == NULL) {
        return -ENOMEM;
    }
    if (body.len > 0) {
        memcpy(to->body, body.data, body.len);
    }
    to->body_len = body.len;
    self->bytes += body.len;
    return 0;
}

int outcomes_settle(outcomes_t *self, const hoist_claim *claim,
                    const hoist_outcome *outcome, int64_t now_ms,
                    int64_t keep_ms)
{
    outcome_t *own = find_own(self, claim);

    if (own == NULL) {
        return 0;
    }
    int rc = keep_body(self, own, outcome->body);
    if (rc < 0) {
        drop(self, own);
        return rc;
    }
    own->is_done = true;
    own->is_cut = outcome->is_cut;
    own->status = outcome->status;
    own->type = outcome->type;
    own->until_ms = now_ms + keep_ms;
    keyed_touch(&self->table, &own->keyed);
    list_append(&own->holder->held, &own->held);
    holders_add(&self->holders, own->holder, own->body_len);
    return 0;
}

int outcomes_release(outcomes_t *self, const hoist_claim *claim)
{
    outcome_t *own = find_own(self, claim);

    if (own != NULL) {
        drop(self, own);
    }
    return 0;
}
