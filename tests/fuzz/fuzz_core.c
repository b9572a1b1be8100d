/* SPDX-License-Identifier: MIT
 *
 * A broker's core between eight peers that do what the input says: any bytes
 * as a frame, well-formed messages at the wrong time, sockets that take
 * nothing, silence.  Nothing of it may end the broker, and a gateway and a
 * worker that come afterwards are served as if nothing had been.
 */
#include "base/log.h"
#include "base/xalloc.h"
#include "broker/core.h"
#include "proto/message.h"
#include "tests/model_store.h"

#include <errno.h>
#include <string.h>

#define PEERS     8 /* the first half are workers */
#define FRAME_CAP (8u << 20)
#define BOOT      "fuzz-broker"
#define ROUTE     "good-7f3a9c"
#define LOOP      0xfeedfau

typedef struct {
    core_t *core;
    model_table_t table;
    model_store_t model;
    int64_t now_ms;
    bool is_stuck[PEERS], is_broken[PEERS];
    uint64_t last_request[PEERS]; /* the last id that it was sent, */
    uint64_t last_query[PEERS];   /* likewise */
    uint64_t good_request, good_reply;
    bool was_welcomed, was_asked;
} world_t;

typedef struct {
    const uint8_t *at, *end;
} input_t;

static uint8_t next(input_t *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

/* --- what the core sends ------------------------------------------------- */

static void see_message(world_t *world, char id, const message_t *message)
{
    if (message->kind == KIND_REQUEST && id == 'w') {
        world->good_request = message->request.id;
        world->was_asked = true;
    } else if (message->kind == KIND_REPLY && id == 'g') {
        world->good_reply = message->reply.status;
    } else if (message->kind == KIND_WELCOME && id == 'g') {
        world->was_welcomed = true;
    } else if (message->kind == KIND_REQUEST && id < PEERS) {
        world->last_request[(size_t)id] = message->request.id;
    } else if (message->kind == KIND_QUERY && id < PEERS) {
        world->last_query[(size_t)id] = message->query.id;
    }
}

static int send_frame(void *user, side_t side, const uint8_t *id, size_t id_len,
                      const uint8_t *frame, size_t len)
{
    world_t *world = user;
    wire_cursor_t in = wire_cursor((wire_bytes_t){frame, len});
    message_t message;
    (void)side;

    must(id_len == 1);
    if (id[0] < PEERS && world->is_broken[id[0]]) {
        return -EHOSTUNREACH;
    }
    if (id[0] < PEERS && world->is_stuck[id[0]]) {
        return -EAGAIN;
    }
    while (!wire_at_end(&in)) { /* what the broker says is always well-formed */
        must(message_decode(&in, &message) == 1);
        see_message(world, (char)id[0], &message);
    }
    return 0;
}

static void say(world_t *world, char id, bool is_gateway, const buf_t *out)
{
    core_begin(world->core, world->now_ms * 1000);
    origin_t origin = {is_gateway ? SIDE_GATEWAYS : SIDE_WORKERS, &id, 1, 0};
    core_frame(world->core, &origin, out->data, out->len);
    core_end(world->core);
}

/* --- well-formed messages ------------------------------------------------ */

/* Most are links of one of two processes; loop 0 is of none. */
static void put_hello(buf_t *out, const char *role, const char *boot,
                      uint32_t loop)
{
    static const char *const processes[] = {"p", "q"};
    const char *process = loop == 0 ? "" : processes[loop % 2];
    message_hello_t hello = {
        .version = PROTOCOL_VERSION,
        .role = wire_bytes(role),
        .boot = wire_bytes(boot),
    };
    buf_t options;

    buf_init(&options, 256);
    must(wire_put_map(&options, 3) == 0);
    must(wire_put_entry_str(&options, "process", wire_bytes(process)) == 0);
    must(wire_put_text(&options, "loop") == 0);
    must(wire_put_uint(&options, loop) == 0);
    must(wire_put_text(&options, "require_connect") == 0);
    must(wire_put_bool(&options, loop % 2 == 1) == 0);
    hello.options = (wire_bytes_t){options.data, options.len};
    must(message_put_hello(out, &hello) == 0);
    buf_fini(&options);
}

/* One in eight is a manager. */
static const char *role_of(bool is_gateway, uint8_t detail)
{
    if (detail % 8 == 7) {
        return "manager";
    }
    return is_gateway ? "gateway" : "worker";
}

static void put_ready(buf_t *out, const char *const *routes, uint32_t count,
                      uint64_t window)
{
    buf_t keys;

    buf_init(&keys, 4096);
    must(wire_put_array(&keys, count) == 0);
    for (uint32_t i = 0; i < count; i++) {
        must(wire_put_text(&keys, routes[i]) == 0);
    }
    message_ready_t ready = {{keys.data, keys.len}, window, 1 << 16};
    must(message_put_ready(out, &ready) == 0);
    buf_fini(&keys);
}

static void conn_text(char *text, uint32_t loop, uint32_t slot)
{
    conn_id_format(&(conn_id_t){.loop = loop, .slot = slot}, text);
}

static void put_request(buf_t *out, uint32_t loop, uint32_t slot, event_t event,
                        const char *route)
{
    /* {"joined": ["g"], "left": ["h"]} */
    static const uint8_t news[] = {0x82, 0xa6, 'j',  'o',  'i',  'n', 'e',
                                   'd',  0x91, 0xa1, 'g',  0xa4, 'l', 'e',
                                   'f',  't',  0x91, 0xa1, 'h'};
    char conn[CONN_ID_TEXT];
    message_request_t request = {
        .id = slot + 1,
        .event = event,
        .conn = {(const uint8_t *)conn, sizeof conn},
        .route = wire_bytes(route),
        .deadline_ms = 1000,
    };

    conn_text(conn, loop, slot);
    if (event == EVENT_PRESENCE) {
        request.details = (wire_bytes_t){news, sizeof news};
    }
    if (event == EVENT_MESSAGE) {
        request.body = (body_t){BODY_TEXT, wire_bytes("hello")};
    }
    must(message_put_request(out, &request) == 0);
}

static void put_push(buf_t *out, uint32_t loop, uint32_t slot)
{
    char conn[CONN_ID_TEXT];
    buf_t target;

    conn_text(conn, loop, slot);
    buf_init(&target, 256);
    must(wire_put_array(&target, 2) == 0);
    must(wire_put_text(&target, "connection") == 0);
    must(wire_put_str(&target,
                      (wire_bytes_t){(const uint8_t *)conn, sizeof conn}) == 0);
    message_push_t push = {.target = {target.data, target.len},
                           .body = {BODY_TEXT, wire_bytes("push")}};
    must(message_put_push(out, &push) == 0);
    buf_fini(&target);
}

static void put_sync(buf_t *out, uint32_t loop, uint32_t slot, bool more,
                     uint64_t change)
{
    char conn[CONN_ID_TEXT];
    buf_t list;

    conn_text(conn, loop, slot);
    buf_init(&list, 256);
    must(wire_put_array(&list, 1) == 0);
    must(wire_put_array(&list, 2) == 0);
    must(wire_put_str(&list,
                      (wire_bytes_t){(const uint8_t *)conn, sizeof conn}) == 0);
    must(wire_put_map(&list, 0) == 0);
    message_sync_t sync = {{list.data, list.len}, more, 0, change};
    must(message_put_sync(out, &sync) == 0);
    buf_fini(&list);
}

static void put_query(buf_t *out, uint8_t detail)
{
    static const char *const words[] = {"connection", "user",  "tenant",
                                        "count",      "group", "weather"};
    static const uint8_t live[] = {0x82, 0xa4, 'l', 'i', 'v', 'e', 0xc3,
                                   0xa5, 'c',  'o', 'u', 'n', 't', 0xc3};
    static const uint8_t cursor[] = {0x81, 0xa6, 'c', 'u', 'r', 's', 'o',
                                     'r',  0xa4, '5', '.', '1', '.'};
    char conn[CONN_ID_TEXT];
    buf_t what;

    buf_init(&what, 256);
    must(wire_put_array(&what, 2) == 0);
    must(wire_put_text(&what, words[detail % 6]) == 0);
    conn_text(conn, PEERS / 2 + detail % 4, detail / 32);
    must(wire_put_str(&what, (wire_bytes_t){(const uint8_t *)conn,
                                            detail < 128 ? 0 : sizeof conn}) ==
         0);
    message_query_t query = {.id = detail, .what = {what.data, what.len}};
    if (detail % 4 == 1) {
        query.options = (wire_bytes_t){live, sizeof live};
    } else if (detail % 4 == 3) {
        query.options = (wire_bytes_t){cursor, sizeof cursor};
    }
    must(message_put_query(out, &query) == 0);
    buf_fini(&what);
}

static void put_result(buf_t *out, uint64_t id, uint8_t detail)
{
    static const uint64_t statuses[] = {200, 404, 410, 500};
    static const uint8_t rows[] = {0x91, 0x92, 0xa1, 'c', 0x80};
    static const uint8_t options[] = {0x82, 0xa6, 'c', 'u', 'r', 's',  'o',
                                      'r',  0xa3, '1', '.', '1', 0xa5, 'c',
                                      'o',  'u',  'n', 't', 0x03};
    message_result_t result = {.id = id, .status = statuses[detail / 4 % 4]};

    if (detail < 128) {
        result.rows = (wire_bytes_t){rows, sizeof rows};
    }
    if (detail % 3 == 0) {
        result.options = (wire_bytes_t){options, sizeof options};
    }
    must(message_put_result(out, &result) == 0);
}

/* --- what the input says ------------------------------------------------- */

/* What has no fields, and answers to PINGs that a broker has sent, or not. */
static void put_rest(buf_t *out, uint8_t detail)
{
    if (detail % 4 == 2) {
        const message_pong_t pong = {.number = detail / 4};
        must(message_put_pong(out, &pong) == 0);
    } else {
        must(message_put_bare(out, detail % 2 == 0 ? KIND_DRAIN : KIND_BYE) ==
             0);
    }
}

static void put_one(world_t *world, input_t *in, uint8_t peer, buf_t *out)
{
    static const char *const routes[] = {"a",           "$default",  "$connect",
                                         "$disconnect", "$presence", "b"};
    bool is_gateway = peer >= PEERS / 2;
    uint8_t what = next(in), detail = next(in);
    char boot[] = {'b', (char)('a' + peer), (char)('a' + detail % 3), '\0'};

    switch (what % 8) {
    case 0:
        put_hello(out, role_of(is_gateway, detail), boot, peer);
        break;
    case 1:
        put_ready(out, routes + detail % 4, 1 + detail / 4 % 3,
                  1 + detail / 12);
        break;
    case 2:
        put_request(out, peer, detail / 4, 1 + detail % 4,
                    routes[next(in) % 6]);
        break;
    case 3: {
        message_reply_t reply = {.id = world->last_request[detail % PEERS],
                                 .status = detail < 200 ? 200 : 500};
        must(message_put_reply(out, &reply) == 0);
        break;
    }
    case 4:
        put_push(out, PEERS / 2 + detail % 4, detail / 4);
        break;
    case 5:
        put_sync(out, peer, detail / 4, detail % 4 == 0,
                 detail % 4 == 0 ? 0 : detail % 4 - 1u);
        break;
    case 6:
        if (is_gateway && detail % 4 == 3) {
            put_result(out, world->last_query[peer], detail);
        } else if (is_gateway) {
            message_credit_t credit = {detail, 0};
            must(message_put_credit(out, &credit) == 0);
        } else {
            put_query(out, detail);
        }
        break;
    default:
        put_rest(out, detail);
    }
}

static void time_passes(world_t *world, uint8_t turns)
{
    for (; turns > 0; turns--) {
        world->now_ms += 50;
        core_begin(world->core, world->now_ms * 1000);
        core_end(world->core);
    }
}

/* Up to 63 bytes as they are, behind what the peer has put. */
static void put_bytes(input_t *in, buf_t *out)
{
    size_t len = next(in) % 64, left = (size_t)(in->end - in->at);

    len = len < left ? len : left;
    if (len > 0) {
        must(buf_put(out, in->at, len) == 0);
        in->at += len;
    }
}

/* The store answers, in some order, fails, mends, falls silent or loses all. */
static void use_store(world_t *world, uint8_t what)
{
    core_begin(world->core, world->now_ms * 1000);
    switch (what % 6) {
    case 0:
        (void)model_store_answer_behind(&world->model, what / 6 % 4);
        break;
    case 1:
        model_store_fail(&world->model, -ENOTCONN);
        break;
    case 2:
        model_store_fail(&world->model, 0);
        break;
    case 3:
        world->model.holds = true;
        break;
    case 4:
        world->model.holds = false;
        break;
    default:
        model_table_empty(&world->table);
    }
    core_end(world->core);
}

static void act(world_t *world, input_t *in, buf_t *out)
{
    uint8_t what = next(in), peer = what % PEERS;
    side_t side = peer >= PEERS / 2 ? SIDE_GATEWAYS : SIDE_WORKERS;

    out->len = 0;
    switch (what / PEERS % 8) {
    case 0:
        put_bytes(in, out);
        break;
    case 1:
        time_passes(world, next(in) % 128);
        return;
    case 2:
        world->is_stuck[peer] = !world->is_stuck[peer];
        return;
    case 3:
        world->is_broken[peer] = !world->is_broken[peer];
        core_probe(world->core);
        return;
    case 4:
        core_malformed(world->core, &(origin_t){side, &peer, 1, 0});
        return;
    case 5:
        put_one(world, in, peer, out);
        put_one(world, in, peer, out);
        put_bytes(in, out);
        break;
    case 6:
        use_store(world, next(in));
        return;
    default:
        put_one(world, in, peer, out);
    }
    say(world, (char)peer, side == SIDE_GATEWAYS, out);
}

/* --- what must still work ------------------------------------------------ */

static void check_that_good_ones_are_served(world_t *world, buf_t *out)
{
    static const char *const routes[] = {ROUTE};

    out->len = 0;
    put_hello(out, "gateway", "good-gateway", LOOP);
    put_sync(out, LOOP, 5, false, SYNC_LIST);
    say(world, 'g', true, out);
    must(world->was_welcomed);
    out->len = 0;
    put_hello(out, "worker", "good-worker", 0);
    put_ready(out, routes, 1, 4);
    say(world, 'w', false, out);
    out->len = 0;
    put_request(out, LOOP, 5, EVENT_MESSAGE, ROUTE);
    say(world, 'g', true, out);
    must(world->was_asked);
    out->len = 0;
    message_reply_t reply = {.id = world->good_request, .status = 201};
    must(message_put_reply(out, &reply) == 0);
    say(world, 'w', false, out);
    must(world->good_reply == 201);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const core_ops_t ops = {.send = send_frame};
    input_t in = {data, data + size};
    world_t world = {.now_ms = 1000000};
    broker_options_t options;
    buf_t out;

    log_set_level(LEVEL_ERROR);
    broker_options_init(&options);
    options.gateway_window = 32;
    options.push_window = 16;
    options.store_lease_ms = 1000;
    options.require_store = size % 3 == 0;
    model_table_init(&world.table);
    model_store_init(&world.model, &world.table, BOOT);
    world.model.store.is_shared = size % 2 == 0; /* or as memory is */
    store_t *store = &world.model.store;
    world.core = core_new(&options, BOOT, &ops, &world, store, world.now_ms);
    buf_init(&out, FRAME_CAP);
    while (in.at < in.end) {
        act(&world, &in, &out);
    }
    check_that_good_ones_are_served(&world, &out);
    core_destroy(&world.core);
    store_destroy(&store);
    model_table_fini(&world.table);
    buf_fini(&out);
    return 0;
}
