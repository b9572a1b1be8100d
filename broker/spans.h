/* SPDX-License-Identifier: MIT
 *
 * The spans of sampled requests: what they wait here, and from when a worker
 * has them until it replies.  Whether one is sampled its gateway has said.  For
 * all others these calls cost a look at a pointer.  Loop thread only.
 *
 *   gateway's span
 *     |-- queue       once for each worker that it was given to
 *     `-- dispatch    likewise; the worker has it as the parent of its own
 */
#ifndef BROKER_SPANS_H
#define BROKER_SPANS_H

#include "broker/state.h"

/* Remember the place in a trace that a gateway has given; none is harmless, and
 * so is one that cannot be read. */
void spans_begin(request_t *request, wire_bytes_t traceparent);

/* The parts of the inline functions for those that are in a trace. */
wire_bytes_t spans_make_place(core_t *core, request_t *request,
                              char text[TRACEPARENT_TEXT]);
void spans_put_queue(core_t *core, request_t *request, uint64_t status);
void spans_put_dispatch(core_t *core, request_t *request, uint64_t status);
void spans_forget(core_t *core, request_t *request);

/* What the worker that gets it now is told, with text for the bytes. */
static inline wire_bytes_t spans_place(core_t *core, request_t *request,
                                       char text[TRACEPARENT_TEXT])
{
    return request->traced != NULL ? spans_make_place(core, request, text)
                                   : (wire_bytes_t){NULL, 0};
}

/* It waits, from request->since_us on. */
static inline void spans_wait(request_t *request)
{
    if (request->traced != NULL) {
        request->traced->waits = true;
    }
}

/* A worker was given it: it has waited since request->since_us. */
static inline void spans_given(core_t *core, request_t *request)
{
    if (request->traced != NULL) {
        spans_put_queue(core, request, 200);
    }
}

/* Its worker has replied, or was lost (SPAN_LOST). */
static inline void spans_returned(core_t *core, request_t *request,
                                  uint64_t status)
{
    if (request->traced != NULL) {
        spans_put_dispatch(core, request, status);
    }
}

/* It is over. */
static inline void spans_end(core_t *core, request_t *request)
{
    if (request->traced != NULL) {
        spans_forget(core, request);
    }
}

#endif
