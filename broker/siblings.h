/* SPDX-License-Identifier: MIT
 *
 * Workers that are links of one operating-system process, as they say in their
 * HELLO: they live and die together.  When one is lost the others may be dead,
 * too, and only not missed yet.  So they are in doubt: each is asked (PING),
 * and until it answers it is given nothing, for what it would be given might
 * cost another try.  Who does not answer for as long as it may be silent is
 * lost itself.
 */
#ifndef BROKER_SIBLINGS_H
#define BROKER_SIBLINGS_H

#include "broker/state.h"

/* By the options of its HELLO; without a process there it is alone. */
void siblings_join(core_t *core, worker_t *worker, wire_bytes_t options);

/* Harmless for one that is alone. */
void siblings_leave(worker_t *worker);

/* It is lost, and not by its own word: doubt the others. */
void siblings_doubt(core_t *core, const worker_t *lost);

/* The turn ends: ask those that it has brought in doubt, each once, however
 * many of its siblings were lost. */
void siblings_ask(core_t *core);

/* Its PONG.  false: it cannot have been asked. */
bool siblings_answer(worker_t *worker, const message_pong_t *pong);

/* It is heard, perhaps, but does not answer. */
bool siblings_is_late(const core_t *core, const worker_t *worker);

#endif
