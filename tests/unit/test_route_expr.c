/* SPDX-License-Identifier: MIT
 *
 * Route selection expressions: what compiles, what a body yields, and that
 * nothing but JSON yields anything.
 */
#include "base/xalloc.h"
#include "proto/route_expr.h"
#include "tests/unit/random_wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define DEEP         100000
#define ROUNDS       20000
#define TEXT_ROOM    ((size_t)1 << 16)

static route_expr_t *compiled(const char *text)
{
    route_expr_t *expr;
    char error[256];

    if (route_expr_compile(text, &expr, error, sizeof error) < 0) {
        fail_msg("%s: %s", text, error);
    }
    return expr;
}

static int eval(const char *text, wire_bytes_t body, char key[ROUTE_KEY_MAX],
                size_t *len)
{
    route_expr_t *expr = compiled(text);
    /* Exactly as long as it is, so that a byte too far is seen. */
    uint8_t *copy = malloc(body.len > 0 ? body.len : 1);

    must(copy != NULL);
    if (body.len > 0) {
        memcpy(copy, body.data, body.len);
    }
    int rc = route_expr_eval(expr, (wire_bytes_t){copy, body.len}, key, len);
    free(copy);
    route_expr_destroy(&expr);
    return rc;
}

static void check(const char *text, wire_bytes_t body, const char *expected)
{
    char key[ROUTE_KEY_MAX];
    size_t len = 0;
    int rc = eval(text, body, key, &len);

    if (rc != 0 || len != strlen(expected) || memcmp(key, expected, len) != 0) {
        fail_msg("%s of %.*s: result %d, \"%.*s\", expected \"%s\"", text,
                 (int)body.len, (const char *)body.data, rc,
                 rc == 0 ? (int)len : 0, key, expected);
    }
}

static int result(const char *text, wire_bytes_t body)
{
    char key[ROUTE_KEY_MAX];
    size_t len;

    return eval(text, body, key, &len);
}

/* The same byte many times. */
static wire_bytes_t repeated(char c, size_t count)
{
    uint8_t *bytes = malloc(count);

    must(bytes != NULL);
    memset(bytes, c, count);
    return (wire_bytes_t){bytes, count};
}

static void the_examples_of_the_reference_hold(void **state)
{
    wire_bytes_t body = wire_bytes("{\"service\":\"chat\",\"action\":\"join\","
                                   "\"data\":{\"room\":\"room1234\"}}");
    (void)state;

    check("$request.body.action", body, "join");
    check("${request.body.action}", body, "join");
    check("${request.body.service}/${request.body.action}", body, "chat/join");
    check("${request.body.action}-${request.body.invalidPath}", body, "join-");
    check("action", body, "action");
    check("\\$default", body, "$default");
    check("$request.body.data.room", body, "room1234");
}

static void a_value_becomes_text_as_the_reference_says(void **state)
{
    static const char *const cases[][2] = {
        {"{\"a\":\"x\"}", "x"},
        {"{\"a\":1}", "1"},
        {"{\"a\":-1.50e+3}", "-1.50e+3"},
        {"{\"a\":123456789012345678901234567890}",
         "123456789012345678901234567890"},
        {"{\"a\":true}", "true"},
        {"{\"a\":false}", "false"},
        {"{\"a\":null}", "null"},
        {"{\"a\":[]}", "[]"},
        {"{\"a\":[ ]}", "[]"},
        {"{\"a\":[\"x\",\"y\"]}", "[x, y]"},
        {"{\"a\":[ 1 ,\n\"y\" , null ]}", "[1, y, null]"},
        {"{\"a\":[[1,2],{\"b\":\"],\"}]}", "[[1,2], {\"b\":\"],\"}]"},
        {"{\"a\":{}}", "{}"},
        {"{\"a\":{\"b\": \"c\"}}", "{\"b\": \"c\"}"},
        {"{\"a\":\"\\u0024connect\"}", "$connect"},
        {"{\"a\":\"\\ud83d\\ude00\"}", "\xf0\x9f\x98\x80"},
        {"{\"\\u0061\":\"by an escaped name\"}", "by an escaped name"},
        {" \t\r\n{ \"a\" : \"space\" } \n", "space"},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        check("$request.body.a", wire_bytes(cases[i][0]), cases[i][1]);
    }
}

static void a_path_leads_where_it_says(void **state)
{
    (void)state;
    check("$request.body.l[1]", wire_bytes("{\"l\":[\"x\",\"y\"]}"), "y");
    check("$request.body[0].a", wire_bytes("[{\"a\":\"x\"}]"), "x");
    check("$request.body[1][1]", wire_bytes("[0,[1,2],3]"), "2");
    check("$request.body['a key']", wire_bytes("{\"a key\":\"x\"}"), "x");
    check("$request.body[\"a.b\"]", wire_bytes("{\"a.b\":\"x\"}"), "x");
    check("$request.body['']", wire_bytes("{\"\":\"x\"}"), "x");
    check("$request.body.a.b.c",
          wire_bytes("{\"b\":1,\"a\":{\"c\":2,\"b\":{\"c\":\"x\"}},\"c\":3}"),
          "x");
}

static void what_is_not_there_is_empty(void **state)
{
    static const char *const bodies[] = {
        "{}",
        "[]",
        "5",
        "\"a\"",
        "null",
        "true",
        "[\"a\"]",
        "{\"b\":\"a\"}",
        "{\"A\":1}",
        "{\"b\":{\"a\":1}}",
        "{\"a\":\"\"}",
        "[{\"a\":1}]",
    };
    (void)state;

    for (size_t i = 0; i < COUNT(bodies); i++) {
        assert_int_equal(result("$request.body.a", wire_bytes(bodies[i])),
                         -ENOENT);
    }
    assert_int_equal(result("$request.body.a.b", wire_bytes("{\"a\":1}")),
                     -ENOENT);
    assert_int_equal(result("$request.body.a[2]", wire_bytes("{\"a\":[0,1]}")),
                     -ENOENT);
    assert_int_equal(
        result("$request.body.a[0]", wire_bytes("{\"a\":{\"0\":1}}")), -ENOENT);
}

static void of_equal_names_the_last_counts(void **state)
{
    (void)state;
    check("$request.body.a", wire_bytes("{\"a\":1,\"a\":2}"), "2");
    check("$request.body.a", wire_bytes("{\"a\":{\"a\":1},\"\\u0061\":3}"),
          "3");
    check("$request.body.a.b", wire_bytes("{\"a\":{\"b\":1},\"a\":{\"b\":2}}"),
          "2");
    assert_int_equal(
        result("$request.body.a.b", wire_bytes("{\"a\":{\"b\":1},\"a\":2}")),
        -ENOENT);
    assert_int_equal(
        result("$request.body.a.b", wire_bytes("{\"a\":{\"b\":1},\"a\":{}}")),
        -ENOENT);
}

static void what_is_no_json_yields_nothing(void **state)
{
    static const char *const bodies[] = {
        "",
        " ",
        "{",
        "}",
        "[",
        "]",
        "{\"a\":1",
        "{\"a\":1}}",
        "{\"a\":1} x",
        "{\"a\":1}{}",
        "{\"a\":1,}",
        "{,\"a\":1}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{a:1}",
        "{'a':1}",
        "{1:1}",
        "{\"a\":1]",
        "[1}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1,,2]",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":1.}",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":undefined}",
        "{\"a\":tru}",
        "{\"a\":\"x}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"\\udc00\":1}",
        "{\"a\":\"\n\"}",
        "{\"a\":1} // no",
        "/* no */{\"a\":1}",
        "\xef\xbb\xbf{\"a\":1}",
        "{\"a\":\"x\",\"b\":\"\\u12\"}",
        "{\"a\":1,\"b\":[}",
    };
    (void)state;

    for (size_t i = 0; i < COUNT(bodies); i++) {
        int rc = result("$request.body.a", wire_bytes(bodies[i]));
        if (rc != -EPROTO) {
            fail_msg("%s: result %d", bodies[i], rc);
        }
    }
}

static void a_byte_of_zero_is_no_json(void **state)
{
    static const char inside[] = "{\"a\":\"x\0\"}", behind[] = "{\"a\":1}\0";
    (void)state;

    assert_int_equal(
        result("$request.body.a",
               (wire_bytes_t){(const uint8_t *)inside, sizeof inside - 1}),
        -EPROTO);
    assert_int_equal(
        result("$request.body.a",
               (wire_bytes_t){(const uint8_t *)behind, sizeof behind - 1}),
        -EPROTO);
}

static void every_beginning_of_a_body_is_no_json(void **state)
{
    wire_bytes_t body = wire_bytes("{\"x\":[1,-2.5e3,{}],\"y\":{\"z\":[[]]},"
                                   "\"a\":\"\\ud83d\\ude00\",\"b\":null}");
    (void)state;

    check("$request.body.a", body, "\xf0\x9f\x98\x80");
    for (size_t len = 0; len < body.len; len++) {
        assert_int_equal(
            result("$request.body.a", (wire_bytes_t){body.data, len}), -EPROTO);
    }
}

/* `depth` arrays around nothing. */
static int result_of_nested(size_t depth)
{
    wire_bytes_t open = repeated('[', 2 * depth);

    memset((uint8_t *)(uintptr_t)open.data + depth, ']', depth);
    int rc = result("$request.body.a", open);
    free((void *)(uintptr_t)open.data);
    return rc;
}

static void nesting_ends_at_its_limit_and_costs_no_stack(void **state)
{
    (void)state;
    assert_int_equal(result_of_nested(ROUTE_EXPR_DEPTH_MAX), -ENOENT);
    assert_int_equal(result_of_nested(ROUTE_EXPR_DEPTH_MAX + 1), -EPROTO);
    assert_int_equal(result_of_nested(DEEP), -EPROTO);
}

/* {"a": "xx…"} with `count` of c in the value. */
static int result_of_long(size_t count)
{
    char *body = malloc(count + 16);

    must(body != NULL);
    memcpy(body, "{\"a\":\"", 6);
    memset(body + 6, 'x', count);
    memcpy(body + 6 + count, "\"}", 3);
    int rc = result("$request.body.a", wire_bytes(body));
    free(body);
    return rc;
}

static void a_key_may_be_as_long_as_its_limit(void **state)
{
    (void)state;
    assert_int_equal(result_of_long(ROUTE_KEY_MAX), 0);
    assert_int_equal(result_of_long(ROUTE_KEY_MAX + 1), -ENOBUFS);
    assert_int_equal(result_of_long(1u << 20), -ENOBUFS);
}

static void a_huge_name_is_only_a_name(void **state)
{
    size_t count = 1u << 20;
    char *body = malloc(count + 32);
    (void)state;

    must(body != NULL);
    memcpy(body, "{\"", 2);
    memset(body + 2, 'a', count);
    memcpy(body + 2 + count, "\":1,\"a\":2}", 11);
    check("$request.body.a", wire_bytes(body), "2");
    free(body);
}

static void a_static_expression_asks_no_body(void **state)
{
    (void)state;
    check("one", wire_bytes("no JSON"), "one");
    check("a\\\\b\\{", wire_bytes(""), "a\\b{");
}

static void what_is_no_expression_is_refused_with_a_reason(void **state)
{
    static const char *const broken[] = {
        "",
        "$",
        "${",
        "$request",
        "$request.body",
        "${request.body}",
        "$request.header.x",
        "$request.bodyx",
        "$request.body.",
        "$request.body..a",
        "${request.body.a",
        "${request.body.a]",
        "$request.body[",
        "$request.body[]",
        "$request.body[-1]",
        "$request.body[1",
        "$request.body[1x]",
        "$request.body[99999999999999999999]",
        "$request.body['a]",
        "$request.body['a'",
        "$request.body[a]",
        "$context.a",
        "a\\",
    };
    (void)state;

    for (size_t i = 0; i < COUNT(broken); i++) {
        route_expr_t *expr;
        char error[256] = "";
        int rc = route_expr_compile(broken[i], &expr, error, sizeof error);
        if (rc != -EINVAL) {
            fail_msg("%s: result %d", broken[i], rc);
        }
        assert_null(expr);
        assert_true(strlen(error) > 0);
        assert_null(strchr(error, '\n'));
    }
}

/* Does an expression of this piece `count` times compile? */
static int compiles(const char *head, const char *piece, unsigned count)
{
    static char text[TEXT_ROOM];
    route_expr_t *expr;
    char error[64];

    memcpy(text, head, strlen(head) + 1);
    for (size_t at = strlen(text); count > 0; count--) {
        memcpy(text + at, piece, strlen(piece) + 1);
        at += strlen(piece);
    }
    int rc = route_expr_compile(text, &expr, error, sizeof error);
    route_expr_destroy(&expr);
    return rc;
}

static void an_expression_has_limits(void **state)
{
    (void)state;
    assert_int_equal(
        compiles("", "-${request.body.a}", ROUTE_EXPR_VARIABLES_MAX), 0);
    assert_int_equal(
        compiles("", "-${request.body.a}", ROUTE_EXPR_VARIABLES_MAX + 1),
        -EINVAL);
    assert_int_equal(compiles("$request.body", ".a", 16), 0);
    assert_int_equal(compiles("$request.body", ".a", 17), -EINVAL);
    assert_int_equal(compiles("", "x", ROUTE_EXPR_TEXT_MAX), 0);
    assert_int_equal(compiles("", "x", ROUTE_EXPR_TEXT_MAX + 1), -EINVAL);
}

/* --- random bodies whose answer is known --------------------------------- */

typedef struct {
    random_t random;
    char text[TEXT_ROOM]; /* the body so far */
    size_t len;
} writer_t;

static void put(writer_t *self, const char *text)
{
    size_t len = strlen(text);

    must(self->len + len < sizeof self->text);
    memcpy(self->text + self->len, text, len + 1);
    self->len += len;
}

static void put_space(writer_t *self)
{
    static const char *const spaces[] = {"", "", "", " ", "\n", "\t \r"};
    put(self, spaces[random_below(&self->random, COUNT(spaces))]);
}

/* Text and what it means. */
static const char *const leaves[][2] = {
    {"\"join\"", "join"},
    {"\"\\u006aoin\"", "join"},
    {"\"a\\\\b\\\"]},\"", "a\\b\"]},"},
    {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
    {"0", "0"},
    {"-1.5E+3", "-1.5E+3"},
    {"true", "true"},
    {"null", "null"},
    {"[]", "[]"},
    {"[ 1 ,[2] ]", "[1, [2]]"},
    {"{\"k\":[1]}", "{\"k\":[1]}"},
};

/* The names of one step: as the path has it, and as the body may. */
static const char *const names[][3] = {
    {"k", "\"k\"", "\"\\u006b\""},
    {"key", "\"key\"", "\"ke\\u0079\""},
    {"_-", "\"_-\"", "\"\\u005f\\u002D\""},
};

/* NOLINTNEXTLINE(misc-no-recursion): as deep as it is told */
static void put_any(writer_t *self, unsigned depth)
{
    static const char *const scalars[] = {
        "1", "\"k\"", "\"\\u0022\"", "false", "\"}],{[\"", "-0e1", "{}", "[]",
    };
    uint64_t kind = random_below(&self->random, depth > 0 ? 3 : 1);

    put_space(self);
    if (kind == 0) {
        put(self, scalars[random_below(&self->random, COUNT(scalars))]);
        put_space(self);
        return;
    }
    put(self, kind == 1 ? "[" : "{\"key\":");
    put_any(self, depth - 1);
    put(self, kind == 1 ? "," : ",\"k\":");
    put_any(self, depth - 1);
    put(self, kind == 1 ? "]" : "}");
    put_space(self);
}

static const char *put_path(writer_t *self, char *path, unsigned steps);

/* A member under a name of the path, after others of any name. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as it is told */
static const char *put_in_object(writer_t *self, char *path, unsigned steps)
{
    uint64_t name = random_below(&self->random, COUNT(names));

    put(self, "{");
    for (uint64_t i = random_below(&self->random, 3); i > 0; i--) {
        uint64_t other = random_below(&self->random, COUNT(names));
        put_space(self);
        put(self, names[other][1]);
        put(self, ":");
        put_any(self, 3);
        put(self, ",");
    }
    put_space(self);
    put(self, names[name][1 + random_below(&self->random, 2)]);
    put_space(self);
    put(self, ":");
    sprintf(path + strlen(path), ".%s", names[name][0]);
    const char *meaning = put_path(self, path, steps);
    put(self, ",\"other\":");
    put_any(self, 2);
    put(self, "}");
    return meaning;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as it is told */
static const char *put_in_array(writer_t *self, char *path, unsigned steps)
{
    unsigned index = (unsigned)random_below(&self->random, 4);

    put(self, "[");
    for (unsigned i = 0; i < index; i++) {
        put_any(self, 3);
        put(self, ",");
    }
    sprintf(path + strlen(path), "[%u]", index);
    const char *meaning = put_path(self, path, steps);
    put(self, random_below(&self->random, 2) == 0 ? ",{\"k\":7}]" : "]");
    return meaning;
}

/*
 * Write a value in which the path, written as it goes, leads to a leaf.
 * Returns what that leaf means.
 */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as it is told */
static const char *put_path(writer_t *self, char *path, unsigned steps)
{
    const char *meaning;

    put_space(self);
    if (steps == 0) {
        uint64_t leaf = random_below(&self->random, COUNT(leaves));
        put(self, leaves[leaf][0]);
        meaning = leaves[leaf][1];
    } else if (random_below(&self->random, 2) == 0) {
        meaning = put_in_object(self, path, steps - 1);
    } else {
        meaning = put_in_array(self, path, steps - 1);
    }
    put_space(self);
    return meaning;
}

static void a_random_body_yields_what_was_put_into_it(void **state)
{
    writer_t *writer = xcalloc(1, sizeof *writer);
    char path[256];
    (void)state;

    random_init(&writer->random, 23);
    for (int i = 0; i < ROUNDS; i++) {
        writer->len = 0;
        memcpy(path, "$request.body", sizeof "$request.body");
        unsigned steps = 1 + (unsigned)random_below(&writer->random, 5);
        const char *meaning = put_path(writer, path, steps);
        check(path, wire_bytes(writer->text), meaning);
    }
    random_fini(&writer->random);
    free(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_reference_hold),
        cmocka_unit_test(a_value_becomes_text_as_the_reference_says),
        cmocka_unit_test(a_path_leads_where_it_says),
        cmocka_unit_test(what_is_not_there_is_empty),
        cmocka_unit_test(of_equal_names_the_last_counts),
        cmocka_unit_test(what_is_no_json_yields_nothing),
        cmocka_unit_test(a_byte_of_zero_is_no_json),
        cmocka_unit_test(every_beginning_of_a_body_is_no_json),
        cmocka_unit_test(nesting_ends_at_its_limit_and_costs_no_stack),
        cmocka_unit_test(a_key_may_be_as_long_as_its_limit),
        cmocka_unit_test(a_huge_name_is_only_a_name),
        cmocka_unit_test(a_static_expression_asks_no_body),
        cmocka_unit_test(what_is_no_expression_is_refused_with_a_reason),
        cmocka_unit_test(an_expression_has_limits),
        cmocka_unit_test(a_random_body_yields_what_was_put_into_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
