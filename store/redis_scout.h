/* SPDX-License-Identifier: MIT
 *
 * A link of a pool that finds out who its servers are, and tells the pool: it
 * asks a sentinel for the master, or a server for the slots of its cluster; one
 * that is in none is a server alone.  For redis_pool.c only.
 */
#ifndef STORE_REDIS_SCOUT_H
#define STORE_REDIS_SCOUT_H

#include "store/redis_pool.h"

void redis_scout_init(redis_pool_t *pool); /* whose mode and manner are set */
void redis_scout_fini(redis_pool_t *pool);

/* It leaves so much later, unless it is out already, or leaves sooner. */
void redis_scout_soon(redis_pool_t *pool, int64_t delay_ms);

#endif
