/* SPDX-License-Identifier: MIT
 *
 * Clients choose what is in the table, so its hash is one for which nobody
 * without the secret can name keys that collide more often than by chance
 * (multiply-shift: Dietzfelbinger, Hagerup, Katajainen, Penttonen, "A reliable
 * randomized algorithm for the closest-pair problem", 1997).
 */
#include "gateway/admission.h"

#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BITS         6  /* of the number of a bucket */
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

static list_t *bucket_of(const admission_t *self, const ip_t *network)
{
    uint64_t half[2];

    memcpy(half, network->bytes, sizeof half);
    uint64_t hash = half[0] * self->secret[0] + half[1] * self->secret[1];
    return &self->buckets[hash >> (64 - self->bucket_bits)];
}

static source_t *find(const admission_t *self, const ip_t *network)
{
    list_foreach(node, bucket_of(self, network)) {
        source_t *source = list_entry(node, source_t, hashed);
        if (ip_equal(&source->network, network)) {
            return source;
        }
    }
    return NULL;
}

static list_t *make_buckets(unsigned bits)
{
    size_t count = (size_t)1 << bits;
    list_t *buckets = calloc(count, sizeof *buckets);

    for (size_t i = 0; buckets != NULL && i < count; i++) {
        list_init(&buckets[i]);
    }
    return buckets;
}

/* Without memory the buckets only grow longer. */
static void grow(admission_t *self)
{
    list_t *old = self->buckets, *buckets = make_buckets(self->bucket_bits + 1);
    size_t count = (size_t)1 << self->bucket_bits;

    if (buckets == NULL) {
        return;
    }
    self->buckets = buckets;
    self->bucket_bits++;
    for (size_t i = 0; i < count; i++) {
        for (list_t *node; (node = list_take(&old[i])) != NULL;) {
            source_t *source = list_entry(node, source_t, hashed);
            list_append(bucket_of(self, &source->network), node);
        }
    }
    free(old);
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
    list_remove(&source->hashed);
    self->count--;
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
    if (self->count >> self->bucket_bits > 0) {
        grow(self);
    }
    source->network = *network;
    list_init(&source->resting);
    list_append(bucket_of(self, network), &source->hashed);
    self->count++;
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
    if (self->buckets == NULL) {
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
    if (has_sources && self->buckets == NULL) {
        self->bucket_bits = FIRST_BITS;
        self->buckets = make_buckets(FIRST_BITS);
        must(self->buckets != NULL);
    }
}

void admission_init(admission_t *self, const admission_limits_t *limits,
                    const uint64_t secret[2])
{
    *self = (admission_t){.secret = {secret[0] | 1, secret[1] | 1}};
    list_init(&self->resting);
    set_limits(self, limits);
}

static size_t bucket_count(const admission_t *self)
{
    return self->buckets == NULL ? 0 : (size_t)1 << self->bucket_bits;
}

void admission_limit(admission_t *self, const admission_limits_t *limits)
{
    set_limits(self, limits);
    self->all_tokens = (tokens_t){0};
    for (size_t i = 0; i < bucket_count(self); i++) {
        list_foreach(node, &self->buckets[i]) {
            source_t *source = list_entry(node, source_t, hashed);
            source->handshakes = source->arrivals = (tokens_t){0};
        }
    }
}

void admission_fini(admission_t *self)
{
    for (size_t i = 0; i < bucket_count(self); i++) {
        list_foreach_safe(node, &self->buckets[i]) {
            free(list_entry(node, source_t, hashed));
        }
    }
    free(self->buckets);
    self->buckets = NULL;
}
