/* SPDX-License-Identifier: MIT
 *
 * AWS credentials, from the first of these that has any:
 *
 *   the environment     AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, of a
 *                       session, AWS_SESSION_TOKEN
 *   a profile           store/profile.h; read again when they were refused
 *   a container's       AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or …_FULL_URI,
 *   endpoint            with AWS_CONTAINER_AUTHORIZATION_TOKEN or …_TOKEN_FILE;
 *                       fetched on the loop, and again before they end
 *
 * Never logged.  One thread, that of the loop.
 */
#ifndef STORE_CREDENTIALS_H
#define STORE_CREDENTIALS_H

#include "proto/sigv4.h"
#include "store/http.h"

typedef struct credentials credentials_t;

/* A fetch is over: whoever was told -EAGAIN asks again. */
typedef void credentials_ready_fn(void *user);

/* http is borrowed for its life. */
credentials_t *credentials_new(struct ev_loop *loop, http_t *http);

/* *self_p becomes NULL; a fetch under way is given up. */
void credentials_destroy(credentials_t **self_p);

/* Whom to tell; one for each client. */
void credentials_listen(credentials_t *self, credentials_ready_fn *ready,
                        void *user);

/*
 * What to sign with at this Unix time; all lent until the loop runs again.  The
 * token is empty where they are for ever.
 * Returns 0; -EAGAIN while they are fetched; -ENOTCONN when the last fetch
 * failed a moment ago; -EACCES when there are none, with what to do in
 * credentials_reason.
 */
__attribute__((warn_unused_result)) int credentials_get(credentials_t *self,
                                                        int64_t now_s,
                                                        sigv4_key_t *key,
                                                        wire_bytes_t *token);

/* Of those that credentials_get has: another number is other ones. */
unsigned credentials_version(const credentials_t *self);

/*
 * The service refused those of this version.  Returns whether credentials_get
 * has other ones, or may have; those of the environment stay what they are.
 */
bool credentials_refused(credentials_t *self, unsigned version, int64_t now_s);

/* Why there are none, for a line of the log: no secret is in it. */
const char *credentials_reason(const credentials_t *self);

#endif
