/* SPDX-License-Identifier: MIT
 *
 * The brokers of a process with a loop: a roster whose names are looked up all
 * the while, and for each of its slots a link of the owner's, made when a
 * broker comes and ended when it is not wanted any more and nobody would miss
 * it.  What a link is only its owner knows.  Loop thread only.
 */
#ifndef BASE_BROKERS_H
#define BASE_BROKERS_H

#include "base/curve.h"
#include "base/resolver.h"

#include <ev.h>

typedef struct {
    /* Make the link of a slot.  Returns 0, or a negative zmq_errno and no link.
     * endpoint: borrowed until `remove` or brokers_fini. */
    int (*add)(void *user, size_t slot, const char *endpoint);

    /* May it go, if its broker is not wanted any more? */
    bool (*is_spent)(void *user, size_t slot);

    /* End it. */
    void (*remove)(void *user, size_t slot);

    /* It could not be made: the next look-up tries again. */
    void (*failed)(void *user, const char *endpoint, const char *why);
} brokers_ops_t;

typedef struct {
    struct ev_loop *loop; /* borrowed */
    const char *list;     /* ENDPOINT[,ENDPOINT…] */
    size_t max;           /* endpoints; at most ROSTER_MAX */
    int64_t resolve_ms;   /* between look-ups of a name; 0: one */
    resolver_lookup_fn *lookup;
    const brokers_ops_t *ops; /* borrowed */
    void *user;
} brokers_options_t;

typedef struct {
    brokers_options_t options;
    roster_t roster;
    bool is_linked[ROSTER_MAX]; /* by slot */
    resolver_t *resolver;       /* owned; NULL: there is nothing to look up */
    ev_io answers;              /* of it */
} brokers_t;

/* Make the links of the brokers that are listed, and begin to look for those
 * that have names.  Returns 0, or a negative errno with one line in error;
 * brokers_fini is due in any case. */
int brokers_start(brokers_t *self, const brokers_options_t *options,
                  char *error, size_t size);

/* From now on none comes and none goes. */
void brokers_rest(brokers_t *self);

/* The links' owner has ended them.  Harmless for what is all zero. */
void brokers_fini(brokers_t *self);

/* Let a DEALER look for its broker, again and again; nothing is queued for one
 * that is not there.  Returns 0, or a negative zmq_errno. */
int brokers_dial(void *socket, const char *endpoint, const curve_peer_t *curve);

#endif
