/* SPDX-License-Identifier: MIT
 *
 * Requests to the management API on the clients' listener, and whoever answers
 * them as the tests play it.
 */
#include "gateway/managing.h"
#include "tests/unit/hub_fixture.h"

#define SIGNED   "Authorization: Bearer a-token\r\n"
#define POST     "POST /@all HTTP/1.1\r\n" HOST SIGNED
#define BODY_MAX 100
#define HI       POST "Content-Length: 2\r\n\r\nhi"

/* What was handed on last. */
static struct {
    uint64_t number, count;
    char head[1024], body[64];
} asked;
static uint64_t looked_at; /* the one whose head was shown last; 0: none */
static bool is_busy;

static int on_ask(void *user, uint64_t number, wire_bytes_t head,
                  wire_bytes_t body)
{
    (void)user;

    if (is_busy) {
        return -1;
    }
    if (body.data == NULL) {
        looked_at = number;
        return 0;
    }
    asked.number = number;
    asked.count++;
    snprintf(asked.head, sizeof asked.head, "%.*s", (int)head.len,
             (const char *)head.data);
    snprintf(asked.body, sizeof asked.body, "%.*s", (int)body.len,
             (const char *)body.data);
    return 0;
}

static int set_up(void **state)
{
    int rc = gateway_set_up(state);

    memset(&asked, 0, sizeof asked);
    looked_at = 0;
    is_busy = false;
    gateway.hub->options.manage_body = BODY_MAX;
    hub_manage(gateway.hub, on_ask, NULL);
    return rc;
}

/* That one was handed on, and no other since. */
static uint64_t is_asked(uint64_t count, const char *body)
{
    assert_int_equal(asked.count, count);
    assert_string_equal(asked.body, body);
    return asked.number;
}

static void is_answered(uint64_t number, unsigned status, const char *body)
{
    managing_answer(gateway.hub, number, status, wire_bytes("X-Id: 7\r\n"),
                    wire_bytes(body));
    time_passes(50);
}

/* Its head is right, so its body is read. */
static void may_go_on(void)
{
    assert_int_not_equal(looked_at, 0);
    managing_answer(gateway.hub, looked_at, 100, (wire_bytes_t){NULL, 0},
                    (wire_bytes_t){NULL, 0});
    time_passes(50);
}

static bool has(const char *head, const char *text)
{
    return strstr(head, text) != NULL;
}

static void is_told(client_t *client, const char *status, const char *body)
{
    const char *head = hears_head(client);

    assert_true(has(head, status));
    hears(client, body);
}

/* … and is to close. */
static void is_told_last(client_t *client, const char *status)
{
    const char *head = hears_head(client);

    assert_true(has(head, status));
    assert_true(has(head, "\r\nConnection: close\r\n"));
    time_passes(50);
    assert_true(client->is_finished);
}

/* --- tests --------------------------------------------------------------- */

static void a_request_is_handed_on_when_its_body_is_whole(void **state)
{
    client_t *client = a_newcomer(POST "Content-Length: 2\r\n\r\nh");
    (void)state;

    may_go_on();
    assert_int_equal(asked.count, 0);
    client_asks(client, "i");
    is_answered(is_asked(1, "hi"), 200, "done");
    assert_string_equal(asked.head, POST "Content-Length: 2\r\n\r\n");
    const char *head = hears_head(client);
    assert_true(has(head, "HTTP/1.1 200 ") && has(head, "\r\nX-Id: 7\r\n"));
    hears(client, "done");
    gets_nothing();
}

static void its_connection_takes_another(void **state)
{
    client_t *client = a_newcomer(HI);
    (void)state;

    is_answered(is_asked(1, "hi"), 200, "one");
    is_told(client, "HTTP/1.1 200 ", "one");
    client_asks(client, HI);
    is_answered(is_asked(2, "hi"), 410, "two");
    is_told(client, "HTTP/1.1 410 ", "two");
    assert_false(client->is_finished);
}

static void who_sends_ahead_gets_one_answer(void **state)
{
    client_t *client = a_newcomer(HI HI);
    (void)state;

    is_answered(is_asked(1, "hi"), 200, "");
    is_told_last(client, "HTTP/1.1 200 ");
    assert_int_equal(asked.count, 1);
}

static void a_body_is_asked_for_where_that_is_waited_for(void **state)
{
    client_t *client =
        a_newcomer(POST "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    (void)state;

    hears_nothing(client);
    may_go_on();
    hears(client, "HTTP/1.1 100 Continue\r\n\r\n");
    client_asks(client, "hi");
    is_asked(1, "hi");
}

static void a_body_that_comes_before_the_word_is_kept(void **state)
{
    client_t *client = a_newcomer(POST "Content-Length: 2\r\n\r\nh");
    (void)state;

    client_asks(client, "i");
    assert_int_equal(asked.count, 0);
    may_go_on();
    is_answered(is_asked(1, "hi"), 200, "done");
    is_told(client, "HTTP/1.1 200 ", "done");
}

static void whose_head_is_refused_keeps_no_place(void **state)
{
    (void)state;

    for (size_t i = 0; i < (size_t)2 * MANAGING_MAX; i++) {
        client_t *client = a_newcomer(POST "Content-Length: 2\r\n\r\n");
        is_answered(looked_at, 403, "no");
        is_told_last(client, "HTTP/1.1 403 ");
    }
    assert_int_equal(gateway.hub->managing, 0);
    assert_int_equal(gateway.hub->stats.managed_refused, 0);
    assert_int_equal(asked.count, 0);
}

static void a_body_that_never_comes_has_its_time(void **state)
{
    client_t *client = a_newcomer(POST "Content-Length: 2\r\n\r\nh");
    (void)state;

    may_go_on();
    time_passes(gateway.options.handshake_ms);
    is_told_last(client, "HTTP/1.1 408 ");
    assert_int_equal(gateway.hub->managing, 0);
}

static void of_who_brings_no_credentials_no_body_is_read(void **state)
{
    client_t *client =
        a_newcomer("POST /@all HTTP/1.1\r\n" HOST
                   "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    (void)state;

    hears_nothing(client);
    is_answered(is_asked(1, ""), 403, "");
    is_told_last(client, "HTTP/1.1 403 ");
}

static void without_a_body_it_costs_nobody_the_connection(void **state)
{
    client_t *client =
        a_newcomer("GET /@connections/x HTTP/1.1\r\n" HOST "\r\n");
    (void)state;

    is_answered(is_asked(1, ""), 403, "no");
    is_told(client, "HTTP/1.1 403 ", "no");
    assert_false(client->is_finished);
}

static void a_body_that_is_too_large_is_not_read(void **state)
{
    client_t *client = a_newcomer(POST "Content-Length: 101\r\n\r\nx");
    (void)state;

    is_answered(is_asked(1, ""), 413, "");
    is_told_last(client, "HTTP/1.1 413 ");
    client = a_newcomer(POST "Transfer-Encoding: chunked\r\n\r\n");
    is_answered(is_asked(2, ""), 411, "");
    is_told_last(client, "HTTP/1.1 411 ");
}

static void a_head_has_no_body(void **state)
{
    client_t *client = a_newcomer("HEAD /@all HTTP/1.1\r\n" HOST SIGNED "\r\n");
    (void)state;

    is_answered(is_asked(1, ""), 403, "four");
    assert_true(has(hears_head(client), "\r\nContent-Length: 4\r\n"));
    hears(client, "");
}

static void who_sends_its_body_longest_makes_room(void **state)
{
    client_t *slow[MANAGING_MAX];
    (void)state;

    for (size_t i = 0; i < MANAGING_MAX; i++) {
        slow[i] = a_newcomer(POST "Content-Length: 2\r\n\r\nh");
    }
    client_t *client = a_newcomer(HI);
    is_told_last(slow[0], "HTTP/1.1 429 ");
    hears_nothing(slow[1]);
    is_answered(is_asked(1, "hi"), 200, "");
    is_told(client, "HTTP/1.1 200 ", "");
    assert_int_equal(gateway.hub->stats.managed_refused, 1);
}

static client_t *a_slow_one_from(const char *address)
{
    client_t *client = a_socket_from(address);

    client_asks(client, POST "Content-Length: 2\r\n\r\nh");
    return client;
}

static void who_has_most_bodies_to_come_pushes_out_its_own(void **state)
{
    client_t *mine = a_slow_one_from("192.0.2.8");
    client_t *its_oldest = a_slow_one_from("192.0.2.9");
    (void)state;

    for (size_t i = 2; i < MANAGING_MAX; i++) {
        a_slow_one_from("192.0.2.9");
    }
    a_slow_one_from("192.0.2.9");
    is_told_last(its_oldest, "HTTP/1.1 429 ");
    for (size_t i = 0; i < (size_t)2 * MANAGING_MAX; i++) {
        a_slow_one_from("192.0.2.9");
    }
    hears_nothing(mine);
    assert_false(mine->is_finished);
}

static void the_newcomer_counts_among_them(void **state)
{
    client_t *oldest = a_slow_one_from("192.0.2.8"), *its_oldest = NULL;
    (void)state;

    for (size_t i = 1; i < MANAGING_MAX; i++) {
        bool is_theirs = i % 2 == 1;
        client_t *client =
            a_slow_one_from(is_theirs ? "192.0.2.9" : "192.0.2.8");
        its_oldest = is_theirs && its_oldest == NULL ? client : its_oldest;
    }
    a_slow_one_from("192.0.2.9");
    is_told_last(its_oldest, "HTTP/1.1 429 ");
    hears_nothing(oldest);
}

static void of_ipv6_a_network_has_bodies_to_come(void **state)
{
    client_t *mine = a_slow_one_from("2001:db8:1::1");
    char address[IP_TEXT];
    (void)state;

    for (unsigned i = 0; i < 2 * MANAGING_MAX; i++) {
        snprintf(address, sizeof address, "2001:db8:2::%x", i);
        a_slow_one_from(address);
    }
    hears_nothing(mine);
    assert_false(mine->is_finished);
}

static void where_all_are_at_work_the_new_one_is_refused(void **state)
{
    (void)state;

    for (size_t i = 0; i < MANAGING_MAX; i++) {
        a_newcomer(HI);
    }
    is_told_last(a_newcomer(HI), "HTTP/1.1 429 ");
    is_asked(MANAGING_MAX, "hi");
}

static void who_answers_may_have_no_room(void **state)
{
    (void)state;

    is_busy = true;
    is_told_last(a_newcomer(HI), "HTTP/1.1 429 ");
    assert_int_equal(gateway.hub->managing, 0);
}

static void an_answer_is_for_who_asked_alone(void **state)
{
    client_t *client = a_newcomer(HI);
    (void)state;

    uint64_t number = is_asked(1, "hi");
    client_vanishes(client);
    client = a_newcomer(HI); /* in the same slot */
    is_answered(number, 200, "late");
    hears_nothing(client);
    is_answered(is_asked(2, "hi"), 200, "mine");
    is_told(client, "HTTP/1.1 200 ", "mine");
}

static void an_answer_is_waited_for_a_while(void **state)
{
    client_t *client = a_newcomer(HI);
    (void)state;

    time_passes(MANAGING_MS - 100);
    hears_nothing(client);
    time_passes(200);
    is_told_last(client, "HTTP/1.1 504 ");
}

static void who_waits_is_answered_while_we_drain(void **state)
{
    client_t *client = a_newcomer(HI);
    (void)state;

    gateway_drains();
    time_passes(50);
    hears_nothing(client);
    is_answered(is_asked(1, "hi"), 200, "");
    is_told_last(client, "HTTP/1.1 200 ");
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, set_up, gateway_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_handed_on_when_its_body_is_whole),
        TEST(its_connection_takes_another),
        TEST(who_sends_ahead_gets_one_answer),
        TEST(a_body_is_asked_for_where_that_is_waited_for),
        TEST(a_body_that_comes_before_the_word_is_kept),
        TEST(whose_head_is_refused_keeps_no_place),
        TEST(a_body_that_never_comes_has_its_time),
        TEST(of_who_brings_no_credentials_no_body_is_read),
        TEST(without_a_body_it_costs_nobody_the_connection),
        TEST(a_body_that_is_too_large_is_not_read),
        TEST(a_head_has_no_body),
        TEST(who_sends_its_body_longest_makes_room),
        TEST(who_has_most_bodies_to_come_pushes_out_its_own),
        TEST(the_newcomer_counts_among_them),
        TEST(of_ipv6_a_network_has_bodies_to_come),
        TEST(where_all_are_at_work_the_new_one_is_refused),
        TEST(who_answers_may_have_no_room),
        TEST(an_answer_is_for_who_asked_alone),
        TEST(an_answer_is_waited_for_a_while),
        TEST(who_waits_is_answered_while_we_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
