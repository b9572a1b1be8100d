/* SPDX-License-Identifier: MIT
 *
 * Rules may lead back to themselves, so what they lead to is found first, each
 * list once, and then looked at.
 */
#include "workers/c/shape.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Lists that were found; each is looked at once. */
typedef struct {
    const hoist_rule *lists[SHAPE_LISTS_MAX];
    const char *names[SHAPE_LISTS_MAX]; /* of the member with it; NULL: none */
    bool are_members[SHAPE_LISTS_MAX];  /* a list; else a single rule */
    size_t count;
    char *words; /* borrowed: of a fault */
} found_t;

/* Of the member of that name, or of the items of one. */
static int fail(const found_t *self, int rc, const char *what, const char *name,
                const char *why)
{
    (void)snprintf(self->words, SHAPE_FAULT_MAX + 1, "%s%s%.128s: %s", what,
                   name != NULL ? " " : "", name != NULL ? name : "", why);
    return rc;
}

/* name: of the member that leads to it. */
static int find(found_t *self, const hoist_rule *list, bool are_members,
                const char *name)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->lists[i] == list && self->are_members[i] == are_members) {
            return 0;
        }
    }
    if (self->count == SHAPE_LISTS_MAX) {
        return fail(self, -E2BIG, "member", name,
                    "there are more than 256 lists of members and rules of "
                    "items");
    }
    self->lists[self->count] = list;
    self->names[self->count] = name;
    self->are_members[self->count++] = are_members;
    return 0;
}

static const char *fault_of_range(const hoist_rule *rule)
{
    bool is_number =
        rule->type == HOIST_JSON_NUMBER || rule->type == HOIST_JSON_INTEGER;
    bool has_range = rule->least != 0 || rule->most != 0;

    if (has_range && !is_number) {
        return "least and most are for numbers";
    }
    return has_range && !(rule->least <= rule->most) ? "least is above most"
                                                     : NULL;
}

static const char *fault_of_length(const hoist_rule *rule)
{
    bool has_length = rule->min != 0 || rule->max != 0;
    bool can_have_length = rule->type == HOIST_JSON_OBJECT ||
                           rule->type == HOIST_JSON_ARRAY ||
                           rule->type == HOIST_JSON_STRING;

    if (has_length && !can_have_length) {
        return "min and max are for strings, arrays and objects";
    }
    return rule->max != 0 && rule->min > rule->max ? "min is above max" : NULL;
}

/* What asks for something that its type cannot be, or NULL. */
static const char *fault_of(const hoist_rule *rule)
{
    if ((unsigned)rule->type > HOIST_JSON_BOOLEAN) {
        return "type is none of hoist_json_type";
    }
    if (rule->choices != NULL && rule->type != HOIST_JSON_STRING) {
        return "choices are for strings";
    }
    if ((rule->members != NULL || rule->open) &&
        rule->type != HOIST_JSON_OBJECT) {
        return "members and open are for objects";
    }
    if (rule->items != NULL && rule->type != HOIST_JSON_ARRAY) {
        return "items are for arrays";
    }
    const char *why = fault_of_range(rule);
    return why != NULL ? why : fault_of_length(rule);
}

/* what, name: of the value that it is for. */
static int check_rule(found_t *found, const hoist_rule *rule, const char *what,
                      const char *name)
{
    const char *why = fault_of(rule);

    if (why != NULL) {
        return fail(found, -EINVAL, what, name, why);
    }
    int rc = rule->members != NULL ? find(found, rule->members, true, name) : 0;
    return rc == 0 && rule->items != NULL
               ? find(found, rule->items, false, name)
               : rc;
}

static bool is_repeated(const hoist_rule *list, const hoist_rule *rule)
{
    for (const hoist_rule *other = list; other < rule; other++) {
        if (strcmp(other->name, rule->name) == 0) {
            return true;
        }
    }
    return false;
}

static int check_list(found_t *found, const hoist_rule *list)
{
    size_t count = 0;

    for (const hoist_rule *rule = list; rule->name != NULL; rule++) {
        if (++count > SHAPE_MEMBERS_MAX) {
            return fail(found, -E2BIG, "member", rule->name,
                        "there are more than 64 in its object");
        }
        if (is_repeated(list, rule)) {
            return fail(found, -EINVAL, "member", rule->name,
                        "it is there twice");
        }
        int rc = check_rule(found, rule, "member", rule->name);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): words are written */
int shape_check(const hoist_rule *rule, char words[SHAPE_FAULT_MAX + 1])
{
    found_t found = {.words = words};
    int rc = find(&found, rule, false, NULL);

    for (size_t i = 0; rc == 0 && i < found.count; i++) {
        const char *what = i == 0 ? "the body" : "the items of";
        rc = found.are_members[i]
                 ? check_list(&found, found.lists[i])
                 : check_rule(&found, found.lists[i], what, found.names[i]);
    }
    return rc;
}
