/* SPDX-License-Identifier: MIT
 *
 * Settings beside each other: what no single value can say.
 */
#ifndef CLI_SETTINGS_CHECK_H
#define CLI_SETTINGS_CHECK_H

#include "cli/settings.h"

/* Say what is wrong: where a value comes from, the value, and what would be
 * right.  Returns -EINVAL. */
int settings_fault(char error[SETTING_ERROR_MAX], const char *origin,
                   const char *value, const char *right);

/*
 * Each value of settings has been checked.  liveness: where that one comes
 * from.
 * Returns 0; -EINVAL with one line in error.
 */
int settings_check(const settings_t *settings, audience_t audience,
                   const char *liveness, char error[SETTING_ERROR_MAX]);

#endif
