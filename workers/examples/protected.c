/* SPDX-License-Identifier: MIT
 *
 * An API for those with a token.  Which tokens are right, the environment says:
 *
 *     JWT_SECRET    of HS256, at least 32 bytes; or
 *     JWT_KEYS      a file of public keys, JWKS or PEM
 *     JWT_ISSUER    who makes them; not set: anyone with the key
 *     JWT_AUDIENCE  whom they are for; not set: nobody is named
 *     ALLOW, DENY   networks that clients may, or may not, come from; not set:
 *                   all, or none; set to nothing, it does not run
 *
 * workers/examples/token.sh makes one.  It may be in the address as well,
 * ?token=…, to try it out by hand; others had better leave that away.  Then
 *
 *     {"action":"me"}        tells who the token says one is; for all users
 *     {"action":"report"}    is for who has the scope reports:read,
 *     {"action":"announce"}  for admins: everybody of their tenant hears it
 *     {"action":"help"}      for anyone who is connected
 *
 * Run the gateway with --require-connect: without it, who connects while no
 * such worker runs is accepted without a token, and stays.
 */
#include <stdlib.h>

#include <hoist_auth.h>
#include <hoist_json.h>

static int welcome(hoist_ctx *ctx)
{
    (void)ctx;
    return 0;
}

/* null where there is none. */
static json_t *text_of(hoist_text text)
{
    return text.data != NULL ? json_stringn(text.data, text.len) : json_null();
}

static int me(hoist_ctx *ctx)
{
    return hoist_reply_with_json(
        ctx, 200,
        json_pack("{so so so so so}", "user", text_of(hoist_user(ctx)),
                  "tenant", text_of(hoist_tenant(ctx)), "roles",
                  text_of(hoist_attribute(ctx, HOIST_ROLES)), "scopes",
                  text_of(hoist_attribute(ctx, HOIST_SCOPES)), "email",
                  text_of(hoist_attribute(ctx, "email"))));
}

static int report(hoist_ctx *ctx)
{
    return hoist_reply_json(ctx, "{\"sold\":42}");
}

static int announce(hoist_ctx *ctx)
{
    hoist_text tenant = hoist_tenant(ctx);

    if (tenant.len == 0) {
        return hoist_fail(ctx, 400, "no-tenant", "Nobody would hear it");
    }
    return hoist_push_to(ctx, hoist_to_tenant(tenant), HOIST_TEXT,
                         hoist_body(ctx), NULL);
}

static int help(hoist_ctx *ctx)
{
    return hoist_reply_json(ctx, "{\"actions\":\"me report announce help\"}");
}

/* What is not here is for nobody. */
static const hoist_authorize_rule rules[] = {
    {.route = "me"},
    {.route = "report", .scopes = "reports:read"},
    {.route = "announce", .roles = "admin"},
    {.route = "help", .anyone = true},
};

#define RULES (sizeof rules / sizeof *rules)

/* Outermost first: who comes from elsewhere is not even asked for a token. */
static void protect(hoist_app *app)
{
    const hoist_ip_filter_config from = {.allow = getenv("ALLOW"),
                                         .deny = getenv("DENY")};
    const hoist_jwt_config tokens = {
        .secret = getenv("JWT_SECRET"),
        .key_file = getenv("JWT_KEYS"),
        .issuer = getenv("JWT_ISSUER"),
        .audience = getenv("JWT_AUDIENCE"),
        .from = HOIST_JWT_HEADER | HOIST_JWT_SUBPROTOCOL | HOIST_JWT_QUERY,
        .tenant = "tenant",
        .attributes = "email"};
    const hoist_authorize_config may = {
        .closed = true, .rules = rules, .rule_count = RULES};

    hoist_use(app, hoist_request_id, NULL);
    hoist_use(app, hoist_logger, NULL);
    hoist_use(app, hoist_recover, NULL);
    hoist_use(app, hoist_ip_filter, &from);
    hoist_use(app, hoist_jwt, &tokens);
    hoist_use(app, hoist_authorize, &may);
}

int main(int argc, char **argv)
{
    hoist_app *app = hoist_app_new();

    protect(app);
    hoist_on(app, "$connect", welcome);
    hoist_on(app, "me", me);
    hoist_on(app, "report", report);
    hoist_on(app, "announce", announce);
    hoist_on(app, "help", help);
    return hoist_main(app, argc, argv);
}
