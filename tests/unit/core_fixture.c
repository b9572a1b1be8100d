/* SPDX-License-Identifier: MIT */
#include "tests/unit/core_fixture.h"

#include "base/log.h"
#include "base/xalloc.h"
#include "tests/unit/grow.h"

#include <errno.h>

#define NODES_MAX   64
#define CLIENTS_MAX 1024
#define FRAME_CAP   (64u << 20)
#define TURN_MS     50
#define SIGN_MS     1000
#define BROKERS_MAX 256

fixture_t broker;

static node_t *nodes[NODES_MAX];
static size_t node_count;
static client_t *clients[CLIENTS_MAX];
static size_t client_count;
static uint64_t boots; /* brokers and peers that have started */

/* --- the broker ---------------------------------------------------------- */

static node_t *find_node(side_t side, const uint8_t *id, size_t id_len)
{
    for (size_t i = 0; i < node_count; i++) {
        if (nodes[i]->side == side && strlen(nodes[i]->id) == id_len &&
            memcmp(nodes[i]->id, id, id_len) == 0) {
            return nodes[i];
        }
    }
    return NULL;
}

static void keep_frame(node_t *node, const uint8_t *frame, size_t len)
{
    uint8_t *copy = malloc(len);

    must(copy != NULL);
    memcpy(copy, frame, len);
    node->frames = grown(node->frames, node->frame_count, sizeof *node->frames);
    node->frames[node->frame_count].data = copy;
    node->frames[node->frame_count].len = len;
    node->frame_count++;
}

static int send_frame(void *user, side_t side, const uint8_t *id, size_t id_len,
                      const uint8_t *frame, size_t len)
{
    node_t *node = find_node(side, id, id_len);

    assert_ptr_equal(user, &broker);
    if (node == NULL || node->is_broken) {
        return -EHOSTUNREACH;
    }
    if (node->is_stuck) {
        return -EAGAIN;
    }
    if (len > 0) {
        keep_frame(node, frame, len);
    }
    return 0;
}

static void keep_letter(void *user, const letter_t *letter)
{
    wire_bytes_t body = letter->body.bytes;

    assert_ptr_equal(user, &broker);
    assert_in_range(body.len, 0, sizeof broker.letter_text - 1);
    broker.dead++;
    broker.letter_id = letter->id;
    broker.letter_attempts = letter->attempts;
    memcpy(broker.letter_text, body.data, body.len);
    broker.letter_text[body.len] = '\0';
}

static void settle_letter(void *user, uint64_t letter)
{
    assert_ptr_equal(user, &broker);
    broker.settled = letter;
}

static void keep_span(void *user, const span_t *span)
{
    assert_ptr_equal(user, &broker);
    assert_true(broker.span_count < SPANS_KEPT);
    broker.spans[broker.span_count++] = *span;
}

static void broker_starts(void)
{
    static const core_ops_t ops = {.send = send_frame,
                                   .dead = keep_letter,
                                   .settled = settle_letter,
                                   .span = keep_span};
    static char names[BROKERS_MAX][32]; /* rows bear them, so they stay */
    char *boot = names[++boots % BROKERS_MAX];

    snprintf(boot, sizeof names[0], "broker-%llu", (unsigned long long)boots);
    store_options_init(&broker.store_options);
    if (broker.has_shared_store) {
        model_store_init(&broker.model, &broker.table, boot);
        broker.store = &broker.model.store;
    } else {
        broker.store = store_memory_new(&broker.store_options);
    }
    store_begin(broker.store, broker.now_ms);
    broker.core = core_new(&broker.options, boot, &ops, &broker, broker.store,
                           broker.now_ms);
}

static void broker_ends(void)
{
    core_destroy(&broker.core);
    store_destroy(&broker.store);
}

static void on_count(store_op_t *op, int rc, const store_result_t *result)
{
    assert_int_equal(rc, 0);
    *(uint64_t *)op->user = result->count;
}

uint64_t rows(void)
{
    uint64_t count = UINT64_MAX;
    store_op_t op = {.verb = STORE_COUNT, .done = on_count, .user = &count};

    store_submit(broker.has_shared_store ? broker.table.rows : broker.store,
                 &op);
    return count;
}

void broker_restarts(void)
{
    broker_ends();
    broker_starts();
}

static int set_up(bool has_shared_store)
{
    log_set_level(LEVEL_ERROR);
    broker = (fixture_t){.has_shared_store = has_shared_store};
    if (has_shared_store) {
        model_table_init(&broker.table);
    }
    broker_options_init(&broker.options);
    broker.options.liveness_ms = LIVENESS_MS;
    broker.options.route_grace_ms = ROUTE_GRACE_MS;
    broker.now_ms = 1000000;
    broker_starts();
    return 0;
}

int broker_set_up(void **state)
{
    (void)state;
    return set_up(false);
}

int broker_set_up_shared(void **state)
{
    (void)state;
    return set_up(true);
}

static void free_node(node_t *node)
{
    for (size_t i = 0; i < node->frame_count; i++) {
        free(node->frames[i].data);
    }
    free(node->frames);
    buf_fini(&node->out);
    free(node);
}

int broker_tear_down(void **state)
{
    (void)state;
    broker_ends();
    if (broker.has_shared_store) {
        model_table_fini(&broker.table);
    }
    while (node_count > 0) {
        free_node(nodes[--node_count]);
    }
    while (client_count > 0) {
        free(clients[--client_count]);
    }
    return 0;
}

static origin_t origin_of(const node_t *node)
{
    return (origin_t){node->side, node->id, strlen(node->id), node->principal};
}

static void give_sign(const node_t *node)
{
    if (!node->is_silent) {
        origin_t origin = origin_of(node);
        core_frame(broker.core, &origin, NULL, 0);
    }
}

void time_passes(int64_t ms)
{
    for (int64_t end_ms = broker.now_ms + ms; broker.now_ms < end_ms;) {
        int64_t step_ms = end_ms - broker.now_ms;
        int64_t before = broker.now_ms / SIGN_MS;
        broker.now_ms += step_ms < TURN_MS ? step_ms : TURN_MS;
        store_begin(broker.store, broker.now_ms);
        core_begin(broker.core, broker.now_ms * 1000);
        for (size_t i = 0; i < node_count && broker.now_ms / SIGN_MS != before;
             i++) {
            give_sign(nodes[i]);
        }
        core_end(broker.core);
    }
}

/* --- peers --------------------------------------------------------------- */

static void take_boot(node_t *node)
{
    snprintf(node->boot, sizeof node->boot, "boot-%llu",
             (unsigned long long)++boots);
}

node_t *a_stranger(side_t side, const char *name)
{
    node_t *node = xcalloc(1, sizeof *node);

    assert_true(node_count < NODES_MAX);
    nodes[node_count++] = node;
    node->side = side;
    snprintf(node->id, sizeof node->id, "%s", name);
    take_boot(node);
    buf_init(&node->out, FRAME_CAP);
    return node;
}

void put_message(node_t *node, const message_t *message)
{
    assert_int_equal(message_put(&node->out, message), 0);
}

static void put_bare(node_t *node, message_kind_t kind)
{
    assert_int_equal(message_put_bare(&node->out, kind), 0);
}

static const char *role_of(const node_t *node)
{
    if (node->is_manager) {
        return "manager";
    }
    return node->side == SIDE_GATEWAYS ? "gateway" : "worker";
}

void put_hello(node_t *node)
{
    message_t hello = {.kind = KIND_HELLO};
    buf_t options;

    buf_init(&options, OPTIONS_MAX);
    if (strcmp(role_of(node), "gateway") == 0) {
        must(wire_put_map(&options, 7) == 0);
        wire_bytes_t known = wire_bytes(node->broker);
        bool is_strict = node->requires_connect;
        bool is_watched = node->knows_watchers;
        must(wire_put_entry_bool(&options, "presence", is_watched) == 0);
        must(wire_put_entry_str(&options, "broker", known) == 0);
        must(wire_put_entry_uint(&options, "session", node->session) == 0);
        must(wire_put_entry_uint(&options, "loop", node->loop) == 0);
        must(wire_put_entry_bool(&options, "require_connect", is_strict) == 0);
        must(wire_put_entry_bool(&options, "returns", node->returns) == 0);
        must(wire_put_entry_uint(&options, "watches", node->watches) == 0);
    } else if (node->process.len != 0) {
        must(wire_put_map(&options, 1) == 0 &&
             wire_put_entry_str(&options, "process", node->process) == 0);
    }
    hello.hello = (message_hello_t){
        .version = PROTOCOL_VERSION,
        .role = wire_bytes(role_of(node)),
        .boot = wire_bytes(node->boot),
        .name = wire_bytes(node->id),
        .options = {options.data, options.len},
    };
    put_message(node, &hello);
    buf_fini(&options);
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

/* "echo"; "echo*3" is ["echo", {"redeliver": 3, …}], "echo~" unordered. */
static void put_route(buf_t *out, const char *word, size_t len)
{
    size_t key_len = strcspn(word, "*~ ");
    const char *star = memchr(word, '*', len);
    bool is_unordered = memchr(word, '~', len) != NULL;

    if (key_len < len) {
        must(wire_put_array(out, 2) == 0);
    }
    must(wire_put_str(out, (wire_bytes_t){(const uint8_t *)word, key_len}) ==
         0);
    if (key_len < len) {
        must(wire_put_map(out, 2) == 0);
        must(wire_put_text(out, "redeliver") == 0);
        must(wire_put_uint(
                 out, star == NULL ? 0 : strtoul(star + 1, NULL, 10)) == 0);
        must(wire_put_text(out, "unordered") == 0);
        must(wire_put_bool(out, is_unordered) == 0);
    }
}

static void put_routes(buf_t *out, const char *words)
{
    must(wire_put_array(out, count_words(words)) == 0);
    for (const char *at = words; *at != '\0'; at += strspn(at, " ")) {
        size_t len = strcspn(at, " ");
        put_route(out, at, len);
        at += len;
    }
}

void put_ready(node_t *worker, const char *routes, uint64_t window,
               uint64_t window_bytes)
{
    message_t ready = {.kind = KIND_READY};
    buf_t words;

    buf_init(&words, FRAME_CAP);
    put_routes(&words, routes);
    ready.ready =
        (message_ready_t){{words.data, words.len}, window, window_bytes};
    put_message(worker, &ready);
    buf_fini(&words);
}

void says_bytes(node_t *node, const void *bytes, size_t len)
{
    origin_t origin = origin_of(node);

    core_begin(broker.core, broker.now_ms * 1000);
    core_frame(broker.core, &origin, bytes, len);
    core_end(broker.core);
}

void speaks(node_t *node)
{
    says_bytes(node, node->out.data, node->out.len);
    node->out.len = 0;
}

void says(node_t *node, const message_t *message)
{
    put_message(node, message);
    speaks(node);
}

void says_bare(node_t *node, message_kind_t kind)
{
    put_bare(node, kind);
    speaks(node);
}

void dies(node_t *node)
{
    node->is_silent = true;
    says_bare(node, KIND_BYE);
}

void announces(node_t *worker, const char *routes, uint64_t window)
{
    put_ready(worker, routes, window, 1 << 20);
    speaks(worker);
}

message_t greets(node_t *worker, const char *routes, uint64_t window)
{
    put_hello(worker);
    announces(worker, routes, window);
    return gets(worker, KIND_WELCOME);
}

void starts_anew(node_t *worker, const char *routes, uint64_t window)
{
    take_boot(worker);
    greets(worker, routes, window);
}

node_t *a_worker(const char *name, const char *routes, uint64_t window)
{
    node_t *worker = a_stranger(SIDE_WORKERS, name);

    greets(worker, routes, window);
    return worker;
}

node_t *a_manager(side_t side, const char *name)
{
    node_t *manager = a_stranger(side, name);

    manager->is_manager = true;
    put_hello(manager);
    speaks(manager);
    gets(manager, KIND_WELCOME);
    return manager;
}

static node_t *greeting_gateway(uint32_t loop, bool requires_connect)
{
    char name[32];

    snprintf(name, sizeof name, "gateway-%u-%zu", loop, node_count);
    node_t *gateway = a_stranger(SIDE_GATEWAYS, name);
    gateway->loop = loop;
    gateway->requires_connect = requires_connect;
    put_hello(gateway);
    syncs(gateway, NULL, 0, false);
    gets(gateway, KIND_WELCOME);
    return gateway;
}

node_t *a_gateway(uint32_t loop)
{
    return greeting_gateway(loop, false);
}

node_t *a_strict_gateway(uint32_t loop)
{
    return greeting_gateway(loop, true);
}

/* --- what a peer gets ---------------------------------------------------- */

bool takes(node_t *node, message_t *message)
{
    while (wire_at_end(&node->in)) {
        if (node->frame_at == node->frame_count) {
            return false;
        }
        node->in =
            wire_cursor((wire_bytes_t){node->frames[node->frame_at].data,
                                       node->frames[node->frame_at].len});
        node->frame_at++;
    }
    assert_int_equal(message_decode(&node->in, message), 1);
    return true;
}

message_t gets(node_t *node, message_kind_t kind)
{
    message_t message = {0};

    if (!takes(node, &message)) {
        fail_msg("%s got nothing, not a %s", node->id, message_kind_name(kind));
    }
    if (message.kind != kind) {
        fail_msg("%s got a %s, not a %s", node->id,
                 message_kind_name(message.kind), message_kind_name(kind));
    }
    return message;
}

void gets_nothing(node_t *node)
{
    message_t message;

    if (takes(node, &message)) {
        fail_msg("%s got a %s", node->id, message_kind_name(message.kind));
    }
}

bool is_text(wire_bytes_t bytes, const char *text)
{
    return wire_is(bytes, text);
}

void gets_error(node_t *node, const char *code)
{
    message_t message = gets(node, KIND_ERROR);

    if (!is_text(message.error.code, code)) {
        fail_msg("%s got the error %.*s, not %s", node->id,
                 (int)message.error.code.len,
                 (const char *)message.error.code.data, code);
    }
}

void forgets(node_t *node)
{
    message_t message;

    while (takes(node, &message)) {
    }
}

/* --- events -------------------------------------------------------------- */

client_t *a_newcomer(node_t *gateway)
{
    client_t *client = xcalloc(1, sizeof *client);

    assert_true(client_count < CLIENTS_MAX);
    clients[client_count++] = client;
    client->gateway = gateway;
    client->slot = gateway->last_slot++;
    conn_id_t id = {.loop = gateway->loop,
                    .slot = client->slot,
                    .random = (uint32_t)client_count};
    conn_id_format(&id, client->id);
    return client;
}

uint64_t put_event(client_t *client, event_t event, const char *route,
                   const char *text, uint64_t deadline_ms)
{
    static const uint8_t empty_map[] = {0x80};
    message_t message = {.kind = KIND_REQUEST};
    node_t *gateway = client->gateway;
    body_t body = {.type = BODY_NONE};

    if (text != NULL) {
        body = (body_t){BODY_TEXT, wire_bytes(text)};
    }
    message.request = (message_request_t){
        .id = ++gateway->last_id,
        .event = event,
        .conn = wire_bytes(client->id),
        .route = wire_bytes(route),
        .body = body,
        .deadline_ms = deadline_ms,
        .number = gateway->last_id,
    };
    if (broker.traceparent != NULL) {
        message.request.traceparent = wire_bytes(broker.traceparent);
    }
    if (event == EVENT_CONNECT) {
        message.request.context = (wire_bytes_t){empty_map, 1};
    }
    put_message(gateway, &message);
    return gateway->last_id;
}

uint64_t client_knocks(client_t *client)
{
    uint64_t id =
        put_event(client, EVENT_CONNECT, "$connect", NULL, DEADLINE_MS);

    speaks(client->gateway);
    return id;
}

uint64_t client_says_within(client_t *client, const char *route,
                            const char *text, uint64_t deadline_ms)
{
    uint64_t id = put_event(client, EVENT_MESSAGE, route, text, deadline_ms);

    speaks(client->gateway);
    return id;
}

uint64_t client_says(client_t *client, const char *route, const char *text)
{
    return client_says_within(client, route, text, DEADLINE_MS);
}

uint64_t client_leaves(client_t *client)
{
    uint64_t id =
        put_event(client, EVENT_DISCONNECT, "$disconnect", NULL, DEADLINE_MS);

    speaks(client->gateway);
    return id;
}

client_t *a_client(node_t *gateway)
{
    client_t *client = a_newcomer(gateway);

    gets_reply(gateway, client_knocks(client), 200);
    return client;
}

uint64_t takes_event(node_t *worker, event_t event)
{
    message_t message = gets(worker, KIND_REQUEST);

    assert_int_equal(message.request.event, event);
    return message.request.id;
}

uint64_t takes_message(node_t *worker, const char *text)
{
    message_t message = gets(worker, KIND_REQUEST);
    wire_bytes_t body = message.request.body.bytes;

    assert_int_equal(message.request.event, EVENT_MESSAGE);
    if (!is_text(body, text)) {
        fail_msg("%s got the message %.*s, not %s", worker->id, (int)body.len,
                 (const char *)body.data, text);
    }
    return message.request.id;
}

void answers(node_t *worker, uint64_t id, uint64_t status, const char *text)
{
    message_t message = {.kind = KIND_REPLY};

    message.reply = (message_reply_t){.id = id, .status = status};
    if (text != NULL) {
        message.reply.body = (body_t){BODY_TEXT, wire_bytes(text)};
    }
    says(worker, &message);
}

message_t gets_reply(node_t *gateway, uint64_t id, uint64_t status)
{
    message_t message = gets(gateway, KIND_REPLY);

    assert_int_equal(message.reply.id, id);
    assert_int_equal(message.reply.status, status);
    return message;
}

/* --- pushes -------------------------------------------------------------- */

void put_push(node_t *worker, const char *conn, const char *text)
{
    message_t message = {.kind = KIND_PUSH};
    buf_t target;

    buf_init(&target, FRAME_CAP);
    must(wire_put_array(&target, 2) == 0);
    must(wire_put_text(&target, "connection") == 0);
    must(wire_put_text(&target, conn) == 0);
    message.push = (message_push_t){
        .target = {target.data, target.len},
        .body = {BODY_TEXT, wire_bytes(text)},
    };
    put_message(worker, &message);
    buf_fini(&target);
}

void pushes(node_t *worker, const char *conn, const char *text)
{
    put_push(worker, conn, text);
    speaks(worker);
}

void closes(node_t *worker, const char *conn, uint64_t code)
{
    message_t message = {.kind = KIND_CLOSE};

    message.close = (message_close_t){
        .conn = wire_bytes(conn), .code = code, .reason = wire_bytes("why")};
    says(worker, &message);
}

void gives_credit(node_t *gateway, uint64_t messages)
{
    message_t message = {.kind = KIND_CREDIT};

    message.credit.messages = messages;
    says(gateway, &message);
}

message_credit_t gets_credit(node_t *worker)
{
    time_passes(CREDIT_MS);
    return gets(worker, KIND_CREDIT).credit;
}

static void say_sync(node_t *gateway, client_t *const *list, size_t count,
                     bool more, sync_change_t change)
{
    message_t message = {.kind = KIND_SYNC};
    buf_t lines;

    buf_init(&lines, FRAME_CAP);
    must(wire_put_array(&lines, (uint32_t)count) == 0);
    for (size_t i = 0; i < count; i++) {
        must(wire_put_array(&lines, 2) == 0);
        must(wire_put_text(&lines, list[i]->id) == 0);
        must(wire_put_map(&lines, 0) == 0);
    }
    message.sync = (message_sync_t){{lines.data, lines.len}, more, 0, change};
    says(gateway, &message);
    buf_fini(&lines);
}

void syncs(node_t *gateway, client_t *const *list, size_t count, bool more)
{
    say_sync(gateway, list, count, more, SYNC_LIST);
}

void adds(node_t *gateway, client_t *client)
{
    say_sync(gateway, &client, 1, false, SYNC_ADD);
}

void drops(node_t *gateway, client_t *client)
{
    say_sync(gateway, &client, 1, false, SYNC_DROP);
}

void has_no(node_t *gateway, const char *conn, uint64_t from)
{
    message_t gone = {.kind = KIND_GONE};

    gone.gone = (message_gone_t){wire_bytes(conn), from};
    says(gateway, &gone);
}
