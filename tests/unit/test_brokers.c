/* SPDX-License-Identifier: MIT
 *
 * A link for each broker, while brokers come and go: the links are the tests'
 * own, and a name has the address that the test says.
 */
#include "base/brokers.h"
#include "base/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SLOTS 3

static brokers_t brokers;
static struct ev_loop *loop;
static char links[SLOTS][64]; /* endpoints; "": none */
static bool are_spent, is_full;
static char failed[64]; /* the endpoint that was, last */
static char error[256];
static atomic_int address; /* the last byte of what the name has */

static int on_add(void *user, size_t slot, const char *endpoint)
{
    (void)user;

    if (is_full) {
        return -EMFILE;
    }
    assert_string_equal(links[slot], "");
    snprintf(links[slot], sizeof links[slot], "%s", endpoint);
    return 0;
}

static bool on_is_spent(void *user, size_t slot)
{
    (void)user;

    assert_string_not_equal(links[slot], "");
    return are_spent;
}

static void on_remove(void *user, size_t slot)
{
    (void)user;

    assert_string_not_equal(links[slot], "");
    links[slot][0] = '\0';
}

static void on_failed(void *user, const char *endpoint, const char *why)
{
    (void)user;

    snprintf(failed, sizeof failed, "%s", endpoint);
    assert_string_equal(why, strerror(EMFILE));
}

static void look_up(const char *host, answer_t *answer)
{
    assert_string_equal(host, "name");
    snprintf(answer->addresses[0], ADDRESS_TEXT, "10.0.0.%d",
             atomic_load(&address));
    answer->count = 1;
}

static int start(const char *list)
{
    static const brokers_ops_t ops = {on_add, on_is_spent, on_remove,
                                      on_failed};
    const brokers_options_t options = {.loop = loop,
                                       .list = list,
                                       .max = SLOTS,
                                       .resolve_ms = 1,
                                       .lookup = look_up,
                                       .ops = &ops};

    return brokers_start(&brokers, &options, error, sizeof error);
}

static bool is_linked(const char *endpoint)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (strcmp(links[i], endpoint) == 0) {
            return true;
        }
    }
    return false;
}

static void comes(const char *endpoint)
{
    while (!is_linked(endpoint)) {
        ev_run(loop, EVRUN_ONCE);
    }
}

static void goes(const char *endpoint)
{
    while (is_linked(endpoint)) {
        ev_run(loop, EVRUN_ONCE);
    }
}

static void fails(const char *endpoint)
{
    failed[0] = '\0';
    while (strcmp(failed, endpoint) != 0) {
        ev_run(loop, EVRUN_ONCE);
    }
}

static int set_up(void **state)
{
    (void)state;

    log_set_level(LEVEL_ERROR);
    loop = ev_loop_new(0);
    memset(links, 0, sizeof links);
    are_spent = is_full = false;
    failed[0] = '\0';
    error[0] = '\0';
    atomic_store(&address, 1);
    return loop == NULL;
}

static int tear_down(void **state)
{
    (void)state;

    brokers_fini(&brokers);
    ev_loop_destroy(loop);
    return 0;
}

static void those_that_are_listed_have_links_at_once(void **state)
{
    (void)state;

    assert_int_equal(start("ipc://a,tcp://10.0.0.7:5"), 0);
    assert_string_equal(links[0], "ipc://a");
    assert_string_equal(links[1], "tcp://10.0.0.7:5");
    assert_string_equal(links[2], "");
    assert_false(ev_run(loop, EVRUN_ONCE)); /* there is nothing to look up */
}

static void a_list_that_is_none_is_refused(void **state)
{
    (void)state;

    assert_true(start("ipc://a,ipc://b,ipc://c,ipc://d") < 0);
    assert_string_equal(error, "not 1 to 3 endpoints of brokers: "
                               "ipc://a,ipc://b,ipc://c,ipc://d");
    assert_string_equal(links[0], "");
}

static void the_first_that_fails_is_named(void **state)
{
    char expected[256];
    (void)state;

    is_full = true;
    assert_true(start("ipc://a,ipc://b") < 0);
    snprintf(expected, sizeof expected,
             "cannot connect to the broker ipc://a: %s", strerror(EMFILE));
    assert_string_equal(error, expected);
}

static void one_comes_with_its_name(void **state)
{
    (void)state;

    assert_int_equal(start("ipc://a,tcp://name:5"), 0);
    comes("tcp://10.0.0.1:5");
    assert_true(is_linked("ipc://a"));
}

static void one_that_its_name_has_lost_stays_until_it_is_spent(void **state)
{
    (void)state;

    assert_int_equal(start("tcp://name:5"), 0);
    comes("tcp://10.0.0.1:5");
    atomic_store(&address, 2);
    comes("tcp://10.0.0.2:5");
    assert_true(is_linked("tcp://10.0.0.1:5"));
    are_spent = true;
    goes("tcp://10.0.0.1:5");
    assert_true(is_linked("tcp://10.0.0.2:5")); /* spent, too, but wanted */
    atomic_store(&address, 3);
    comes("tcp://10.0.0.3:5");
}

static void what_failed_is_tried_again(void **state)
{
    (void)state;

    is_full = true;
    assert_int_equal(start("tcp://name:5"), 0);
    fails("tcp://10.0.0.1:5");
    fails("tcp://10.0.0.1:5");
    is_full = false;
    comes("tcp://10.0.0.1:5");
}

static void one_that_never_had_a_link_goes_without_a_word(void **state)
{
    (void)state;

    is_full = true;
    assert_int_equal(start("tcp://name:5"), 0);
    fails("tcp://10.0.0.1:5");
    atomic_store(&address, 2);
    fails("tcp://10.0.0.2:5");
    is_full = false;
    comes("tcp://10.0.0.2:5");
    assert_int_equal(roster_count(&brokers.roster), 1);
}

static void at_rest_none_comes_and_none_goes(void **state)
{
    (void)state;

    assert_int_equal(start("tcp://name:5"), 0);
    comes("tcp://10.0.0.1:5");
    are_spent = true;
    atomic_store(&address, 2);
    brokers_rest(&brokers);
    assert_false(ev_run(loop, 0)); /* nothing is waited for */
    assert_true(is_linked("tcp://10.0.0.1:5"));
    assert_false(is_linked("tcp://10.0.0.2:5"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(those_that_are_listed_have_links_at_once),
        TEST(a_list_that_is_none_is_refused),
        TEST(the_first_that_fails_is_named),
        TEST(one_comes_with_its_name),
        TEST(one_that_its_name_has_lost_stays_until_it_is_spent),
        TEST(what_failed_is_tried_again),
        TEST(one_that_never_had_a_link_goes_without_a_word),
        TEST(at_rest_none_comes_and_none_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
