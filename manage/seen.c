/* SPDX-License-Identifier: MIT
 *
 * A hash table with chains, and for each second a list of those that end with
 * it: both by index, in memory that is allocated once.
 */
#include "manage/seen.h"

#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 65536
#define SECONDS 1024 /* more than any signature is good for */
#define NONE    0    /* entries are counted from 1 */

typedef struct {
    uint8_t signature[SEEN_BYTES];
    uint32_t next;       /* in its bucket, or free */
    uint32_t next_ended; /* that ends in the same second */
} entry_t;

struct seen {
    entry_t entries[SEEN_MAX + 1];
    uint32_t buckets[BUCKETS];
    uint32_t seconds[SECONDS]; /* what ends then, by time % SECONDS */
    uint32_t used;             /* entries ever used */
    uint32_t unused;           /* those free again */
    int64_t swept_s;           /* all that ended until then is forgotten */
};

seen_t *seen_new(void)
{
    return xcalloc(1, sizeof(seen_t)); /* pages come as they are used */
}

void seen_destroy(seen_t **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

/* Signatures are as good as random. */
static uint32_t *bucket_of(seen_t *self, const uint8_t *signature)
{
    uint32_t hash;

    memcpy(&hash, signature, sizeof hash);
    return &self->buckets[hash % BUCKETS];
}

static void forget(seen_t *self, uint32_t index)
{
    entry_t *entry = &self->entries[index];
    uint32_t *at = bucket_of(self, entry->signature);

    while (*at != index) {
        at = &self->entries[*at].next;
    }
    *at = entry->next;
    entry->next = self->unused;
    self->unused = index;
}

static void sweep_second(seen_t *self, int64_t second)
{
    uint32_t *head = &self->seconds[second % SECONDS];

    while (*head != NONE) {
        uint32_t index = *head;
        *head = self->entries[index].next_ended;
        forget(self, index);
    }
}

/* A clock that was set back changes nothing; one that jumped ends them all. */
static void sweep(seen_t *self, int64_t now_s)
{
    int64_t from = self->swept_s;

    if (now_s - from > SECONDS) {
        from = now_s - SECONDS - 1;
    }
    for (int64_t second = from + 1; second < now_s; second++) {
        sweep_second(self, second);
    }
    if (now_s > self->swept_s) {
        self->swept_s = now_s - 1;
    }
}

static uint32_t take_free(seen_t *self)
{
    uint32_t index = self->unused;

    if (index != NONE) {
        self->unused = self->entries[index].next;
        return index;
    }
    return self->used < SEEN_MAX ? ++self->used : NONE;
}

int seen_take(seen_t *self, const uint8_t signature[SEEN_BYTES],
              int64_t until_s, int64_t now_s)
{
    sweep(self, now_s);
    uint32_t *bucket = bucket_of(self, signature);
    for (uint32_t at = *bucket; at != NONE; at = self->entries[at].next) {
        if (memcmp(self->entries[at].signature, signature, SEEN_BYTES) == 0) {
            return -EEXIST;
        }
    }
    uint32_t index = take_free(self);
    if (index == NONE) {
        return -ENOSPC;
    }
    entry_t *entry = &self->entries[index];
    uint32_t *second = &self->seconds[until_s % SECONDS];
    memcpy(entry->signature, signature, SEEN_BYTES);
    entry->next = *bucket;
    *bucket = index;
    entry->next_ended = *second;
    *second = index;
    return 0;
}
