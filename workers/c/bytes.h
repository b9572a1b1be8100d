/* SPDX-License-Identifier: MIT
 *
 * The same bytes as a program has them, and as they are on the wire.
 */
#ifndef WORKERS_C_BYTES_H
#define WORKERS_C_BYTES_H

#include "proto/wire.h"
#include "workers/c/hoist.h"

static inline hoist_text lend(wire_bytes_t bytes)
{
    return hoist_bytes(bytes.data, bytes.len);
}

static inline wire_bytes_t wire_of(hoist_text text)
{
    return (wire_bytes_t){(const uint8_t *)text.data, text.len};
}

#endif
