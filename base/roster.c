/* SPDX-License-Identifier: MIT */
#include "base/roster.h"

#include "base/log.h"
#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <netdb.h>

/* --- slots --------------------------------------------------------------- */

static roster_slot_t *find(roster_t *self, const char *endpoint)
{
    for (size_t i = 0; i < self->max; i++) {
        roster_slot_t *slot = &self->slots[i];
        if (slot->endpoint != NULL && strcmp(slot->endpoint, endpoint) == 0) {
            return slot;
        }
    }
    return NULL;
}

/* The slot of the endpoint, a free one made its own, or NULL: all are taken. */
static roster_slot_t *occupy(roster_t *self, const char *endpoint)
{
    roster_slot_t *slot = find(self, endpoint);

    for (size_t i = 0; slot == NULL && i < self->max; i++) {
        if (self->slots[i].endpoint == NULL) {
            slot = &self->slots[i];
            slot->endpoint = xstrdup(endpoint);
        }
    }
    return slot;
}

static bool is_wanted(const roster_slot_t *slot)
{
    return slot->is_listed || slot->names != 0;
}

const char *roster_endpoint(const roster_t *self, size_t slot)
{
    return self->slots[slot].endpoint;
}

bool roster_wants(const roster_t *self, size_t slot)
{
    return is_wanted(&self->slots[slot]);
}

bool roster_is_late(const roster_t *self, size_t slot)
{
    return self->slots[slot].is_late;
}

void roster_release(roster_t *self, size_t slot)
{
    roster_slot_t *released = &self->slots[slot];

    must(released->endpoint != NULL && !is_wanted(released));
    log_info("RESOLVE-DROPPED", "broker=%s", released->endpoint);
    free(released->endpoint);
    *released = (roster_slot_t){0};
}

size_t roster_count(const roster_t *self)
{
    size_t count = 0;

    for (size_t i = 0; i < self->max; i++) {
        count += self->slots[i].endpoint != NULL;
    }
    return count;
}

/* --- start and end ------------------------------------------------------- */

static void add(roster_t *self, const endpoint_t *endpoint, const char *text)
{
    char address[ENDPOINT_TEXT];

    if (endpoint->kind == ENDPOINT_NAME) {
        self->names[self->name_count++] = (roster_name_t){
            .host = xstrdup(endpoint->host), .port = endpoint->port};
        return;
    }
    if (endpoint->kind == ENDPOINT_ADDRESS) {
        endpoint_format(endpoint->host, endpoint->port, address);
        text = address;
    }
    roster_slot_t *slot = occupy(self, text);
    must(slot != NULL); /* there are no more endpoints than slots */
    slot->is_listed = true;
}

int roster_init(roster_t *self, const char *list, size_t max)
{
    char *copy = xstrdup(list), *rest = copy, *text;
    endpoint_t endpoint;
    size_t count = 0;
    int rc = 0;

    must(max <= ROSTER_MAX);
    *self = (roster_t){.max = max};
    while (rc == 0 && (text = strsep(&rest, ",")) != NULL) {
        rc = count++ == max                        ? -E2BIG
             : endpoint_parse(text, &endpoint) < 0 ? -EINVAL
                                                   : 0;
        if (rc == 0) {
            add(self, &endpoint, text);
        }
    }
    free(copy);
    if (rc < 0) {
        roster_fini(self);
    }
    return rc;
}

void roster_fini(roster_t *self)
{
    for (size_t i = 0; i < self->name_count; i++) {
        free(self->names[i].host);
    }
    for (size_t i = 0; i < self->max; i++) {
        free(self->slots[i].endpoint);
    }
    *self = (roster_t){0};
}

/* --- answers ------------------------------------------------------------- */

/* Said when it changes, not at each try. */
static void note_error(roster_name_t *name, const answer_t *answer)
{
    bool is_news = !name->has_answered || name->error != answer->error;

    name->has_answered = true;
    name->error = answer->error;
    if (!is_news) {
        return;
    }
    if (answer->error != 0) {
        log_warn("RESOLVE-FAILED", "name=%s error=\"%s\"", name->host,
                 gai_strerror(answer->error));
    } else {
        log_info("RESOLVE-FOUND", "name=%s addresses=%u", name->host,
                 answer->count);
    }
}

static void note_omitted(roster_name_t *name, uint32_t omitted)
{
    if (omitted != name->omitted && omitted > 0) {
        log_warn("RESOLVE-MANY", "name=%s omitted=%u", name->host, omitted);
    }
    name->omitted = omitted;
}

/* Returns false when there is no slot for it. */
static bool take_address(roster_t *self, const answer_t *answer, uint32_t i)
{
    const roster_name_t *name = &self->names[answer->name];
    uint64_t bit = UINT64_C(1) << answer->name;
    char endpoint[ENDPOINT_TEXT];

    endpoint_format(answer->addresses[i], name->port, endpoint);
    roster_slot_t *slot = occupy(self, endpoint);
    if (slot == NULL) {
        return false;
    }
    if (!is_wanted(slot)) {
        log_info("RESOLVE-NEW", "name=%s broker=%s", name->host, endpoint);
        slot->is_late = name->was_found;
    }
    slot->names |= bit;
    return true;
}

static bool has(const answer_t *answer, uint16_t port, const char *endpoint)
{
    char text[ENDPOINT_TEXT];

    for (uint32_t i = 0; i < answer->count; i++) {
        endpoint_format(answer->addresses[i], port, text);
        if (strcmp(text, endpoint) == 0) {
            return true;
        }
    }
    return false;
}

static void drop_others(roster_t *self, const answer_t *answer)
{
    const roster_name_t *name = &self->names[answer->name];
    uint64_t bit = UINT64_C(1) << answer->name;

    for (size_t i = 0; i < self->max; i++) {
        roster_slot_t *slot = &self->slots[i];
        if ((slot->names & bit) == 0 ||
            has(answer, name->port, slot->endpoint)) {
            continue;
        }
        slot->names &= ~bit;
        if (!is_wanted(slot)) {
            log_info("RESOLVE-GONE", "name=%s broker=%s", name->host,
                     slot->endpoint);
        }
    }
}

void roster_answer(roster_t *self, const answer_t *answer)
{
    uint32_t omitted = answer->omitted;

    must(answer->name < self->name_count && answer->count <= ROSTER_MAX);
    roster_name_t *name = &self->names[answer->name];
    note_error(name, answer);
    if (answer->error != 0) {
        return;
    }
    drop_others(self, answer);
    for (uint32_t i = 0; i < answer->count; i++) {
        omitted += !take_address(self, answer, i);
    }
    note_omitted(name, omitted);
    name->was_found = true;
}
