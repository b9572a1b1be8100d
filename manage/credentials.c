/* SPDX-License-Identifier: MIT */
#include "manage/credentials.h"

#include "base/key_file.h"

#include <errno.h>
#include <stdio.h>

typedef int add_fn(auth_t *auth, wire_bytes_t text);

static int read_file(auth_t *auth, const char *path, add_fn *add, char *error,
                     size_t size)
{
    buf_t text;

    if (path[0] == '\0') {
        return 0;
    }
    buf_init(&text, AUTH_FILE_MAX);
    int rc = key_file_read(path, true, &text);
    if (rc < 0) {
        snprintf(error, size, "%s: %s", path, key_file_failure(rc));
    } else {
        int line = add(auth, (wire_bytes_t){text.data, text.len});
        if (line > 0) {
            snprintf(error, size, "%s: line %d is wrong, or one too many", path,
                     line);
            rc = -EINVAL;
        }
    }
    key_file_forget(&text);
    return rc;
}

int credentials_read(const manage_options_t *options, auth_t **out, char *error,
                     size_t size)
{
    *out = NULL;
    if (!manage_is_public(options)) {
        return 0;
    }
    auth_t *auth = auth_new(options->allow_replays);
    int rc = read_file(auth, options->keys, auth_add_keys, error, size);
    rc = rc < 0
             ? rc
             : read_file(auth, options->tokens, auth_add_tokens, error, size);
    if (rc < 0) {
        auth_destroy(&auth);
    }
    *out = auth;
    return rc;
}
