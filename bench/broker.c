/* SPDX-License-Identifier: MIT
 *
 * What a message costs in the broker's core, without sockets: its REQUEST from
 * a gateway, to a worker, and the REPLY back.  Frames of 64 of them, as under
 * load.
 */
#include "base/xalloc.h"
#include "bench/clocks.h"
#include "bench/numbers.h"
#include "broker/core.h"
#include "proto/message.h"
#include "store/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS  60  /* the quickest counts: others disturb the rest */
#define FRAMES  500 /* in a round */
#define A_FRAME 64  /* messages */
#define ROUTE   "echo"
#define BODY    "{\"action\":\"echo\",\"n\":\"00000001\",\"pad\":\"xxxxxxxxxxxx\"}"

typedef struct {
    core_t *core;
    store_options_t store_options;
    store_t *store;
    int64_t now_ms;
    uint64_t next_id;  /* of the gateway's requests */
    buf_t requests;    /* what the gateway says next */
    buf_t replies;     /* what the worker does */
    uint64_t answered; /* REPLYs that came to the gateway */
} bench_t;

static const char boot[] = "0123456789abcdef";
static char conn[CONN_ID_TEXT];

/* --- the two peers ------------------------------------------------------- */

static void answer(bench_t *self, const message_request_t *request)
{
    message_reply_t reply = {
        .id = request->id, .status = 200, .body = request->body};

    must(message_put_reply(&self->replies, &reply) == 0);
}

static int on_send(void *user, side_t side, const uint8_t *id, size_t id_len,
                   const uint8_t *frame, size_t len)
{
    bench_t *self = user;
    wire_cursor_t in = wire_cursor((wire_bytes_t){frame, len});
    message_t message;
    (void)side;
    (void)id;
    (void)id_len;

    while (message_decode(&in, &message) == 1) {
        if (message.kind == KIND_REQUEST) {
            answer(self, &message.request);
        }
        self->answered += message.kind == KIND_REPLY;
    }
    return 0;
}

static void turn(bench_t *self, side_t side, const char *id, buf_t *frame)
{
    core_begin(self->core, self->now_ms * 1000);
    core_frame(self->core, &(origin_t){side, id, strlen(id), 0}, frame->data,
               frame->len);
    frame->len = 0;
    core_end(self->core);
}

static void put_event(bench_t *self, event_t event)
{
    message_request_t request = {
        .id = ++self->next_id,
        .event = event,
        .conn = {(const uint8_t *)conn, sizeof conn},
        .route = wire_bytes(event == EVENT_CONNECT ? "$connect" : ROUTE),
        .deadline_ms = 29000,
    };

    if (event == EVENT_MESSAGE) {
        request.body = (body_t){BODY_TEXT, wire_bytes(BODY)};
    }
    must(message_put_request(&self->requests, &request) == 0);
}

/* --- measuring ----------------------------------------------------------- */

static void exchange(bench_t *self)
{
    for (int i = 0; i < A_FRAME; i++) {
        put_event(self, EVENT_MESSAGE);
    }
    turn(self, SIDE_GATEWAYS, "g", &self->requests);
    turn(self, SIDE_WORKERS, "w", &self->replies);
}

static void greet(bench_t *self)
{
    static const uint8_t loop_1[] = {0x81, 0xa4, 'l', 'o', 'o', 'p', 1};
    static const uint8_t routes[] = {0x91, 0xa4, 'e', 'c', 'h', 'o'};
    static const uint8_t empty[] = {0x90};
    message_hello_t hello = {.version = 1,
                             .role = wire_bytes("gateway"),
                             .boot = wire_bytes("g"),
                             .options = {loop_1, sizeof loop_1}};
    message_sync_t list = {.connections = {empty, sizeof empty}};
    message_ready_t ready = {.routes = {routes, sizeof routes},
                             .window = 1024,
                             .window_bytes = 1 << 20};
    conn_id_t id = {.loop = 1, .slot = 0, .random = 3};

    conn_id_format(&id, conn);
    must(message_put_hello(&self->requests, &hello) == 0);
    must(message_put_sync(&self->requests, &list) == 0);
    put_event(self, EVENT_CONNECT);
    turn(self, SIDE_GATEWAYS, "g", &self->requests);
    hello = (message_hello_t){
        .version = 1, .role = wire_bytes("worker"), .boot = wire_bytes("w")};
    must(message_put_hello(&self->replies, &hello) == 0);
    must(message_put_ready(&self->replies, &ready) == 0);
    turn(self, SIDE_WORKERS, "w", &self->replies);
    for (int i = 0; i < 64; i++) { /* slow start */
        exchange(self);
    }
}

static double measure(bench_t *self)
{
    double took[ROUNDS];

    for (int round = 0; round < ROUNDS; round++) {
        uint64_t before = self->answered;
        uint64_t start_ns = clocks_thread_ns();
        for (int i = 0; i < FRAMES; i++) {
            exchange(self);
        }
        took[round] = (double)(clocks_thread_ns() - start_ns) /
                      ((double)FRAMES * A_FRAME);
        must(self->answered - before == (uint64_t)FRAMES * A_FRAME);
    }
    numbers_sort(took, ROUNDS);
    return took[0];
}

int main(void)
{
    static const core_ops_t ops = {.send = on_send};
    bench_t self = {.now_ms = 1000000};
    broker_options_t options;

    broker_options_init(&options);
    store_options_init(&self.store_options);
    self.store = store_memory_new(&self.store_options);
    buf_init(&self.requests, 1 << 20);
    buf_init(&self.replies, 1 << 20);
    self.core = core_new(&options, boot, &ops, &self, self.store, self.now_ms);
    greet(&self);
    printf("{\"key\":\"broker\",\"name\":\"a message and its reply in the "
           "broker, and at its peers\",\"ns\":%.1f}\n",
           measure(&self));
    core_destroy(&self.core);
    store_destroy(&self.store);
    buf_fini(&self.requests);
    buf_fini(&self.replies);
    return 0;
}
