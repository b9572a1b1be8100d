/* SPDX-License-Identifier: MIT
 *
 * What a worker answers over HTTP to Prometheus and to whoever looks after it:
 * /metrics, /healthz and /readyz.  Bytes in, bytes out; any thread.
 */
#ifndef WORKERS_C_PROBE_H
#define WORKERS_C_PROBE_H

#include "workers/c/app.h"

#define PROBE_HEAD_MAX 4096                /* bytes of a request's head */
#define PROBE_OUT_MAX  ((size_t)128 << 20) /* bytes of an answer */
#define PROBE_STILL_MS 30000               /* without a turn of the loop */

/*
 * Append the response to the request that begins with these bytes; the
 * connection is to be closed behind it.
 * Returns 0; -EAGAIN when the head is not whole; -ENOBUFS, -ENOMEM.
 */
int probe_answer(hoist_app *app, wire_bytes_t bytes, int64_t now_ms,
                 buf_t *out);

#endif
