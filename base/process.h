/* SPDX-License-Identifier: MIT
 *
 * What Prometheus' own libraries say of a process, under their names, from
 * /proc/self.  Any thread.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include "base/buf.h"

#include <stdbool.h>

/*
 * Append processor time, memory, descriptors, the start, and what was built.
 * What the system does not tell is left out.
 * Returns 0, -ENOBUFS or -ENOMEM.
 */
int process_metrics(buf_t *out);

/* Is one of them called so? */
bool process_tells(const char *name);

#endif
