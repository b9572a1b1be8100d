/* SPDX-License-Identifier: MIT
 *
 * A table of records by id, a list of all, and one for each user and tenant.  A
 * list is an array in the order in which the records came, so that a page goes
 * on behind the number of the last one, wherever that is now.
 */
#include "store/memory.h"

#include "base/hash.h"
#include "base/rand.h"
#include "base/xalloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 1024 /* a power of two, as ever after */
#define FIRST_ENTRIES 4
#define PLACE_TEXT    21 /* 20 digits and a NUL */

/* What a list is of. */
typedef enum { OF_USER, OF_TENANT, LISTS } of_t;

static const char *const of_keys[] = {"user", "tenant"};

/* A hole is left where a record went, until half of the entries are holes. */
typedef struct {
    uint64_t place;
    record_t *record; /* borrowed from the table; NULL: a hole */
} entry_t;

typedef struct {
    entry_t *entries; /* owned; by ascending place */
    size_t len, cap, holes;
} rows_t;

typedef struct bag {
    struct bag *next; /* in its bucket */
    rows_t rows;
    of_t of;
    size_t key_len;
    uint8_t key[];
} bag_t;

typedef struct {
    list_t linked;
    size_t name_len, value_len;
    uint8_t name[STORE_LEASE_MAX], value[STORE_LEASE_MAX];
} lease_t;

typedef struct {
    store_t store; /* first: a store_t is its kind */
    const store_options_t *options;
    record_t **buckets; /* owned; one reference a record */
    size_t mask, count;
    bag_t **bags; /* owned */
    rows_t all;
    size_t bags_mask, bag_count;
    hash_key_t bags_key; /* random: users and tenants are chosen by others */
    uint64_t places;
    list_t leases; /* owned: lease_t */
    size_t lease_count;
} store_memory_t;

/* --- the table ----------------------------------------------------------- */

static record_t **bucket_of(const store_memory_t *self, const conn_id_t *id)
{
    uint32_t key[3] = {id->loop, id->slot,
                       (uint32_t)id->generation ^ id->random};

    return &self->buckets[hash_bytes(key, sizeof key) & self->mask];
}

/* The link that points at the record of this id, or at the chain's end. */
static record_t **find(const store_memory_t *self, const conn_id_t *id)
{
    record_t **link = bucket_of(self, id);

    while (*link != NULL && !conn_id_equal(&(*link)->id, id)) {
        link = &(*link)->next;
    }
    return link;
}

/* Twice the buckets; without memory the chains just grow longer. */
static void grow_table(store_memory_t *self)
{
    record_t **old = self->buckets;
    size_t old_mask = self->mask;
    record_t **buckets = calloc((old_mask + 1) * 2, sizeof *buckets);

    if (buckets == NULL) {
        return;
    }
    self->buckets = buckets;
    self->mask = old_mask * 2 + 1;
    for (size_t i = 0; i <= old_mask; i++) {
        while (old[i] != NULL) {
            record_t *record = old[i];
            record_t **to = bucket_of(self, &record->id);
            old[i] = record->next;
            record->next = *to;
            *to = record;
        }
    }
    free(old);
}

/* --- the lists ----------------------------------------------------------- */

static bag_t **bag_bucket_of(const store_memory_t *self, of_t of,
                             wire_bytes_t key)
{
    uint64_t hash = hash_keyed(&self->bags_key, key.data, key.len) + (size_t)of;

    return &self->bags[hash & self->bags_mask];
}

static bag_t **find_bag(const store_memory_t *self, of_t of, wire_bytes_t key)
{
    bag_t **link = bag_bucket_of(self, of, key);

    while (*link != NULL &&
           ((*link)->of != of ||
            !wire_equal((wire_bytes_t){(*link)->key, (*link)->key_len}, key))) {
        link = &(*link)->next;
    }
    return link;
}

/* NULL: nobody is in it. */
static const rows_t *rows_of(const store_memory_t *self, of_t of,
                             wire_bytes_t key)
{
    const bag_t *bag = *find_bag(self, of, key);

    return bag == NULL ? NULL : &bag->rows;
}

static void grow_bags(store_memory_t *self)
{
    bag_t **old = self->bags;
    size_t old_mask = self->bags_mask;
    bag_t **bags = calloc((old_mask + 1) * 2, sizeof(bag_t *));

    if (bags == NULL) {
        return;
    }
    self->bags = bags;
    self->bags_mask = old_mask * 2 + 1;
    for (size_t i = 0; i <= old_mask; i++) {
        while (old[i] != NULL) {
            bag_t *bag = old[i];
            wire_bytes_t key = {bag->key, bag->key_len};
            bag_t **to = bag_bucket_of(self, bag->of, key);
            old[i] = bag->next;
            bag->next = *to;
            *to = bag;
        }
    }
    free(old);
}

static bag_t *add_bag(store_memory_t *self, of_t of, wire_bytes_t key)
{
    bag_t **link = find_bag(self, of, key);

    if (*link != NULL) {
        return *link;
    }
    bag_t *bag = calloc(1, sizeof *bag + key.len);
    if (bag == NULL) {
        return NULL;
    }
    bag->of = of;
    bag->key_len = key.len;
    memcpy(bag->key, key.data, key.len);
    *link = bag;
    if (++self->bag_count > self->bags_mask) {
        grow_bags(self);
    }
    return bag;
}

static void drop_bag(store_memory_t *self, bag_t **link)
{
    bag_t *bag = *link;

    *link = bag->next;
    free(bag->rows.entries);
    free(bag);
    self->bag_count--;
}

/* The first entry that comes behind this place. */
static size_t entry_behind(const rows_t *rows, uint64_t place)
{
    size_t from = 0, to = rows->len;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (rows->entries[middle].place <= place) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

static void close_holes(rows_t *rows)
{
    size_t kept = 0;

    for (size_t i = 0; i < rows->len; i++) {
        if (rows->entries[i].record != NULL) {
            rows->entries[kept++] = rows->entries[i];
        }
    }
    rows->len = kept;
    rows->holes = 0;
}

static int rows_put(rows_t *rows, record_t *record)
{
    if (rows->len == rows->cap) {
        size_t cap = rows->cap == 0 ? FIRST_ENTRIES : rows->cap * 2;
        entry_t *entries = realloc(rows->entries, cap * sizeof *entries);
        if (entries == NULL) {
            return -ENOMEM;
        }
        rows->entries = entries;
        rows->cap = cap;
    }
    rows->entries[rows->len++] = (entry_t){record->place, record};
    return 0;
}

static void rows_take(rows_t *rows, const record_t *record)
{
    size_t at = entry_behind(rows, record->place);

    if (at == 0 || rows->entries[at - 1].record != record) {
        return; /* there was no memory to put it in */
    }
    rows->entries[at - 1].record = NULL;
    if (++rows->holes * 2 > rows->len) {
        close_holes(rows);
    }
}

/* What the record is listed under; false: not in a list of this kind. */
static bool key_of(const record_t *record, of_t of, wire_bytes_t *key)
{
    *key = wire_map_str(record_context(record), of_keys[of]);
    return key->len != 0;
}

static void unlist(store_memory_t *self, const record_t *record)
{
    wire_bytes_t key;

    rows_take(&self->all, record);
    for (of_t of = 0; of < LISTS; of++) {
        if (!key_of(record, of, &key)) {
            continue;
        }
        bag_t **link = find_bag(self, of, key);
        if (*link != NULL) {
            rows_take(&(*link)->rows, record);
            if ((*link)->rows.len == 0) {
                drop_bag(self, link);
            }
        }
    }
}

static int enlist(store_memory_t *self, record_t *record)
{
    wire_bytes_t key;
    int rc = rows_put(&self->all, record);

    for (of_t of = 0; of < LISTS && rc == 0; of++) {
        if (key_of(record, of, &key)) {
            bag_t *bag = add_bag(self, of, key);
            rc = bag == NULL ? -ENOMEM : rows_put(&bag->rows, record);
        }
    }
    if (rc < 0) {
        unlist(self, record);
    }
    return rc;
}

/* --- rows ---------------------------------------------------------------- */

/* The row that *link, as `find` has said, points at; if there is one. */
static void forget(store_memory_t *self, record_t **link)
{
    record_t *record = *link;

    if (record == NULL) {
        return;
    }
    *link = record->next;
    unlist(self, record);
    record_drop(record);
    self->count--;
}

static bool is_over(const store_memory_t *self, const record_t *record)
{
    return record->expires_ms <= self->store.now_ms;
}

static void put_off(const store_memory_t *self, record_t *record)
{
    int64_t ttl_s = record->ttl_s != 0 ? record->ttl_s : self->options->ttl_s;

    record->expires_ms = self->store.now_ms + ttl_s * 1000;
    record->writer = self->options->writer;
}

static int save(store_memory_t *self, record_t *record, store_result_t *result)
{
    record_t **link = find(self, &record->id);
    const record_t *former = *link;

    result->was_there = former != NULL && !is_over(self, former);
    if (former == record) {
        put_off(self, record);
        return 0;
    }
    forget(self, link);
    record->place = ++self->places;
    put_off(self, record);
    if (enlist(self, record) < 0) {
        return -ENOMEM;
    }
    if (self->count > self->mask) {
        grow_table(self);
        link = bucket_of(self, &record->id);
    }
    record->next = *link;
    *link = record_hold(record);
    self->count++;
    return 0;
}

static store_row_t row_of(const record_t *record)
{
    return (store_row_t){.id = record->id,
                         .context = record_context(record),
                         .writer = wire_bytes(record->writer),
                         .expires_ms = record->expires_ms,
                         .ttl_s = record->ttl_s};
}

static void done(store_memory_t *self, store_op_t *op, int rc,
                 const store_result_t *result)
{
    if (rc == 0) {
        self->store.stats.store_done++;
    } else {
        self->store.stats.store_failed++;
    }
    op->done(op, rc, rc == 0 ? result : NULL);
}

static void get(store_memory_t *self, store_op_t *op)
{
    const record_t *record = *find(self, &op->id);

    if (record == NULL || is_over(self, record)) {
        done(self, op, -ENOENT, NULL);
        return;
    }
    store_row_t row = row_of(record);
    done(self, op, 0, &(store_result_t){.rows = &row, .row_count = 1});
}

/* --- pages --------------------------------------------------------------- */

/* A cursor is the place of the last row, in decimal. */
static int parse_cursor(wire_bytes_t cursor, uint64_t *place)
{
    *place = 0;
    if (cursor.len >= PLACE_TEXT) {
        return -EINVAL;
    }
    for (size_t i = 0; i < cursor.len; i++) {
        if (cursor.data[i] < '0' || cursor.data[i] > '9') {
            return -EINVAL;
        }
        *place = *place * 10 + (uint64_t)(cursor.data[i] - '0');
    }
    return 0;
}

/* Only those of one owner, or where that is NULL all. */
static size_t take_page(const store_memory_t *self, const rows_t *list,
                        const uint32_t *owner, uint64_t *place, uint32_t limit,
                        store_row_t *rows)
{
    size_t count = 0;
    size_t at = entry_behind(list, *place);

    for (; at < list->len && count < limit; at++) {
        const record_t *record = list->entries[at].record;
        *place = list->entries[at].place;
        if (record != NULL && !is_over(self, record) &&
            (owner == NULL || record->id.loop == *owner)) {
            rows[count++] = row_of(record);
        }
    }
    if (at >= list->len) {
        *place = 0; /* that was the last page */
    }
    return count;
}

static void list_page(store_memory_t *self, store_op_t *op, const rows_t *list,
                      const uint32_t *owner)
{
    store_row_t rows[STORE_PAGE_MAX];
    char cursor[PLACE_TEXT];
    uint64_t place;

    if (op->limit < 1 || op->limit > STORE_PAGE_MAX ||
        parse_cursor(op->cursor, &place) < 0) {
        done(self, op, -EINVAL, NULL);
        return;
    }
    store_result_t result = {.rows = rows};
    if (list != NULL) {
        result.row_count =
            take_page(self, list, owner, &place, op->limit, rows);
        if (place != 0) {
            snprintf(cursor, sizeof cursor, "%" PRIu64, place);
            result.cursor = wire_bytes(cursor);
        }
    }
    done(self, op, 0, &result);
}

static void list_owner(store_memory_t *self, store_op_t *op)
{
    uint32_t loop;

    if (conn_id_parse_loop(op->key.data, op->key.len, &loop) < 0) {
        done(self, op, -EINVAL, NULL);
        return;
    }
    list_page(self, op, &self->all, &loop);
}

static int compare_loops(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;

    return (one > other) - (one < other);
}

/* Of sorted ones. */
static size_t drop_repeated(uint32_t *loops, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || loops[kept - 1] != loops[i]) {
            loops[kept++] = loops[i];
        }
    }
    return kept;
}

static void tell_owners(store_memory_t *self, store_op_t *op)
{
    uint32_t *loops = calloc(self->count + 1, sizeof *loops);
    size_t count = 0;

    if (loops == NULL) {
        done(self, op, -ENOMEM, NULL);
        return;
    }
    for (size_t i = 0; i < self->all.len; i++) {
        const record_t *record = self->all.entries[i].record;
        if (record != NULL && !is_over(self, record)) {
            loops[count++] = record->id.loop;
        }
    }
    qsort(loops, count, sizeof *loops, compare_loops);
    count = drop_repeated(loops, count);
    store_result_t result = {.owners = loops, .owner_count = count};
    if (count > STORE_OWNERS_MAX) {
        result.owner_count = STORE_OWNERS_MAX;
    }
    done(self, op, 0, &result);
    free(loops);
}

/* --- leases -------------------------------------------------------------- */

static lease_t *find_lease(const store_memory_t *self, wire_bytes_t name)
{
    list_foreach(link, &self->leases) {
        lease_t *lease = list_entry(link, lease_t, linked);
        if (wire_equal((wire_bytes_t){lease->name, lease->name_len}, name)) {
            return lease;
        }
    }
    return NULL;
}

static wire_bytes_t value_of(const lease_t *lease)
{
    return (wire_bytes_t){lease->value, lease->value_len};
}

static void set_value(lease_t *lease, wire_bytes_t value)
{
    lease->value_len = value.len;
    if (value.len != 0) {
        memcpy(lease->value, value.data, value.len);
    }
}

static int keep(store_memory_t *self, const store_op_t *op,
                store_result_t *result)
{
    if (op->key.len == 0 || op->key.len > STORE_LEASE_MAX ||
        op->value.len > STORE_LEASE_MAX) {
        return -EINVAL;
    }
    lease_t *lease = find_lease(self, op->key);
    result->was_there = lease != NULL;
    if (lease == NULL) {
        if (self->lease_count == STORE_LEASES_MAX) {
            return -EBUSY;
        }
        lease = calloc(1, sizeof *lease);
        if (lease == NULL) {
            return -ENOMEM;
        }
        lease->name_len = op->key.len;
        memcpy(lease->name, op->key.data, op->key.len);
        list_append(&self->leases, &lease->linked);
        self->lease_count++;
    }
    set_value(lease, op->value);
    return 0;
}

static void tell_leases(store_memory_t *self, store_op_t *op)
{
    store_lease_t *leases = calloc(self->lease_count + 1, sizeof *leases);
    size_t count = 0;

    if (leases == NULL) {
        done(self, op, -ENOMEM, NULL);
        return;
    }
    list_foreach(link, &self->leases) {
        const lease_t *lease = list_entry(link, lease_t, linked);
        leases[count++] =
            (store_lease_t){{lease->name, lease->name_len}, value_of(lease)};
    }
    done(self, op, 0,
         &(store_result_t){.leases = leases, .lease_count = count});
    free(leases);
}

static void drop_lease(store_memory_t *self, lease_t *lease)
{
    list_remove(&lease->linked);
    free(lease);
    self->lease_count--;
}

static int claim_or_drop(store_memory_t *self, const store_op_t *op)
{
    lease_t *lease = find_lease(self, op->key);

    if (op->value.len > STORE_LEASE_MAX) {
        return -EINVAL;
    }
    if (lease == NULL || !wire_equal(value_of(lease), op->expected)) {
        return -ESTALE;
    }
    if (op->verb == STORE_DROP) {
        drop_lease(self, lease);
    } else {
        set_value(lease, op->value);
    }
    return 0;
}

/* --- the store ----------------------------------------------------------- */

static void memory_submit(store_t *store, store_op_t *op)
{
    store_memory_t *self = (store_memory_t *)store;
    store_result_t result = {.count = self->count};

    switch (op->verb) {
    case STORE_SAVE:
        done(self, op, save(self, op->record, &result), &result);
        break;
    case STORE_REMOVE:
        forget(self, find(self, &op->record->id));
        done(self, op, 0, &result);
        break;
    case STORE_GET:
        get(self, op);
        break;
    case STORE_LIST_USER:
        list_page(self, op, rows_of(self, OF_USER, op->key), NULL);
        break;
    case STORE_LIST_TENANT:
        list_page(self, op, rows_of(self, OF_TENANT, op->key), NULL);
        break;
    case STORE_LIST_OWNER:
        list_owner(self, op);
        break;
    case STORE_COUNT:
        done(self, op, 0, &result);
        break;
    case STORE_OWNERS:
        tell_owners(self, op);
        break;
    case STORE_KEEP:
        done(self, op, keep(self, op, &result), &result);
        break;
    case STORE_LEASES:
        tell_leases(self, op);
        break;
    case STORE_CLAIM:
    case STORE_DROP:
        done(self, op, claim_or_drop(self, op), &result);
        break;
    default:
        done(self, op, -EINVAL, NULL);
    }
}

static void free_chain(record_t *record)
{
    while (record != NULL) {
        record_t *next = record->next;
        record_drop(record);
        record = next;
    }
}

static void memory_destroy(store_t *store)
{
    store_memory_t *self = (store_memory_t *)store;

    for (size_t i = 0; i <= self->mask; i++) {
        free_chain(self->buckets[i]);
    }
    for (size_t i = 0; i <= self->bags_mask; i++) {
        while (self->bags[i] != NULL) {
            drop_bag(self, &self->bags[i]);
        }
    }
    list_foreach_safe(link, &self->leases) {
        drop_lease(self, list_entry(link, lease_t, linked));
    }
    free(self->all.entries);
    free(self->buckets);
    free(self->bags);
    free(self);
}

store_t *store_memory_new(const store_options_t *options)
{
    static const store_ops_t ops = {.submit = memory_submit,
                                    .destroy = memory_destroy};
    store_memory_t *self = xcalloc(1, sizeof *self);

    self->store.ops = &ops;
    self->store.stats.store_up = 1;
    self->options = options;
    self->buckets = xcalloc(FIRST_BUCKETS, sizeof *self->buckets);
    self->mask = FIRST_BUCKETS - 1;
    self->bags = xcalloc(FIRST_BUCKETS, sizeof(bag_t *));
    self->bags_mask = FIRST_BUCKETS - 1;
    rand_bytes(&self->bags_key, sizeof self->bags_key);
    list_init(&self->leases);
    return &self->store;
}
