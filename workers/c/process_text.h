/* SPDX-License-Identifier: MIT
 *
 * What brokers know this operating-system process by: all workers in it name
 * it, of whatever app, since they die together.  Any thread.
 */
#ifndef WORKERS_C_PROCESS_TEXT_H
#define WORKERS_C_PROCESS_TEXT_H

#include "base/rand.h"

#define PROCESS_TEXT_LEN RAND_HEX_LEN

/* Random, and the same until the process ends; a fork has its own. */
const char *process_text(void);

#endif
