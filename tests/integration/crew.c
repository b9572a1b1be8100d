/* SPDX-License-Identifier: MIT
 *
 * A worker for tests of threads and processes.  Routes:
 *
 *     who      {"pid":…,"thread":…}, of whoever handles it
 *     alone    holds its connection for a moment: "alone", or "overlap" when
 *              another thread had it at the same time
 *     post     the thread that runs posted tasks, pushed to the connection
 *     later    replies "later THREAD" from a thread of its own
 *     forget   waits for another thread, and none comes
 *     starts   how often it was told that it starts, and that by which process
 *     reloads  how often the process was told to reload
 *     fail     status 500
 *     crash    dies of SIGSEGV
 *     exit     ends the process, status 3
 *     hang     never returns
 *     slow     replies "slow" after 300 ms
 *     stop     hoist_stop
 *
 * A timer pushes "tick THREAD" to the group "ticks", in which are the
 * connections of /?ticks=yes.  When the app has run, "ended behind COUNT" is
 * pushed there, with the count of the handlers that were slow, and CREW-ENDED
 * is a line of the log.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <hoist.h>
#include <hoist_middleware.h>

#define PLACES 4096

static atomic_uint reloads, slowed;
static unsigned starts;  /* constant once there are threads */
static pid_t started_in; /* the same */

/* Who has a connection, by the hash of its id (0: nobody's yet). */
static struct {
    _Atomic uint64_t hash;
    atomic_bool is_busy;
} places[PLACES];

static int connect(hoist_ctx *ctx)
{
    return hoist_is(hoist_query(ctx, "ticks"), "yes")
               ? hoist_accept_group(ctx, hoist_str("ticks"))
               : 0;
}

static int who(hoist_ctx *ctx)
{
    char json[64];

    (void)snprintf(json, sizeof json, "{\"pid\":%d,\"thread\":%d}",
                   (int)getpid(), (int)gettid());
    return hoist_reply_json(ctx, json);
}

static uint64_t hash_of(hoist_text id)
{
    uint64_t hash = 1;

    for (size_t i = 0; i < id.len; i++) {
        hash = hash * 31 + (unsigned char)id.data[i];
    }
    return hash;
}

/* The connection's, from the first that asks for it; no more than PLACES. */
static atomic_bool *place_of(const hoist_ctx *ctx)
{
    uint64_t hash = hash_of(hoist_connection(ctx));

    for (size_t i = 0; i < PLACES; i++) {
        size_t at = (hash + i) % PLACES;
        uint64_t owner = 0;
        if (atomic_compare_exchange_strong(&places[at].hash, &owner, hash) ||
            owner == hash) {
            return &places[at].is_busy;
        }
    }
    abort();
}

static int alone(hoist_ctx *ctx)
{
    atomic_bool *place = place_of(ctx);
    bool was_busy = atomic_exchange(place, true);

    usleep(200);
    atomic_store(place, false);
    return hoist_reply_text(ctx, was_busy ? "overlap" : "alone");
}

static int tell_thread(hoist_ctx *ctx, void *data)
{
    char text[32], *connection = data;

    (void)snprintf(text, sizeof text, "posted %d", (int)gettid());
    int rc = hoist_push_one(ctx, hoist_bytes(connection, 16), HOIST_TEXT,
                            hoist_str(text));
    free(connection);
    return rc;
}

static int post(hoist_ctx *ctx)
{
    char *connection = malloc(16);

    if (connection == NULL) {
        return -1;
    }
    memcpy(connection, hoist_connection(ctx).data, 16);
    int rc = hoist_post(hoist_ctx_app(ctx), tell_thread, connection);
    if (rc < 0) {
        free(connection);
    }
    return rc;
}

static int tick(hoist_ctx *ctx, void *data)
{
    char text[32];
    (void)data;

    (void)snprintf(text, sizeof text, "tick %d", (int)gettid());
    (void)hoist_push_to(ctx, hoist_to_group(hoist_str("ticks")), HOIST_TEXT,
                        hoist_str(text), NULL);
    return 0; /* or no broker is there yet */
}

/* A thread for an event, with its ticket. */
static void *work(void *data)
{
    hoist_ticket *ticket = data;
    char text[32];

    (void)snprintf(text, sizeof text, "later %d", (int)gettid());
    while (hoist_reply_later(*ticket, 200, HOIST_TEXT, hoist_str(text)) ==
           -EAGAIN) {
        sched_yield();
    }
    free(ticket);
    return NULL;
}

static int later(hoist_ctx *ctx)
{
    hoist_ticket *ticket = calloc(1, sizeof *ticket);
    pthread_t thread;

    if (ticket == NULL) {
        return -ENOMEM;
    }
    int rc = hoist_wait(ctx, ticket);
    if (rc == 0 && pthread_create(&thread, NULL, work, ticket) != 0) {
        rc = -EAGAIN;
    }
    if (rc != 0) {
        free(ticket);
        return rc;
    }
    (void)pthread_detach(thread);
    return 0;
}

static int forget(hoist_ctx *ctx)
{
    hoist_ticket ticket;

    return hoist_wait(ctx, &ticket);
}

/* Tells the group "ticks", when it is told that the app has run. */
static int tell_end(hoist_ctx *ctx, void *data)
{
    char text[32];
    (void)data;

    (void)snprintf(text, sizeof text, "ended behind %u", atomic_load(&slowed));
    return hoist_push_to(ctx, hoist_to_group(hoist_str("ticks")), HOIST_TEXT,
                         hoist_str(text), NULL);
}

static int note_end(hoist_app *app)
{
    fprintf(stderr, "CREW-ENDED pid=%d\n", (int)getpid());
    return hoist_post(app, tell_end, NULL);
}

static int note_start(hoist_app *app)
{
    (void)app;
    starts++;
    started_in = getpid();
    return 0;
}

static int tell_starts(hoist_ctx *ctx)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%u in %d", starts, (int)started_in);
    return hoist_reply_text(ctx, text);
}

static void count_reload(hoist_app *app)
{
    (void)app;
    atomic_fetch_add(&reloads, 1);
}

static int tell_reloads(hoist_ctx *ctx)
{
    char text[16];

    (void)snprintf(text, sizeof text, "%u", atomic_load(&reloads));
    return hoist_reply_text(ctx, text);
}

static int fail(hoist_ctx *ctx)
{
    return hoist_fail(ctx, 500, "failed", "As it was asked to");
}

static int crash(hoist_ctx *ctx)
{
    (void)ctx;
    return raise(SIGSEGV);
}

static int end(hoist_ctx *ctx)
{
    (void)ctx;
    _exit(3);
}

/* At the first try; at another it tells which that is. */
static int end_once(hoist_ctx *ctx)
{
    char text[16];

    if (hoist_attempt(ctx) == 1) {
        _exit(3);
    }
    (void)snprintf(text, sizeof text, "%u", hoist_attempt(ctx));
    return hoist_reply_text(ctx, text);
}

static int hang(hoist_ctx *ctx)
{
    while (hoist_attempt(ctx) > 0) {
    }
    return 0;
}

static int slow(hoist_ctx *ctx)
{
    usleep(300000);
    atomic_fetch_add(&slowed, 1);
    return hoist_reply_text(ctx, "slow");
}

static int stop(hoist_ctx *ctx)
{
    hoist_stop(hoist_ctx_app(ctx));
    return hoist_reply_text(ctx, "stopping");
}

int main(int argc, char **argv)
{
    hoist_app *app = hoist_app_new();
    pid_t first = getpid();

    hoist_use(app, hoist_recover, NULL);
    hoist_use(app, hoist_logger, &(hoist_logger_config){.slow_ms = 60000});
    hoist_on(app, "$connect", connect);
    hoist_on(app, "fail", fail);
    hoist_on(app, "who", who);
    hoist_on(app, "alone", alone);
    hoist_on(app, "post", post);
    hoist_on(app, "later", later);
    hoist_on(app, "forget", forget);
    hoist_on(app, "starts", tell_starts);
    hoist_on(app, "reloads", tell_reloads);
    hoist_on(app, "crash", crash);
    hoist_on(app, "exit", end);
    hoist_on(app, "end once", end_once);
    hoist_redeliver(app, "end once", 1);
    hoist_on(app, "hang", hang);
    hoist_on(app, "slow", slow);
    hoist_on(app, "stop", stop);
    hoist_every(app, 50, tick, NULL);
    hoist_on_reload(app, count_reload);
    hoist_on_start(app, note_start);
    hoist_on_stop(app, note_end);
    int status = hoist_main(app, argc, argv);
    if (getpid() != first) {
        raise(SIGTERM); /* a second stop comes when it has ended */
        raise(SIGHUP);
    }
    return status;
}
