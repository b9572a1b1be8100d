/* SPDX-License-Identifier: MIT
 *
 * hoist_validate: what rules let through, what is told of the first thing that
 * is wrong, and that random bodies with one flaw are refused for that one.
 */
#include "base/xalloc.h"
#include "tests/unit/random_wire.h"
#include "tests/unit/worker_fixture.h"
#include "workers/c/hoist_metrics.h"
#include "workers/c/hoist_middleware.h"
#include "workers/c/shape.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

/* --- the walk ------------------------------------------------------------ */

/* "" when it fits, or the problem and its path. */
static const char *problem_of(const hoist_rule *rule, const char *body)
{
    static char text[SHAPE_PATH_MAX + 32];
    locale_t numbers = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    shape_verdict_t verdict;
    char words[SHAPE_FAULT_MAX + 1];

    assert_int_equal(shape_check(rule, words), 0);
    shape_verify(rule, wire_bytes(body), 4, numbers, &verdict);
    freelocale(numbers);
    if (verdict.problem == SHAPE_FITS) {
        return "";
    }
    (void)snprintf(text, sizeof text, "%s %s",
                   shape_problem_name(verdict.problem), verdict.path);
    return text;
}

typedef struct {
    const char *body, *problem;
} case_t;

static void are(const hoist_rule *rule, const case_t *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *problem = problem_of(rule, cases[i].body);
        if (strcmp(problem, cases[i].problem) != 0) {
            print_error("%s\n", cases[i].body);
            assert_string_equal(problem, cases[i].problem);
        }
    }
}

static void without_a_type_anything_that_is_json_will_do(void **state)
{
    static const hoist_rule rule = {0};
    static const case_t cases[] = {
        {"null", ""},         {"[1,{\"a\":[]}]", ""},  {"", "json "},
        {"[", "json "},       {"[1", "json "},         {"[1,]", "json "},
        {"{\"a\"}", "json "}, {"{\"a\":1,}", "json "}, {"1 1", "json "},
        {"{a:1}", "json "},   {"nul", "json "},        {"\"a", "json "},
    };
    (void)state;

    are(&rule, cases, LENGTH(cases));
}

static void each_type_takes_its_own(void **state)
{
    static const char *const values[] = {"{}", "[]",   "\"\"", "1.5",
                                         "1",  "true", "null"};
    static const char *const fit[] = {
        [HOIST_JSON_OBJECT] = "1000000",  [HOIST_JSON_ARRAY] = "0100000",
        [HOIST_JSON_STRING] = "0010000",  [HOIST_JSON_NUMBER] = "0001100",
        [HOIST_JSON_INTEGER] = "0000100", [HOIST_JSON_BOOLEAN] = "0000010",
    };
    (void)state;

    for (int type = HOIST_JSON_OBJECT; type <= HOIST_JSON_BOOLEAN; type++) {
        const hoist_rule rule = {.type = (hoist_json_type)type};
        for (size_t i = 0; i < LENGTH(values); i++) {
            assert_string_equal(problem_of(&rule, values[i]),
                                fit[type][i] == '1' ? "" : "type ");
        }
    }
}

static void null_will_do_where_it_may(void **state)
{
    static const hoist_rule rule = {.type = HOIST_JSON_INTEGER,
                                    .nullable = true};
    static const case_t cases[] = {{"null", ""}, {"true", "type "}};
    (void)state;

    are(&rule, cases, LENGTH(cases));
}

static void a_string_has_as_many_characters_as_it_may(void **state)
{
    static const hoist_rule rule = {
        .type = HOIST_JSON_STRING, .min = 2, .max = 3};
    static const case_t cases[] = {
        {"\"a\"", "length "},
        {"\"ab\"", ""},
        {"\"abc\"", ""},
        {"\"abcd\"", "length "},
        {"\"\xc3\xbc\"", "length "},
        {"\"\xf0\x9f\x98\x80x\"", ""},
        {"\"\\ud83d\\ude00\"", "length "},
        {"\"\\n\\u00fc\\\\\"", ""},
    };
    (void)state;

    are(&rule, cases, LENGTH(cases));
}

static void a_number_is_in_its_range(void **state)
{
    static const hoist_rule rule = {
        .type = HOIST_JSON_NUMBER, .least = -1, .most = 2.5};
    static const case_t cases[] = {
        {"-1", ""},
        {"-1.0001", "range "},
        {"2.5", ""},
        {"25e-1", ""},
        {"2.51", "range "},
        {"1e999", "range "},
        {"0.33333333333333333333333333333333333333333333333333333333333333333",
         "range "},
    };
    (void)state;

    are(&rule, cases, LENGTH(cases));
}

static void a_range_may_have_one_end(void **state)
{
    static const hoist_rule rule = {
        .type = HOIST_JSON_NUMBER, .least = 0, .most = HUGE_VAL};
    static const case_t cases[] = {{"1e300", ""}, {"-0.1", "range "}};
    (void)state;

    are(&rule, cases, LENGTH(cases));
}

static void an_integer_is_one_in_every_language(void **state)
{
    static const hoist_rule rule = {.type = HOIST_JSON_INTEGER};
    static const case_t cases[] = {
        {"9007199254740992", ""},
        {"-9007199254740992", ""},
        {"9007199254740993", "range "}, /* as a double it is 2^53 */
        {"-9007199254740993", "range "},
        {"9007199254740994", "range "},
        {"10000000000000000", "range "},
        {"1.0", "type "},
        {"1e2", "type "},
    };
    (void)state;

    are(&rule, cases, LENGTH(cases));
}

static void a_choice_is_one_of_them(void **state)
{
    static const char *const choices[] = {"red", "green", NULL};
    static const hoist_rule rule = {.type = HOIST_JSON_STRING,
                                    .choices = choices};
    static const case_t cases[] = {{"\"red\"", ""},
                                   {"\"gr\\u0065en\"", ""},
                                   {"\"blue\"", "choice "},
                                   {"\"\"", "choice "}};
    (void)state;

    are(&rule, cases, LENGTH(cases));
}

static const hoist_rule item_members[] = {
    {.name = "sku", .type = HOIST_JSON_STRING, .min = 1, .max = 8},
    {.name = "count", .type = HOIST_JSON_INTEGER, .least = 1, .most = 99},
    {.name = "note", .type = HOIST_JSON_STRING, .optional = true},
    {.name = NULL},
};
static const hoist_rule an_item = {.type = HOIST_JSON_OBJECT,
                                   .members = item_members};
static const hoist_rule order_members[] = {
    {.name = "action", .type = HOIST_JSON_STRING},
    {.name = "items",
     .type = HOIST_JSON_ARRAY,
     .min = 1,
     .max = 2,
     .items = &an_item},
    {.name = NULL},
};
static const hoist_rule an_order = {.type = HOIST_JSON_OBJECT,
                                    .members = order_members};

static void the_path_leads_to_what_is_wrong(void **state)
{
    static const case_t cases[] = {
        {"{\"action\":\"a\",\"items\":[{\"sku\":\"s\",\"count\":1}]}", ""},
        {"{}", "missing /action"},
        {"{\"action\":\"a\"}", "missing /items"},
        {"{\"action\":\"a\",\"items\":{}}", "type /items"},
        {"{\"action\":\"a\",\"items\":[]}", "length /items"},
        {"{\"action\":\"a\",\"items\":[{\"sku\":\"s\",\"count\":1},"
         "{\"sku\":\"s\",\"count\":100}]}",
         "range /items/1/count"},
        {"{\"action\":\"a\",\"items\":[{\"sku\":\"s\"}]}",
         "missing /items/0/count"},
        {"{\"action\":\"a\",\"action\":\"b\",\"items\":[]}", "twice /action"},
        {"{\"action\":\"a\",\"price\":1}", "unknown /price"},
        {"{\"a/b~c\":1}", "unknown /a~1b~0c"},
        {"{\"\\u0061ction\":1}", "type /action"},
        {"{\"action\":\"a\",\"items\":[1]}", "type /items/0"},
        {"{\"action\":\"a\",\"items\":[{\"sku\":\"s\",\"count\":1},1", /**/
         "type /items/1"},
        {"[]", "type "},
    };
    (void)state;

    are(&an_order, cases, LENGTH(cases));
}

static void other_members_may_be_there_where_it_is_open(void **state)
{
    static const hoist_rule members[] = {
        {.name = "a", .type = HOIST_JSON_INTEGER}, {.name = NULL}};
    static const hoist_rule rule = {
        .type = HOIST_JSON_OBJECT, .members = members, .open = true, .max = 2};
    static const case_t cases[] = {
        {"{\"a\":1,\"b\":[{\"c\":1}]}", ""},
        {"{\"b\":1}", "missing /a"},
        {"{\"a\":1,\"b\":1,\"c\":1}", "length "},
    };
    (void)state;

    are(&rule, cases, LENGTH(cases));
}

static void nesting_is_bounded(void **state)
{
    static const hoist_rule rule = {0};
    static const case_t cases[] = {
        {"[[[[]]]]", ""},
        {"[[[[[]]]]]", "depth /0/0/0/0"},
        {"{\"a\":[{\"b\":[{}]}]}", "depth /a/0/b/0"},
    };
    (void)state;

    are(&rule, cases, LENGTH(cases));
}

static void a_path_that_is_too_long_is_cut(void **state)
{
    char body[400] = "{\"", expected[200] = "unknown /";
    (void)state;

    memset(body + 2, 'k', 300);
    memcpy(body + 302, "\":1}", 5);
    memset(expected + strlen(expected), 'k', SHAPE_PATH_MAX - 2);
    assert_string_equal(problem_of(&an_order, body), expected);
}

static void rules_that_contradict_themselves_are_none(void **state)
{
    static const hoist_rule twice[] = {
        {.name = "a"}, {.name = "a"}, {.name = NULL}};
    static const char *const choices[] = {NULL};
    static const hoist_rule inner[] = {
        {.name = "a", .type = HOIST_JSON_STRING, .most = 1}, {0}};
    const hoist_rule array = {.type = HOIST_JSON_ARRAY, .max = 1, .min = 2};
    const hoist_rule of_arrays[] = {
        {.name = "list", .type = HOIST_JSON_ARRAY, .items = &array}, {0}};
    const struct {
        hoist_rule rule;
        const char *words;
    } wrong[] = {
        {{.type = (hoist_json_type)7},
         "the body: type is none of hoist_json_type"},
        {{.type = HOIST_JSON_STRING, .least = 1, .most = 2},
         "the body: least and most are for numbers"},
        {{.type = HOIST_JSON_NUMBER, .least = 2, .most = 1},
         "the body: least is above most"},
        {{.type = HOIST_JSON_NUMBER, .least = (double)NAN, .most = 1},
         "the body: least is above most"},
        {{.type = HOIST_JSON_NUMBER, .max = 1},
         "the body: min and max are for strings, arrays and objects"},
        {{.type = HOIST_JSON_STRING, .min = 2, .max = 1},
         "the body: min is above max"},
        {{.type = HOIST_JSON_NUMBER, .choices = choices},
         "the body: choices are for strings"},
        {{.type = HOIST_JSON_ARRAY, .members = inner},
         "the body: members and open are for objects"},
        {{.type = HOIST_JSON_OBJECT, .items = &an_order},
         "the body: items are for arrays"},
        {{.type = HOIST_JSON_STRING, .open = true},
         "the body: members and open are for objects"},
        {{.type = HOIST_JSON_OBJECT, .members = twice},
         "member a: it is there twice"},
        {{.type = HOIST_JSON_OBJECT, .members = inner},
         "member a: least and most are for numbers"},
        {{.type = HOIST_JSON_OBJECT, .members = of_arrays},
         "the items of list: min is above max"},
    };
    char words[SHAPE_FAULT_MAX + 1];
    (void)state;

    for (size_t i = 0; i < LENGTH(wrong); i++) {
        assert_int_equal(shape_check(&wrong[i].rule, words), -EINVAL);
        assert_string_equal(words, wrong[i].words);
    }
}

static void an_object_has_at_most_64_members_that_are_listed(void **state)
{
    static char names[65][4];
    hoist_rule members[66] = {{0}};
    const hoist_rule rule = {.type = HOIST_JSON_OBJECT, .members = members};
    char words[SHAPE_FAULT_MAX + 1];
    (void)state;

    for (int i = 0; i < 64; i++) {
        (void)snprintf(names[i], sizeof names[i], "m%d", i);
        members[i] = (hoist_rule){.name = names[i], .optional = i < 63};
    }
    assert_string_equal(problem_of(&rule, "{\"m63\":1}"), "");
    assert_string_equal(problem_of(&rule, "{\"m0\":1}"), "missing /m63");
    assert_string_equal(problem_of(&rule, "{\"m63\":1,\"m63\":1}"),
                        "twice /m63");
    members[64].name = "one more";
    assert_int_equal(shape_check(&rule, words), -E2BIG);
    assert_string_equal(words, "member one more: there are more than 64 in its "
                               "object");
}

/* --- random bodies ------------------------------------------------------- */

static const char *const colours[] = {"red", "green", NULL};
static const hoist_rule a_colour = {.type = HOIST_JSON_STRING,
                                    .choices = colours};
static const hoist_rule node_members[] = {
    {.name = "id", .type = HOIST_JSON_INTEGER, .least = 0, .most = 1000},
    {.name = "name", .type = HOIST_JSON_STRING, .min = 1, .max = 8},
    {.name = "tags", .type = HOIST_JSON_ARRAY, .max = 3, .items = &a_colour},
    {.name = "next",
     .type = HOIST_JSON_OBJECT,
     .optional = true,
     .nullable = true,
     .members = node_members},
    {.name = NULL},
};
static const hoist_rule a_node = {.type = HOIST_JSON_OBJECT,
                                  .members = node_members};

/* What is wrong with the innermost node. */
static const struct {
    const char *members; /* of the node */
    const char *problem; /* with the path behind that of the node */
} flaws[] = {
    {"\"id\":1,\"name\":\"n\",\"tags\":[]", ""},
    {"\"id\":1,\"name\":\"n\",\"tags\":[\"red\",\"green\"],\"next\":null", ""},
    {"\"tags\":[],\"name\":\"12345678\",\"id\":1000", ""},
    {"\"id\":1,\"name\":\"n\"", "missing %s/tags"},
    {"\"id\":-1,\"name\":\"n\",\"tags\":[]", "range %s/id"},
    {"\"id\":1,\"name\":\"\",\"tags\":[]", "length %s/name"},
    {"\"id\":1,\"name\":\"n\",\"tags\":[\"red\",\"blue\"]", "choice %s/tags/1"},
    {"\"id\":1,\"name\":\"n\",\"tags\":[\"red\",1]", "type %s/tags/1"},
    {"\"id\":1,\"name\":\"n\",\"tags\":[],\"next\":[]", "type %s/next"},
    {"\"id\":1,\"name\":\"n\",\"tags\":[],\"more\":1", "unknown %s/more"},
    {"\"id\":1,\"id\":1,\"name\":\"n\",\"tags\":[]", "twice %s/id"},
    {"\"id\":1,\"name\":\"n\",\"tags\":[\"red\",\"red\",\"red\",\"red\"]",
     "length %s/tags"},
};

/* The members of a node that is right, in any order, with space around. */
static void put_node(random_t *random, char *body, size_t size,
                     const char *inner)
{
    static const char *const spaces[] = {"", " ", "\n", "\t\r "};
    unsigned first = (unsigned)random_below(random, 4);
    size_t len = (size_t)snprintf(body, size, "{");

    for (unsigned i = 0; i < 4; i++) {
        const char *space = spaces[random_below(random, 4)];
        len += (size_t)snprintf(body + len, size - len, "%s%s", space,
                                i > 0 ? "," : "");
        switch ((first + i) % 4) {
        case 0:
            len += (size_t)snprintf(body + len, size - len, "\"id\":%u",
                                    (unsigned)random_below(random, 1001));
            break;
        case 1:
            len += (size_t)snprintf(body + len, size - len, "\"name\":\"%.*s\"",
                                    1 + (int)random_below(random, 8),
                                    "\xc3\xbc"
                                    "abcdefg");
            break;
        case 2:
            len += (size_t)snprintf(
                body + len, size - len, "\"tags\":[%s]",
                random_below(random, 2) == 0 ? "" : "\"red\" , \"green\"");
            break;
        default:
            len +=
                (size_t)snprintf(body + len, size - len, "\"next\":%s", inner);
        }
    }
    (void)snprintf(body + len, size - len, "}");
}

static void random_bodies_are_refused_for_their_one_flaw(void **state)
{
    random_t random;
    (void)state;

    random_init(&random, 8);
    for (int round = 0; round < 20000; round++) {
        size_t flaw = (size_t)random_below(&random, LENGTH(flaws));
        unsigned depth = (unsigned)random_below(&random, 3);
        char body[1024], inner[1024], path[32] = "", expected[128];
        (void)snprintf(body, sizeof body, "{%s}", flaws[flaw].members);
        for (unsigned i = 0; i < depth; i++) {
            memcpy(inner, body, sizeof inner);
            put_node(&random, body, sizeof body, inner);
            memcpy(path + strlen(path), "/next", sizeof "/next");
        }
        const char *problem = flaws[flaw].problem;
        const char *hole = strstr(problem, "%s");
        (void)snprintf(expected, sizeof expected, "%.*s%s%s",
                       hole != NULL ? (int)(hole - problem) : 0, problem,
                       hole != NULL ? path : "", hole != NULL ? hole + 2 : "");
        assert_string_equal(problem_of(&a_node, body), expected);
    }
    random_fini(&random);
}

/* --- the middleware ------------------------------------------------------ */

static int do_nothing(hoist_ctx *ctx)
{
    (void)ctx;
    note("handled");
    return 0;
}

static void validates(hoist_validate_config config)
{
    config.body = &an_order;
    must(hoist_use(worker.app, hoist_recover,
                   &(hoist_recover_config){.silent = true}) == 0);
    assert_int_equal(hoist_use(worker.app, hoist_validate, &config), 0);
    worker_freezes();
}

static void body_comes(body_t body)
{
    message_request_t request = sdk_message("a");

    request.body = body;
    must(message_put_request(&worker.in, &request) == 0);
    feed(worker.now_ms);
}

static void text_comes(const char *text)
{
    body_comes((body_t){BODY_TEXT, wire_bytes(text)});
}

static void says_body(unsigned status, const char *part)
{
    const message_reply_t *reply = &says(KIND_REPLY)->reply;
    char text[1024];

    assert_int_equal(reply->status, status);
    (void)snprintf(text, sizeof text, "%.*s", (int)reply->body.bytes.len,
                   (const char *)reply->body.bytes.data);
    if (strstr(text, part) == NULL) {
        assert_string_equal(text, part);
    }
}

static void what_is_wrong_is_told_and_not_handled(void **state)
{
    (void)state;
    serves("a", do_nothing);
    validates((hoist_validate_config){0});
    text_comes("{\"action\":\"a\",\"items\":[{\"sku\":\"\",\"count\":1}]}");
    says_body(400, "{\"code\":\"invalid-body\",\"message\":\"/items/0/sku must "
                   "have 1 to 8 characters\",\"details\":{\"path\":"
                   "\"/items/0/sku\",\"problem\":\"length\"},");
    text_comes("{");
    says_body(400, "\"message\":\"The body is no JSON\",\"details\":{\"path\":"
                   "\"\",\"problem\":\"json\"},");
    text_comes("{\"a\\\"\\u0007b\":1}"); /* what a client wrote stays text */
    says_body(400, "\"path\":\"/a\\\"\\u0007b\",\"problem\":\"unknown\"");
    body_comes((body_t){BODY_BINARY, wire_bytes("{}")});
    says_body(400, "\"problem\":\"json\"");
    body_comes((body_t){.type = BODY_NONE});
    says_body(400, "\"problem\":\"json\"");
    assert_trace("");
}

static void what_is_right_is_handled(void **state)
{
    (void)state;
    serves("a", do_nothing);
    validates((hoist_validate_config){0});
    text_comes("{\"action\":\"a\",\"items\":[{\"sku\":\"s\",\"count\":1}]}");
    says_body(200, "");
    assert_trace("handled");
}

static void a_body_that_is_too_long_is_413(void **state)
{
    (void)state;
    serves("a", do_nothing);
    validates((hoist_validate_config){.max_bytes = 10});
    text_comes("{         }");
    says_body(413, "\"code\":\"too-long\"");
    text_comes("{        }");
    says_body(400, "\"problem\":\"missing\"");
}

static void other_events_pass(void **state)
{
    (void)state;
    serves("$connect", do_nothing);
    validates((hoist_validate_config){0});
    comes(EVENT_CONNECT, CONN_A, "$connect", 1);
    says_reply(1, 200);
    assert_trace("handled");
}

static void what_passes_and_what_does_not_is_counted(void **state)
{
    static const char name[] = "hoist_worker_validation_events_total";
    (void)state;

    serves("a", do_nothing);
    validates((hoist_validate_config){0});
    text_comes("{}");
    text_comes("{\"action\":\"a\",\"items\":[{\"sku\":\"s\",\"count\":1}]}");
    text_comes("[]");
    assert_int_equal(hoist_counted(hoist_counter_of(worker.app, name, "",
                                                    "outcome=\"passed\"")),
                     1);
    assert_int_equal(hoist_counted(hoist_counter_of(worker.app, name, "",
                                                    "outcome=\"refused\"")),
                     2);
}

static void settings_that_are_none_are_refused(void **state)
{
    static const hoist_rule wrong = {.type = (hoist_json_type)7};
    const struct {
        hoist_validate_config config;
        const char *why;
    } wrongs[] = {
        {{.body = NULL}, "hoist_validate: no body"},
        {{.body = &wrong},
         "hoist_validate: body: the body: type is none of hoist_json_type"},
        {{.body = &an_order, .max_depth = 65},
         "hoist_validate: max_depth=65 is more than 64"}};
    (void)state;

    assert_int_equal(hoist_use(worker.app, hoist_validate, NULL), -EINVAL);
    for (size_t i = 0; i < LENGTH(wrongs); i++) {
        assert_int_equal(
            hoist_use(worker.app, hoist_validate, &wrongs[i].config), -EINVAL);
        assert_string_equal(worker.app->refusal.reason, wrongs[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_type_anything_that_is_json_will_do),
        cmocka_unit_test(each_type_takes_its_own),
        cmocka_unit_test(null_will_do_where_it_may),
        cmocka_unit_test(a_string_has_as_many_characters_as_it_may),
        cmocka_unit_test(a_number_is_in_its_range),
        cmocka_unit_test(a_range_may_have_one_end),
        cmocka_unit_test(an_integer_is_one_in_every_language),
        cmocka_unit_test(a_choice_is_one_of_them),
        cmocka_unit_test(the_path_leads_to_what_is_wrong),
        cmocka_unit_test(other_members_may_be_there_where_it_is_open),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(a_path_that_is_too_long_is_cut),
        cmocka_unit_test(rules_that_contradict_themselves_are_none),
        cmocka_unit_test(an_object_has_at_most_64_members_that_are_listed),
        cmocka_unit_test(random_bodies_are_refused_for_their_one_flaw),
        WORKER_TEST(what_is_wrong_is_told_and_not_handled),
        WORKER_TEST(what_is_right_is_handled),
        WORKER_TEST(a_body_that_is_too_long_is_413),
        WORKER_TEST(other_events_pass),
        WORKER_TEST(what_passes_and_what_does_not_is_counted),
        WORKER_TEST(settings_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
