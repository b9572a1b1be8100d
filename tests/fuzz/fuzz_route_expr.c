/* SPDX-License-Identifier: MIT
 *
 * Any bytes as a body: whether it is JSON does not depend on the expression,
 * no beginning of an object is JSON, space around it changes nothing, and one
 * level of nesting more finds the same value one step further in.
 */
#include "base/xalloc.h"
#include "proto/route_expr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int rc;
    char key[ROUTE_KEY_MAX];
    size_t len;
} answer_t;

static answer_t eval(const char *text, const uint8_t *body, size_t size)
{
    answer_t answer;
    route_expr_t *expr;
    char error[128];

    must(route_expr_compile(text, &expr, error, sizeof error) == 0);
    answer.rc = route_expr_eval(expr, (wire_bytes_t){body, size}, answer.key,
                                &answer.len);
    must(answer.rc != 0 || (answer.len > 0 && answer.len <= ROUTE_KEY_MAX));
    must(answer.rc == 0 || answer.rc == -EPROTO || answer.rc == -ENOENT ||
         answer.rc == -ENOBUFS);
    route_expr_destroy(&expr);
    return answer;
}

static void must_equal(const answer_t *a, const answer_t *b)
{
    must(a->rc == b->rc);
    must(a->rc != 0 ||
         (a->len == b->len && memcmp(a->key, b->key, a->len) == 0));
}

/* The answer to the body between two texts. */
static answer_t eval_between(const char *text, const char *before,
                             wire_bytes_t body, const char *behind)
{
    size_t head = strlen(before), tail = strlen(behind);
    uint8_t *whole = malloc(head + body.len + tail);

    must(whole != NULL);
    memcpy(whole, before, head);
    memcpy(whole + head, body.data, body.len);
    memcpy(whole + head + body.len, behind, tail);
    answer_t answer = eval(text, whole, head + body.len + tail);
    free(whole);
    return answer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wire_bytes_t body = {data, size};

    if (size == 0) {
        return 0;
    }
    answer_t one = eval("$request.body.action", data, size);
    answer_t other =
        eval("${request.body.b[1].c}-$request.body[0]", data, size);
    must((one.rc == -EPROTO) == (other.rc == -EPROTO));
    answer_t spaced = eval_between("$request.body.action", " \n", body, "\t\r");
    must_equal(&one, &spaced);
    if (one.rc == -EPROTO) {
        return 0;
    }
    answer_t joined = eval("/$request.body.action", data, size);
    must(joined.rc == -ENOBUFS ||
         joined.len == 1 + (one.rc == 0 ? one.len : 0));
    /* A body as deep as the limit may be too deep inside of another. */
    answer_t inner =
        eval_between("$request.body.x[1].action",
                     "{\"x\":{},\"x\":[{\"action\":1},", body, "]}");
    must(inner.rc == -EPROTO ? size >= ROUTE_EXPR_DEPTH_MAX - 2 : true);
    if (inner.rc != -EPROTO) {
        must_equal(&one, &inner);
    }
    bool is_container = data[0] == '{' || data[0] == '[';
    if (is_container && data[size - 1] == (data[0] == '{' ? '}' : ']')) {
        must(eval("$request.body.action", data, size - 1).rc == -EPROTO);
    }
    return 0;
}
