/* SPDX-License-Identifier: MIT
 *
 * Any bytes of a server to the load generator: what is in NATS's frames does
 * not depend on how the bytes were split, and what is heard lies in them.
 */
#include "base/xalloc.h"
#include "bench/dialect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *copy_of(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len == 0 ? 1 : len);

    must(copy != NULL);
    if (len > 0) {
        memcpy(copy, bytes, len);
    }
    return copy;
}

/* In a copy of just its length, so that nothing behind it is read. */
static void hear_all(const dialect_t *dialect, const uint8_t *bytes, size_t len)
{
    ssize_t taken = 1;

    for (size_t at = 0; at <= len && taken > 0; at += (size_t)taken) {
        dialect_say_t answer = {.len = 0};
        uint8_t *rest = copy_of(bytes + at, len - at);
        taken = dialect->hear(rest, len - at, &answer);
        must(taken == -EPROTO || (size_t)taken <= len - at);
        must(answer.len == 0 || taken > 0);
        must(answer.len <= DIALECT_SAY_MAX);
        free(rest);
    }
}

/* In two pieces; returns what `whole` is to be, or -EPROTO. */
static ssize_t unwrap_split(uint8_t *bytes, size_t len, size_t cut)
{
    dialect_frames_t frames = {0};
    ssize_t first = dialect_nats.unwrap(&frames, bytes, cut);

    if (first < 0) {
        return first;
    }
    ssize_t second = dialect_nats.unwrap(&frames, bytes + cut, len - cut);
    if (second < 0) {
        return second;
    }
    memmove(bytes + first, bytes + cut, (size_t)second);
    return first + second;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dialect_frames_t frames = {0};
    uint8_t *whole = copy_of(data, size), *split = copy_of(data, size);
    ssize_t kept = dialect_nats.unwrap(&frames, whole, size);

    must(kept == -EPROTO || (size_t)kept <= size);
    must(kept ==
         unwrap_split(split, size, size == 0 ? 0 : data[size - 1] % size));
    if (kept > 0) {
        must(memcmp(whole, split, (size_t)kept) == 0);
        hear_all(&dialect_nats, whole, (size_t)kept);
    }
    hear_all(&dialect_nats, data, size);
    hear_all(&dialect_plain, data, size);
    free(whole);
    free(split);
    return 0;
}
