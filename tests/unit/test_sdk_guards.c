/* SPDX-License-Identifier: MIT
 *
 * Middleware of the C SDK that says who may: by address, by role and scope.
 */
#include "base/xalloc.h"
#include "tests/unit/worker_fixture.h"
#include "workers/c/hoist_metrics.h"
#include "workers/c/hoist_middleware.h"

#include <errno.h>
#include <stdio.h>

static int note_handler(hoist_ctx *ctx)
{
    (void)ctx;
    note("handler");
    return 0;
}

/* Whose event it is; NULL: not set. */
typedef struct {
    const char *ip, *user, *roles, *scopes;
} who_t;

static void put_pair(buf_t *out, const char *key, const char *value)
{
    if (value != NULL) {
        must(wire_put_text(out, key) == 0 && wire_put_text(out, value) == 0);
    }
}

static void put_context(buf_t *out, const who_t *who)
{
    uint32_t attributes =
        (uint32_t)(who->roles != NULL) + (who->scopes != NULL);

    must(wire_put_map(out, 1 + (uint32_t)(who->ip != NULL) +
                               (who->user != NULL)) == 0);
    put_pair(out, "ip", who->ip);
    put_pair(out, "user", who->user);
    must(wire_put_text(out, "attributes") == 0 &&
         wire_put_map(out, attributes) == 0);
    put_pair(out, HOIST_ROLES, who->roles);
    put_pair(out, HOIST_SCOPES, who->scopes);
}

/* An event of theirs, and the status of its reply. */
static unsigned status_of(event_t event, const char *route, const who_t *who)
{
    message_request_t request =
        event == EVENT_MESSAGE ? sdk_message(route) : sdk_event(event);
    buf_t context;

    buf_init(&context, 1000);
    put_context(&context, who);
    request.context = (wire_bytes_t){context.data, context.len};
    must(message_put_request(&worker.in, &request) == 0);
    buf_fini(&context);
    feed(worker.now_ms);
    return (unsigned)says(KIND_REPLY)->reply.status;
}

/* The code of the refusal that was said last. */
static void assert_code(const char *code)
{
    char expected[64];
    hoist_text body = lend(worker.said.reply.body.bytes);

    must((size_t)snprintf(expected, sizeof expected, "{\"code\":\"%s\"", code) <
         sizeof expected);
    assert_true(body.len > strlen(expected));
    assert_memory_equal(body.data, expected, strlen(expected));
}

static void uses(const hoist_middleware *middleware, const void *config)
{
    assert_int_equal(hoist_use(worker.app, middleware, config), 0);
    worker_freezes();
}

/* In these words, which the log of hoist_run has. */
static void refuses_config(const hoist_middleware *middleware,
                           const void *config, int error, const char *why)
{
    assert_int_equal(hoist_use(worker.app, middleware, config), error);
    assert_string_equal(worker.app->refusal.reason, why);
}

/* How often that was counted. */
static uint64_t counted(const char *name, const char *labels)
{
    return hoist_counted(hoist_counter_of(worker.app, name, "", labels));
}

/* --- addresses ------------------------------------------------------------ */

static unsigned connects_from(const char *ip)
{
    return status_of(EVENT_CONNECT, "$connect", &(who_t){.ip = ip});
}

static void filters(const char *allow, const char *deny)
{
    serves("$connect", note_handler);
    uses(hoist_ip_filter,
         &(hoist_ip_filter_config){.allow = allow, .deny = deny});
}

static void without_lists_everyone_comes_in(void **state)
{
    (void)state;
    serves("$connect", note_handler);
    uses(hoist_ip_filter, NULL);
    assert_int_equal(connects_from("203.0.113.7"), 200);
    assert_int_equal(connects_from("2001:db8::1"), 200);
    assert_int_equal(connects_from("no address"), 200);
    assert_trace("handler handler handler");
}

static void who_is_not_allowed_is_refused(void **state)
{
    (void)state;
    filters("203.0.113.0/24,2001:db8::/32", NULL);
    assert_int_equal(connects_from("203.0.113.7"), 200);
    assert_int_equal(connects_from("2001:db8:1::1"), 200);
    assert_trace("handler handler");
    assert_int_equal(connects_from("203.0.114.7"), 403);
    assert_code("address-refused");
    assert_int_equal(connects_from("2001:db9::1"), 403);
    assert_trace("");
    assert_int_equal(counted("hoist_worker_addresses_refused_total", NULL), 2);
}

static void what_is_denied_is_denied_also_where_it_is_allowed(void **state)
{
    (void)state;
    filters("203.0.113.0/24", "203.0.113.7,2001:db8::/32");
    assert_int_equal(connects_from("203.0.113.8"), 200);
    assert_int_equal(connects_from("203.0.113.7"), 403);
    assert_int_equal(connects_from("::ffff:203.0.113.7"), 403);
    assert_int_equal(connects_from("2001:db8::7"), 403);
}

static void who_is_not_denied_comes_in_where_nobody_is_allowed(void **state)
{
    (void)state;
    filters(NULL, "::/0");
    assert_int_equal(connects_from("203.0.113.8"), 200); /* no IPv6 */
    assert_int_equal(connects_from("2001:db8::7"), 403);
}

static void an_address_that_cannot_be_read_is_refused_by_any_list(void **state)
{
    (void)state;
    filters(NULL, "203.0.113.7");
    assert_int_equal(connects_from("203.0.113"), 403);
    assert_int_equal(connects_from(NULL), 403);
}

static void only_who_connects_is_asked_for_an_address(void **state)
{
    const who_t denied = {.ip = "203.0.113.7"};
    (void)state;

    serves("a", note_handler);
    serves("$disconnect", note_handler);
    uses(hoist_ip_filter, &(hoist_ip_filter_config){.deny = "203.0.113.7"});
    assert_int_equal(status_of(EVENT_MESSAGE, "a", &denied), 200);
    assert_int_equal(status_of(EVENT_DISCONNECT, "$disconnect", &denied), 200);
    assert_trace("handler handler");
}

static void who_connects_is_asked_also_without_a_handler(void **state)
{
    (void)state;
    uses(hoist_ip_filter, &(hoist_ip_filter_config){.deny = "203.0.113.7"});
    assert_int_equal(connects_from("203.0.113.7"), 403);
    assert_int_equal(connects_from("203.0.113.8"), 200);
    serves("$connect", note_handler); /* takes the place of ours */
    assert_int_equal(connects_from("203.0.113.7"), 403);
    assert_int_equal(connects_from("203.0.113.8"), 200);
    assert_trace("handler");
    assert_int_equal(hoist_on(worker.app, "$connect", note_handler), -EEXIST);
}

static void a_guard_of_connections_is_for_no_other_route(void **state)
{
    (void)state;
    serves("a", note_handler);
    assert_int_equal(hoist_use_on(worker.app, "a", hoist_ip_filter, NULL),
                     -EINVAL);
    assert_null(routes_named(&worker.app->routes, "$connect"));
    serves("$connect", note_handler);
    assert_int_equal(
        hoist_use_on(worker.app, "$connect", hoist_ip_filter,
                     &(hoist_ip_filter_config){.deny = "203.0.113.7"}),
        0);
    worker_freezes();
    assert_int_equal(connects_from("203.0.113.7"), 403);
}

static void what_is_no_list_of_addresses_is_refused(void **state)
{
    (void)state;
    refuses_config(
        hoist_ip_filter, &(hoist_ip_filter_config){.allow = "10.0.0.0/33"},
        -EINVAL,
        "hoist_ip_filter: allow: it is no list of addresses and networks");
    refuses_config(
        hoist_ip_filter, &(hoist_ip_filter_config){.deny = "somewhere"},
        -EINVAL,
        "hoist_ip_filter: deny: it is no list of addresses and networks");
}

static void a_list_of_no_addresses_lets_nobody_in_by_mistake(void **state)
{
    (void)state;
    refuses_config(
        hoist_ip_filter, &(hoist_ip_filter_config){.allow = ""}, -EINVAL,
        "hoist_ip_filter: allow: it is empty; leave it away for no list");
    refuses_config(
        hoist_ip_filter, &(hoist_ip_filter_config){.deny = ""}, -EINVAL,
        "hoist_ip_filter: deny: it is empty; leave it away for no list");
}

/* --- roles and scopes ----------------------------------------------------- */

static unsigned says_a(const who_t *who)
{
    return status_of(EVENT_MESSAGE, "a", who);
}

static uint64_t unauthorized(const char *reason)
{
    return counted("hoist_worker_unauthorized_total", reason);
}

static void who_has_no_user_is_not_authenticated(void **state)
{
    (void)state;
    serves("a", note_handler);
    uses(hoist_recover, &(hoist_recover_config){.silent = true});
    uses(hoist_authorize, NULL);
    assert_int_equal(says_a(&(who_t){.user = "ada"}), 200);
    assert_trace("handler");
    assert_int_equal(says_a(&(who_t){.roles = "admin"}), 401);
    assert_code("not-authenticated");
    assert_int_equal(says_a(&(who_t){.user = ""}), 401);
    assert_trace("");
    assert_int_equal(unauthorized("reason=\"user\""), 2);
}

static void one_of_the_roles_is_enough(void **state)
{
    (void)state;
    serves("a", note_handler);
    uses(hoist_recover, &(hoist_recover_config){.silent = true});
    uses(hoist_authorize, &(hoist_authorize_config){.roles = "admin  owner"});
    assert_int_equal(says_a(&(who_t){.user = "ada", .roles = "owner"}), 200);
    assert_int_equal(says_a(&(who_t){.user = "ada", .roles = "x admin"}), 200);
    assert_int_equal(says_a(&(who_t){.user = "bob"}), 403);
    assert_code("role-missing");
    assert_int_equal(says_a(&(who_t){.user = "bob", .roles = "adm in"}), 403);
    assert_int_equal(says_a(&(who_t){.user = "bob", .roles = "admins"}), 403);
    assert_int_equal(says_a(&(who_t){.user = "bob", .roles = "Admin"}), 403);
    assert_int_equal(says_a(&(who_t){.user = "bob", .scopes = "admin"}), 403);
    assert_int_equal(unauthorized("reason=\"role\""), 5);
}

static void all_of_the_scopes_are_needed(void **state)
{
    (void)state;
    serves("a", note_handler);
    uses(hoist_recover, &(hoist_recover_config){.silent = true});
    uses(hoist_authorize, &(hoist_authorize_config){.scopes = "read write"});
    assert_int_equal(says_a(&(who_t){.user = "a", .scopes = "write x read"}),
                     200);
    assert_int_equal(says_a(&(who_t){.user = "a", .scopes = "read"}), 403);
    assert_code("scope-missing");
    assert_int_equal(says_a(&(who_t){.user = "a", .roles = "read write"}), 403);
    assert_int_equal(unauthorized("reason=\"scope\""), 2);
}

static const hoist_authorize_rule rules[] = {
    {.route = "write", .roles = "editor", .scopes = "docs"},
    {.route = "help", .anyone = true},
    {.route = "delete", .roles = "admin"},
    {.route = "del", .roles = "other"},
};

static void
each_route_has_the_rule_of_its_name_and_others_the_usual(void **state)
{
    const who_t editor = {.user = "a", .roles = "editor", .scopes = "docs"};
    const who_t admin = {.user = "a", .roles = "admin"}, nobody = {.ip = "::1"};
    (void)state;

    serves("write", note_handler);
    serves("help", note_handler);
    serves("delete", note_handler);
    serves("$default", note_handler);
    uses(hoist_authorize, &(hoist_authorize_config){.roles = "editor",
                                                    .rules = rules,
                                                    .rule_count = 4});
    assert_int_equal(status_of(EVENT_MESSAGE, "write", &editor), 200);
    assert_int_equal(status_of(EVENT_MESSAGE, "write", &admin), 403);
    assert_int_equal(status_of(EVENT_MESSAGE, "help", &nobody), 200);
    assert_int_equal(status_of(EVENT_MESSAGE, "delete", &editor), 403);
    assert_int_equal(status_of(EVENT_MESSAGE, "delete", &admin), 200);
    assert_int_equal(status_of(EVENT_MESSAGE, "$default", &editor), 200);
    assert_int_equal(status_of(EVENT_MESSAGE, "$default", &admin), 403);
    assert_int_equal(status_of(EVENT_MESSAGE, "$default", &nobody), 401);
}

static int let_in(hoist_ctx *ctx, void *role)
{
    if (hoist_event_of(ctx) == HOIST_CONNECT) {
        assert_int_equal(hoist_accept_user(ctx, hoist_str("ada")), 0);
        assert_int_equal(
            hoist_accept_attribute(ctx, HOIST_ROLES, hoist_str(role)), 0);
    }
    return hoist_next(ctx);
}

static void what_no_rule_is_for_can_be_closed(void **state)
{
    const who_t editor = {.user = "a", .roles = "editor", .scopes = "docs"};
    static char role[] = "editor";
    (void)state;

    serves("write", note_handler);
    serves("read", note_handler);
    serves("help", note_handler);
    serves("$connect", note_handler);
    uses(hoist_recover, &(hoist_recover_config){.silent = true});
    hoist_wrap(worker.app, let_in, role);
    uses(hoist_authorize, &(hoist_authorize_config){.roles = "editor",
                                                    .rules = rules,
                                                    .rule_count = 4,
                                                    .closed = true});
    assert_int_equal(status_of(EVENT_MESSAGE, "write", &editor), 200);
    assert_int_equal(status_of(EVENT_MESSAGE, "read", &editor), 403);
    assert_code("route-closed");
    assert_int_equal(unauthorized("reason=\"route\""), 1);
    assert_int_equal(status_of(EVENT_MESSAGE, "read", &(who_t){.ip = "::1"}),
                     401);
    assert_int_equal(status_of(EVENT_MESSAGE, "help", &(who_t){.ip = "::1"}),
                     200);
    assert_int_equal(status_of(EVENT_CONNECT, "$connect", &(who_t){0}), 200);
}

static void the_rule_of_default_is_for_all_keys_that_go_there(void **state)
{
    static const hoist_authorize_rule others[] = {
        {.route = "$default", .roles = "admin"}};
    (void)state;

    serves("$default", note_handler);
    uses(hoist_authorize,
         &(hoist_authorize_config){.rules = others, .rule_count = 1});
    assert_int_equal(
        status_of(EVENT_MESSAGE, "delete", &(who_t){.user = "eve"}), 403);
    assert_int_equal(status_of(EVENT_MESSAGE, "delete",
                               &(who_t){.user = "ada", .roles = "admin"}),
                     200);
    assert_trace("handler");
}

static void who_connects_is_judged_by_what_it_was_accepted_with(void **state)
{
    const who_t anyone = {.ip = "::1"};
    static char guest[] = "guest", admin[] = "admin";
    (void)state;

    serves("$connect", note_handler);
    hoist_wrap(worker.app, let_in, guest);
    uses(hoist_authorize, &(hoist_authorize_config){.roles = "guest"});
    assert_int_equal(status_of(EVENT_CONNECT, "$connect", &anyone), 200);
    hoist_wrap(worker.app, let_in, admin); /* the later word counts */
    uses(hoist_authorize, &(hoist_authorize_config){.roles = "guest"});
    assert_int_equal(status_of(EVENT_CONNECT, "$connect", &anyone), 403);
    assert_code("role-missing");
}

static void the_end_of_a_connection_is_nothing_to_be_allowed(void **state)
{
    (void)state;
    serves("$disconnect", note_handler);
    serves("$presence", note_handler);
    uses(hoist_authorize, &(hoist_authorize_config){.roles = "admin"});
    assert_int_equal(
        status_of(EVENT_DISCONNECT, "$disconnect", &(who_t){.ip = "::1"}), 200);
    assert_int_equal(
        status_of(EVENT_PRESENCE, "$presence", &(who_t){.ip = "::1"}), 200);
    assert_trace("handler handler");
}

/* The app is whole, and hoist_run refuses it in these words. */
static void refuses_to_run(int error, const char *why)
{
    sdk_catch();
    int rc = hoist_run(worker.app);
    const char *said = sdk_caught();

    if (strstr(said, why) == NULL) {
        print_error("%s\n", said);
    }
    assert_non_null(strstr(said, why));
    assert_int_equal(rc, error);
    assert_int_equal(app_run_checks(worker.app), error);
}

static void a_rule_for_a_route_without_a_handler_is_refused(void **state)
{
    static const hoist_authorize_rule slip[] = {
        {.route = "delte", .roles = "admin"}, {.route = "read"}};
    (void)state;

    uses(hoist_authorize,
         &(hoist_authorize_config){.rules = slip, .rule_count = 2});
    serves("read", note_handler);
    serves("delete", note_handler);
    serves("$default", note_handler); /* has a rule of its own */
    refuses_to_run(-ENOENT, "WORKER-REGISTRATION call=hoist_run name=\"\" "
                            "error=\"No such file or directory\" "
                            "hint=\"hoist_authorize: a rule for delte, which "
                            "has no handler; did you mean delete?\"");
    serves("delte", note_handler); /* behind the rule, as the others */
    assert_int_equal(app_run_checks(worker.app), 0);
}

static void a_rule_like_no_route_is_refused_without_a_guess(void **state)
{
    static const hoist_authorize_rule rule[] = {{.route = "$connect"}};
    (void)state;

    uses(hoist_authorize,
         &(hoist_authorize_config){.rules = rule, .rule_count = 1});
    serves("read", note_handler);
    refuses_to_run(-ENOENT, "a rule for $connect, which has no handler\"");
}

static void where_nobody_has_said_who_connects_nobody_could(void **state)
{
    static char role[] = "guest";
    (void)state;

    uses(hoist_logger, NULL);
    uses(hoist_authorize, NULL);
    serves("read", note_handler);
    assert_int_equal(app_run_checks(worker.app), 0); /* others serve that */
    hoist_wrap(worker.app, let_in, role);
    serves("$connect", note_handler);
    refuses_to_run(-EINVAL, "hint=\"hoist_authorize: nobody before it says who "
                            "connects, so it refuses everyone; ");
}

static void who_says_who_connects_may_be_the_programs_own(void **state)
{
    static char role[] = "guest";
    (void)state;

    serves("$connect", note_handler);
    hoist_wrap(worker.app, let_in, role);
    uses(hoist_authorize, NULL);
    assert_int_equal(app_run_checks(worker.app), 0);
}

static void anyone_may_connect_before_it_is_said_who_it_is(void **state)
{
    static const hoist_authorize_rule rule[] = {
        {.route = "$connect", .anyone = true}};
    (void)state;

    serves("$connect", note_handler);
    serves("read", note_handler);
    uses(hoist_authorize,
         &(hoist_authorize_config){.rules = rule, .rule_count = 1});
    assert_int_equal(hoist_use_on(worker.app, "read", hoist_authorize, NULL),
                     0);
    assert_int_equal(app_run_checks(worker.app), 0);
}

static void rules_that_make_no_table_are_refused(void **state)
{
    static const hoist_authorize_rule twice[] = {{.route = "a"},
                                                 {.route = "a"}};
    static const hoist_authorize_rule nowhere[] = {{.roles = "admin"}};
    static hoist_authorize_rule many[HOIST_AUTHORIZE_RULES_MAX + 1];
    (void)state;

    refuses_config(hoist_authorize,
                   &(hoist_authorize_config){.rules = twice, .rule_count = 2},
                   -EEXIST, "hoist_authorize: two rules for a");
    refuses_config(hoist_authorize,
                   &(hoist_authorize_config){.rules = nowhere, .rule_count = 1},
                   -EINVAL, "hoist_authorize: a rule without a route");
    refuses_config(hoist_authorize,
                   &(hoist_authorize_config){
                       .rules = many, .rule_count = sizeof many / sizeof *many},
                   -ENOSPC, "hoist_authorize: rule_count=1025");
}

static void
a_list_of_no_roles_or_scopes_asks_for_nothing_by_mistake(void **state)
{
    static const hoist_authorize_rule rule[] = {{.route = "a", .roles = ""}};
    (void)state;

    refuses_config(
        hoist_authorize,
        &(hoist_authorize_config){.rules = rule, .rule_count = 1}, -EINVAL,
        "hoist_authorize: roles: it is empty; leave it away to ask for none");
    refuses_config(
        hoist_authorize, &(hoist_authorize_config){.scopes = "  "}, -EINVAL,
        "hoist_authorize: scopes: it is empty; leave it away to ask for none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(without_lists_everyone_comes_in),
        WORKER_TEST(who_is_not_allowed_is_refused),
        WORKER_TEST(what_is_denied_is_denied_also_where_it_is_allowed),
        WORKER_TEST(who_is_not_denied_comes_in_where_nobody_is_allowed),
        WORKER_TEST(an_address_that_cannot_be_read_is_refused_by_any_list),
        WORKER_TEST(only_who_connects_is_asked_for_an_address),
        WORKER_TEST(who_connects_is_asked_also_without_a_handler),
        WORKER_TEST(a_guard_of_connections_is_for_no_other_route),
        WORKER_TEST(what_is_no_list_of_addresses_is_refused),
        WORKER_TEST(a_list_of_no_addresses_lets_nobody_in_by_mistake),
        WORKER_TEST(who_has_no_user_is_not_authenticated),
        WORKER_TEST(one_of_the_roles_is_enough),
        WORKER_TEST(all_of_the_scopes_are_needed),
        WORKER_TEST(each_route_has_the_rule_of_its_name_and_others_the_usual),
        WORKER_TEST(what_no_rule_is_for_can_be_closed),
        WORKER_TEST(the_rule_of_default_is_for_all_keys_that_go_there),
        WORKER_TEST(who_connects_is_judged_by_what_it_was_accepted_with),
        WORKER_TEST(the_end_of_a_connection_is_nothing_to_be_allowed),
        WORKER_TEST(a_rule_for_a_route_without_a_handler_is_refused),
        WORKER_TEST(a_rule_like_no_route_is_refused_without_a_guess),
        WORKER_TEST(where_nobody_has_said_who_connects_nobody_could),
        WORKER_TEST(who_says_who_connects_may_be_the_programs_own),
        WORKER_TEST(anyone_may_connect_before_it_is_said_who_it_is),
        WORKER_TEST(rules_that_make_no_table_are_refused),
        WORKER_TEST(a_list_of_no_roles_or_scopes_asks_for_nothing_by_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
