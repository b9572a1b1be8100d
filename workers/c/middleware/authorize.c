/* SPDX-License-Identifier: MIT
 *
 * Who may what, by the roles and scopes that $connect gave the connection as
 * attributes.  Nothing is looked up elsewhere: what a connection may does not
 * change while it stands.
 */
#include "workers/c/hoist_metrics.h"
#include "workers/c/hoist_middleware.h"
#include "workers/c/middleware/governed.h"
#include "workers/c/words.h"

#include <errno.h>
#include <stdlib.h>

/* What is asked of who comes; texts are owned, and never NULL. */
typedef struct {
    char *route;
    char *roles, *scopes;
    bool takes_anyone;
} rule_t;

/* Why somebody is refused. */
typedef enum { NO_USER, NO_ROLE, NO_SCOPE, NO_RULE, REASONS } reason_t;

static const struct {
    int status;
    const char *code, *message, *label;
} words[REASONS] = {
    [NO_USER] = {401, "not-authenticated", "Say who you are",
                 "reason=\"user\""},
    [NO_ROLE] = {403, "role-missing", "Not for your role", "reason=\"role\""},
    [NO_SCOPE] = {403, "scope-missing", "Not in your scope",
                  "reason=\"scope\""},
    [NO_RULE] = {403, "route-closed", "Not for anybody", "reason=\"route\""},
};

/* Of a use; constant. */
typedef struct {
    hoist_counter *refused[REASONS]; /* borrowed */
    rule_t usual;                    /* for what no other rule is for */
    bool is_closed;                  /* which no message may be then */
    size_t count;
    rule_t rules[]; /* sorted by their routes */
} authorize_t;

/* --- setting up ----------------------------------------------------------- */

static char *copy(const char *text)
{
    return strdup(text != NULL ? text : "");
}

static void rule_fini(rule_t *self)
{
    free(self->route);
    free(self->roles);
    free(self->scopes);
}

static int check_list(hoist_app *app, const char *name, const char *list)
{
    return words_are_none(list)
               ? hoist_init_failed(app, -EINVAL,
                                   "hoist_authorize: %s: it is empty; leave it "
                                   "away to ask for none",
                                   name)
               : 0;
}

/* What is made of it is rule_fini's to end, also where this fails. */
static int rule_init(rule_t *self, hoist_app *app,
                     const hoist_authorize_rule *wanted)
{
    int rc = check_list(app, "roles", wanted->roles);

    rc = rc < 0 ? rc : check_list(app, "scopes", wanted->scopes);
    if (rc < 0) {
        return rc;
    }
    *self = (rule_t){.route = copy(wanted->route),
                     .roles = copy(wanted->roles),
                     .scopes = copy(wanted->scopes),
                     .takes_anyone = wanted->anyone};
    return self->route != NULL && self->roles != NULL && self->scopes != NULL
               ? 0
               : -ENOMEM;
}

static int compare_routes(const void *a, const void *b)
{
    const rule_t *left = a, *right = b;

    return strcmp(left->route, right->route);
}

static void authorize_fini(void *state)
{
    authorize_t *self = state;

    rule_fini(&self->usual);
    for (size_t i = 0; i < self->count; i++) {
        rule_fini(&self->rules[i]);
    }
    free(self);
}

/* Of two rules for a route one would never count. */
static int check_rules(const authorize_t *self, hoist_app *app)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->rules[i].route[0] == '\0') {
            return hoist_init_failed(app, -EINVAL,
                                     "hoist_authorize: a rule without a route");
        }
        if (i > 0 &&
            compare_routes(&self->rules[i - 1], &self->rules[i]) == 0) {
            return hoist_init_failed(app, -EEXIST,
                                     "hoist_authorize: two rules for %s",
                                     self->rules[i].route);
        }
    }
    return 0;
}

static int fill(authorize_t *self, hoist_app *app,
                const hoist_authorize_config *wanted)
{
    const hoist_authorize_rule usual = {.roles = wanted->roles,
                                        .scopes = wanted->scopes};
    int rc = rule_init(&self->usual, app, &usual);

    self->is_closed = wanted->closed;
    while (rc == 0 && self->count < wanted->rule_count) {
        rc = rule_init(&self->rules[self->count], app,
                       &wanted->rules[self->count]);
        self->count++;
    }
    if (rc < 0) {
        return rc;
    }
    qsort(self->rules, self->count, sizeof *self->rules, compare_routes);
    return check_rules(self, app);
}

static void make_counters(authorize_t *self, hoist_app *app)
{
    for (size_t i = 0; i < REASONS; i++) {
        self->refused[i] = hoist_counter_of(
            app, "hoist_worker_unauthorized_total",
            "Events that `hoist_authorize` refused.", words[i].label);
    }
}

static int authorize_init(hoist_app *app, const void *config, void **state)
{
    static const hoist_authorize_config none;
    const hoist_authorize_config *wanted = config != NULL ? config : &none;

    if (wanted->rule_count > HOIST_AUTHORIZE_RULES_MAX) {
        return hoist_init_failed(app, -ENOSPC,
                                 "hoist_authorize: rule_count=%zu",
                                 wanted->rule_count);
    }
    authorize_t *self =
        calloc(1, sizeof *self + wanted->rule_count * sizeof *self->rules);
    if (self == NULL) {
        return -ENOMEM;
    }
    int rc = fill(self, app, wanted);
    if (rc < 0) {
        authorize_fini(self);
        return rc;
    }
    make_counters(self, app);
    *state = self;
    return 0;
}

/* --- an event ------------------------------------------------------------- */

static int compare_with_route(const void *key, const void *element)
{
    const hoist_text *route = key;
    const rule_t *rule = element;
    size_t len = strlen(rule->route);
    size_t common = len < route->len ? len : route->len;
    int order = common > 0 ? memcmp(route->data, rule->route, common) : 0;

    return order != 0 ? order : (route->len > len) - (route->len < len);
}

static const rule_t *rule_for(const authorize_t *self, hoist_text route)
{
    const rule_t *found = bsearch(&route, self->rules, self->count,
                                  sizeof *self->rules, compare_with_route);

    return found != NULL ? found : &self->usual;
}

/* One of the roles that are wanted; it costs a look only where some are. */
static bool has_role(const hoist_ctx *ctx, hoist_text wanted)
{
    hoist_text word = words_take(&wanted);

    if (word.data == NULL) {
        return true;
    }
    hoist_text had = hoist_attribute(ctx, HOIST_ROLES);
    for (; word.data != NULL; word = words_take(&wanted)) {
        if (words_have(had, word)) {
            return true;
        }
    }
    return false;
}

static bool has_scopes(const hoist_ctx *ctx, hoist_text wanted)
{
    hoist_text word = words_take(&wanted);

    if (word.data == NULL) {
        return true;
    }
    hoist_text had = hoist_attribute(ctx, HOIST_SCOPES);
    for (; word.data != NULL; word = words_take(&wanted)) {
        if (!words_have(had, word)) {
            return false;
        }
    }
    return true;
}

/* Who connects has done nothing yet, and is judged as ever. */
static bool is_closed_to_all(const authorize_t *self, const rule_t *rule,
                             const hoist_ctx *ctx)
{
    return self->is_closed && rule == &self->usual &&
           hoist_event_of(ctx) == HOIST_MESSAGE;
}

static int refuse(const authorize_t *self, hoist_ctx *ctx, reason_t reason)
{
    hoist_count(self->refused[reason], 1);
    return hoist_fail(ctx, words[reason].status, words[reason].code,
                      words[reason].message);
}

static int authorize_run(hoist_ctx *ctx, void *state)
{
    const authorize_t *self = state;
    const rule_t *rule = rule_for(self, hoist_route(ctx));

    if (!is_governed(ctx) || rule->takes_anyone) {
        return hoist_next(ctx);
    }
    if (hoist_user(ctx).len == 0) {
        return refuse(self, ctx, NO_USER);
    }
    if (is_closed_to_all(self, rule, ctx)) {
        return refuse(self, ctx, NO_RULE);
    }
    if (!has_role(ctx, hoist_str(rule->roles))) {
        return refuse(self, ctx, NO_ROLE);
    }
    if (!has_scopes(ctx, hoist_str(rule->scopes))) {
        return refuse(self, ctx, NO_SCOPE);
    }
    return hoist_next(ctx);
}

static const hoist_middleware table = {authorize_init, authorize_run,
                                       authorize_fini};
const hoist_middleware *const hoist_authorize = &table;
