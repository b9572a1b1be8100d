/* SPDX-License-Identifier: MIT
 *
 * A group without members stays until the end of the turn, so that one which
 * empties and fills again is not told of.
 */
#include "gateway/groups.h"

#include "base/rand.h"
#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 64
#define FIRST_LISTED  64

/* --- the table ----------------------------------------------------------- */

static uint64_t hash_of(const groups_t *self, group_type_t type,
                        wire_bytes_t name)
{
    return hash_keyed(&self->key, name.data, name.len) + type;
}

group_t *groups_find(const groups_t *self, group_type_t type, wire_bytes_t name)
{
    if (type == GROUP_ALL) {
        return self->all;
    }
    uint64_t hash = hash_of(self, type, name);
    for (hashed_t *at = table_first(&self->table, hash); at != NULL;
         at = table_next(&self->table, at)) {
        group_t *group = list_entry(at, group_t, hashed);
        if (group->type == type &&
            wire_equal((wire_bytes_t){group->bytes, group->len}, name)) {
            return group;
        }
    }
    return NULL;
}

static int grow_listed(groups_t *self)
{
    uint32_t cap = self->listed_cap > 0 ? self->listed_cap * 2 : FIRST_LISTED;
    group_t **listed = realloc(self->listed, cap * sizeof(group_t *));

    if (listed == NULL) {
        return -ENOMEM;
    }
    self->listed = listed;
    uint32_t *unused = realloc(self->free_index, cap * sizeof *unused);
    if (unused == NULL) {
        return -ENOMEM;
    }
    self->free_index = unused;
    self->listed_cap = cap;
    return 0;
}

static group_t *make(group_type_t type, wire_bytes_t name)
{
    group_t *group = calloc(1, sizeof *group + name.len);

    if (group != NULL) {
        list_init(&group->changed);
        list_init(&group->members);
        group->type = (uint8_t)type;
        group->len = (uint32_t)name.len;
        if (name.len > 0) {
            memcpy(group->bytes, name.data, name.len);
        }
    }
    return group;
}

static group_t *add(groups_t *self, group_type_t type, wire_bytes_t name)
{
    if (self->free_count == 0 && self->listed_used == self->listed_cap &&
        grow_listed(self) < 0) {
        return NULL;
    }
    group_t *group = make(type, name);
    if (group == NULL) {
        return NULL;
    }
    group->index = self->free_count > 0 ? self->free_index[--self->free_count]
                                        : self->listed_used++;
    self->listed[group->index] = group;
    table_add(&self->table, &group->hashed, hash_of(self, type, name));
    return group;
}

static void discard(groups_t *self, group_t *group)
{
    self->listed[group->index] = NULL;
    self->free_index[self->free_count++] = group->index;
    table_remove(&self->table, &group->hashed);
    list_remove(&group->changed);
    free(group);
}

static void note_change(groups_t *self, group_t *group)
{
    if (group != self->all && list_is_empty(&group->changed)) {
        list_append(&self->changed, &group->changed);
    }
}

/* --- members ------------------------------------------------------------- */

void member_init(member_t *member)
{
    list_init(&member->memberships);
    member->named = 0;
    member->served = 0;
}

static membership_t *find_membership(const group_t *group,
                                     const member_t *member)
{
    list_foreach(node, &member->memberships) {
        membership_t *found = list_entry(node, membership_t, of_member);
        if (found->group == group) {
            return found;
        }
    }
    return NULL;
}

bool groups_has(const group_t *group, const member_t *member)
{
    return find_membership(group, member) != NULL;
}

int groups_join(groups_t *self, group_type_t type, wire_bytes_t name,
                member_t *member)
{
    group_t *group = groups_find(self, type, name);

    if (group != NULL && groups_has(group, member)) {
        return 0;
    }
    if (type == GROUP_NAMED && member->named >= self->named_max) {
        return -ENOSPC;
    }
    membership_t *membership = malloc(sizeof *membership);
    if (membership == NULL) {
        return -ENOMEM;
    }
    if (group == NULL && (group = add(self, type, name)) == NULL) {
        free(membership);
        return -ENOMEM;
    }
    membership->group = group;
    membership->member = member;
    membership->number = ++self->joined;
    list_append(&group->members, &membership->of_group);
    list_append(&member->memberships, &membership->of_member);
    member->named += type == GROUP_NAMED;
    if (group->count++ == 0) {
        note_change(self, group);
    }
    return 0;
}

static void remove_membership(groups_t *self, membership_t *membership)
{
    group_t *group = membership->group;

    if (self->walk == &membership->of_group) {
        self->walk = membership->of_group.next;
    }
    membership->member->named -= group->type == GROUP_NAMED;
    list_remove(&membership->of_group);
    list_remove(&membership->of_member);
    free(membership);
    if (--group->count == 0) {
        note_change(self, group);
    }
}

void groups_leave(groups_t *self, group_t *group, member_t *member)
{
    membership_t *membership = find_membership(group, member);

    if (membership != NULL) {
        remove_membership(self, membership);
    }
}

void groups_leave_all(groups_t *self, member_t *member)
{
    while (!list_is_empty(&member->memberships)) {
        list_t *node = list_peek(&member->memberships);
        remove_membership(self, list_entry(node, membership_t, of_member));
    }
}

/* --- looking ------------------------------------------------------------- */

const membership_t *groups_membership(const group_t *group,
                                      const member_t *member)
{
    return find_membership(group, member);
}

const membership_t *groups_after(const group_t *group,
                                 const membership_t *membership)
{
    const list_t *at =
        membership != NULL ? &membership->of_group : &group->members;

    return at->next != &group->members
               ? list_entry(at->next, membership_t, of_group)
               : NULL;
}

const membership_t *groups_named_after(const member_t *member,
                                       const membership_t *membership)
{
    const list_t *first = &member->memberships;
    const list_t *at = membership != NULL ? &membership->of_member : first;

    for (; at->next != first; at = at->next) {
        membership_t *next = list_entry(at->next, membership_t, of_member);
        if (next->group->type == GROUP_NAMED) {
            return next;
        }
    }
    return NULL;
}

/* --- walking ------------------------------------------------------------- */

void groups_walk(groups_t *self, group_t *group)
{
    self->walked = group;
    self->walk = group->members.next;
}

member_t *groups_walk_next(groups_t *self)
{
    if (self->walked == NULL || self->walk == &self->walked->members) {
        self->walked = NULL;
        self->walk = NULL;
        return NULL;
    }
    membership_t *membership = list_entry(self->walk, membership_t, of_group);
    self->walk = self->walk->next;
    return membership->member;
}

/* --- changes ------------------------------------------------------------- */

group_t *groups_next_changed(groups_t *self)
{
    list_t *node = list_take(&self->changed);

    return node != NULL ? list_entry(node, group_t, changed) : NULL;
}

void groups_settle(groups_t *self, group_t *group, bool is_told)
{
    group->is_told = is_told;
    if (group->count > 0) {
        return;
    }
    if (self->walked == group) {
        self->walked = NULL;
        self->walk = NULL;
    }
    discard(self, group);
}

/* --- life ---------------------------------------------------------------- */

void groups_init(groups_t *self, uint32_t named_max)
{
    memset(self, 0, sizeof *self);
    rand_bytes(&self->key, sizeof self->key);
    self->named_max = named_max;
    must(table_init(&self->table, FIRST_BUCKETS) == 0);
    list_init(&self->changed);
    self->all = make(GROUP_ALL, (wire_bytes_t){NULL, 0});
    must(self->all != NULL);
}

void groups_fini(groups_t *self)
{
    if (self->all == NULL) {
        return; /* never begun */
    }
    must(self->all->count == 0);
    for (group_t *group; (group = groups_next_changed(self)) != NULL;) {
        groups_settle(self, group, false);
    }
    must(self->table.count == 0);
    free(self->all);
    table_fini(&self->table);
    free(self->listed);
    free(self->free_index);
    self->all = NULL;
}
