/* SPDX-License-Identifier: MIT
 *
 * What a message costs in the broker's core, without sockets: its REQUEST from
 * a gateway, to a worker, and the REPLY back.  How many connections, routes and
 * workers there are is to be chosen, since none of them is to matter, and so is
 * how many messages of each worker go together, since that does.  They are of
 * connections drawn one after the other, and the core is told of them in turns
 * no longer than those of broker.c.
 */
#include "base/log.h"
#include "base/xalloc.h"
#include "bench/allocations.h"
#include "bench/clocks.h"
#include "bench/counted.h"
#include "bench/numbers.h"
#include "broker/core.h"
#include "proto/message.h"
#include "store/memory.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <err.h>
#include <getopt.h>
#include <malloc.h>

#define ROUNDS      31    /* the median counts */
#define A_ROUND     19200 /* messages, at least */
#define TURN_FRAMES 64    /* of gateways, and of workers: as broker.c reads */
#define WARM_ROUNDS 4
#define A_FRAME     64 /* messages; of a gateway, and by default of a worker */
#define A_LIST      20000 /* connections in a part of the gateway's list */
#define A_CREW      1024  /* routes that a worker may announce */
#define KEY_MAX     24
#define WINDOW      1024
#define FRAME_ROOM  ((size_t)4 << 20)
#define TURN_ROOM   ((size_t)63 << 20)
#define STEP        UINT64_C(0x9e3779b97f4a7c15) /* coprime to all counts */
#define BODY        "{\"action\":\"echo\",\"n\":\"00000001\",\"pad\":\"xxxxxxxxxxxx\"}"

typedef struct {
    uint32_t connections, routes, workers;
    uint32_t frame;    /* messages for each worker in a turn */
    uint64_t messages; /* to carry and be done; 0: measure */
} options_t;

/* Ids are those that a ROUTER makes: a zero byte and a number. */
typedef struct {
    uint8_t bytes[5];
} router_id_t;

/* A worker, as it is played here. */
typedef struct {
    buf_t in;  /* frames from the broker, behind each other */
    buf_t out; /* what it says next */
    bool is_spoken_to;
} worker_t;

typedef struct {
    options_t options;
    core_t *core;
    store_options_t store_options;
    store_t *store;
    int64_t now_ms;
    uint64_t spent_ns; /* in the core, of this round */
    uint64_t next_id;  /* of the gateway's requests */
    uint64_t draws;    /* of connections and routes */
    buf_t to_core;     /* what the gateway says next, in frames … */
    size_t *ends;      /* … that end here; owned */
    size_t frames;     /* of them */
    buf_t from_core;   /* frames to the gateway, behind each other */
    uint64_t answered; /* REPLYs among them */
    worker_t *workers; /* owned */
    uint32_t *spoken;  /* owned: workers that have frames in `in` */
    uint32_t spoken_count;
} bench_t;

static const char help[] =
    "usage: bench_broker [options]\n"
    "  --connections N  of one gateway (1)\n"
    "  --routes N       that messages go to in turns (1)\n"
    "  --workers N      which serve them (1)\n"
    "  --frame N        messages for each of these in a turn (64), and of all\n"
    "                   of them 4096 at most\n"
    "  --messages N     carry so many and print nothing: for who counts\n"
    "                   instructions; callgrind counts the second half\n"
    "Prints a line of JSON: CPU in the core and allocations of a message, and\n"
    "memory of a connection.\n";

/* --- options -------------------------------------------------------------- */

static void set_option(options_t *self, const char *name, const char *text)
{
    if (strcmp(name, "connections") == 0) {
        self->connections =
            (uint32_t)numbers_read(name, text, 1, CONN_ID_SLOT_MAX);
    } else if (strcmp(name, "routes") == 0) {
        self->routes = (uint32_t)numbers_read(name, text, 1, 1000000);
    } else if (strcmp(name, "workers") == 0) {
        self->workers = (uint32_t)numbers_read(name, text, 1, 65536);
    } else if (strcmp(name, "frame") == 0) {
        self->frame = (uint32_t)numbers_read(name, text, 1, WINDOW);
    } else if (strcmp(name, "messages") == 0) {
        self->messages = (uint64_t)numbers_read(name, text, 1, 1e12);
    } else {
        fputs(help, stdout);
        exit(0);
    }
}

static options_t read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"connections", 1, NULL, 0}, {"routes", 1, NULL, 0},
        {"workers", 1, NULL, 0},     {"frame", 1, NULL, 0},
        {"messages", 1, NULL, 0},    {"help", 0, NULL, 0},
        {NULL, 0, NULL, 0},
    };
    options_t self = {
        .connections = 1, .routes = 1, .workers = 1, .frame = A_FRAME};
    int index, c;

    while ((c = getopt_long(argc, argv, "", names, &index)) == 0) {
        set_option(&self, names[index].name, optarg);
    }
    if (c == '?' || optind < argc) {
        errx(2, "see bench_broker --help");
    }
    if (self.routes > self.workers * A_CREW) {
        errx(2, "a worker has %d routes at most", A_CREW);
    }
    return self;
}

/* --- the peers ------------------------------------------------------------ */

static void put_conn(char text[CONN_ID_TEXT], uint32_t slot)
{
    conn_id_t id = {.loop = 1, .slot = slot, .random = slot ^ 3};

    conn_id_format(&id, text);
}

static wire_bytes_t route_of(char key[KEY_MAX], uint32_t number)
{
    snprintf(key, KEY_MAX, "route-%u", number);
    return wire_bytes(key);
}

/* A frame of the broker is read later: only its own work is to be timed. */
static int on_send(void *user, side_t side, const uint8_t *id, size_t id_len,
                   const uint8_t *frame, size_t len)
{
    bench_t *self = user;
    uint32_t number;
    (void)id_len;

    if (side == SIDE_GATEWAYS) {
        must(buf_put(&self->from_core, frame, len) == 0);
        return 0;
    }
    memcpy(&number, id + 1, sizeof number);
    worker_t *worker = &self->workers[number];
    must(buf_put(&worker->in, frame, len) == 0);
    if (!worker->is_spoken_to) {
        worker->is_spoken_to = true;
        self->spoken[self->spoken_count++] = number;
    }
    return 0;
}

static void say(bench_t *self, side_t side, uint32_t number,
                const uint8_t *frame, size_t len)
{
    router_id_t id = {.bytes = {0}};

    memcpy(id.bytes + 1, &number, sizeof number);
    core_frame(self->core, &(origin_t){side, id.bytes, sizeof id.bytes, 0},
               frame, len);
}

static void say_all(bench_t *self, uint32_t number)
{
    buf_t *out = &self->workers[number].out;

    say(self, SIDE_WORKERS, number, out->data, out->len);
    out->len = 0;
}

static void end_frame(bench_t *self)
{
    self->ends[self->frames++] = self->to_core.len;
}

static void gateway_says(bench_t *self)
{
    size_t from = 0;

    core_begin(self->core, self->now_ms * 1000);
    for (size_t i = 0; i < self->frames; from = self->ends[i++]) {
        say(self, SIDE_GATEWAYS, 0, self->to_core.data + from,
            self->ends[i] - from);
    }
    core_end(self->core);
    self->to_core.len = 0;
    self->frames = 0;
}

static void worker_says(bench_t *self, uint32_t number)
{
    core_begin(self->core, self->now_ms * 1000);
    say_all(self, number);
    core_end(self->core);
}

/* Those that have something to say, or as many as the broker reads in a turn.
 */
static void workers_say(bench_t *self)
{
    core_begin(self->core, self->now_ms * 1000);
    for (int i = 0; i < TURN_FRAMES && self->spoken_count > 0; i++) {
        say_all(self, self->spoken[--self->spoken_count]);
    }
    core_end(self->core);
}

/* What is done in the core, and nothing else. */
static void timed(bench_t *self, void (*turn)(bench_t *self))
{
    uint64_t start_ns = clocks_thread_ns();

    counted_enter();
    turn(self);
    counted_leave();
    self->spent_ns += clocks_thread_ns() - start_ns;
}

static void worker_answers(worker_t *self)
{
    wire_cursor_t in = wire_cursor((wire_bytes_t){self->in.data, self->in.len});
    message_t message;

    while (message_decode(&in, &message) == 1) {
        const message_request_t *request = &message.request;
        message_reply_t reply = {
            .id = request->id, .status = 200, .body = request->body};
        if (message.kind == KIND_REQUEST) {
            must(message_put_reply(&self->out, &reply) == 0);
        }
    }
    self->in.len = 0;
    self->is_spoken_to = false;
}

/* Those that speak in the next turn. */
static void next_answer(bench_t *self)
{
    for (uint32_t i = 0; i < TURN_FRAMES && i < self->spoken_count; i++) {
        uint32_t number = self->spoken[self->spoken_count - 1 - i];
        worker_answers(&self->workers[number]);
    }
}

static void gateway_reads(bench_t *self)
{
    wire_cursor_t in =
        wire_cursor((wire_bytes_t){self->from_core.data, self->from_core.len});
    message_t message;

    while (message_decode(&in, &message) == 1) {
        self->answered +=
            message.kind == KIND_REPLY && message.reply.status == 200;
    }
    self->from_core.len = 0;
}

static void put_message(bench_t *self)
{
    char conn[CONN_ID_TEXT], key[KEY_MAX];
    uint64_t draw = ++self->draws * STEP >> 16;

    put_conn(conn, (uint32_t)(draw % self->options.connections));
    message_request_t request = {
        .id = ++self->next_id,
        .event = EVENT_MESSAGE,
        .conn = {(const uint8_t *)conn, sizeof conn},
        .route = route_of(key, (uint32_t)(draw % self->options.routes)),
        .body = {BODY_TEXT, wire_bytes(BODY)},
        .deadline_ms = 29000,
    };
    must(message_put_request(&self->to_core, &request) == 0);
}

static uint32_t messages_of_turn(const options_t *self)
{
    const uint32_t most = TURN_FRAMES * A_FRAME;
    uint64_t wanted = (uint64_t)self->frame * self->workers;

    return wanted < most ? (uint32_t)wanted : most;
}

static void put_messages(bench_t *self)
{
    uint32_t count = messages_of_turn(&self->options);

    for (uint32_t i = 1; i <= count; i++) {
        put_message(self);
        if (i % A_FRAME == 0 || i == count) {
            end_frame(self);
        }
    }
}

/* A turn's messages, and all their answers. */
static void exchange(bench_t *self)
{
    uint64_t before = self->answered;

    put_messages(self);
    timed(self, gateway_says);
    while (self->spoken_count > 0) {
        next_answer(self);
        timed(self, workers_say);
    }
    gateway_reads(self);
    must(self->answered - before == messages_of_turn(&self->options));
}

/* --- greeting ------------------------------------------------------------- */

static void gateway_greets(bench_t *self)
{
    static const uint8_t loop_1[] = {0x81, 0xa4, 'l', 'o', 'o', 'p', 1};
    message_hello_t hello = {.version = 1,
                             .role = wire_bytes("gateway"),
                             .boot = wire_bytes("g"),
                             .options = {loop_1, sizeof loop_1}};

    must(message_put_hello(&self->to_core, &hello) == 0);
    end_frame(self);
    gateway_says(self);
}

/* Lines of connections, each with the context of one that said little. */
static void put_lines(buf_t *list, uint32_t from, uint32_t count)
{
    static const uint8_t context[] = {0x81, 0xa2, 'i', 'p', 0xa9, '1', '2',
                                      '7',  '.',  '0', '.', '0',  '.', '1'};
    char conn[CONN_ID_TEXT];

    must(wire_put_array(list, count) == 0);
    for (uint32_t slot = from; slot < from + count; slot++) {
        put_conn(conn, slot);
        must(wire_put_array(list, 2) == 0 &&
             wire_put_str(list, (wire_bytes_t){(const uint8_t *)conn,
                                               sizeof conn}) == 0 &&
             wire_put_raw(list, (wire_bytes_t){context, sizeof context}) == 0);
    }
}

static void gateway_lists(bench_t *self)
{
    uint32_t all = self->options.connections;
    buf_t list;

    buf_init(&list, FRAME_ROOM);
    for (uint32_t from = 0; from < all; from += A_LIST) {
        uint32_t count = all - from < A_LIST ? all - from : A_LIST;
        put_lines(&list, from, count);
        message_sync_t sync = {.connections = {list.data, list.len},
                               .more = from + count < all};
        must(message_put_sync(&self->to_core, &sync) == 0);
        end_frame(self);
        gateway_says(self);
        list.len = 0;
    }
    buf_fini(&list);
    buf_fini(&self->to_core); /* no memory of a connection's */
}

/* Each route has a worker, and each worker a route. */
static void worker_greets(bench_t *self, uint32_t number)
{
    const options_t *options = &self->options;
    worker_t *worker = &self->workers[number];
    uint32_t step = options->workers, count = 1;
    uint32_t first = number % options->routes;
    char key[KEY_MAX], boot[KEY_MAX];
    buf_t routes;

    if (options->routes > step) {
        count = (options->routes - number + step - 1) / step;
    }
    buf_init(&routes, FRAME_ROOM);
    must(wire_put_array(&routes, count) == 0);
    for (uint32_t i = 0; i < count; i++) {
        must(wire_put_str(&routes, route_of(key, first + i * step)) == 0);
    }
    snprintf(boot, sizeof boot, "%u", number);
    message_hello_t hello = {
        .version = 1, .role = wire_bytes("worker"), .boot = wire_bytes(boot)};
    message_ready_t ready = {.routes = {routes.data, routes.len},
                             .window = WINDOW,
                             .window_bytes = 1 << 20};
    must(message_put_hello(&worker->out, &hello) == 0);
    must(message_put_ready(&worker->out, &ready) == 0);
    worker_says(self, number);
    buf_fini(&routes);
}

static void start_workers(bench_t *self)
{
    uint32_t count = self->options.workers;

    self->workers = xcalloc(count, sizeof *self->workers);
    self->spoken = xcalloc(count, sizeof *self->spoken);
    for (uint32_t i = 0; i < count; i++) {
        buf_init(&self->workers[i].in, FRAME_ROOM);
        buf_init(&self->workers[i].out, FRAME_ROOM);
        worker_greets(self, i);
    }
    for (uint32_t i = 0; i < count; i++) { /* they have heard WELCOME */
        worker_answers(&self->workers[i]);
        self->workers[i].out.len = 0;
    }
    self->spoken_count = 0;
}

/* --- measuring ------------------------------------------------------------ */

/* Bytes of the heap that are in use. */
static double in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return (double)(info.uordblks + info.hblkhd);
}

static void start(bench_t *self)
{
    static const core_ops_t ops = {.send = on_send};
    broker_options_t options;

    broker_options_init(&options);
    options.max_workers = self->options.workers;
    options.gateway_window = messages_of_turn(&self->options);
    options.gateway_window_bytes = TURN_ROOM;
    store_options_init(&self->store_options);
    self->store = store_memory_new(&self->store_options);
    self->core = core_new(&options, "0123456789abcdef", &ops, self, self->store,
                          self->now_ms);
    buf_init(&self->to_core, TURN_ROOM);
    buf_init(&self->from_core, TURN_ROOM);
    self->ends = xcalloc(messages_of_turn(&self->options) / A_FRAME + 1,
                         sizeof *self->ends);
    start_workers(self);
    gateway_greets(self);
}

static void stop(bench_t *self)
{
    core_destroy(&self->core);
    store_destroy(&self->store);
    for (uint32_t i = 0; i < self->options.workers; i++) {
        buf_fini(&self->workers[i].in);
        buf_fini(&self->workers[i].out);
    }
    buf_fini(&self->to_core);
    buf_fini(&self->from_core);
    free(self->workers);
    free(self->spoken);
    free(self->ends);
}

/* Returns messages. */
static uint64_t carry_round(bench_t *self)
{
    uint64_t before = self->answered;

    while (self->answered - before < A_ROUND) {
        exchange(self);
    }
    return self->answered - before;
}

static void measure(bench_t *self, double connection)
{
    const options_t *options = &self->options;
    double took[ROUNDS], messages = 0;

    for (int i = 0; i < WARM_ROUNDS; i++) { /* windows open, buffers grow */
        (void)carry_round(self);
    }
    allocations_t before = allocations_so_far();
    for (int round = 0; round < ROUNDS; round++) {
        self->spent_ns = 0;
        double carried = (double)carry_round(self);
        took[round] = (double)self->spent_ns / carried;
        messages += carried;
    }
    allocations_t after = allocations_so_far();
    numbers_sort(took, ROUNDS);
    printf("{\"connections\":%u,\"routes\":%u,\"workers\":%u,\"frame\":%u,"
           "\"ns\":%.1f,\"allocations\":%.4f,\"connection_bytes\":%.0f}\n",
           options->connections, options->routes, options->workers,
           options->frame, took[ROUNDS / 2],
           (double)(after.calls - before.calls) / messages, connection);
}

static void carry_counted(bench_t *self)
{
    uint32_t a_turn = messages_of_turn(&self->options);
    uint64_t turns = (self->options.messages + a_turn - 1) / a_turn;

    counted_warm();
    for (uint64_t i = 0; i < turns; i++) {
        if (i == turns / 2) {
            counted_begin();
        }
        exchange(self);
    }
    counted_end();
}

int main(int argc, char **argv)
{
    bench_t self = {.now_ms = 1000000, .options = read_options(argc, argv)};

    log_set_level(LEVEL_ERROR);

    start(&self);
    double before = in_use();
    gateway_lists(&self);
    double connection = (in_use() - before) / self.options.connections;
    if (self.options.messages > 0) {
        carry_counted(&self);
    } else {
        measure(&self, connection);
    }
    stop(&self);
    return 0;
}
