/* SPDX-License-Identifier: MIT
 *
 * Any bytes as a traceparent: what is read is written as one that reads as the
 * same place, and what has this version and no other flags is written as it
 * was.
 */
#include "base/xalloc.h"
#include "proto/traceparent.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_equal(const trace_place_t *a, const trace_place_t *b)
{
    return memcmp(a->trace, b->trace, sizeof a->trace) == 0 &&
           memcmp(a->span, b->span, sizeof a->span) == 0 &&
           a->is_sampled == b->is_sampled;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1); /* not a byte more */
    char text[TRACEPARENT_TEXT];
    trace_place_t place, again;

    must(exact != NULL);
    memcpy(exact, data, size);
    if (traceparent_parse((wire_bytes_t){exact, size}, &place) == 0) {
        traceparent_format(&place, text);
        wire_bytes_t written = {(const uint8_t *)text, sizeof text};
        must(traceparent_parse(written, &again) == 0);
        must(is_equal(&place, &again));
        must(memcmp(text + 2, exact + 2, sizeof text - 4) == 0);
    }
    free(exact);
    return 0;
}
