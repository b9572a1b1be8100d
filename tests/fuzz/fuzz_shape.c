/* SPDX-License-Identifier: MIT
 *
 * Any text as a body: without rules it fits exactly where it is JSON that is
 * not nested too deep; what fits rules fits without them; space around it
 * changes nothing, and the path that is told has its bound.
 */
#include "base/utf8.h"
#include "base/xalloc.h"
#include "proto/route_expr.h"
#include "workers/c/shape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const colours[] = {"red", "green", NULL};
static const hoist_rule a_colour = {.type = HOIST_JSON_STRING,
                                    .min = 3,
                                    .max = 5,
                                    .choices = colours};
static const hoist_rule members[] = {
    {.name = "id", .type = HOIST_JSON_INTEGER, .least = -5, .most = 1000},
    {.name = "n", .type = HOIST_JSON_NUMBER, .least = 0.5, .most = 1e9},
    {.name = "tags", .type = HOIST_JSON_ARRAY, .max = 3, .items = &a_colour},
    {.name = "is",
     .type = HOIST_JSON_BOOLEAN,
     .optional = true,
     .nullable = true},
    {.name = "any", .optional = true},
    {.name = "next",
     .type = HOIST_JSON_OBJECT,
     .optional = true,
     .open = true,
     .members = members},
    {.name = NULL},
};
static const hoist_rule rules = {.type = HOIST_JSON_OBJECT, .members = members};
static const hoist_rule anything = {.name = NULL};

static shape_verdict_t verify(const hoist_rule *rule, wire_bytes_t body)
{
    static locale_t numbers;
    shape_verdict_t verdict;
    char why[SHAPE_FAULT_MAX + 1];

    if (numbers == (locale_t)0) {
        numbers = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
        must(shape_check(rule, why) == 0);
    }
    shape_verify(rule, body, SHAPE_DEPTH_MAX, numbers, &verdict);
    must(strnlen(verdict.path, sizeof verdict.path) <= SHAPE_PATH_MAX);
    must(verdict.path[0] == '\0' || verdict.path[0] == '/');
    must(verdict.problem != SHAPE_FITS || verdict.path[0] == '\0');
    must(*shape_problem_name(verdict.problem) != '\0');
    return verdict;
}

static bool is_json(wire_bytes_t body)
{
    static route_expr_t *expr;
    char key[ROUTE_KEY_MAX], error[128];
    size_t len;

    if (expr == NULL) {
        must(route_expr_compile("$request.body.id", &expr, error,
                                sizeof error) == 0);
    }
    return route_expr_eval(expr, body, key, &len) != -EPROTO;
}

static shape_verdict_t verify_spaced(wire_bytes_t body)
{
    uint8_t *whole = malloc(body.len + 2);

    must(whole != NULL);
    whole[0] = '\n';
    memcpy(whole + 1, body.data, body.len);
    whole[body.len + 1] = ' ';
    shape_verdict_t verdict =
        verify(&rules, (wire_bytes_t){whole, body.len + 2});
    free(whole);
    return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wire_bytes_t body = {data, size};

    if (size == 0 || !utf8_is_valid(data, size)) {
        return 0;
    }
    shape_problem_t free_one = verify(&anything, body).problem;
    must(free_one == SHAPE_FITS || free_one == SHAPE_JSON ||
         free_one == SHAPE_DEPTH);
    must(free_one != SHAPE_FITS || is_json(body));
    must(free_one != SHAPE_JSON || !is_json(body));
    shape_verdict_t strict = verify(&rules, body), spaced = verify_spaced(body);
    must(strict.problem != SHAPE_FITS || free_one == SHAPE_FITS);
    must(strict.problem == spaced.problem &&
         strcmp(strict.path, spaced.path) == 0);
    return 0;
}
