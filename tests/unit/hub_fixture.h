/* SPDX-License-Identifier: MIT
 *
 * A gateway's hub between scripted clients and a scripted broker.  Each call
 * of a client or of the broker is a turn of the gateway; what the hub says to
 * the broker lies in one inbox, in order, until the test takes it, and what it
 * says to a client lies in that client's.  One gateway at a time, made by
 * gateway_set_up.  It implements gateway/transport.h, and base/rand.h so that
 * a run repeats.
 *
 * A test reads like this:
 *
 *     client_t *client = a_client();
 *     client_says(client, "hello");
 *     answers(gets_message("hello"), 200, "hi");
 *     hears_text(client, "hi");
 */
#ifndef TESTS_HUB_FIXTURE_H
#define TESTS_HUB_FIXTURE_H

#include "gateway/hub.h"
#include "proto/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LIVENESS_MS 10000                  /* of the broker, as WELCOME says */
#define WALL_MS     INT64_C(1767225600000) /* Unix time when a test begins */
#define START_MS    INT64_C(1000000)       /* monotonic, likewise */

#define SPANS_KEPT  16

#define HANDSHAKE                                                              \
    "Upgrade: websocket\r\nConnection: Upgrade\r\n"                            \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"                          \
    "Sec-WebSocket-Version: 13\r\n"
#define HOST    "Host: example.org\r\n"
#define UPGRADE "GET / HTTP/1.1\r\n" HOST HANDSHAKE "\r\n"

/* A client and its socket, seen from both ends. */
typedef struct lws {
    void *user;       /* of the hub; NULL once the socket is closed there */
    buf_t heard;      /* owned: what the gateway has written … */
    size_t heard_at;  /* … and the test has looked at up to here */
    buf_t unread;     /* owned: sent, and not yet read by the gateway */
    bool has_left;    /* said FIN behind `unread` */
    bool is_paused;   /* the gateway does not read */
    bool is_stuck;    /* its kernel takes one more write and holds it */
    bool is_held;     /* such a write is under way */
    bool is_broken;   /* the next write fails */
    bool is_finished; /* the gateway said FIN */
    bool in_callback, kill_wanted;
    int64_t silent_ms; /* what its TCP says of itself */
    const X509 *cert;  /* what its TLS has shown; NULL: nothing */
    char id[CONN_ID_TEXT + 1];
} client_t;

/* The gateway of the test at hand, and the broker as the test plays it. */
typedef struct {
    hub_t *hub;
    gateway_options_t options; /* for the next start */
    int64_t now_ms;
    uint64_t random; /* state of what rand_u32 gives */

    size_t at; /* the broker that speaks and is heard, see at_broker */
    char broker_boot[32];
    uint64_t broker_session;
    uint64_t settles_ms;           /* of its next WELCOME */
    uint64_t window, window_bytes; /* that it grants in a WELCOME */
    uint64_t push_window,
        push_window_bytes; /* of its workers; 0: it says none */
    bool broker_ended; /* what its next WELCOME says about the former session */
    bool broker_keeps; /* its WELCOMEs say that it keeps who returns, … */
    bool has_returned; /* … and that this gateway has */
    bool is_watching;  /* the broker's WELCOME says that $presence is served */
    bool broker_is_silent;    /* sends nothing of its own accord */
    bool broker_is_stuck;     /* its socket takes nothing now */
    bool records_spans;       /* from the next start on */
    span_t spans[SPANS_KEPT]; /* that came, in order */
    size_t span_count;
    bool is_in_hub;     /* what is allocated now is the hub's */
    bool hears_names;   /* the test looks at each INTEREST */
    uint64_t pings;     /* that the test has not looked at */
    uint64_t last_ping; /* its number */
    buf_t out;          /* what it will say next */

    struct {
        uint8_t *data; /* owned; lent to the messages taken */
        size_t len;
    } * frames;
    size_t frame_count, frame_at;
    wire_cursor_t in; /* in the frame before frame_at */
} fixture_t;
extern fixture_t gateway;

/* Started and welcomed, with an empty list acknowledged; or just started. */
int gateway_set_up(void **state);
int gateway_set_up_alone(void **state);
int gateway_tear_down(void **state);

/* Another process in place of the gateway, with gateway.options; welcomed. */
void gateway_restarts(void);
void gateway_restarts_alone(void);

/* Time goes by in turns of 50 ms.  A broker that is not silent gives a sign
 * of life every second. */
void time_passes(int64_t ms);

/* SIGTERM. */
void gateway_drains(void);

/* All that anybody owes is settled, and nobody is there. */
void nothing_is_left(void);

/* --- the broker ---------------------------------------------------------- */

/* From now on the broker is this one of gateway.options.broker, 0, 1, …; a test
 * of one broker need not say so. */
#define FIXTURE_BROKERS 3
void at_broker(size_t number);

/* The gateway's link to it. */
link_t *link_to(size_t broker);

/* Append to what it will say. */
void put_message(const message_t *message);

/* Say it, in one frame and one turn. */
void broker_speaks(void);
void broker_says(const message_t *message);
void broker_says_bare(message_kind_t kind);
void broker_says_bytes(const void *bytes, size_t len);

/* WELCOME with gateway.broker_boot and the rest. */
void broker_welcomes(void);

/* WELCOME as another process; as one that had given the gateway up; or as one
 * that has kept it behind a broken transport. */
void another_broker_welcomes(void);
void another_session_begins(void);
void same_session_goes_on(void);

/* The next message to the broker; false when there is none.  PINGs are only
 * counted, INTERESTs passed over unless gateway.hears_names. */
bool takes(message_t *message);

/* The next message, which must be of this kind. */
message_t gets(message_kind_t kind);
void gets_nothing(void);
void forgets(void);

/* The next message is that REQUEST. */
message_request_t gets_request(event_t event);
uint64_t gets_connect(void); /* … its id */
uint64_t gets_message(const char *text);
uint64_t gets_disconnect(const client_t *client, uint64_t code,
                         const char *reason);

/* REPLY; text may be NULL. */
void answers(uint64_t id, uint64_t status, const char *text);
void answers_with(uint64_t id, uint64_t status, body_t body,
                  const buf_t *options);

/* PUSH to these ids, separated by spaces; CLOSE. */
void put_push(const char *ids, body_t body, uint64_t from);
void pushes(const char *ids, const char *text);
void closes(const char *id, uint64_t code, const char *reason, uint64_t from);

/* SYNC must list exactly these, in any order, in one part. */
void gets_list(client_t *const *list, size_t count);

/* --- clients ------------------------------------------------------------- */

/* An accepted socket; NULL when it was refused. */
client_t *a_socket(void);
client_t *a_socket_from(const char *address);

/* It has sent its head; or is let in by a CONNECT's 200. */
client_t *a_newcomer(const char *head);
client_t *a_client(void);

void client_sends(client_t *client, const void *bytes, size_t len);
void client_asks(client_t *client, const char *text);

/* A frame, masked; first: FIN, reserved bits and opcode. */
void put_frame(buf_t *out, int first, const void *payload, size_t len);
void client_sends_frame(client_t *client, int first, const void *payload,
                        size_t len);
void client_says(client_t *client, const char *text);
void client_says_bytes(client_t *client, const char *bytes); /* binary */
void client_closes(client_t *client, uint16_t code, const char *reason);

/* FIN; or its TCP breaks. */
void client_leaves(client_t *client);
void client_vanishes(client_t *client);

/* The socket takes what was held, and then holds the next write; or all. */
void client_takes_a_piece(client_t *client);
void client_reads_on(client_t *client);

bool is_closed(const client_t *client);

/* --- what a client hears ------------------------------------------------- */

/* A response's head, up to and with the empty line. */
const char *hears_head(client_t *client);

/* Exactly this. */
void hears(client_t *client, const char *text);

typedef struct {
    int first; /* FIN and opcode */
    const uint8_t *payload;
    size_t len;
} frame_t;

/* The next frame; false when no whole one is there. */
bool hears_next(client_t *client, frame_t *frame);

void hears_frame(client_t *client, ws_opcode_t opcode, const void *payload,
                 size_t len);
void hears_text(client_t *client, const char *text);
void hears_error(client_t *client, const char *message, uint64_t number);
void hears_close(client_t *client, uint16_t code, const char *reason);
void hears_nothing(client_t *client);

body_t text_body(const char *text);

#endif
