/* SPDX-License-Identifier: MIT
 *
 * The names under which middleware keeps something in a ledger: what kind it
 * is, and whose.  Constant once made; any thread.
 */
#ifndef WORKERS_C_MIDDLEWARE_WHOSE_H
#define WORKERS_C_MIDDLEWARE_WHOSE_H

#include "workers/c/hoist_metrics.h"
#include "workers/c/hoist_middleware.h"

#define WHOSE_KIND_MAX 64  /* bytes of a kind */
#define WHOSE_KEY_MAX  256 /* of a user, or of what the program says */

/* KIND, a letter that says what the key is, and the key, which may hold any
 * byte; behind it up to two others, a tenant and what is whose, each with its
 * length (hoist_ledger.h). */
#define WHOSE_ADDED_MAX (1 + WHOSE_KEY_MAX + 4)
#define WHOSE_NAME_MAX                                                         \
    (WHOSE_KIND_MAX + 3 + WHOSE_KEY_MAX + 2 * WHOSE_ADDED_MAX)

_Static_assert(WHOSE_NAME_MAX <= 1024, "a ledger takes it");

typedef struct {
    char kind[WHOSE_KIND_MAX + 1];
    hoist_by by;
    hoist_key *key; /* borrowed, or NULL */
    void *data;     /* borrowed */
} whose_t;

typedef struct {
    char text[WHOSE_NAME_MAX];
    size_t len;
} whose_name_t;

/*
 * kind  copied: the setting `name`.
 * Returns 0; -EINVAL for one that is none, or for `by`, and *why begins with
 * that setting: a constant, for people.
 */
int whose_init(whose_t *self, const char *kind, hoist_by by, hoist_key *key,
               void *data, const char **why);

/*
 * The name that the event counts under.
 * Returns 0; -ENOENT when the program says that it does not; -EMSGSIZE when
 * what it says is too long.
 */
int whose_name(const whose_t *self, hoist_ctx *ctx, whose_name_t *name);

/*
 * Who holds what the event has under that name: where this is of a connection,
 * of which anybody may have any number, who has it, its user or address.
 * Returns 0; -EMSGSIZE.
 */
int whose_holder(const whose_t *self, const hoist_ctx *ctx,
                 const whose_name_t *name, whose_name_t *holder);

/* The counter of events of this kind with such an outcome; NULL: of whatever
 * outcome. */
hoist_counter *whose_counter(const whose_t *self, hoist_app *app,
                             const char *name, const char *help,
                             const char *outcome);

/* Make it the name of something of theirs.  Returns 0; -EMSGSIZE. */
int whose_add(whose_name_t *name, hoist_text key);

static inline hoist_text whose_text(const whose_name_t *name)
{
    return hoist_bytes(name->text, name->len);
}

#endif
