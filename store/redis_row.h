/* SPDX-License-Identifier: MIT
 *
 * A row as the value of a field in Redis: a MessagePack array
 *
 *   [expires_ms, ttl_s, writer, context, …]
 *
 * Elements behind those four are of a later version, and skipped.  Pure.
 */
#ifndef STORE_REDIS_ROW_H
#define STORE_REDIS_ROW_H

#include "store/store.h"

/* Bytes that a row takes at most. */
#define REDIS_ROW_MAX 16384

/* Returns 0, -ENOBUFS, -ENOMEM. */
int redis_row_put(buf_t *out, const store_row_t *row);

/*
 * Read the value of the field `id`.  *row points into it, and is all the row
 * but the field's name.
 * Returns 0, or -EPROTO.
 */
int redis_row_get(wire_bytes_t value, store_row_t *row);

/*
 * The bytes that a row begins with, up to its expires_ms: two values of one row
 * that begin alike end at the same time.  value is one that redis_row_get took.
 */
wire_bytes_t redis_row_head(wire_bytes_t value);

#endif
