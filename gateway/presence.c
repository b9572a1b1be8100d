/* SPDX-License-Identifier: MIT */
#include "gateway/presence.h"

#include "gateway/placement.h"

#include <errno.h>
#include <stdlib.h>

#define TOLD_PER_TURN  256 /* sessions that were touched */
#define LOOKS_PER_TURN 512 /* sessions, when somebody begins to watch */
#define NAMES_BYTES    ((size_t)GROUPS_MAX * (GROUP_MAX + 2))

struct presence {
    uint32_t era; /* hub->presences.era in which it holds */
    bool is_under_way;
    buf_t told;    /* str each: the groups that it was told to be in, last */
    buf_t details; /* of the PRESENCE that said so, until its REPLY */
};

/* --- what was told -------------------------------------------------------- */

/* NULL: nothing yet, or to nobody who still counts. */
static presence_t *told_of(const session_t *session)
{
    presence_t *self = session->presence;

    return self != NULL && self->era == session->hub->presences.era ? self
                                                                    : NULL;
}

static wire_cursor_t names_of(const presence_t *self)
{
    return self != NULL
               ? wire_cursor((wire_bytes_t){self->told.data, self->told.len})
               : wire_cursor((wire_bytes_t){NULL, 0});
}

static bool was_told(const presence_t *self, wire_bytes_t name)
{
    wire_cursor_t in = names_of(self);
    wire_bytes_t other;

    while (wire_get_str(&in, &other) == 0) {
        if (wire_equal(other, name)) {
            return true;
        }
    }
    return false;
}

static void forget(presence_t *self)
{
    buf_fini(&self->told);
    buf_fini(&self->details);
}

void presence_fini(session_t *session)
{
    if (session->presence != NULL) {
        forget(session->presence);
        free(session->presence);
        session->presence = NULL;
    }
}

static presence_t *make(session_t *session)
{
    presence_t *self = session->presence;
    uint32_t era = session->hub->presences.era;

    if (self == NULL && (self = calloc(1, sizeof *self)) != NULL) {
        buf_init(&self->told, NAMES_BYTES);
        buf_init(&self->details, DETAILS_MAX);
        self->era = era;
        session->presence = self;
    }
    if (self != NULL && self->era != era) {
        forget(self);
        self->era = era;
    }
    return self;
}

/* --- what is to be told --------------------------------------------------- */

/* A PRESENCE in the making. */
typedef struct {
    buf_t joined, left, told; /* str each */
    uint32_t joined_count, left_count;
} news_t;

static void news_init(news_t *news)
{
    *news = (news_t){.joined_count = 0};
    buf_init(&news->joined, NAMES_BYTES);
    buf_init(&news->left, NAMES_BYTES);
    buf_init(&news->told, NAMES_BYTES);
}

static void news_fini(news_t *news)
{
    buf_fini(&news->joined);
    buf_fini(&news->left);
    buf_fini(&news->told);
}

/* Who ends is in no group, although that may be settled a moment later. */
static int gather_joined(const session_t *session, news_t *news)
{
    const presence_t *self = told_of(session);
    const membership_t *at = NULL;
    int rc = 0;

    if (session->is_ending) {
        return 0;
    }
    while ((at = groups_named_after(&session->member, at)) != NULL) {
        wire_bytes_t name = {at->group->bytes, at->group->len};
        if ((rc = wire_put_str(&news->told, name)) < 0) {
            return rc;
        }
        if (!was_told(self, name)) {
            news->joined_count++;
            rc = wire_put_str(&news->joined, name);
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static bool is_in(const session_t *session, wire_bytes_t name)
{
    const group_t *group =
        groups_find(&session->hub->groups, GROUP_NAMED, name);

    return !session->is_ending && group != NULL &&
           groups_has(group, &session->member);
}

static int gather_left(const session_t *session, news_t *news)
{
    wire_cursor_t in = names_of(told_of(session));
    wire_bytes_t name;
    int rc = 0;

    while (rc == 0 && wire_get_str(&in, &name) == 0) {
        if (!is_in(session, name)) {
            news->left_count++;
            rc = wire_put_str(&news->left, name);
        }
    }
    return rc;
}

static int put_array(buf_t *out, const char *key, uint32_t count,
                     const buf_t *names)
{
    int rc = wire_put_text(out, key);

    if (rc == 0 && (rc = wire_put_array(out, count)) == 0) {
        rc = wire_put_raw(out, (wire_bytes_t){names->data, names->len});
    }
    return rc;
}

static int put_details(buf_t *out, const news_t *news)
{
    int rc = wire_put_map(out, 2);

    if (rc == 0 && (rc = put_array(out, "joined", news->joined_count,
                                   &news->joined)) == 0) {
        rc = put_array(out, "left", news->left_count, &news->left);
    }
    return rc;
}

/* --- telling -------------------------------------------------------------- */

static int put(session_t *session, const buf_t *details)
{
    char conn[CONN_ID_TEXT];
    message_request_t request = {
        .event = EVENT_PRESENCE,
        .conn = {(const uint8_t *)conn, sizeof conn},
        .route = wire_bytes("$presence"),
        .deadline_ms = (uint64_t)session->hub->options.request_ms,
        .details = {details->data, details->len},
    };

    conn_id_format(&session->id, conn);
    int rc = trips_put(session, session->link, &request);
    if (rc == 0) {
        session->hub->stats.presences++;
    } else if (list_is_empty(&session->wait)) {
        list_append(&session->link->waiting, &session->wait);
    }
    return rc;
}

/* What was said without a REPLY is said as it was: a handler may have seen it,
 * so that it is not for us to leave anything out. */
static void tell_again(session_t *session)
{
    presence_t *self = session->presence;

    self->is_under_way = put(session, &self->details) == 0;
}

static void tell_news(session_t *session, news_t *news)
{
    presence_t *self = make(session);
    buf_t details;

    buf_init(&details, DETAILS_MAX);
    if (self != NULL && put_details(&details, news) == 0 &&
        put(session, &details) == 0) {
        buf_t told = self->told;
        self->is_under_way = true;
        self->details = details;
        self->told = news->told;
        news->told = told;
        return;
    }
    buf_fini(&details);
}

/* May its broker be told now, as far as that goes? */
static bool may_tell(const session_t *session)
{
    const link_t *link = session->link;

    return session->is_known && link != NULL && link->state == LINK_UP &&
           link->is_watching && !session->is_arriving &&
           (session->is_ending || (!session->is_leaving && !link->is_draining));
}

static void tell(session_t *session)
{
    const presence_t *self = told_of(session);
    news_t news;

    if (!may_tell(session) || presence_is_under_way(session)) {
        return;
    }
    if (self != NULL && self->details.len > 0) {
        tell_again(session);
        return;
    }
    news_init(&news);
    if (gather_joined(session, &news) == 0 &&
        gather_left(session, &news) == 0 &&
        news.joined_count + news.left_count > 0) {
        tell_news(session, &news);
    }
    news_fini(&news);
}

bool presence_is_under_way(const session_t *session)
{
    return session->presence != NULL && session->presence->is_under_way;
}

/* Of what is under way only its REPLY says whether there is more to tell,
 * although nobody may have watched for a while. */
bool presence_holds(session_t *session)
{
    const presence_t *self = told_of(session);

    if (presence_is_under_way(session)) {
        return true;
    }
    bool is_owed = self != NULL && session->link->is_watching &&
                   (self->details.len > 0 || self->told.len > 0);
    if (is_owed) {
        tell(session);
    }
    return is_owed;
}

/* What was told while all else became void holds. */
static void renew(presence_t *self, uint32_t era)
{
    wire_cursor_t at;
    wire_bytes_t name;
    uint32_t count = 0;

    self->era = era;
    self->told.len = 0;
    if (wire_map_find((wire_bytes_t){self->details.data, self->details.len},
                      "joined", &at)) {
        (void)wire_get_array(&at, &count);
    }
    for (; count > 0 && wire_get_str(&at, &name) == 0; count--) {
        (void)wire_put_str(&self->told, name); /* it was as long before */
    }
}

void presence_abandoned(session_t *session)
{
    if (session->presence != NULL) {
        session->presence->is_under_way = false;
    }
}

/* It was told what is under way; who was told of no group costs nothing. */
static void settle(session_t *session)
{
    presence_t *self = session->presence;

    if (self->era != session->hub->presences.era) {
        renew(self, session->hub->presences.era);
    }
    buf_fini(&self->details);
    if (self->told.len == 0) {
        presence_fini(session);
    }
}

void presence_reply(session_t *session, uint64_t status)
{
    presence_abandoned(session);
    if (status != 503 && session->presence != NULL) {
        settle(session);
    }
    if (session->hub->link_count > 1) {
        placement_look(session); /* it was passed over meanwhile */
    }
    if (session->is_ending) {
        session_resume(session);
    } else {
        presence_touch(session);
    }
}

/* --- what another broker is told ------------------------------------------ */

/* Those that it was told to be in, and those of which it may not have been told
 * yet that it has left. */
int presence_put_groups(buf_t *out, const session_t *session)
{
    const presence_t *self = told_of(session);
    wire_bytes_t left = {NULL, 0}, name;
    wire_cursor_t in = names_of(self), at;
    uint32_t count = 0, left_count = 0;

    if (self == NULL) {
        return 1;
    }
    while (wire_get_str(&in, &name) == 0) {
        count++;
    }
    if (wire_map_find((wire_bytes_t){self->details.data, self->details.len},
                      "left", &at) &&
        wire_get_array(&at, &left_count) == 0) {
        left = (wire_bytes_t){at.at, (size_t)(at.end - at.at)};
    }
    if (count + left_count == 0) {
        return 1;
    }
    int rc = wire_put_array(out, count + left_count);
    if (rc == 0 &&
        (rc = wire_put_raw(
             out, (wire_bytes_t){self->told.data, self->told.len})) == 0) {
        rc = wire_put_raw(out, left);
    }
    return rc;
}

/* --- who is to be told ---------------------------------------------------- */

void presence_init(hub_t *hub)
{
    list_init(&hub->presences.changed);
}

bool presence_is_watched(const hub_t *hub)
{
    for (size_t i = 0; i < hub->link_count; i++) {
        if (hub->links[i]->is_watching) {
            return true;
        }
    }
    return false;
}

/* When nobody watches any more all that was told is void: who watches next
 * hears it anew. */
void presence_watch(hub_t *hub, link_t *link, bool is_watching)
{
    bool was_watched = presence_is_watched(hub);
    bool begins = is_watching && !link->is_watching;

    link->is_watching = is_watching;
    if (was_watched && !presence_is_watched(hub)) {
        hub->presences.era++;
    }
    if (begins) {
        hub->presences.is_looking = true;
        hub->presences.looked = 0;
    }
}

void presence_touch(session_t *session)
{
    bool has_any = session->member.named > 0 || session->presence != NULL;

    if (has_any && !session->is_ending && session->link != NULL &&
        session->link->is_watching && list_is_empty(&session->touched)) {
        list_append(&session->hub->presences.changed, &session->touched);
    }
}

static void look(hub_t *hub)
{
    presences_t *self = &hub->presences;

    for (int i = 0; i < LOOKS_PER_TURN && self->looked < hub->used; i++) {
        session_t *session = hub->table[self->looked++];
        if (session != NULL) {
            presence_touch(session);
        }
    }
    self->is_looking = self->looked < hub->used;
}

void presence_step(hub_t *hub)
{
    if (hub->presences.is_looking) {
        look(hub);
    }
    for (int i = 0; i < TOLD_PER_TURN; i++) {
        list_t *node = list_take(&hub->presences.changed);
        if (node == NULL) {
            return;
        }
        tell(list_entry(node, session_t, touched));
    }
}

bool presence_is_busy(const hub_t *hub)
{
    return hub->presences.is_looking || !list_is_empty(&hub->presences.changed);
}
