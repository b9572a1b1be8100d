/* SPDX-License-Identifier: MIT
 *
 * A worker between handlers of the test and a scripted broker.  What comes from
 * the broker is a turn of the worker; what the worker says lies in its outbox,
 * in order, until the test takes it.  One worker at a time.
 *
 * A test, of which main() makes a WORKER_TEST, reads like this:
 *
 *     serves("echo", echo);
 *     message_comes(CONN_A, "echo", 7);
 *     says_reply(7, 200);
 *     says_no_more();
 */
#ifndef TESTS_WORKER_FIXTURE_H
#define TESTS_WORKER_FIXTURE_H

#include "tests/unit/sdk.h"
#include "workers/c/link.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The worker of the test at hand. */
typedef struct {
    hoist_app *app;
    core_t core;
    link_t link;
    uint64_t push_window; /* of the broker; 0: without bounds */
    buf_t in;             /* the frame that is fed next */
    buf_t frame;          /* what a message of the worker lends from */
    message_t said;
    char trace[1024]; /* what handlers noted */
    int64_t now_ms;
} worker_t;

extern worker_t worker;

/* An app without routes, and its link to a broker that has welcomed it. */
int worker_set_up(void **state);
int worker_tear_down(void **state);

#define WORKER_TEST(name)                                                      \
    cmocka_unit_test_setup_teardown(name, worker_set_up, worker_tear_down)

/* The two parts of worker_set_up, for routes that are there from the start. */
void worker_gets_app(void);
void worker_opens(void);

/* One route more. */
void serves(const char *route, hoist_handler *handler);

/* What was registered since the last route counts as well. */
void worker_freezes(void);

/* The worker ends; another opens in its place, for the teardown. */
void worker_ends(void);

/* --- what handlers do ---------------------------------------------------- */

void note(const char *word);

/* All that was noted since the last time, with blanks between. */
void assert_trace(const char *expected);

/* --- what the broker does ------------------------------------------------ */

/* Feed what is in worker.in; handlers run, and the clock ticks. */
void feed(int64_t now_ms);

/* It welcomes the worker, whose greeting has left. */
void come_up(int64_t now_ms);

void comes(event_t event, const char *conn, const char *route, uint64_t id);
void message_comes(const char *conn, const char *route, uint64_t id);

/* A message of CONN_A, with the id 1, to a route that this handler serves. */
void message_runs(hoist_handler *handler);

void result_comes(const message_result_t *result);
void status_comes(uint64_t id, unsigned status);
void bare_comes(message_kind_t kind, int64_t now_ms);

/* What other threads have posted is run. */
void posts_are_run(void);

/* The time passes; PINGs are of no interest here. */
void time_is(int64_t now_ms);

/* --- what the worker says ------------------------------------------------ */

/* The next thing, which must be of this kind. */
const message_t *says(message_kind_t kind);
void says_reply(uint64_t id, unsigned status);
void says_no_more(void);

/* The id of the QUERY that it says. */
uint64_t says_query(void);

#endif
