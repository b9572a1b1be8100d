/* SPDX-License-Identifier: MIT
 *
 * What ZeroMQ costs without hoist.  There is one client and one worker, so the
 * broker looks nothing up: it knows their ids.
 */
#include "base/xalloc.h"
#include "bench/clocks.h"
#include "bench/hdr.h"
#include "bench/numbers.h"
#include "bench/usage.h"

#include <stdio.h>
#include <string.h>

#include <err.h>
#include <zmq.h>

#define MESSAGE     100 /* bytes */
#define ID_MAX      16
#define ENDPOINT    "tcp://127.0.0.1:*"
#define WARM_UP_NS  (SECOND_NS / 2)
#define MESSAGE_MAX 256

static const char help[] =
    "usage: bench_hops broker | worker ENDPOINT | client ENDPOINT SECONDS\n"
    "\n"
    "What ZeroMQ costs alone: a message of one frame from a DEALER (client)\n"
    "through a process with two ROUTERs (broker) to another DEALER (worker),\n"
    "and back, over TCP.  The broker prints the endpoints of both, the worker\n"
    "echoes, and the client prints a line of JSON.\n";

typedef struct {
    void *socket;
    char id[ID_MAX]; /* of its one peer */
    size_t id_len;   /* 0: it has not come */
} router_t;

static void *context;

static void *make_socket(int type)
{
    void *socket = zmq_socket(context, type);

    if (socket == NULL) {
        err(1, "no socket");
    }
    return socket;
}

static void *connect_to(const char *endpoint)
{
    void *socket = make_socket(ZMQ_DEALER);

    if (zmq_connect(socket, endpoint) < 0) {
        err(1, "%s", endpoint);
    }
    return socket;
}

/* --- the broker ---------------------------------------------------------- */

static void open_router(router_t *self)
{
    char endpoint[64];
    size_t len = sizeof endpoint;

    self->socket = make_socket(ZMQ_ROUTER);
    must(zmq_bind(self->socket, ENDPOINT) == 0);
    must(zmq_getsockopt(self->socket, ZMQ_LAST_ENDPOINT, endpoint, &len) == 0);
    printf("%s ", endpoint);
}

/* Hand on what `from` has; what comes before there is anybody at the other side
 * was the greeting. */
static void hand_on(router_t *from, const router_t *to)
{
    char body[MESSAGE_MAX];
    int len;

    while ((len = zmq_recv(from->socket, from->id, ID_MAX, ZMQ_DONTWAIT)) > 0) {
        from->id_len = (size_t)len;
        len = zmq_recv(from->socket, body, sizeof body, 0);
        if (len > 0 && to->id_len > 0) {
            zmq_send(to->socket, to->id, to->id_len, ZMQ_SNDMORE);
            zmq_send(to->socket, body, (size_t)len, 0);
        }
    }
}

static int run_broker(void)
{
    router_t clients = {.id_len = 0}, workers = {.id_len = 0};

    open_router(&clients);
    open_router(&workers);
    puts("listening");
    fflush(stdout);
    zmq_pollitem_t items[] = {{clients.socket, 0, ZMQ_POLLIN, 0},
                              {workers.socket, 0, ZMQ_POLLIN, 0}};
    while (zmq_poll(items, 2, -1) >= 0) {
        hand_on(&workers, &clients);
        hand_on(&clients, &workers);
    }
    return 1;
}

/* --- the ends ------------------------------------------------------------ */

static int run_worker(const char *endpoint)
{
    void *socket = connect_to(endpoint);
    char body[MESSAGE_MAX] = "here";
    int len = (int)strlen(body);

    puts("started");
    fflush(stdout);
    do {
        zmq_send(socket, body, (size_t)len, 0);
    } while ((len = zmq_recv(socket, body, sizeof body, 0)) >= 0);
    return 1;
}

static uint64_t round_trip_ns(void *socket)
{
    char body[MESSAGE_MAX] = "";
    uint64_t start_ns = clocks_now_ns();

    must(zmq_send(socket, body, MESSAGE, 0) == MESSAGE);
    must(zmq_recv(socket, body, sizeof body, 0) == MESSAGE);
    return clocks_now_ns() - start_ns;
}

static int run_client(const char *endpoint, const char *seconds)
{
    static hdr_t hdr;
    void *socket = connect_to(endpoint);
    double length = numbers_read("SECONDS", seconds, 0.1, 3600);
    uint64_t begin_ns = clocks_now_ns() + WARM_UP_NS;
    uint64_t end_ns = begin_ns + (uint64_t)(length * (double)SECOND_NS);

    while (clocks_now_ns() < begin_ns) {
        round_trip_ns(socket);
    }
    while (clocks_now_ns() < end_ns) {
        hdr_add(&hdr, round_trip_ns(socket));
    }
    printf("{\"replies\":%llu,\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
           (unsigned long long)hdr.count, (double)hdr_at(&hdr, 0.5) / 1e3,
           (double)hdr_at(&hdr, 0.99) / 1e3);
    zmq_close(socket);
    return 0;
}

int main(int argc, char **argv)
{
    usage_read(argc, argv, 1, 3, help);
    context = zmq_ctx_new();
    if (argc == 2 && strcmp(argv[1], "broker") == 0) {
        return run_broker();
    }
    if (argc == 3 && strcmp(argv[1], "worker") == 0) {
        return run_worker(argv[2]);
    }
    if (argc == 4 && strcmp(argv[1], "client") == 0) {
        return run_client(argv[2], argv[3]);
    }
    usage_fail(help);
}
