/* SPDX-License-Identifier: MIT
 *
 * What the management API can be told (docs/settings.md has the table).
 */
#ifndef MANAGE_OPTIONS_H
#define MANAGE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MANAGE_BROKERS_MAX 64

typedef struct {
    const char *name;   /* for people; at most PEER_NAME_MAX bytes */
    const char *broker; /* ENDPOINT[,ENDPOINT…] of brokers, on either socket */
    const char *curve_key;    /* file of its secret key, "": no CURVE */
    const char *curve_broker; /* the brokers' public key, or a file with it */
    int64_t resolve_ms;       /* between look-ups of the names in it; 0: one */
    const char *stage;        /* "" (any) or the one of these gateways */
    const char *keys;         /* "" or the file of those who sign */
    const char *tokens;       /* "" or the file of bearers' tokens */
    bool allow_replays;       /* take a signature more than once */
    int64_t body_max;         /* bytes of a request's body */

    /* Where it is asked (base/actor.h): borrowed zsock_t, NULL for none. */
    void *admin;         /* by whoever reaches the admin listener */
    void *const *public; /* by anybody, so that credentials are asked for: … */
    size_t public_count; /* … one of each loop of the gateway */
} manage_options_t;

/* Set every field to its documented default. */
void manage_options_init(manage_options_t *options);

/* Does anybody have credentials? */
bool manage_is_public(const manage_options_t *options);

#endif
