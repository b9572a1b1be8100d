/* SPDX-License-Identifier: MIT
 *
 * The table of requests.  An id is an index and a generation, so that a REPLY
 * to a request that is over finds nothing, not its successor; nor does one of
 * a worker that no longer holds the request find what another was given, nor
 * one for a broker that was here before find what is ours.
 */
#ifndef BROKER_REQUESTS_H
#define BROKER_REQUESTS_H

#include "broker/state.h"

#include <stdlib.h>

#define REQUESTS_A_PAGE 1024u
#define REQUESTS_MAX    (1u << 24) /* the index has 24 bits of an id */
#define GENERATIONS     (1u << 29) /* what a double holds of the rest */

/* seed: random, and another one in each life of a broker. */
void requests_init(requests_t *self, uint64_t seed);
void requests_fini(requests_t *self);

/* A request in no list, or NULL when the table is full or memory is out. */
request_t *requests_take(requests_t *self);

/* Give it back; it must be in no list. */
void requests_give(requests_t *self, request_t *request);

static inline uint64_t request_id(const request_t *self)
{
    return (uint64_t)self->generation << 24 | self->index;
}

/* Its id is another from now on. */
static inline void request_renew(request_t *self)
{
    self->generation = (self->generation + 1) % GENERATIONS;
}

/* The request of this id, or NULL. */
request_t *requests_find(const requests_t *self, uint64_t id);

/* Call fn for each of a gateway's connections; fn may give it, but takes none.
 * It looks at every entry that was ever used. */
void requests_each(requests_t *self, const gateway_t *gateway,
                   void (*fn)(void *user, request_t *request), void *user);

/* Keep a copy of the parts.  0 or -ENOMEM; harmless when it has one. */
int request_hold(request_t *self, const parts_t *parts);

/* The copy; the request has one. */
parts_t request_parts(const request_t *self);

static inline void request_release_parts(request_t *self)
{
    if (self->held != NULL) { /* of few, and nothing is called for the rest */
        free(self->held);
        self->held = NULL;
    }
}

/* Nobody waits for a DISCONNECT, a PRESENCE or a letter: they have all the
 * time. */
static inline bool request_has_deadline(const request_t *self)
{
    return event_is_counted(self->event) && self->letter == 0;
}

#endif
