/* SPDX-License-Identifier: MIT
 *
 * What a token that is signed says: whether it is for us, now, and what becomes
 * of its claims.
 */
#include "base/xalloc.h"
#include "workers/c/auth/claims.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1000000

static token_verdict_t check(const char *text, const claim_rules_t *rules)
{
    json_t *claims = json_loads(text, 0, NULL);

    must(claims != NULL);
    token_verdict_t verdict = claims_check(claims, rules, NOW);
    json_decref(claims);
    return verdict;
}

static const claim_rules_t usual = {.leeway_s = 60};

static void a_token_ends_with_its_time_and_the_leeway(void **state)
{
    const claim_rules_t exact = {.leeway_s = 0};
    (void)state;

    assert_int_equal(check("{\"exp\":1000001}", &exact), TOKEN_RIGHT);
    assert_int_equal(check("{\"exp\":1000000.5}", &exact), TOKEN_RIGHT);
    assert_int_equal(check("{\"exp\":1000000}", &exact), TOKEN_EXPIRED);
    assert_int_equal(check("{\"exp\":999941}", &usual), TOKEN_RIGHT);
    assert_int_equal(check("{\"exp\":999940}", &usual), TOKEN_EXPIRED);
    assert_int_equal(check("{\"exp\":-1}", &usual), TOKEN_EXPIRED);
    assert_int_equal(check("{\"exp\":1e300}", &usual), TOKEN_RIGHT);
}

static void a_token_without_an_end_is_taken_only_where_it_may(void **state)
{
    const claim_rules_t lasting = {.may_last = true};
    (void)state;

    assert_int_equal(check("{}", &usual), TOKEN_CLAIMS);
    assert_int_equal(check("{}", &lasting), TOKEN_RIGHT);
    assert_int_equal(check("{\"exp\":1}", &lasting), TOKEN_EXPIRED);
}

static void times_are_numbers(void **state)
{
    const claim_rules_t lasting = {.may_last = true};
    (void)state;

    assert_int_equal(check("{\"exp\":\"2000000\"}", &lasting), TOKEN_CLAIMS);
    assert_int_equal(check("{\"exp\":null}", &lasting), TOKEN_CLAIMS);
    assert_int_equal(check("{\"exp\":true}", &lasting), TOKEN_CLAIMS);
    assert_int_equal(check("{\"nbf\":[1]}", &lasting), TOKEN_CLAIMS);
    assert_int_equal(check("{\"iat\":\"1\"}", &lasting), TOKEN_CLAIMS);
}

static void a_token_begins_with_its_time_less_the_leeway(void **state)
{
    (void)state;
    assert_int_equal(check("{\"exp\":2e6,\"nbf\":1000060}", &usual),
                     TOKEN_RIGHT);
    assert_int_equal(check("{\"exp\":2e6,\"nbf\":1000061}", &usual),
                     TOKEN_EARLY);
}

static void a_token_may_be_too_old_before_it_ends(void **state)
{
    const claim_rules_t young = {.leeway_s = 60, .max_age_s = 300};
    (void)state;

    assert_int_equal(check("{\"exp\":2e6,\"iat\":999641}", &young),
                     TOKEN_RIGHT);
    assert_int_equal(check("{\"exp\":2e6,\"iat\":999640}", &young),
                     TOKEN_EXPIRED);
    assert_int_equal(check("{\"exp\":2e6}", &young), TOKEN_CLAIMS);
}

static void a_token_of_the_future_has_no_age(void **state)
{
    const claim_rules_t young = {.leeway_s = 60, .max_age_s = 300};
    (void)state;

    assert_int_equal(check("{\"exp\":2e6,\"iat\":1000060}", &young),
                     TOKEN_RIGHT);
    assert_int_equal(check("{\"exp\":2e6,\"iat\":1000061}", &young),
                     TOKEN_EARLY);
    assert_int_equal(check("{\"exp\":2e6,\"iat\":1000061}", &usual),
                     TOKEN_RIGHT);
}

static void the_issuer_is_the_one_that_was_named(void **state)
{
    const claim_rules_t rules = {.issuer = hoist_str("https://a.example")};
    (void)state;

    assert_int_equal(
        check("{\"exp\":2e6,\"iss\":\"https://a.example\"}", &rules),
        TOKEN_RIGHT);
    assert_int_equal(
        check("{\"exp\":2e6,\"iss\":\"https://a.example/\"}", &rules),
        TOKEN_ISSUER);
    assert_int_equal(
        check("{\"exp\":2e6,\"iss\":[\"https://a.example\"]}", &rules),
        TOKEN_ISSUER);
    assert_int_equal(check("{\"exp\":2e6}", &rules), TOKEN_ISSUER);
    assert_int_equal(check("{\"exp\":2e6,\"iss\":\"anyone\"}", &usual),
                     TOKEN_RIGHT);
}

static void a_token_for_others_is_not_for_us(void **state)
{
    const claim_rules_t rules = {.audience = hoist_str("orders stock")};
    const claim_rules_t any = {.audience = hoist_str("*")};
    (void)state;

    assert_int_equal(check("{\"exp\":2e6,\"aud\":\"stock\"}", &rules),
                     TOKEN_RIGHT);
    assert_int_equal(check("{\"exp\":2e6,\"aud\":[\"x\",\"orders\"]}", &rules),
                     TOKEN_RIGHT);
    assert_int_equal(check("{\"exp\":2e6,\"aud\":\"orders stock\"}", &rules),
                     TOKEN_AUDIENCE);
    assert_int_equal(check("{\"exp\":2e6,\"aud\":[\"x\",1]}", &rules),
                     TOKEN_AUDIENCE);
    assert_int_equal(check("{\"exp\":2e6,\"aud\":[]}", &rules), TOKEN_AUDIENCE);
    assert_int_equal(check("{\"exp\":2e6}", &rules), TOKEN_AUDIENCE);
    assert_int_equal(check("{\"exp\":2e6,\"aud\":\"x\"}", &usual),
                     TOKEN_AUDIENCE);
    assert_int_equal(check("{\"exp\":2e6,\"aud\":\"\"}", &usual),
                     TOKEN_AUDIENCE);
    assert_int_equal(check("{\"exp\":2e6,\"aud\":\"x\"}", &any), TOKEN_RIGHT);
    assert_int_equal(check("{\"exp\":2e6}", &any), TOKEN_RIGHT);
    assert_int_equal(check("{\"exp\":2e6}", &usual), TOKEN_RIGHT);
}

static void what_is_required_is_there(void **state)
{
    const claim_rules_t rules = {.required = hoist_str("email /a/b")};
    (void)state;

    assert_int_equal(
        check("{\"exp\":2e6,\"email\":\"\",\"a\":{\"b\":0}}", &rules),
        TOKEN_RIGHT);
    assert_int_equal(check("{\"exp\":2e6,\"email\":\"x\",\"a\":{}}", &rules),
                     TOKEN_CLAIMS);
    assert_int_equal(
        check("{\"exp\":2e6,\"email\":null,\"a\":{\"b\":0}}", &rules),
        TOKEN_CLAIMS);
}

/* --- what becomes of claims ----------------------------------------------- */

/* A claim as text, or "none". */
static const char *text_of(const char *claim, char *(*as)(const json_t *claim))
{
    static char text[CLAIM_TEXT_MAX + 1];
    json_t *json = json_loads(claim, JSON_DECODE_ANY, NULL);
    char *made = as(json);

    snprintf(text, sizeof text, "%s", made != NULL ? made : "none");
    free(made);
    json_decref(json);
    return text;
}

static void a_text_is_words_and_so_is_an_array_of_texts(void **state)
{
    (void)state;
    assert_string_equal(text_of("\"read write\"", claims_words), "read write");
    assert_string_equal(text_of("[\"read\",\"write\"]", claims_words),
                        "read write");
    assert_string_equal(text_of("[]", claims_words), "");
    assert_string_equal(text_of("\"\"", claims_words), "");
}

static void what_is_no_word_of_an_array_is_nobodys_role(void **state)
{
    (void)state;
    assert_string_equal(
        text_of("[\"\",\"an admin\",\"a\\tb\",\"c\\n\",\"d\"]", claims_words),
        "d");
}

static void other_types_have_no_words(void **state)
{
    (void)state;
    assert_string_equal(text_of("{\"a\":\" admin \"}", claims_words), "none");
    assert_string_equal(text_of("[1,\" admin \"]", claims_words), "none");
    assert_string_equal(text_of("[[\"admin\"]]", claims_words), "none");
    assert_string_equal(text_of("true", claims_words), "none");
    assert_string_equal(text_of("7", claims_words), "none");
}

static void what_is_no_text_is_json(void **state)
{
    (void)state;
    assert_string_equal(text_of("\"ada@example.com\"", claims_text),
                        "ada@example.com");
    assert_string_equal(text_of("[\"a\",\"b\"]", claims_text), "a b");
    assert_string_equal(text_of("true", claims_text), "true");
    assert_string_equal(text_of("1700000000", claims_text), "1700000000");
    assert_string_equal(text_of("{\"a\": [1, \"b\"]}", claims_text),
                        "{\"a\":[1,\"b\"]}");
}

static void a_claim_that_is_too_long_is_no_text(void **state)
{
    char claim[CLAIM_TEXT_MAX + 4] = "";
    (void)state;

    memset(claim, 'x', sizeof claim - 1);
    claim[0] = claim[CLAIM_TEXT_MAX + 1] = '"';
    claim[CLAIM_TEXT_MAX + 2] = '\0';
    assert_int_equal(strlen(text_of(claim, claims_text)), CLAIM_TEXT_MAX);
    claim[CLAIM_TEXT_MAX + 1] = 'x';
    claim[CLAIM_TEXT_MAX + 2] = '"';
    assert_string_equal(text_of(claim, claims_text), "none");
    assert_string_equal(text_of(claim, claims_words), "none");
}

static void a_claim_is_found_by_name_or_by_path(void **state)
{
    json_t *claims = json_loads("{\"sub\":\"a\",\"x\":{\"y\":{\"z\":7}},"
                                "\"https://x/y\":1,\"t\":\"text\"}",
                                0, NULL);
    (void)state;

    assert_non_null(claims_find(claims, hoist_str("sub")));
    assert_non_null(claims_find(claims, hoist_str("https://x/y")));
    assert_int_equal(
        json_integer_value(claims_find(claims, hoist_str("/x/y/z"))), 7);
    assert_non_null(claims_find(claims, hoist_str("/sub")));
    assert_null(claims_find(claims, hoist_str("/x/z")));
    assert_null(claims_find(claims, hoist_str("/t/y")));
    assert_null(claims_find(claims, hoist_str("/")));
    assert_null(claims_find(claims, hoist_str("")));
    json_decref(claims);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_ends_with_its_time_and_the_leeway),
        cmocka_unit_test(a_token_without_an_end_is_taken_only_where_it_may),
        cmocka_unit_test(times_are_numbers),
        cmocka_unit_test(a_token_begins_with_its_time_less_the_leeway),
        cmocka_unit_test(a_token_may_be_too_old_before_it_ends),
        cmocka_unit_test(a_token_of_the_future_has_no_age),
        cmocka_unit_test(the_issuer_is_the_one_that_was_named),
        cmocka_unit_test(a_token_for_others_is_not_for_us),
        cmocka_unit_test(what_is_required_is_there),
        cmocka_unit_test(a_text_is_words_and_so_is_an_array_of_texts),
        cmocka_unit_test(what_is_no_word_of_an_array_is_nobodys_role),
        cmocka_unit_test(other_types_have_no_words),
        cmocka_unit_test(what_is_no_text_is_json),
        cmocka_unit_test(a_claim_that_is_too_long_is_no_text),
        cmocka_unit_test(a_claim_is_found_by_name_or_by_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
