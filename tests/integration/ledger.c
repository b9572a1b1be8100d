/* SPDX-License-Identifier: MIT
 *
 * The rules of a ledger, at a Redis server that a test has started:
 *
 *     ledger URL    status 0: they hold
 */
#include "base/clock.h"
#include "base/xalloc.h"
#include "workers/c/hoist_redis.h"
#include "workers/c/outcomes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <pthread.h>

#include <err.h>

static hoist_ledger *ledger;
static _Thread_local hoist_reason reason; /* of the last that failed */

/* --- buckets ------------------------------------------------------------- */

#define THREADS 8
#define BURST   100

static const hoist_bucket slow = {.token_ns = INT64_C(3600000000000),
                                  .burst = BURST};

static int64_t wait_of(const char *name, const hoist_bucket *bucket)
{
    int64_t wait_ms = -1;

    must(ledger->table->spend(ledger, hoist_str(name), bucket, &wait_ms,
                              &reason) == 0);
    return wait_ms;
}

/* How many of twice as many as there are tokens get one. */
static void *spend_many(void *user)
{
    int *passed = user;

    for (int i = 0; i < 2 * BURST / THREADS; i++) {
        *passed += wait_of("many", &slow) == 0;
    }
    return NULL;
}

static void threads_get_no_more_tokens_than_there_are(void)
{
    pthread_t threads[THREADS];
    int passed[THREADS] = {0}, all = 0;

    for (int i = 0; i < THREADS; i++) {
        must(pthread_create(&threads[i], NULL, spend_many, &passed[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        must(pthread_join(threads[i], NULL) == 0);
        all += passed[i];
    }
    must(all == BURST);
}

static void a_wait_that_is_told_is_long_enough(void)
{
    const hoist_bucket quick = {.token_ns = 50000000, .burst = 1};
    int64_t wait_ms;

    do { /* there may be a token again before we have asked */
        wait_ms = wait_of("quick", &quick);
    } while (wait_ms == 0);
    must(wait_ms > 0 && wait_ms <= 50);
    clock_sleep_ms(wait_ms + 1);
    must(wait_of("quick", &quick) == 0);
}

/* --- claims -------------------------------------------------------------- */

typedef struct {
    hoist_outcome outcome;
    char body[64];
} found_t;

static void note_outcome(const hoist_outcome *outcome, void *data)
{
    found_t *found = data;

    found->outcome = *outcome;
    must(outcome->body.len <= sizeof found->body);
    memcpy(found->body, outcome->body.data, outcome->body.len);
}

static hoist_claim claim_of(const char *name, uint64_t owner, unsigned digest)
{
    return (hoist_claim){.name = hoist_str(name),
                         .owner = owner,
                         .digest = {(uint8_t)digest},
                         .hold_ms = 60000};
}

static int claims(hoist_claim claim, found_t *found)
{
    return ledger->table->claim(ledger, &claim, note_outcome, found, &reason);
}

static void settle(hoist_claim claim, hoist_outcome outcome, int64_t keep_ms)
{
    must(ledger->table->settle(ledger, &claim, &outcome, keep_ms, &reason) ==
         0);
}

static void a_name_is_claimed_once_until_it_is_released(void)
{
    hoist_claim first = claim_of("a", 1, 7), second = claim_of("a", 2, 7);

    must(claims(first, NULL) == HOIST_CLAIM_OURS);
    must(claims(first, NULL) == HOIST_CLAIM_OURS);
    must(claims(second, NULL) == HOIST_CLAIM_TAKEN);
    must(claims(claim_of("a", 2, 8), NULL) == HOIST_CLAIM_OTHER);
    must(ledger->table->release(ledger, &second, &reason) == 0);
    must(claims(second, NULL) == HOIST_CLAIM_TAKEN);
    must(ledger->table->release(ledger, &first, &reason) == 0);
    must(claims(second, NULL) == HOIST_CLAIM_OURS);
}

static void a_bucket_and_a_claim_may_have_one_name(void)
{
    must(wait_of("both", &slow) == 0);
    must(claims(claim_of("both", 1, 7), NULL) == HOIST_CLAIM_OURS);
    must(wait_of("both", &slow) == 0);
    must(claims(claim_of("both", 2, 7), NULL) == HOIST_CLAIM_TAKEN);
}

static void an_outcome_comes_back_as_it_was(void)
{
    static const char bytes[] = {'\0', '\xff', '\r', '\n'};
    const hoist_outcome kept = {
        .status = 409, .type = HOIST_BINARY, .body = {bytes, sizeof bytes}};
    hoist_claim claim = claim_of("b", 1, 7);
    found_t found;

    must(claims(claim, NULL) == HOIST_CLAIM_OURS);
    settle(claim, kept, 60000);
    must(claims(claim_of("b", 2, 7), &found) == HOIST_CLAIM_DONE);
    must(found.outcome.status == 409 && found.outcome.type == HOIST_BINARY);
    must(!found.outcome.is_cut && found.outcome.body.len == sizeof bytes);
    must(memcmp(found.body, bytes, sizeof bytes) == 0);
    must(claims(claim_of("b", 2, 8), NULL) == HOIST_CLAIM_OTHER);
    must(ledger->table->release(ledger, &claim, &reason) == 0); /* it is done */
    must(claims(claim, &found) == HOIST_CLAIM_DONE);
}

static void one_without_a_body_and_one_that_was_cut(void)
{
    hoist_claim none = claim_of("c", 1, 7), cut = claim_of("d", 1, 7);
    found_t found;

    must(claims(none, NULL) == HOIST_CLAIM_OURS);
    settle(none, (hoist_outcome){.status = 200}, 60000);
    must(claims(none, &found) == HOIST_CLAIM_DONE);
    must(found.outcome.type == HOIST_NONE && !found.outcome.is_cut);
    must(claims(cut, NULL) == HOIST_CLAIM_OURS);
    settle(cut, (hoist_outcome){.status = 200, .is_cut = true}, 60000);
    must(claims(cut, &found) == HOIST_CLAIM_DONE);
    must(found.outcome.is_cut && found.outcome.body.len == 0);
}

static void times_come_to_an_end(void)
{
    hoist_claim held = claim_of("e", 1, 7), kept = claim_of("f", 1, 7);

    held.hold_ms = 1;
    must(claims(held, NULL) == HOIST_CLAIM_OURS);
    while (claims(claim_of("e", 2, 7), NULL) == HOIST_CLAIM_TAKEN) {
    }
    settle(held, (hoist_outcome){.status = 200}, 60000); /* another's now */
    must(claims(claim_of("e", 3, 7), NULL) == HOIST_CLAIM_TAKEN);
    must(claims(kept, NULL) == HOIST_CLAIM_OURS);
    settle(kept, (hoist_outcome){.status = 200}, 1);
    found_t found;
    while (claims(claim_of("f", 2, 7), &found) == HOIST_CLAIM_DONE) {
    }
}

/* --- random claims, in Redis and in memory ------------------------------- */

#define STEPS 5000
#define NAMES 200

static void a_random_step(outcomes_t *memory, unsigned random)
{
    const hoist_outcome done = {
        .status = 200, .type = HOIST_TEXT, .body = hoist_str("done")};
    char name[16];
    found_t here, there;

    (void)snprintf(name, sizeof name, "random-%u", random % NAMES);
    hoist_claim claim =
        claim_of(name, 1 + random / NAMES % 3, random / NAMES / 3 % 6 == 0);
    int claimed = claims(claim, &here);
    must(claimed == outcomes_claim(memory, &claim, hoist_str(""), 0,
                                   note_outcome, &there));
    switch (random / NAMES / 18 % 16) {
    case 0:
        if (claimed == HOIST_CLAIM_OURS) {
            settle(claim, done, 600000);
            must(outcomes_settle(memory, &claim, &done, 0, 1) == 0);
        }
        break;
    case 1:
    case 2:
    case 3:
        must(ledger->table->release(ledger, &claim, &reason) == 0);
        must(outcomes_release(memory, &claim) == 0);
        break;
    default:
        break;
    }
}

static void random_claims_are_in_redis_as_in_memory(void)
{
    uint64_t state = 11;
    outcomes_t memory;

    outcomes_init(&memory, NAMES, (size_t)4 * NAMES);
    for (int i = 0; i < STEPS; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        a_random_step(&memory, (unsigned)(state >> 33));
    }
    outcomes_fini(&memory);
}

int main(int argc, char **argv)
{
    const hoist_redis_config patient = {.timeout_ms = 5000};
    char error[128];

    if (argc != 2) {
        errx(2, "usage: ledger URL");
    }
    if (hoist_redis_open(argv[1], &patient, &ledger, error, sizeof error) < 0) {
        errx(2, "%s", error);
    }
    threads_get_no_more_tokens_than_there_are();
    a_wait_that_is_told_is_long_enough();
    a_name_is_claimed_once_until_it_is_released();
    a_bucket_and_a_claim_may_have_one_name();
    an_outcome_comes_back_as_it_was();
    one_without_a_body_and_one_that_was_cut();
    times_come_to_an_end();
    random_claims_are_in_redis_as_in_memory();
    hoist_redis_close(&ledger);
    return 0;
}
