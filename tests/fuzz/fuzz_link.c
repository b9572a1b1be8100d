/* SPDX-License-Identifier: MIT
 *
 * A worker's link to a broker that does what the input says: any bytes as a
 * frame, requests, answers of any rows, news of pushes, silence, loss. Handlers
 * ask, push, fail and reply as the input says, too, and so do tasks.  What the
 * worker says is always well-formed, each question that was asked and each push
 * that is to be told of is answered to its handler once, and a broker that
 * comes afterwards is served as if nothing had been.
 */
#include "base/log.h"
#include "base/xalloc.h"
#include "workers/c/link.h"

#include <errno.h>
#include <string.h>

#define FRAME_CAP (8u << 20)
#define CONNS     3
#define GOOD      "gggggggggggggggg"

typedef struct {
    const uint8_t *at, *end;
} input_t;

static input_t input; /* of the run, for its handlers */
static size_t asked, told;
static uint64_t last_query, last_reply, last_ack;

static uint8_t next(void)
{
    return input.at < input.end ? *input.at++ : 0;
}

static wire_bytes_t next_bytes(size_t len)
{
    size_t left = (size_t)(input.end - input.at);
    wire_bytes_t bytes = {input.at, len < left ? len : left};

    input.at += bytes.len;
    return bytes;
}

/* --- handlers ------------------------------------------------------------ */

static int tell(hoist_ctx *ctx, hoist_answer *answer, void *data);

static int ask(hoist_ctx *ctx)
{
    hoist_find_options options = {.timeout_ms = 1 + next()};
    int rc = hoist_find_user(ctx, hoist_body(ctx), &options, tell, &told);

    asked += rc == 0;
    return rc;
}

static int tell_pushed(hoist_ctx *ctx, const hoist_pushed *pushed, void *data);

/* A push whose handler, or whose event, is told of it; or a join. */
static int push(hoist_ctx *ctx)
{
    uint8_t how = next();
    hoist_text name = hoist_bytes("group", how % 7u);
    hoist_push_options options = {
        .ttl_ms = how, .told = tell_pushed, .data = &told};
    int rc;

    if (how % 3 == 0) {
        return hoist_join(ctx, name, hoist_str(GOOD));
    }
    if (how % 3 == 1) {
        rc = hoist_push_to(ctx, hoist_to_group(name), HOIST_TEXT, name,
                           &options);
    } else {
        rc = hoist_push_then(ctx, hoist_to_all(), HOIST_BINARY, name, &options);
    }
    asked += rc == 0;
    return rc;
}

static int handle(hoist_ctx *ctx)
{
    switch (next() % 6) {
    case 4:
        return push(ctx);
    case 5:
        return push(ctx) < 0 ? -EPERM : ask(ctx);
    case 0:
        return ask(ctx);
    case 1:
        return ask(ctx) < 0 ? 0 : -EAGAIN;
    case 2:
        return hoist_fail(ctx, 409, "code", "message");
    default:
        (void)hoist_push_one(ctx, hoist_connection(ctx), HOIST_TEXT,
                             hoist_str("push"));
        return hoist_reply_text(ctx, "reply");
    }
}

static int tell(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    hoist_row row;

    must(data == &told);
    told++;
    while (hoist_answer_next(answer, &row)) {
        (void)hoist_row_attribute(&row, "a");
    }
    (void)hoist_answer_cursor(answer);
    return handle(ctx);
}

static int tell_pushed(hoist_ctx *ctx, const hoist_pushed *pushed, void *data)
{
    must(data == &told);
    must(pushed->status == 200 || pushed->delivered == 0);
    told++;
    return handle(ctx);
}

static int task(hoist_ctx *ctx, void *data)
{
    (void)data;
    return handle(ctx);
}

static int good(hoist_ctx *ctx)
{
    return hoist_reply_text(ctx, "good");
}

/* --- the broker ---------------------------------------------------------- */

/* What the worker says is well-formed; it leaves if the broker reads. */
static void listen(link_t *link, int64_t now_ms)
{
    const buf_t *ready = &link->outbox.ready;
    wire_cursor_t in = wire_cursor((wire_bytes_t){ready->data, ready->len});
    message_t message;

    while (!wire_at_end(&in)) {
        must(message_decode(&in, &message) == 1);
        if (message.kind == KIND_QUERY) {
            last_query = message.query.id;
        } else if (message.kind == KIND_REPLY) {
            last_reply = message.reply.id;
        } else if (message.kind == KIND_PUSH) {
            last_ack = wire_map_uint(message.push.options, "ack", last_ack);
        }
    }
    link_sent(link, ready->len, now_ms);
}

static void feed(link_t *link, const buf_t *frame, int64_t now_ms)
{
    link_feed(link, (wire_bytes_t){frame->data, frame->len}, now_ms);
    while (link_step(link, now_ms)) {
    }
    for (int i = 0; i < 8 && link_resume(link); i++) {
    }
}

static void put_welcome(buf_t *out)
{
    message_welcome_t welcome = {.version = PROTOCOL_VERSION,
                                 .boot = wire_bytes("broker"),
                                 .heartbeat_ms = 100,
                                 .liveness_ms = 300};
    buf_t options;

    buf_init(&options, 64);
    must(wire_put_map(&options, 1) == 0 &&
         wire_put_text(&options, "push_window") == 0 &&
         wire_put_uint(&options, 3) == 0);
    welcome.options = (wire_bytes_t){options.data, options.len};
    must(message_put_welcome(out, &welcome) == 0);
    buf_fini(&options);
}

static void put_request(buf_t *out, uint64_t id, wire_bytes_t conn,
                        const char *route)
{
    message_request_t request = {.id = id,
                                 .event = EVENT_MESSAGE,
                                 .conn = conn,
                                 .route = wire_bytes(route),
                                 .body = {BODY_TEXT, wire_bytes("ada")},
                                 .deadline_ms = 1000};

    must(message_put_request(out, &request) == 0);
}

static void put_result(buf_t *out)
{
    message_result_t result = {.id = last_query - next() % 3,
                               .status = 100 + 2u * next() % 500};
    wire_bytes_t rest = next_bytes(next());
    wire_cursor_t in = wire_cursor(rest);

    if (wire_get_raw_array(&in, &result.rows) == 0) {
        (void)wire_get_raw_map(&in, &result.options);
    }
    must(message_put_result(out, &result) == 0);
}

/* Of that push, of one of a place beside its own, or of none. */
static void put_pushed(buf_t *out)
{
    uint8_t beside = next();
    message_pushed_t pushed = {last_ack - beside % 3, beside, next(), next()};
    message_credit_t credit = {next() % 4, next()};

    must(message_put_pushed(out, &pushed) == 0);
    must(message_put_credit(out, &credit) == 0);
}

static void put_error(buf_t *out)
{
    static const char *const codes[] = {"push", "push-window", "groups",
                                        "text"};

    must(message_put_error(out, codes[next() % 4], "refused") == 0);
}

static void put_one(buf_t *out)
{
    static const message_kind_t bare[] = {KIND_PONG, KIND_WHO, KIND_BYE};
    static const char *const routes[] = {"a", "loose", "none"};
    char conn[CONN_ID_TEXT];
    wire_bytes_t raw;

    switch (next() % 8) {
    case 6:
        put_pushed(out);
        break;
    case 7:
        put_error(out);
        break;
    case 0:
        raw = next_bytes(next());
        must(buf_put(out, raw.data, raw.len) == 0);
        break;
    case 1:
        put_welcome(out);
        break;
    case 2:
        must(message_put_bare(out, bare[next() % 3]) == 0);
        break;
    case 3:
        put_result(out);
        break;
    default:
        memset(conn, 'a' + next() % CONNS, sizeof conn);
        put_request(out, next(),
                    (wire_bytes_t){(const uint8_t *)conn, sizeof conn},
                    routes[next() % 3]);
        break;
    }
}

/* --- a run --------------------------------------------------------------- */

static void play(link_t *link, buf_t *frame, int64_t *now_ms)
{
    while (input.at < input.end) {
        uint8_t what = next();
        frame->len = 0;
        for (int i = 0; i < what % 4; i++) {
            put_one(frame);
        }
        feed(link, frame, *now_ms);
        if (what % 5 == 0 && link->state == LINK_UP) {
            link_run(link, &(task_t){task, NULL});
        }
        *now_ms += what / 4;
        link_tick(link, *now_ms);
        if (what % 3 != 0) {
            listen(link, *now_ms);
        }
    }
}

/* A broker that has forgotten all serves this worker as any other. */
static void serve_well(link_t *link, buf_t *frame, int64_t now_ms)
{
    now_ms += 1000; /* for a WHO that is no echo */
    frame->len = 0;
    must(message_put_bare(frame, KIND_BYE) == 0);
    feed(link, frame, now_ms);
    must(asked == told);
    frame->len = 0;
    must(message_put_bare(frame, KIND_PONG) == 0);
    feed(link, frame, now_ms);
    listen(link, now_ms);
    frame->len = 0;
    put_welcome(frame);
    put_request(frame, 7777, wire_bytes(GOOD), "good");
    feed(link, frame, now_ms);
    listen(link, now_ms);
    must(link->state == LINK_UP && last_reply == 7777);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hoist_app *app = hoist_app_new();
    int64_t now_ms = 1000;
    core_t core;
    link_t link;
    buf_t frame;

    log_set_level(LEVEL_ERROR);
    input = (input_t){data, data + size};
    asked = told = 0;
    last_query = last_reply = last_ack = 0;
    must(hoist_on(app, "a", handle) == 0 && hoist_on(app, "good", good) == 0 &&
         hoist_on(app, "loose", handle) == 0 &&
         hoist_unordered(app, "loose") == 0);
    routes_freeze(&app->routes, &app->around);
    core_init(&core, app);
    link_init(&link,
              &(link_options_t){.core = &core,
                                .endpoint = "fuzz",
                                .boot = "boot",
                                .process = "process",
                                .name = "fuzz",
                                .window = 16,
                                .window_bytes = 1 << 16},
              now_ms);
    buf_init(&frame, FRAME_CAP);
    put_welcome(&frame);
    feed(&link, &frame, now_ms);
    play(&link, &frame, &now_ms);
    serve_well(&link, &frame, now_ms);
    link_fini(&link);
    must(asked == told);
    buf_fini(&frame);
    core_fini(&core);
    hoist_app_destroy(&app);
    return 0;
}
