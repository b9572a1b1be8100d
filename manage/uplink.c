/* SPDX-License-Identifier: MIT */
#include "manage/uplink.h"

#include "base/xalloc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FIRST_HEARTBEAT_MS 1000 /* until a WELCOME says better */
#define FIRST_LIVENESS_MS  10000
#define OUT_MAX            ((size_t)48 << 20) /* bytes; a frame may have 64 MiB */
#define OUT_KEEP           65536

static void format_boot(const uplink_t *self, char boot[BOOT_ID_MAX + 1])
{
    snprintf(boot, BOOT_ID_MAX + 1, "%.*s.%u", UPLINK_BOOT_MAX, self->boot,
             self->lives);
}

static void put_hello(uplink_t *self, int64_t now_ms)
{
    char boot[BOOT_ID_MAX + 1];

    format_boot(self, boot);
    message_hello_t hello = {
        .version = PROTOCOL_VERSION,
        .role = wire_bytes("manager"),
        .boot = wire_bytes(boot),
        .name = wire_bytes(self->name),
    };
    self->greeted_ms = now_ms;
    must(message_put_hello(&self->out, &hello) == 0); /* `out` was empty */
}

/* The start of a life, before which nothing counts. */
static void greet(uplink_t *self, int64_t now_ms)
{
    self->state = UPLINK_GREETING;
    self->lives++;
    self->pushes = self->push_bytes = 0;
    buf_reset(&self->out, OUT_KEEP);
    put_hello(self, now_ms);
}

void uplink_init(uplink_t *self, size_t slot, const char *endpoint,
                 const char *boot, const char *name, int64_t now_ms)
{
    *self = (uplink_t){.slot = slot,
                       .endpoint = endpoint,
                       .boot = boot,
                       .name = name,
                       .heartbeat_ms = FIRST_HEARTBEAT_MS,
                       .liveness_ms = FIRST_LIVENESS_MS,
                       .heard_ms = now_ms,
                       .sent_ms = now_ms};
    buf_init(&self->out, OUT_MAX);
    greet(self, now_ms);
}

void uplink_fini(uplink_t *self)
{
    buf_fini(&self->out);
}

/* --- what a broker says -------------------------------------------------- */

static bool is_for_us(const uplink_t *self, const message_welcome_t *welcome)
{
    char boot[BOOT_ID_MAX + 1];

    format_boot(self, boot);
    return welcome->version == PROTOCOL_VERSION &&
           wire_is(wire_map_str(welcome->options, "peer"), boot);
}

/* A second one to one greeting says nothing new, unless we were given up
 * between the two. */
static uplink_event_t
take_welcome(uplink_t *self, const message_welcome_t *welcome, int64_t now_ms)
{
    wire_bytes_t options = welcome->options;
    uint64_t session = wire_map_uint(options, "session", 0);

    if (!is_for_us(self, welcome)) {
        return UPLINK_OWN;
    }
    if (self->state == UPLINK_UP) {
        if (session == self->session && wire_is(welcome->boot, self->broker)) {
            return UPLINK_OWN;
        }
        greet(self, now_ms);
        return UPLINK_LOST;
    }
    self->state = UPLINK_UP;
    self->session = session;
    if (!wire_is(welcome->boot, self->broker)) {
        self->met_ms = now_ms;
    }
    memcpy(self->broker, welcome->boot.data, welcome->boot.len);
    self->broker[welcome->boot.len] = '\0';
    self->heartbeat_ms = (int64_t)welcome->heartbeat_ms;
    self->liveness_ms = (int64_t)welcome->liveness_ms;
    self->push_window = wire_map_uint(options, "push_window", 1);
    self->push_window_bytes = wire_map_uint(options, "push_window_bytes", 1);
    log_info("MANAGE-BROKER-UP", "broker=%s", self->endpoint);
    return UPLINK_OWN;
}

static uplink_event_t lose(uplink_t *self, const char *why, int64_t now_ms)
{
    log_warn("MANAGE-BROKER-LOST", "broker=%s reason=%s", self->endpoint, why);
    greet(self, now_ms);
    return UPLINK_LOST;
}

static uplink_event_t take_bye(uplink_t *self, int64_t now_ms)
{
    log_info("MANAGE-BROKER-LEFT", "broker=%s", self->endpoint);
    greet(self, now_ms);
    return UPLINK_LOST;
}

static void take_credit(uplink_t *self, const message_credit_t *credit)
{
    self->pushes -=
        credit->messages < self->pushes ? credit->messages : self->pushes;
    self->push_bytes -=
        credit->bytes < self->push_bytes ? credit->bytes : self->push_bytes;
}

static uplink_event_t take_while_up(uplink_t *self, const message_t *message,
                                    int64_t now_ms)
{
    switch (message->kind) {
    case KIND_WHO:
        return lose(self, "who", now_ms);
    case KIND_BYE:
        return take_bye(self, now_ms);
    case KIND_CREDIT:
        take_credit(self, &message->credit);
        return UPLINK_OWN;
    case KIND_PUSHED:
    case KIND_RESULT:
        return UPLINK_NEWS;
    default: /* PONG; GONE, which PUSHED says as well */
        return UPLINK_OWN;
    }
}

uplink_event_t uplink_take(uplink_t *self, const message_t *message,
                           int64_t now_ms)
{
    if (message->kind == KIND_WELCOME) {
        return take_welcome(self, &message->welcome, now_ms);
    }
    return self->state == UPLINK_UP ? take_while_up(self, message, now_ms)
                                    : UPLINK_OWN;
}

/* --- time ---------------------------------------------------------------- */

uplink_event_t uplink_tick(uplink_t *self, int64_t now_ms)
{
    if (self->state == UPLINK_UP &&
        now_ms - self->heard_ms > self->liveness_ms) {
        return lose(self, "silent", now_ms);
    }
    if (self->state == UPLINK_GREETING && self->out.len == 0 &&
        now_ms - self->greeted_ms >= self->heartbeat_ms) {
        put_hello(self, now_ms);
    }
    if (self->state == UPLINK_UP && self->out.len == 0 &&
        now_ms - self->sent_ms >= self->heartbeat_ms) {
        must(message_put_ping(&self->out, &(message_ping_t){0}) == 0);
    }
    return UPLINK_OWN;
}

uplink_event_t uplink_broken(uplink_t *self, int64_t now_ms)
{
    if (self->state == UPLINK_UP) {
        return lose(self, "broken", now_ms);
    }
    if (self->out.len == 0) { /* the greeting may be lost */
        put_hello(self, now_ms);
    }
    return UPLINK_OWN;
}

bool uplink_is_settled(const uplink_t *self, int64_t now_ms)
{
    return self->state == UPLINK_UP &&
           now_ms - self->met_ms >= self->liveness_ms;
}

void uplink_heard(uplink_t *self, int64_t now_ms)
{
    self->heard_ms = now_ms;
}

void uplink_sent(uplink_t *self, int64_t now_ms)
{
    buf_reset(&self->out, OUT_KEEP);
    self->sent_ms = now_ms;
}

/* --- pushes -------------------------------------------------------------- */

int uplink_push(uplink_t *self, const message_push_t *push)
{
    uint64_t bytes = push->target.len + push->body.bytes.len;

    if (self->pushes > 0 &&
        (self->pushes >= self->push_window ||
         self->push_bytes + bytes > self->push_window_bytes)) {
        return -EAGAIN;
    }
    int rc = message_put_push(&self->out, push);
    if (rc == 0) {
        self->pushes++;
        self->push_bytes += bytes;
    }
    return rc;
}

void uplink_bye(uplink_t *self)
{
    if (self->state == UPLINK_UP) {
        (void)message_put_bare(&self->out, KIND_BYE);
    }
}
