/* SPDX-License-Identifier: MIT
 *
 * How a middleware uses a ledger: that of the program, or else one of its own
 * in memory.  Any thread: what is in memory has a lock, which is held for a
 * look-up.
 */
#ifndef WORKERS_C_LEDGER_H
#define WORKERS_C_LEDGER_H

#include "base/log.h"
#include "workers/c/hoist_ledger.h"

#include <pthread.h>

#define LEDGER_KEYS  65536 /* of one in memory, where nobody says */
#define LEDGER_BYTES ((size_t)16 << 20) /* of outcomes' bodies */

typedef struct {
    hoist_ledger *ledger; /* borrowed: the program's, or memory */
    hoist_ledger *memory; /* owned, or NULL */
    pthread_mutex_t lock; /* of brake */
    log_brake_t brake;
} ledger_use_t;

/* keys, bytes: what one in memory may have; 0: as usual.
 * Returns 0; -ENOMEM. */
int ledger_use_init(ledger_use_t *self, hoist_ledger *ledger, size_t keys,
                    size_t bytes);
void ledger_use_fini(ledger_use_t *self);

/* The ledger could not tell: log that, for the middleware of this name. */
void ledger_use_failed(ledger_use_t *self, const char *middleware, int rc);

#endif
