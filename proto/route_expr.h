/* SPDX-License-Identifier: MIT
 *
 * Route selection expressions: what part of a message names its route.
 *
 *   $request.body.action                                   one member
 *   ${request.body.service}/${request.body.action}         several, joined
 *   $request.body.list[0]  $request.body['a key']          index, quoted name
 *   \$default                                              a plain dollar
 *
 * A variable's value is written as text: a string as it is, a number, true,
 * false and null as written, an array as [item1, item2], an object as its
 * JSON; a missing one as nothing.  Of equal names in an object the last
 * counts, as in JSON.parse.  (API Gateway: "Route selection expressions".)
 *
 * Evaluation is one pass over the body, builds no tree and allocates
 * nothing.  The whole body must be valid JSON, nested at most
 * ROUTE_EXPR_DEPTH_MAX deep; an escaped surrogate without its other half is no
 * character, so a body with one is not valid.  Pure; a compiled expression may
 * be shared.
 */
#ifndef PROTO_ROUTE_EXPR_H
#define PROTO_ROUTE_EXPR_H

#include "proto/message.h"

#define ROUTE_EXPR_DEPTH_MAX     1024
#define ROUTE_EXPR_TEXT_MAX      1024 /* bytes of an expression */
#define ROUTE_EXPR_VARIABLES_MAX 8    /* in one expression */

typedef struct route_expr route_expr_t;

/*
 * Compile text.  Returns 0 with *expr (free with route_expr_destroy), or
 * -EINVAL with a one-line reason in error; then *expr is NULL.
 */
int route_expr_compile(const char *text, route_expr_t **expr, char *error,
                       size_t error_size);

/* Does any part of it come from the message? */
bool route_expr_varies(const route_expr_t *self);

/* Accepts NULL. */
void route_expr_destroy(route_expr_t **self_p);

/*
 * Evaluate over a body of valid UTF-8.
 * Returns 0 with the route key, 1 to ROUTE_KEY_MAX bytes, and its length;
 * -EPROTO when the body is not JSON (or nested too deep); -ENOENT when the
 * result is empty; -ENOBUFS when it is too long.  In all three the message
 * goes to $default.
 */
int route_expr_eval(const route_expr_t *self, wire_bytes_t body,
                    char key[ROUTE_KEY_MAX], size_t *len);

#endif
