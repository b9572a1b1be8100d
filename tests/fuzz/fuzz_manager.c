/* SPDX-License-Identifier: MIT
 *
 * The management API's core between brokers and askers that do what the input
 * says: any bytes as a frame, well-formed answers to what was asked, at the
 * right time and at the wrong one, silence, transports that break.  What the
 * manager says is always well-formed, each request has one answer, in its time,
 * and a broker that comes afterwards is used as if nothing had been.
 */
#include "base/log.h"
#include "base/xalloc.h"
#include "manage/manager.h"

#include <stdio.h>
#include <string.h>

#define BROKERS   2
#define FRAME_CAP (8u << 20)
#define ASKS_MAX  512
#define TURN_MS   50

typedef struct {
    const uint8_t *at, *end;
} input_t;

static struct {
    manager_t *manager;
    uplink_t *uplinks[BROKERS];
    int64_t now_ms;
    uint64_t asked, told, session, last_id;
    int64_t asked_ms[ASKS_MAX]; /* 0: it has its answer */
    unsigned status;            /* of the last answer */
} world;

static uint8_t next(input_t *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

static wire_bytes_t next_bytes(input_t *in)
{
    size_t len = next(in), left = (size_t)(in->end - in->at);
    wire_bytes_t bytes = {in->at, len < left ? len : left};

    in->at += bytes.len;
    return bytes;
}

/* --- askers -------------------------------------------------------------- */

static void on_answer(void *user, manager_caller_t caller,
                      const api_reply_t *answer)
{
    int64_t *asked_ms = &world.asked_ms[caller.number];
    (void)user;

    must(*asked_ms > 0); /* once */
    must(world.now_ms - *asked_ms <= CALLS_ANSWER_MS + 2 * TURN_MS);
    *asked_ms = 0;
    world.status = answer->status;
    world.told++;
}

static void ask(const char *line, wire_bytes_t body)
{
    char head[256];
    http_request_t request;
    int len = snprintf(head, sizeof head,
                       "%s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n",
                       line, body.len);

    must(http_parse((const uint8_t *)head, (size_t)len, sizeof head,
                    &request) == 0);
    if (world.asked < ASKS_MAX) {
        world.asked_ms[world.asked] = world.now_ms;
        manager_ask(world.manager, (manager_caller_t){0, world.asked++}, true,
                    &request, body);
    }
}

static void ask_something(input_t *in)
{
    static const char *const lines[] = {
        "POST /@connections/AAAAAAAAAAAAAAAA",
        "POST /@connections/BBBBBBBBBBBBBBBB",
        "GET /@connections/AAAAAAAAAAAAAAAA",
        "DELETE /@connections/BBBBBBBBBBBBBBBB?code=4000",
        "POST /@groups/g",
        "POST /@all",
    };
    const char *line = lines[next(in) % (sizeof lines / sizeof *lines)];

    ask(line, line[0] == 'P' ? next_bytes(in) : (wire_bytes_t){NULL, 0});
}

/* --- brokers ------------------------------------------------------------- */

/* What it was sent; the id of its last question or push is remembered. */
static void read_out(uplink_t *uplink)
{
    wire_cursor_t in =
        wire_cursor((wire_bytes_t){uplink->out.data, uplink->out.len});
    message_t message;
    int got;

    while ((got = message_decode(&in, &message)) == 1) {
        if (message.kind == KIND_PUSH) {
            world.last_id = wire_map_uint(message.push.options, "ack", 0);
        } else if (message.kind == KIND_QUERY) {
            world.last_id = message.query.id;
        }
    }
    must(got == 0);
    uplink_sent(uplink, world.now_ms);
}

static void say(size_t broker, const message_t *message)
{
    buf_t out;

    buf_init(&out, FRAME_CAP);
    if (message_put(&out, message) == 0) {
        manager_frame(world.manager, broker, (wire_bytes_t){out.data, out.len});
    }
    buf_fini(&out);
}

static void welcome(size_t broker, char boot, uint64_t session)
{
    char peer[BOOT_ID_MAX + 1];
    message_t message = {.kind = KIND_WELCOME};
    buf_t options;

    snprintf(peer, sizeof peer, "boot.%u", world.uplinks[broker]->lives);
    buf_init(&options, 1024);
    must(wire_put_map(&options, 4) == 0 &&
         wire_put_entry_str(&options, "peer", wire_bytes(peer)) == 0 &&
         wire_put_entry_uint(&options, "session", session) == 0 &&
         wire_put_entry_uint(&options, "push_window", 10) == 0 &&
         wire_put_entry_uint(&options, "push_window_bytes", 1 << 20) == 0);
    message.welcome =
        (message_welcome_t){.version = PROTOCOL_VERSION,
                            .boot = {(const uint8_t *)&boot, 1},
                            .heartbeat_ms = 1000,
                            .liveness_ms = 3000,
                            .options = {options.data, options.len}};
    say(broker, &message);
    buf_fini(&options);
}

static void answer(size_t broker, input_t *in)
{
    static const uint64_t statuses[] = {200, 404, 429, 503, 504, 0};
    uint8_t how = next(in);
    uint64_t id = how & 0x80 ? next(in) : world.last_id;
    message_t message = {.kind = KIND_RESULT};

    if (how & 0x40) {
        message.kind = KIND_PUSHED;
        message.pushed =
            (message_pushed_t){id, how & 1, how >> 1 & 1, how >> 2 & 1};
    } else {
        message.result = (message_result_t){
            .id = id, .status = statuses[how % 6], .rows = next_bytes(in)};
    }
    say(broker, &message);
}

static void credit(size_t broker, input_t *in)
{
    message_t message = {.kind = KIND_CREDIT};

    message.credit = (message_credit_t){next(in), next(in)};
    say(broker, &message);
}

/* --- time ---------------------------------------------------------------- */

static void end_turn(void)
{
    manager_end(world.manager);
    for (size_t i = 0; i < BROKERS; i++) {
        read_out(world.uplinks[i]);
    }
}

static void pass(int64_t ms)
{
    for (; ms > 0; ms -= TURN_MS) {
        end_turn();
        world.now_ms += TURN_MS;
        manager_begin(world.manager, world.now_ms, world.now_ms);
    }
}

static void step(input_t *in)
{
    static const message_kind_t bare[] = {KIND_WHO, KIND_BYE, KIND_PONG};
    uint8_t what = next(in);
    size_t broker = what >> 7;

    switch (what % 9) {
    case 0:
        manager_frame(world.manager, broker, next_bytes(in));
        return;
    case 1:
        ask_something(in);
        return;
    case 2:
        welcome(broker, (char)('a' + next(in) % 3), ++world.session);
        return;
    case 3:
        answer(broker, in);
        return;
    case 4:
        credit(broker, in);
        return;
    case 5:
        manager_broken(world.manager, broker);
        return;
    case 6:
        say(broker, &(message_t){.kind = bare[next(in) % 3]});
        return;
    default:
        pass((int64_t)TURN_MS * (1 + next(in) % 64));
        return;
    }
}

/* A good broker comes, and a post by it is answered. */
static void must_serve(void)
{
    for (size_t i = 0; i < BROKERS; i++) {
        manager_broken(world.manager, i);
        read_out(world.uplinks[i]);
        welcome(i, 'z', ++world.session);
    }
    ask("POST /@connections/AAAAAAAAAAAAAAAA", wire_bytes("x"));
    for (size_t i = 0; i < BROKERS; i++) {
        bool is_here = world.uplinks[i]->pushes > 0;
        read_out(world.uplinks[i]);
        if (is_here) {
            message_t message = {.kind = KIND_PUSHED};
            message.pushed = (message_pushed_t){world.last_id, 1, 0, 0};
            say(i, &message);
        }
    }
    must(world.status == 200);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const manager_options_t options = {
        .name = "n", .stage = "", .body_max = 1024, .answer = on_answer};
    input_t in = {data, data + size};

    log_set_level(LEVEL_ERROR);
    memset(&world, 0, sizeof world);
    world.now_ms = 1000;
    world.manager = manager_new(&options, "boot");
    manager_begin(world.manager, world.now_ms, world.now_ms);
    for (size_t i = 0; i < BROKERS; i++) {
        world.uplinks[i] = manager_add_broker(world.manager, i, "tcp://b:1");
        read_out(world.uplinks[i]);
    }
    while (in.at < in.end && world.asked < ASKS_MAX - 1) {
        step(&in);
    }
    pass(CALLS_ANSWER_MS + TURN_MS);
    must(world.told == world.asked);
    must(manager_stats(world.manager)->under_way == 0);
    must_serve();
    manager_destroy(&world.manager);
    return 0;
}
