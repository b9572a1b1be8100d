/* SPDX-License-Identifier: MIT
 *
 * What becomes of a request: the worker's answer or one that we make, once, and
 * what follows from it for the connection.  dispatch.c is how it got there.
 */
#ifndef BROKER_OUTCOME_H
#define BROKER_OUTCOME_H

#include "broker/state.h"

/* Send the gateway its REPLY, unless it has one. */
void outcome_answer(core_t *core, request_t *request,
                    const message_reply_t *reply);

/* The same, with a status alone. */
void outcome_status(core_t *core, request_t *request, uint64_t status);

/* An outcome that no worker made; the connection's state follows from it. */
void outcome_fail(core_t *core, request_t *request, uint64_t status);

/* It is over and in no list: free it, and its connection if that was all. */
void outcome_finish(core_t *core, request_t *request);

/*
 * It has been tried and never answered, or was dead before: somebody may want
 * to see it.  Of others the client is told, and that is all.
 */
void outcome_bury(core_t *core, request_t *request);

/* Nobody serves its route: answer and finish it. */
void outcome_nowhere(core_t *core, request_t *request);

/* A worker answered it: so be it, and finish it, at once or when the
 * connection's row is written. */
void outcome_reply(core_t *core, request_t *request, worker_t *worker,
                   const message_reply_t *reply);

/* The row of a connection that its handler let in was written, or not. */
void outcome_entered(core_t *core, request_t *request, bool is_kept);

/* The connection ends; where it waited to get in, it has not. */
void outcome_abandon_entry(core_t *core, conn_t *conn);

/* The row of a connection whose DISCONNECT was handled is gone, or not. */
void outcome_left(core_t *core, request_t *request);

#endif
