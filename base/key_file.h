/* SPDX-License-Identifier: MIT
 *
 * Files with keys: read whole, and the secret ones only when nobody else may
 * read them, since who can do that can do what they let do.  Start-up; any
 * thread.
 */
#ifndef BASE_KEY_FILE_H
#define BASE_KEY_FILE_H

#include "base/buf.h"

#include <stdbool.h>

/*
 * Read a file into *text, which is empty; its limit is the most that the file
 * may have.  key_file_forget is due in any case.
 * Returns 0; -EPERM when it is secret and others may read it; -EFBIG; or why it
 * could not be read.
 */
int key_file_read(const char *path, bool is_secret, buf_t *text);

/* Wipe and free what was read. */
void key_file_forget(buf_t *text);

/* What such a failure means, for people. */
const char *key_file_failure(int rc);

#endif
