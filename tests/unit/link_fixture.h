/* SPDX-License-Identifier: MIT
 *
 * A worker's link to one broker, which hears and says what a test makes up, at
 * times that it makes up.
 */
#ifndef TESTS_LINK_FIXTURE_H
#define TESTS_LINK_FIXTURE_H

#include "tests/unit/sdk.h"

typedef struct {
    hoist_app *app;
    core_t core;
    link_t link;
    buf_t in;      /* the frame that is fed next */
    size_t runs;   /* of the handler */
    size_t pushes; /* that the handler makes before its reply */
    size_t gone;   /* connections that we were told of */
} fixture_t;

extern fixture_t *fixture; /* of the test that runs */

int link_set_up(void **state);
int link_tear_down(void **state);

/* Feed what is in `in` as one frame. */
void feed(int64_t now_ms);
void feed_bare(message_kind_t kind, int64_t now_ms);

/* WELCOME; a push window of 0 is left out. */
void put_welcome(uint64_t push_window);

/* WELCOME for the life with this boot id. */
void put_welcome_for(const char *peer);

/* WELCOME of a broker's session. */
void put_welcome_of(const char *broker, uint64_t session);
void put_request(uint64_t id);
void put_credit(uint64_t messages);
void assert_ready(const char *kinds);

/* All that is ready leaves. */
void send_all(int64_t now_ms);

/* Greet and be welcome at that time, with nothing left to send. */
void come_up(uint64_t push_window, int64_t now_ms);

#endif
