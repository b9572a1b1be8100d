/* SPDX-License-Identifier: MIT
 *
 * How long to wait before something that ended is started again.  Pure.
 */
#ifndef WORKERS_C_BACKOFF_H
#define WORKERS_C_BACKOFF_H

#include <stdint.h>

#define BACKOFF_FIRST_MS 100   /* then twice as much each time, up to … */
#define BACKOFF_MAX_MS   30000 /* … this */
#define BACKOFF_CALM_MS  10000 /* who lived so long begins from the first */

/* {0}: nothing has ended yet. */
typedef struct {
    int64_t pause_ms; /* the last one */
} backoff_t;

/* The pause behind a life of that length. */
int64_t backoff_next(backoff_t *self, int64_t lived_ms);

#endif
