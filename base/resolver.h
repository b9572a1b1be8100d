/* SPDX-License-Identifier: MIT
 *
 * Looks the names of a roster up, again and again, in a thread of its own,
 * because getaddrinfo(3) takes as long as it likes.  The thread shares nothing
 * with its owner: it has copies of the names, and its answers are messages on a
 * socket pair, which the owner's loop watches.  When the owner is done it
 * closes its end and does not wait: a thread in the middle of a look-up ends by
 * itself when that returns.  The owner's calls are all made by one thread.
 */
#ifndef BASE_RESOLVER_H
#define BASE_RESOLVER_H

#include "base/roster.h"

/* A name that could not be looked up is tried again so soon, or at the
 * interval, if that is shorter. */
#define RESOLVER_RETRY_MS 1000

typedef struct resolver resolver_t;

/* How to look a host up: fills all of the answer but its name.  The resolver's
 * thread. */
typedef void resolver_lookup_fn(const char *host, answer_t *answer);

/* By getaddrinfo.  Of a host that has IPv4 and IPv6 addresses only those of
 * IPv4 count, lest one broker be taken for two. */
resolver_lookup_fn resolver_lookup;

/*
 * Begin to look up the roster's names: at once, then each interval_ms; 0: until
 * each was found once.  The roster may change afterwards.
 * Returns 0 with *self_p set, NULL where there are no names; -errno when there
 * is no thread or no descriptor for it.
 */
int resolver_new(resolver_t **self_p, const roster_t *roster,
                 int64_t interval_ms, resolver_lookup_fn *lookup);

/* Readable when there may be an answer. */
int resolver_fd(const resolver_t *self);

/* The next answer, without waiting; false: there is none. */
bool resolver_next(resolver_t *self, answer_t *answer);

/* Harmless for NULL.  Does not wait for a look-up. */
void resolver_destroy(resolver_t **self_p);

#endif
