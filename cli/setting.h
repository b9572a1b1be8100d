/* SPDX-License-Identifier: MIT
 *
 * One setting: a row of the table of all, what its value may be, and what it is
 * called where.  One thread, the main one.
 */
#ifndef CLI_SETTING_H
#define CLI_SETTING_H

#include "cli/settings.h"
#include "cli/values.h"

#include <stddef.h>

#define SETTINGS_MAX 160

typedef struct {
    const char *name;
    value_type_t type;
    audience_t audience;
    size_t offset; /* in settings_t */
    int64_t min, max;
    const char *unit; /* "" or what a NUMBER counts; what a TEXT looks like */
    const char *help;
} setting_t;

extern const setting_t setting_table[];
extern const size_t setting_count;

/* The chapter of the table that begins with it; NULL: none does. */
const char *setting_chapter(const setting_t *setting);

void settings_default(settings_t *settings);

/* --- a value ------------------------------------------------------------ */

/*
 * Give it a value, of which texts are lent.  origin: where people find it.
 * Returns 0; -EINVAL with one line in error, which does not show secrets.
 */
int setting_set(settings_t *settings, const setting_t *setting,
                const char *origin, const char *value,
                char error[SETTING_ERROR_MAX]);

/* In number, or lent. */
const char *setting_text(const settings_t *settings, const setting_t *setting,
                         char number[SETTING_NUMBER_MAX]);

/* It may hold a password. */
bool setting_is_secret(const setting_t *setting);

/* --- a name ------------------------------------------------------------- */

const setting_t *setting_find(const char *name, size_t len); /* or NULL */

/* What a name was most likely meant to be; NULL: none. */
const char *setting_nearest(const char *name);

/* Is it read by a command of this audience? */
bool setting_is_for(const setting_t *setting, audience_t audience);

#define SETTING_VARIABLE_MAX 64

/* HOIST_… */
void setting_variable(const setting_t *setting,
                      char name[SETTING_VARIABLE_MAX]);

#endif
