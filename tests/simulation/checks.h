/* SPDX-License-Identifier: MIT
 *
 * What must be true between the acts of a run, beside the promises that truth.h
 * holds all the time: each says it is broken (world_broken) where it is not.
 */
#ifndef TESTS_SIMULATION_CHECKS_H
#define TESTS_SIMULATION_CHECKS_H

#include <stdint.h>

#define BURST 8 /* messages at once, in a probe: a connection's window */

/* Of messages, so far. */
uint64_t checks_count_outcomes(void);

/* Where nothing else does, deadlines bring messages to their outcomes. */
void checks_deadlines(uint64_t outcomes_before);

/* All messages have their outcomes, and every client is let in. */
void checks_outcomes(void);
void checks_return(void);

/* Those that were probed have reached a handler, in their turn. */
void checks_probe(void);

/* Connections are in the groups that their handlers said. */
void checks_groups(void);

/* What handlers of $presence were told is what is. */
void checks_presence(void);

/* As many rows as connections, whatever happened before; and never fewer. */
void checks_rows(void);

/* What managers said is what is. */
void checks_asks(void);

/* May they say what they like, or are all links there? */
void checks_peace(void);

/* Nothing is left over. */
void checks_silence(void);

#endif
