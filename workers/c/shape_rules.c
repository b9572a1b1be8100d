/* SPDX-License-Identifier: MIT
 *
 * Rules may lead back to themselves, so what they lead to is found first, each
 * list once, and then looked at.
 */
#include "workers/c/shape.h"

#include <errno.h>
#include <string.h>

/* Lists that were found; each is looked at once. */
typedef struct {
    const hoist_rule *lists[SHAPE_LISTS_MAX];
    bool are_members[SHAPE_LISTS_MAX]; /* a list; else a single rule */
    size_t count;
} found_t;

static int find(found_t *self, const hoist_rule *list, bool are_members)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->lists[i] == list && self->are_members[i] == are_members) {
            return 0;
        }
    }
    if (self->count == SHAPE_LISTS_MAX) {
        return -E2BIG;
    }
    self->lists[self->count] = list;
    self->are_members[self->count++] = are_members;
    return 0;
}

static int check_rule(found_t *found, const hoist_rule *rule)
{
    bool is_number =
        rule->type == HOIST_JSON_NUMBER || rule->type == HOIST_JSON_INTEGER;
    bool has_range = rule->least != 0 || rule->most != 0;
    bool has_length = rule->min != 0 || rule->max != 0;
    bool can_have_length = rule->type == HOIST_JSON_OBJECT ||
                           rule->type == HOIST_JSON_ARRAY ||
                           rule->type == HOIST_JSON_STRING;

    if ((unsigned)rule->type > HOIST_JSON_BOOLEAN ||
        (has_range && (!is_number || !(rule->least <= rule->most))) ||
        (has_length && !can_have_length) ||
        (rule->max != 0 && rule->min > rule->max) ||
        (rule->choices != NULL && rule->type != HOIST_JSON_STRING) ||
        ((rule->members != NULL || rule->open) &&
         rule->type != HOIST_JSON_OBJECT) ||
        (rule->items != NULL && rule->type != HOIST_JSON_ARRAY)) {
        return -EINVAL;
    }
    int rc = rule->members != NULL ? find(found, rule->members, true) : 0;
    return rc == 0 && rule->items != NULL ? find(found, rule->items, false)
                                          : rc;
}

static int check_list(found_t *found, const hoist_rule *list)
{
    size_t count = 0;

    for (const hoist_rule *rule = list; rule->name != NULL; rule++) {
        int rc = ++count > SHAPE_MEMBERS_MAX ? -E2BIG : check_rule(found, rule);
        if (rc < 0) {
            return rc;
        }
        for (const hoist_rule *other = list; other < rule; other++) {
            if (strcmp(other->name, rule->name) == 0) {
                return -EINVAL;
            }
        }
    }
    return 0;
}

int shape_check(const hoist_rule *rule)
{
    found_t found = {.count = 0};
    int rc = find(&found, rule, false);

    for (size_t i = 0; rc == 0 && i < found.count; i++) {
        rc = found.are_members[i] ? check_list(&found, found.lists[i])
                                  : check_rule(&found, found.lists[i]);
    }
    return rc;
}
