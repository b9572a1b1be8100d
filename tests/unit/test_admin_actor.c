/* SPDX-License-Identifier: MIT
 *
 * The admin listener between a client and two actors that the test plays.
 */
#include "admin/admin.h"
#include "base/actor_ref.h"
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define TOO_MUCH 1100000 /* bytes of an answer */

enum { A, B, ACTORS };

static admin_options_t options;
static actor_ref_t admin;
static zsock_t *asking[ACTORS], *asked[ACTORS];
static uint16_t port;
static int client; /* a connection that stays */

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    const struct timeval wait = {.tv_sec = 30};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static int set_up(void **state)
{
    static const char *const names[] = {"a", "b"};
    char *word = NULL, *address = NULL;
    (void)state;

    log_set_level(LEVEL_ERROR);
    options = (admin_options_t){.listen = "0", .source_count = ACTORS};
    for (size_t i = 0; i < ACTORS; i++) {
        asking[i] = zsys_create_pipe(&asked[i]);
        zsock_set_rcvtimeo(asked[i], 30000);
        options.sources[i] = (admin_source_t){names[i], asking[i], false};
    }
    assert_int_equal(actor_spawn(&admin, &admin_actor, &options, "admin"), 0);
    assert_int_equal(zstr_recvx(admin.pipe, &word, &address, NULL), 2);
    assert_string_equal(word, "READY");
    port = (uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10);
    zstr_free(&word);
    zstr_free(&address);
    client = dial();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;

    close(client);
    actor_stop(&admin);
    for (size_t i = 0; i < ACTORS; i++) {
        zsock_destroy(&asking[i]);
        zsock_destroy(&asked[i]);
    }
    return 0;
}

static void client_asks(const char *path)
{
    char head[128];
    int len = snprintf(head, sizeof head,
                       "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);

    assert_int_equal(send(client, head, (size_t)len, 0), len);
}

/* That status and, with text, exactly that body. */
static void client_hears(unsigned status, const char *text)
{
    char heard[65536], start[32];
    size_t len = 0;

    const char *body = NULL;
    do {
        ssize_t got = recv(client, heard + len, sizeof heard - 1 - len, 0);
        assert_true(got > 0);
        len += (size_t)got;
        heard[len] = '\0';
        body = strstr(heard, "\r\n\r\n");
    } while (body == NULL ||
             strlen(body + 4) <
                 strtoul(strstr(heard, "Length: ") + 8, NULL, 10));
    snprintf(start, sizeof start, "HTTP/1.1 %u ", status);
    assert_memory_equal(heard, start, strlen(start));
    if (text != NULL) {
        assert_string_equal(body + 4, text);
    }
}

/* The number of the question that an actor is asked next.  Caller frees. */
static char *takes(size_t actor, const char *question)
{
    char *number = NULL, *word = NULL;

    assert_int_equal(zstr_recvx(asked[actor], &number, &word, NULL), 2);
    assert_string_equal(word, question);
    zstr_free(&word);
    return number;
}

static void says(size_t actor, const char *number, const char *status,
                 const char *text)
{
    assert_int_equal(zstr_sendx(asked[actor], number, status, text, NULL), 0);
}

static void answers(size_t actor, const char *question, const char *status,
                    const char *text)
{
    char *number = takes(actor, question);

    says(actor, number, status, text);
    zstr_free(&number);
}

static void a_question_goes_to_all_and_their_answers_back(void **state)
{
    (void)state;

    client_asks("/readyz");
    answers(B, "READY", "200", "degraded: so\n");
    answers(A, "READY", "503", "not yet\n");
    client_hears(503, "a: not yet\nb: degraded: so\n");
    client_asks("/healthz");
    answers(A, "HEALTH", "200", "");
    answers(B, "HEALTH", "200", "");
    client_hears(200, "ok\n");
}

static void a_query_goes_with_those_questions_that_take_one(void **state)
{
    (void)state;

    client_asks("/groups?type=user&limit=3");
    answers(A, "GROUPS type=user&limit=3", "200", "{}");
    answers(B, "GROUPS type=user&limit=3", "404", "");
    client_hears(200, NULL);
    client_asks("/healthz?verbose=1");
    answers(A, "HEALTH", "200", "");
    answers(B, "HEALTH", "200", "");
    client_hears(200, "ok\n");
}

static void who_does_not_answer_is_named(void **state)
{
    (void)state;

    client_asks("/healthz");
    answers(B, "HEALTH", "200", "");
    client_hears(503, "a: does not answer\n");
}

static void an_answer_that_comes_late_finds_nothing(void **state)
{
    (void)state;

    client_asks("/readyz");
    char *late = takes(A, "READY");
    answers(B, "READY", "200", "");
    client_hears(503, "a: does not answer\n");
    client_asks("/readyz"); /* on the same connection */
    char *next = takes(A, "READY");
    says(A, late, "503", "late\n");
    says(A, next, "200", "");
    answers(B, "READY", "200", "");
    client_hears(200, "ready\n");
    zstr_free(&late);
    zstr_free(&next);
}

static void an_answer_that_nobody_asked_for_is_ignored(void **state)
{
    (void)state;

    client_asks("/readyz");
    char *number = takes(A, "READY");
    says(A, "18446744073709551615", "200", "x\n");
    says(A, "-1", "200", "x\n");
    says(A, "none", "200", "x\n");
    zstr_send(asked[A], number);
    zstr_sendx(asked[A], number, "200", NULL);
    says(A, number, "200", "this: one\n");
    says(A, number, "503", "not this\n");
    answers(B, "READY", "200", "");
    client_hears(200, "a: this: one\nready\n");
    zstr_free(&number);
}

static void too_long_an_answer_is_an_error(void **state)
{
    char *text = malloc(TOO_MUCH + 1);
    (void)state;

    assert_non_null(text);
    memset(text, 'x', TOO_MUCH);
    text[TOO_MUCH] = '\0';
    client_asks("/metrics");
    answers(A, "METRICS", "200", text);
    answers(B, "METRICS", "200", "");
    client_hears(500, "");
    free(text);
}

static void who_is_gone_is_waited_for_and_asked_no_more(void **state)
{
    (void)state;

    client_asks("/healthz");
    answers(B, "HEALTH", "200", "");
    zstr_send(admin.pipe, "GONE a");
    client_hears(200, "ok\n");
    client_asks("/readyz");
    answers(B, "READY", "200", "");
    client_hears(200, "ready\n");
}

static void what_stops_is_not_ready_and_well(void **state)
{
    (void)state;

    zstr_send(admin.pipe, "STOPPING");
    zstr_send(admin.pipe, "GONE a");
    zstr_send(admin.pipe, "GONE b");
    zstr_send(admin.pipe, "no such command");
    /* This one may still be put to the actors, and be answered when they are
     * gone; behind it all commands are read. */
    client_asks("/healthz");
    client_hears(200, "ok\n");
    client_asks("/readyz");
    client_hears(503, "hoist: stops\n");
}

static void a_client_that_leaves_makes_room_for_another(void **state)
{
    (void)state;

    for (size_t i = 0; i < 200; i++) { /* more than there are slots */
        client_asks("/readyz");
        answers(A, "READY", "200", "");
        close(client); /* B has not answered */
        client = dial();
        answers(B, "READY", "200", "");
    }
    client_asks("/healthz");
    answers(A, "HEALTH", "200", "");
    answers(B, "HEALTH", "200", "");
    client_hears(200, "ok\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_question_goes_to_all_and_their_answers_back),
        T(a_query_goes_with_those_questions_that_take_one),
        T(who_does_not_answer_is_named),
        T(an_answer_that_comes_late_finds_nothing),
        T(an_answer_that_nobody_asked_for_is_ignored),
        T(too_long_an_answer_is_an_error),
        T(who_is_gone_is_waited_for_and_asked_no_more),
        T(what_stops_is_not_ready_and_well),
        T(a_client_that_leaves_makes_room_for_another),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
