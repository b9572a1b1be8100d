/* SPDX-License-Identifier: MIT
 *
 * The broker's table of requests, and the ids that workers know them by.
 */
#include "broker/requests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static requests_t requests;

static int set_up(void **state)
{
    (void)state;
    requests_init(&requests, UINT64_MAX); /* the last generation */
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    requests_fini(&requests);
    return 0;
}

static void a_request_is_found_by_its_id(void **state)
{
    request_t *one = requests_take(&requests), *two = requests_take(&requests);
    (void)state;

    assert_ptr_equal(requests_find(&requests, request_id(one)), one);
    assert_ptr_equal(requests_find(&requests, request_id(two)), two);
    assert_null(requests_find(&requests, request_id(two) + 1));
    requests_give(&requests, one);
    requests_give(&requests, two);
}

static void the_id_of_one_that_is_over_finds_not_the_next(void **state)
{
    request_t *request = requests_take(&requests);
    uint64_t id = request_id(request);
    (void)state;

    requests_give(&requests, request);
    assert_null(requests_find(&requests, id));
    assert_ptr_equal(requests_take(&requests), request);
    assert_null(requests_find(&requests, id));
    requests_give(&requests, request);
}

static void nor_does_the_id_it_had_before(void **state)
{
    request_t *request = requests_take(&requests);
    uint64_t id = request_id(request);
    (void)state;

    request_renew(request);
    assert_null(requests_find(&requests, id));
    assert_ptr_equal(requests_find(&requests, request_id(request)), request);
    requests_give(&requests, request);
}

/* JavaScript has no larger integers. */
static void a_double_holds_every_id(void **state)
{
    request_t *request = requests_take(&requests);
    (void)state;

    assert_true(request_id(request) > UINT64_C(1) << 52);
    assert_true(request_id(request) < UINT64_C(1) << 53);
    request_renew(request); /* it begins again */
    assert_true(request_id(request) < REQUESTS_MAX);
    assert_ptr_equal(requests_find(&requests, request_id(request)), request);
    requests_give(&requests, request);
}

static void lives_with_other_seeds_have_other_ids(void **state)
{
    request_t *request = requests_take(&requests);
    requests_t other;
    (void)state;

    requests_init(&other, 7);
    request_t *theirs = requests_take(&other);
    assert_null(requests_find(&requests, request_id(theirs)));
    assert_null(requests_find(&other, request_id(request)));
    requests_give(&other, theirs);
    requests_fini(&other);
    requests_give(&requests, request);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_found_by_its_id),
        TEST(the_id_of_one_that_is_over_finds_not_the_next),
        TEST(nor_does_the_id_it_had_before),
        TEST(a_double_holds_every_id),
        TEST(lives_with_other_seeds_have_other_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
