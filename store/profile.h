/* SPDX-License-Identifier: MIT
 *
 * The files that AWS's tools keep settings in: sections of `key = value`
 * (docs.aws.amazon.com/cli, "Configuration and credential file settings").
 * Reads a small local file, and so blocks for that long.
 */
#ifndef STORE_PROFILE_H
#define STORE_PROFILE_H

#include <stddef.h>

/*
 * What the profile in use (AWS_PROFILE, else `default`) says of `key`, in the
 * shared credentials file or in the shared configuration.
 * Returns 0; -ENOENT when it says nothing or there is no such file; -ENOBUFS
 * when value is too small.
 */
__attribute__((warn_unused_result)) int
profile_credential(const char *key, char *value, size_t size);
__attribute__((warn_unused_result)) int
profile_setting(const char *key, char *value, size_t size);

/* The same of a file and section named. */
__attribute__((warn_unused_result)) int profile_find(const char *path,
                                                     const char *section,
                                                     const char *key,
                                                     char *value, size_t size);

#endif
