/* SPDX-License-Identifier: MIT
 *
 * A gateway's hub between clients and a broker that do what the input says:
 * any bytes and well-formed ones, at the right time and at the wrong one,
 * sockets that take nothing or break, silence, pauses, and a management API
 * that answers late, twice, or whom nobody asked.  Nothing of it may end
 * the gateway; no client hears anything that is not HTTP or RFC 6455, nor
 * anything behind a close frame; and when all that were there have left, a
 * good client is served as if nothing had been, and nothing of anybody stays.
 *
 * It implements gateway/transport.h, and base/rand.h so that a run repeats.
 */
#include "base/log.h"
#include "base/rand.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "gateway/hub.h"
#include "gateway/managing.h"
#include "gateway/standing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS    6
#define GOOD       CLIENTS /* the one that comes afterwards */
#define HELD_MAX   4096
#define BROKERS    2
#define PIPE_MAX   ((size_t)16 << 20)
#define TURN_MS    50
#define REST_TURNS 3 /* until somebody may come again: handshake rates */
#define PAUSE_MS   60000
#define FIN        0x80
#define ROUNDS_MAX 100
#define BODY_MAX   50

#define UPGRADE                                                                \
    "GET /?a=b HTTP/1.1\r\nHost: fuzz\r\n"                                     \
    "Upgrade: websocket\r\nConnection: Upgrade\r\n"                            \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"                          \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: a, b\r\n\r\n"

/* The length of its body follows, an empty line and the body. */
#define POST                                                                   \
    "POST /@all HTTP/1.1\r\nHost: fuzz\r\nAuthorization: x\r\n"                \
    "Content-Length: "

typedef enum { HEARS_HEAD, HEARS_FRAMES, HEARS_BODY, HEARS_NOTHING } hearing_t;

/* A client and its socket. */
typedef struct lws {
    void *user; /* of the hub; NULL once the socket is closed there */
    bool has_left, is_paused, is_stuck, is_held, is_broken, is_finished;
    bool in_callback, kill_wanted;
    char id[CONN_ID_TEXT];
    buf_t unread; /* owned: sent, and not yet read by the gateway */
    buf_t heard;  /* owned: not yet understood */
    hearing_t hearing;
    int texts; /* frames of text heard */
} client_t;

typedef struct {
    char boot[2];
    uint64_t session;
    bool is_stuck;           /* its socket takes nothing */
    uint64_t held[HELD_MAX]; /* requests without a REPLY, oldest first */
    size_t held_count;
    size_t pings; /* without a PONG */
} broker_t;

typedef struct {
    hub_t *hub;
    int64_t now_ms;
    client_t clients[CLIENTS + 1];
    broker_t brokers[BROKERS];
    size_t at; /* the broker that speaks */
    buf_t out; /* the broker's next frame */
    uint64_t credited;
    uint64_t asked; /* the number that the management API was asked last */
    bool looks;     /* … for the head alone, which it finds right */
} world_t;

typedef struct {
    const uint8_t *at, *end;
} input_t;

static uint64_t random_state;

static uint8_t next(input_t *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

/* Up to `max` bytes as they are. */
static wire_bytes_t next_bytes(input_t *in, size_t max)
{
    size_t len = next(in) % (max + 1), left = (size_t)(in->end - in->at);
    wire_bytes_t bytes = {in->at, len < left ? len : left};

    in->at += bytes.len;
    return bytes;
}

uint32_t rand_u32(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1;
    return (uint32_t)(random_state >> 32);
}

void rand_bytes(void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        ((uint8_t *)bytes)[i] = (uint8_t)rand_u32();
    }
}

/* --- what clients hear --------------------------------------------------- */

/* Returns the bytes understood; 0 when they are not whole. */
static size_t hear_head(client_t *client)
{
    const uint8_t *data = client->heard.data;
    const uint8_t *end = memmem(data, client->heard.len, "\r\n\r\n", 4);

    if (end == NULL) {
        return 0;
    }
    must(memcmp(data, "HTTP/1.1 ", 9) == 0);
    client->hearing =
        memcmp(data + 9, "101 ", 4) == 0 ? HEARS_FRAMES : HEARS_BODY;
    return (size_t)(end - data) + 4;
}

static size_t hear_frame(client_t *client)
{
    const uint8_t *at = client->heard.data;
    size_t have = client->heard.len, head = 2, len;

    if (have < 4 && (have < 2 || at[1] == 126)) {
        return 0;
    }
    must(at[1] < 127); /* not masked, and we have sent nothing so long */
    len = at[1];
    if (len == 126) {
        head = 4;
        len = (size_t)at[2] << 8 | at[3];
    }
    if (have < head + len) {
        return 0;
    }
    int opcode = at[0] & ~FIN;
    must((at[0] & FIN) != 0 &&
         (opcode == WS_TEXT || opcode == WS_BINARY || opcode == WS_CLOSE ||
          opcode == WS_PING || opcode == WS_PONG));
    client->texts += opcode == WS_TEXT;
    if (opcode == WS_CLOSE) {
        must(len != 1 && len <= WS_CONTROL_MAX);
        client->hearing = HEARS_NOTHING;
    }
    return head + len;
}

static void hear(client_t *client)
{
    size_t used = 1;

    while (used > 0 && client->heard.len > 0) {
        must(client->hearing != HEARS_NOTHING);
        used = client->hearing == HEARS_HEAD     ? hear_head(client)
               : client->hearing == HEARS_FRAMES ? hear_frame(client)
                                                 : client->heard.len;
        buf_drop(&client->heard, used);
    }
}

/* --- gateway/transport.h ------------------------------------------------- */

static void end_socket(client_t *client)
{
    void *user = client->user;

    if (user != NULL) {
        client->user = NULL;
        hub_transport_ops.closed(user);
    }
}

void transport_kill(transport_sock_t *sock)
{
    must(sock->user != NULL);
    if (sock->in_callback) {
        sock->kill_wanted = true;
    } else {
        end_socket(sock);
    }
}

void transport_write(transport_sock_t *sock, const uint8_t *bytes, size_t len)
{
    must(sock->user != NULL && !sock->is_held && !sock->is_finished);
    must(len > 0 && len <= TRANSPORT_WRITE_MAX);
    if (sock->is_broken) {
        transport_kill(sock);
        return;
    }
    must(buf_put(&sock->heard, bytes, len) == 0);
    hear(sock);
    sock->is_held = sock->is_stuck;
}

bool transport_is_drained(transport_sock_t *sock)
{
    must(sock->user != NULL);
    return !sock->is_held;
}

void transport_pause(transport_sock_t *sock)
{
    must(sock->user != NULL);
    sock->is_paused = true;
}

void transport_resume(transport_sock_t *sock)
{
    must(sock->user != NULL);
    sock->is_paused = false;
}

const X509 *transport_client_cert(transport_sock_t *sock)
{
    (void)sock;
    return NULL;
}

int64_t transport_silent_ms(transport_sock_t *sock)
{
    must(sock->user != NULL);
    return sock->is_broken ? PAUSE_MS : 0;
}

void transport_shutdown(transport_sock_t *sock)
{
    must(sock->user != NULL && !sock->is_held && !sock->is_finished);
    sock->is_finished = true;
}

/* --- turns --------------------------------------------------------------- */

/* Each str in it, however deep, is text: workers rely on it. */
static void check_texts(wire_bytes_t raw)
{
    wire_cursor_t in = wire_cursor(raw);
    wire_bytes_t text;
    uint64_t number;
    uint32_t count;

    while (!wire_at_end(&in)) {
        if (wire_get_str(&in, &text) == 0) {
            must(utf8_is_valid(text.data, text.len));
        } else {
            must(wire_get_array(&in, &count) == 0 ||
                 wire_get_map(&in, &count) == 0 ||
                 wire_get_uint(&in, &number) == 0 || wire_get_nil(&in) == 0);
        }
    }
}

static void broker_gets_request(broker_t *broker,
                                const message_request_t *request)
{
    check_texts(request->context);
    check_texts(request->details);
    must(utf8_is_valid(request->route.data, request->route.len));
    must(request->body.type != BODY_TEXT ||
         utf8_is_valid(request->body.bytes.data, request->body.bytes.len));
    if (broker->held_count < HELD_MAX) {
        broker->held[broker->held_count++] = request->id;
    }
}

/* What it says is always well-formed. */
static void broker_hears(world_t *world, broker_t *broker, const buf_t *frame)
{
    wire_cursor_t in = wire_cursor((wire_bytes_t){frame->data, frame->len});
    message_t message;

    while (!wire_at_end(&in)) {
        must(message_decode(&in, &message) == 1);
        if (message.kind == KIND_REQUEST) {
            broker_gets_request(broker, &message.request);
        } else if (message.kind == KIND_CREDIT) {
            world->credited += message.credit.messages;
        } else if (message.kind == KIND_PING) {
            broker->pings++;
        }
    }
    must(world->credited <= world->hub->stats.pushes + world->hub->stats.joins);
}

static void begin_turn(world_t *world)
{
    hub_begin(world->hub, world->now_ms * 1000, world->now_ms);
}

static link_t *link_to(const world_t *world, size_t broker)
{
    size_t i = 0;

    while (world->hub->links[i]->number != broker) {
        must(++i < world->hub->link_count);
    }
    return world->hub->links[i];
}

static void end_turn(world_t *world)
{
    hub_end(world->hub);
    for (size_t i = 0; i < BROKERS; i++) {
        link_t *link = link_to(world, i);
        if (link->out.len > 0 && !world->brokers[i].is_stuck) {
            broker_hears(world, &world->brokers[i], &link->out);
            link_sent(link, world->now_ms);
            buf_reset(&link->out, PIPE_MAX);
        }
    }
}

static void call_is_over(client_t *client)
{
    client->in_callback = false;
    if (client->kill_wanted) {
        client->kill_wanted = false;
        end_socket(client);
    }
}

static void read_once(client_t *client)
{
    size_t len = client->unread.len;

    if (len == 0) {
        end_socket(client);
        return;
    }
    len = len < TRANSPORT_READ_MAX ? len : TRANSPORT_READ_MAX;
    uint8_t *bytes = malloc(len); /* of that size, so that ASan guards it */
    must(bytes != NULL);
    memcpy(bytes, client->unread.data, len);
    buf_drop(&client->unread, len);
    client->in_callback = true;
    hub_transport_ops.received(client->user, bytes, len);
    free(bytes);
    call_is_over(client);
}

static void read_all(world_t *world)
{
    for (size_t i = 0; i <= CLIENTS; i++) {
        client_t *client = &world->clients[i];
        while (client->user != NULL && !client->is_paused && !client->is_held &&
               (client->unread.len > 0 || client->has_left)) {
            begin_turn(world);
            read_once(client);
            end_turn(world);
        }
    }
}

static void time_passes(world_t *world, unsigned turns)
{
    for (; turns > 0; turns--) {
        world->now_ms += TURN_MS;
        begin_turn(world);
        end_turn(world);
    }
}

/* The broker says what is in world->out. */
static void broker_speaks(world_t *world)
{
    begin_turn(world);
    hub_frame(world->hub, link_to(world, world->at), world->out.data,
              world->out.len);
    end_turn(world);
    world->out.len = 0;
}

/* --- the management API -------------------------------------------------- */

/* Whoever is asked takes the head for whole, and the body for its own. */
static int on_ask(void *user, uint64_t number, wire_bytes_t head,
                  wire_bytes_t body)
{
    world_t *world = user;
    http_request_t request;

    must(http_parse(head.data, head.len, head.len, &request) == 0);
    must(request.head_len == head.len && body.len <= BODY_MAX);
    must(body.len == 0 || body.len == request.content_length);
    must(body.data != NULL || request.content_length > 0);
    world->asked = number;
    world->looks = body.data == NULL && rand_u32() % 4 > 0;
    return rand_u32() % 8 == 0 ? -1 : 0;
}

static void manager_answers(world_t *world, uint64_t number)
{
    begin_turn(world);
    managing_answer(world->hub, number, world->looks ? 100 : 200,
                    wire_bytes("X: y\r\n"), wire_bytes("done"));
    end_turn(world);
}

/* --- what clients do ----------------------------------------------------- */

static void connects(world_t *world, client_t *client)
{
    if (client->user != NULL) {
        return;
    }
    begin_turn(world);
    ip_t from = ip_of_v4((const uint8_t[]){192, 0, 2, 1});
    void *user = hub_transport_ops.opened(world->hub, &from);
    if (user != NULL) {
        const session_t *session = user;
        buf_fini(&client->unread);
        buf_fini(&client->heard);
        *client = (client_t){.user = user};
        buf_init(&client->unread, PIPE_MAX);
        buf_init(&client->heard, PIPE_MAX);
        conn_id_format(&session->id, client->id);
        hub_transport_ops.bound(user, client);
    }
    end_turn(world);
}

static void sends(client_t *client, const void *bytes, size_t len)
{
    if (client->user != NULL) {
        must(buf_put(&client->unread, bytes, len) == 0);
    }
}

/* Masked with zeros. */
static void sends_frame(client_t *client, uint8_t first, wire_bytes_t payload)
{
    const uint8_t head[] = {first, (uint8_t)(0x80 | payload.len), 0, 0, 0, 0};

    must(payload.len < 126);
    sends(client, head, sizeof head);
    sends(client, payload.data, payload.len);
}

static void reads_on(world_t *world, client_t *client)
{
    client->is_stuck = false;
    if (!client->is_held || client->user == NULL) {
        return;
    }
    begin_turn(world);
    client->is_held = false;
    client->in_callback = true;
    hub_transport_ops.drained(client->user);
    call_is_over(client);
    end_turn(world);
}

static void vanishes(world_t *world, client_t *client)
{
    begin_turn(world);
    end_socket(client);
    end_turn(world);
}

/* Its body may come later, or be too long. */
static void asks(client_t *client, uint8_t length)
{
    char head[sizeof POST + 8];
    int len = snprintf(head, sizeof head, POST "%u\r\n\r\n", length % 64U);

    sends(client, head, (size_t)len);
    if (length < 128) {
        sends(client, head, length % 64U);
    }
}

static void client_acts(world_t *world, input_t *in, client_t *client)
{
    uint8_t what = next(in);
    wire_bytes_t bytes;
    uint8_t first;

    switch (what % 8) {
    case 0:
        connects(world, client);
        sends(client, UPGRADE, strlen(UPGRADE));
        return;
    case 1:
        connects(world, client);
        if (what >= 128) {
            asks(client, next(in));
        }
        return;
    case 2:
        bytes = next_bytes(in, 255);
        sends(client, bytes.data, bytes.len);
        return;
    case 3:
        first = next(in);
        sends_frame(client, first, next_bytes(in, 125));
        return;
    case 4:
        client->is_stuck = true;
        return;
    case 5:
        reads_on(world, client);
        return;
    case 6:
        client->is_broken = true;
        return;
    default:
        if (next(in) % 2 == 0) {
            client->has_left = true;
        } else {
            vanishes(world, client);
        }
    }
}

/* --- what the broker says ------------------------------------------------ */

static void put_welcome(world_t *world, uint64_t window, uint64_t bytes)
{
    const broker_t *broker = &world->brokers[world->at];
    message_welcome_t welcome = {.version = PROTOCOL_VERSION,
                                 .boot = wire_bytes(broker->boot),
                                 .heartbeat_ms = 1000,
                                 .liveness_ms = 3500};
    buf_t options;

    buf_init(&options, 256);
    must(wire_put_map(&options, 3) == 0);
    must(wire_put_text(&options, "session") == 0);
    must(wire_put_uint(&options, broker->session) == 0);
    must(wire_put_text(&options, "window") == 0);
    must(wire_put_uint(&options, window) == 0);
    must(wire_put_text(&options, "window_bytes") == 0);
    must(wire_put_uint(&options, bytes) == 0);
    welcome.options = (wire_bytes_t){options.data, options.len};
    must(message_put_welcome(&world->out, &welcome) == 0);
    buf_fini(&options);
}

static void put_options(buf_t *options, uint8_t detail)
{
    must(wire_put_map(options, 3) == 0);
    must(wire_put_text(options, "subprotocol") == 0);
    must(wire_put_text(options, detail % 2 == 0 ? "a" : "x") == 0);
    must(wire_put_text(options, "user") == 0);
    must(wire_put_text(options, "ada") == 0);
    must(wire_put_text(options, "headers") == 0);
    must(wire_put_array(options, 1) == 0);
    must(wire_put_array(options, 2) == 0);
    must(wire_put_text(options, detail % 4 == 0 ? "X-Y" : "Upgrade") == 0);
    must(wire_put_text(options, "z") == 0);
}

/* To one that is held, or (now and then) the same id again. */
static void put_reply(world_t *world, input_t *in)
{
    static const uint16_t statuses[] = {200, 200, 200, 403, 500, 302, 101, 413};
    broker_t *broker = &world->brokers[world->at];
    uint8_t detail = next(in), which = next(in);
    wire_bytes_t text = next_bytes(in, 63);
    buf_t options;

    if (broker->held_count == 0) {
        return;
    }
    size_t at = which % broker->held_count;
    buf_init(&options, 256);
    put_options(&options, detail);
    message_reply_t reply = {.id = broker->held[at],
                             .status = statuses[detail % 8],
                             .body = {detail / 8 % 3, text},
                             .options = {options.data, options.len}};
    must(message_put_reply(&world->out, &reply) == 0);
    buf_fini(&options);
    if (detail < 240) {
        broker->held_count--;
        memmove(&broker->held[at], &broker->held[at + 1],
                (broker->held_count - at) * sizeof broker->held[0]);
    }
}

static void put_push(world_t *world, input_t *in)
{
    uint8_t detail = next(in);
    uint32_t count = 1 + detail % 4;
    buf_t target;

    buf_init(&target, 4096);
    must(wire_put_array(&target, 1 + count) == 0);
    must(wire_put_text(&target, "connection") == 0);
    for (uint32_t i = 0; i < count; i++) {
        const client_t *client = &world->clients[(detail / 4 + i) % CLIENTS];
        must(wire_put_str(&target, (wire_bytes_t){(const uint8_t *)client->id,
                                                  CONN_ID_TEXT}) == 0);
    }
    message_push_t push = {.target = {target.data, target.len},
                           .body = {1 + detail / 64 % 2, next_bytes(in, 63)}};
    must(message_put_push(&world->out, &push) == 0);
    buf_fini(&target);
}

static void put_close(world_t *world, input_t *in)
{
    static const uint16_t codes[] = {1000, 1001, 1012, 3000, 4999};
    uint8_t detail = next(in);
    const client_t *client = &world->clients[detail % CLIENTS];
    message_close_t close = {
        .conn = {(const uint8_t *)client->id, CONN_ID_TEXT},
        .code = codes[detail / 8 % 5],
        .reason = next_bytes(in, 63)};

    must(message_put_close(&world->out, &close) == 0);
}

static void put_query(world_t *world, uint8_t detail, wire_bytes_t cursor)
{
    const client_t *client = &world->clients[detail % CLIENTS];
    wire_bytes_t conn = {(const uint8_t *)client->id, CONN_ID_TEXT};
    bool is_group = detail / 8 % 2 == 0;
    buf_t parts;

    buf_init(&parts, 256);
    must(wire_put_array(&parts, 2) == 0);
    must(wire_put_text(&parts, is_group ? "group" : "connection") == 0);
    must(wire_put_str(&parts, is_group ? wire_bytes("g") : conn) == 0);
    size_t what_len = parts.len;
    must(wire_put_map(&parts, 4) == 0);
    must(wire_put_text(&parts, "live") == 0);
    must(wire_put_bool(&parts, detail % 2 == 0) == 0);
    must(wire_put_text(&parts, "count") == 0);
    must(wire_put_bool(&parts, detail % 3 == 0) == 0);
    must(wire_put_text(&parts, "limit") == 0);
    must(wire_put_uint(&parts, detail % 5) == 0);
    must(wire_put_text(&parts, "cursor") == 0);
    must(wire_put_str(&parts, cursor) == 0);
    message_query_t query = {
        .id = detail,
        .what = {parts.data, what_len},
        .options = {parts.data + what_len, parts.len - what_len}};
    must(message_put_query(&world->out, &query) == 0);
    buf_fini(&parts);
}

/* Somebody joins or leaves the group, or it is asked who is there. */
static void put_group(world_t *world, input_t *in)
{
    uint8_t detail = next(in);
    const client_t *client = &world->clients[detail % CLIENTS];
    message_join_t join = {.group = wire_bytes("g"),
                           .conn = {(const uint8_t *)client->id, CONN_ID_TEXT}};

    if (detail < 112) {
        put_query(world, detail, next_bytes(in, 31));
    } else if (detail < 128) {
        message_watch_t watch = {detail % 4 > 0};
        must(message_put_watch(&world->out, &watch) == 0);
    } else {
        must(message_put_join(&world->out,
                              detail < 208 ? KIND_JOIN : KIND_LEAVE,
                              &join) == 0);
    }
}

static void put_one(world_t *world, input_t *in)
{
    static const message_kind_t kinds[] = {KIND_WHO, KIND_BYE, KIND_PONG,
                                           KIND_DRAIN};
    broker_t *broker = &world->brokers[world->at];
    uint8_t what = next(in), detail;

    switch (what % 8) {
    case 0:
        detail = next(in);
        broker->boot[0] = (char)(broker->boot[0] + detail % 2);
        broker->session += detail / 2 % 2;
        put_welcome(world, 1 + detail / 4 % 8, detail < 128 ? UINT32_MAX : 1);
        return;
    case 1:
        put_push(world, in);
        return;
    case 2:
        put_close(world, in);
        return;
    case 3:
        must(message_put_bare(&world->out, kinds[next(in) % 4]) == 0);
        return;
    case 4:
        must(message_put_error(&world->out, next(in) % 2 ? "loop" : "other",
                               "text") == 0);
        return;
    case 5:
        if (what >= 128) {
            put_group(world, in);
            return;
        }
        put_reply(world, in);
        return;
    default:
        put_reply(world, in);
    }
}

static void broker_acts(world_t *world, input_t *in)
{
    wire_bytes_t bytes;

    switch (next(in) % 8) {
    case 0:
        bytes = next_bytes(in, 63);
        must(buf_put(&world->out, bytes.data, bytes.len) == 0);
        break;
    case 1:
        world->brokers[world->at].is_stuck ^= true;
        return;
    case 2:
        put_one(world, in);
        put_one(world, in);
        bytes = next_bytes(in, 63);
        must(buf_put(&world->out, bytes.data, bytes.len) == 0);
        break;
    default:
        put_one(world, in);
    }
    broker_speaks(world);
}

/* Its name had no address for a while, in which it was down. */
static void comes_anew(world_t *world, uint32_t broker)
{
    link_t *link = link_to(world, broker);

    begin_turn(world);
    if (standing_is_spent(world->hub, link)) {
        standing_remove(world->hub, link);
        standing_add(world->hub, broker, broker == 0 ? "a" : "b", 1000);
    }
    end_turn(world);
}

static void act(world_t *world, input_t *in)
{
    uint8_t what = next(in);

    switch (what % 16) {
    case 0:
        time_passes(world, next(in));
        break;
    case 1:
        if (what == 1) {
            world->now_ms += PAUSE_MS;
            time_passes(world, 1);
        } else if (what == 241) {
            begin_turn(world);
            hub_drain(world->hub);
            end_turn(world);
        } else if (what == 17 || what == 33) {
            comes_anew(world, what / 32);
        } else if (what == 49) {
            manager_answers(world, next(in));
        } else {
            manager_answers(world, world->asked);
        }
        break;
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
        client_acts(world, in, &world->clients[what % 16 - 2]);
        break;
    default:
        world->at = what / 128;
        broker_acts(world, in);
    }
    read_all(world);
}

/* --- what must still work ------------------------------------------------ */

static size_t count_held(const world_t *world)
{
    return world->brokers[0].held_count + world->brokers[1].held_count;
}

/* All that this broker owes: REPLYs and PONGs. */
static void pay_debts(world_t *world, broker_t *broker)
{
    size_t count = broker->held_count;

    broker->held_count = 0;
    for (size_t at = 0; at < count; at++) {
        message_reply_t reply = {.id = broker->held[at],
                                 .status = 200,
                                 .body = {BODY_TEXT, wire_bytes("good")}};
        must(message_put_reply(&world->out, &reply) == 0);
    }
    for (; broker->pings > 0; broker->pings--) {
        must(message_put_bare(&world->out, KIND_PONG) == 0);
    }
}

static bool is_owed(const world_t *world)
{
    return count_held(world) > 0 ||
           world->brokers[0].pings + world->brokers[1].pings > 0;
}

static void answer_all(world_t *world)
{
    /* Both have their turn before it can be over. */
    for (int i = 0; i < ROUNDS_MAX && (i < BROKERS || is_owed(world)); i++) {
        world->at = (size_t)i % BROKERS;
        pay_debts(world, &world->brokers[world->at]);
        broker_speaks(world);
        read_all(world);
    }
    must(count_held(world) == 0);
}

static void all_leave(world_t *world)
{
    for (size_t i = 0; i <= CLIENTS; i++) {
        vanishes(world, &world->clients[i]);
    }
    answer_all(world);
}

static void other_brokers_come(world_t *world)
{
    for (world->at = 0; world->at < BROKERS; world->at++) {
        broker_t *broker = &world->brokers[world->at];
        broker->is_stuck = false;
        broker->held_count = 0;
        broker->pings = 0;
        broker->boot[0]++;
        put_welcome(world, 4, UINT32_MAX);
        broker_speaks(world);
        read_all(world);
    }
    world->at = 0;
}

static void check_that_a_good_one_is_served(world_t *world)
{
    static const char text[] = "{\"action\":\"good\"}";
    client_t *good = &world->clients[GOOD];

    connects(world, good);
    sends(good, UPGRADE, strlen(UPGRADE));
    read_all(world);
    must(count_held(world) == 1);
    answer_all(world);
    must(good->hearing == HEARS_FRAMES);
    sends_frame(good, FIN | WS_TEXT, wire_bytes(text));
    read_all(world);
    must(count_held(world) == 1);
    answer_all(world);
    must(good->texts == 1);
}

static void check_that_nothing_is_left(const hub_t *hub)
{
    must(hub_is_empty(hub) && hub->free_count == hub->used);
    must(list_is_empty(&hub->dirty) && list_is_empty(&hub->dead));
    must(list_is_empty(&hub->unplaced) && hub->wheel.armed == 0);
    must(hub->handshakes == 0 && hub->gated == 0 && hub->lingering == 0);
    must(hub->managing == 0 && list_is_empty(&hub->bodies));
    must(hub->stats.sockets == 0 && hub->stats.connections == 0);
    must(hub->admission.table.count == hub->admission.resting_count);
    for (size_t i = 0; i < BROKERS; i++) {
        const link_t *link = hub->links[i]; /* in any order */
        must(list_is_empty(&link->waiting) && list_is_empty(&link->arriving));
        must(link->in_flight == 0 && link->in_flight_bytes == 0);
    }
}

static void check_what_stands(world_t *world)
{
    hub_t *hub = world->hub;

    other_brokers_come(world);
    all_leave(world);
    if (!hub->is_draining) {
        time_passes(world, REST_TURNS);
        check_that_a_good_one_is_served(world);
        all_leave(world);
    }
    check_that_nothing_is_left(hub);
}

/* --- one run ------------------------------------------------------------- */

/* Narrow, so that a few bytes reach every limit. */
static gateway_options_t narrow_options(void)
{
    gateway_options_t options;

    gateway_options_init(&options);
    options.trusted_proxies = "192.0.2.0/24";
    options.max_connections = options.max_handshakes = CLIENTS;
    options.max_frame = 100;
    options.max_message = 200;
    options.max_head = 400;
    options.handshake_ms = options.ping_ms = 2000;
    options.request_ms = 3000;
    options.pong_ms = 1500;
    options.idle_ms = 20000;
    options.conn_window = 3;
    options.conn_window_bytes = 400;
    options.out_soft = 100;
    options.out_soft_ms = 2000;
    options.out_hard = 200;
    options.drain_ms = 0;
    options.address_connections = CLIENTS;
    options.handshake_rate = 20;
    options.address_rate = 10;
    options.message_rate = 4;
    options.message_burst = 2;
    options.byte_rate = 300;
    options.max_groups = 8;
    options.manage_body = BODY_MAX;
    return options;
}

static void begin_world(world_t *world)
{
    const gateway_options_t options = narrow_options();
    char error[256];

    random_state = 1;
    buf_init(&world->out, PIPE_MAX);
    world->hub = hub_new(&options, world->now_ms, error, sizeof error);
    must(world->hub != NULL);
    hub_manage(world->hub, on_ask, world);
    standing_add(world->hub, 0, "a", 0);
    standing_add(world->hub, 1, "b", 0);
}

static void end_world(world_t *world)
{
    hub_destroy(&world->hub);
    for (size_t i = 0; i <= CLIENTS; i++) {
        buf_fini(&world->clients[i].unread);
        buf_fini(&world->clients[i].heard);
    }
    buf_fini(&world->out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t in = {data, data + size};
    world_t world = {
        .now_ms = 1000000,
        .brokers = {{.boot = "a", .session = 1}, {.boot = "A", .session = 1}}};

    log_set_level(LEVEL_ERROR);
    begin_world(&world);
    while (in.at < in.end) {
        act(&world, &in);
    }
    check_what_stands(&world);
    end_world(&world);
    return 0;
}
