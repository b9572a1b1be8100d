/* SPDX-License-Identifier: MIT
 *
 * Who may use the management API: keys with which requests are signed (AWS
 * Signature Version 4, service execute-api), and tokens of bearers.  One
 * thread.
 */
#ifndef MANAGE_AUTH_H
#define MANAGE_AUTH_H

#include "manage/fault.h"
#include "proto/http.h"

#include <stdint.h>

#define AUTH_SKEW_S    300    /* that clocks may be apart */
#define AUTH_KEYS_MAX  256    /* keys, and as many tokens */
#define AUTH_FILE_MAX  262144 /* bytes of a file with them */
#define AUTH_WORD_MAX  256    /* bytes of an access key, a region or a token */
#define AUTH_TOKEN_MIN 16     /* bytes; a shorter one can be guessed */

typedef struct auth auth_t;

/* takes_replays: a signature counts as often as it comes, while it is fresh. */
auth_t *auth_new(bool takes_replays);
void auth_destroy(auth_t **self_p);

/*
 * Add the keys of a text: lines of ACCESS_KEY_ID SECRET [REGION]; or the
 * tokens, one a line.  Empty lines and those that begin with '#' say nothing.
 * Returns 0, or the number of the line that is wrong, from 1; more than
 * AUTH_KEYS_MAX make the first of them wrong.
 */
int auth_add_keys(auth_t *self, wire_bytes_t text);
int auth_add_tokens(auth_t *self, wire_bytes_t text);

size_t auth_key_count(const auth_t *self);
size_t auth_token_count(const auth_t *self);

/* Have the keys and tokens of another, which is no more; what was seen stays
 * seen. */
void auth_renew(auth_t *self, auth_t **other_p);

/* May a request with this head be done, as far as the head alone shows?
 * Returns NULL, or what is wrong. */
const fault_t *auth_look(auth_t *self, const http_request_t *request,
                         int64_t now_s);

/* May this request be done?  Returns NULL, or what is wrong. */
const fault_t *auth_check(auth_t *self, const http_request_t *request,
                          wire_bytes_t body, int64_t now_s);

#endif
