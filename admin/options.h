/* SPDX-License-Identifier: MIT
 *
 * What the admin listener can be told.
 */
#ifndef ADMIN_OPTIONS_H
#define ADMIN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#define ADMIN_SOURCES_MAX 2 /* actors of a process */

/* An actor that is asked. */
typedef struct {
    const char *name; /* as in answers and in the log */
    void *questions;  /* borrowed zsock_t: the asker's end (base/actor.h) */
} admin_source_t;

typedef struct {
    const char *listen; /* [ADDRESS:]PORT; "": there is no admin listener */
    admin_source_t sources[ADMIN_SOURCES_MAX];
    size_t source_count;
} admin_options_t;

/* The setting as an address: a port alone is one of 127.0.0.1.  Returns false
 * when it did not fit. */
bool admin_address(const char *listen, char *address, size_t size);

#endif
