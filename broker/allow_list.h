/* SPDX-License-Identifier: MIT
 *
 * Which public keys may come to a socket: a file with a key and a name for
 * people a line, `#` before comments, like authorized_keys.
 *
 *     # workers in Frankfurt
 *     rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7  worker-1
 *
 * It is read again when the file has changed.  One that cannot be read, or has
 * a wrong line, changes nothing but for a line in the log.  One thread.
 */
#ifndef BROKER_ALLOW_LIST_H
#define BROKER_ALLOW_LIST_H

#include "base/curve.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ALLOW_LIST_BYTES 4194304 /* of a file; a longer one cannot be read */
#define ALLOW_NAME_MAX   64      /* bytes of a name; the rest is cut off */

typedef struct {
    curve_key_t key;
    char name[ALLOW_NAME_MAX + 1];
    uint64_t number; /* stands for the key while it is on the list; never 0, and
                        another one when it comes back */
} allowed_t;

typedef struct allow_list allow_list_t;

/*
 * The keys of a list's text, sorted, each once; without numbers.  Pure.
 * Returns their count and *keys, to be freed, or -EINVAL with *line (from 1)
 * that is wrong, or -ENOMEM.
 */
int allow_list_parse(const char *text, size_t len, allowed_t **keys,
                     size_t *line);

/* path: borrowed.  NULL with one line in error. */
allow_list_t *allow_list_open(const char *path, char *error, size_t error_size);
void allow_list_destroy(allow_list_t **self_p);

/* Look whether the file has changed; now_ms: of any one clock that never goes
 * back.  Returns whether the keys have. */
bool allow_list_refresh(allow_list_t *self, int64_t now_ms);

/* The entry of a key, lent until the next refresh, or NULL. */
const allowed_t *allow_list_find(const allow_list_t *self, const char *key);

/* Does the number stand for a key that is on the list? */
bool allow_list_has(const allow_list_t *self, uint64_t number);

#endif
