/* SPDX-License-Identifier: MIT
 *
 * Signatures that were taken, until they are too old to be taken again: what
 * keeps a request that somebody overheard from being made twice.  Of a fixed
 * size: when it is full nothing new is taken, and nothing is forgotten early.
 */
#ifndef MANAGE_SEEN_H
#define MANAGE_SEEN_H

#include <stddef.h>
#include <stdint.h>

#define SEEN_MAX   262144 /* signatures at once */
#define SEEN_BYTES 32     /* of one */

typedef struct seen seen_t;

seen_t *seen_new(void);
void seen_destroy(seen_t **self_p);

/*
 * Take a signature that is good until until_s (Unix).
 * Returns 0; -EEXIST when it was taken before; -ENOSPC when there is no room.
 */
int seen_take(seen_t *self, const uint8_t signature[SEEN_BYTES],
              int64_t until_s, int64_t now_s);

#endif
