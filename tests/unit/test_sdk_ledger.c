/* SPDX-License-Identifier: MIT
 *
 * What middleware of the C SDK remembers in memory: token buckets and outcomes
 * by name, with a clock that the test drives.  Random ones are held against a
 * model.
 */
#include "base/xalloc.h"
#include "tests/unit/colliding_names.h"
#include "tests/unit/random_wire.h"
#include "workers/c/buckets.h"
#include "workers/c/ledger.h"
#include "workers/c/outcomes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include <pthread.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1000000)

static hoist_text name_of(unsigned number)
{
    static char text[16];

    return hoist_bytes(text,
                       (size_t)snprintf(text, sizeof text, "u:%u", number));
}

/* --- buckets -------------------------------------------------------------- */

static const hoist_bucket two_a_second = {.token_ns = 500000000, .burst = 2};

static int64_t waits(buckets_t *buckets, const char *name, int64_t now_ms)
{
    int64_t wait_ms = -1;

    assert_int_equal(buckets_spend(buckets, hoist_str(name), &two_a_second,
                                   now_ms, &wait_ms),
                     0);
    return wait_ms;
}

static void each_name_has_a_bucket_of_its_own(void **state)
{
    buckets_t buckets;
    (void)state;

    buckets_init(&buckets, 10);
    assert_int_equal(waits(&buckets, "ada", NOW_MS), 0);
    assert_int_equal(waits(&buckets, "ada", NOW_MS), 0);
    assert_int_equal(waits(&buckets, "ada", NOW_MS), 500);
    assert_int_equal(waits(&buckets, "bob", NOW_MS), 0);
    assert_int_equal(waits(&buckets, "ada", NOW_MS + 499), 1);
    assert_int_equal(waits(&buckets, "ada", NOW_MS + 500), 0);
    buckets_fini(&buckets);
}

static void buckets_that_are_full_again_go(void **state)
{
    buckets_t buckets;
    (void)state;

    buckets_init(&buckets, 10);
    (void)waits(&buckets, "ada", NOW_MS);
    (void)waits(&buckets, "bob", NOW_MS);
    (void)waits(&buckets, "eve", NOW_MS + 499);
    assert_int_equal(keyed_count(&buckets.table), 3);
    (void)waits(&buckets, "joe", NOW_MS + 500);
    assert_int_equal(keyed_count(&buckets.table), 2); /* eve and joe */
    assert_int_equal(buckets.evicted, 0);
    buckets_fini(&buckets);
}

static void of_too_many_the_one_asked_for_longest_ago_goes(void **state)
{
    buckets_t buckets;
    (void)state;

    buckets_init(&buckets, 2);
    (void)waits(&buckets, "ada", NOW_MS);
    (void)waits(&buckets, "ada", NOW_MS);
    (void)waits(&buckets, "bob", NOW_MS);
    assert_int_equal(waits(&buckets, "ada", NOW_MS), 500);
    (void)waits(&buckets, "eve", NOW_MS);
    assert_int_equal(buckets.evicted, 1);
    assert_int_equal(waits(&buckets, "ada", NOW_MS), 500); /* it was bob's */
    assert_int_equal(keyed_count(&buckets.table), 2);
    buckets_fini(&buckets);
}

/* A bucket as one draws it, in millionths of a token: a ms brings `rate`
 * thousandths. */
typedef struct {
    int64_t has, at_ms;
} drawn_t;

#define NAMES 40

static void
random_buckets_are_never_faster_than_said_and_hardly_slower(void **state)
{
    const int64_t burst = 5, per_ms = 2000; /* millionths: two a second */
    const hoist_bucket bucket = {.token_ns = 500000000, .burst = burst};
    drawn_t drawn[NAMES];
    random_t random;
    buckets_t buckets;
    (void)state;

    random_init(&random, 6);
    buckets_init(&buckets, NAMES);
    for (size_t i = 0; i < NAMES; i++) {
        drawn[i] = (drawn_t){burst * 1000000, NOW_MS};
    }
    for (int64_t step = 0, now_ms = NOW_MS; step < 200000; step++) {
        unsigned number = (unsigned)random_below(&random, NAMES);
        drawn_t *one = &drawn[number];
        int64_t wait_ms;
        now_ms += (int64_t)random_below(&random, 30);
        one->has += (now_ms - one->at_ms) * per_ms;
        one->has = one->has < burst * 1000000 ? one->has : burst * 1000000;
        one->at_ms = now_ms;
        assert_int_equal(
            buckets_spend(&buckets, name_of(number), &bucket, now_ms, &wait_ms),
            0);
        int64_t lacks = 1000000 - one->has;
        assert_int_equal(wait_ms,
                         lacks <= 0 ? 0 : (lacks + per_ms - 1) / per_ms);
        one->has -= wait_ms == 0 ? 1000000 : 0;
        assert_true(keyed_count(&buckets.table) <= NAMES);
    }
    assert_int_equal(buckets.evicted, 0);
    buckets_fini(&buckets);
    random_fini(&random);
}

static void a_flood_of_names_stays_bounded(void **state)
{
    buckets_t buckets;
    int64_t wait_ms;
    (void)state;

    buckets_init(&buckets, 1000);
    for (unsigned i = 0; i < 50000; i++) {
        assert_int_equal(buckets_spend(&buckets, name_of(i), &two_a_second,
                                       NOW_MS, &wait_ms),
                         0);
        assert_int_equal(wait_ms, 0);
    }
    assert_int_equal(keyed_count(&buckets.table), 1000);
    assert_int_equal(buckets.evicted, 49000);
    buckets_fini(&buckets);
}

static size_t longest_bucket(const table_t *table)
{
    size_t longest = 0;

    for (size_t i = 0; i < table->bucket_count; i++) {
        size_t entries = 0;
        list_foreach(node, &table->buckets[i]) {
            entries++;
        }
        longest = entries > longest ? entries : longest;
    }
    return longest;
}

static void names_chosen_to_collide_do_not_share_a_bucket(void **state)
{
    buckets_t buckets;
    int64_t wait_ms;
    (void)state;

    buckets_init(&buckets, COLLIDING_NAMES);
    for (unsigned i = 0; i < COLLIDING_NAMES; i++) {
        uint8_t name[COLLIDING_NAME_LEN];
        colliding_name(i, name);
        assert_int_equal(buckets_spend(&buckets, hoist_bytes(name, sizeof name),
                                       &two_a_second, NOW_MS, &wait_ms),
                         0);
    }
    assert_int_equal(keyed_count(&buckets.table), COLLIDING_NAMES);
    assert_true(longest_bucket(&buckets.table.entries) < COLLIDING_BUCKET);
    buckets_fini(&buckets);
}

/* --- outcomes ------------------------------------------------------------- */

static void note_status(const hoist_outcome *outcome, void *data)
{
    *(int *)data = outcome->status;
}

static hoist_claim claim_of(const char *name, uint64_t owner, unsigned digest)
{
    return (hoist_claim){
        .name = hoist_str(name), .owner = owner, .digest = {(uint8_t)digest}};
}

/* One of hoist_claimed, or the status of what is done. */
static int claims(outcomes_t *outcomes, hoist_claim claim, int64_t now_ms)
{
    int status = 0;
    int rc = outcomes_claim(outcomes, &claim, hoist_str(""), now_ms,
                            note_status, &status);

    return rc == HOIST_CLAIM_DONE ? status : rc;
}

static int settles(outcomes_t *outcomes, hoist_claim claim, const char *body,
                   int64_t now_ms, int64_t keep_ms)
{
    const hoist_outcome outcome = {
        .status = 200, .type = HOIST_TEXT, .body = hoist_str(body)};

    return outcomes_settle(outcomes, &claim, &outcome, now_ms, keep_ms);
}

static void a_name_is_claimed_once_until_it_is_released(void **state)
{
    hoist_claim claim = claim_of("a", 1, 7);
    outcomes_t outcomes;
    (void)state;

    outcomes_init(&outcomes, 10, 100);
    assert_int_equal(claims(&outcomes, claim, NOW_MS), HOIST_CLAIM_OURS);
    assert_int_equal(claims(&outcomes, claim_of("a", 2, 7), NOW_MS),
                     HOIST_CLAIM_TAKEN);
    assert_int_equal(claims(&outcomes, claim, NOW_MS), HOIST_CLAIM_OURS);
    assert_int_equal(claims(&outcomes, claim_of("a", 2, 8), NOW_MS),
                     HOIST_CLAIM_OTHER);
    assert_int_equal(outcomes_release(&outcomes, &claim), 0);
    assert_int_equal(claims(&outcomes, claim_of("a", 2, 7), NOW_MS),
                     HOIST_CLAIM_OURS);
    assert_int_equal(outcomes_release(&outcomes, &claim), 0); /* not its own */
    assert_int_equal(claims(&outcomes, claim_of("a", 3, 7), NOW_MS),
                     HOIST_CLAIM_TAKEN);
    outcomes_fini(&outcomes);
}

static void an_outcome_is_kept_for_its_time(void **state)
{
    hoist_claim claim = claim_of("a", 1, 7);
    outcomes_t outcomes;
    (void)state;

    outcomes_init(&outcomes, 10, 100);
    (void)claims(&outcomes, claim, NOW_MS);
    assert_int_equal(settles(&outcomes, claim, "done", NOW_MS, 1000), 0);
    assert_int_equal(claims(&outcomes, claim_of("a", 2, 7), NOW_MS + 999), 200);
    assert_int_equal(claims(&outcomes, claim, NOW_MS + 999), 200);
    assert_int_equal(claims(&outcomes, claim_of("a", 2, 8), NOW_MS + 999),
                     HOIST_CLAIM_OTHER);
    assert_int_equal(outcomes_release(&outcomes, &claim), 0); /* it is done */
    assert_int_equal(claims(&outcomes, claim_of("a", 2, 7), NOW_MS + 1000),
                     HOIST_CLAIM_OURS);
    assert_int_equal(outcomes.bytes, 0);
    outcomes_fini(&outcomes);
}

static void what_is_under_way_does_not_go_for_want_of_room(void **state)
{
    hoist_claim first = claim_of("a", 1, 7), second = claim_of("b", 2, 7);
    outcomes_t outcomes;
    (void)state;

    outcomes_init(&outcomes, 2, 100);
    (void)claims(&outcomes, first, NOW_MS);
    (void)claims(&outcomes, second, NOW_MS);
    assert_int_equal(claims(&outcomes, claim_of("c", 3, 7), NOW_MS), -ENOMEM);
    assert_int_equal(settles(&outcomes, first, "done", NOW_MS, 1000), 0);
    assert_int_equal(claims(&outcomes, claim_of("c", 3, 7), NOW_MS),
                     HOIST_CLAIM_OURS);
    assert_int_equal(outcomes.evicted, 1);
    assert_int_equal(claims(&outcomes, claim_of("b", 9, 7), NOW_MS),
                     HOIST_CLAIM_TAKEN);
    outcomes_fini(&outcomes);
}

static void of_too_many_bytes_the_longest_done_go(void **state)
{
    hoist_claim claim[] = {claim_of("a", 1, 7), claim_of("b", 2, 7),
                           claim_of("c", 3, 7)};
    outcomes_t outcomes;
    (void)state;

    outcomes_init(&outcomes, 10, 10);
    for (size_t i = 0; i < 3; i++) {
        (void)claims(&outcomes, claim[i], NOW_MS);
    }
    assert_int_equal(settles(&outcomes, claim[1], "12345", NOW_MS, 1000), 0);
    assert_int_equal(settles(&outcomes, claim[0], "12345", NOW_MS, 1000), 0);
    assert_int_equal(settles(&outcomes, claim[2], "123", NOW_MS, 1000), 0);
    assert_int_equal(claims(&outcomes, claim[0], NOW_MS), 200);
    assert_int_equal(claims(&outcomes, claim[2], NOW_MS), 200);
    assert_int_equal(claims(&outcomes, claim[1], NOW_MS), HOIST_CLAIM_OURS);
    assert_int_equal(settles(&outcomes, claim[1], "12345678901", NOW_MS, 1000),
                     -ENOMEM); /* more than there may be: as if released */
    assert_int_equal(claims(&outcomes, claim_of("b", 9, 7), NOW_MS),
                     HOIST_CLAIM_OURS);
    assert_int_equal(outcomes.bytes, 8);
    outcomes_fini(&outcomes);
}

/* What a name stands for, as one would write it down. */
typedef struct {
    enum { FREE, RUNS, DONE } state;
    uint64_t owner, digest;
    int64_t until_ms;
} noted_t;

static int model_claim(noted_t *noted, const hoist_claim *claim, int64_t now_ms)
{
    if (noted->state == DONE && noted->until_ms <= now_ms) {
        noted->state = FREE;
    }
    if (noted->state == FREE) {
        *noted = (noted_t){RUNS, claim->owner, claim->digest[0], 0};
        return HOIST_CLAIM_OURS;
    }
    if (noted->digest != claim->digest[0]) {
        return HOIST_CLAIM_OTHER;
    }
    if (noted->state == DONE) {
        return 200;
    }
    return noted->owner == claim->owner ? HOIST_CLAIM_OURS : HOIST_CLAIM_TAKEN;
}

static void random_claims_are_those_of_the_model(void **state)
{
    noted_t noted[NAMES] = {0};
    outcomes_t outcomes;
    random_t random;
    (void)state;

    random_init(&random, 7);
    outcomes_init(&outcomes, NAMES, 4096);
    for (int64_t step = 0, now_ms = NOW_MS; step < 200000; step++) {
        unsigned number = (unsigned)random_below(&random, NAMES);
        hoist_claim claim = {.name = name_of(number),
                             .owner = random_below(&random, 4),
                             .digest = {random_below(&random, 8) == 0}};
        noted_t *one = &noted[number];
        bool is_own = one->state == RUNS && one->owner == claim.owner;
        now_ms += (int64_t)random_below(&random, 20);
        switch (random_below(&random, 4)) {
        case 0:
            assert_int_equal(settles(&outcomes, claim, "body", now_ms, 1000),
                             0);
            if (is_own) {
                one->state = DONE;
                one->until_ms = now_ms + 1000;
            }
            break;
        case 1:
            assert_int_equal(outcomes_release(&outcomes, &claim), 0);
            one->state = is_own ? FREE : one->state;
            break;
        default:
            assert_int_equal(claims(&outcomes, claim, now_ms),
                             model_claim(one, &claim, now_ms));
        }
    }
    assert_int_equal(outcomes.evicted, 0);
    outcomes_fini(&outcomes);
    random_fini(&random);
}

/* --- threads ------------------------------------------------------------- */

#define THREADS 4
#define BURST   1000

typedef struct {
    ledger_use_t *use;
    unsigned number; /* of the thread */
    int passed, claimed;
} spender_t;

/* All threads together want twice as many tokens as there are, and each claims
 * the same names. */
static void *spend_and_claim(void *user)
{
    const hoist_bucket slow = {.token_ns = INT64_C(3600000000000),
                               .burst = BURST};
    spender_t *self = user;
    char text[16];

    for (unsigned i = 0; i < 2 * BURST / THREADS; i++) {
        int64_t wait_ms;
        must(ledger_spend(self->use, hoist_str("all"), &slow, &wait_ms) == 0);
        self->passed += wait_ms == 0;
        (void)snprintf(text, sizeof text, "c:%u", i);
        hoist_claim claim = {.name = hoist_str(text),
                             .owner = 1 + self->number};
        self->claimed += ledger_claim(self->use, &claim, hoist_str(""), NULL,
                                      NULL) == HOIST_CLAIM_OURS;
    }
    return NULL;
}

static void several_threads_get_no_more_than_one(void **state)
{
    const ledger_memory_t memory = {.keys = 0};
    spender_t spenders[THREADS];
    pthread_t threads[THREADS];
    ledger_use_t use;
    int passed = 0, claimed = 0;
    (void)state;

    assert_int_equal(ledger_use_init(&use, "test", NULL, &memory, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        spenders[i] = (spender_t){.use = &use, .number = i};
        must(pthread_create(&threads[i], NULL, spend_and_claim, &spenders[i]) ==
             0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        must(pthread_join(threads[i], NULL) == 0);
        passed += spenders[i].passed;
        claimed += spenders[i].claimed;
    }
    assert_int_equal(passed, BURST);
    assert_int_equal(claimed, 2 * BURST / THREADS);
    ledger_use_fini(&use);
}

/* --- threads that share a ledger which fails ------------------------------ */

#define ORDERS 200 /* of which no more can be owed than there is room for */

/* That of a process's memory; of each three calls one does nothing, and of one
 * the answer is lost. */
typedef struct {
    hoist_ledger ledger; /* first: it is one */
    hoist_ledger *memory;
    atomic_uint calls, done[ORDERS];
    atomic_bool is_well;
} flaky_t;

typedef enum { WELL, DEAF, MUTE } mood_t;

static mood_t mood_of(flaky_t *self)
{
    return atomic_load(&self->is_well)
               ? WELL
               : (mood_t)(atomic_fetch_add(&self->calls, 1) % 3);
}

static int flaky_claim(hoist_ledger *ledger, const hoist_claim *claim,
                       hoist_outcome_handler *found, void *data,
                       hoist_reason *reason)
{
    flaky_t *self = (flaky_t *)ledger;
    mood_t mood = mood_of(self);

    if (mood == DEAF) {
        return -ENOTCONN;
    }
    int claimed =
        self->memory->table->claim(self->memory, claim, found, data, reason);
    return mood == MUTE ? HOIST_CLAIM_UNSURE : claimed;
}

static int flaky_settle(hoist_ledger *ledger, const hoist_claim *claim,
                        const hoist_outcome *outcome, int64_t keep_ms,
                        hoist_reason *reason)
{
    flaky_t *self = (flaky_t *)ledger;
    mood_t mood = mood_of(self);

    if (mood == DEAF) {
        return -ENOTCONN;
    }
    int rc = self->memory->table->settle(self->memory, claim, outcome, keep_ms,
                                         reason);
    return mood == MUTE ? -ETIMEDOUT : rc;
}

static int flaky_release(hoist_ledger *ledger, const hoist_claim *claim,
                         hoist_reason *reason)
{
    flaky_t *self = (flaky_t *)ledger;
    mood_t mood = mood_of(self);

    if (mood == DEAF) {
        return -ENOTCONN;
    }
    int rc = self->memory->table->release(self->memory, claim, reason);
    return mood == MUTE ? -ETIMEDOUT : rc;
}

static int flaky_spend(hoist_ledger *ledger, hoist_text name,
                       const hoist_bucket *bucket, int64_t *wait_ms,
                       hoist_reason *reason)
{
    (void)ledger;
    (void)name;
    (void)bucket;
    (void)reason;
    *wait_ms = 0;
    return -ENOTCONN; /* nobody asks */
}

static const hoist_ledger_table flaky_table = {.size = sizeof flaky_table,
                                               .spend = flaky_spend,
                                               .claim = flaky_claim,
                                               .settle = flaky_settle,
                                               .release = flaky_release};

typedef struct {
    flaky_t *flaky;
    ledger_use_t *use;
    uint64_t last_owner; /* no two threads have the same */
} orderer_t;

static void ignore(const hoist_outcome *outcome, void *data)
{
    (void)outcome;
    (void)data;
}

/* Try once to do this; what fails may be done by another thread. */
static void order(orderer_t *self, unsigned number)
{
    const hoist_outcome outcome = {.status = 200};
    char text[16];

    (void)snprintf(text, sizeof text, "o:%u", number);
    self->last_owner += THREADS;
    hoist_claim claim = {
        .name = hoist_str(text), .owner = self->last_owner, .hold_ms = 60000};
    if (ledger_claim(self->use, &claim, hoist_str(""), ignore, NULL) !=
        HOIST_CLAIM_OURS) {
        return;
    }
    if (self->last_owner % 5 == 0 && !atomic_load(&self->flaky->is_well)) {
        ledger_release(self->use, &claim);
    } else {
        atomic_fetch_add(&self->flaky->done[number], 1);
        ledger_settle(self->use, &claim, &outcome, 600000);
    }
}

static void *order_all(void *user)
{
    orderer_t *self = user;

    for (unsigned i = 0; i < ORDERS; i++) {
        order(self, i);
        ledger_tell(self->use, 50);
    }
    return NULL;
}

static void several_threads_do_once_what_a_bad_ledger_forgets(void **state)
{
    const ledger_memory_t memory = {.keys = 0};
    hoist_app *app = hoist_app_new();
    hoist_counter *late = hoist_counter_of(app, "late_total", "", NULL);
    static flaky_t flaky;
    orderer_t orderers[THREADS];
    pthread_t threads[THREADS];
    ledger_use_t below, use;
    (void)state;

    log_set_level(LEVEL_ERROR);
    must(ledger_use_init(&below, "test", NULL, &memory, NULL) == 0);
    flaky.ledger.table = &flaky_table;
    flaky.memory = below.memory;
    must(ledger_use_init(&use, "test", &flaky.ledger, NULL,
                         &(ledger_late_t){late, late}) == 0);
    for (unsigned i = 0; i < THREADS; i++) {
        orderers[i] = (orderer_t){&flaky, &use, 1 + i};
        must(pthread_create(&threads[i], NULL, order_all, &orderers[i]) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        must(pthread_join(threads[i], NULL) == 0);
    }
    atomic_store(&flaky.is_well, true);
    ledger_tell(&use, 60000);
    assert_true(owed_is_empty(&use.owed));
    assert_int_equal(use.owed.dropped, 0);
    (void)order_all(
        &orderers[0]); /* what nobody has done, and is held by none */
    (void)order_all(&orderers[0]);
    for (unsigned i = 0; i < ORDERS; i++) {
        assert_int_equal(atomic_load(&flaky.done[i]), 1);
    }
    ledger_use_fini(&use);
    ledger_use_fini(&below);
    hoist_app_destroy(&app);
}

/* --- ledgers of others ---------------------------------------------------- */

static int begins_with(const hoist_ledger_table *table)
{
    hoist_ledger ledger = {table};
    ledger_use_t use;
    int rc = ledger_use_init(&use, "test", &ledger, NULL, NULL);

    if (rc == 0) {
        ledger_use_fini(&use);
    }
    return rc;
}

static void a_ledger_that_was_compiled_long_ago_is_one(void **state)
{
    hoist_ledger_table first = flaky_table;
    (void)state;

    first.size = sizeof(size_t) + 4 * sizeof(void (*)(void));
    assert_int_equal(begins_with(&first), 0);
    first.size--;
    assert_int_equal(begins_with(&first), -EINVAL);
}

static void a_ledger_that_lacks_something_is_none(void **state)
{
    hoist_ledger_table lacking[4];
    (void)state;

    for (int i = 0; i < 4; i++) {
        lacking[i] = flaky_table;
    }
    lacking[0].spend = NULL;
    lacking[1].claim = NULL;
    lacking[2].settle = NULL;
    lacking[3].release = NULL;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(begins_with(&lacking[i]), -EINVAL);
    }
    assert_int_equal(begins_with(NULL), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_name_has_a_bucket_of_its_own),
        cmocka_unit_test(buckets_that_are_full_again_go),
        cmocka_unit_test(of_too_many_the_one_asked_for_longest_ago_goes),
        cmocka_unit_test(
            random_buckets_are_never_faster_than_said_and_hardly_slower),
        cmocka_unit_test(a_flood_of_names_stays_bounded),
        cmocka_unit_test(names_chosen_to_collide_do_not_share_a_bucket),
        cmocka_unit_test(a_name_is_claimed_once_until_it_is_released),
        cmocka_unit_test(an_outcome_is_kept_for_its_time),
        cmocka_unit_test(what_is_under_way_does_not_go_for_want_of_room),
        cmocka_unit_test(of_too_many_bytes_the_longest_done_go),
        cmocka_unit_test(random_claims_are_those_of_the_model),
        cmocka_unit_test(several_threads_get_no_more_than_one),
        cmocka_unit_test(several_threads_do_once_what_a_bad_ledger_forgets),
        cmocka_unit_test(a_ledger_that_was_compiled_long_ago_is_one),
        cmocka_unit_test(a_ledger_that_lacks_something_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
