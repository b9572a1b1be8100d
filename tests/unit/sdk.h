/* SPDX-License-Identifier: MIT
 *
 * What the tests of the C SDK share: reading what collects in an outbox, and
 * making requests, all without sockets.
 */
#ifndef TESTS_SDK_H
#define TESTS_SDK_H

#include "workers/c/link.h"

#define CONN_A    "aaaaaaaaaaaaaaaa"
#define CONN_B    "bbbbbbbbbbbbbbbb"

#define HEARTBEAT 1000 /* ms, of the broker */
#define LIVENESS  3500

/* Decode and take the first message of buf; false at its end.  The message
 * lends from *frame, which the caller frees. */
bool sdk_take(buf_t *buf, buf_t *frame, message_t *message);

/* The kinds that wait in buf, as text: "HELLO READY". */
const char *sdk_kinds(const buf_t *buf);

/* A MESSAGE to this route, without a body. */
message_request_t sdk_message(const char *route);

/* Another event, of its own route. */
message_request_t sdk_event(event_t event);

/* What a WELCOME says; options that are 0 or NULL are left out. */
typedef struct {
    const char *broker; /* its boot id; NULL: that of most tests */
    const char *peer;   /* the boot id that it is for */
    uint64_t session, push_window;
} sdk_welcome_t;

void sdk_put_welcome(buf_t *out, const sdk_welcome_t *what);

/* The link reads what is in `in` as one frame; then `in` is empty. */
void sdk_feed(link_t *link, buf_t *in, int64_t now_ms);

/*
 * Catch standard error from here to sdk_caught, which returns what came: text
 * that lives until the next sdk_catch.
 */
void sdk_catch(void);
const char *sdk_caught(void);

#endif
