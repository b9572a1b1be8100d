/* SPDX-License-Identifier: MIT */
#include "bench/hdr.h"

#include <stddef.h>
#include <string.h>

#define PARTS (UINT64_C(1) << HDR_PART_BITS)

/* How often `ns` is to be halved until it is below 2 * PARTS. */
static unsigned int halvings(uint64_t ns)
{
    unsigned int top = 63 - (unsigned int)__builtin_clzll(ns | 1);

    return top > HDR_PART_BITS ? top - HDR_PART_BITS : 0;
}

static size_t index_of(uint64_t ns)
{
    unsigned int shift = halvings(ns);

    return (size_t)((uint64_t)shift * PARTS + (ns >> shift));
}

/* The largest value of a bucket. */
static uint64_t top_of(size_t index)
{
    uint64_t shift = index < 2 * PARTS ? 0 : index / PARTS - 1;
    uint64_t part = index - shift * PARTS;

    return ((part + 1) << shift) - 1;
}

void hdr_add(hdr_t *self, uint64_t ns)
{
    uint64_t kept = ns > HDR_MAX ? HDR_MAX : ns;

    self->bucket[index_of(kept)]++;
    self->count++;
    if (kept > self->max) {
        self->max = kept;
    }
}

void hdr_reset(hdr_t *self)
{
    memset(self, 0, sizeof *self);
}

uint64_t hdr_at(const hdr_t *self, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)self->count + 0.5);
    uint64_t seen = 0;

    for (size_t i = 0; i < HDR_BUCKETS; i++) {
        seen += self->bucket[i];
        if (seen > 0 && seen >= wanted) {
            return top_of(i) < self->max ? top_of(i) : self->max;
        }
    }
    return self->max;
}
