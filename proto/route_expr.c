/* SPDX-License-Identifier: MIT
 *
 * Each variable is a path of names and indices.  While the scanner walks the
 * body, `matched` says how many steps of the path lead to where it stands; the
 * value at the end of the path is remembered as a span of the body and turned
 * into text when the whole body has proved to be JSON.
 */
#include "proto/route_expr.h"

#include "base/xalloc.h"
#include "proto/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 16
#define PARTS_MAX (2 * ROUTE_EXPR_VARIABLES_MAX + 1)

/* One step of a path: a member's name or an element's index. */
typedef struct {
    bool is_index;
    uint32_t index;
    wire_bytes_t name; /* in route_expr_t.text */
} step_t;

typedef struct {
    step_t steps[STEPS_MAX];
    uint32_t count;
} path_t;

/* A piece of the result: literal text, or the value of a variable. */
typedef struct {
    bool is_variable;
    uint32_t variable;
    wire_bytes_t literal; /* in route_expr_t.text */
} part_t;

struct route_expr {
    path_t variables[ROUTE_EXPR_VARIABLES_MAX];
    uint32_t variable_count;
    part_t parts[PARTS_MAX];
    uint32_t part_count;
    char text[2 * ROUTE_EXPR_TEXT_MAX]; /* names and literals */
    size_t text_len;
};

/* --- compiling --------------------------------------------------------- */

typedef struct {
    route_expr_t *expr;
    const char *at;
    const char *why; /* of the first error */
} compiler_t;

static int refuse(compiler_t *self, const char *why)
{
    self->why = why;
    return -EINVAL;
}

/* Copy bytes into the expression; twice the source always fits. */
static wire_bytes_t keep(route_expr_t *expr, const char *bytes, size_t len)
{
    char *copy = expr->text + expr->text_len;

    must(len <= sizeof expr->text - expr->text_len);
    memcpy(copy, bytes, len);
    expr->text_len += len;
    return (wire_bytes_t){(const uint8_t *)copy, len};
}

static int add_literal(compiler_t *self, const char *bytes, size_t len)
{
    route_expr_t *expr = self->expr;
    part_t *last =
        expr->part_count > 0 ? &expr->parts[expr->part_count - 1] : NULL;
    wire_bytes_t kept = keep(expr, bytes, len);

    if (last != NULL && !last->is_variable &&
        last->literal.data + last->literal.len == kept.data) {
        last->literal.len += len; /* it stands right behind: one literal */
        return 0;
    }
    if (expr->part_count == PARTS_MAX) {
        return refuse(self, "too many parts");
    }
    expr->parts[expr->part_count++] = (part_t){.literal = kept};
    return 0;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static int add_step(compiler_t *self, path_t *path, step_t step)
{
    if (path->count == STEPS_MAX) {
        return refuse(self, "path is too long");
    }
    path->steps[path->count++] = step;
    return 0;
}

static int compile_index(compiler_t *self, path_t *path)
{
    char *end;
    unsigned long index = strtoul(self->at, &end, 10);

    if (*end != ']' || index > INT32_MAX) {
        return refuse(self, "expected [number] or ['name']");
    }
    self->at = end + 1;
    return add_step(self, path,
                    (step_t){.is_index = true, .index = (uint32_t)index});
}

/* Behind '[': a number or a quoted name. */
static int compile_bracket(compiler_t *self, path_t *path)
{
    char quote = *self->at;

    if (quote >= '0' && quote <= '9') {
        return compile_index(self, path);
    }
    if (quote != '\'' && quote != '"') {
        return refuse(self, "expected [number] or ['name']");
    }
    const char *end = strchr(self->at + 1, quote);
    if (end == NULL || end[1] != ']') {
        return refuse(self, "['name'] is not closed");
    }
    wire_bytes_t name =
        keep(self->expr, self->at + 1, (size_t)(end - self->at - 1));
    self->at = end + 2;
    return add_step(self, path, (step_t){.name = name});
}

static int compile_member(compiler_t *self, path_t *path)
{
    const char *start = self->at;

    while (is_name_char(*self->at)) {
        self->at++;
    }
    if (self->at == start) {
        return refuse(self, "a name is missing behind the dot");
    }
    wire_bytes_t name = keep(self->expr, start, (size_t)(self->at - start));
    return add_step(self, path, (step_t){.name = name});
}

/* Behind the '$' or '${': request.body and a path. */
static int compile_variable(compiler_t *self)
{
    static const char root[] = "request.body";
    route_expr_t *expr = self->expr;
    int rc = 0;

    if (strncmp(self->at, root, sizeof root - 1) != 0) {
        return refuse(self, "a variable begins with $request.body");
    }
    if (expr->variable_count == ROUTE_EXPR_VARIABLES_MAX ||
        expr->part_count == PARTS_MAX) {
        return refuse(self, "too many variables");
    }
    self->at += sizeof root - 1;
    path_t *path = &expr->variables[expr->variable_count];
    while (rc == 0 && (*self->at == '.' || *self->at == '[')) {
        rc = *self->at++ == '.' ? compile_member(self, path)
                                : compile_bracket(self, path);
    }
    if (rc == 0 && path->count == 0) {
        rc = refuse(self, "$request.body needs a path, as in "
                          "$request.body.action");
    }
    expr->parts[expr->part_count++] =
        (part_t){.is_variable = true, .variable = expr->variable_count++};
    return rc;
}

static int compile_dollar(compiler_t *self)
{
    if (*self->at != '{') {
        return compile_variable(self);
    }
    self->at++;
    int rc = compile_variable(self);
    if (rc == 0 && *self->at != '}') {
        return refuse(self, "${ is not closed");
    }
    self->at++;
    return rc;
}

static int compile(compiler_t *self)
{
    int rc = 0;

    while (rc == 0 && *self->at != '\0') {
        if (*self->at == '$') {
            self->at++;
            rc = compile_dollar(self);
            continue;
        }
        if (*self->at == '\\' && self->at[1] == '\0') {
            return refuse(self, "a backslash at the end");
        }
        self->at += *self->at == '\\';
        rc = add_literal(self, self->at++, 1);
    }
    return rc;
}

int route_expr_compile(const char *text, route_expr_t **expr, char *error,
                       size_t error_size)
{
    compiler_t compiler = {.at = text};
    int rc;

    *expr = NULL;
    if (text[0] == '\0' || strlen(text) > ROUTE_EXPR_TEXT_MAX) {
        snprintf(error, error_size,
                 "a route selection expression has 1 to %d bytes",
                 ROUTE_EXPR_TEXT_MAX);
        return -EINVAL;
    }
    compiler.expr = xcalloc(1, sizeof *compiler.expr);
    rc = compile(&compiler);
    if (rc < 0) {
        snprintf(error, error_size, "%s (at character %d of %s)", compiler.why,
                 (int)(compiler.at - text) + 1, text);
        free(compiler.expr);
        return rc;
    }
    *expr = compiler.expr;
    return 0;
}

bool route_expr_varies(const route_expr_t *self)
{
    return self->variable_count > 0;
}

void route_expr_destroy(route_expr_t **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

/* --- walking the body -------------------------------------------------- */

typedef struct {
    const route_expr_t *expr;
    uint32_t matched[ROUTE_EXPR_VARIABLES_MAX];     /* steps that lead here */
    const uint8_t *start[ROUTE_EXPR_VARIABLES_MAX]; /* of the value found */
    wire_bytes_t found[ROUTE_EXPR_VARIABLES_MAX];   /* its bytes, or empty */
    bool is_led_to; /* the value at hand: by some path, wholly or in part */
    uint32_t depth; /* containers around */
    bool in_array;  /* the innermost of them is one */
    uint32_t index[STEPS_MAX]; /* of the element, in the outer ones */
    uint8_t is_array[ROUTE_EXPR_DEPTH_MAX / 8]; /* a bit for each container */
} walk_t;

static void push(walk_t *self, bool is_array)
{
    uint32_t level = self->depth++;
    uint8_t bit = (uint8_t)(1u << level % 8);

    self->is_array[level / 8] =
        (uint8_t)(is_array ? self->is_array[level / 8] | bit
                           : self->is_array[level / 8] & ~bit);
    self->in_array = is_array;
    if (level < STEPS_MAX) {
        self->index[level] = 0;
    }
}

/* Does this step lead to the member of that key, or to the element, at hand? */
static bool leads_here(const walk_t *self, const step_t *step, wire_bytes_t key)
{
    return self->in_array
               ? step->is_index && step->index == self->index[self->depth - 1]
               : !step->is_index && json_string_is(key, step->name);
}

/* A member or element begins: go on matching the paths that led so far. */
static void match(walk_t *self, wire_bytes_t key)
{
    uint32_t step = self->depth - 1;

    self->is_led_to = false;
    if (step >= STEPS_MAX) {
        return;
    }
    for (uint32_t v = 0; v < self->expr->variable_count; v++) {
        const path_t *path = &self->expr->variables[v];
        if (self->matched[v] == step && step < path->count &&
            leads_here(self, &path->steps[step], key)) {
            self->matched[v]++;
            self->found[v].len = 0; /* an equal name before counts no more */
            self->is_led_to = true;
        }
    }
}

static void begin_value(walk_t *self, const uint8_t *at)
{
    for (uint32_t v = 0; v < self->expr->variable_count; v++) {
        if (self->matched[v] == self->depth &&
            self->expr->variables[v].count == self->depth) {
            self->start[v] = at;
        }
    }
}

static void end_value(walk_t *self, const uint8_t *at)
{
    for (uint32_t v = 0; v < self->expr->variable_count; v++) {
        if (self->matched[v] != self->depth) {
            continue;
        }
        if (self->expr->variables[v].count == self->depth) {
            self->found[v] =
                (wire_bytes_t){self->start[v], (size_t)(at - self->start[v])};
        }
        self->matched[v]--;
    }
}

/* The innermost container is over, and is the value of what it is in. */
static void pop(walk_t *self, const uint8_t *at)
{
    if (--self->depth > 0) {
        uint32_t level = self->depth - 1;
        self->in_array = (self->is_array[level / 8] >> level % 8 & 1) != 0;
        end_value(self, at);
    }
}

/* In front of a member: get behind its key and the colon. */
static int take_key(wire_cursor_t *in, wire_bytes_t *key)
{
    json_skip_space(in);
    if (json_skip_string(in, key) < 0) {
        return -EPROTO;
    }
    json_skip_space(in);
    return wire_at_end(in) || *in->at++ != ':' ? -EPROTO : 0;
}

/* In front of a member or an element of the container that we are in, or of the
 * outermost value: get in front of the value, and know who leads there. */
static int go_to_value(walk_t *self, wire_cursor_t *in)
{
    wire_bytes_t key = {NULL, 0};

    if (self->depth == 0) {
        return 0;
    }
    if (!self->in_array && take_key(in, &key) < 0) {
        return -EPROTO;
    }
    match(self, key);
    return 0;
}

/*
 * Enter the container under the cursor.
 * Returns 0 in front of what is first in it, 1 when it is empty and over.
 */
static int enter(walk_t *self, wire_cursor_t *in)
{
    bool is_array = *in->at++ == '[';

    if (self->depth == ROUTE_EXPR_DEPTH_MAX) {
        return -EPROTO;
    }
    json_skip_space(in);
    if (!wire_at_end(in) && *in->at == (is_array ? ']' : '}')) {
        in->at++;
        return 1;
    }
    push(self, is_array);
    return 0;
}

/*
 * Behind a value: end the containers that end with it.
 * Returns 0 in front of the next member or element, 1 when the outermost value
 * is over.
 */
static int leave(walk_t *self, wire_cursor_t *in)
{
    while (self->depth > 0) {
        json_skip_space(in);
        if (wire_at_end(in)) {
            return -EPROTO;
        }
        uint8_t c = *in->at++;
        if (c == ',') {
            if (self->depth <= STEPS_MAX) {
                self->index[self->depth - 1]++;
            }
            return 0;
        }
        if (c != (self->in_array ? ']' : '}')) {
            return -EPROTO;
        }
        pop(self, in->at);
    }
    return 1;
}

/* A value that is no container: get behind it. */
static int take_plain(wire_cursor_t *in)
{
    wire_bytes_t inside;
    int rc =
        *in->at == '"' ? json_skip_string(in, &inside) : json_skip_scalar(in);

    return rc < 0 ? rc : 1;
}

/*
 * In front of a value: get behind it, or into it.
 * Returns 1 when it is over, and 0 as enter.
 */
static int take_value(walk_t *self, wire_cursor_t *in)
{
    json_skip_space(in);
    if (wire_at_end(in)) {
        return -EPROTO;
    }
    if (self->is_led_to) {
        begin_value(self, in->at);
    }
    int rc =
        *in->at == '{' || *in->at == '[' ? enter(self, in) : take_plain(in);
    if (rc == 1 && self->is_led_to) {
        end_value(self, in->at);
    }
    return rc;
}

static int walk(walk_t *self, wire_bytes_t body)
{
    wire_cursor_t in = wire_cursor(body);
    int rc;

    do {
        rc = go_to_value(self, &in);
        if (rc == 0) {
            rc = take_value(self, &in);
        }
        if (rc == 1) {
            rc = leave(self, &in);
        }
    } while (rc == 0);
    if (rc < 0) {
        return rc;
    }
    json_skip_space(&in);
    return wire_at_end(&in) ? 0 : -EPROTO;
}

/* --- the result -------------------------------------------------------- */

typedef struct {
    char *key;
    size_t len;
} result_t;

static int put(result_t *self, const void *bytes, size_t len)
{
    if (len > ROUTE_KEY_MAX - self->len) {
        return -ENOBUFS;
    }
    memcpy(self->key + self->len, bytes, len);
    self->len += len;
    return 0;
}

static int put_string(result_t *self, wire_bytes_t inside)
{
    int len = json_decode_string(inside, self->key + self->len,
                                 ROUTE_KEY_MAX - self->len);
    if (len < 0) {
        return len;
    }
    self->len += (size_t)len;
    return 0;
}

/* A value that is no array: a string without quotes, the rest as written. */
static int put_plain(result_t *self, wire_bytes_t value)
{
    if (value.data[0] == '"') {
        return put_string(self, (wire_bytes_t){value.data + 1, value.len - 2});
    }
    return put(self, value.data, value.len);
}

/* Move behind one value of a body that walk() passed. */
static wire_bytes_t skip_checked(wire_cursor_t *in)
{
    const uint8_t *start = in->at;
    wire_bytes_t inside;
    uint32_t depth = 0;

    do {
        uint8_t c = *in->at;
        if (c == '"') {
            (void)json_skip_string(in, &inside);
            continue;
        }
        bool is_end = depth == 0 && (c == ',' || c == ']');
        if (is_end) {
            break;
        }
        depth += c == '[' || c == '{' ? 1u : 0u;
        depth -= c == ']' || c == '}' ? 1u : 0u;
        in->at++;
    } while (!wire_at_end(in));
    while (in->at > start && (in->at[-1] == ' ' || in->at[-1] == '\t' ||
                              in->at[-1] == '\n' || in->at[-1] == '\r')) {
        in->at--;
    }
    return (wire_bytes_t){start, (size_t)(in->at - start)};
}

/* [item1, item2]: the items' texts, whatever space the client wrote. */
static int put_array(result_t *self, wire_bytes_t value)
{
    wire_cursor_t in =
        wire_cursor((wire_bytes_t){value.data + 1, value.len - 1});
    int rc = put(self, "[", 1);

    json_skip_space(&in);
    while (rc == 0 && *in.at != ']') {
        rc = put_plain(self, skip_checked(&in));
        json_skip_space(&in);
        if (rc == 0 && *in.at == ',') {
            in.at++;
            json_skip_space(&in);
            rc = put(self, ", ", 2);
        }
    }
    return rc < 0 ? rc : put(self, "]", 1);
}

static int put_part(result_t *self, const walk_t *walked, const part_t *part)
{
    if (!part->is_variable) {
        return put(self, part->literal.data, part->literal.len);
    }
    wire_bytes_t value = walked->found[part->variable];
    if (value.len == 0) {
        return 0;
    }
    return value.data[0] == '[' ? put_array(self, value)
                                : put_plain(self, value);
}

int route_expr_eval(const route_expr_t *self, wire_bytes_t body,
                    /* NOLINTNEXTLINE(readability-non-const-parameter) */
                    char key[ROUTE_KEY_MAX], size_t *len)
{
    result_t result = {key, 0};
    walk_t walked;
    int rc = 0;

    walked.expr = self;
    walked.depth = 0;
    walked.is_led_to = false;
    for (uint32_t v = 0; v < self->variable_count; v++) {
        walked.matched[v] = 0;
        walked.found[v].len = 0;
    }
    if (self->variable_count > 0) {
        rc = walk(&walked, body);
    }
    for (uint32_t i = 0; rc == 0 && i < self->part_count; i++) {
        rc = put_part(&result, &walked, &self->parts[i]);
    }
    *len = result.len;
    return rc == 0 && result.len == 0 ? -ENOENT : rc;
}
