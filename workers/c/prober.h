/* SPDX-License-Identifier: MIT
 *
 * The sockets of whoever asks for /metrics, /healthz and /readyz (probe.h), in
 * a thread of its own, so that a handler that blocks holds up nobody who asks.
 * It reads what is atomic and takes no lock but the registry's.
 *
 *   READING --head--> WRITING --written--> LINGERING --its end--> free
 *
 * Bounded: sockets, bytes of a head, and time for each state.  When all sockets
 * are taken, the one that has been asking longest goes.  Those who do not read
 * their answer are few enough that there is always one: the short answers of
 * /healthz and /readyz wait for nobody.
 */
#ifndef WORKERS_C_PROBER_H
#define WORKERS_C_PROBER_H

#include "base/listener.h"
#include "workers/c/app.h"

#define PROBER_SLOTS     8    /* sockets at a time … */
#define PROBER_WRITING   6    /* … of which so many have not read all */
#define PROBER_MS        5000 /* for a head to come, and to read the answer */
#define PROBER_READ_MS   1000 /* … of which so many when others come */
#define PROBER_LINGER_MS 1000 /* for the client to close, when we have */

typedef struct prober prober_t;

/*
 * Listen on [ADDRESS:]PORT and begin.  app outlives it.
 * Returns 0 with *self; a negative errno with a one-line reason in error.
 */
int prober_new(prober_t **self, hoist_app *app, const char *listen, char *error,
               size_t size);

/* End the thread and close everything; NULL is harmless. */
void prober_destroy(prober_t **self_p);

/* The bound address; lent. */
const char *prober_address(const prober_t *self);

#endif
