/* SPDX-License-Identifier: MIT */
#include "tests/simulation/client.h"

#include "base/rand.h"
#include "base/xalloc.h"
#include "tests/simulation/asks.h"
#include "tests/simulation/truth.h"
#include "tests/simulation/world.h"

#include <stdio.h>
#include <string.h>

#define IN_MAX       ((size_t)1 << 20)
#define OPEN_MAX     30 /* messages without an outcome */
#define BURST_MAX    6
#define PAUSE_MAX_MS 250
#define AWAY_MAX_MS  800

/* One step in so many ends the connection in that way. */
#define LEAVE_WITH_CODE 60
#define LEAVE_WITHOUT   80
#define LEAVE_ABRUPTLY  80
#define LEAVE_UNOPENED  20  /* one attempt in so many, … */
#define PATIENCE_MS     100 /* … so soon */

enum { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10 };

static void connect_(void *subject, uint32_t life);

/* --- leaving ------------------------------------------------------------- */

static void gone(client_t *self)
{
    if (self->state == CLIENT_OPEN) {
        truth_closed(self->attempt);
    }
    self->state = CLIENT_AWAY;
    self->sock = NULL;
    self->life++;
    buf_reset(&self->in, 4096);
    if (!self->is_done) {
        client_start(self);
    }
}

static void on_ended(void *owner, bool is_reset)
{
    (void)is_reset;
    gone(owner);
}

static void leave(client_t *self, bool is_abrupt)
{
    world_trace("attempt %u leaves%s", self->attempt,
                is_abrupt ? " abruptly" : "");
    if (is_abrupt) {
        sock_reset(self->sock);
    } else {
        sock_close(self->sock);
    }
    gone(self);
}

/* --- sending ------------------------------------------------------------- */

static void send_frame(client_t *self, uint8_t opcode, const void *data,
                       size_t len)
{
    uint8_t frame[256], *mask = frame + 2;

    must(len < 126);
    frame[0] = 0x80 | opcode;
    frame[1] = (uint8_t)(0x80 | len);
    rand_bytes(mask, 4);
    for (size_t i = 0; i < len; i++) {
        frame[6 + i] = (uint8_t)(((const uint8_t *)data)[i] ^ mask[i & 3]);
    }
    sock_send(self->sock, frame, 6 + len);
}

static void send_to(client_t *self, const char *action)
{
    char text[126];
    uint32_t n = truth_sent(self->attempt, strcmp(action, ROUTE_LOOSE) == 0);
    int len =
        snprintf(text, sizeof text, "{\"action\":\"%s\",\"k\":%u,\"n\":%u}",
                 action, self->attempt, n);

    send_frame(self, TEXT, text, (size_t)len);
}

static void send_message(client_t *self)
{
    static const char *const actions[] = {"one",       "two",  ROUTE_AGAIN,
                                          ROUTE_LOOSE, "lone", "nobody"};
    /* Only some, since their answers may come in any order. */
    int64_t usual = self->attempt % 4 == 0 ? 3 : 2;

    send_to(self, actions[world_chance(10) ? world_between(4, 5)
                                           : world_between(0, usual)]);
}

static void act(void *subject, uint32_t life)
{
    client_t *self = subject;
    static const uint8_t code[] = {0x0f, 0xa0, 'b', 'y', 'e'};

    if (life != self->life || self->is_quiet) {
        return;
    }
    world_after(world_between(1, PAUSE_MAX_MS), act, self, life);
    for (int64_t i = world_between(1, BURST_MAX); i > 0; i--) {
        if (truth_open_messages(self->attempt) < OPEN_MAX) {
            send_message(self);
        }
    }
    if (world_chance(LEAVE_WITH_CODE)) {
        send_frame(self, CLOSE, code, sizeof code);
    } else if (world_chance(LEAVE_WITHOUT)) {
        send_frame(self, CLOSE, NULL, 0);
    } else if (world_chance(LEAVE_ABRUPTLY)) {
        leave(self, true);
    }
}

/* --- hearing ------------------------------------------------------------- */

static void hear_text(client_t *self, const char *text)
{
    unsigned attempt = 0, n, worker, sequence, ask;
    char name[8];

    if (strncmp(text, "{\"message\": ", 12) == 0) {
        truth_failed(self->attempt);
    } else if (sscanf(text, "re %u %u %u %u", &attempt, &n, &worker,
                      &sequence) == 4) {
        truth_heard(self->attempt, worker, sequence);
        truth_heard_own(self->attempt);
        truth_answered(self->attempt, n);
    } else if (sscanf(text, "push %u %u %u", &attempt, &worker, &sequence) ==
               3) {
        truth_heard(self->attempt, worker, sequence);
        truth_heard_own(self->attempt);
    } else if (sscanf(text, "cry %7s %u %u", name, &worker, &sequence) == 3) {
        truth_heard_cry(name, self->attempt, worker, sequence);
    } else if (sscanf(text, "post %u", &ask) == 1) {
        asks_heard(self->attempt, ask, false);
    } else if (sscanf(text, "cast %u", &ask) == 1) {
        asks_heard(self->attempt, ask, true);
    } else {
        world_broken("attempt %u hears '%s'", self->attempt, text);
    }
    if (attempt != 0 && attempt != self->attempt) {
        world_broken("attempt %u hears what was said to %u", self->attempt,
                     attempt);
    }
}

/* The first frame of `in`; returns its length, 0 when it is not whole. */
static size_t hear_frame(client_t *self)
{
    const uint8_t *in = self->in.data;
    char text[126];

    if (self->in.len < 2) {
        return 0;
    }
    size_t head = (in[1] & 127) == 126 ? 4 : 2;
    if (self->in.len < head) {
        return 0;
    }
    size_t len = head == 4 ? (size_t)in[2] << 8 | in[3] : in[1] & 127u;
    if (self->in.len < head + len) {
        return 0;
    }
    int opcode = in[0] & 15;
    if (opcode == TEXT) {
        size_t kept = len < sizeof text ? len : sizeof text - 1;
        memcpy(text, in + head, kept);
        text[kept] = '\0';
        hear_text(self, text);
    } else if (opcode == PING) {
        send_frame(self, PONG, in + head, len);
    } else if (opcode == CLOSE) {
        leave(self, false);
    }
    return head + len;
}

/* The response to the handshake; false when it is not whole. */
static bool hear_response(client_t *self)
{
    const char *in = (const char *)self->in.data;
    const char *end = memmem(in, self->in.len, "\r\n\r\n", 4);
    char line[13]; /* as far as the status */
    int status = 0;

    if (end == NULL) {
        return false;
    }
    must(self->in.len > 12); /* what follows is not ended by a zero */
    snprintf(line, sizeof line, "%.*s", (int)sizeof line - 1, in);
    must(sscanf(line, "HTTP/1.1 %3d", &status) == 1);
    world_trace("attempt %u is answered %d", self->attempt, status);
    if (status != 101) {
        leave(self, false);
        return false;
    }
    buf_drop(&self->in, (size_t)(end - in) + 4);
    self->state = CLIENT_OPEN;
    truth_opened(self->attempt);
    world_after(world_between(0, PAUSE_MAX_MS), act, self, self->life);
    return true;
}

static void on_received(void *owner, const uint8_t *bytes, size_t len)
{
    client_t *self = owner;
    uint32_t life = self->life;

    must(buf_put(&self->in, bytes, len) == 0);
    if (self->state == CLIENT_OPENING && !hear_response(self)) {
        return;
    }
    for (size_t used = 1; used > 0 && life == self->life;) {
        used = hear_frame(self);
        if (life == self->life) {
            buf_drop(&self->in, used);
        }
    }
}

/* --- connecting ---------------------------------------------------------- */

static void lose_patience(void *subject, uint32_t life)
{
    client_t *self = subject;

    if (life == self->life && self->state == CLIENT_OPENING) {
        leave(self, world_chance(2));
    }
}

static void connect_(void *subject, uint32_t life)
{
    static const client_ops_t ops = {.received = on_received,
                                     .ended = on_ended};
    client_t *self = subject;
    char head[256];

    if (life != self->life || self->is_done) {
        return;
    }
    gateway_node_t *gateway = &self->gateways[world_below(self->gateway_count)];
    self->sock = gateway_node_connect(gateway, self, &ops);
    if (self->sock == NULL) {
        client_start(self);
        return;
    }
    self->life++;
    self->attempt = truth_attempt();
    self->state = CLIENT_OPENING;
    int len = snprintf(head, sizeof head,
                       "GET /?k=%u HTTP/1.1\r\nHost: sim\r\n"
                       "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                       "Sec-WebSocket-Version: 13\r\n\r\n",
                       self->attempt);
    sock_send(self->sock, (const uint8_t *)head, (size_t)len);
    if (world_chance(LEAVE_UNOPENED)) {
        world_after(world_between(0, PATIENCE_MS), lose_patience, self,
                    self->life);
    }
}

void client_init(client_t *self, gateway_node_t *gateways, size_t count)
{
    *self = (client_t){.gateways = gateways, .gateway_count = count};
    buf_init(&self->in, IN_MAX);
}

void client_fini(client_t *self)
{
    buf_fini(&self->in);
}

void client_start(client_t *self)
{
    world_after(world_between(0, AWAY_MAX_MS), connect_, self, self->life);
}

void client_probe(client_t *self, unsigned count)
{
    while (count-- > 0) {
        send_to(self, "one");
    }
}

void client_finish(client_t *self)
{
    self->is_done = true;
    self->is_quiet = true;
    if (self->state == CLIENT_OPEN) {
        send_frame(self, CLOSE, NULL, 0);
    } else if (self->state == CLIENT_OPENING) {
        leave(self, true);
    }
}
