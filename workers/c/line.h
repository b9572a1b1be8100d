/* SPDX-License-Identifier: MIT
 *
 * A link with its socket: a DEALER at one broker.  Owner thread only.
 */
#ifndef WORKERS_C_LINE_H
#define WORKERS_C_LINE_H

#include "base/zdial.h"
#include "workers/c/link.h"

typedef struct {
    link_t link;
    size_t slot;    /* of the roster */
    char *endpoint; /* owned */
    void *socket;   /* owned: DEALER, or NULL */
    void *monitor;  /* owned: of it, or NULL */
    bool has_key;   /* it speaks CURVE */
    bool blocked;   /* the socket takes no more just now */
    zdial_t dial;
} line_t;

/* Not connected yet.  endpoint and what it points at are copied; the rest is
 * lent as link_init wants it. */
line_t *line_new(const link_options_t *options, size_t slot, int64_t now_ms);

/* The events that wait for an answer are told; what is unsent has its time of
 * linger.  *self_p is NULL then. */
void line_destroy(line_t **self_p);

/* Returns 0 or a negative errno of ZeroMQ's.  Once. */
int line_connect(line_t *self, void *zmq, const settings_t *settings);

/* When it has something to do next, if nothing comes. */
int64_t line_due_ms(const line_t *self, int64_t now_ms);

/*
 * A line's part of a turn: read a bounded batch of frames and run their
 * handlers, resume what was kept, tick, flush.
 *
 * events  what was polled: ZMQ_POLLIN, ZMQ_POLLOUT.
 * now_ms  moves on while handlers run.
 * Returns 0, or a negative errno when the socket cannot be used any more.
 */
int line_turn(line_t *self, short events, int64_t *now_ms);

/* Send what is ready, as far as the socket takes it.  Returns likewise. */
int line_flush(line_t *self, int64_t now_ms);

#endif
