/* SPDX-License-Identifier: MIT
 *
 * A broker that gives no WELCOME: when to say so, which is seldom, and ever
 * less often, and why it may be.  Times are ms on a monotonic clock.
 */
#ifndef BASE_MISSING_H
#define BASE_MISSING_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: it is not missed. */
typedef struct {
    int64_t since_ms;    /* it is missed */
    int64_t due_ms;      /* to say so; 0: it is not missed */
    bool has_sent;       /* what we said has left: somebody listens there */
    bool has_heard;      /* something was answered */
    const char *refusal; /* why there is no transport, a constant; or NULL */
} missing_t;

/* From now on it is missed, if it was not before. */
void missing_begin(missing_t *self, int64_t now_ms);

/* It is there. */
void missing_end(missing_t *self);

/* When it is to be said; INT64_MAX: it is not missed. */
int64_t missing_due_ms(const missing_t *self);

/* Why it may be, for people. */
const char *missing_reason(const missing_t *self);

/* It is said.  Returns for how long it has been missed. */
int64_t missing_said(missing_t *self, int64_t now_ms);

#endif
