/* SPDX-License-Identifier: MIT
 *
 * Any text as a route selection expression: it is refused with a reason of
 * one piece, or it evaluates within its limits, twice the same; and two of it
 * behind each other yield the key twice.
 */
#include "base/xalloc.h"
#include "proto/route_expr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char body[] =
    "{\"a\":\"x\",\"action\":\"join\",\"b\":[1,{\"a\":null},[]],\"\":{\"c\":2}}";

static int eval(const char *text, char key[ROUTE_KEY_MAX], size_t *len)
{
    route_expr_t *expr;
    char error[128] = "";

    int rc = route_expr_compile(text, &expr, error, sizeof error);
    if (rc < 0) {
        must(rc == -EINVAL && expr == NULL && error[0] != '\0');
        must(memchr(error, '\0', sizeof error) != NULL);
        return rc;
    }
    must(expr != NULL && error[0] == '\0');
    rc = route_expr_eval(expr, wire_bytes(body), key, len);
    must(rc == 0 || rc == -ENOENT || rc == -ENOBUFS);
    must(rc != 0 || (*len > 0 && *len <= ROUTE_KEY_MAX));
    route_expr_destroy(&expr);
    must(expr == NULL);
    return rc;
}

/* A path must not run on into the second copy, so it begins with a space. */
static void check_twice(const char *text, size_t size)
{
    char once[ROUTE_KEY_MAX], twice[ROUTE_KEY_MAX];
    size_t once_len, twice_len;
    char *doubled = calloc(2, size + 2);

    must(doubled != NULL);
    doubled[0] = ' ';
    memcpy(doubled + 1, text, size);
    if (eval(doubled, once, &once_len) == 0) {
        doubled[size + 1] = ' ';
        memcpy(doubled + size + 2, text, size);
        if (eval(doubled, twice, &twice_len) == 0) {
            must(twice_len == 2 * once_len);
            must(memcmp(twice, once, once_len) == 0);
            must(memcmp(twice + once_len, once, once_len) == 0);
        }
    }
    free(doubled);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char key[ROUTE_KEY_MAX];
    size_t len;
    char *text = calloc(1, size + 1);

    must(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    if (eval(text, key, &len) == 0) {
        check_twice(text, strlen(text));
    }
    free(text);
    return 0;
}
