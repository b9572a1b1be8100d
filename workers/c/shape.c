/* SPDX-License-Identifier: MIT
 *
 * The walk knows the containers around where it stands, each with its rule and
 * with what came in it: that is also the path that is told.
 */
#include "workers/c/shape.h"

#include "proto/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INTEGER_MAX "9007199254740992" /* 2^53 */

/* --- walking the body ---------------------------------------------------- */

/* A container around where the walk stands. */
typedef struct {
    const hoist_rule *rule; /* borrowed; NULL: it may be anything */
    bool is_array;
    unsigned count;   /* members or elements that have begun */
    uint64_t seen;    /* the rules of members that have */
    wire_bytes_t key; /* of the member at hand */
} level_t;

typedef struct {
    level_t levels[SHAPE_DEPTH_MAX];
    unsigned depth, max_depth;
    const hoist_rule *rule; /* of the value at hand; NULL: anything will do */
    locale_t numbers;
    wire_cursor_t in;
    shape_verdict_t *verdict;
} walk_t;

static level_t *top(walk_t *self)
{
    return &self->levels[self->depth - 1];
}

/* A step of a JSON Pointer, cut where there is no more room. */
static void put_step(shape_verdict_t *verdict, const char *text, size_t len)
{
    char *path = verdict->path;
    size_t at = strlen(path);

    for (size_t i = 0; i <= len && at + 2 < sizeof verdict->path; i++) {
        char c = (char)(i == 0 ? '/' : text[i - 1]);
        if (i > 0 && (c == '~' || c == '/')) {
            path[at++] = '~';
            c = (char)(c == '~' ? '0' : '1');
        }
        path[at++] = c;
    }
    path[at] = '\0';
}

static void put_level(shape_verdict_t *verdict, const level_t *level)
{
    char text[SHAPE_PATH_MAX] = "";
    int len;

    if (level->is_array) {
        len = snprintf(text, sizeof text, "%u", level->count - 1);
    } else {
        len = json_decode_string(level->key, text, sizeof text);
    }
    /* Of a key that is too long what fits is there. */
    put_step(verdict, text, len < 0 ? strnlen(text, sizeof text) : (size_t)len);
}

/* Something is wrong with what lies so deep.  Returns -EPROTO. */
static int refuse_at(walk_t *self, unsigned depth, shape_problem_t problem,
                     const hoist_rule *rule)
{
    self->verdict->problem = problem;
    self->verdict->rule = rule;
    for (unsigned i = 0; i < depth; i++) {
        put_level(self->verdict, &self->levels[i]);
    }
    return -EPROTO;
}

static int refuse(walk_t *self, shape_problem_t problem)
{
    return refuse_at(self, self->depth, problem, self->rule);
}

static int refuse_json(walk_t *self)
{
    return refuse_at(self, 0, SHAPE_JSON, NULL);
}

/* --- scalars ------------------------------------------------------------- */

static bool is_one_of(wire_bytes_t inside, const char *const *choices)
{
    for (; *choices != NULL; choices++) {
        if (json_string_is(inside, wire_bytes(*choices))) {
            return true;
        }
    }
    return false;
}

static bool has_length(const hoist_rule *rule, size_t length)
{
    return length >= rule->min && (rule->max == 0 || length <= rule->max);
}

static int take_string(walk_t *self)
{
    const hoist_rule *rule = self->rule;
    wire_bytes_t inside;

    if (json_skip_string(&self->in, &inside) < 0) {
        return refuse_json(self);
    }
    if (rule == NULL || rule->type == HOIST_JSON_ANY) {
        return 0;
    }
    if (rule->type != HOIST_JSON_STRING) {
        return refuse(self, SHAPE_TYPE);
    }
    if ((rule->min > 0 || rule->max > 0) &&
        !has_length(rule, json_string_chars(inside))) {
        return refuse(self, SHAPE_LENGTH);
    }
    if (rule->choices != NULL && !is_one_of(inside, rule->choices)) {
        return refuse(self, SHAPE_CHOICE);
    }
    return 0;
}

static bool is_whole(wire_bytes_t number)
{
    for (size_t i = 0; i < number.len; i++) {
        if (strchr(".eE", number.data[i]) != NULL) {
            return false;
        }
    }
    return true;
}

/* In decimal: a double has rounded what is just beyond. */
static bool is_exact(wire_bytes_t integer)
{
    const size_t most = sizeof INTEGER_MAX - 1;
    bool has_sign = integer.data[0] == '-';
    size_t digits = integer.len - has_sign; /* JSON has no leading zeros */

    return digits < most || (digits == most && memcmp(integer.data + has_sign,
                                                      INTEGER_MAX, most) <= 0);
}

static int check_number(walk_t *self, wire_bytes_t number)
{
    const hoist_rule *rule = self->rule;
    bool is_integer = rule->type == HOIST_JSON_INTEGER;
    bool has_range = rule->least != 0 || rule->most != 0;
    char text[SHAPE_NUMBER_MAX + 1];

    if (is_integer && !is_whole(number)) {
        return refuse(self, SHAPE_TYPE);
    }
    if (!is_integer && !has_range) {
        return 0;
    }
    if (number.len > SHAPE_NUMBER_MAX || (is_integer && !is_exact(number))) {
        return refuse(self, SHAPE_RANGE);
    }
    memcpy(text, number.data, number.len);
    text[number.len] = '\0';
    double value = strtod_l(text, NULL, self->numbers);
    if (has_range && (value < rule->least || value > rule->most)) {
        return refuse(self, SHAPE_RANGE);
    }
    return 0;
}

static bool is_number_type(hoist_json_type type)
{
    return type == HOIST_JSON_NUMBER || type == HOIST_JSON_INTEGER;
}

/* A number, true, false or null. */
static int take_plain(walk_t *self)
{
    const hoist_rule *rule = self->rule;
    const uint8_t *start = self->in.at;

    if (json_skip_scalar(&self->in) < 0) {
        return refuse_json(self);
    }
    if (rule == NULL || rule->type == HOIST_JSON_ANY ||
        (*start == 'n' && rule->nullable)) {
        return 0;
    }
    if (*start == 't' || *start == 'f') {
        return rule->type == HOIST_JSON_BOOLEAN ? 0 : refuse(self, SHAPE_TYPE);
    }
    if (*start == 'n' || !is_number_type(rule->type)) {
        return refuse(self, SHAPE_TYPE);
    }
    return check_number(self,
                        (wire_bytes_t){start, (size_t)(self->in.at - start)});
}

/* --- containers ---------------------------------------------------------- */

static int begin_element(walk_t *self)
{
    level_t *level = top(self);

    level->count++;
    self->rule = level->rule != NULL ? level->rule->items : NULL;
    return 0;
}

/* The rule of the member at hand becomes that of its value. */
static int find_member(walk_t *self)
{
    level_t *level = top(self);
    const hoist_rule *members =
        level->rule != NULL ? level->rule->members : NULL;

    self->rule = NULL;
    if (members == NULL) {
        return 0;
    }
    for (unsigned i = 0; members[i].name != NULL; i++) {
        if (!json_string_is(level->key, wire_bytes(members[i].name))) {
            continue;
        }
        self->rule = &members[i];
        if ((level->seen >> i & 1) != 0) {
            return refuse(self, SHAPE_TWICE);
        }
        level->seen |= UINT64_C(1) << i;
        return 0;
    }
    return level->rule->open ? 0 : refuse(self, SHAPE_UNKNOWN);
}

static int begin_member(walk_t *self)
{
    level_t *level = top(self);

    json_skip_space(&self->in);
    if (json_skip_string(&self->in, &level->key) < 0) {
        return refuse_json(self);
    }
    json_skip_space(&self->in);
    if (wire_at_end(&self->in) || *self->in.at++ != ':') {
        return refuse_json(self);
    }
    level->count++;
    return find_member(self);
}

static int begin_value(walk_t *self)
{
    return top(self)->is_array ? begin_element(self) : begin_member(self);
}

static int check_members(walk_t *self)
{
    const level_t *level = top(self);
    const hoist_rule *members = level->rule->members;

    for (unsigned i = 0; members != NULL && members[i].name != NULL; i++) {
        if (!members[i].optional && (level->seen >> i & 1) == 0) {
            const char *name = members[i].name;
            int rc =
                refuse_at(self, self->depth - 1, SHAPE_MISSING, &members[i]);
            put_step(self->verdict, name, strlen(name));
            return rc;
        }
    }
    return 0;
}

/* Behind its bracket. */
static int end_container(walk_t *self)
{
    const level_t *level = top(self);
    const hoist_rule *rule = level->rule;
    int rc = 0;

    if (rule != NULL && !has_length(rule, level->count)) {
        rc = refuse_at(self, self->depth - 1, SHAPE_LENGTH, rule);
    } else if (rule != NULL && !level->is_array) {
        rc = check_members(self);
    }
    self->depth--;
    return rc;
}

/* Is it this bracket?  Then the cursor moves behind it. */
static bool take_bracket(walk_t *self, char bracket)
{
    json_skip_space(&self->in);
    if (wire_at_end(&self->in) || *self->in.at != (uint8_t)bracket) {
        return false;
    }
    self->in.at++;
    return true;
}

/* Returns 0 in front of its first value, 1 when it is empty and over. */
static int enter(walk_t *self)
{
    bool is_array = *self->in.at++ == '[';
    const hoist_rule *rule = self->rule;

    if (rule != NULL && rule->type == HOIST_JSON_ANY) {
        rule = NULL;
    }
    if (rule != NULL &&
        rule->type != (is_array ? HOIST_JSON_ARRAY : HOIST_JSON_OBJECT)) {
        return refuse(self, SHAPE_TYPE);
    }
    if (self->depth == self->max_depth) {
        return refuse_at(self, self->depth, SHAPE_DEPTH, NULL);
    }
    self->levels[self->depth++] = (level_t){.rule = rule, .is_array = is_array};
    if (take_bracket(self, is_array ? ']' : '}')) {
        int rc = end_container(self);
        return rc < 0 ? rc : 1;
    }
    return begin_value(self);
}

/* Behind a value: end the containers that end with it.
 * Returns 0 in front of the next value, 1 when the outermost one is over. */
static int leave(walk_t *self)
{
    while (self->depth > 0) {
        if (take_bracket(self, ',')) {
            return begin_value(self);
        }
        if (!take_bracket(self, top(self)->is_array ? ']' : '}')) {
            return refuse_json(self);
        }
        int rc = end_container(self);
        if (rc < 0) {
            return rc;
        }
    }
    return 1;
}

/* The value under the cursor, up to its end (1) or to its first inner value. */
static int take_value(walk_t *self)
{
    json_skip_space(&self->in);
    if (wire_at_end(&self->in)) {
        return refuse_json(self);
    }
    uint8_t c = *self->in.at;
    if (c == '{' || c == '[') {
        return enter(self);
    }
    int rc = c == '"' ? take_string(self) : take_plain(self);
    return rc < 0 ? rc : 1;
}

void shape_verify(const hoist_rule *rule, wire_bytes_t body, unsigned max_depth,
                  locale_t numbers, shape_verdict_t *verdict)
{
    walk_t walk;
    int rc;

    verdict->problem = SHAPE_FITS;
    verdict->rule = NULL;
    verdict->path[0] = '\0';
    walk.depth = 0;
    walk.max_depth = max_depth;
    walk.rule = rule;
    walk.numbers = numbers;
    walk.in = wire_cursor(body);
    walk.verdict = verdict;
    do {
        rc = take_value(&walk);
        if (rc == 1) {
            rc = leave(&walk);
        }
    } while (rc == 0);
    json_skip_space(&walk.in);
    if (rc == 1 && !wire_at_end(&walk.in)) {
        (void)refuse_json(&walk);
    }
}

const char *shape_problem_name(shape_problem_t problem)
{
    static const char *const names[] = {
        [SHAPE_FITS] = "none",       [SHAPE_JSON] = "json",
        [SHAPE_DEPTH] = "depth",     [SHAPE_TYPE] = "type",
        [SHAPE_MISSING] = "missing", [SHAPE_UNKNOWN] = "unknown",
        [SHAPE_TWICE] = "twice",     [SHAPE_LENGTH] = "length",
        [SHAPE_RANGE] = "range",     [SHAPE_CHOICE] = "choice",
    };

    return names[problem];
}
