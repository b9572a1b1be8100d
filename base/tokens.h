/* SPDX-License-Identifier: MIT
 *
 * Token buckets: so much a second, and so much at once (the burst).  A bucket
 * is one number, the time at which it is full again (the "theoretical arrival
 * time" of the generic cell rate algorithm, ITU-T I.371): spending moves it
 * on, waiting needs no work, and one that lies in the past is a full bucket,
 * so that a zeroed one is full.  Whole numbers; rounding only ever makes a
 * bucket slower, by less than a nanosecond a spending.  Pure; time is handed
 * in.
 */
#ifndef BASE_TOKENS_H
#define BASE_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

#define TOKENS_RATE_MAX     (INT64_C(1) << 30) /* a second, and at once */
#define TOKENS_S_NS         INT64_C(1000000000)
#define TOKENS_MS_NS        INT64_C(1000000)

#define TOKENS_PERIOD_MAX_S 86400
#define TOKENS_BURST_MAX    100000 /* of a rate with a period of its own */

/* What many buckets have in common. */
typedef struct {
    int64_t tokens;    /* of a period; 0: no limit */
    int64_t period_ns; /* a second, or what rate_in was told */
    int64_t token_ns;  /* in which one comes */
    int64_t depth_ns;  /* in which an empty bucket is full */
} rate_t;

typedef struct {
    int64_t full_ns; /* monotonic */
} tokens_t;

static inline int64_t tokens_ns_of(const rate_t *rate, int64_t count)
{
    return (count * rate->period_ns + rate->tokens - 1) / rate->tokens;
}

static inline rate_t rate_of_period(int64_t tokens, int64_t period_ns,
                                    int64_t burst)
{
    rate_t rate = {.tokens = tokens, .period_ns = period_ns};

    if (tokens > 0) {
        rate.token_ns = tokens_ns_of(&rate, 1);
        rate.depth_ns = (burst > 0 ? burst : tokens) * rate.token_ns;
    }
    return rate;
}

/* per_s, burst: at most TOKENS_RATE_MAX; a burst of 0 is one second's. */
static inline rate_t rate_of(int64_t per_s, int64_t burst)
{
    return rate_of_period(per_s, TOKENS_S_NS, burst);
}

/* So many in so many seconds, which need not be one a second: tokens and burst
 * at most TOKENS_BURST_MAX, as is what is spent of it at a time; period_s at
 * most TOKENS_PERIOD_MAX_S; a burst of 0 is one period's. */
static inline rate_t rate_in(int64_t tokens, int64_t period_s, int64_t burst)
{
    return rate_of_period(tokens, period_s * TOKENS_S_NS, burst);
}

/* How long until there is one; 0: there is. */
static inline int64_t tokens_wait_ns(const tokens_t *self, const rate_t *rate,
                                     int64_t now_ms)
{
    int64_t from_ns = rate->depth_ns - rate->token_ns;
    int64_t wait_ns = self->full_ns - from_ns - now_ms * TOKENS_MS_NS;

    return rate->tokens > 0 && wait_ns > 0 ? wait_ns : 0;
}

/* Is one there? */
static inline bool tokens_have(const tokens_t *self, const rate_t *rate,
                               int64_t now_ms)
{
    return rate->tokens == 0 || tokens_wait_ns(self, rate, now_ms) == 0;
}

/* Spend so many, at most TOKENS_RATE_MAX, also where there are fewer: then the
 * bucket owes them, and has none until they have come. */
static inline void tokens_spend(tokens_t *self, const rate_t *rate,
                                int64_t now_ms, int64_t count)
{
    int64_t now_ns = now_ms * TOKENS_MS_NS;

    if (rate->tokens > 0) {
        self->full_ns = (self->full_ns > now_ns ? self->full_ns : now_ns) +
                        tokens_ns_of(rate, count);
    }
}

/* Spend one if it is there. */
static inline bool tokens_take(tokens_t *self, const rate_t *rate,
                               int64_t now_ms)
{
    if (!tokens_have(self, rate, now_ms)) {
        return false;
    }
    tokens_spend(self, rate, now_ms, 1);
    return true;
}

/* As if nothing had ever been spent. */
static inline bool tokens_are_full(const tokens_t *self, int64_t now_ms)
{
    return self->full_ns <= now_ms * TOKENS_MS_NS;
}

#endif
