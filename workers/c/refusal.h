/* SPDX-License-Identifier: MIT
 *
 * The first registration that failed, and what there is to say of it: hoist_run
 * refuses for it, in words by which the line of the program is found.
 */
#ifndef WORKERS_C_REFUSAL_H
#define WORKERS_C_REFUSAL_H

#include <stdarg.h>
#include <stdatomic.h>

#define REFUSAL_NAME_MAX 128
#define REFUSAL_HINT_MAX 255

typedef struct {
    atomic_int taken;                /* who failed first has it: rc, or 0 */
    atomic_int rc;                   /* the same, once all else is there */
    const char *call;                /* borrowed: constant */
    char name[REFUSAL_NAME_MAX + 1]; /* of a route or metric; "": none */
    char hint[REFUSAL_HINT_MAX + 1];
    char reason[REFUSAL_HINT_MAX + 1]; /* of the init that runs; "": none */
} refusal_t;

/*
 * Keep that call has failed with rc, where nothing has before; any thread.
 *
 * name  may be NULL.
 * hint  what is wrong, as far as this is known; may be "".
 * Returns rc, which may be a success: then nothing is kept.
 */
int refusal_keep(refusal_t *self, int rc, const char *call, const char *name,
                 const char *hint);

/* Why the init that runs is about to fail. */
void refusal_explain(refusal_t *self, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

#endif
