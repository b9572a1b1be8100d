/* SPDX-License-Identifier: MIT */
#include "base/missing.h"

#include <stddef.h>

#define FIRST_MS 3000   /* without a WELCOME, then it is said */
#define PAUSE_MS 300000 /* between two such lines, at most */

void missing_begin(missing_t *self, int64_t now_ms)
{
    if (self->due_ms == 0) {
        *self = (missing_t){.since_ms = now_ms, .due_ms = now_ms + FIRST_MS};
    }
}

void missing_end(missing_t *self)
{
    *self = (missing_t){0};
}

int64_t missing_due_ms(const missing_t *self)
{
    return self->due_ms > 0 ? self->due_ms : INT64_MAX;
}

/*
 * Nothing leaves the socket before there is a transport (ZMQ_IMMEDIATE): a TCP
 * connection to libzmq 4.3.4, one that has shaken hands to 4.3.5.
 */
const char *missing_reason(const missing_t *self)
{
    if (self->refusal != NULL) {
        return self->refusal;
    }
    if (self->has_heard) {
        return "it answers, but with no WELCOME";
    }
    return self->has_sent ? "it can be reached and does not answer"
                          : "nothing that speaks ZeroMQ can be reached";
}

int64_t missing_said(missing_t *self, int64_t now_ms)
{
    int64_t ms = now_ms - self->since_ms;

    self->due_ms = now_ms + (ms < PAUSE_MS ? ms : PAUSE_MS);
    return ms;
}
