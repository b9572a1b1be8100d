/* SPDX-License-Identifier: MIT
 *
 * The busiest connections of all loops: each puts those that its last walk has
 * found (busiest.h), as bytes for a pipe within the process, and whoever has
 * those of all shows the busiest of them.
 */
#ifndef GATEWAY_RANKING_H
#define GATEWAY_RANKING_H

#include "gateway/hub.h"

/* Append what was found, and begin the next walk.  Returns 200, or 500 without
 * memory.  Loop thread only. */
unsigned ranking_put(hub_t *hub, buf_t *out);

/*
 * Append the busiest, limit at most, as JSON.
 *
 * rows  what each of count loops has put
 *
 * Returns 200, or 500 without memory.  Any thread.
 */
unsigned ranking_show(const wire_bytes_t *rows, size_t count, uint64_t limit,
                      buf_t *text);

#endif
