/* SPDX-License-Identifier: MIT
 *
 * A request's number is loop(24) index(20) generation(20): unique among
 * gateways, and it finds its entry without a search.  The generations of each
 * link begin elsewhere, so that among links, too, a number is not seen twice
 * before an entry was used 16384 times.
 */
#include "gateway/link.h"

#include "base/hash.h"
#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OUT_MAX        ((size_t)63 << 20) /* bytes; below the frame limit */
#define DEPARTED_MAX   ((size_t)2 * CONN_ID_SLOT_MAX * sizeof(conn_id_t))
#define NUMBER_SHIFT   14 /* of a link in the generations that it begins with */
#define FIRST_CAPACITY 64
#define PART_MASK      0xfffffu /* 20 bits */

/* Until the broker says otherwise. */
#define DEFAULT_HEARTBEAT_MS 1000
#define DEFAULT_LIVENESS_MS  3500

void link_init(link_t *self, const char *endpoint, uint32_t number,
               uint32_t beginning, uint32_t loop, uint64_t reserve)
{
    memset(self, 0, sizeof *self);
    self->endpoint = xstrdup(endpoint);
    self->hash = hash_bytes(endpoint, strlen(endpoint));
    self->number = number;
    self->beginning = beginning > 0 ? beginning : number << NUMBER_SHIFT;
    buf_init(&self->out, OUT_MAX);
    buf_init(&self->departed, DEPARTED_MAX);
    list_init(&self->waiting);
    list_init(&self->arriving);
    list_init(&self->told);
    self->loop = loop;
    self->reserve = reserve;
    self->heartbeat_ms = DEFAULT_HEARTBEAT_MS;
    self->liveness_ms = DEFAULT_LIVENESS_MS;
}

void link_fini(link_t *self)
{
    buf_fini(&self->out);
    buf_fini(&self->departed);
    free(self->endpoint);
    for (uint32_t i = 0; i < self->used; i++) {
        free(self->requests[i].origin.span);
    }
    free(self->requests);
    self->requests = NULL;
}

uint32_t link_ending(const link_t *self)
{
    uint32_t ending = self->beginning;

    for (uint32_t i = 0; i < self->used; i++) {
        uint32_t next = self->requests[i].generation + 1;
        ending = next > ending ? next : ending;
    }
    return ending;
}

/* The session that we remember, and whose it was. */
static int put_session(buf_t *options, const link_t *self)
{
    int rc;

    if ((rc = wire_put_text(options, "broker")) == 0 &&
        (rc = wire_put_text(options, self->boot)) == 0 &&
        (rc = wire_put_text(options, "session")) == 0) {
        rc = wire_put_uint(options, self->session);
    }
    return rc;
}

static int put_options(buf_t *options, const link_t *self,
                       link_greeting_t greeting)
{
    int rc = wire_put_map(options, 7);

    if (rc == 0 && (rc = wire_put_text(options, "loop")) == 0 &&
        (rc = wire_put_uint(options, self->loop)) == 0 &&
        (rc = wire_put_text(options, "require_connect")) == 0 &&
        (rc = wire_put_bool(options, greeting.require_connect)) == 0 &&
        (rc = wire_put_text(options, "presence")) == 0 &&
        (rc = wire_put_bool(options, greeting.presence)) == 0 &&
        (rc = wire_put_entry_bool(options, "returns", true)) == 0 &&
        (rc = wire_put_entry_uint(options, "watches", self->watches)) == 0) {
        rc = put_session(options, self);
    }
    return rc;
}

void link_greet(link_t *self, int64_t now_ms, const char *boot,
                const char *name, link_greeting_t greeting)
{
    buf_t options;

    buf_init(&options, 256);
    int rc = put_options(&options, self, greeting);
    message_hello_t hello = {
        .version = PROTOCOL_VERSION,
        .role = wire_bytes("gateway"),
        .boot = wire_bytes(boot),
        .name = wire_bytes(name),
        .options = {options.data, options.len},
    };
    /* Behind what waits to be sent: a broker that kept us will answer it, one
     * that knows us no longer ignores what comes before a greeting. */
    if (rc == 0) {
        (void)message_put_hello(&self->out, &hello);
    } /* else, or where there is no room: it is said again later */
    buf_fini(&options);
    self->state = LINK_GREETING;
    self->hears_names = self->is_naming = false;
    self->last_greeted_ms = now_ms;
    missing_begin(&self->missing, now_ms);
}

bool link_stands(const link_t *self)
{
    return self->state >= LINK_LISTING;
}

static link_welcome_t judge(const link_t *self,
                            const message_welcome_t *welcome)
{
    uint64_t session = wire_map_uint(welcome->options, "session", 0);
    bool is_same = wire_is(welcome->boot, self->boot);

    if (is_same && wire_map_bool(welcome->options, "returned", false)) {
        return LINK_RESET;
    }
    if (is_same && session == self->session) {
        return link_stands(self) ? LINK_UNCHANGED : LINK_RESUMED;
    }
    return wire_map_bool(welcome->options, "ended", false) ? LINK_GIVEN_UP
                                                           : LINK_FIRST;
}

/* A broker that has just started, or that is new to us, is avoided while there
 * is another. */
static void note_age(link_t *self, int64_t now_ms, wire_bytes_t options)
{
    uint64_t left_ms = wire_map_uint(options, "settles_ms", 0);

    self->settles_ms =
        now_ms + (int64_t)(left_ms < DURATION_MAX ? left_ms : DURATION_MAX);
    if (self->settles_ms < self->unknown_until_ms) {
        self->settles_ms = self->unknown_until_ms;
    }
    self->is_young = self->settles_ms > now_ms;
}

link_welcome_t link_welcome(link_t *self, int64_t now_ms,
                            const message_welcome_t *welcome)
{
    link_welcome_t meaning = judge(self, welcome);

    if (meaning == LINK_UNCHANGED) {
        return meaning;
    }
    memcpy(self->boot, welcome->boot.data, welcome->boot.len);
    self->boot[welcome->boot.len] = '\0';
    self->session = wire_map_uint(welcome->options, "session", 0);
    if (meaning == LINK_FIRST || meaning == LINK_GIVEN_UP) {
        self->watches = 0;
    }
    self->credits_closes = wire_map_bool(welcome->options, "returns", false);
    if (meaning != LINK_RESUMED) { /* what it pushed before is settled */
        self->credit_messages = 0;
        self->credit_bytes = 0;
    }
    self->pongs = self->pings; /* those to an earlier life do not count */
    self->is_draining = false;
    self->state = LINK_LISTING;
    self->is_lost = false;
    self->has_left = false;
    missing_end(&self->missing);
    note_age(self, now_ms, welcome->options);
    if (welcome->heartbeat_ms > 0) {
        self->heartbeat_ms = (int64_t)welcome->heartbeat_ms;
    }
    if (welcome->liveness_ms > 0) {
        self->liveness_ms = (int64_t)welcome->liveness_ms;
    }
    self->window = wire_map_uint(welcome->options, "window", 1);
    self->window_bytes = wire_map_uint(welcome->options, "window_bytes", 1);
    self->push_window = wire_map_uint(welcome->options, "push_window", 0);
    self->push_window_bytes =
        wire_map_uint(welcome->options, "push_window_bytes", 0);
    return meaning;
}

static void put_ping(link_t *self)
{
    message_ping_t ping = {.in_flight = self->in_flight,
                           .number = self->pings + 1};

    if (message_put_ping(&self->out, &ping) == 0) {
        self->pings++;
    }
}

void link_drain(link_t *self)
{
    if (link_stands(self) && !self->is_draining &&
        message_put_bare(&self->out, KIND_DRAIN) == 0) {
        self->is_draining = true;
    }
}

bool link_may_list(const link_t *self)
{
    return link_stands(self) && self->pongs >= self->pings;
}

void link_listed(link_t *self)
{
    put_ping(self);
}

int link_depart(link_t *self, const conn_id_t *id)
{
    return buf_put(&self->departed, id, sizeof *id);
}

void link_up(link_t *self)
{
    self->state = LINK_UP;
}

void link_broke(link_t *self, int64_t now_ms)
{
    if (link_stands(self) && self->broken_ms == 0) {
        self->broken_ms = now_ms;
        put_ping(self); /* the first word on the next transport */
    }
}

void link_sent(link_t *self, int64_t now_ms)
{
    self->last_sent_ms = now_ms;
    self->missing.has_sent = true;
}

void link_refused(link_t *self, const char *reason)
{
    self->missing.refusal = reason;
}

void link_pong(link_t *self, const message_pong_t *pong)
{
    self->pongs = message_pong_answers(pong, self->pongs);
}

static bool takes_requests(const link_t *self)
{
    return self->state == LINK_UP && self->broken_ms == 0;
}

bool link_has_room(const link_t *self)
{
    return takes_requests(self) && !self->is_draining &&
           self->in_flight < self->window &&
           (self->in_flight == 0 ||
            self->in_flight_bytes + self->reserve <= self->window_bytes);
}

bool link_has_turn(const link_t *self)
{
    return link_has_room(self) &&
           (self->is_feeding || list_is_empty(&self->waiting));
}

/* --- the table of requests --------------------------------------------- */

static int grow(link_t *self)
{
    uint32_t capacity =
        self->capacity > 0 ? self->capacity * 2 : FIRST_CAPACITY;
    link_request_t *requests =
        realloc(self->requests, capacity * sizeof *requests);
    if (requests == NULL) {
        return -ENOMEM;
    }
    memset(requests + self->capacity, 0,
           (capacity - self->capacity) * sizeof *requests);
    for (uint32_t i = self->capacity; i < capacity; i++) {
        requests[i].generation = self->beginning;
    }
    self->requests = requests;
    self->capacity = capacity;
    return 0;
}

/* The index of a free entry, which is left where it is. */
static int peek_free(link_t *self, uint32_t *index)
{
    if (self->free_head > 0) {
        *index = self->free_head - 1;
        return 0;
    }
    if (self->used == LINK_REQUESTS_MAX) {
        return -EAGAIN;
    }
    if (self->used == self->capacity && grow(self) < 0) {
        return -ENOMEM;
    }
    *index = self->used;
    return 0;
}

static void occupy(link_t *self, uint32_t index)
{
    if (self->free_head > 0) {
        self->free_head = self->requests[index].next_free;
    } else {
        self->used++;
    }
}

static uint64_t number_of(const link_t *self, uint32_t index)
{
    return (uint64_t)self->loop << 40 | (uint64_t)index << 20 |
           (self->requests[index].generation & PART_MASK);
}

int link_put(link_t *self, message_request_t *request,
             const link_origin_t *origin)
{
    size_t before = self->out.len;
    uint32_t index;

    if (!takes_requests(self) ||
        (event_is_counted(request->event) && !link_has_room(self))) {
        return -EAGAIN;
    }
    int rc = peek_free(self, &index);
    if (rc < 0) {
        return rc;
    }
    request->id = number_of(self, index);
    request->number = request->id;
    rc = message_put_request(&self->out, request);
    if (rc < 0) {
        return rc;
    }
    occupy(self, index);
    link_request_t *entry = &self->requests[index];
    entry->origin = *origin;
    entry->event = (uint8_t)request->event;
    entry->size = (uint32_t)(self->out.len - before);
    if (event_is_counted(entry->event)) {
        self->in_flight++;
        self->in_flight_bytes += entry->size;
    }
    return 0;
}

static void release(link_t *self, uint32_t index)
{
    link_request_t *entry = &self->requests[index];

    if (event_is_counted(entry->event)) {
        self->in_flight--;
        self->in_flight_bytes -= entry->size;
    }
    entry->event = 0;
    entry->origin.span = NULL; /* who took it has it */
    entry->is_abandoned = false;
    entry->generation++;
    entry->next_free = self->free_head;
    self->free_head = index + 1;
}

int link_take(link_t *self, uint64_t id, link_request_t *request)
{
    uint32_t index = (uint32_t)(id >> 20) & PART_MASK;

    if (index >= self->used || self->requests[index].event == 0 ||
        number_of(self, index) != id) {
        return -ENOENT;
    }
    *request = self->requests[index];
    release(self, index);
    return request->is_abandoned ? -ESTALE : 0;
}

int link_abandon_next(link_t *self, uint32_t *from, uint64_t *id,
                      link_request_t *request)
{
    for (; *from < self->used; (*from)++) {
        link_request_t *entry = &self->requests[*from];
        if (entry->event != 0 && !entry->is_abandoned) {
            *id = number_of(self, *from);
            *request = *entry;
            entry->origin.span = NULL;
            entry->is_abandoned = true;
            return 0;
        }
    }
    return -ENOENT;
}

void link_release_abandoned(link_t *self)
{
    for (uint32_t i = 0; i < self->used; i++) {
        if (self->requests[i].is_abandoned) {
            release(self, i);
        }
    }
}

/* --- end of turn ------------------------------------------------------- */

void link_credit(link_t *self, uint64_t messages, uint64_t bytes)
{
    self->credit_messages += messages;
    self->credit_bytes += bytes;
}

/* It is worth a frame of its own when a worker may lack it, be all of it that
 * worker's, or when it has waited. */
static bool is_due(const link_t *self, int64_t now_ms)
{
    return self->out.len > 0 ||
           self->credit_messages * CREDIT_SHARE >= self->push_window ||
           self->credit_bytes * CREDIT_SHARE >= self->push_window_bytes ||
           now_ms - self->credit_since_ms >= CREDIT_MS;
}

static void give_credit(link_t *self, int64_t now_ms)
{
    message_credit_t credit = {self->credit_messages, self->credit_bytes};

    if (credit.messages == 0) {
        self->credit_since_ms = now_ms;
    } else if (is_due(self, now_ms) &&
               message_put_credit(&self->out, &credit) == 0) {
        self->credit_messages = 0;
        self->credit_bytes = 0;
        self->credit_since_ms = now_ms;
    } /* without memory the next turn finds it still due */
}

void link_settle(link_t *self, int64_t now_ms)
{
    if (!link_stands(self)) {
        return;
    }
    give_credit(self, now_ms);
    if (self->out.len == 0 &&
        now_ms - self->last_sent_ms >= self->heartbeat_ms) {
        put_ping(self);
    }
}
