/* SPDX-License-Identifier: MIT
 *
 * A connection's context (PROTOCOL.md section 6): the map that travels with
 * every request.  The gateway makes it at CONNECT; the worker's REPLY adds
 * user, tenant, attributes and ttl; gateway and broker both keep the merged
 * map. Pure; any thread.
 */
#ifndef PROTO_CONTEXT_H
#define PROTO_CONTEXT_H

#include "proto/wire.h"

/*
 * The `groups` in the options of a CONNECT's REPLY: *groups stands at the first
 * of *count str.  Returns 0, or -EPROTO when they break the rules.
 */
int context_groups(wire_bytes_t options, wire_cursor_t *groups,
                   uint32_t *count);

/*
 * Append to out the map `base` (empty: none) with `user`, `tenant`,
 * `attributes` and `ttl` as the options of the CONNECT's REPLY say (empty:
 * none).
 *
 * Returns 0; -EPROTO when one of the four, or `groups`, has the wrong type or
 * is over its limit, or the whole is over CONTEXT_MAX; -ENOBUFS, -ENOMEM.  On
 * error out is unchanged.
 */
int context_merge(buf_t *out, wire_bytes_t base, wire_bytes_t options);

#endif
