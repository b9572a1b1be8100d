/* SPDX-License-Identifier: MIT */
#include "workers/c/breaker.h"

#include <string.h>

#define PROBE_PAUSE_MS 1000 /* what a probe may take is not known */

void breaker_init(breaker_t *self, const breaker_rules_t *rules)
{
    *self = (breaker_t){.rules = *rules};
}

static void become(breaker_t *self, breaker_state_t state, int64_t now_ms)
{
    self->state = state;
    self->since_ms = now_ms;
    self->epoch++;
    self->in_a_row = 0;
    self->trying = 0;
    memset(self->parts, 0, sizeof self->parts);
}

/* --- the window ---------------------------------------------------------- */

/* What is older than the window is forgotten. */
static breaker_part_t *part_of(breaker_t *self, int64_t now_ms)
{
    int64_t part = now_ms / (self->rules.window_ms / BREAKER_PARTS);
    int64_t passed = part - self->part;

    for (int64_t i = 0; i < passed && i < BREAKER_PARTS; i++) {
        self->parts[(part - i) % BREAKER_PARTS] = (breaker_part_t){0};
    }
    self->part = part;
    return &self->parts[part % BREAKER_PARTS];
}

static bool has_failed_too_often(const breaker_t *self)
{
    const breaker_rules_t *rules = &self->rules;
    uint64_t all = 0, failed = 0;

    if (self->in_a_row >= rules->failures) {
        return true;
    }
    for (size_t i = 0; i < BREAKER_PARTS; i++) {
        all += self->parts[i].all;
        failed += self->parts[i].failed;
    }
    return all >= rules->least && failed * 100 >= all * rules->percent;
}

/* Returns whether it opens. */
static bool count(breaker_t *self, int64_t now_ms, bool has_failed)
{
    breaker_part_t *part = part_of(self, now_ms);

    part->all++;
    part->failed += has_failed;
    self->in_a_row = has_failed ? self->in_a_row + 1 : 0;
    if (!has_failed || !has_failed_too_often(self)) {
        return false;
    }
    become(self, BREAKER_OPEN, now_ms);
    return true;
}

/* --- trying -------------------------------------------------------------- */

bool breaker_try(breaker_t *self, int64_t now_ms, uint64_t *epoch,
                 int64_t *retry_ms)
{
    int64_t left_ms = self->since_ms + self->rules.open_ms - now_ms;

    if (self->state == BREAKER_OPEN && left_ms > 0) {
        *retry_ms = left_ms;
        return false;
    }
    if (self->state == BREAKER_OPEN) {
        become(self, BREAKER_HALF_OPEN, now_ms);
    }
    if (self->state == BREAKER_HALF_OPEN) {
        if (self->trying == self->rules.probes) {
            *retry_ms = PROBE_PAUSE_MS;
            return false;
        }
        self->trying++;
    }
    *epoch = self->epoch;
    return true;
}

/* Returns whether it opens again. */
static bool judge_probe(breaker_t *self, int64_t now_ms, breaker_word_t word)
{
    self->trying--;
    if (word == BREAKER_FAILED) {
        become(self, BREAKER_OPEN, now_ms);
        return true;
    }
    if (word == BREAKER_FINE && ++self->in_a_row >= self->rules.probes) {
        become(self, BREAKER_CLOSED, now_ms);
    }
    return false;
}

bool breaker_done(breaker_t *self, int64_t now_ms, uint64_t epoch,
                  breaker_word_t word)
{
    if (epoch != self->epoch) {
        return false;
    }
    if (self->state == BREAKER_HALF_OPEN) {
        return judge_probe(self, now_ms, word);
    }
    return word != BREAKER_UNKNOWN &&
           count(self, now_ms, word == BREAKER_FAILED);
}
