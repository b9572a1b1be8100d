/* SPDX-License-Identifier: MIT
 *
 * Any bytes as what a Redis server says, in two pieces: replies come out of
 * them or an error, within the bounds of the reader; each as the answer to
 * CLUSTER SLOTS gives ranges of slots or none; and each error has a meaning.
 */
#include "base/xalloc.h"
#include "store/redis_error.h"
#include "store/redis_keys.h"
#include "store/redis_slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void check_ranges(const redisReply *reply)
{
    redis_range_t *ranges = NULL;
    int count = redis_slots_parse(reply, "from", &ranges);

    must(count >= 0 || count == -EPROTO || count == -ENOMEM);
    for (int i = 0; i < count; i++) {
        must(ranges[i].first <= ranges[i].last);
        must(ranges[i].last < REDIS_SLOTS && ranges[i].master.port != 0);
        must(ranges[i].master.host[0] != '\0');
    }
    free(count >= 0 ? ranges : NULL);
}

static void check_error(wire_bytes_t error)
{
    redis_verdict_t verdict = redis_verdict_of(error);
    redis_host_t host;
    uint16_t slot;

    must(verdict.rc < 0);
    if (redis_error_place(error, "from", &slot, &host) == 0) {
        must(slot < REDIS_SLOTS && host.port != 0 && host.host[0] != '\0');
        must(strlen(host.host) < sizeof host.host);
    }
}

/* Returns false when no more is to be had. */
static bool take_replies(redis_reader_t *reader)
{
    redisReply *reply;
    int rc;

    while ((rc = redis_reader_next(reader, &reply)) > 0) {
        check_ranges(reply);
        check_error(redis_text(reply));
        freeReplyObject(reply);
    }
    return rc == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    redis_reader_t reader;
    size_t cut = size == 0 ? 0 : data[0] % size;

    must(redis_reader_init(&reader) == 0);
    if (redis_reader_feed(&reader, data, cut) == 0 && take_replies(&reader) &&
        redis_reader_feed(&reader, data + cut, size - cut) == 0) {
        (void)take_replies(&reader);
    }
    redis_reader_fini(&reader);
    return 0;
}
