/* SPDX-License-Identifier: MIT */
#include "gateway/telling.h"

#define PART_BYTES  (1u << 20)  /* of the names in one INTEREST */
#define NAMES_BYTES (32u << 20) /* that come or go in one turn */

/* Names on their way into an INTEREST. */
typedef struct {
    buf_t names;
    uint32_t count;
} part_t;

static void part_init(part_t *part, size_t limit)
{
    buf_init(&part->names, limit);
    part->count = 0;
}

static int put_name(part_t *part, const group_t *group)
{
    static const char *const words[] = {[GROUP_USER] = "user",
                                        [GROUP_TENANT] = "tenant",
                                        [GROUP_NAMED] = "group"};
    wire_bytes_t name = {group->bytes, group->len};
    size_t start = part->names.len;
    int rc = wire_put_array(&part->names, 2);

    if (rc == 0 &&
        (rc = wire_put_text(&part->names, words[group->type])) == 0) {
        rc = wire_put_str(&part->names, name);
    }
    if (rc < 0) {
        part->names.len = start;
        return rc;
    }
    part->count++;
    return 0;
}

static int say(link_t *link, const part_t *part, interest_change_t change,
               bool more)
{
    wire_bytes_t names = {part->names.data, part->names.len};
    buf_t array;

    buf_init(&array, part->names.len + 8);
    int rc = wire_put_array(&array, part->count);
    if (rc == 0) {
        rc = wire_put_raw(&array, names);
    }
    if (rc == 0) {
        message_interest_t interest = {
            change, {array.data, array.len}, more, link->session};
        rc = message_put_interest(&link->out, &interest);
    }
    buf_fini(&array);
    return rc;
}

/* --- the list ------------------------------------------------------------ */

/* As many as one part takes, or memory; returns where to go on. */
static uint32_t gather(const hub_t *hub, const link_t *link, part_t *part)
{
    const groups_t *groups = &hub->groups;
    uint32_t at = link->named;

    for (; at < groups->listed_used && part->names.len < PART_BYTES; at++) {
        const group_t *group = groups->listed[at];
        if (group != NULL && group->count > 0 && put_name(part, group) < 0) {
            break;
        }
    }
    return at;
}

void telling_step(hub_t *hub, link_t *link)
{
    part_t part;

    if (link->state != LINK_UP || !link->is_naming) {
        return;
    }
    part_init(&part, PART_BYTES + 1024);
    uint32_t at = gather(hub, link, &part);
    bool more = at < hub->groups.listed_used;
    if (say(link, &part, INTEREST_LIST, more) == 0) {
        link->named = at;
        link->is_naming = more;
        link->hears_names = true;
    } /* else the next turn tries again */
    buf_fini(&part.names);
}

static void start_again(link_t *link)
{
    link->named = 0;
    link->is_naming = true;
}

void telling_start(hub_t *hub, link_t *link)
{
    start_again(link);
    telling_step(hub, link);
}

/* --- changes ------------------------------------------------------------- */

/* Returns false when it is more than can be said, or no memory. */
static bool sort_changes(hub_t *hub, part_t *came, part_t *left)
{
    group_t *group;
    bool is_whole = true;

    while ((group = groups_next_changed(&hub->groups)) != NULL) {
        bool is_here = group->count > 0;
        if (is_here != group->is_told) {
            is_whole &= put_name(is_here ? came : left, group) == 0;
        }
        groups_settle(&hub->groups, group, is_here);
    }
    return is_whole;
}

static void tell(link_t *link, const part_t *came, const part_t *left)
{
    if ((came->count > 0 && say(link, came, INTEREST_CAME, false) < 0) ||
        (left->count > 0 && say(link, left, INTEREST_LEFT, false) < 0)) {
        start_again(link);
    }
}

void telling_flush(hub_t *hub)
{
    part_t came, left;

    if (list_is_empty(&hub->groups.changed)) {
        return;
    }
    part_init(&came, NAMES_BYTES);
    part_init(&left, NAMES_BYTES);
    bool is_whole = sort_changes(hub, &came, &left);
    for (size_t i = 0; i < hub->link_count; i++) {
        link_t *link = hub->links[i];
        if (link->state == LINK_UP && link->hears_names && !is_whole) {
            start_again(link);
        } else if (link->state == LINK_UP && link->hears_names) {
            tell(link, &came, &left);
        }
    }
    buf_fini(&came.names);
    buf_fini(&left.names);
}
