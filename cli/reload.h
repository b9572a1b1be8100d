/* SPDX-License-Identifier: MIT
 *
 * Settings while hoist runs: at SIGHUP they are read again, from the same file,
 * variables and flags, and held against those that are in force.  The main
 * thread's.
 */
#ifndef CLI_RELOAD_H
#define CLI_RELOAD_H

#include "cli/settings.h"

typedef struct reload reload_t;

/* A setting has another value, as text: who uses it is to know. */
typedef void reload_tell_fn(void *user, const char *name, const char *value);

/* settings: as they were read, and what the rest says where from. */
reload_t *reload_new(const settings_t *settings, audience_t audience, int argc,
                     char **argv);
void reload_destroy(reload_t **self_p);

/*
 * Read them again, tell of those that can be changed and have been, and log
 * which these are and which others wait for a restart.  What is wrong leaves
 * all as it was, and is logged.
 */
void reload_read(reload_t *self, reload_tell_fn *tell, void *user);

#endif
