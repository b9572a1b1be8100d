/* SPDX-License-Identifier: MIT
 *
 * Where values of settings come from: a file, the environment, the flags.  Who
 * comes later wins, and only what has won is looked at.  One thread, the main
 * one.
 */
#ifndef CLI_SOURCES_H
#define CLI_SOURCES_H

#include "cli/setting.h"

/* The file to read, and who named it: --config or HOIST_CONFIG. */
typedef struct {
    const char *path; /* borrowed: from argv or the environment; NULL: none */
    const char *origin;
} config_t;

typedef enum { BY_NOBODY, BY_FILE, BY_VARIABLE, BY_FLAG } said_by_t;

/* What is said of each setting, as in the table, and by whom. */
typedef struct {
    config_t config;
    said_by_t by[SETTINGS_MAX];
    const char *values[SETTINGS_MAX]; /* borrowed; NULL: the default stays */
} sources_t;

/*
 * Read all three; what the file says is kept in settings->file.  Returns 0; 1
 * when --help was asked for; -EINVAL with one line in error.
 */
int sources_read(sources_t *self, settings_t *settings, audience_t audience,
                 int argc, char **argv, char error[SETTING_ERROR_MAX]);

/* Give settings what was said of them.  Returns 0; -EINVAL with one line in
 * error. */
int sources_take(const sources_t *self, settings_t *settings,
                 char error[SETTING_ERROR_MAX]);

/* Has anybody said something of it? */
bool sources_have(const sources_t *self, const char *name);

#define ORIGIN_MAX 256

/* Where people find the value that a setting has. */
void sources_origin(const sources_t *self, const setting_t *setting,
                    char origin[ORIGIN_MAX]);

#endif
