/* SPDX-License-Identifier: MIT */
#include "gateway/busiest.h"

#include <string.h>

#define REST_MS 250 /* between the beginnings of two walks, at least */

void busiest_ask(hub_t *hub)
{
    busiest_t *self = &hub->busiest;
    int64_t span_ms = hub->now_ms - self->began_ms;

    if (self->is_walking || span_ms < REST_MS) {
        return;
    }
    self->is_walking = true;
    self->slot = 0;
    self->found_count = 0;
    self->began_ms = hub->now_ms;
    self->span_ms = span_ms;
}

/* It takes its place among those that were found, if it has one. */
static void rank(busiest_t *self, const conn_id_t *id, uint32_t messages)
{
    size_t at = self->found_count;

    while (at > 0 && self->found[at - 1].messages < messages) {
        at--;
    }
    if (at == BUSIEST_MAX) {
        return;
    }
    if (self->found_count < BUSIEST_MAX) {
        self->found_count++;
    }
    memmove(&self->found[at + 1], &self->found[at],
            (self->found_count - at - 1) * sizeof self->found[0]);
    self->found[at] = (busy_t){*id, messages};
}

static void visit(busiest_t *self, session_t *session)
{
    uint32_t sum = session->messages_in + session->messages_out;
    uint32_t messages = sum - session->messages_seen;

    session->messages_seen = sum;
    if (messages > 0 && session->state == SESSION_OPEN) {
        rank(self, &session->id, messages);
    }
}

void busiest_step(hub_t *hub)
{
    busiest_t *self = &hub->busiest;

    if (!self->is_walking) {
        return;
    }
    for (int i = 0; i < BUSIEST_A_TURN && self->slot < hub->used; i++) {
        session_t *session = hub->table[self->slot++];
        if (session != NULL) {
            visit(self, session);
        }
    }
    if (self->slot >= hub->used) {
        self->is_walking = false;
        memcpy(self->told, self->found, sizeof self->told);
        self->told_count = self->found_count;
        self->told_ms = self->span_ms;
    }
}
