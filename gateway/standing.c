/* SPDX-License-Identifier: MIT */
#include "gateway/standing.h"

#include "base/rand.h"
#include "base/xalloc.h"
#include "gateway/delivery.h"
#include "gateway/listing.h"
#include "gateway/placement.h"
#include "gateway/presence.h"

#include <stdlib.h>

#define BROKEN_MS    1000  /* for a transport to be made again */
#define KEEP_LOST_MS 60000 /* a broker may only have been cut off */

static void greet(hub_t *self, link_t *link)
{
    link_greeting_t greeting = {self->options.require_connect,
                                presence_is_watched(self)};

    link_greet(link, self->now_ms, self->boot, self->options.name, greeting);
}

/*
 * The outcome of what was on its way to a broker that is lost.  DISCONNECTs
 * are sent again when a broker is there.
 */
static void abandon_requests(hub_t *self, link_t *link)
{
    link_request_t request;
    uint32_t from = 0;
    uint64_t id;

    while (link_abandon_next(link, &from, &id, &request) == 0) {
        message_reply_t failed = {
            .id = id, .status = request.event == EVENT_CONNECT ? 502 : 500};
        trips_end(self, &request, failed.status);
        session_t *session = hub_find_slot(self, request.origin.slot,
                                           request.origin.conn_generation);
        if (session == NULL) {
            continue;
        }
        if (request.event == EVENT_CONNECT) {
            session_connect_reply(session, &failed);
        } else if (request.event == EVENT_MESSAGE) {
            session->is_bound = true; /* its handler may run all the same */
            session_message_reply(session, &failed, id, request.size);
        } else if (request.event == EVENT_PRESENCE) {
            presence_abandoned(session);
        } else {
            session->is_disconnecting = false;
        }
    }
}

static void part_from(hub_t *self, link_t *link)
{
    link->state = LINK_DOWN;
    link->is_lost = true;
    link->lost_ms = self->now_ms;
    link->broken_ms = 0;
    abandon_requests(self, link);
    placement_lost(self, link);
    greet(self, link);
}

static void lose_broker(hub_t *self, link_t *link, const char *why)
{
    log_warn("GATEWAY-BROKER-LOST", "broker=%s why=\"%s\" requests=%llu",
             link->endpoint, why, (unsigned long long)link->in_flight);
    self->stats.broker_lost++;
    part_from(self, link);
}

static void forget_all(hub_t *self, const char *why)
{
    for (uint32_t slot = 0; slot < self->used; slot++) {
        session_t *session = self->table[slot];
        if (session != NULL && session->is_known) {
            session_forget(session, 1012, why);
        }
    }
}

void standing_welcomed(hub_t *self, link_t *link,
                       const message_welcome_t *welcome)
{
    if (welcome->version != PROTOCOL_VERSION) {
        hub_malformed(self, "a WELCOME of a version that we do not speak");
        return;
    }
    link_welcome_t meaning = link_welcome(link, self->now_ms, welcome);
    if (meaning == LINK_UNCHANGED) {
        return;
    }
    presence_watch(self, link,
                   wire_map_bool(welcome->options, "presence", false));
    log_info("GATEWAY-BROKER-FOUND", "broker=%s boot=%s", link->endpoint,
             link->boot);
    if (meaning == LINK_RESET) {
        self->stats.broker_reset++;
        log_warn("GATEWAY-BROKER-RESET", "broker=%s requests=%llu",
                 link->endpoint, (unsigned long long)link->in_flight);
    }
    abandon_requests(self, link);
    if (meaning != LINK_RESUMED) {
        link_release_abandoned(link);
        delivery_forget(self, link);
    }
    listing_start(self, link, meaning);
}

/*
 * Another gateway has our loop number: greet with a new one, and as another
 * peer, so that brokers who know the old one end what it had.  Whoever is still
 * in the handshake gets it too.  Whoever a broker knew cannot keep its id, and
 * so not its connection.  Only a greeting is answered so; at another time it
 * would cost clients for nothing.
 */
static void change_loop(hub_t *self, const link_t *refused)
{
    if (refused->state != LINK_GREETING) {
        return;
    }
    for (size_t i = 0; i < self->link_count; i++) {
        abandon_requests(self, self->links[i]);
        link_release_abandoned(self->links[i]);
    }
    forget_all(self, "its id is no longer ours");
    rand_hex(self->boot);
    self->loop = rand_u32() & CONN_ID_LOOP_MAX;
    for (uint32_t slot = 0; slot < self->used; slot++) {
        if (self->table[slot] != NULL) {
            self->table[slot]->id.loop = self->loop;
        }
    }
    for (size_t i = 0; i < self->link_count; i++) {
        self->links[i]->loop = self->loop;
        self->links[i]->departed.len = 0;
        self->links[i]->forgetful = 0;
        greet(self, self->links[i]);
    }
}

void standing_refused(hub_t *self, const link_t *link,
                      const message_error_t *error)
{
    log_braked(&self->brake, LEVEL_WARN, "GATEWAY-BROKER-ERROR",
               "code=%.*s text=\"%.*s\"", (int)error->code.len,
               (const char *)error->code.data, (int)error->text.len,
               (const char *)error->text.data);
    if (wire_is(error->code, "loop")) {
        change_loop(self, link);
    }
}

/* The answer to what was said before the greeting is no news. */
void standing_asked(hub_t *self, link_t *link)
{
    if (link->state != LINK_GREETING ||
        self->now_ms - link->last_greeted_ms >= link->heartbeat_ms) {
        greet(self, link);
    }
}

/* It asked who we are, or seemed lost to itself, and our greeting is open. */
static bool owes_welcome(const link_t *link)
{
    return !link_stands(link) && !link->is_lost && link->boot[0] != '\0';
}

void standing_drains(hub_t *self, link_t *link)
{
    log_info("GATEWAY-BROKER-DRAINS", "broker=%s", link->endpoint);
    link_drain(link);
    placement_drained(self, link);
}

/* The end of a broker that has done its work is no trouble. */
void standing_left(hub_t *self, link_t *link)
{
    link->has_left = true;
    if (!link_stands(link) && !owes_welcome(link)) {
        return;
    }
    if (link->in_flight > 0) {
        lose_broker(self, link, "it said BYE");
        return;
    }
    log_info("GATEWAY-BROKER-LEFT", "broker=%s", link->endpoint);
    self->stats.broker_left++;
    part_from(self, link);
}

/* --- each turn ----------------------------------------------------------- */

/* Where there are others, a dead broker is not waited for. */
static bool is_dead(const hub_t *self, const link_t *link)
{
    return self->link_count > 1 && link->broken_ms > 0 &&
           self->now_ms - link->broken_ms >= BROKEN_MS;
}

/* NULL: it is there, or has been lost already. */
static const char *why_lost(const hub_t *self, const link_t *link)
{
    if (owes_welcome(link)) {
        return self->now_ms - link->last_stood_ms >= link->liveness_ms
                   ? "no WELCOME"
                   : NULL;
    }
    if (!link_stands(link)) {
        return NULL;
    }
    if (self->now_ms - link->last_heard_ms >= link->liveness_ms) {
        return "silence";
    }
    return is_dead(self, link) ? "its transport broke" : NULL;
}

static void say_missing(hub_t *self, link_t *link)
{
    const char *reason = missing_reason(&link->missing);

    log_warn("GATEWAY-BROKER-MISSING", "broker=%s ms=%lld reason=\"%s\"",
             link->endpoint,
             (long long)missing_said(&link->missing, self->now_ms), reason);
}

void standing_step(hub_t *self, link_t *link)
{
    const char *why = why_lost(self, link);

    if (link_stands(link)) {
        link->last_stood_ms = self->now_ms;
    }
    if (why != NULL) {
        lose_broker(self, link, why);
    } else if (!link_stands(link) && link->out.len == 0 &&
               self->now_ms - link->last_greeted_ms >= link->heartbeat_ms) {
        greet(self, link);
    }
    if (!self->is_draining && self->now_ms >= missing_due_ms(&link->missing)) {
        say_missing(self, link);
    }
    if (link->is_young && self->now_ms >= link->settles_ms) {
        link->is_young = false;
        placement_settled(self);
    }
}

/* --- brokers come and go ------------------------------------------------- */

link_t *standing_add(hub_t *self, uint32_t number, const char *endpoint,
                     int64_t settle_ms)
{
    link_t *link = xcalloc(1, sizeof *link);

    must(number < GATEWAY_BROKERS_MAX &&
         self->link_count < GATEWAY_BROKERS_MAX);
    link_init(link, endpoint, number, self->beginnings[number], self->loop,
              self->reserve);
    link->serial = self->link_serial++;
    link->unknown_until_ms = self->now_ms + settle_ms;
    self->links[self->link_count++] = link;
    greet(self, link);
    return link;
}

static bool is_anyone_at(const hub_t *self, const link_t *link)
{
    for (uint32_t slot = 0; slot < self->used; slot++) {
        if (self->table[slot] != NULL && self->table[slot]->link == link) {
            return true;
        }
    }
    return false;
}

/*
 * A broker that was lost and did not say BYE may live: it is to hear who left
 * it meanwhile (link->departed), so it is given time to come back.
 */
bool standing_is_spent(const hub_t *self, const link_t *link)
{
    bool never_came = link->boot[0] == '\0';
    bool is_gone =
        link->is_lost &&
        (link->has_left || self->now_ms - link->lost_ms >= KEEP_LOST_MS);

    return !link_stands(link) && (never_came || is_gone) &&
           !is_anyone_at(self, link);
}

static void forget_former(hub_t *self, const link_t *link)
{
    for (uint32_t slot = 0; slot < self->used; slot++) {
        if (self->table[slot] != NULL && self->table[slot]->former == link) {
            self->table[slot]->former = NULL;
        }
    }
}

void standing_remove(hub_t *self, link_t *link)
{
    size_t at = 0;

    while (self->links[at] != link) {
        at++;
    }
    must(list_is_empty(&link->waiting) && list_is_empty(&link->arriving));
    presence_watch(self, link, false);
    self->links[at] = self->links[--self->link_count];
    self->beginnings[link->number] = link_ending(link);
    forget_former(self, link);
    delivery_forget(self, link);
    link_fini(link);
    free(link);
}
