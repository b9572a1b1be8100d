/* SPDX-License-Identifier: MIT
 *
 * One broker as a worker sees it: greeting, requests, queries, pushes and their
 * window, liveness, leaving.  The protocol without the socket: frames and times
 * are fed in, and what is to be sent collects in the outbox.  Owner thread
 * only.
 *
 *              HELLO, READY          WELCOME
 *   GREETING ------------> GREETING ---------> UP
 *      ^  ^                                    |
 *      |  +-- WHO, WELCOME of another session -+
 *      |                                       | silence, BYE
 *      +---- anything is heard ---- LOST <-----+
 *
 * While it is LOST, a PING every heartbeat asks whether the broker is back.
 */
#ifndef WORKERS_C_LINK_H
#define WORKERS_C_LINK_H

#include "base/log.h"
#include "base/missing.h"
#include "workers/c/asked.h"
#include "workers/c/mail.h"

typedef enum { LINK_GREETING, LINK_UP, LINK_LOST } link_state_t;

/* That the worker said nothing for longer than the broker bears. */
typedef struct {
    int64_t ms;        /* 0: it has not, or the broker has borne it */
    const char *route; /* borrowed from the app: that ran; NULL: none did */
    uint64_t pings;    /* the number of the PING that ended it */
} silence_t;

typedef struct {
    core_t *core;          /* borrowed: runs the requests */
    const char *endpoint;  /* borrowed: for logs */
    const char *boot;      /* borrowed: this worker's boot id */
    const char *process;   /* borrowed: that it is a link of */
    const char *name;      /* borrowed: this worker's name */
    uint64_t window;       /* this broker's share of the settings' window */
    uint64_t window_bytes; /* the same in bytes */

    link_state_t state;
    uint64_t session;             /* of the last WELCOME */
    char broker[BOOT_ID_MAX + 1]; /* its boot id */
    uint32_t losses;     /* how often it was lost, or another of its boot id */
    bool owes_ready;     /* the broker is to be told of the window */
    uint64_t owed_pong;  /* the number of its PING, which waits; 0: none */
    outbox_t outbox;     /* owned */
    kept_t inbox;        /* owned: REQUESTs not begun */
    asked_t asked;       /* queries, with the events that wait for them */
    mail_t mail;         /* REQUESTs behind those events */
    wire_cursor_t frame; /* borrowed: what is left of the frame being read */
    bool flush_first;    /* send what is ready before the next step: its handler
                            may take long */
    log_brake_t brake;   /* of what a broken broker can make us log */
    missing_t missing;   /* unless it is UP */

    int64_t heartbeat_ms; /* send something at least this often */
    int64_t liveness_ms;  /* after this silence the broker is lost */
    int64_t greeted_ms;   /* when HELLO was put into the outbox */
    int64_t heard_ms;     /* last frame */
    int64_t sent_ms;      /* last frame of ours */
    int64_t pinged_ms;    /* last PING, or when one would only have piled up */
    int64_t asked_ms;     /* first of those since heard_ms; 0: none */
    silence_t silence;    /* the last */

    bool draining;  /* no new requests are wanted */
    uint64_t pings; /* the number of the last */
    uint64_t
        pongs; /* of the last that was answered, or is of an earlier life */
    uint64_t fence; /* of the PING behind DRAIN; 0: none */
} link_t;

/* What a link needs to know; borrowed for its life. */
typedef struct {
    core_t *core;
    const char *endpoint;
    const char *boot;    /* 1..20 bytes: more are added after a loss */
    const char *process; /* 1..BOOT_ID_MAX bytes: the same of all its links */
    const char *name;    /* 0..PEER_NAME_MAX bytes */
    uint64_t window;
    uint64_t window_bytes;
    uint32_t losses; /* of links with this boot id before */
} link_options_t;

/* The greeting is in the outbox at once. */
void link_init(link_t *self, const link_options_t *options, int64_t now_ms);
void link_fini(link_t *self);

/* Run a task, which speaks to this broker.  Only while it is UP. */
void link_run(link_t *self, const task_t *task);

/* Go on with the event that has this ticket, now or, if too much waits to be
 * sent, by link_resume.  Returns whether it is here. */
bool link_go_on(link_t *self, uint64_t ticket, const task_t *task);

/* More output waits than this link may have: begin nothing new. */
bool link_is_busy(const link_t *self);

/*
 * Begin to read a frame; call link_step until it returns false before the
 * frame's bytes go away.  The frame before must have been read to its end.
 */
void link_feed(link_t *self, wire_bytes_t frame, int64_t now_ms);

/* The broker sent what breaks the protocol: a positive errno, for the log. */
void link_bad_frame(link_t *self, int error);

/*
 * Handle the frame's next message; a REQUEST runs its handler, unless too
 * much waits to be sent: then it is kept for later.  One whose handler may
 * take long is handled by the step behind that which sets flush_first.
 * Returns false at the end of the frame.
 */
bool link_step(link_t *self, int64_t now_ms);

/*
 * Handle one thing that was kept, if output has drained enough: an event whose
 * ticket came; else a REQUEST, of those behind an event that has ended
 * meanwhile, else the oldest, which may want to flush first, as link_step.
 * Returns whether there was one.
 */
bool link_resume(link_t *self);

/* Would link_resume find one? */
bool link_can_resume(const link_t *self);

/* Timers: PING, the greeting again, a broker that is lost or never came, a
 * query without an answer. */
void link_tick(link_t *self, int64_t now_ms);

/*
 * Between handlers of one turn: PING if it is time.  It does not judge the
 * broker, whose frames of this turn have not all been read.
 */
void link_keep_alive(link_t *self, int64_t now_ms);

/* When link_tick has something to do next. */
int64_t link_due_ms(const link_t *self);

/* A frame of len bytes, the front of outbox.ready, has been sent. */
void link_sent(link_t *self, size_t len, int64_t now_ms);

/* The broker does not let us in.  reason: a constant. */
void link_refused(link_t *self, const char *reason);

/* Another share of the windows, which the broker is told as soon as may be. */
void link_set_window(link_t *self, uint64_t window, uint64_t window_bytes);

/* The broker is lost, or has not been there for so long that it would be:
 * nothing is missed when the link ends. */
bool link_is_spent(const link_t *self, int64_t now_ms);

/* Ask for no more requests.  Once. */
void link_drain(link_t *self, int64_t now_ms);

/* Is every request answered that the broker ever sent, and said so? */
bool link_is_drained(const link_t *self);

/* Say goodbye, if somebody is there to hear it. */
void link_bye(link_t *self);

#endif
