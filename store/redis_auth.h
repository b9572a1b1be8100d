/* SPDX-License-Identifier: MIT
 *
 * The one command that says a secret.  Pure, but for the password's file.
 */
#ifndef STORE_REDIS_AUTH_H
#define STORE_REDIS_AUTH_H

#include "base/buf.h"
#include "store/redis_url.h"

/*
 * Append AUTH, if the URL says a password.  out has its room before the secret
 * is put, so that no memory that it grows out of keeps a part; who has sent it
 * wipes it (buf_wipe).
 * Returns 1, 0 without a password, or a negative errno: of its file, -ENOBUFS,
 * -ENOMEM.
 */
int redis_put_auth(buf_t *out, const redis_url_t *url);

#endif
