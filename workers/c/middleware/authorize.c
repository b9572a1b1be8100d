/* SPDX-License-Identifier: MIT
 *
 * Who may what, by the roles and scopes that $connect gave the connection as
 * attributes.  Nothing is looked up elsewhere: what a connection may does not
 * change while it stands.
 */
#include "base/names.h"
#include "base/xalloc.h"
#include "workers/c/app.h"
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
    start_check_t at_start;
    bool is_before_names; /* asked before anybody says who connects */
    rule_t usual;         /* for what no other rule is for */
    bool is_closed;       /* which no message may be then */
    size_t count;
    rule_t rules[]; /* sorted by their routes */
} authorize_t;

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

/* --- once all is registered ---------------------------------------------- */

/* The route that was most likely meant; NULL: none. */
static const char *nearest(const routes_t *routes, const char *route)
{
    const char **keys = xcalloc(routes->count, sizeof *keys);

    for (size_t i = 0; i < routes->count; i++) {
        keys[i] = routes->routes[i].key;
    }
    const char *near = names_near(route, keys, routes->count);
    free(keys);
    return near;
}

static int refuse_route(hoist_app *app, const char *route)
{
    const char *near = nearest(&app->routes, route);

    return hoist_init_failed(
        app, -ENOENT,
        "hoist_authorize: a rule for %s, which has no handler%s%s%s", route,
        near != NULL ? "; did you mean " : "", near != NULL ? near : "",
        near != NULL ? "?" : "");
}

/* A rule of a route that is not there counts for nothing, and the route that it
 * was meant for has the usual one: also where "$default" serves such keys. */
static int check_routes(const authorize_t *self, hoist_app *app)
{
    for (size_t i = 0; i < self->count; i++) {
        if (routes_named(&app->routes, self->rules[i].route) == NULL) {
            return refuse_route(app, self->rules[i].route);
        }
    }
    return 0;
}

/* Middleware of ours that says of nobody who it is. */
static bool accepts_nobody(const layer_t *layer)
{
    const hoist_middleware *const ours[] = {
        hoist_recover,  hoist_request_id, hoist_logger,    hoist_rate_limit,
        hoist_validate, hoist_ip_filter,  hoist_authorize, hoist_metrics,
        hoist_timeout,  hoist_bulkhead,   hoist_breaker,   hoist_shed,
        hoist_retry,    hoist_idempotency};

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        if (layer->run == ours[i]->run) {
            return true;
        }
    }
    return false;
}

/* Around all, and nobody outside of it says who connects. */
static bool is_before_all_names(const hoist_app *app)
{
    for (size_t i = 0; i < app->around.count; i++) {
        if (!accepts_nobody(&app->around.layers[i])) {
            return false;
        }
    }
    return app->used_on == NULL;
}

/* Nobody could connect: who comes has no user yet. */
static int check_order(const authorize_t *self, hoist_app *app)
{
    if (!self->is_before_names ||
        routes_named(&app->routes, "$connect") == NULL ||
        rule_for(self, hoist_str("$connect"))->takes_anyone) {
        return 0;
    }
    return hoist_init_failed(
        app, -EINVAL,
        "hoist_authorize: nobody before it says who connects, so it refuses "
        "everyone; use hoist_jwt, say, before it, or have a rule for $connect "
        "with anyone");
}

static int check_at_start(hoist_app *app, const void *state)
{
    const authorize_t *self = state;
    int rc = check_routes(self, app);

    return rc < 0 ? rc : check_order(self, app);
}

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
    self->is_before_names = is_before_all_names(app);
    self->at_start = (start_check_t){.run = check_at_start, .state = self};
    app_check_at_start(app, &self->at_start);
    *state = self;
    return 0;
}

/* --- an event ------------------------------------------------------------- */

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

static const hoist_middleware table = {.init = authorize_init,
                                       .run = authorize_run,
                                       .fini = authorize_fini};
const hoist_middleware *const hoist_authorize = &table;
