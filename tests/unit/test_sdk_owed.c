/* SPDX-License-Identifier: MIT
 *
 * What a ledger could not be told when it happened: it is told later, for as
 * long as the claim is held, and meanwhile it is known here.  The ledger is one
 * of the test's, and the clock is driven.
 */
#include "base/xalloc.h"
#include "tests/unit/driven_clock.h"
#include "tests/unit/ledger_fixture.h"
#include "tests/unit/random_wire.h"
#include "tests/unit/sdk.h"
#include "workers/c/ledger.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HOLD_MS 60000
#define KEEP_MS 100000

static hoist_app *app;
static ledger_use_t use;
static hoist_counter *told, *dropped;

static void use_begins(void)
{
    must(ledger_use_init(&use, "test", &test_ledger.ledger, NULL,
                         &(ledger_late_t){told, dropped}) == 0);
}

static int set_up(void **state)
{
    (void)state;
    log_set_level(LEVEL_ERROR);
    driven_us = 10000000;
    test_ledger_opens();
    app = hoist_app_new();
    told = hoist_counter_of(app, "told_total", "", NULL);
    dropped = hoist_counter_of(app, "dropped_total", "", NULL);
    use_begins();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ledger_use_fini(&use);
    test_ledger_closes();
    hoist_app_destroy(&app);
    return 0;
}

static void pass(int64_t ms)
{
    driven_us += ms * 1000;
    test_ledger.now_ms += ms;
}

static void ledger_goes(void)
{
    test_ledger.fails = -ENOTCONN;
}

static void ledger_comes_back(void)
{
    test_ledger.fails = 0;
    test_ledger.is_mute = false;
}

static hoist_claim claim_of(const char *name, uint64_t owner)
{
    return (hoist_claim){.name = hoist_str(name),
                         .owner = owner,
                         .digest = {7},
                         .hold_ms = HOLD_MS};
}

static void note_outcome(const hoist_outcome *outcome, void *data)
{
    (void)snprintf(data, 16, "%d %.*s", outcome->status, (int)outcome->body.len,
                   outcome->body.data);
}

/* As ledger_claim. */
static int claims(const char *name, uint64_t owner)
{
    hoist_claim claim = claim_of(name, owner);
    char text[16];

    return ledger_claim(&use, &claim, hoist_str(""), note_outcome, text);
}

static void settles(const char *name, uint64_t owner, const char *body)
{
    const hoist_outcome outcome = {
        .status = 200, .type = HOIST_TEXT, .body = hoist_str(body)};
    hoist_claim claim = claim_of(name, owner);

    ledger_settle(&use, &claim, &outcome, KEEP_MS);
}

static void releases(const char *name, uint64_t owner)
{
    hoist_claim claim = claim_of(name, owner);

    ledger_release(&use, &claim);
}

/* A claim stands, and then the ledger goes. */
static void is_claimed_before_the_ledger_goes(const char *name, uint64_t owner)
{
    assert_int_equal(claims(name, owner), HOIST_CLAIM_OURS);
    ledger_goes();
}

/* What another worker comes to, that shares the ledger. */
static int claims_elsewhere(const char *name, uint64_t owner)
{
    hoist_claim claim = claim_of(name, owner);
    char text[16];

    return outcomes_claim(&test_ledger.outcomes, &claim, hoist_str(""),
                          test_ledger.now_ms, note_outcome, text);
}

/* --- told later ----------------------------------------------------------- */

static void what_was_done_is_told_when_the_ledger_is_back(void **state)
{
    (void)state;
    is_claimed_before_the_ledger_goes("a", 1);
    settles("a", 1, "done");
    ledger_tell(&use, 50);
    assert_int_equal(hoist_counted(told), 0);
    ledger_comes_back();
    assert_int_equal(claims_elsewhere("a", 2), HOIST_CLAIM_TAKEN);
    ledger_tell(&use, 50);
    assert_int_equal(claims_elsewhere("a", 2), HOIST_CLAIM_DONE);
    assert_int_equal(hoist_counted(told), 1);
    assert_true(owed_is_empty(&use.owed));
}

static void what_was_released_is_free_when_the_ledger_is_back(void **state)
{
    (void)state;
    is_claimed_before_the_ledger_goes("a", 1);
    releases("a", 1);
    ledger_comes_back();
    assert_int_equal(claims_elsewhere("a", 2), HOIST_CLAIM_TAKEN);
    ledger_tell(&use, 50);
    assert_int_equal(claims_elsewhere("a", 2), HOIST_CLAIM_OURS);
}

static void a_claim_whose_answer_was_lost_is_released(void **state)
{
    (void)state;
    test_ledger.is_mute = true;
    assert_int_equal(claims("a", 1), -ETIMEDOUT);
    ledger_comes_back();
    assert_int_equal(claims_elsewhere("a", 2), HOIST_CLAIM_TAKEN);
    ledger_tell(&use, 50);
    assert_int_equal(claims_elsewhere("a", 2), HOIST_CLAIM_OURS);
}

static void a_claim_that_surely_does_not_stand_is_not_released(void **state)
{
    (void)state;
    ledger_goes();
    assert_int_equal(claims("a", 1), -ENOTCONN);
    assert_true(owed_is_empty(&use.owed));
}

static void
what_was_told_although_nobody_heard_of_it_is_told_again(void **state)
{
    (void)state;
    assert_int_equal(claims("a", 1), HOIST_CLAIM_OURS);
    assert_int_equal(claims("b", 2), HOIST_CLAIM_OURS);
    test_ledger.is_mute = true;
    settles("a", 1, "done");
    releases("b", 2);
    ledger_comes_back();
    assert_int_equal(claims_elsewhere("b", 3), HOIST_CLAIM_OURS);
    ledger_tell(&use, 50);
    assert_int_equal(claims_elsewhere("a", 3), HOIST_CLAIM_DONE);
    assert_int_equal(claims_elsewhere("b", 4), HOIST_CLAIM_TAKEN);
    assert_int_equal(hoist_counted(told), 2);
}

static void what_cannot_be_told_holds_up_nothing_behind_it(void **state)
{
    (void)state;
    ledger_goes();
    settles("a", 1, "a");
    settles("b", 2, "b");
    ledger_tell(&use, 50); /* a has its turn behind b now */
    assert_true(hoist_is(owed_next(&use.owed, 10000)->claim.name, "b"));
    owed_told(&use.owed, false);
    assert_true(hoist_is(owed_next(&use.owed, 10000)->claim.name, "a"));
    owed_told(&use.owed, false);
}

static void the_end_of_a_use_is_the_last_time(void **state)
{
    (void)state;
    is_claimed_before_the_ledger_goes("a", 1);
    settles("a", 1, "done");
    ledger_comes_back();
    ledger_use_fini(&use);
    assert_int_equal(claims_elsewhere("a", 2), HOIST_CLAIM_DONE);
    ledger_goes();
    use_begins();
    settles("b", 2, "done");
    ledger_use_fini(&use);
    assert_int_equal(hoist_counted(dropped), 1);
    use_begins(); /* for the teardown */
}

/* --- known meanwhile ------------------------------------------------------ */

static void until_then_who_claims_it_here_is_told_what_is_known(void **state)
{
    hoist_claim claim = claim_of("a", 2), other = claim;
    char text[16];
    (void)state;

    is_claimed_before_the_ledger_goes("a", 1);
    settles("a", 1, "done");
    assert_int_equal(
        ledger_claim(&use, &claim, hoist_str(""), note_outcome, text),
        HOIST_CLAIM_DONE);
    assert_string_equal(text, "200 done");
    assert_int_equal(claims("a", 1), HOIST_CLAIM_DONE);
    other.digest[0] = 8;
    assert_int_equal(
        ledger_claim(&use, &other, hoist_str(""), note_outcome, text),
        HOIST_CLAIM_OTHER);
    assert_int_equal(claims("b", 2), -ENOTCONN); /* of that nothing is */
}

static void who_claims_it_anew_is_not_released_any_more(void **state)
{
    (void)state;
    test_ledger.is_mute = true;
    assert_int_equal(claims("a", 1), -ETIMEDOUT);
    ledger_comes_back();
    assert_int_equal(claims("a", 1), HOIST_CLAIM_OURS); /* tried again */
    ledger_tell(&use, 50);
    assert_int_equal(claims_elsewhere("a", 2), HOIST_CLAIM_TAKEN);
    assert_int_equal(hoist_counted(told), 0);
}

/* Two threads: the one tells, the other claims. */
static void while_it_is_being_released_it_is_taken(void **state)
{
    (void)state;
    test_ledger.is_mute = true;
    assert_int_equal(claims("a", 1), -ETIMEDOUT);
    ledger_comes_back();
    assert_non_null(owed_next(&use.owed, 10000));
    assert_int_equal(claims("a", 1), HOIST_CLAIM_TAKEN);
    assert_null(owed_next(&use.owed, 10000)); /* the one is at it */
    owed_told(&use.owed, true);
    assert_int_equal(claims("a", 1), HOIST_CLAIM_OURS);
}

static void what_is_being_told_is_known_meanwhile(void **state)
{
    (void)state;
    ledger_goes();
    settles("a", 1, "done");
    assert_non_null(owed_next(&use.owed, 10000));
    assert_int_equal(claims("a", 2), HOIST_CLAIM_DONE);
    owed_told(&use.owed, false);
    assert_int_equal(claims("a", 2), HOIST_CLAIM_DONE);
}

static void what_is_owed_anew_while_it_is_told_counts(void **state)
{
    (void)state;
    ledger_goes();
    settles("a", 1, "first");
    assert_non_null(owed_next(&use.owed, 10000));
    settles("a", 1, "second");
    owed_told(&use.owed, false);
    assert_int_equal(keyed_count(&use.owed.table), 1);
    assert_true(hoist_is(owed_next(&use.owed, 10000)->outcome.body, "second"));
    owed_told(&use.owed, true);
    assert_true(owed_is_empty(&use.owed));
    assert_int_equal(hoist_counted(dropped), 0);
}

/* Each of them may stand. */
static void each_claim_of_a_name_whose_answer_was_lost_is_released(void **state)
{
    (void)state;
    test_ledger.is_mute = true;
    assert_int_equal(claims("a", 1), -ETIMEDOUT);
    assert_int_equal(claims("a", 2), -ETIMEDOUT);
    assert_int_equal(keyed_count(&use.owed.table), 2);
    ledger_comes_back();
    ledger_tell(&use, 50);
    assert_int_equal(claims_elsewhere("a", 3), HOIST_CLAIM_OURS);
}

/* --- bounds -------------------------------------------------------------- */

static void what_was_not_told_in_the_time_of_a_claim_is_dropped(void **state)
{
    (void)state;
    log_set_level(LEVEL_WARN);
    sdk_catch();
    is_claimed_before_the_ledger_goes("a", 1);
    settles("a", 1, "done");
    pass(HOLD_MS - 1);
    ledger_tell(&use, 50);
    assert_int_equal(hoist_counted(dropped), 0);
    pass(1);
    ledger_tell(&use, 50);
    const char *caught = sdk_caught();
    assert_non_null(
        strstr(caught, "warn WORKER-LEDGER-DROPPED middleware=test count=1 "));
    assert_int_equal(hoist_counted(dropped), 1);
    ledger_comes_back();
    ledger_tell(&use, 50);
    assert_int_equal(hoist_counted(told), 0);
}

static void of_more_than_1024_whose_turn_is_next_is_dropped(void **state)
{
    char name[16];
    (void)state;

    ledger_goes();
    for (int i = 0; i < OWED_MAX + 10; i++) {
        (void)snprintf(name, sizeof name, "%d", i);
        settles(name, 1, "");
    }
    assert_int_equal(keyed_count(&use.owed.table), OWED_MAX);
    assert_int_equal(hoist_counted(dropped), 10);
    assert_int_equal(claims("9", 2), -ENOTCONN);
    assert_int_equal(claims("10", 2), HOIST_CLAIM_DONE);
}

static void more_than_4_mib_are_not_owed(void **state)
{
    const size_t half = OWED_BYTES_MAX / 2;
    char *body = xcalloc(1, OWED_BYTES_MAX + 1);
    (void)state;

    ledger_goes();
    settles("a", 1, memset(body, 'x', half));
    settles("b", 1, "");
    assert_int_equal(hoist_counted(dropped), 0);
    settles("c", 1, memset(body, 'x', half));
    assert_int_equal(hoist_counted(dropped), 1);
    assert_int_equal(claims("a", 2), -ENOTCONN);
    settles("d", 1, memset(body, 'x', OWED_BYTES_MAX));
    assert_int_equal(hoist_counted(dropped), 2); /* itself alone */
    assert_int_equal(claims("b", 2), HOIST_CLAIM_DONE);
    assert_int_equal(use.owed.bytes, half + 2);
    free(body);
}

static void no_more_is_told_at_once_than_there_is_time(void **state)
{
    (void)state;
    ledger_goes();
    settles("a", 1, "");
    settles("b", 1, "");
    ledger_comes_back();
    ledger_tell(&use, 0); /* which is over behind the first */
    assert_int_equal(hoist_counted(told), 1);
    ledger_tell(&use, 50);
    assert_int_equal(hoist_counted(told), 2);
}

/* --- random outages ------------------------------------------------------- */

#define NAMES 20

/* What this worker believes of a name: whose claim it has. */
typedef struct {
    uint64_t owner;
    int done; /* how often it was */
    bool is_ours;
} believed_t;

static void a_random_event(believed_t *one, const char *name, uint64_t owner,
                           random_t *random)
{
    if (one->is_ours && random_below(random, 2) == 0) {
        settles(name, one->owner, "done");
        one->done++;
        one->is_ours = false;
    } else if (one->is_ours) {
        releases(name, one->owner);
        one->is_ours = false;
    } else if (claims(name, owner) == HOIST_CLAIM_OURS) {
        one->is_ours = true;
        one->owner = owner;
    }
}

static void the_weather_changes(random_t *random)
{
    ledger_comes_back();
    switch (random_below(random, 4)) {
    case 0:
        ledger_goes();
        break;
    case 1:
        test_ledger.is_mute = true;
        break;
    default:
        break;
    }
}

/* No outage lasts as long as a claim is held. */
static void
whatever_is_lost_nothing_is_done_twice_or_held_for_ever(void **state)
{
    random_t random;
    (void)state;

    random_init(&random, 10);
    for (int round = 0; round < 200; round++) {
        believed_t names[NAMES] = {{0}};
        char name[32];
        for (int step = 0; step < 300; step++) {
            size_t number = random_below(&random, NAMES);
            (void)snprintf(name, sizeof name, "%d-%zu", round, number);
            if (random_below(&random, 10) == 0) {
                the_weather_changes(&random);
            }
            a_random_event(&names[number], name, 1 + (uint64_t)step, &random);
            if (random_below(&random, 5) == 0) {
                ledger_tell(&use, 50);
            }
        }
        ledger_comes_back();
        ledger_tell(&use, 50);
        assert_true(owed_is_empty(&use.owed));
        for (size_t number = 0; number < NAMES; number++) {
            const believed_t *one = &names[number];
            (void)snprintf(name, sizeof name, "%d-%zu", round, number);
            assert_true(one->done <= 1);
            assert_int_equal(claims_elsewhere(name, 1000),
                             one->done > 0  ? HOIST_CLAIM_DONE
                             : one->is_ours ? HOIST_CLAIM_TAKEN
                                            : HOIST_CLAIM_OURS);
        }
        pass(KEEP_MS);
        test_ledger_closes();
        int64_t now_ms = test_ledger.now_ms;
        test_ledger_opens();
        test_ledger.now_ms = now_ms;
    }
    assert_int_equal(hoist_counted(dropped), 0);
    assert_true(hoist_counted(told) > 1000);
    random_fini(&random);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_done_is_told_when_the_ledger_is_back),
        TEST(what_was_released_is_free_when_the_ledger_is_back),
        TEST(a_claim_whose_answer_was_lost_is_released),
        TEST(a_claim_that_surely_does_not_stand_is_not_released),
        TEST(what_was_told_although_nobody_heard_of_it_is_told_again),
        TEST(what_cannot_be_told_holds_up_nothing_behind_it),
        TEST(the_end_of_a_use_is_the_last_time),
        TEST(until_then_who_claims_it_here_is_told_what_is_known),
        TEST(who_claims_it_anew_is_not_released_any_more),
        TEST(while_it_is_being_released_it_is_taken),
        TEST(what_is_being_told_is_known_meanwhile),
        TEST(what_is_owed_anew_while_it_is_told_counts),
        TEST(each_claim_of_a_name_whose_answer_was_lost_is_released),
        TEST(what_was_not_told_in_the_time_of_a_claim_is_dropped),
        TEST(of_more_than_1024_whose_turn_is_next_is_dropped),
        TEST(more_than_4_mib_are_not_owed),
        TEST(no_more_is_told_at_once_than_there_is_time),
        TEST(whatever_is_lost_nothing_is_done_twice_or_held_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
