/* SPDX-License-Identifier: MIT */
#include "gateway/listing.h"

#include "gateway/placement.h"
#include "gateway/presence.h"
#include "gateway/telling.h"

#include <string.h>

#define SYNC_BYTES (1u << 20) /* of the list in one SYNC */

/* Of one line of it, at most. */
#define LINE_BYTES (CONTEXT_MAX + PRESENCE_GROUPS_BYTES + 64)

/* --- parts --------------------------------------------------------------- */

/* [connection, context], or with groups behind them. */
static int put_line(buf_t *list, const conn_id_t *id, wire_bytes_t context,
                    const buf_t *groups)
{
    char conn[CONN_ID_TEXT];
    size_t start = list->len;
    bool has_groups = groups != NULL && groups->len > 0;

    conn_id_format(id, conn);
    int rc = wire_put_array(list, has_groups ? 3 : 2);
    if (rc == 0 &&
        (rc = wire_put_str(
             list, (wire_bytes_t){(uint8_t *)conn, sizeof conn})) == 0) {
        rc = context.data == NULL ? wire_put_map(list, 0)
                                  : wire_put_raw(list, context);
    }
    if (rc == 0 && has_groups) {
        rc = wire_put_raw(list, (wire_bytes_t){groups->data, groups->len});
    }
    if (rc < 0) {
        list->len = start;
    }
    return rc;
}

static int put_known(buf_t *list, const session_t *session)
{
    wire_bytes_t context = {session->context, session->context_len};
    buf_t groups;

    buf_init(&groups, PRESENCE_GROUPS_BYTES);
    int rc = presence_put_groups(&groups, session);
    rc = rc < 0 ? rc : put_line(list, &session->id, context, &groups);
    buf_fini(&groups);
    return rc;
}

static int put_part(link_t *link, const buf_t *entries, uint32_t count,
                    bool more, sync_change_t change)
{
    buf_t array;

    buf_init(&array, entries->limit + 8);
    int rc = wire_put_array(&array, count);
    if (rc == 0) {
        rc = wire_put_raw(&array, (wire_bytes_t){entries->data, entries->len});
    }
    if (rc == 0) {
        message_sync_t sync = {
            {array.data, array.len}, more, link->session, change};
        rc = message_put_sync(&link->out, &sync);
    }
    buf_fini(&array);
    return rc;
}

/* --- the list ------------------------------------------------------------ */

/*
 * It left this broker, and its next one has not confirmed that it has it: both
 * keep it for now, since somebody is to make its DISCONNECT if we die.
 */
static bool is_on_its_way(const link_t *from, const session_t *session)
{
    return session->former == from && !list_is_empty(&session->move);
}

/* As many as one SYNC takes, or memory; returns the slot to go on with. */
static uint32_t gather_known(const hub_t *hub, const link_t *link, buf_t *list,
                             uint32_t *count)
{
    uint32_t slot = link->listed;

    for (; slot < hub->used && list->len < SYNC_BYTES; slot++) {
        session_t *session = hub->table[slot];
        if (session == NULL || !session->is_known ||
            (session->link != link && !is_on_its_way(link, session))) {
            continue;
        }
        if (put_known(list, session) < 0) {
            break;
        }
        session->is_told |= session->link == link;
        (*count)++;
    }
    return slot;
}

/*
 * Every connection that the broker knows, or is to learn the end of.  Requests
 * wait until the list is whole, so nobody becomes known behind the slot that it
 * has come to.
 */
static void put_list(hub_t *hub, link_t *link)
{
    buf_t list;
    uint32_t count = 0;

    buf_init(&list, SYNC_BYTES + LINE_BYTES);
    uint32_t slot = gather_known(hub, link, &list, &count);
    bool more = slot < hub->used;
    int rc = put_part(link, &list, count, more, SYNC_LIST);
    buf_fini(&list);
    if (rc < 0) {
        return; /* what is before it has not left: the next turn tries again */
    }
    link->listed = slot;
    if (more) {
        link_listed(link);
    } else {
        link_up(link);
        telling_start(hub, link);
        if (!list_is_empty(&link->told)) {
            link_listed(link); /* whose PONG says that it has them */
        }
        placement_joined(hub, link);
    }
}

/* --- those that went ----------------------------------------------------- */

/*
 * Returns how many bytes of the departed need no more looking at.  Who is still
 * on the way comes behind all others, to be looked at again.
 */
static size_t gather_departed(const hub_t *hub, link_t *link, buf_t *list,
                              uint32_t *count)
{
    size_t at = 0, end = link->departed.len;
    conn_id_t id;

    for (; at < end && list->len < SYNC_BYTES; at += sizeof id) {
        memcpy(&id, link->departed.data + at, sizeof id);
        const session_t *session = hub_find(hub, &id);
        if (session != NULL && session->link == link) {
            continue; /* it has come back */
        }
        bool is_later = session != NULL && is_on_its_way(link, session);
        if (is_later ? link_depart(link, &id) < 0
                     : put_line(list, &id, (wire_bytes_t){NULL, 0}, NULL) < 0) {
            break;
        }
        *count += !is_later;
    }
    return at;
}

/* Returns false when there was nothing to say. */
static bool put_departed(const hub_t *hub, link_t *link)
{
    buf_t list;
    uint32_t count = 0;
    int rc = 0;

    if (link->departed.len == 0) {
        return false;
    }
    buf_init(&list, SYNC_BYTES + LINE_BYTES);
    size_t size = gather_departed(hub, link, &list, &count);
    if (count > 0) {
        rc = put_part(link, &list, count, false, SYNC_DROP);
    }
    buf_fini(&list);
    if (count > 0 && rc == 0) {
        link->forgetful = size;
        link_listed(link);
    } else if (count == 0) {
        buf_drop(&link->departed, size);
    }
    return count > 0;
}

/* --- those that come ----------------------------------------------------- */

static uint32_t gather_arriving(const link_t *link, buf_t *list)
{
    uint32_t count = 0;

    list_foreach(node, &link->arriving) {
        if (list->len >= SYNC_BYTES ||
            put_known(list, list_entry(node, session_t, move)) < 0) {
            break;
        }
        count++;
    }
    return count;
}

/* The first of those that arrive are told: they may go on. */
static void let_in(link_t *link, uint32_t count)
{
    for (; count > 0; count--) {
        session_t *session =
            list_entry(list_take(&link->arriving), session_t, move);
        list_append(&link->told, &session->move);
        session->is_arriving = false;
        session->is_told = true;
    }
    list_foreach_safe(node, &link->told) {
        session_resume(list_entry(node, session_t, move));
    }
}

static void put_arriving(link_t *link)
{
    buf_t list;

    if (list_is_empty(&link->arriving)) {
        return;
    }
    buf_init(&list, SYNC_BYTES + LINE_BYTES);
    uint32_t count = gather_arriving(link, &list);
    int rc = put_part(link, &list, count, false, SYNC_ADD);
    buf_fini(&list);
    if (rc == 0) {
        link_listed(link);
        let_in(link, count);
    }
}

/* --- turns --------------------------------------------------------------- */

/* It has read all that it was told; of a list that has just begun it was told
 * nothing yet. */
static void confirm(link_t *link)
{
    list_t *node;

    while (link->state == LINK_UP && (node = list_take(&link->told)) != NULL) {
        session_resume(list_entry(node, session_t, move)); /* it may end now */
    }
    if (link->forgetful > 0) {
        buf_drop(&link->departed, link->forgetful);
        link->forgetful = 0;
    }
}

void listing_step(hub_t *hub, link_t *link)
{
    if (!link_may_list(link)) {
        return;
    }
    confirm(link);
    if (put_departed(hub, link)) {
        return; /* some of those that come may be among them */
    }
    if (link->state == LINK_LISTING) {
        put_list(hub, link);
    } else {
        put_arriving(link);
    }
}

/* --- a WELCOME ----------------------------------------------------------- */

/* Whether it heard of them is not known: they are told of again. */
static void tell_again(link_t *link)
{
    for (list_t *node; (node = list_take(&link->told)) != NULL;) {
        list_entry(node, session_t, move)->is_arriving = true;
        list_append(&link->arriving, node);
    }
}

static const char lost[] = "gateway was counted lost";

/*
 * It has ended those that it knew.  Of those that it may not have heard of, or
 * that went elsewhere meanwhile, the DISCONNECT is still owed: said a second
 * time rather than never.
 */
static void end_given_up(hub_t *hub, link_t *link)
{
    for (uint32_t slot = 0; slot < hub->used; slot++) {
        session_t *session = hub->table[slot];
        if (session == NULL || session->link != link || !session->is_known ||
            !session->is_told) {
            continue;
        }
        if (list_is_empty(&session->move)) {
            session_forget(session, 1012, lost);
        } else {
            session_close(session, 1012, wire_bytes(lost));
        }
    }
    for (size_t at = 0; at < link->departed.len; at += sizeof(conn_id_t)) {
        conn_id_t id;
        memcpy(&id, link->departed.data + at, sizeof id);
        session_t *session = hub_find(hub, &id);
        if (session != NULL && session->state == SESSION_OPEN) {
            session_close(session, 1012, wire_bytes(lost));
        }
    }
}

/* It knows nobody any more. */
static void forget_departed(hub_t *hub, link_t *link)
{
    link->departed.len = 0;
    for (uint32_t slot = 0; slot < hub->used; slot++) {
        session_t *session = hub->table[slot];
        if (session != NULL && session->former == link) {
            session->former = NULL;
        }
    }
}

void listing_start(hub_t *hub, link_t *link, link_welcome_t meaning)
{
    link->listed = 0;
    link->forgetful = 0;
    if (meaning == LINK_GIVEN_UP) {
        hub->stats.given_up++;
        end_given_up(hub, link);
    }
    if (meaning == LINK_RESUMED || meaning == LINK_RESET) {
        tell_again(link);
        return;
    }
    /* The list names those that it was told of, too: they are on their way
     * until it has read that. */
    forget_departed(hub, link);
}
