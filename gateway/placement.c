/* SPDX-License-Identifier: MIT */
#include "gateway/placement.h"

#include "gateway/presence.h"

#define LOOKS_PER_TURN 512 /* sessions, when a broker has joined */

/* --- where --------------------------------------------------------------- */

/* The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t key_of(const conn_id_t *id)
{
    uint64_t place =
        (uint64_t)id->loop << 40 | (uint64_t)id->slot << 16 | id->generation;

    return mix(place ^ (uint64_t)id->random << 32);
}

static link_t *highest(const hub_t *hub, const conn_id_t *id, bool may_be_young)
{
    uint64_t key = key_of(id), most = 0;
    link_t *best = NULL;

    for (size_t i = 0; i < hub->link_count; i++) {
        link_t *link = hub->links[i];
        uint64_t weight = mix(key ^ link->hash);
        bool is_fit = link->state == LINK_UP && !link->is_draining &&
                      (may_be_young || !link->is_young);
        if (is_fit && (best == NULL || weight > most)) {
            best = link;
            most = weight;
        }
    }
    return best;
}

link_t *placement_choose(const hub_t *hub, const conn_id_t *id)
{
    link_t *best = highest(hub, id, false);

    return best != NULL ? best : highest(hub, id, true);
}

/* --- moving -------------------------------------------------------------- */

/* Its new broker is told at the end of a turn; until then nothing is read. */
static void move(session_t *session, link_t *to)
{
    hub_t *hub = session->hub;

    if (session->is_told) {
        session->former = session->link;
        if (link_depart(session->former, &session->id) < 0) {
            log_braked(&hub->brake, LEVEL_WARN, "GATEWAY-DEPART-LOST",
                       "slot=%u", session->id.slot);
        }
    }
    list_remove(&session->wait);
    list_remove(&session->move);
    session->link = to;
    session->is_arriving = true;
    session->is_told = false;
    session->is_leaving = false;
    session->is_bound = false;
    list_append(&to->arriving, &session->move);
    hub->stats.moved++;
}

void placement_leave(session_t *session)
{
    bool may_leave = session->state == SESSION_OPEN && session->is_known &&
                     !session->is_ending && !session->is_bound &&
                     session->link->state == LINK_UP;
    link_t *best = placement_choose(session->hub, &session->id);

    if (may_leave && best != NULL && best != session->link) {
        if (session->in_flight == 0) {
            move(session, best);
        }
        return;
    }
    session->is_leaving = false;
    if (session->state == SESSION_OPEN) {
        session_resume(session);
    }
}

/* --- a broker is lost ---------------------------------------------------- */

static void move_if_lost(session_t *session)
{
    if (session == NULL || session->link == NULL || !session->is_known ||
        !session->link->is_lost) {
        return;
    }
    link_t *best = placement_choose(session->hub, &session->id);
    if (best != NULL) {
        move(session, best);
    }
}

/* Those whose CONNECT waited for room are not bound to it. */
static void release_waiting(link_t *link)
{
    list_t waiting, *node;

    list_init(&waiting);
    while ((node = list_take(&link->waiting)) != NULL) {
        list_append(&waiting, node);
    }
    while ((node = list_take(&waiting)) != NULL) {
        session_t *session = list_entry(node, session_t, wait);
        if (session->state == SESSION_WAITING) {
            session_resume(session);
        } else {
            list_append(&link->waiting, node);
        }
    }
}

void placement_lost(hub_t *hub, link_t *link)
{
    for (uint32_t slot = 0; slot < hub->used; slot++) {
        move_if_lost(hub->table[slot]);
    }
    release_waiting(link);
    placement_settled(hub);
}

void placement_drained(hub_t *hub, link_t *link)
{
    release_waiting(link);
    hub->is_placing = hub->link_count > 1;
    hub->placed = 0;
}

/* --- a broker joins ------------------------------------------------------ */

void placement_joined(hub_t *hub, link_t *link)
{
    for (uint32_t slot = 0; slot < hub->used; slot++) {
        session_t *session = hub->table[slot];
        move_if_lost(session);
        if (session != NULL &&
            (session->link == link || session->link == NULL)) {
            session_resume(session);
        }
    }
    placement_settled(hub);
}

/* Not before all are of age, lest connections move twice. */
void placement_settled(hub_t *hub)
{
    for (size_t i = 0; i < hub->link_count; i++) {
        if (hub->links[i]->state == LINK_UP && hub->links[i]->is_young) {
            return;
        }
    }
    hub->is_placing = hub->link_count > 1;
    hub->placed = 0;
}

/* Not while a PRESENCE is under way, which may take as long as it likes: what
 * is to leave is not read. */
void placement_look(session_t *session)
{
    if (session->link == NULL || session->link->state != LINK_UP ||
        session->is_ending || session->is_arriving || session->is_leaving ||
        session->is_bound || presence_is_under_way(session) ||
        !(session->is_known || session->is_connecting)) {
        return;
    }
    const link_t *best = placement_choose(session->hub, &session->id);
    if (best != NULL && best != session->link) {
        session->is_leaving = true;
        if (session->is_known) {
            placement_leave(session);
        }
    }
}

/* Those that have left wait unread until their broker is told, so there are
 * never more of them than it is told of in one part. */
static bool is_anyone_arriving(const hub_t *hub)
{
    for (size_t i = 0; i < hub->link_count; i++) {
        if (hub->links[i]->state == LINK_UP &&
            !list_is_empty(&hub->links[i]->arriving)) {
            return true;
        }
    }
    return false;
}

void placement_step(hub_t *hub)
{
    if (!hub->is_placing || is_anyone_arriving(hub)) {
        return;
    }
    for (int i = 0; i < LOOKS_PER_TURN && hub->placed < hub->used; i++) {
        session_t *session = hub->table[hub->placed++];
        if (session != NULL) {
            placement_look(session);
        }
    }
    hub->is_placing = hub->placed < hub->used;
}
