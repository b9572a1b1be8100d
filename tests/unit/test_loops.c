/* SPDX-License-Identifier: MIT
 *
 * A gateway of several loops between its owner, who asks it, and loops that the
 * test plays.
 */
#include "base/actor_ref.h"
#include "base/log.h"
#include "gateway/gateway.h"
#include "gateway/summary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>

#include <cmocka.h>
#include <czmq.h>

enum { A, B, LOOPS };

#define WAIT_MS 30000
#define FAILS   "fails" /* a stage of whose loops the second cannot start */

/* What the test knows of a loop. */
typedef struct {
    gateway_options_t options; /* as it was told */
    zsock_t *asked;            /* borrowed: where it is asked */
    zsock_t *told, *telling;   /* what its owner said; both ends ours */
} played_t;

/* Of a test: each has its own, since threads of the one before may still end.
 */
typedef struct {
    gateway_options_t options;
    played_t played[LOOPS];
} stage_t;

#define STAGES_MAX 16

static stage_t stages[STAGES_MAX];
static size_t stage_count;
static stage_t *at; /* guarded */
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static actor_ref_t gateway_of_all;
static zsock_t *asking, *asked;
static uint64_t number; /* of our last question */

/* A loop: it says where it listens, hands on what it is told, and ends, all
 * before it has begun. */
static actor_t *play(const actor_place_t *place, void *told)
{
    const gateway_options_t *own = told;
    zsock_t *pipe = place->pipe;
    char *command = NULL;

    pthread_mutex_lock(&guard);
    played_t *self = &at->played[own->loop];
    self->options = *own;
    self->asked = own->questions;
    pthread_mutex_unlock(&guard);
    if (own->loop == B && streq(own->stage, FAILS)) {
        zstr_sendx(pipe, "FAILED", "there is none", NULL);
        return NULL;
    }
    zstr_sendx(pipe, "READY", own->loop == A ? "127.0.0.1:4711" : own->listen,
               NULL);
    while (command == NULL || !streq(command, "$TERM")) {
        zstr_free(&command);
        command = zstr_recv(pipe);
        zstr_send(self->telling, command);
    }
    zstr_free(&command);
    zstr_send(pipe, "STOPPED");
    return NULL;
}

static const actor_kind_t played_loop = {play, NULL};

/* The linker's names for what takes the place of actor_spawn, and for it.
 * NOLINTBEGIN(bugprone-reserved-identifier) */
int __wrap_actor_spawn(actor_ref_t *self, const actor_kind_t *kind,
                       void *options, const char *name);
int __real_actor_spawn(actor_ref_t *self, const actor_kind_t *kind,
                       void *options, const char *name);

int __wrap_actor_spawn(actor_ref_t *self, const actor_kind_t *kind,
                       void *options, const char *name)
{
    return __real_actor_spawn(
        self, kind == &gateway_actor ? &played_loop : kind, options, name);
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* What it was told. */
static gateway_options_t told_to(size_t loop)
{
    pthread_mutex_lock(&guard);
    gateway_options_t own = at->played[loop].options;
    pthread_mutex_unlock(&guard);
    return own;
}

static int set_up(void **state)
{
    (void)state;

    log_set_level(LEVEL_ERROR);
    assert_true(stage_count < STAGES_MAX);
    pthread_mutex_lock(&guard);
    at = &stages[stage_count++];
    pthread_mutex_unlock(&guard);
    gateway_options_init(&at->options);
    at->options.name = "g";
    at->options.listen = "127.0.0.1:0";
    at->options.loops = LOOPS;
    for (size_t i = 0; i < LOOPS; i++) {
        at->played[i].told = zsys_create_pipe(&at->played[i].telling);
        zsock_set_rcvtimeo(at->played[i].told, WAIT_MS);
    }
    asking = zsys_create_pipe(&asked);
    zsock_set_rcvtimeo(asking, WAIT_MS);
    at->options.questions = asked;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;

    actor_stop(&gateway_of_all);
    zsock_destroy(&asking);
    zsock_destroy(&asked);
    for (size_t i = 0; i < LOOPS; i++) {
        zsock_destroy(&at->played[i].told);
        zsock_destroy(&at->played[i].telling);
    }
    return 0;
}

/* What it says at first, and behind that. */
static void starts(const char *word, const char *text)
{
    char *first = NULL, *second = NULL;

    assert_int_equal(actor_spawn(&gateway_of_all, &gateway_loops_actor,
                                 &at->options, "loops"),
                     0);
    assert_int_equal(zstr_recvx(gateway_of_all.pipe, &first, &second, NULL), 2);
    assert_string_equal(first, word);
    assert_string_equal(second, text);
    zstr_free(&first);
    zstr_free(&second);
    for (size_t i = 0; i < LOOPS && streq(word, "READY"); i++) {
        pthread_mutex_lock(&guard);
        zsock_set_rcvtimeo(at->played[i].asked, WAIT_MS);
        pthread_mutex_unlock(&guard);
    }
}

static void it_is_asked(const char *question)
{
    char text[24];

    snprintf(text, sizeof text, "%llu", (unsigned long long)++number);
    assert_int_equal(zstr_sendx(asking, text, question, NULL), 0);
}

/* The number of the question that a loop is asked next.  Caller frees. */
static char *takes(size_t loop, const char *question)
{
    char *its = NULL, *word = NULL;

    assert_int_equal(zstr_recvx(at->played[loop].asked, &its, &word, NULL), 2);
    assert_string_equal(word, question);
    zstr_free(&word);
    return its;
}

static void says(size_t loop, const char *its, const char *status,
                 const void *bytes, size_t len)
{
    zmsg_t *message = zmsg_new();

    zmsg_addstr(message, its);
    zmsg_addstr(message, status);
    zmsg_addmem(message, bytes, len);
    assert_int_equal(zmsg_send(&message, at->played[loop].asked), 0);
}

static void answers(size_t loop, const char *question, const char *status,
                    const char *text)
{
    char *its = takes(loop, question);

    says(loop, its, status, text, strlen(text));
    zstr_free(&its);
}

static void reports(size_t loop, uint64_t connections)
{
    report_t report = {.ready = 200, .stats.connections = connections};
    char *its = takes(loop, GATEWAY_REPORT);

    says(loop, its, "200", &report, sizeof report);
    zstr_free(&its);
}

/* Its answer to the last question. */
static char *hears(const char *status)
{
    char *its = NULL, *code = NULL, *text = NULL;

    assert_int_equal(zstr_recvx(asking, &its, &code, &text, NULL), 3);
    assert_int_equal(strtoull(its, NULL, 10), number);
    assert_string_equal(code, status);
    zstr_free(&its);
    zstr_free(&code);
    return text;
}

static void is_told(size_t loop, const char *command)
{
    char *heard = zstr_recv(at->played[loop].told);

    assert_non_null(heard);
    assert_string_equal(heard, command);
    zstr_free(&heard);
}

static void all_listen_where_the_first_does(void **state)
{
    (void)state;

    starts("READY", "127.0.0.1:4711");
    assert_string_equal(told_to(A).listen, "127.0.0.1:0");
    assert_string_equal(told_to(B).listen, "127.0.0.1:4711");
}

static void limits_of_all_clients_are_divided(void **state)
{
    (void)state;

    at->options.max_connections = 7;
    at->options.handshake_rate = 1;
    at->options.max_handshakes = 0;
    at->options.address_connections = 5;
    starts("READY", "127.0.0.1:4711");
    assert_int_equal(told_to(A).max_connections, 3);
    assert_int_equal(told_to(B).max_connections, 4);
    for (size_t i = 0; i < LOOPS; i++) {
        assert_int_equal(told_to(i).handshake_rate, 1); /* 0: none */
        assert_int_equal(told_to(i).max_handshakes, 0);
        assert_int_equal(told_to(i).address_connections, 5);
    }
}

static void where_one_cannot_start_none_does(void **state)
{
    (void)state;

    at->options.stage = FAILS;
    starts("FAILED", "there is none");
    is_told(A, "$TERM");
}

static void it_answers_when_all_have(void **state)
{
    (void)state;

    starts("READY", "127.0.0.1:4711");
    it_is_asked("METRICS");
    reports(B, 4);
    reports(A, 3);
    char *text = hears("200");
    assert_non_null(strstr(text, "hoist_gateway_connections 7\n"));
    zstr_free(&text);
    it_is_asked("HEALTH");
    answers(A, "HEALTH", "200", "");
    answers(B, "HEALTH", "200", "");
    text = hears("200");
    zstr_free(&text);
}

/* Who hangs is behind with an answer for ever; others do not wait for that. */
static void a_loop_that_is_silent_keeps_it_from_answering(void **state)
{
    (void)state;

    starts("READY", "127.0.0.1:4711");
    it_is_asked("HEALTH");
    answers(A, "HEALTH", "200", "");
    char *late = takes(B, "HEALTH");
    it_is_asked("STATUS");
    reports(A, 1);
    reports(B, 2);
    char *text = hears("200"); /* to the second question */
    assert_non_null(strstr(text, "\"connections\":3"));
    zstr_free(&text);
    zstr_free(&late);
}

static void a_page_is_asked_of_the_loop_that_has_it(void **state)
{
    static const char second[] = "CONNECTIONS limit=3&cursor=4294967301";
    (void)state;

    starts("READY", "127.0.0.1:4711");
    it_is_asked("GROUPS");
    answers(A, "GROUPS", "200", "{}");
    char *text = hears("200");
    zstr_free(&text);
    it_is_asked(second);
    answers(B, second, "200", "{\"as\":\"it is\"}");
    text = hears("200");
    assert_string_equal(text, "{\"as\":\"it is\"}");
    zstr_free(&text);
    it_is_asked("GROUPS cursor=x");
    answers(A, "GROUPS cursor=x", "400", "no cursor\n");
    text = hears("400");
    assert_string_equal(text, "no cursor\n");
    zstr_free(&text);
}

static void commands_go_to_all(void **state)
{
    (void)state;

    starts("READY", "127.0.0.1:4711");
    zstr_send(gateway_of_all.pipe, "SET max-connections 9");
    zstr_send(gateway_of_all.pipe, "RELOAD");
    for (size_t i = 0; i < LOOPS; i++) {
        is_told(i, "SET max-connections 9");
        is_told(i, "RELOAD");
    }
}

static void it_ends_when_all_have(void **state)
{
    (void)state;

    starts("READY", "127.0.0.1:4711");
    actor_stop(&gateway_of_all);
    is_told(A, "$TERM");
    is_told(B, "$TERM");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(all_listen_where_the_first_does),
        T(limits_of_all_clients_are_divided),
        T(where_one_cannot_start_none_does),
        T(it_answers_when_all_have),
        T(a_loop_that_is_silent_keeps_it_from_answering),
        T(a_page_is_asked_of_the_loop_that_has_it),
        T(commands_go_to_all),
        T(it_ends_when_all_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
