/* SPDX-License-Identifier: MIT
 *
 * Who is in which group: names with their members, members with the groups
 * that they are in.  User and tenant of a connection are such names too, and
 * all that are open are one that has none.  Joining and leaving are constant
 * time (but for the few groups of one member); the memory is in proportion to
 * the memberships.  Pure; loop thread only.
 */
#ifndef GATEWAY_GROUPS_H
#define GATEWAY_GROUPS_H

#include "base/hash.h"
#include "base/table.h"
#include "proto/message.h"

typedef enum { GROUP_USER, GROUP_TENANT, GROUP_NAMED, GROUP_ALL } group_type_t;

typedef struct {
    hashed_t hashed;
    list_t changed; /* among those whose interest may be told, or alone */
    list_t members; /* membership_t.of_group, by their numbers */
    uint32_t count; /* of them */
    uint32_t index; /* in groups_t.listed */
    bool is_told;   /* brokers were told that it is here */
    uint8_t type;   /* group_type_t */
    uint32_t len;
    uint8_t bytes[];
} group_t;

/* What a session has of it. */
typedef struct {
    uint64_t served;    /* number of the last job that it has had: fanout.c */
    list_t memberships; /* membership_t.of_member */
    uint32_t named;     /* those of GROUP_NAMED */
} member_t;

typedef struct {
    list_t of_group, of_member;
    group_t *group;
    member_t *member;
    uint64_t number; /* of joining: later ones have higher ones */
} membership_t;

typedef struct {
    table_t table;      /* of all but GROUP_ALL */
    hash_key_t key;     /* random */
    uint64_t joined;    /* number of the last membership */
    uint32_t named_max; /* names that a member may have */
    group_t **listed;   /* owned; by index, NULL where free */
    uint32_t listed_used, listed_cap;
    uint32_t *free_index; /* owned; a stack */
    uint32_t free_count;
    group_t *all;    /* owned */
    list_t changed;  /* groups that came or went since they were told */
    list_t *walk;    /* the next membership of a walk, … */
    group_t *walked; /* … through this group; NULL: none is under way */
} groups_t;

/* named_max: groups that a connection may be in, at most GROUPS_MAX. */
void groups_init(groups_t *self, uint32_t named_max);
void groups_fini(groups_t *self); /* nobody is in any */

void member_init(member_t *member);

/* The group, or NULL.  GROUP_ALL needs no name and is always there. */
group_t *groups_find(const groups_t *self, group_type_t type,
                     wire_bytes_t name);

bool groups_has(const group_t *group, const member_t *member);

/* 0, also where it is a member already; -ENOSPC beyond named_max named ones;
 * -ENOMEM. */
int groups_join(groups_t *self, group_type_t type, wire_bytes_t name,
                member_t *member);

/* Harmless where it is none. */
void groups_leave(groups_t *self, group_t *group, member_t *member);
void groups_leave_all(groups_t *self, member_t *member);

/* Its membership, or NULL when it is not in the group. */
const membership_t *groups_membership(const group_t *group,
                                      const member_t *member);

/* The next one of the group behind it, or behind NULL the first; NULL when
 * there is none. */
const membership_t *groups_after(const group_t *group,
                                 const membership_t *membership);

/* The same of the named groups that a member is in. */
const membership_t *groups_named_after(const member_t *member,
                                       const membership_t *membership);

/* A walk through the members of one group, who may leave meanwhile.  One at a
 * time.  groups_walk_next returns NULL behind the last. */
void groups_walk(groups_t *self, group_t *group);
member_t *groups_walk_next(groups_t *self);

/* The next group whose first member came or whose last left since the call
 * before, or NULL.  Behind it the caller has told of it, and lets it go. */
group_t *groups_next_changed(groups_t *self);
void groups_settle(groups_t *self, group_t *group, bool is_told);

#endif
