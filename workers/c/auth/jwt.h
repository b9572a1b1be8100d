/* SPDX-License-Identifier: MIT
 *
 * A hoist_jwt as it is used by an app.
 */
#ifndef WORKERS_C_AUTH_JWT_H
#define WORKERS_C_AUTH_JWT_H

#include "workers/c/auth/claims.h"
#include "workers/c/auth/source.h"
#include "workers/c/hoist_auth.h"
#include "workers/c/hoist_metrics.h"

#define JWT_ATTRIBUTE_MAX 255 /* bytes of the name of a claim that is one */

/* Of a use; constant, but for the keys. */
typedef struct {
    hoist_jwt_config config; /* its texts are owned, and none of those with a
                                default is NULL */
    claim_rules_t rules;     /* lends from config */
    bool takes[ALG_EDDSA + 1];
    source_t keys;
    hoist_counter *accepted, *refused[TOKEN_VERDICTS]; /* borrowed */
} jwt_t;

/* Of a table of middleware. */
int jwt_init(hoist_app *app, const void *config, void **state);
void jwt_fini(void *state);

/* The label by which a refusal is counted (jwt.c). */
const char *jwt_reason(token_verdict_t verdict);

#endif
