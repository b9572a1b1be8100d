/* SPDX-License-Identifier: MIT
 *
 * How many descriptors the process needs, and may have.  The main thread's.
 */
#ifndef CLI_DESCRIPTORS_H
#define CLI_DESCRIPTORS_H

#include "cli/settings.h"

/* Set the process's limit to what the settings ask for, and log where it is
 * less, as a warning where somebody has said how many are to come;
 * before there is any actor. */
void descriptors_prepare(const settings_t *settings, audience_t audience);

/* With settings that were changed while it runs, when the limit stays: log
 * where it is less. */
void descriptors_check(const settings_t *settings, audience_t audience);

#endif
