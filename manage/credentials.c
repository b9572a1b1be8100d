/* SPDX-License-Identifier: MIT */
#include "manage/credentials.h"

#include "base/key_file.h"

#include <errno.h>
#include <stdio.h>

#define TEXT_(number) #number
#define TEXT(number)  TEXT_(number)

typedef struct {
    const char *setting, *path;
    int (*add)(auth_t *auth, wire_bytes_t text);
    const char *right; /* what a line is, for people */
} file_t;

static int read_file(auth_t *auth, const file_t *from, char *error, size_t size)
{
    const char *path = from->path;
    buf_t text;

    if (path[0] == '\0') {
        return 0;
    }
    buf_init(&text, AUTH_FILE_MAX);
    int rc = key_file_read(path, true, &text);
    if (rc < 0) {
        snprintf(error, size, "--%s %s: %s", from->setting, path,
                 key_file_failure(rc));
    } else {
        int line = from->add(auth, (wire_bytes_t){text.data, text.len});
        if (line > 0) {
            snprintf(error, size, "--%s %s: line %d is not %s, or one too many",
                     from->setting, path, line, from->right);
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
    const file_t files[] = {
        {"manage-keys", options->keys, auth_add_keys,
         "ACCESS_KEY_ID SECRET [REGION]"},
        {"manage-tokens", options->tokens, auth_add_tokens,
         "a token of at least " TEXT(AUTH_TOKEN_MIN) " bytes"},
    };
    auth_t *auth = auth_new(options->allow_replays);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof files / sizeof *files; i++) {
        rc = read_file(auth, &files[i], error, size);
    }
    if (rc < 0) {
        auth_destroy(&auth);
    }
    *out = auth;
    return rc;
}
