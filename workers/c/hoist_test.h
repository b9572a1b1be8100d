/* SPDX-License-Identifier: MIT
 *
 * Tests of workers, in process: an app's own middleware and handlers run with
 * events that a test makes up, and what they say is looked at.  No sockets, no
 * threads, and no time but that which the test lets pass.  Any test framework
 * will do, or assert:
 *
 *     hoist_test *test;
 *     assert(hoist_test_new(app, &test) == 0);
 *
 *     const hoist_test_event hello = {
 *         .event = HOIST_CONNECT, .query = {{"name", "Ada"}}};
 *     const hoist_test_outcome *outcome = hoist_test_send(test, &hello);
 *     assert(outcome->status == 200 && hoist_is(outcome->user, "Ada"));
 *
 *     const hoist_test_said *said = hoist_test_next(test);
 *     assert(said->kind == HOIST_TEST_PUSH && hoist_is(said->body, "welcome"));
 *     assert(hoist_test_next(test) == NULL);
 *
 *     hoist_test_destroy(&test);
 *     hoist_app_destroy(&app);
 *
 * The test stands in the broker's place: what runs in between is the library
 * as it runs in a worker, so events that wait for an answer, the order of a
 * connection's events, limits and errors are the real ones.
 *
 * Everything handed out is lent and lives until hoist_test_destroy.  All runs
 * on the thread that calls, whatever --threads says.
 */
#ifndef HOIST_TEST_H
#define HOIST_TEST_H

#include <hoist.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default) /* what the library shows */

/* --- the app under test ------------------------------------------------ */

/* An app and its test.  Opaque. */
typedef struct hoist_test hoist_test;

/*
 * Test app, as it is registered and set now: from here to hoist_test_destroy it
 * counts as running.  Several, one after the other, may test one app.
 *
 * app  borrowed.
 * Returns 0 with *test set, which the caller owns; or what hoist_run would fail
 * with: what a hoist_on, hoist_use, … has failed with, -EINVAL without a route,
 * what a middleware misses (hoist_authorize: a route), -EBUSY when it runs.
 * *test is NULL then.
 */
int hoist_test_new(hoist_app *app, hoist_test **test);

/* Events that wait are told that their broker was lost, as at the end of a
 * worker.  *test is NULL then; NULL is harmless. */
void hoist_test_destroy(hoist_test **test);

/* The app that it tests. */
hoist_app *hoist_test_app(const hoist_test *test);

/* --- events ------------------------------------------------------------ */

/* Elements of each array below, at most; they end before, where one is NULL or
 * a pair has no name; rows where one has nothing set. */
#define HOIST_TEST_MANY 16

typedef struct {
    const char *name, *value;
} hoist_test_pair;

/* What happens; a zero is what is usual.  Texts are copied.  A connection that
 * has not 16 characters is named on standard error, and the test aborts. */
typedef struct {
    hoist_event event;      /* HOIST_MESSAGE */
    const char *route;      /* of a message; "$default" */
    const char *connection; /* 16 characters; HOIST_TEST_CONNECTION */

    /* What $connect has accepted it with. */
    const char *user, *tenant;
    hoist_test_pair attributes[HOIST_TEST_MANY];

    const char *ip; /* of the client; HOIST_TEST_IP; "": unknown */

    /* What the WebSocket view tells; absent. */
    const char *user_agent, *domain, *stage;

    /* Of HOIST_CONNECT. */
    const char *path;
    hoist_test_pair headers[HOIST_TEST_MANY], query[HOIST_TEST_MANY];
    const char *subprotocols[HOIST_TEST_MANY];

    /* Of HOIST_MESSAGE: a text, or bytes. */
    const char *text;
    hoist_text binary;

    /* Of HOIST_DISCONNECT. */
    unsigned close_code;
    const char *close_reason;

    /* Of HOIST_PRESENCE. */
    const char *joined[HOIST_TEST_MANY], *left[HOIST_TEST_MANY];

    unsigned deadline_ms; /* 29000 */
    unsigned attempt;     /* 1 */
} hoist_test_event;

/* The id, and the address, of whoever has none given. */
#define HOIST_TEST_CONNECTION "test-connection-"
#define HOIST_TEST_IP         "192.0.2.1"

/*
 * What became of an event.  It is kept up to date: one that waits (is_over is
 * false) gets its status when it has one.
 */
typedef struct {
    bool is_over;   /* it has its outcome */
    bool is_served; /* the app has a handler for it, which was asked */
    int status;     /* of the reply; 0: none yet, or its broker was lost */
    hoist_type type;
    hoist_text body;

    /* Of hoist_fail; status 0 and empty where nothing has failed. */
    hoist_error error;

    /* Of a CONNECT that was accepted; absent when not set. */
    hoist_text user, tenant, subprotocol;
    unsigned ttl_s;
    hoist_text options; /* for the functions below */
} hoist_test_outcome;

/*
 * Let event happen: it goes through middleware and handler, and what they asked
 * for is there to be looked at, when this returns.  While an earlier event of
 * the same connection waits, it waits behind it.
 *
 * Where the app has nobody for it, so that no broker would have sent it, the
 * outcome is what a broker says by itself: a message is refused with 403, and
 * anything else is 200, for who opens a connection that no worker is asked
 * about gets in.
 *
 * Never NULL.  A connection's id that has not 16 characters, and texts that are
 * too long for the protocol, end the process.
 */
const hoist_test_outcome *hoist_test_send(hoist_test *test,
                                          const hoist_test_event *event);

/* What an accepted connection carries; a header is there of a refusal, too.
 * Absent when it was not given.  Of headers names are compared without case. */
hoist_text hoist_test_attribute(const hoist_test_outcome *outcome,
                                const char *name);
hoist_text hoist_test_header(const hoist_test_outcome *outcome,
                             const char *name);
bool hoist_test_in_group(const hoist_test_outcome *outcome, const char *group);

/* --- what the app says ------------------------------------------------- */

typedef enum {
    HOIST_TEST_PUSH = 1,
    HOIST_TEST_JOIN,
    HOIST_TEST_LEAVE,
    HOIST_TEST_CLOSE,
    HOIST_TEST_FIND, /* hoist_find_user and the like */
} hoist_test_kind;

/* Something that a handler or task asked for besides its reply. */
typedef struct {
    hoist_test_kind kind;
    /* PUSH: for whom.  JOIN, LEAVE, CLOSE: the connection.  FIND: who is asked
     * for; to count is HOIST_TO_ALL. */
    hoist_target target;
    hoist_text group; /* JOIN, LEAVE */

    hoist_type type; /* PUSH */
    hoist_text body;
    const hoist_text *except;
    size_t except_count;
    unsigned ttl_ms;
    bool is_told; /* somebody waits for what becomes of it */

    unsigned code; /* CLOSE */
    hoist_text reason;

    hoist_text cursor; /* FIND */
    unsigned limit;
    bool live, count;
} hoist_test_said;

/* The next thing that was said, in the order said (replies are outcomes); NULL
 * when there is none. */
const hoist_test_said *hoist_test_next(hoist_test *test);

/* --- what a broker says ------------------------------------------------ */

/* A row of an answer; what is NULL or 0 is left out, but for the connection. */
typedef struct {
    const char *connection; /* 16 characters; "test-connection0" of the first
                               row, to "test-connectionf" of the last */
    const char *user, *tenant, *ip;
    hoist_test_pair attributes[HOIST_TEST_MANY];
    int64_t connected_at_ms, last_active_at_ms;
} hoist_test_row;

typedef struct {
    int status; /* 0: 200 */
    hoist_test_row rows[HOIST_TEST_MANY];
    const char *cursor; /* NULL: it is the last page */
    uint64_t count;
} hoist_test_answer;

/*
 * Answer the oldest question that has no answer, so that its event goes on;
 * tell what became of the oldest push that somebody waits for.
 * Return 0; -ENOENT when there is none.
 */
int hoist_test_tell(hoist_test *test, const hoist_test_answer *answer);
int hoist_test_tell_pushed(hoist_test *test, uint64_t delivered, uint64_t gone,
                           uint64_t refused);

/* The connection, of at most 128 characters, has ended: hoist_on_gone. */
void hoist_test_gone(hoist_test *test, const char *connection);

/* The broker is lost, and there again: what waited for it ends without. */
void hoist_test_lose_broker(hoist_test *test);

/* --- time -------------------------------------------------------------- */

/*
 * Let ms pass: what hoist_post, hoist_resume and hoist_reply_later have handed
 * over runs, and each task of hoist_every and each answer that does not come in
 * time, at its moment.  With 0 what is due now.
 *
 * Within a handler, a layer or a task it is the time that these take: the clock
 * moves on (hoist_now_us, hoist_deadline_left_ms), and nothing else happens
 * until they have returned.  So what stands in for something slow in a test
 * calls it:
 *
 *     int look_up_price(int item)
 *     {
 *         hoist_test_pass(test, 3000);
 *         return item * 6;
 *     }
 *
 * It is the only function of this header that they may call.
 */
void hoist_test_pass(hoist_test *test, unsigned ms);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
