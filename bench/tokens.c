/* SPDX-License-Identifier: MIT
 *
 * What a token costs: a CONNECT from the bytes of its REQUEST to those of its
 * REPLY, with hoist_jwt and each algorithm, in CPU time, bytes and allocations.
 * Apart from inproc, since most of it is libcrypto's.
 */
#include "base/buf.h"
#include "base/xalloc.h"
#include "bench/allocations.h"
#include "bench/clocks.h"
#include "bench/numbers.h"
#include "bench/usage.h"
#include "workers/c/core.h"
#include "workers/c/hoist_auth.h"

#include <stdio.h>
#include <string.h>

#define ROUNDS   15 /* the median counts */
#define OPS      2000
#define OUT_KEEP (1 << 20) /* bytes of the reply buffer that stay allocated */

static const char help[] =
    "usage: bench_tokens\n"
    "\n"
    "What a token costs a worker: a CONNECT with hoist_jwt, from its REQUEST to\n"
    "its REPLY, with each algorithm.  Prints a line of JSON each: CPU time,\n"
    "bytes and allocations.\n";

/* Keys as a JWKS, and a token that was made with one elsewhere, of 2026 to
 * 2100. */
static const struct {
    const char *key, *keys, *token;
} rows[] = {
    {"jwt HS256",
     "{\"keys\":[{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3O"
     "DlhYmNkZWY\"}]}",
     "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2x"
     "vZ2luLmV4YW1wbGUuY29tIiwic3ViIjoiYWRhIiwiYXVkIjoib3JkZXJzIiw"
     "iZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3NjcyMjU2MDAsInRlbmFudCI6ImF"
     "jbWUiLCJyb2xlcyI6WyJlZGl0b3IiLCJyZXZpZXdlciJdLCJzY29wZSI6Im9"
     "yZGVyczpyZWFkIG9yZGVyczp3cml0ZSJ9.KWPMB_Y33iTqL1K_ZmETlDxx3M"
     "lqIlr3kfsjDc-kTA0"},
    {"jwt RS256",
     "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"xvnoFrgTOvdL_4gT8f-QR5SytcessymKL"
     "e0Oh3l1vM1-PvqzpCPn-XQQHm60oCWb9PvsE6ziExY6sTdD3zoHhwAlaTLAG"
     "ob4CD9bHns_0n5NiM9KKuLc6Dy8aqPdlbT2XVmmjeZTqxRYxV_fDiwJuSmPU"
     "r8gK8E6J-MWH4RiHU2BPHTr17Mjyh9XiyQNXatwhpmIsJnWlaizL9512cTXe"
     "876Ud-KtSdIcUa-ZdToPUZr4ies_-u2MCDet8Q5ZMPSCIhdK2hFLaEa1UC_t"
     "69HTJ6q3m3Py3bQmCbhpKRudQoRpiPPm-b8QnmvoBkw4F0YbmsBAz69zgiu-"
     "h0AotEyrw\",\"e\":\"AQAB\"}]}",
     "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2x"
     "vZ2luLmV4YW1wbGUuY29tIiwic3ViIjoiYWRhIiwiYXVkIjoib3JkZXJzIiw"
     "iZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3NjcyMjU2MDAsInRlbmFudCI6ImF"
     "jbWUiLCJyb2xlcyI6WyJlZGl0b3IiLCJyZXZpZXdlciJdLCJzY29wZSI6Im9"
     "yZGVyczpyZWFkIG9yZGVyczp3cml0ZSJ9.NmZlSjD-O3ZhBA-lgASL7d8GXv"
     "xFEfqfAZ1kipjHitCWM0vGpK66f-Jf2B-yUS89xonfM_PJqeIpmYRw373xDp"
     "euv_c95mlH8nHOk-HxTY2kLY7t1jjQDorSCtu1FQc8uZtxZakZEJzmkk9ssr"
     "-y-Tqt7Zljiid7j-5wx_NeKCDckyEevF4lhsNXvTgWWsTwU9Kb1CkpcRf_rd"
     "2KrAMJjc3MH2mzcT-0lTJ2txO3xCkV51mq6wca2cpaG4agPA57YxfvkSTDPN"
     "FROxZzS5NE2cAOWeQvdRNPGLMrgkUL2XvQ7Pbv_ZXRQRqR-D8VyjbfoimSHa"
     "Qsuxnlan7TLBKPXQ"},
    {"jwt ES256",
     "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"hGNDyy0vwo5n_atE4KD2"
     "iTaJozrp9D_LlpOvmJBSXvc\",\"y\":\"n4VaR9IOE3JxPYmvsSTIo1HiYzmdR_"
     "Ux8Hs_2sqJWfQ\"}]}",
     "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2x"
     "vZ2luLmV4YW1wbGUuY29tIiwic3ViIjoiYWRhIiwiYXVkIjoib3JkZXJzIiw"
     "iZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3NjcyMjU2MDAsInRlbmFudCI6ImF"
     "jbWUiLCJyb2xlcyI6WyJlZGl0b3IiLCJyZXZpZXdlciJdLCJzY29wZSI6Im9"
     "yZGVyczpyZWFkIG9yZGVyczp3cml0ZSJ9.BNWEWEPOopIA34OORS6scbQx7P"
     "X2O2UB21GeFo2MXlAdZj1f9r5E4_YjJZPWxARylnkUy8lFOVVdrlu9u7d-OQ"},
    {"jwt EdDSA",
     "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"aBlfmHxmlm_DlpMoE"
     "ssPjZZ6plXcg3401WkQlTBWnhQ\"}]}",
     "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2x"
     "vZ2luLmV4YW1wbGUuY29tIiwic3ViIjoiYWRhIiwiYXVkIjoib3JkZXJzIiw"
     "iZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3NjcyMjU2MDAsInRlbmFudCI6ImF"
     "jbWUiLCJyb2xlcyI6WyJlZGl0b3IiLCJyZXZpZXdlciJdLCJzY29wZSI6Im9"
     "yZGVyczpyZWFkIG9yZGVyczp3cml0ZSJ9.mhxI1M7lsGp4hjmPCPLrwG3jRK"
     "HC_hNUixu3PO5mRsnOsM7vWLlqw5tF9vbVZ1OYUjBYmrCegc3VQlFuPEGABQ"},
};

#define ROWS (sizeof rows / sizeof rows[0])

/* A worker without sockets, and who connects to it. */
typedef struct {
    hoist_app *app;
    core_t core;
    outbox_t out;
    buf_t frame; /* an encoded REQUEST */
} worker_t;

static int welcome(hoist_ctx *ctx)
{
    (void)ctx;
    return 0;
}

static void put_details(buf_t *out, const char *token)
{
    must(wire_put_map(out, 1) == 0 && wire_put_text(out, "query") == 0 &&
         wire_put_array(out, 1) == 0 && wire_put_array(out, 2) == 0 &&
         wire_put_text(out, "token") == 0 && wire_put_text(out, token) == 0);
}

static void put_visit(buf_t *out, const char *token)
{
    buf_t details;

    buf_init(&details, 1 << 16);
    put_details(&details, token);
    const message_request_t request = {
        .id = 1000000,
        .event = EVENT_CONNECT,
        .conn = wire_bytes("aaaaaaaaaaaaaaaa"),
        .route = wire_bytes("$connect"),
        .details = {details.data, details.len},
        .deadline_ms = 29000,
        .number = 42,
    };
    must(message_put_request(out, &request) == 0);
    buf_fini(&details);
}

/* keys: NULL for a CONNECT that nobody asks for a token. */
static void worker_init(worker_t *self, const char *keys, const char *token)
{
    const hoist_jwt_config config = {.public_key = keys,
                                     .issuer = "https://login.example.com",
                                     .audience = "orders",
                                     .from = HOIST_JWT_QUERY,
                                     .tenant = "tenant"};

    *self = (worker_t){.app = hoist_app_new()};
    must(hoist_on(self->app, "$connect", welcome) == 0);
    if (keys != NULL) {
        must(hoist_use(self->app, hoist_jwt, &config) == 0);
    }
    routes_freeze(&self->app->routes, &self->app->around);
    core_init(&self->core, self->app);
    outbox_init(&self->out);
    buf_init(&self->frame, 1 << 16);
    put_visit(&self->frame, token);
}

static void worker_fini(worker_t *self)
{
    buf_fini(&self->frame);
    outbox_fini(&self->out);
    core_fini(&self->core);
    hoist_app_destroy(&self->app);
}

static void visit(worker_t *self)
{
    wire_cursor_t cursor =
        wire_cursor((wire_bytes_t){self->frame.data, self->frame.len});
    message_t message;

    must(message_decode(&cursor, &message) == 1);
    core_handle(&self->core, &message.request, 0, &self->out, NULL);
    must(self->core.ctx.status == 200);
    buf_reset(&self->out.ready, OUT_KEEP);
}

static void measure(const char *key, const char *keys, const char *token)
{
    static worker_t worker;
    double took[ROUNDS], ops = (double)OPS * ROUNDS;

    worker_init(&worker, keys, token);
    visit(&worker);
    allocations_t before = allocations_so_far();
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t start_ns = clocks_thread_ns();
        for (int i = 0; i < OPS; i++) {
            visit(&worker);
        }
        took[round] = (double)(clocks_thread_ns() - start_ns) / OPS;
    }
    allocations_t after = allocations_so_far();
    worker_fini(&worker);
    numbers_sort(took, ROUNDS);
    printf("{\"key\":\"%s\",\"name\":\"a connection: %s\",\"ns\":%.2f,"
           "\"bytes\":%.2f,\"allocations\":%.3f}\n",
           key, key, took[ROUNDS / 2],
           (double)(after.bytes - before.bytes) / ops,
           (double)(after.calls - before.calls) / ops);
}

int main(int argc, char **argv)
{
    usage_read(argc, argv, 0, 0, help);
    measure("no token", NULL, rows[0].token);
    for (size_t i = 0; i < ROWS; i++) {
        measure(rows[i].key, rows[i].keys, rows[i].token);
    }
    return 0;
}
