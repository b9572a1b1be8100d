/* SPDX-License-Identifier: MIT */
#include "gateway/admission.h"

#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_BUCKETS      64
#define FORGOTTEN_PER_TURN 64 /* sources */

/* --- sources ------------------------------------------------------------- */

ip_t admission_network(const admission_t *self, const ip_t *address)
{
    ip_t network = *address;
    int64_t bits = ip_is_v4(address) ? 128 : self->limits.network_bits;

    for (int i = 0; i < (int)sizeof network.bytes; i++, bits -= 8) {
        unsigned kept = bits <= 0 ? 0 : bits < 8 ? (unsigned)bits : 8;
        network.bytes[i] &= (uint8_t)(0xff00u >> kept);
    }
    return network;
}

static uint64_t hash_of(const admission_t *self, const ip_t *network)
{
    return hash_keyed(&self->key, network->bytes, sizeof network->bytes);
}

/* Are sources kept? */
static bool has_table(const admission_t *self)
{
    return self->table.buckets != NULL;
}

static source_t *find(const admission_t *self, const ip_t *network)
{
    uint64_t hash = hash_of(self, network);

    for (hashed_t *at = table_first(&self->table, hash); at != NULL;
         at = table_next(&self->table, at)) {
        source_t *source = list_entry(at, source_t, hashed);
        if (ip_equal(&source->network, network)) {
            return source;
        }
    }
    return NULL;
}

static void wake(admission_t *self, source_t *source)
{
    if (!list_is_empty(&source->resting)) {
        list_remove(&source->resting);
        self->resting_count--;
    }
}

static void forget(admission_t *self, source_t *source)
{
    wake(self, source);
    table_remove(&self->table, &source->hashed);
    free(source);
}

static source_t *longest_at_rest(const admission_t *self)
{
    return list_entry(list_peek(&self->resting), source_t, resting);
}

static void rest(admission_t *self, source_t *source)
{
    list_append(&self->resting, &source->resting);
    if (++self->resting_count > ADMISSION_RESTING_MAX) {
        forget(self, longest_at_rest(self));
    }
}

static source_t *add(admission_t *self, const ip_t *network)
{
    source_t *source = calloc(1, sizeof *source);

    if (source == NULL) {
        return NULL;
    }
    source->network = *network;
    list_init(&source->resting);
    table_add(&self->table, &source->hashed, hash_of(self, network));
    return source;
}

/* --- what may come ------------------------------------------------------- */

/* A page may need some sockets for its files before its WebSocket. */
static bool has_spare(const admission_t *self, const source_t *source)
{
    int64_t max = self->limits.connections;
    int64_t spare = max > ADMISSION_SPARE ? max : ADMISSION_SPARE;

    return max == 0 || source->sockets - source->connections < spare;
}

static int arrive(admission_t *self, source_t *source, int64_t now_ms)
{
    if (!has_spare(self, source)) {
        return -EBUSY;
    }
    if (!tokens_take(&source->arrivals, &self->arrivals, now_ms)) {
        return -EAGAIN;
    }
    wake(self, source);
    source->sockets++;
    return 0;
}

int admission_arrive(admission_t *self, const ip_t *address, int64_t now_ms,
                     source_t **source)
{
    *source = NULL;
    if (!has_table(self)) {
        return 0;
    }
    ip_t network = admission_network(self, address);
    source_t *known = find(self, &network);
    if (known == NULL && (known = add(self, &network)) == NULL) {
        return -ENOMEM;
    }
    int rc = arrive(self, known, now_ms);
    if (rc == 0) {
        *source = known;
    }
    return rc;
}

void admission_leave(admission_t *self, source_t *source)
{
    if (source != NULL && --source->sockets == 0) {
        rest(self, source);
    }
}

static bool is_full(const admission_t *self, const source_t *source)
{
    int64_t max = self->limits.connections;

    return max > 0 && source->connections >= max;
}

/* Returns false with *wait_ms when there is no token. */
static bool take(tokens_t *tokens, const rate_t *rate, int64_t now_ms,
                 int64_t *wait_ms)
{
    int64_t wait_ns = tokens_wait_ns(tokens, rate, now_ms);

    *wait_ms = (wait_ns + TOKENS_MS_NS - 1) / TOKENS_MS_NS;
    return tokens_take(tokens, rate, now_ms);
}

/* The token of a source is spent even where all together have none: it asked.
 */
admission_verdict_t admission_ask(admission_t *self, source_t *source,
                                  int64_t now_ms, int64_t *wait_ms)
{
    *wait_ms = 0;
    if (source != NULL && is_full(self, source)) {
        return REFUSED_CONNECTIONS;
    }
    if (source != NULL &&
        !take(&source->handshakes, &self->handshakes, now_ms, wait_ms)) {
        return REFUSED_SOURCE_RATE;
    }
    if (!take(&self->all_tokens, &self->all_handshakes, now_ms, wait_ms)) {
        return REFUSED_RATE;
    }
    return ADMITTED;
}

void admission_count(source_t *source, int by)
{
    if (source != NULL) {
        source->connections += (uint32_t)by;
    }
}

/* --- turns --------------------------------------------------------------- */

static bool is_forgettable(const source_t *source, int64_t now_ms)
{
    return tokens_are_full(&source->handshakes, now_ms) &&
           tokens_are_full(&source->arrivals, now_ms);
}

/* One that has its tokens may wait behind one that has not, but no longer than
 * an empty bucket takes to fill. */
void admission_step(admission_t *self, int64_t now_ms)
{
    for (int i = 0; i < FORGOTTEN_PER_TURN && self->resting_count > 0 &&
                    is_forgettable(longest_at_rest(self), now_ms);
         i++) {
        forget(self, longest_at_rest(self));
    }
}

/* Sockets may come faster than handshakes, since not each becomes one. */
static rate_t arrivals_of(const admission_limits_t *limits)
{
    return rate_of(ADMISSION_SOCKETS * limits->rate,
                   ADMISSION_SOCKETS * limits->burst);
}

static void set_limits(admission_t *self, const admission_limits_t *limits)
{
    bool has_sources = limits->connections > 0 || limits->rate > 0;

    self->limits = *limits;
    self->handshakes = rate_of(limits->rate, limits->burst);
    self->arrivals = arrivals_of(limits);
    self->all_handshakes = rate_of(limits->all_rate, limits->all_burst);
    if (has_sources && !has_table(self)) {
        must(table_init(&self->table, FIRST_BUCKETS) == 0);
    }
}

void admission_init(admission_t *self, const admission_limits_t *limits,
                    const hash_key_t *key)
{
    *self = (admission_t){.key = *key};
    list_init(&self->resting);
    set_limits(self, limits);
}

void admission_limit(admission_t *self, const admission_limits_t *limits)
{
    set_limits(self, limits);
    self->all_tokens = (tokens_t){0};
    for (size_t i = 0; i < self->table.bucket_count; i++) {
        list_foreach(node, &self->table.buckets[i]) {
            source_t *source = list_entry(node, source_t, hashed.linked);
            source->handshakes = source->arrivals = (tokens_t){0};
        }
    }
}

void admission_fini(admission_t *self)
{
    for (size_t i = 0; i < self->table.bucket_count; i++) {
        list_foreach_safe(node, &self->table.buckets[i]) {
            free(list_entry(node, source_t, hashed.linked));
        }
    }
    table_fini(&self->table);
}
