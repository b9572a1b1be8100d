/* SPDX-License-Identifier: MIT
 *
 * The broker's decisions, without sockets, clocks or threads: it is fed time
 * and frames and hands out frames, so a test or a simulator can drive it step
 * by step.  PROTOCOL.md is what it implements.  One thread.
 *
 * A turn:
 *
 *     core_begin(core, now);
 *     core_frame(core, …);     as many as have come
 *     core_end(core);          deadlines, liveness; one frame to each peer
 */
#ifndef BROKER_CORE_H
#define BROKER_CORE_H

#include "broker/letter.h"
#include "broker/options.h"
#include "broker/stats.h"
#include "broker/traffic.h"
#include "store/store.h"
#include "trace/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct core core_t;

/* Turns are at most 50 ms apart: a longer gap is a pause of ours, which is not
 * held against the peers. */
#define CORE_PAUSE_MS 500

/* The two sockets. */
typedef enum { SIDE_WORKERS, SIDE_GATEWAYS } side_t;
#define SIDES 2

typedef struct {
    /*
     * Send one frame (lent) to the peer that the ROUTER calls id.
     * Returns 0; -EAGAIN when it cannot be taken now: the frame is offered
     * again at the next core_end; anything else: the peer is lost.
     */
    int (*send)(void *user, side_t side, const uint8_t *id, size_t id_len,
                const uint8_t *frame, size_t len);

    /* A request is dead: keep it, or keep it again.  NULL: nobody does. */
    void (*dead)(void *user, const letter_t *letter);

    /* A worker has done with the letter that core_revive was given. */
    void (*settled)(void *user, uint64_t letter);

    /* A part of a sampled request is over.  NULL: nobody records that. */
    span_fn *span;
} core_ops_t;

/*
 * boot: our boot id.  options' texts, store and user are borrowed for the
 * core's life.  Never NULL.
 */
core_t *core_new(const broker_options_t *options, const char *boot,
                 const core_ops_t *ops, void *user, store_t *store,
                 int64_t now_ms);

/* Free it and set *core_p to NULL; sends nothing. */
void core_destroy(core_t **core_p);

/* now_us: of the clock of core_new's now_ms, in microseconds. */
void core_begin(core_t *core, int64_t now_us);

/* Whom a frame is from, as far as the transport knows. */
typedef struct {
    side_t side;
    const void *id; /* lent: what the ROUTER calls it */
    size_t id_len;
    uint64_t principal; /* whose key it has, as a number; 0 without CURVE.  What
                           one principal is, no other can become. */
} origin_t;

/* One frame, lent. */
void core_frame(core_t *core, const origin_t *origin, const void *frame,
                size_t len);

/* As core_frame, for what is no frame: a message of several parts. */
void core_malformed(core_t *core, const origin_t *origin);

/* Give up, with BYE, the peers of a side whose principal may not be here any
 * more. */
typedef bool may_stay_fn(void *user, side_t side, uint64_t principal);
void core_revoke(core_t *core, side_t side, may_stay_fn *may_stay, void *user);

/* Count a handshake that was refused, and a frame that came from a peer whose
 * key is not allowed any more. */
void core_refused_handshake(core_t *core);
void core_refused_frame(core_t *core);

void core_end(core_t *core);

/*
 * Give a dead letter (its id is not 0) to a worker once more: in the mailbox of
 * its connection, or where that is gone, beside all others.  Its outcome goes
 * to ops.settled or ops.dead, possibly at once, and to no client.
 * Returns 0 or -ENOMEM; then nothing happened.
 */
int core_revive(core_t *core, const letter_t *letter);

/* What became of spans, so far. */
void core_count_spans(core_t *core, uint64_t exported, uint64_t dropped);

/* A dead letter could not be kept: count it. */
void core_lost_letter(core_t *core);

/* Does a frame wait for its peer's socket? */
bool core_is_parked(const core_t *core);

/*
 * Send each peer an empty frame, which finds those that are gone.  When a
 * transport broke, and now and then.
 */
void core_probe(core_t *core);

/*
 * The end is near: ask gateways for no more requests.  What is on its way goes
 * on as ever.
 */
void core_drain(core_t *core);

/* After core_drain and a core_end: has all that gateways sent had its outcome,
 * and has every outcome left? */
bool core_is_drained(const core_t *core);

/* Say BYE to every peer. */
void core_stop(core_t *core);

const broker_stats_t *core_stats(core_t *core);

/* What became of the requests of each route. */
const traffic_t *core_traffic(const core_t *core);

#endif
