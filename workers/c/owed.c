/* SPDX-License-Identifier: MIT
 *
 * Of a name there may be one that was settled, and several that were released,
 * of one owner each: of claims whose answers were lost nobody knows which
 * stands.  A debt that is told leaves the table, so that another of its key may
 * come in meanwhile, which is then the one that counts.
 */
#include "workers/c/owed.h"

#include "base/xalloc.h"

#include <stdlib.h>

typedef struct {
    keyed_t keyed; /* first: it is one */
    debt_t *debt;  /* owned */
} entry_t;

static entry_t *entry_of(keyed_t *keyed)
{
    return (entry_t *)keyed;
}

void owed_init(owed_t *self)
{
    *self = (owed_t){.telling = NULL};
    keyed_init(&self->table, sizeof(entry_t), OWED_MAX);
}

/* --- keys ---------------------------------------------------------------- */

typedef struct {
    char text[1 + sizeof(uint64_t) + OWED_NAME_MAX];
    size_t len;
} debt_key_t;

static void add(debt_key_t *self, const void *bytes, size_t len)
{
    memcpy(self->text + self->len, bytes, len);
    self->len += len;
}

static debt_key_t key_of(const hoist_claim *claim, bool is_settled)
{
    debt_key_t key = {.len = 0};

    must(claim->name.len > 0 && claim->name.len <= OWED_NAME_MAX);
    add(&key, is_settled ? "s" : "r", 1);
    if (!is_settled) {
        add(&key, &claim->owner, sizeof claim->owner);
    }
    add(&key, claim->name.data, claim->name.len);
    return key;
}

static entry_t *find(const owed_t *self, const hoist_claim *claim,
                     bool is_settled)
{
    const debt_key_t key = key_of(claim, is_settled);
    keyed_t *keyed = keyed_find(&self->table, hoist_bytes(key.text, key.len));

    return keyed != NULL ? entry_of(keyed) : NULL;
}

/* What is told at the moment, when it has this key; or NULL. */
static const debt_t *find_told(const owed_t *self, const hoist_claim *claim,
                               bool is_settled)
{
    const debt_t *told = self->telling;

    return told != NULL && told->is_settled == is_settled &&
                   (is_settled || told->claim.owner == claim->owner) &&
                   hoist_equal(told->claim.name, claim->name)
               ? told
               : NULL;
}

/* --- debts --------------------------------------------------------------- */

static hoist_text copy(char *to, hoist_text text)
{
    if (text.len > 0) {
        memcpy(to, text.data, text.len);
    }
    return hoist_bytes(to, text.len);
}

static debt_t *debt_new(const hoist_claim *claim, const hoist_outcome *outcome)
{
    size_t body_len = outcome != NULL ? outcome->body.len : 0;
    debt_t *self = malloc(sizeof *self + claim->name.len + body_len);

    if (self == NULL) {
        return NULL;
    }
    *self = (debt_t){.claim = *claim,
                     .is_settled = outcome != NULL,
                     .size = claim->name.len + body_len};
    self->claim.name = copy(self->bytes, claim->name);
    if (outcome != NULL) {
        self->outcome = *outcome;
        self->outcome.body = copy(self->bytes + claim->name.len, outcome->body);
    }
    return self;
}

/* Take it out of the table. */
static debt_t *take(owed_t *self, entry_t *entry)
{
    debt_t *debt = entry->debt;

    self->bytes -= debt->size;
    keyed_drop(&self->table, &entry->keyed);
    return debt;
}

static void drop(owed_t *self, entry_t *entry)
{
    free(take(self, entry));
    self->dropped++;
}

static entry_t *next(const owed_t *self)
{
    keyed_t *oldest = keyed_oldest(&self->table);

    return oldest != NULL ? entry_of(oldest) : NULL;
}

void owed_fini(owed_t *self)
{
    for (entry_t *entry; (entry = next(self)) != NULL;) {
        free(take(self, entry));
    }
    keyed_fini(&self->table);
    free(self->telling);
    self->telling = NULL;
}

static bool has_room(const owed_t *self, const debt_t *debt)
{
    return keyed_count(&self->table) < OWED_MAX &&
           self->bytes + debt->size <= OWED_BYTES_MAX;
}

/* An entry for it; others may have to go. */
static keyed_t *add_entry(owed_t *self, const debt_t *debt)
{
    const debt_key_t key = key_of(&debt->claim, debt->is_settled);

    if (debt->size > OWED_BYTES_MAX) {
        return NULL;
    }
    while (!has_room(self, debt)) {
        drop(self, next(self));
    }
    return keyed_add(&self->table, hoist_bytes(key.text, key.len));
}

/* At the end of the line; debt is moved. */
static void put(owed_t *self, debt_t *debt)
{
    keyed_t *keyed = add_entry(self, debt);

    if (keyed == NULL) {
        self->dropped++;
        free(debt);
        return;
    }
    entry_of(keyed)->debt = debt;
    self->bytes += debt->size;
    keyed_touch(&self->table, keyed);
}

/* --- owing --------------------------------------------------------------- */

void owed_put(owed_t *self, const hoist_claim *claim,
              const hoist_outcome *outcome, int64_t keep_ms, int64_t now_ms)
{
    debt_t *debt = debt_new(claim, outcome);
    entry_t *former = find(self, claim, outcome != NULL);

    if (former != NULL) {
        free(take(self, former));
    }
    if (debt == NULL) {
        self->dropped++;
        return;
    }
    debt->keep_ms = keep_ms;
    debt->until_ms = now_ms + claim->hold_ms;
    put(self, debt);
}

/* --- claiming ------------------------------------------------------------ */

static const debt_t *find_settled(const owed_t *self, const hoist_claim *claim)
{
    const entry_t *entry = find(self, claim, true);

    return entry != NULL ? entry->debt : find_told(self, claim, true);
}

static int claim_settled(const debt_t *debt, const hoist_claim *claim,
                         hoist_outcome_handler *found, void *data)
{
    if (memcmp(debt->claim.digest, claim->digest, sizeof claim->digest) != 0) {
        return HOIST_CLAIM_OTHER;
    }
    found(&debt->outcome, data);
    return HOIST_CLAIM_DONE;
}

int owed_claim(owed_t *self, const hoist_claim *claim,
               hoist_outcome_handler *found, void *data)
{
    if (owed_is_empty(self)) {
        return HOIST_CLAIM_OURS;
    }
    const debt_t *settled = find_settled(self, claim);
    if (settled != NULL) {
        return claim_settled(settled, claim, found, data);
    }
    if (find_told(self, claim, false) != NULL) {
        return HOIST_CLAIM_TAKEN; /* it may be released behind this claim */
    }
    entry_t *released = find(self, claim, false);
    if (released != NULL) {
        free(take(self, released));
    }
    return HOIST_CLAIM_OURS;
}

/* --- telling ------------------------------------------------------------- */

static void drop_old_ones(owed_t *self, int64_t now_ms)
{
    list_foreach_safe(node, &self->table.aged) {
        entry_t *entry = entry_of(list_entry(node, keyed_t, aged));
        if (entry->debt->until_ms <= now_ms) {
            drop(self, entry);
        }
    }
}

const debt_t *owed_next(owed_t *self, int64_t now_ms)
{
    drop_old_ones(self, now_ms);
    entry_t *entry = self->telling == NULL ? next(self) : NULL;
    if (entry == NULL) {
        return NULL;
    }
    self->telling = take(self, entry);
    return self->telling;
}

void owed_told(owed_t *self, bool was_told)
{
    debt_t *debt = self->telling;

    self->telling = NULL;
    if (was_told || find(self, &debt->claim, debt->is_settled) != NULL) {
        free(debt);
    } else {
        put(self, debt);
    }
}
