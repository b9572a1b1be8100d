/* SPDX-License-Identifier: MIT
 *
 * What the admin listener can be told.
 */
#ifndef ADMIN_OPTIONS_H
#define ADMIN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADMIN_SOURCES_MAX 3 /* actors of a process */

/* An actor that is asked. */
typedef struct {
    const char *name; /* as in answers and in the log */
    void *questions;  /* borrowed zsock_t: the asker's end (base/actor.h) */
    bool manages;     /* it answers the management API */
} admin_source_t;

typedef struct {
    const char *listen; /* [ADDRESS:]PORT; "": there is no admin listener */
    admin_source_t sources[ADMIN_SOURCES_MAX];
    size_t source_count;
    int64_t body_max; /* bytes of a request's */
} admin_options_t;

#endif
