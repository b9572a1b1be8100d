/* SPDX-License-Identifier: MIT
 *
 * The connections whose DISCONNECT was handled last, for a broker that asks
 * about one and would make it a second time (PROTOCOL.md section 11, QUERY).
 */
#ifndef GATEWAY_FAREWELLS_H
#define GATEWAY_FAREWELLS_H

#include "proto/conn_id.h"

#define FAREWELLS_KEPT 16384

typedef struct {
    conn_id_t *ids; /* owned; a ring, NULL until the first */
    size_t len, at;
} farewells_t;

/* Free what it holds; all zero is an empty one. */
void farewells_fini(farewells_t *self);

/* Its DISCONNECT was handled.  Without memory it is not remembered. */
void farewells_put(farewells_t *self, const conn_id_t *id);

/* Is it among the last ones? */
bool farewells_has(const farewells_t *self, const conn_id_t *id);

#endif
