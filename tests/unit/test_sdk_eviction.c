/* SPDX-License-Identifier: MIT
 *
 * Whose outcomes go where memory has no room: those of whoever holds most.
 * Random ones are held against a model that looks at all of them.
 */
#include "base/xalloc.h"
#include "tests/unit/random_wire.h"
#include "workers/c/outcomes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define NOW_MS  INT64_C(1000000)
#define KEEP_MS 1000

/* A name is WHO/WHAT. */
static hoist_text who(hoist_text name)
{
    return hoist_bytes(
        name.data,
        (size_t)((const char *)memchr(name.data, '/', name.len) - name.data));
}

static hoist_claim claim_of(const char *name)
{
    return (hoist_claim){.name = hoist_str(name), .owner = 1};
}

static int claims(outcomes_t *outcomes, const char *name)
{
    hoist_claim claim = claim_of(name);

    return outcomes_claim(outcomes, &claim, who(claim.name), NOW_MS, NULL,
                          NULL);
}

static void settles(outcomes_t *outcomes, const char *name, const char *body)
{
    const hoist_outcome outcome = {
        .status = 200, .type = HOIST_TEXT, .body = hoist_str(body)};
    hoist_claim claim = claim_of(name);

    assert_int_equal(
        outcomes_settle(outcomes, &claim, &outcome, NOW_MS, KEEP_MS), 0);
}

static void does(outcomes_t *outcomes, const char *name, const char *body)
{
    assert_int_equal(claims(outcomes, name), HOIST_CLAIM_OURS);
    settles(outcomes, name, body);
}

static bool knows(const outcomes_t *outcomes, const char *name)
{
    return keyed_find(&outcomes->table, hoist_str(name)) != NULL;
}

/* --- whose they are ------------------------------------------------------ */

static void who_holds_most_names_loses_the_longest_done(void **state)
{
    outcomes_t outcomes;
    (void)state;

    outcomes_init(&outcomes, 6, 100);
    does(&outcomes, "ada/1", "the longest done of all");
    does(&outcomes, "eve/1", "");
    does(&outcomes, "eve/2", "");
    does(&outcomes, "eve/3", "");
    does(&outcomes, "bob/1", "");
    does(&outcomes, "bob/2", "");
    does(&outcomes, "bob/3", "");
    assert_false(knows(&outcomes, "eve/1"));
    assert_int_equal(outcomes.evicted, 1);
    does(&outcomes, "bob/4", "");
    assert_false(knows(&outcomes, "bob/1"));
    assert_true(knows(&outcomes, "ada/1"));
    outcomes_fini(&outcomes);
}

static void who_holds_most_bytes_makes_room_for_a_body(void **state)
{
    outcomes_t outcomes;
    (void)state;

    outcomes_init(&outcomes, 100, 20);
    does(&outcomes, "ada/1", "123");
    does(&outcomes, "ada/2", "123");
    does(&outcomes, "ada/3", "123");
    does(&outcomes, "eve/1", "12345678901");
    does(&outcomes, "bob/1", "12345");
    assert_false(knows(&outcomes, "eve/1"));
    assert_int_equal(outcomes.evicted, 1);
    assert_int_equal(outcomes.bytes, 14);
    outcomes_fini(&outcomes);
}

static void a_flood_of_ones_takes_from_that_one_alone(void **state)
{
    outcomes_t outcomes;
    char name[32];
    (void)state;

    outcomes_init(&outcomes, 100, 1000);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(name, sizeof name, "user-%d/1", i);
        does(&outcomes, name, "0123456789");
    }
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(name, sizeof name, "eve/%d", i);
        does(&outcomes, name, "01234567890123456789");
    }
    for (int i = 0; i < 40; i++) {
        (void)snprintf(name, sizeof name, "user-%d/1", i);
        assert_true(knows(&outcomes, name));
    }
    assert_int_equal(outcomes.evicted, 5000 - 30);
    outcomes_fini(&outcomes);
}

/* So who comes under many names does not keep out who has two. */
static void of_many_who_hold_little_the_longest_done_goes(void **state)
{
    outcomes_t outcomes;
    char name[32];
    (void)state;

    outcomes_init(&outcomes, 100, 1000);
    for (int i = 0; i < 150; i++) {
        (void)snprintf(name, sizeof name, "one-of-many-%d/1", i);
        does(&outcomes, name, "");
    }
    does(&outcomes, "ada/1", "");
    does(&outcomes, "ada/2", "");
    for (int i = 0; i < 98; i++) {
        (void)snprintf(name, sizeof name, "another-%d/1", i);
        does(&outcomes, name, "");
    }
    assert_true(knows(&outcomes, "ada/1")); /* next */
    does(&outcomes, "one-more/1", "");
    assert_false(knows(&outcomes, "ada/1"));
    assert_true(knows(&outcomes, "ada/2"));
    outcomes_fini(&outcomes);
}

static void a_few_in_any_case_fill_nothing(void **state)
{
    outcomes_t outcomes;
    char name[32];
    (void)state;

    outcomes_init(&outcomes, 4096, 1000);
    for (int i = 0; i < 4096; i++) {
        (void)snprintf(name, sizeof name, "one-of-many-%d/1", i);
        does(&outcomes, name, "");
    }
    for (int i = 0; i < 5; i++) {
        (void)snprintf(name, sizeof name, "ada/%d", i);
        does(&outcomes, name, "");
    }
    assert_true(knows(&outcomes, "ada/0"));
    does(&outcomes, "one-more/1", "");
    assert_false(knows(&outcomes, "ada/0")); /* four are few, of 4096 */
    does(&outcomes, "one-more/2", "");
    assert_true(knows(&outcomes, "ada/1"));
    outcomes_fini(&outcomes);
}

static void what_is_under_way_is_not_held_against_one(void **state)
{
    outcomes_t outcomes;
    (void)state;

    outcomes_init(&outcomes, 4, 100);
    assert_int_equal(claims(&outcomes, "eve/1"), HOIST_CLAIM_OURS);
    assert_int_equal(claims(&outcomes, "eve/2"), HOIST_CLAIM_OURS);
    assert_int_equal(claims(&outcomes, "eve/3"), HOIST_CLAIM_OURS);
    does(&outcomes, "ada/1", "");
    assert_int_equal(claims(&outcomes, "eve/4"), HOIST_CLAIM_OURS);
    assert_false(knows(&outcomes, "ada/1")); /* all else is under way */
    assert_int_equal(claims(&outcomes, "ada/2"), -ENOMEM);
    outcomes_fini(&outcomes);
}

static void who_holds_nothing_any_more_is_forgotten(void **state)
{
    outcomes_t outcomes;
    hoist_claim claim = claim_of("ada/1");
    (void)state;

    outcomes_init(&outcomes, 10, 100);
    assert_int_equal(claims(&outcomes, "ada/1"), HOIST_CLAIM_OURS);
    does(&outcomes, "eve/1", "body");
    assert_int_equal(keyed_count(&outcomes.holders.table), 2);
    assert_int_equal(outcomes_release(&outcomes, &claim), 0);
    assert_int_equal(keyed_count(&outcomes.holders.table), 1);
    (void)outcomes_claim(&outcomes, &claim, who(claim.name), NOW_MS + KEEP_MS,
                         NULL, NULL);
    assert_int_equal(keyed_count(&outcomes.holders.table),
                     1); /* ada, not eve */
    assert_null(holders_most(&outcomes.holders, HELD_NAMES));
    outcomes_fini(&outcomes);
}

/* --- random ones --------------------------------------------------------- */

#define USERS      50
#define NAMES      8 /* of each */
#define ROOM       60
#define ROOM_BYTES 200

/* What a name stands for; it was done as the `done`-th, or is not: 0. */
typedef struct {
    bool runs;
    uint64_t done;
    size_t bytes;
} noted_t;

static noted_t noted[USERS][NAMES];
static uint64_t last_done;

static const char *name_of(size_t user, size_t number)
{
    static char text[32];

    (void)snprintf(text, sizeof text, "user-%zu/%zu", user, number);
    return text;
}

static size_t held_by(size_t user, held_t kind)
{
    size_t held = 0;

    for (size_t i = 0; i < NAMES; i++) {
        if (noted[user][i].done > 0) {
            held += kind == HELD_NAMES ? 1 : noted[user][i].bytes;
        }
    }
    return held;
}

static size_t most_held(held_t kind)
{
    size_t most = 0;

    for (size_t user = 0; user < USERS; user++) {
        size_t held = held_by(user, kind);
        most = held > most ? held : most;
    }
    return most;
}

/* The longest done of the user's, or NULL. */
static noted_t *longest_done(size_t user)
{
    noted_t *found = NULL;

    for (size_t i = 0; i < NAMES; i++) {
        noted_t *one = &noted[user][i];
        if (one->done > 0 && (found == NULL || one->done < found->done)) {
            found = one;
        }
    }
    return found;
}

static bool is_gone(const outcomes_t *outcomes, const noted_t *one)
{
    size_t at = (size_t)(one - &noted[0][0]);

    return !knows(outcomes, name_of(at / NAMES, at % NAMES));
}

/* Users with something under way or done. */
static size_t count_holders(void)
{
    size_t holders = 0;

    for (size_t user = 0; user < USERS; user++) {
        bool holds = false;
        for (size_t i = 0; i < NAMES; i++) {
            holds |= noted[user][i].runs || noted[user][i].done > 0;
        }
        holders += holds;
    }
    return holders;
}

/* Where nobody holds more than a fair share, the longest done of all goes. */
static bool is_next(size_t user, held_t kind)
{
    size_t room = kind == HELD_NAMES ? ROOM : ROOM_BYTES;
    size_t most = most_held(kind), holders = count_holders();

    if (most > (room + holders - 1) / holders) {
        return held_by(user, kind) == most;
    }
    for (size_t other = 0; other < USERS; other++) {
        const noted_t *one = longest_done(other);
        if (one != NULL && one->done < longest_done(user)->done) {
            return false;
        }
    }
    return true;
}

/* One that is gone was the next to go: note that.  Returns whether there was
 * one. */
static bool notes_one_gone(const outcomes_t *outcomes, held_t kind)
{
    for (size_t user = 0; user < USERS; user++) {
        noted_t *one = longest_done(user);
        if (one != NULL && is_gone(outcomes, one) && is_next(user, kind)) {
            *one = (noted_t){.runs = false};
            return true;
        }
    }
    return false;
}

static size_t count_gone(const outcomes_t *outcomes)
{
    size_t gone = 0;

    for (size_t i = 0; i < (size_t)USERS * NAMES; i++) {
        const noted_t *one = &noted[0][0] + i;
        gone += one->done > 0 && is_gone(outcomes, one);
    }
    return gone;
}

/* Whatever has gone since was the next of this kind. */
static void those_gone_were_next(const outcomes_t *outcomes, held_t kind,
                                 uint64_t evicted)
{
    while (notes_one_gone(outcomes, kind)) {
        evicted++;
    }
    assert_int_equal(count_gone(outcomes), 0);
    assert_int_equal(outcomes->evicted, evicted);
}

static void claims_at_random(outcomes_t *outcomes, noted_t *one,
                             const char *name)
{
    uint64_t before = outcomes->evicted;
    int rc = claims(outcomes, name);
    those_gone_were_next(outcomes, HELD_NAMES, before);
    one->runs = rc == HOIST_CLAIM_OURS;
}

static void settles_at_random(outcomes_t *outcomes, noted_t *one,
                              const char *name, size_t bytes)
{
    static const char body[] =
        "01234567890123456789012345678901234567890123456"
        "78901234567890123456789012345678901234567890123";
    uint64_t before = outcomes->evicted;

    settles(outcomes, name, body + sizeof body - 1 - bytes);
    those_gone_were_next(outcomes, HELD_BYTES, before);
    *one = (noted_t){.done = ++last_done, .bytes = bytes};
}

/* For a while some come more often than others, and then those others. */
static size_t a_random_user(random_t *random, int step)
{
    size_t few = random_below(random, 1 + random_below(random, USERS));

    return (few + (size_t)step / 1000) % USERS;
}

static void a_random_step(outcomes_t *outcomes, random_t *random, int step)
{
    size_t user = a_random_user(random, step);
    size_t number = random_below(random, NAMES);
    noted_t *one = &noted[user][number];
    hoist_claim claim = claim_of(name_of(user, number));

    if (!one->runs && one->done == 0) {
        if (random_below(random, 16) == 0) { /* so that not all are under way */
            claims_at_random(outcomes, one, claim.name.data);
        }
    } else if (one->runs && random_below(random, 8) == 0) {
        assert_int_equal(outcomes_release(outcomes, &claim), 0);
        one->runs = false;
    } else if (one->runs) {
        settles_at_random(outcomes, one, claim.name.data,
                          random_below(random, 1 + user));
    }
}

static void whatever_goes_is_next(void **state)
{
    outcomes_t outcomes;
    random_t random;
    (void)state;

    random_init(&random, 8);
    outcomes_init(&outcomes, ROOM, ROOM_BYTES);
    for (int step = 0; step < 100000; step++) {
        a_random_step(&outcomes, &random, step);
        assert_true(outcomes.bytes <= ROOM_BYTES);
        assert_true(keyed_count(&outcomes.table) <= ROOM);
    }
    assert_true(outcomes.evicted > 1000);
    outcomes_fini(&outcomes);
    random_fini(&random);
}

/* --- heaps --------------------------------------------------------------- */

static void nobody_holds_more_than_who_is_above(const holders_t *holders)
{
    for (size_t kind = 0; kind < HELD_KINDS; kind++) {
        holder_t *const *heap = holders->heaps[kind];
        for (size_t at = 0; at < keyed_count(&holders->table); at++) {
            assert_int_equal(heap[at]->place[kind], at);
            assert_true(heap[at]->amount[kind] <=
                        heap[at > 0 ? (at - 1) / 2 : 0]->amount[kind]);
        }
    }
}

/* Each holds up to four things of some bytes, and goes when it holds none. */
static void heaps_are_in_order_whoever_comes_and_goes(void **state)
{
    holder_t *holder[USERS] = {NULL};
    size_t held[USERS][4] = {{0}}, count[USERS] = {0};
    holders_t holders;
    random_t random;
    (void)state;

    random_init(&random, 9);
    holders_init(&holders, USERS);
    for (int step = 0; step < 100000; step++) {
        size_t user = random_below(&random, USERS);
        if (count[user] < 4 && random_below(&random, 2) == 0) {
            size_t bytes = random_below(&random, 20);
            holder[user] = holders_take(&holders, hoist_str(name_of(user, 0)));
            assert_non_null(holder[user]);
            holders_add(&holders, holder[user], bytes);
            held[user][count[user]++] = bytes;
        } else if (count[user] > 0) {
            holders_remove(&holders, holder[user], held[user][--count[user]]);
            holders_leave(&holders, holder[user]);
        }
        nobody_holds_more_than_who_is_above(&holders);
    }
    holders_fini(&holders);
    random_fini(&random);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_holds_most_names_loses_the_longest_done),
        cmocka_unit_test(who_holds_most_bytes_makes_room_for_a_body),
        cmocka_unit_test(a_flood_of_ones_takes_from_that_one_alone),
        cmocka_unit_test(what_is_under_way_is_not_held_against_one),
        cmocka_unit_test(who_holds_nothing_any_more_is_forgotten),
        cmocka_unit_test(of_many_who_hold_little_the_longest_done_goes),
        cmocka_unit_test(a_few_in_any_case_fill_nothing),
        cmocka_unit_test(whatever_goes_is_next),
        cmocka_unit_test(heaps_are_in_order_whoever_comes_and_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
