/* SPDX-License-Identifier: MIT */
#include "tests/unit/hub_fixture.h"

#include "base/rand.h"
#include "base/xalloc.h"
#include "gateway/error_frame.h"
#include "gateway/standing.h"
#include "tests/unit/grow.h"

#define CLIENTS_MAX 5000
#define PIPE_MAX    ((size_t)64 << 20)
#define TURN_MS     50
#define SIGN_MS     1000
#define FIN         0x80

fixture_t gateway;

/* The brokers that are not gateway.at. */
static fixture_t away[FIXTURE_BROKERS];

static client_t *clients[CLIENTS_MAX];
static size_t client_count;

/* --- base/rand.h --------------------------------------------------------- */

uint32_t rand_u32(void)
{
    gateway.random = gateway.random * UINT64_C(6364136223846793005) + 1;
    return (uint32_t)(gateway.random >> 32);
}

void rand_bytes(void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        ((uint8_t *)bytes)[i] = (uint8_t)rand_u32();
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
    if (sock->is_broken) {
        transport_kill(sock);
        return;
    }
    bool was_in_hub = gateway.is_in_hub;
    gateway.is_in_hub = false;
    must(buf_put(&sock->heard, bytes, len) == 0);
    gateway.is_in_hub = was_in_hub;
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
    must(sock->user != NULL);
    return sock->cert;
}

int64_t transport_silent_ms(transport_sock_t *sock)
{
    must(sock->user != NULL);
    return sock->silent_ms;
}

void transport_shutdown(transport_sock_t *sock)
{
    must(sock->user != NULL && !sock->is_held && !sock->is_finished);
    sock->is_finished = true;
}

/* --- turns --------------------------------------------------------------- */

static fixture_t *broker_of(size_t number)
{
    return number == gateway.at ? &gateway : &away[number];
}

/* What one broker has of its own. */
static void copy_broker(fixture_t *to, const fixture_t *from)
{
    memcpy(to->broker_boot, from->broker_boot, sizeof to->broker_boot);
    to->broker_session = from->broker_session;
    to->broker_is_silent = from->broker_is_silent;
    to->frames = from->frames;
    to->frame_count = from->frame_count;
    to->frame_at = from->frame_at;
    to->in = from->in;
    to->pings = from->pings;
    to->last_ping = from->last_ping;
}

void at_broker(size_t number)
{
    must(number < FIXTURE_BROKERS);
    if (number != gateway.at) {
        copy_broker(&away[gateway.at], &gateway);
        copy_broker(&gateway, &away[number]);
        gateway.at = number;
    }
}

link_t *link_to(size_t broker)
{
    size_t i = 0;

    while (gateway.hub->links[i]->number != broker) {
        must(++i < gateway.hub->link_count);
    }
    return gateway.hub->links[i];
}

static void keep_frame(fixture_t *broker, const uint8_t *frame, size_t len)
{
    uint8_t *copy = malloc(len);

    must(copy != NULL);
    memcpy(copy, frame, len);
    broker->frames =
        grown(broker->frames, broker->frame_count, sizeof *broker->frames);
    broker->frames[broker->frame_count].data = copy;
    broker->frames[broker->frame_count].len = len;
    broker->frame_count++;
}

static void begin_turn(void)
{
    gateway.is_in_hub = true;
    hub_begin(gateway.hub, gateway.now_ms * 1000,
              WALL_MS + gateway.now_ms - START_MS);
}

static void end_turn(void)
{
    hub_end(gateway.hub);
    gateway.is_in_hub = false;
    for (size_t i = 0; i < gateway.hub->link_count; i++) {
        link_t *link = gateway.hub->links[i];
        if (link->out.len > 0 && !gateway.broker_is_stuck) {
            keep_frame(broker_of(link->number), link->out.data, link->out.len);
            link_sent(link, gateway.now_ms);
            buf_reset(&link->out, 0);
        }
    }
}

static void kill_if_wanted(client_t *client)
{
    client->in_callback = false;
    if (client->kill_wanted) {
        client->kill_wanted = false;
        end_socket(client);
    }
}

static bool is_read(const client_t *client)
{
    return client->user != NULL && !client->is_paused && !client->is_held &&
           (client->unread.len > 0 || client->has_left);
}

/* One read of the gateway, and a turn. */
static void deliver(client_t *client)
{
    size_t len = client->unread.len < TRANSPORT_READ_MAX ? client->unread.len
                                                         : TRANSPORT_READ_MAX;
    uint8_t *bytes = malloc(len + 1 - (len > 0)); /* so that ASan guards it */

    must(bytes != NULL);
    if (len > 0) {
        memcpy(bytes, client->unread.data, len);
        buf_drop(&client->unread, len);
    }
    begin_turn();
    if (len == 0) {
        end_socket(client);
    } else {
        client->in_callback = true;
        hub_transport_ops.received(client->user, bytes, len);
        kill_if_wanted(client);
    }
    free(bytes);
    end_turn();
}

/* Read what clients have sent, a turn for each read. */
static void read_on(void)
{
    for (size_t i = 0; i < client_count; i++) {
        if (is_read(clients[i])) {
            deliver(clients[i]);
            i = SIZE_MAX; /* what it led to may let others be read */
        }
    }
}

void time_passes(int64_t ms)
{
    for (int64_t end_ms = gateway.now_ms + ms; gateway.now_ms < end_ms;) {
        int64_t step_ms = end_ms - gateway.now_ms;
        int64_t before = gateway.now_ms / SIGN_MS;
        gateway.now_ms += step_ms < TURN_MS ? step_ms : TURN_MS;
        begin_turn();
        for (size_t i = 0; i < gateway.hub->link_count; i++) {
            link_t *link = gateway.hub->links[i];
            if (!broker_of(link->number)->broker_is_silent &&
                gateway.now_ms / SIGN_MS != before) {
                hub_frame(gateway.hub, link, NULL, 0);
            }
        }
        end_turn();
        read_on();
    }
}

void gateway_drains(void)
{
    begin_turn();
    hub_drain(gateway.hub);
    end_turn();
    read_on();
}

void nothing_is_left(void)
{
    const hub_t *hub = gateway.hub;

    assert_true(hub_is_empty(hub));
    assert_true(list_is_empty(&hub->dirty) && list_is_empty(&hub->dead));
    assert_true(list_is_empty(&hub->links[0]->waiting));
    assert_int_equal(hub->wheel.armed, 0);
    assert_int_equal(hub->free_count, hub->used);
    assert_int_equal(hub->handshakes, 0);
    assert_int_equal(hub->gated, 0);
    assert_int_equal(hub->lingering, 0);
    assert_int_equal(hub->stats.sockets, 0);
    assert_int_equal(hub->stats.connections, 0);
    assert_int_equal(hub->links[0]->in_flight, 0);
    assert_int_equal(hub->links[0]->in_flight_bytes, 0);
    assert_int_equal(hub->admission.table.count, hub->admission.resting_count);
}

/* --- start and end ------------------------------------------------------- */

static gateway_options_t usual_options(void)
{
    gateway_options_t options;

    gateway_options_init(&options);
    options.name = "unit";
    options.max_connections = 1000;
    options.max_handshakes = 1000;
    options.max_head = 4096;
    options.ping_ms = 0;
    return options;
}

static void free_client(client_t *client)
{
    buf_fini(&client->heard);
    buf_fini(&client->unread);
    free(client);
}

static void forget_frames(fixture_t *broker)
{
    for (size_t i = 0; i < broker->frame_count; i++) {
        free(broker->frames[i].data);
    }
    free(broker->frames);
    broker->frames = NULL;
    broker->frame_count = broker->frame_at = 0;
    broker->in = (wire_cursor_t){NULL, NULL};
    broker->pings = 0;
}

static void gateway_ends(void)
{
    hub_destroy(&gateway.hub);
    for (size_t i = 0; i < FIXTURE_BROKERS; i++) {
        forget_frames(broker_of(i));
    }
    gateway.is_in_hub = false;
    while (client_count > 0) {
        free_client(clients[--client_count]);
    }
}

/* One for each of a comma separated list. */
static void add_brokers(const char *brokers)
{
    char list[256], *rest = list, *endpoint;
    uint32_t number = 0;

    snprintf(list, sizeof list, "%s", brokers);
    while ((endpoint = strsep(&rest, ",")) != NULL) {
        standing_add(gateway.hub, number++, endpoint, 0);
    }
}

static void keep_span(void *user, const span_t *span)
{
    assert_ptr_equal(user, &gateway);
    assert_true(gateway.span_count < SPANS_KEPT);
    gateway.spans[gateway.span_count++] = *span;
}

static void gateway_starts(void)
{
    char error[256];

    gateway.hub =
        hub_new(&gateway.options, gateway.now_ms, error, sizeof error);
    assert_non_null(gateway.hub);
    if (gateway.records_spans) {
        hub_trace(gateway.hub, keep_span, &gateway);
    }
    add_brokers(gateway.options.broker);
    begin_turn();
    end_turn();
}

void gateway_restarts_alone(void)
{
    gateway_ends();
    gateway_starts();
}

static void settle_in(void)
{
    gets(KIND_HELLO);
    broker_welcomes();
    gets_list(NULL, 0);
}

void gateway_restarts(void)
{
    gateway_restarts_alone();
    settle_in();
}

int gateway_set_up_alone(void **state)
{
    (void)state;
    log_set_level(LEVEL_ERROR);
    for (size_t i = 0; i < FIXTURE_BROKERS; i++) {
        away[i] = (fixture_t){.broker_session = 7};
        snprintf(away[i].broker_boot, sizeof away[i].broker_boot, "broker-%zu1",
                 i);
    }
    gateway = (fixture_t){
        .options = usual_options(),
        .now_ms = START_MS,
        .random = 1,
        .broker_boot = "broker-1",
        .broker_session = 7,
        .window = 1000,
        .window_bytes = 16 << 20,
    };
    buf_init(&gateway.out, PIPE_MAX);
    gateway_starts();
    return 0;
}

int gateway_set_up(void **state)
{
    gateway_set_up_alone(state);
    settle_in();
    return 0;
}

int gateway_tear_down(void **state)
{
    (void)state;
    gateway_ends();
    buf_fini(&gateway.out);
    return 0;
}

/* --- the broker speaks --------------------------------------------------- */

void put_message(const message_t *message)
{
    assert_int_equal(message_put(&gateway.out, message), 0);
}

void broker_says_bytes(const void *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1); /* so that ASan guards it */

    must(copy != NULL);
    if (len > 0) {
        memcpy(copy, bytes, len);
    }
    begin_turn();
    hub_frame(gateway.hub, link_to(gateway.at), copy, len);
    free(copy);
    end_turn();
    read_on();
}

void broker_speaks(void)
{
    broker_says_bytes(gateway.out.data, gateway.out.len);
    gateway.out.len = 0;
}

void broker_says(const message_t *message)
{
    put_message(message);
    broker_speaks();
}

void broker_says_bare(message_kind_t kind)
{
    broker_says(&(message_t){.kind = kind});
}

void broker_welcomes(void)
{
    message_t welcome = {.kind = KIND_WELCOME};
    buf_t options;

    buf_init(&options, 256);
    must(wire_put_map(&options, 10) == 0);
    must(wire_put_entry_bool(&options, "returns", gateway.broker_keeps) == 0);
    must(wire_put_entry_bool(&options, "returned", gateway.has_returned) == 0);
    must(wire_put_entry_uint(&options, "push_window", gateway.push_window) ==
         0);
    must(wire_put_entry_uint(&options, "push_window_bytes",
                             gateway.push_window_bytes) == 0);
    must(wire_put_text(&options, "presence") == 0);
    must(wire_put_bool(&options, gateway.is_watching) == 0);
    must(wire_put_text(&options, "settles_ms") == 0);
    must(wire_put_uint(&options, gateway.settles_ms) == 0);
    must(wire_put_text(&options, "ended") == 0);
    must(wire_put_bool(&options, gateway.broker_ended) == 0);
    must(wire_put_text(&options, "window") == 0);
    must(wire_put_uint(&options, gateway.window) == 0);
    must(wire_put_text(&options, "window_bytes") == 0);
    must(wire_put_uint(&options, gateway.window_bytes) == 0);
    must(wire_put_text(&options, "session") == 0);
    must(wire_put_uint(&options, gateway.broker_session) == 0);
    welcome.welcome = (message_welcome_t){
        .version = PROTOCOL_VERSION,
        .boot = wire_bytes(gateway.broker_boot),
        .name = wire_bytes("broker"),
        .heartbeat_ms = 1000,
        .liveness_ms = LIVENESS_MS,
        .options = {options.data, options.len},
    };
    broker_says(&welcome);
    buf_fini(&options);
}

void another_broker_welcomes(void)
{
    gateway.broker_boot[strlen(gateway.broker_boot) - 1]++;
    broker_welcomes();
}

void another_session_begins(void)
{
    gateway.broker_session++;
    gateway.broker_ended = true;
    broker_welcomes();
    gateway.broker_ended = false;
}

void same_session_goes_on(void)
{
    gateway.has_returned = true;
    broker_welcomes();
    gateway.has_returned = false;
}

body_t text_body(const char *text)
{
    return text == NULL ? (body_t){.type = BODY_NONE}
                        : (body_t){BODY_TEXT, wire_bytes(text)};
}

void answers_with(uint64_t id, uint64_t status, body_t body,
                  const buf_t *options)
{
    message_t message = {.kind = KIND_REPLY};

    message.reply = (message_reply_t){.id = id, .status = status, .body = body};
    if (options != NULL) {
        message.reply.options = (wire_bytes_t){options->data, options->len};
    }
    broker_says(&message);
}

void answers(uint64_t id, uint64_t status, const char *text)
{
    answers_with(id, status, text_body(text), NULL);
}

static uint32_t count_words(const char *words)
{
    uint32_t count = 0;

    for (const char *at = words; *at != '\0'; at += strspn(at, " ")) {
        at += strcspn(at, " ");
        count++;
    }
    return count;
}

void put_push(const char *ids, body_t body, uint64_t from)
{
    message_t message = {.kind = KIND_PUSH};
    buf_t target, options;

    buf_init(&target, PIPE_MAX);
    buf_init(&options, 256);
    must(wire_put_array(&target, 1 + count_words(ids)) == 0);
    must(wire_put_text(&target, "connection") == 0);
    for (const char *at = ids; *at != '\0'; at += strspn(at, " ")) {
        size_t len = strcspn(at, " ");
        must(wire_put_str(&target, (wire_bytes_t){(const uint8_t *)at, len}) ==
             0);
        at += len;
    }
    must(wire_put_map(&options, 1) == 0);
    must(wire_put_text(&options, "from") == 0);
    must(wire_put_uint(&options, from) == 0);
    message.push = (message_push_t){.target = {target.data, target.len},
                                    .body = body,
                                    .options = {options.data, options.len}};
    put_message(&message);
    buf_fini(&target);
    buf_fini(&options);
}

void pushes(const char *ids, const char *text)
{
    put_push(ids, text_body(text), 0);
    broker_speaks();
}

void closes(const char *id, uint64_t code, const char *reason, uint64_t from)
{
    message_t message = {.kind = KIND_CLOSE};

    message.close = (message_close_t){.conn = wire_bytes(id),
                                      .code = code,
                                      .reason = wire_bytes(reason),
                                      .from = from};
    broker_says(&message);
}

/* --- the broker hears ---------------------------------------------------- */

static bool next_message(message_t *message)
{
    while (wire_at_end(&gateway.in)) {
        if (gateway.frame_at == gateway.frame_count) {
            return false;
        }
        gateway.in =
            wire_cursor((wire_bytes_t){gateway.frames[gateway.frame_at].data,
                                       gateway.frames[gateway.frame_at].len});
        gateway.frame_at++;
    }
    assert_int_equal(message_decode(&gateway.in, message), 1);
    return true;
}

bool takes(message_t *message)
{
    while (next_message(message)) {
        if (message->kind == KIND_PING) {
            gateway.pings++;
            gateway.last_ping = message->ping.number;
        } else if (message->kind != KIND_INTEREST || gateway.hears_names) {
            return true;
        }
    }
    return false;
}

message_t gets(message_kind_t kind)
{
    message_t message;

    if (!takes(&message)) {
        fail_msg("the broker got nothing, not a %s", message_kind_name(kind));
    }
    if (message.kind != kind) {
        fail_msg("the broker got a %s, not a %s",
                 message_kind_name(message.kind), message_kind_name(kind));
    }
    return message;
}

void gets_nothing(void)
{
    message_t message;

    if (takes(&message)) {
        fail_msg("the broker got a %s", message_kind_name(message.kind));
    }
}

void forgets(void)
{
    message_t message;

    while (takes(&message)) {
    }
}

message_request_t gets_request(event_t event)
{
    message_t message = gets(KIND_REQUEST);

    assert_int_equal(message.request.event, event);
    return message.request;
}

uint64_t gets_connect(void)
{
    return gets_request(EVENT_CONNECT).id;
}

uint64_t gets_message(const char *text)
{
    message_request_t request = gets_request(EVENT_MESSAGE);

    if (!wire_is(request.body.bytes, text)) {
        fail_msg("the broker got the message %.*s, not %s",
                 (int)request.body.bytes.len,
                 (const char *)request.body.bytes.data, text);
    }
    return request.id;
}

uint64_t gets_disconnect(const client_t *client, uint64_t code,
                         const char *reason)
{
    message_request_t request = gets_request(EVENT_DISCONNECT);
    wire_bytes_t said = wire_map_str(request.details, "reason");

    assert_true(wire_is(request.conn, client->id));
    assert_true(wire_is(request.route, "$disconnect"));
    assert_int_equal(wire_map_uint(request.details, "code", 0), code);
    if (!wire_is(said, reason)) {
        fail_msg("it ended with '%.*s', not '%s'", (int)said.len,
                 (const char *)said.data, reason);
    }
    return request.id;
}

static bool is_listed(client_t *const *list, size_t count, wire_bytes_t conn)
{
    for (size_t i = 0; i < count; i++) {
        if (wire_is(conn, list[i]->id)) {
            return true;
        }
    }
    return false;
}

void gets_list(client_t *const *list, size_t count)
{
    message_t message = gets(KIND_SYNC);
    wire_cursor_t in = wire_cursor(message.sync.connections);
    wire_bytes_t conn, context;
    uint32_t listed, parts;

    assert_int_equal(message.sync.session, gateway.broker_session);
    assert_false(message.sync.more);
    assert_int_equal(wire_get_array(&in, &listed), 0);
    assert_int_equal(listed, count);
    for (; listed > 0; listed--) {
        assert_int_equal(wire_get_array(&in, &parts), 0);
        assert_int_equal(parts, 2);
        assert_int_equal(wire_get_str(&in, &conn), 0);
        assert_int_equal(wire_get_raw_map(&in, &context), 0);
        assert_true(is_listed(list, count, conn));
    }
}

/* --- clients ------------------------------------------------------------- */

client_t *a_socket(void)
{
    return a_socket_from("192.0.2.7");
}

client_t *a_socket_from(const char *address)
{
    client_t *client = xcalloc(1, sizeof *client);
    ip_t from;

    assert_int_equal(ip_parse(address, strlen(address), &from), 0);
    begin_turn();
    client->user = hub_transport_ops.opened(gateway.hub, &from);
    if (client->user != NULL) {
        hub_transport_ops.bound(client->user, client);
    }
    end_turn();
    if (client->user == NULL) {
        free(client);
        return NULL;
    }
    assert_true(client_count < CLIENTS_MAX);
    clients[client_count++] = client;
    buf_init(&client->heard, PIPE_MAX);
    buf_init(&client->unread, PIPE_MAX);
    const session_t *session = client->user;
    conn_id_format(&session->id, client->id);
    return client;
}

void client_sends(client_t *client, const void *bytes, size_t len)
{
    assert_int_equal(buf_put(&client->unread, bytes, len), 0);
    read_on();
}

void client_asks(client_t *client, const char *text)
{
    client_sends(client, text, strlen(text));
}

client_t *a_newcomer(const char *head)
{
    client_t *client = a_socket();

    assert_non_null(client);
    client_asks(client, head);
    return client;
}

client_t *a_client(void)
{
    client_t *client = a_newcomer(UPGRADE);

    answers(gets_connect(), 200, NULL);
    assert_non_null(strstr(hears_head(client), "HTTP/1.1 101 "));
    return client;
}

static void put_head(buf_t *out, int first, size_t len)
{
    uint8_t head[10] = {(uint8_t)first};
    size_t size = len < 126 ? 2 : len < 65536 ? 4 : 10;

    head[1] = (uint8_t)(0x80 | (size == 2 ? len : size == 4 ? 126 : 127));
    for (size_t i = 2; i < size; i++) {
        head[i] = (uint8_t)(len >> 8 * (size - 1 - i));
    }
    must(buf_put(out, head, size) == 0);
}

void put_frame(buf_t *out, int first, const void *payload, size_t len)
{
    static const uint8_t mask[4] = {1, 2, 3, 4};

    put_head(out, first, len);
    must(buf_put(out, mask, sizeof mask) == 0);
    for (size_t i = 0; i < len; i++) {
        uint8_t masked = (uint8_t)(((const uint8_t *)payload)[i] ^ mask[i % 4]);
        must(buf_put(out, &masked, 1) == 0);
    }
}

void client_sends_frame(client_t *client, int first, const void *payload,
                        size_t len)
{
    put_frame(&client->unread, first, payload, len);
    read_on();
}

void client_says(client_t *client, const char *text)
{
    client_sends_frame(client, FIN | WS_TEXT, text, strlen(text));
}

void client_says_bytes(client_t *client, const char *bytes)
{
    client_sends_frame(client, FIN | WS_BINARY, bytes, strlen(bytes));
}

void client_closes(client_t *client, uint16_t code, const char *reason)
{
    uint8_t payload[WS_CONTROL_MAX] = {(uint8_t)(code >> 8), (uint8_t)code};
    size_t len = strlen(reason);

    assert_true(len <= sizeof payload - 2);
    memcpy(payload + 2, reason, len);
    client_sends_frame(client, FIN | WS_CLOSE, payload, 2 + len);
}

void client_leaves(client_t *client)
{
    client->has_left = true;
    read_on();
}

void client_vanishes(client_t *client)
{
    begin_turn();
    end_socket(client);
    end_turn();
    read_on();
}

void client_takes_a_piece(client_t *client)
{
    if (!client->is_held || client->user == NULL) {
        return;
    }
    begin_turn();
    client->is_held = false;
    client->in_callback = true;
    hub_transport_ops.drained(client->user);
    kill_if_wanted(client);
    end_turn();
    read_on();
}

void client_reads_on(client_t *client)
{
    client->is_stuck = false;
    client_takes_a_piece(client);
}

bool is_closed(const client_t *client)
{
    return client->user == NULL;
}

/* --- what a client hears ------------------------------------------------- */

static size_t unheard(const client_t *client)
{
    return client->heard.len - client->heard_at;
}

const char *hears_head(client_t *client)
{
    static char head[8192];
    const uint8_t *at = client->heard.data + client->heard_at;
    const uint8_t *end =
        unheard(client) > 0 ? memmem(at, unheard(client), "\r\n\r\n", 4) : NULL;

    if (end == NULL) {
        fail_msg("the client heard no response");
    }
    size_t len = (size_t)(end - at) + 4;
    assert_true(len < sizeof head);
    memcpy(head, at, len);
    head[len] = '\0';
    client->heard_at += len;
    return head;
}

void hears(client_t *client, const char *text)
{
    size_t len = strlen(text);

    if (unheard(client) != len ||
        memcmp(client->heard.data + client->heard_at, text, len) != 0) {
        fail_msg("the client heard '%.*s', not '%s'", (int)unheard(client),
                 (const char *)client->heard.data + client->heard_at, text);
    }
    client->heard_at += len;
}

/* Bytes of a frame's head, and of its payload; 0 when they are not there. */
static size_t read_head(const uint8_t *at, size_t left, uint64_t *len)
{
    if (left < 2) {
        return 0;
    }
    size_t size = (at[1] & 127) < 126 ? 2 : (at[1] & 127) == 126 ? 4 : 10;
    assert_int_equal(at[1] & 0x80, 0); /* never masked */
    if (left < size) {
        return 0;
    }
    *len = size == 2 ? at[1] : 0;
    for (size_t i = 2; i < size; i++) {
        *len = *len << 8 | at[i];
    }
    return size;
}

bool hears_next(client_t *client, frame_t *frame)
{
    size_t left = unheard(client);
    uint64_t len = 0;

    if (left == 0) {
        return false;
    }
    const uint8_t *at = client->heard.data + client->heard_at;
    size_t head = read_head(at, left, &len);
    if (head == 0 || left - head < len) {
        return false;
    }
    *frame = (frame_t){at[0], at + head, (size_t)len};
    client->heard_at += head + (size_t)len;
    return true;
}

void hears_frame(client_t *client, ws_opcode_t opcode, const void *payload,
                 size_t len)
{
    frame_t frame = {0};

    if (!hears_next(client, &frame)) {
        fail_msg("the client heard no frame");
    }
    assert_int_equal(frame.first, FIN | (int)opcode);
    if (frame.len != len ||
        (len > 0 && memcmp(frame.payload, payload, len) != 0)) {
        fail_msg("the client heard '%.*s'", (int)frame.len,
                 (const char *)frame.payload);
    }
}

void hears_text(client_t *client, const char *text)
{
    hears_frame(client, WS_TEXT, text, strlen(text));
}

void hears_error(client_t *client, const char *message, uint64_t number)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                                   "qrstuvwxyz0123456789-_";
    char id[12] = "", text[ERROR_FRAME_MAX];

    for (int i = 0; i < 11; i++) {
        id[i] = alphabet[(i < 10 ? number >> (58 - 6 * i) : number << 2) & 63];
    }
    snprintf(text, sizeof text,
             "{\"message\": \"%s\", \"connectionId\":\"%s\", "
             "\"requestId\":\"%s=\"}",
             message, client->id, id);
    hears_text(client, text);
}

void hears_close(client_t *client, uint16_t code, const char *reason)
{
    uint8_t payload[WS_CONTROL_MAX] = {(uint8_t)(code >> 8), (uint8_t)code};
    size_t len = strlen(reason);

    memcpy(payload + 2, reason, len);
    hears_frame(client, WS_CLOSE, payload, 2 + len);
    hears_nothing(client);
}

void hears_nothing(client_t *client)
{
    if (unheard(client) > 0) {
        fail_msg("the client heard '%.*s'", (int)unheard(client),
                 (const char *)client->heard.data + client->heard_at);
    }
}
