/* SPDX-License-Identifier: MIT */
#include "store/redis_auth.h"

#include "store/redis_keys.h"

#include <string.h>

#define HEADS 64 /* bytes beside the two texts, and more */

static int put(buf_t *out, const char *user, const char *secret)
{
    redis_command_t command = {.out = out};
    bool has_user = user[0] != '\0';
    int rc = buf_reserve(out, HEADS + REDIS_USER_TEXT + REDIS_SECRET_TEXT);

    if (rc < 0) {
        return rc;
    }
    redis_put_words(&command, has_user ? 3 : 2);
    redis_put_text(&command, "AUTH");
    if (has_user) {
        redis_put_text(&command, user);
    }
    redis_put_text(&command, secret);
    return command.rc < 0 ? command.rc : 1;
}

int redis_put_auth(buf_t *out, const redis_url_t *url)
{
    char secret[REDIS_SECRET_TEXT];
    int rc = redis_url_secret(url, secret);

    if (rc == 0 && secret[0] != '\0') {
        rc = put(out, url->user, secret);
    }
    explicit_bzero(secret, sizeof secret);
    return rc;
}
