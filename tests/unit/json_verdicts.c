/* SPDX-License-Identifier: MIT
 *
 * For compare_json.py: each line of the input is a body in hex; the answer to
 * each is a line, "yes" when it is JSON and "no" when it is not.
 */
#include "base/xalloc.h"
#include "proto/route_expr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES (1 << 16)

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t len = strspn(hex, "0123456789abcdef") / 2;

    for (size_t i = 0; i < len; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return len;
}

int main(void)
{
    static char line[LINE_MAX_BYTES];
    static uint8_t body[LINE_MAX_BYTES / 2];
    route_expr_t *expr;
    char error[64], key[ROUTE_KEY_MAX];
    size_t len;

    must(route_expr_compile("$request.body.a", &expr, error, sizeof error) ==
         0);
    while (fgets(line, sizeof line, stdin) != NULL) {
        wire_bytes_t bytes = {body, unhex(line, body)};
        puts(route_expr_eval(expr, bytes, key, &len) == -EPROTO ? "no" : "yes");
    }
    route_expr_destroy(&expr);
    return 0;
}
