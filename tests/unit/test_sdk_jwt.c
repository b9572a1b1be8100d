/* SPDX-License-Identifier: MIT
 *
 * hoist_jwt: where a CONNECT has its token, what is said of one that is not
 * right, and what the connection gets of one that is.
 */
#include "base/xalloc.h"
#include "tests/unit/made_token.h"
#include "tests/unit/worker_fixture.h"
#include "workers/c/hoist_auth.h"
#include "workers/c/hoist_metrics.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define LATER  "\"exp\":4102444800" /* 2100 */
#define ADA    "{\"sub\":\"ada\"," LATER "}"

static const hoist_jwt_config by_secret = {.secret = MADE_SECRET};
static const hoist_jwt_config from_all = {
    .secret = MADE_SECRET,
    .from = HOIST_JWT_HEADER | HOIST_JWT_SUBPROTOCOL | HOIST_JWT_QUERY};

static const char *too_much; /* there is no memory for a copy of it; or NULL */

/* The linker's names, by its option --wrap.
 * NOLINTBEGIN(bugprone-reserved-identifier) */
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);

char *__wrap_strdup(const char *text)
{
    return text == too_much ? NULL : __real_strdup(text);
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* --- a CONNECT ------------------------------------------------------------ */

/* What it brings; NULL: nothing. */
typedef struct {
    const char *authorization, *subprotocols[3], *query_name, *query;
} visit_t;

static void put_pairs(buf_t *out, const char *key, const char *name,
                      const char *value)
{
    must(wire_put_text(out, key) == 0 &&
         wire_put_array(out, value != NULL) == 0);
    if (value != NULL) {
        must(wire_put_array(out, 2) == 0 && wire_put_text(out, name) == 0 &&
             wire_put_text(out, value) == 0);
    }
}

static void put_details(buf_t *out, const visit_t *visit)
{
    uint32_t count = 0;

    while (count < 3 && visit->subprotocols[count] != NULL) {
        count++;
    }
    must(wire_put_map(out, 3) == 0);
    put_pairs(out, "headers", "authorization", visit->authorization);
    put_pairs(out, "query",
              visit->query_name != NULL ? visit->query_name : "token",
              visit->query);
    must(wire_put_text(out, "subprotocols") == 0 &&
         wire_put_array(out, count) == 0);
    for (uint32_t i = 0; i < count; i++) {
        must(wire_put_text(out, visit->subprotocols[i]) == 0);
    }
}

/* The reply to it lies in worker.said; returns its status. */
static unsigned visits(const visit_t *visit)
{
    message_request_t request = sdk_event(EVENT_CONNECT);
    buf_t details;

    buf_init(&details, 100000);
    put_details(&details, visit);
    request.details = (wire_bytes_t){details.data, details.len};
    must(message_put_request(&worker.in, &request) == 0);
    buf_fini(&details);
    feed(worker.now_ms);
    return (unsigned)says(KIND_REPLY)->reply.status;
}

static unsigned shows(const char *token)
{
    static char header[20000];

    must((size_t)snprintf(header, sizeof header, "Bearer %s", token) <
         sizeof header);
    return visits(&(visit_t){.authorization = header});
}

static unsigned claims(const char *payload)
{
    return shows(made_hs256(HEADER, payload, MADE_SECRET));
}

/* The body of the reply begins with this code. */
static void assert_code(const char *code)
{
    char expected[64];
    hoist_text body = lend(worker.said.reply.body.bytes);

    snprintf(expected, sizeof expected, "{\"code\":\"%s\",", code);
    assert_true(body.len > strlen(expected));
    assert_memory_equal(body.data, expected, strlen(expected));
}

static void is_told(unsigned status, const char *code)
{
    assert_int_equal(status, 401);
    assert_code(code);
}

/* An option of the reply, "" when there is none. */
static const char *option(const char *name)
{
    static char text[300];
    hoist_text value = lend(wire_map_str(worker.said.reply.options, name));

    snprintf(text, sizeof text, "%.*s", (int)value.len,
             value.data != NULL ? value.data : "");
    return text;
}

/* "none" when there is none. */
static const char *attribute(const char *name)
{
    static char text[300];
    hoist_text value = lend(context_attribute(worker.said.reply.options, name));

    snprintf(text, sizeof text, "%.*s", (int)value.len,
             value.data != NULL ? value.data : "");
    return value.data != NULL ? text : "none";
}

/* The value of the reply's first header, which is this one. */
static const char *header(const char *name)
{
    static char text[300];
    wire_cursor_t at;
    wire_bytes_t found, value = {NULL, 0};
    uint32_t count;

    assert_true(wire_map_find(worker.said.reply.options, "headers", &at));
    must(wire_get_array(&at, &count) == 0 && wire_get_array(&at, &count) == 0);
    must(wire_get_str(&at, &found) == 0 && wire_get_str(&at, &value) == 0);
    assert_true(wire_is(found, name));
    snprintf(text, sizeof text, "%.*s", (int)value.len,
             (const char *)value.data);
    return text;
}

static int note_handler(hoist_ctx *ctx)
{
    (void)ctx;
    note("handler");
    return 0;
}

static void uses(const hoist_jwt_config *config)
{
    serves("$connect", note_handler);
    assert_int_equal(hoist_use(worker.app, hoist_jwt, config), 0);
    worker_freezes();
}

static uint64_t refused(const char *reason)
{
    char label[64];

    snprintf(label, sizeof label, "reason=\"%s\"", reason);
    return hoist_counted(hoist_counter_of(
        worker.app, "hoist_worker_tokens_refused_total", "", label));
}

/* --- where it is ---------------------------------------------------------- */

static void a_token_is_in_a_header_a_subprotocol_or_the_query(void **state)
{
    const char *token = made_hs256(HEADER, ADA, MADE_SECRET);
    char bearer[1024], basic[1024], subprotocol[1024];
    (void)state;

    snprintf(bearer, sizeof bearer, "bearer  %s", token);
    snprintf(basic, sizeof basic, "Basic %s", token);
    snprintf(subprotocol, sizeof subprotocol, "bearer.%s", token);
    uses(&from_all);
    assert_int_equal(visits(&(visit_t){.authorization = bearer}), 200);
    assert_string_equal(option("user"), "ada");
    assert_int_equal(visits(&(visit_t){.subprotocols = {subprotocol}}), 200);
    assert_string_equal(option("user"), "ada");
    assert_int_equal(visits(&(visit_t){.query = token}), 200);
    assert_string_equal(option("user"), "ada");
    assert_trace("handler handler handler");
    is_told(visits(&(visit_t){.authorization = basic}), "token-missing");
    is_told(visits(&(visit_t){.authorization = token}), "token-missing");
    is_told(visits(&(visit_t){.subprotocols = {"bearer.", "bearer"}}),
            "token-missing");
    assert_trace("");
    assert_int_equal(
        hoist_counted(hoist_counter_of(
            worker.app, "hoist_worker_tokens_accepted_total", "", NULL)),
        3);
    assert_int_equal(refused("missing"), 3);
}

static void a_token_in_the_query_counts_only_where_that_is_wanted(void **state)
{
    const char *token = made_hs256(HEADER, ADA, MADE_SECRET);
    char subprotocol[1024];
    (void)state;

    snprintf(subprotocol, sizeof subprotocol, "bearer.%s", token);
    uses(&by_secret);
    is_told(visits(&(visit_t){.query = token}), "token-missing");
    assert_int_equal(shows(token), 200);
    assert_int_equal(visits(&(visit_t){.subprotocols = {subprotocol}}), 200);
}

static void the_first_place_that_has_one_counts(void **state)
{
    const char *token = made_hs256(HEADER, ADA, MADE_SECRET);
    (void)state;

    uses(&from_all);
    is_told(visits(&(visit_t){.authorization = "Bearer x", .query = token}),
            "token-invalid");
    is_told(visits(&(visit_t){.subprotocols = {"bearer.x"}, .query = token}),
            "token-invalid");
}

static void places_and_names_are_the_programs_choice(void **state)
{
    const char *token = made_hs256(HEADER, ADA, MADE_SECRET);
    char bearer[1024], subprotocol[1024];
    (void)state;

    snprintf(bearer, sizeof bearer, "Bearer %s", token);
    snprintf(subprotocol, sizeof subprotocol, "jwt-%s", token);
    uses(&(hoist_jwt_config){.secret = MADE_SECRET,
                             .from = HOIST_JWT_QUERY | HOIST_JWT_SUBPROTOCOL,
                             .query = "access_token",
                             .subprotocol = "jwt-"});
    is_told(visits(&(visit_t){.authorization = bearer}), "token-missing");
    is_told(visits(&(visit_t){.query = token}), "token-missing");
    assert_int_equal(
        visits(&(visit_t){.query_name = "access_token", .query = token}), 200);
    assert_int_equal(visits(&(visit_t){.subprotocols = {subprotocol}}), 200);
}

static void the_subprotocol_beside_the_token_is_answered(void **state)
{
    char subprotocol[1024];
    (void)state;

    snprintf(subprotocol, sizeof subprotocol, "bearer.%s",
             made_hs256(HEADER, ADA, MADE_SECRET));
    uses(&from_all);
    assert_int_equal(
        visits(&(visit_t){.subprotocols = {subprotocol, "v2", "v1"}}), 200);
    assert_string_equal(option("subprotocol"), "v2");
    assert_int_equal(visits(&(visit_t){.subprotocols = {"v1", subprotocol}}),
                     200);
    assert_string_equal(option("subprotocol"), "v1");
    assert_int_equal(visits(&(visit_t){.subprotocols = {subprotocol}}), 200);
    assert_string_equal(option("subprotocol"), ""); /* never the token */
    assert_int_equal(
        visits(&(visit_t){.subprotocols = {"v1"},
                          .query = made_hs256(HEADER, ADA, MADE_SECRET)}),
        200);
    assert_string_equal(option("subprotocol"), ""); /* not for us to say */
}

static int choose_v1(hoist_ctx *ctx)
{
    return hoist_accept_subprotocol(ctx, hoist_str("v1"));
}

static void a_handler_may_choose_another_subprotocol(void **state)
{
    char subprotocol[1024];
    (void)state;

    snprintf(subprotocol, sizeof subprotocol, "bearer.%s",
             made_hs256(HEADER, ADA, MADE_SECRET));
    serves("$connect", choose_v1);
    assert_int_equal(hoist_use(worker.app, hoist_jwt, &by_secret), 0);
    worker_freezes();
    assert_int_equal(
        visits(&(visit_t){.subprotocols = {subprotocol, "v2", "v1"}}), 200);
    assert_string_equal(option("subprotocol"), "v1");
}

static void who_has_no_token_may_come_in_where_it_is_optional(void **state)
{
    (void)state;
    uses(&(hoist_jwt_config){.secret = MADE_SECRET, .optional = true});
    assert_int_equal(visits(&(visit_t){.query = NULL}), 200);
    assert_string_equal(option("user"), "");
    is_told(shows("nonsense"), "token-invalid");
    is_told(claims("{\"sub\":\"ada\",\"exp\":1}"), "token-expired");
    assert_trace("handler");
}

static void a_token_is_asked_for_also_without_a_handler(void **state)
{
    (void)state;
    assert_int_equal(hoist_use(worker.app, hoist_jwt, &by_secret), 0);
    worker_freezes();
    is_told(visits(&(visit_t){.query = NULL}), "token-missing");
    assert_int_equal(claims(ADA), 200);
    assert_string_equal(option("user"), "ada");
}

static void a_token_is_asked_for_around_connect_alone(void **state)
{
    (void)state;
    serves("a", note_handler);
    assert_int_equal(hoist_use_on(worker.app, "a", hoist_jwt, &by_secret),
                     -EINVAL);
}

static void only_who_connects_is_asked_for_a_token(void **state)
{
    (void)state;
    serves("a", note_handler);
    serves("$disconnect", note_handler);
    assert_int_equal(hoist_use(worker.app, hoist_jwt, &by_secret), 0);
    worker_freezes();
    message_comes(CONN_A, "a", 1);
    says_reply(1, 200);
    comes(EVENT_DISCONNECT, CONN_A, "$disconnect", 2);
    says_reply(2, 200);
}

/* --- what is wrong with it ----------------------------------------------- */

static void a_client_is_told_what_helps_to_get_a_better_token(void **state)
{
    (void)state;
    uses(&by_secret);
    is_told(visits(&(visit_t){.query = NULL}), "token-missing");
    assert_string_equal(header("WWW-Authenticate"), "Bearer");
    is_told(claims("{\"sub\":\"ada\",\"exp\":1300819380}"), "token-expired");
    assert_string_equal(header("WWW-Authenticate"),
                        "Bearer error=\"invalid_token\"");
    is_told(claims("{\"sub\":\"ada\"," LATER ",\"nbf\":4102444700}"),
            "token-not-yet-valid");
    is_told(shows("nonsense"), "token-invalid");
    assert_trace("");
}

static void why_a_token_is_invalid_is_counted(void **state)
{
    (void)state;
    uses(&(hoist_jwt_config){.secret = MADE_SECRET,
                             .issuer = "us",
                             .audience = "orders",
                             .required = "email"});
    is_told(shows("a.b.c"), "token-invalid");
    assert_int_equal(refused("malformed"), 1);
    is_told(shows(made_token("{\"alg\":\"none\"}", ADA, "c2ln")),
            "token-invalid");
    assert_int_equal(refused("algorithm"), 1);
    is_told(shows(made_token("{\"alg\":\"RS256\"}", ADA, "c2ln")),
            "token-invalid");
    assert_int_equal(refused("key"), 1);
    is_told(shows(made_hs256(HEADER, ADA, MADE_SECRET "x")), "token-invalid");
    assert_int_equal(refused("signature"), 1);
    is_told(claims(ADA), "token-invalid");
    assert_int_equal(refused("issuer"), 1);
    is_told(claims("{\"sub\":\"ada\",\"iss\":\"us\"," LATER "}"),
            "token-invalid");
    assert_int_equal(refused("audience"), 1);
    is_told(
        claims("{\"sub\":\"ada\",\"iss\":\"us\",\"aud\":\"orders\"," LATER "}"),
        "token-invalid");
    assert_int_equal(refused("claims"), 1);
    is_told(claims("{\"sub\":\"ada\",\"exp\":1}"), "token-expired");
    assert_int_equal(refused("expired"), 1);
    is_told(claims("{" LATER ",\"nbf\":4102444700}"), "token-not-yet-valid");
    assert_int_equal(refused("early"), 1);
    assert_int_equal(
        claims("{\"sub\":\"ada\",\"iss\":\"us\",\"aud\":\"orders\","
               "\"email\":\"a@b\"," LATER "}"),
        200);
}

static void a_token_that_is_too_long_is_not_looked_at(void **state)
{
    char payload[600];
    (void)state;

    snprintf(payload, sizeof payload, "{\"sub\":\"ada\"," LATER "%500s}", "");
    uses(&(hoist_jwt_config){.secret = MADE_SECRET, .token_bytes = 600});
    is_told(claims(payload), "token-invalid");
    assert_int_equal(refused("malformed"), 1);
    assert_int_equal(claims(ADA), 200);
}

/* MADE_SECRET, and the key of RFC 8037, appendix A. */
static const char two_kinds[] =
    "{\"keys\":[{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"},"
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

static void a_key_of_any_kind_will_do_where_no_algorithm_is_said(void **state)
{
    (void)state;
    uses(&(hoist_jwt_config){.public_key = two_kinds});
    assert_int_equal(claims(ADA), 200);
}

static void algorithms_can_be_fewer_than_there_are_keys_for(void **state)
{
    (void)state;
    uses(&(hoist_jwt_config){.public_key = two_kinds,
                             .algorithms = "ES256 EdDSA"});
    is_told(claims(ADA), "token-invalid");
    assert_int_equal(refused("algorithm"), 1);
}

static void leeway_and_age_are_the_programs_choice(void **state)
{
    char soon[100], old[100];
    long long now = (long long)time(NULL);
    (void)state;

    uses(&(hoist_jwt_config){
        .secret = MADE_SECRET, .leeway_s = -1, .max_age_s = 1000});
    snprintf(soon, sizeof soon, "{\"sub\":\"ada\",\"exp\":%lld,\"iat\":%lld}",
             now - 1, now - 2);
    snprintf(old, sizeof old, "{\"sub\":\"ada\",\"exp\":%lld,\"iat\":%lld}",
             now + 1000, now - 1000);
    is_told(claims(soon), "token-expired");
    is_told(claims(old), "token-expired");
    is_told(claims(ADA), "token-invalid"); /* without iat */
}

/* --- what the connection gets of it -------------------------------------- */

static void the_token_says_who_it_is(void **state)
{
    (void)state;
    uses(&(hoist_jwt_config){.secret = MADE_SECRET,
                             .tenant = "org",
                             .attributes = "email age /a/b absent nothing"});
    assert_int_equal(
        claims("{\"sub\":\"ada\"," LATER ",\"org\":\"acme\",\"email\":\"a@b\","
               "\"age\":36,\"a\":{\"b\":[\"x\",\"y\"]},\"nothing\":null,"
               "\"roles\":[\"admin\",\"owner\"],\"scope\":\"read write\"}"),
        200);
    assert_string_equal(option("user"), "ada");
    assert_string_equal(option("tenant"), "acme");
    assert_string_equal(attribute("email"), "a@b");
    assert_string_equal(attribute("age"), "36");
    assert_string_equal(attribute("/a/b"), "x y");
    assert_string_equal(attribute("absent"), "none");
    assert_string_equal(attribute("nothing"), "none");
    assert_string_equal(attribute(HOIST_ROLES), "admin owner");
    assert_string_equal(attribute(HOIST_SCOPES), "read write");
}

static void names_of_claims_are_the_programs_choice(void **state)
{
    (void)state;
    uses(&(hoist_jwt_config){.secret = MADE_SECRET,
                             .user = "email",
                             .roles = "/realm_access/roles",
                             .scopes = "scp"});
    assert_int_equal(
        claims("{\"email\":\"a@b\"," LATER ",\"scp\":[\"read\"],"
               "\"realm_access\":{\"roles\":[\"admin\"]},\"roles\":\"x\"}"),
        200);
    assert_string_equal(option("user"), "a@b");
    assert_string_equal(option("tenant"), "");
    assert_string_equal(attribute(HOIST_ROLES), "admin");
    assert_string_equal(attribute(HOIST_SCOPES), "read");
}

static void what_is_nobody_does_not_come_in(void **state)
{
    char payload[5000];
    (void)state;

    uses(&(hoist_jwt_config){
        .secret = MADE_SECRET, .tenant = "org", .attributes = "long"});
    is_told(claims("{" LATER "}"), "token-invalid");
    is_told(claims("{\"sub\":\"\"," LATER "}"), "token-invalid");
    is_told(claims("{\"sub\":7," LATER "}"), "token-invalid");
    is_told(claims("{\"sub\":\"a\",\"org\":7," LATER "}"), "token-invalid");
    is_told(claims("{\"sub\":\"a\",\"roles\":{\"x\":\" admin \"}," LATER "}"),
            "token-invalid");
    is_told(claims("{\"sub\":\"a\",\"roles\":[1,\" admin \"]," LATER "}"),
            "token-invalid");
    is_told(claims("{\"sub\":\"a\",\"scope\":true," LATER "}"),
            "token-invalid");
    snprintf(payload, sizeof payload, "{\"sub\":\"%0257d\"," LATER "}", 7);
    is_told(claims(payload), "token-invalid");
    snprintf(payload, sizeof payload,
             "{\"sub\":\"a\",\"long\":\"%04090d\"," LATER "}", 7);
    is_told(claims(payload), "token-invalid");
    assert_int_equal(refused("claims"), 9);
    assert_trace("");
}

/* --- setting up ---------------------------------------------------------- */

/* With words that begin so, and end up in the log. */
static void refuses_config(const hoist_jwt_config *config, int error,
                           const char *why)
{
    assert_int_equal(hoist_use(worker.app, hoist_jwt, config), error);
    const char *reason = worker.app->refusal.reason;
    assert_memory_equal(reason, why, strlen(why));
    assert_null(strstr(reason, "short secret"));
}

static void settings_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    refuses_config(NULL, -EINVAL, "hoist_jwt: no config");
    refuses_config(&(hoist_jwt_config){.issuer = "us"}, -EINVAL,
                   "hoist_jwt: none of secret, public_key, key_file");
    refuses_config(
        &(hoist_jwt_config){.secret = MADE_SECRET, .key_file = "/etc/hostname"},
        -EINVAL, "hoist_jwt: more than one of ");
    refuses_config(&(hoist_jwt_config){.secret = "short secret"}, -EINVAL,
                   "hoist_jwt: secret: ");
    refuses_config(&(hoist_jwt_config){.public_key = "no key"}, -EINVAL,
                   "hoist_jwt: public_key: ");
    refuses_config(&(hoist_jwt_config){.key_file = "/nowhere"}, -ENOENT,
                   "hoist_jwt: key_file: No such file or directory (/nowhere)");
    refuses_config(
        &(hoist_jwt_config){.secret = MADE_SECRET, .algorithms = "HS256 none"},
        -EINVAL, "hoist_jwt: algorithms: it has another than HS256, ");
    refuses_config(&(hoist_jwt_config){.secret = MADE_SECRET, .algorithms = ""},
                   -EINVAL, "hoist_jwt: algorithms: it is empty");
    refuses_config(
        &(hoist_jwt_config){.secret = MADE_SECRET, .algorithms = "RS256 EdDSA"},
        -EINVAL, "hoist_jwt: algorithms: there is no key for any of them");
    refuses_config(&(hoist_jwt_config){.secret = MADE_SECRET, .from = 8},
                   -EINVAL, "hoist_jwt: from or token_bytes is out of range");
    refuses_config(
        &(hoist_jwt_config){.secret = MADE_SECRET, .token_bytes = 16385},
        -EINVAL, "hoist_jwt: from or token_bytes is out of range");
}

static void names_of_attributes_are_looked_at_when_it_begins(void **state)
{
    static const char why[] = "hoist_jwt: attributes: a name has at most 255 ";
    char names[300];
    (void)state;

    snprintf(names, sizeof names, "email %0256d", 7);
    refuses_config(
        &(hoist_jwt_config){.secret = MADE_SECRET, .attributes = names},
        -EINVAL, why);
    refuses_config(
        &(hoist_jwt_config){.secret = MADE_SECRET, .attributes = "email \xff"},
        -EINVAL, why);
}

static void the_longest_name_of_an_attribute_is_one(void **state)
{
    char name[300], payload[600];
    (void)state;

    snprintf(name, sizeof name, "%0255d", 7);
    snprintf(payload, sizeof payload, "{\"sub\":\"a\",\"%s\":\"x\"," LATER "}",
             name);
    uses(&(hoist_jwt_config){.secret = MADE_SECRET, .attributes = name});
    assert_int_equal(claims(payload), 200);
    assert_string_equal(attribute(name), "x");
}

static void want_of_memory_is_not_taken_for_a_wrong_setting(void **state)
{
    const hoist_jwt_config config = {
        .secret = MADE_SECRET, .issuer = "us", .from = 8};
    (void)state;

    too_much = config.issuer;
    assert_int_equal(hoist_use(worker.app, hoist_jwt, &config), -ENOMEM);
    too_much = NULL;
}

static void who_has_no_tenant_comes_in_without(void **state)
{
    (void)state;
    uses(&(hoist_jwt_config){.secret = MADE_SECRET, .tenant = "org"});
    assert_int_equal(claims(ADA), 200);
    assert_string_equal(option("tenant"), "");
}

static void who_has_no_tenant_is_refused_where_it_is_required(void **state)
{
    (void)state;
    uses(&(hoist_jwt_config){
        .secret = MADE_SECRET, .tenant = "org", .required = "org"});
    is_told(claims(ADA), "token-invalid");
    assert_int_equal(refused("claims"), 1);
}

static void a_secret_may_have_any_bytes(void **state)
{
    static const char secret[] = "0123456789abcdef\0"
                                 "123456789abcdef";
    (void)state;

    uses(&(hoist_jwt_config){.secret = secret, .secret_len = 32});
    is_told(shows(made_hs256(HEADER, ADA, "0123456789abcdef")),
            "token-invalid");
    assert_int_equal(refused("signature"), 1);
}

static void settings_are_read_and_not_kept(void **state)
{
    char issuer[] = "us";
    hoist_jwt_config config = {.secret = MADE_SECRET, .issuer = issuer};
    (void)state;

    uses(&config);
    issuer[0] = 'x';
    assert_int_equal(claims("{\"sub\":\"a\",\"iss\":\"us\"," LATER "}"), 200);
}

static void no_token_is_logged(void **state)
{
    const char *token = made_hs256(HEADER, ADA, MADE_SECRET "x");
    (void)state;

    serves("$connect", note_handler);
    assert_int_equal(hoist_use(worker.app, hoist_logger,
                               &(hoist_logger_config){.starts = true}),
                     0);
    assert_int_equal(hoist_use(worker.app, hoist_jwt, &by_secret), 0);
    worker_freezes();
    log_set_level(LEVEL_DEBUG);
    sdk_catch();
    is_told(shows(token), "token-invalid");
    const char *caught = sdk_caught();
    assert_non_null(strstr(caught, "code=token-invalid"));
    assert_null(strstr(caught, "eyJ"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(a_token_is_in_a_header_a_subprotocol_or_the_query),
        WORKER_TEST(a_token_in_the_query_counts_only_where_that_is_wanted),
        WORKER_TEST(the_first_place_that_has_one_counts),
        WORKER_TEST(places_and_names_are_the_programs_choice),
        WORKER_TEST(the_subprotocol_beside_the_token_is_answered),
        WORKER_TEST(a_handler_may_choose_another_subprotocol),
        WORKER_TEST(who_has_no_token_may_come_in_where_it_is_optional),
        WORKER_TEST(a_token_is_asked_for_also_without_a_handler),
        WORKER_TEST(a_token_is_asked_for_around_connect_alone),
        WORKER_TEST(only_who_connects_is_asked_for_a_token),
        WORKER_TEST(a_client_is_told_what_helps_to_get_a_better_token),
        WORKER_TEST(why_a_token_is_invalid_is_counted),
        WORKER_TEST(a_token_that_is_too_long_is_not_looked_at),
        WORKER_TEST(a_key_of_any_kind_will_do_where_no_algorithm_is_said),
        WORKER_TEST(algorithms_can_be_fewer_than_there_are_keys_for),
        WORKER_TEST(leeway_and_age_are_the_programs_choice),
        WORKER_TEST(the_token_says_who_it_is),
        WORKER_TEST(names_of_claims_are_the_programs_choice),
        WORKER_TEST(what_is_nobody_does_not_come_in),
        WORKER_TEST(settings_that_make_no_sense_are_refused),
        WORKER_TEST(names_of_attributes_are_looked_at_when_it_begins),
        WORKER_TEST(the_longest_name_of_an_attribute_is_one),
        WORKER_TEST(want_of_memory_is_not_taken_for_a_wrong_setting),
        WORKER_TEST(who_has_no_tenant_comes_in_without),
        WORKER_TEST(who_has_no_tenant_is_refused_where_it_is_required),
        WORKER_TEST(a_secret_may_have_any_bytes),
        WORKER_TEST(settings_are_read_and_not_kept),
        WORKER_TEST(no_token_is_logged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
