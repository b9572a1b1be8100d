/* SPDX-License-Identifier: MIT
 *
 * The files with the keys and tokens of who may use the management API.
 */
#ifndef MANAGE_CREDENTIALS_H
#define MANAGE_CREDENTIALS_H

#include "manage/auth.h"
#include "manage/options.h"

/* Returns 0 with *out set, NULL when there are none; or a negative errno with
 * one line in error. */
int credentials_read(const manage_options_t *options, auth_t **out, char *error,
                     size_t size);

#endif
