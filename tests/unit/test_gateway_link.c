/* SPDX-License-Identifier: MIT
 *
 * When what is put on a link waits for what the next turn brings.
 */
#include "gateway/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define A_CONN "AAAAAAAAAAAAAAAA"
#define LONG   100000 /* bytes: two of them fill a frame */

static link_t the_link;
static uint64_t last_id; /* of the request that was put last */
static uint8_t body[LONG];

static int welcomed(void **state)
{
    static const uint8_t windows[] = {
        0x82, 0xa6, 'w', 'i', 'n',  'd',  'o',  'w',  0xcd, 0x27,
        0x10, 0xac, 'w', 'i', 'n',  'd',  'o',  'w',  '_',  'b',
        'y',  't',  'e', 's', 0xce, 0x02, 0x00, 0x00, 0x00};
    message_welcome_t welcome = {.version = PROTOCOL_VERSION,
                                 .boot = wire_bytes("b"),
                                 .options = {windows, sizeof windows}};
    (void)state;

    link_init(&the_link, "tcp://b:1", 0, 0, 1, 1024);
    link_welcome(&the_link, 0, &welcome);
    link_up(&the_link);
    return 0;
}

static int ended(void **state)
{
    (void)state;
    link_fini(&the_link);
    return 0;
}

static void put(size_t len)
{
    message_request_t request = {.event = EVENT_MESSAGE,
                                 .conn = wire_bytes(A_CONN),
                                 .route = wire_bytes("$default"),
                                 .body = {BODY_BINARY, {body, len}}};

    assert_int_equal(link_put(&the_link, &request, &(link_origin_t){0}), 0);
    last_id = request.id;
}

static void is_sent(void)
{
    assert_false(link_gathers(&the_link));
    buf_reset(&the_link.out, 0);
    link_sent(&the_link, 0);
}

static void answered(void)
{
    link_request_t request;

    assert_int_equal(link_take(&the_link, last_id, &request), 0);
}

/* The broker has something to do. */
static void one_is_with_the_broker(void)
{
    put(1);
    is_sent();
}

static void a_request_goes_at_once_while_the_broker_has_none(void **state)
{
    (void)state;
    put(1);
    is_sent();
    answered();
    put(1);
    is_sent();
}

static void so_do_many_of_one_turn(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        put(1);
    }
    is_sent();
}

static void while_it_has_one_the_next_turn_is_waited_for(void **state)
{
    (void)state;
    one_is_with_the_broker();
    put(1);
    assert_true(link_gathers(&the_link));
    assert_true(the_link.is_gathering);
    put(1);
    assert_true(link_gathers(&the_link));
}

static void a_turn_that_adds_nothing_ends_it(void **state)
{
    (void)state;
    one_is_with_the_broker();
    put(1);
    assert_true(link_gathers(&the_link));
    is_sent();
    assert_false(the_link.is_gathering);
}

static void so_does_the_third_however_much_comes(void **state)
{
    (void)state;
    one_is_with_the_broker();
    for (int turn = 0; turn < 2; turn++) {
        put(1);
        assert_true(link_gathers(&the_link));
    }
    put(1);
    is_sent();
    put(1);
    assert_true(link_gathers(&the_link));
}

static void so_does_what_fills_a_frame(void **state)
{
    (void)state;
    one_is_with_the_broker();
    put(LONG);
    assert_true(link_gathers(&the_link));
    put(LONG);
    is_sent();
}

static void so_does_the_answer_to_the_last_that_was_sent(void **state)
{
    (void)state;
    one_is_with_the_broker();
    uint64_t first = last_id;
    put(1);
    assert_true(link_gathers(&the_link));
    last_id = first;
    answered();
    put(1);
    is_sent();
}

/* A turn of the loop is one of its own while somebody waits for it. */
static void what_a_full_socket_did_not_take_is_not_waited_for(void **state)
{
    (void)state;
    one_is_with_the_broker();
    put(1);
    assert_true(link_gathers(&the_link));
    assert_false(link_gathers(&the_link));
    assert_false(the_link.is_gathering);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, welcomed, ended)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_goes_at_once_while_the_broker_has_none),
        TEST(so_do_many_of_one_turn),
        TEST(while_it_has_one_the_next_turn_is_waited_for),
        TEST(a_turn_that_adds_nothing_ends_it),
        TEST(so_does_the_third_however_much_comes),
        TEST(so_does_what_fills_a_frame),
        TEST(so_does_the_answer_to_the_last_that_was_sent),
        TEST(what_a_full_socket_did_not_take_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
