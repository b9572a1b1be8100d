/* SPDX-License-Identifier: MIT
 *
 * Which brokers there are to be links to, as names change their addresses.
 */
#include "base/log.h"
#include "base/roster.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <netdb.h>

#define MAX 4

static roster_t roster;

static void lists(const char *endpoints)
{
    assert_int_equal(roster_init(&roster, endpoints, MAX), 0);
}

static int tear_down(void **state)
{
    (void)state;
    roster_fini(&roster);
    return 0;
}

/* The name has these addresses now; "": it has none that could be found. */
static void has(uint32_t name, const char *addresses)
{
    char list[256], *rest = list, *address;
    answer_t answer = {.name = name};

    answer.error = *addresses == '\0' ? EAI_AGAIN : 0;
    snprintf(list, sizeof list, "%s", addresses);
    while (answer.error == 0 && (address = strsep(&rest, " ")) != NULL) {
        snprintf(answer.addresses[answer.count++], ADDRESS_TEXT, "%s", address);
    }
    roster_answer(&roster, &answer);
}

/* The slots in their order: the endpoint, "-" of one that has vanished before
 * it, or "." for a free one. */
static void holds(const char *expected)
{
    char text[512] = "";

    for (size_t i = 0; i < MAX; i++) {
        const char *endpoint = roster_endpoint(&roster, i);
        const char *sign =
            endpoint == NULL || roster_wants(&roster, i) ? "" : "-";
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s%s%s", i > 0 ? " " : "",
                 sign, endpoint == NULL ? "." : endpoint);
    }
    assert_string_equal(text, expected);
}

static void what_is_no_name_is_wanted_as_it_stands(void **state)
{
    (void)state;
    lists("tcp://127.0.0.1:5556,ipc:///a,tcp://[0::1]:1,tcp://broker:5556");
    holds("tcp://127.0.0.1:5556 ipc:///a tcp://[::1]:1 .");
    assert_int_equal(roster.name_count, 1);
    assert_string_equal(roster.names[0].host, "broker");
    assert_int_equal(roster_count(&roster), 3);
}

static void a_list_that_is_wrong_or_too_long_is_refused(void **state)
{
    (void)state;
    assert_int_equal(roster_init(&roster, "", MAX), -EINVAL);
    assert_int_equal(roster_init(&roster, "tcp://a:1,", MAX), -EINVAL);
    assert_int_equal(
        roster_init(&roster, "ipc://a,ipc://b,ipc://c,ipc://d,e", MAX), -E2BIG);
}

static void each_address_of_a_name_is_a_broker(void **state)
{
    (void)state;
    lists("tcp://broker:5556");
    holds(". . . .");
    has(0, "10.0.0.1 fe80::1");
    holds("tcp://10.0.0.1:5556 tcp://[fe80::1]:5556 . .");
}

static void what_is_new_is_added_and_what_is_gone_vanishes(void **state)
{
    (void)state;
    lists("tcp://broker:1");
    has(0, "10.0.0.1 10.0.0.2");
    has(0, "10.0.0.2 10.0.0.3");
    holds("-tcp://10.0.0.1:1 tcp://10.0.0.2:1 tcp://10.0.0.3:1 .");
}

static void what_has_vanished_may_come_back_to_its_slot(void **state)
{
    (void)state;
    lists("tcp://broker:1");
    has(0, "10.0.0.1");
    has(0, "10.0.0.2");
    has(0, "10.0.0.1 10.0.0.2");
    holds("tcp://10.0.0.1:1 tcp://10.0.0.2:1 . .");
}

static void a_released_slot_is_the_next_ones(void **state)
{
    (void)state;
    lists("tcp://broker:1");
    has(0, "10.0.0.1 10.0.0.2");
    has(0, "10.0.0.2");
    roster_release(&roster, 0);
    holds(". tcp://10.0.0.2:1 . .");
    assert_int_equal(roster_count(&roster), 1);
    has(0, "10.0.0.2 10.0.0.3");
    holds("tcp://10.0.0.3:1 tcp://10.0.0.2:1 . .");
}

static void a_failure_changes_nothing(void **state)
{
    (void)state;
    lists("tcp://broker:1");
    has(0, "");
    holds(". . . .");
    has(0, "10.0.0.1");
    has(0, "");
    holds("tcp://10.0.0.1:1 . . .");
}

static void one_address_by_two_names_is_one_broker(void **state)
{
    (void)state;
    lists("tcp://127.0.0.1:1,tcp://localhost:1,tcp://broker:1,tcp://broker:2");
    has(0, "127.0.0.1");
    has(1, "127.0.0.1 10.0.0.1");
    has(2, "127.0.0.1");
    holds("tcp://127.0.0.1:1 tcp://10.0.0.1:1 tcp://127.0.0.1:2 .");
}

static void a_broker_is_wanted_while_anything_names_it(void **state)
{
    (void)state;
    lists("tcp://127.0.0.1:1,tcp://a:1,tcp://b:1");
    has(0, "127.0.0.1 10.0.0.1");
    has(1, "10.0.0.1");
    has(0, "10.0.0.2");
    holds("tcp://127.0.0.1:1 tcp://10.0.0.1:1 tcp://10.0.0.2:1 .");
    has(1, "10.0.0.2");
    holds("tcp://127.0.0.1:1 -tcp://10.0.0.1:1 tcp://10.0.0.2:1 .");
}

static void what_comes_behind_the_first_answer_is_late(void **state)
{
    (void)state;
    lists("tcp://127.0.0.1:1,tcp://broker:1");
    has(0, "");
    has(0, "10.0.0.1");
    has(0, "10.0.0.1 10.0.0.2");
    assert_false(roster_is_late(&roster, 0));
    assert_false(roster_is_late(&roster, 1));
    assert_true(roster_is_late(&roster, 2));
}

static void what_has_no_slot_waits_for_one(void **state)
{
    (void)state;
    lists("ipc://a,tcp://broker:1");
    has(0, "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5");
    holds("ipc://a tcp://10.0.0.1:1 tcp://10.0.0.2:1 tcp://10.0.0.3:1");
    assert_int_equal(roster.names[0].omitted, 2);
    has(0, "10.0.0.2 10.0.0.3 10.0.0.4");
    holds("ipc://a -tcp://10.0.0.1:1 tcp://10.0.0.2:1 tcp://10.0.0.3:1");
    roster_release(&roster, 1);
    has(0, "10.0.0.2 10.0.0.3 10.0.0.4");
    holds("ipc://a tcp://10.0.0.4:1 tcp://10.0.0.2:1 tcp://10.0.0.3:1");
    assert_int_equal(roster.names[0].omitted, 0);
}

#define T(test) cmocka_unit_test_teardown(test, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_no_name_is_wanted_as_it_stands),
        T(a_list_that_is_wrong_or_too_long_is_refused),
        T(each_address_of_a_name_is_a_broker),
        T(what_is_new_is_added_and_what_is_gone_vanishes),
        T(what_has_vanished_may_come_back_to_its_slot),
        T(a_released_slot_is_the_next_ones),
        T(a_failure_changes_nothing),
        T(one_address_by_two_names_is_one_broker),
        T(a_broker_is_wanted_while_anything_names_it),
        T(what_comes_behind_the_first_answer_is_late),
        T(what_has_no_slot_waits_for_one),
    };
    log_set_level(LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
