/* SPDX-License-Identifier: MIT
 *
 * The thread that looks names up, with look-ups that the tests make up.
 */
#include "base/log.h"
#include "base/resolver.h"
#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <poll.h>
#include <unistd.h>

#include <cmocka.h>
#include <netdb.h>
#include <semaphore.h>

#define WAIT_MS 30000

static roster_t roster;
static resolver_t *resolver;
static int look_ups[2]; /* a pipe: a byte is how the next one is to end */
static sem_t begun;     /* by those that wait for their byte */

static void start(const char *list, int64_t interval_ms,
                  resolver_lookup_fn *lookup)
{
    assert_int_equal(roster_init(&roster, list, ROSTER_MAX), 0);
    assert_int_equal(resolver_new(&resolver, &roster, interval_ms, lookup), 0);
}

static int set_up(void **state)
{
    (void)state;
    must(sem_init(&begun, 0, 0) == 0);
    return pipe(look_ups);
}

static int tear_down(void **state)
{
    (void)state;
    resolver_destroy(&resolver);
    roster_fini(&roster);
    close(look_ups[1]); /* whoever still hangs reads the end */
    return 0;
}

static answer_t next(void)
{
    struct pollfd end = {.fd = resolver_fd(resolver), .events = POLLIN};
    answer_t answer;

    assert_int_equal(poll(&end, 1, WAIT_MS), 1);
    assert_true(resolver_next(resolver, &answer));
    return answer;
}

/* As the test says by a byte, and hangs until it does. */
static void look_up_as_told(const char *host, answer_t *answer)
{
    int from = look_ups[0]; /* the next test has another */
    char how = 'x';

    must(sem_post(&begun) == 0);
    if (read(from, &how, 1) != 1 || how == 'x') {
        answer->error = EAI_AGAIN;
        return;
    }
    snprintf(answer->addresses[0], ADDRESS_TEXT, "%s", host);
    answer->count = 1;
}

static void tell(const char *how)
{
    assert_int_equal(write(look_ups[1], how, strlen(how)), strlen(how));
}

static void a_list_without_names_needs_no_thread(void **state)
{
    (void)state;
    start("tcp://127.0.0.1:1,ipc://a", 1, look_up_as_told);
    assert_null(resolver);
}

static void each_name_is_looked_up_again_and_again(void **state)
{
    (void)state;
    start("tcp://a:1,tcp://127.0.0.1:1,tcp://b:1", 1, look_up_as_told);
    tell("yyyy");
    for (uint32_t i = 0; i < 4; i++) {
        answer_t answer = next();
        assert_int_equal(answer.name, i % 2);
        assert_int_equal(answer.error, 0);
        assert_string_equal(answer.addresses[0], i % 2 == 0 ? "a" : "b");
    }
}

static void what_fails_is_tried_again_even_without_an_interval(void **state)
{
    (void)state;
    start("tcp://a:1,tcp://b:1", 0, look_up_as_told);
    tell("xyy");
    assert_int_equal(next().error, EAI_AGAIN);
    assert_int_equal(next().name, 1);
    assert_string_equal(next().addresses[0], "a"); /* b was found already */
}

static void a_look_up_that_hangs_is_not_waited_for(void **state)
{
    answer_t answer;

    (void)state;
    start("tcp://a:1", 1, look_up_as_told);
    assert_false(resolver_next(resolver, &answer));
    must(sem_wait(&begun) == 0);
    resolver_destroy(&resolver); /* would never return, if it did */
    assert_null(resolver);
}

static void localhost_is_found_and_only_by_one_family(void **state)
{
    (void)state;
    start("tcp://localhost:1", 0, resolver_lookup);
    answer_t answer = next();
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.count, 1);
    assert_true(strcmp(answer.addresses[0], "127.0.0.1") == 0 ||
                strcmp(answer.addresses[0], "::1") == 0);
}

static void a_number_in_an_old_way_is_an_address(void **state)
{
    answer_t answer = {.name = 0};

    (void)state;
    resolver_lookup("127.1", &answer);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.count, 1);
    assert_string_equal(answer.addresses[0], "127.0.0.1");
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_list_without_names_needs_no_thread),
        T(each_name_is_looked_up_again_and_again),
        T(what_fails_is_tried_again_even_without_an_interval),
        T(a_look_up_that_hangs_is_not_waited_for),
        T(localhost_is_found_and_only_by_one_family),
        cmocka_unit_test(a_number_in_an_old_way_is_an_address),
    };
    log_set_level(LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
