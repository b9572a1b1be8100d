/* SPDX-License-Identifier: MIT
 *
 * One client: from the accepted socket through the handshake to the open
 * WebSocket and its end.  Owned by the hub's table; no I/O of its own, the
 * socket is behind transport.h.  Loop thread only.
 *
 *   HEAD --whole head--> WAITING --room at the broker--> GATED
 *    |                      |                              |
 *    | not an upgrade       |                  2xx         | refused
 *    v                      v                   |          v
 *   LINGERING <-------------+----------- OPEN <-+      LINGERING
 *
 * A session has two lives that end apart: its socket (sock) and what the
 * broker knows of it (is_known until the DISCONNECT is acknowledged).  It is
 * freed when both are over.
 */
#ifndef GATEWAY_SESSION_H
#define GATEWAY_SESSION_H

#include "base/ip.h"
#include "base/list.h"
#include "base/tokens.h"
#include "base/wheel.h"
#include "gateway/admission.h"
#include "gateway/early.h"
#include "gateway/fanout.h"
#include "gateway/link.h"
#include "gateway/transport.h"
#include "gateway/ws.h"
#include "proto/message.h"

typedef struct hub hub_t;
typedef struct presence presence_t; /* what was told of groups: presence.c */

typedef enum {
    SESSION_HEAD,      /* collecting the request head */
    SESSION_BODY,      /* … and the body of one to the management API */
    SESSION_ASKED,     /* which is to answer it */
    SESSION_WAITING,   /* head is whole; CONNECT waits for room */
    SESSION_GATED,     /* CONNECT is with the broker */
    SESSION_OPEN,      /* WebSocket stands */
    SESSION_LINGERING, /* last bytes are out; waiting for the client's end */
    SESSION_GONE,      /* no socket; the broker is still to be told */
} session_state_t;

/* What a message and its reply look at stands together, in the first four lines
 * of memory: with many connections most of their cost is to fetch them. */
typedef struct session {
    hub_t *hub;             /* borrowed */
    transport_sock_t *sock; /* borrowed; NULL when closed */
    conn_id_t id;
    link_t *link; /* borrowed: its broker; NULL until CONNECT is put */
    session_state_t state;
    bool is_known;         /* the broker has it: DISCONNECT is owed */
    bool is_arriving;      /* its broker is still to be told of it */
    bool is_told;          /* its broker may know it */
    bool is_leaving;       /* goes to another broker as soon as it is idle */
    bool is_bound;         /* a handler at its broker may run without our
                              waiting for it */
    bool is_connecting;    /* CONNECT under way */
    bool is_ending;        /* how it ended is settled */
    bool is_disconnecting; /* DISCONNECT under way */
    bool is_paused;        /* reading stopped: window or room spent */
    bool is_throttled;     /* … until it may send on: throttle.h */
    bool was_throttled;    /* the log says so */
    bool is_pinged;        /* a ping waits for any sign of life */
    bool is_close_sent;    /* our close frame is out */
    bool is_draining;      /* closed as soon as its requests are answered */
    bool finishes;         /* shut down when drained */
    bool closes;           /* behind the answer of the management API, … */
    bool is_bodyless;      /* … which has no body: HEAD */
    bool is_looked_at;     /* it knows the head, and is to say whether the body
                              is worth reading */
    uint16_t end_code;     /* of the DISCONNECT */

    list_t dirty;             /* in hub->dirty while `out` waits for the end of
                                 turn; in hub->dead when it is over */
    int64_t heard_ms;         /* monotonic: last bytes from the client */
    int64_t message_ms;       /* last message in either direction */
    int64_t stuck_ms;         /* since when more than out_soft waits; 0: not */
    uint32_t messages_in;     /* of the client's, … */
    uint32_t messages_out;    /* … to it; they wrap */
    uint32_t in_flight;       /* MESSAGEs without a REPLY */
    uint32_t in_flight_bytes; /* of their REQUESTs */
    size_t out_at;            /* of `out`: what is before was written */

    buf_t out; /* frames to be written at the end of turn */
    ws_reader_t reader;

    buf_t in;             /* request head, or bytes read but not yet taken */
    trace_place_t *trace; /* owned; of its handshake, NULL: it had none */
    member_t member;      /* of the groups that it is in */

    tokens_t messages, bytes; /* that it may send: throttle.h */
    link_t *former; /* borrowed: the one before that knew it, or NULL */
    list_t wait;    /* in the link's waiting list, or the hub's unplaced one, or
                       its list of bodies */
    list_t move;    /* in the link's arriving or told list */
    list_t touched; /* in hub->presences.changed, or alone */
    wheel_node_t timer;

    int64_t opened_ms;      /* monotonic; of the socket or the WebSocket */
    uint32_t messages_seen; /* in and out when it was last visited by
                               busiest.c */
    uint32_t discarded;     /* bytes that came when it was closed */
    presence_t *presence;   /* owned; NULL: nothing was told of them */
    early_t *early;         /* owned; what workers said before 101, or NULL */
    uint8_t *context;       /* owned; the map for SYNC, NULL before OPEN */
    uint32_t context_len;
    uint8_t end_reason_len;
    char ip[IP_TEXT]; /* of the client, as session_locate was told last, … */
    ip_t address;     /* … and as bytes */
    ip_t peer;        /* of the socket, or as its PROXY header says */
    uint8_t *end_reason; /* owned; UTF-8, which may hold a zero */
    source_t *source;    /* borrowed: what it counts for; NULL: for nobody */
} session_t;

/* Start in HEAD; the hub has filled in `hub` and `id`. */
void session_init(session_t *self, const ip_t *from);
void session_fini(session_t *self);

/*
 * Where its client is: at first the peer, then, with each request head that a
 * trusted proxy hands on, who that says it is.  The one way to another address.
 */
void session_locate(session_t *self, const ip_t *client);

/* Leave every list and timer; only session_fini may follow. */
void session_retire(session_t *self);

/* From the transport. */
void session_received(session_t *self, uint8_t *bytes, size_t len);
void session_drained(session_t *self);
void session_closed(session_t *self);

/* The timer fired. */
void session_tick(session_t *self);

/* The link may have room again, or is up again: go on. */
void session_resume(session_t *self);

/* The outcome of a request of this session. */
void session_connect_reply(session_t *self, const message_reply_t *reply);
void session_message_reply(session_t *self, const message_reply_t *reply,
                           uint64_t number, uint32_t size);
void session_disconnect_reply(session_t *self);

/*
 * A worker's message to the client; kept while $connect decides.  pusher: whom
 * a later GONE is for.
 * Returns 0; -ENOTCONN when it is not open; -ENOBUFS when it was closed for
 * being too slow.
 */
int session_push(session_t *self, const body_t *body, pusher_t pusher);

/* What was pushed to a name of it.  Returns as session_push. */
int session_deliver(session_t *self, const job_t *job);

/*
 * A worker closes it with a WebSocket close code; kept while $connect decides.
 * Returns 0; -ENOTCONN; -ENOMEM when it was refused instead.
 */
int session_kick(session_t *self, uint16_t code, wire_bytes_t reason);

/*
 * Close from our side with a WebSocket close code.  In the handshake: with an
 * HTTP status instead (503).  Harmless when closing already.
 */
void session_close(session_t *self, uint16_t code, wire_bytes_t reason);

/*
 * We are about to end: close (1012) when what is on its way has been answered,
 * or at once; read no more until then.
 */
void session_close_when_answered(session_t *self, bool at_once);

/* The broker has ended it already: close, and owe no DISCONNECT. */
void session_forget(session_t *self, uint16_t code, const char *reason);

/* Bytes that wait to be written to the client. */
size_t session_queued(const session_t *self);

/* Write what gathered in `out`; called at the end of turn. */
void session_flush(session_t *self);

/* --- for opening.c ----------------------------------------------------- */

/* Longest time between two looks at an open session. */
#define SESSION_TICK_MAX_MS 60000

/* The one way to another state: the hub's gauges follow it. */
void session_enter(session_t *self, session_state_t state);

/* Its CONNECT, which was under way, has an outcome: call it before that is
 * acted on. */
void session_end_connect(session_t *self);

/* Read no more from the client for now; session_open goes on. */
void session_pause(session_t *self);

/* The handshake is over: 101 is in `out`, frames may follow in `in`. */
void session_open(session_t *self);

/* Settle how it ended for the DISCONNECT; the first call counts. */
void session_end(session_t *self, uint16_t code, const char *reason);

/* Send the DISCONNECT that may be owed, or free what is over. */
void session_settle(session_t *self);

/* What is in `out` is the last: send it, say FIN, wait for the client's. */
void session_linger(session_t *self);

#endif
