/* SPDX-License-Identifier: MIT
 *
 * Who may come: how many sockets and connections one source has, and how many
 * handshakes it, and all together, begin in a second.  Pure: time, addresses
 * and a key are handed in; what is refused is said by admitting.c.
 *
 * A *source* is an address of IPv4, or a network of IPv6 of so many bits, since
 * whoever has one address there has a network of them.  It is known while a
 * socket of it stands, and then until its tokens are all back; of those without
 * a socket at most ADMISSION_RESTING_MAX, the longest at rest goes first.  To
 * gain by being forgotten somebody would have to begin handshakes from more
 * sources in the time in which one source gets its tokens back: more than
 * ADMISSION_RESTING_MAX * the rate of a source, a second.
 *
 * All is constant time (the table grows as it fills); nothing is allocated but
 * for a source that was not known.  Without limits of sources none is kept.
 */
#ifndef GATEWAY_ADMISSION_H
#define GATEWAY_ADMISSION_H

#include "base/hash.h"
#include "base/ip.h"
#include "base/table.h"
#include "base/tokens.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADMISSION_RESTING_MAX 65536 /* sources without a socket */
#define ADMISSION_SPARE       16    /* sockets of a source beside WebSockets */
#define ADMISSION_SOCKETS     8     /* that may come for each handshake */

typedef struct {
    hashed_t hashed; /* in admission_t.table */
    list_t resting;  /* in admission_t.resting, or alone */
    ip_t network;
    uint32_t sockets;     /* that stand, or have left a CONNECT behind */
    uint32_t connections; /* those of them that are WebSockets, or ask to be */
    tokens_t handshakes, arrivals;
} source_t;

/* Of rates at most TOKENS_RATE_MAX / ADMISSION_SOCKETS. */
typedef struct {
    int64_t connections; /* of a source; 0: no limit */
    int64_t rate, burst; /* handshakes of a source; see base/tokens.h */
    int64_t all_rate, all_burst;
    int64_t network_bits; /* of an address of IPv6 that make a source */
} admission_limits_t;

typedef struct {
    admission_limits_t limits;
    rate_t handshakes, arrivals; /* of a source */
    rate_t all_handshakes;
    tokens_t all_tokens;
    table_t table;  /* of sources; not begun: they have no limits */
    list_t resting; /* those without a socket, the longest at rest first */
    size_t resting_count;
    hash_key_t key; /* of the table */
} admission_t;

typedef enum {
    ADMITTED,
    REFUSED_CONNECTIONS, /* its source has as many as it may */
    REFUSED_SOURCE_RATE, /* its source begins too many */
    REFUSED_RATE,        /* all together do */
} admission_verdict_t;

/* key: random, so that nobody knows which sources share a bucket. */
void admission_init(admission_t *self, const admission_limits_t *limits,
                    const hash_key_t *key);
void admission_fini(admission_t *self); /* no source may be used any more */

/* Other limits, from now on; all tokens are there.  Sockets that came while
 * sources had no limits count for none. */
void admission_limit(admission_t *self, const admission_limits_t *limits);

/* The source that an address is of. */
ip_t admission_network(const admission_t *self, const ip_t *address);

/*
 * A socket has come.  *source is what it counts for until admission_leave, or
 * NULL where sources have no limits.
 * Returns 0; -EBUSY: the source has too many sockets that are no WebSocket;
 * -EAGAIN: they come too fast; -ENOMEM.
 */
int admission_arrive(admission_t *self, const ip_t *address, int64_t now_ms,
                     source_t **source);

/* It is gone, and is no connection any more.  NULL is harmless. */
void admission_leave(admission_t *self, source_t *source);

/* It asks to be a WebSocket.  *wait_ms, unless admitted: when to ask again; 0
 * where that depends on others. */
admission_verdict_t admission_ask(admission_t *self, source_t *source,
                                  int64_t now_ms, int64_t *wait_ms);

/* One more of the source's sockets is a connection (by 1), or no longer is
 * (by -1).  NULL is harmless. */
void admission_count(source_t *source, int by);

/* Forget sources at rest that have all their tokens; some a turn. */
void admission_step(admission_t *self, int64_t now_ms);

#endif
