/* SPDX-License-Identifier: MIT
 *
 * libhoist: write a hoist worker in C.
 *
 *     static int echo(hoist_ctx *ctx)
 *     {
 *         return hoist_reply(ctx, 200, hoist_body_type(ctx), hoist_body(ctx));
 *     }
 *
 *     int main(int argc, char **argv)
 *     {
 *         hoist_app *app = hoist_app_new();
 *         hoist_on(app, "echo", echo);
 *         return hoist_main(app, argc, argv);
 *     }
 *
 * What is where:
 *
 *     the library               hoist_version
 *     an app and its routes     hoist_app_new, hoist_on
 *     settings, running         hoist_option, hoist_run; hoist_main is both
 *     what happened, who it is  what a handler may ask of its event
 *     reply, failures           hoist_reply, hoist_fail
 *     who gets in               what $connect gives a connection
 *     push, groups and close    what is said to others: hoist_push_to
 *     who is connected          what the broker is asked: hoist_find_user
 *     other routes              hoist_call
 *     tasks                     what has no event: hoist_every, hoist_post
 *     other threads             hoist_wait, hoist_reply_later
 *     middleware                what stands around handlers: hoist_use
 *     the log                   hoist_log
 *
 * Beside it: <hoist_middleware.h>, what comes with the library;
 * <hoist_metrics.h>, numbers; <hoist_json.h>, bodies with jansson;
 * <hoist_test.h>, tests without a broker; <hoist_ledger.h>, what workers share.
 * Libraries of their own: <hoist_auth.h>, tokens; <hoist_redis.h>.  A guide is
 * docs/c-worker.md; where hoist is installed such pages, and examples, are in
 * share/doc/hoist.
 *
 * What holds for everything below, unless a function says otherwise:
 *
 * Errors    An int result is 0 (or what the function says) when all is well
 *           and a negative errno (-EINVAL, …) when not; nothing has changed
 *           then.  No function here sets errno or prints, except where said.
 * Lending   Every hoist_text that a context or an answer hands out is lent: it
 *           lives until the handler returns, as does the context.  Copy what
 *           you keep.  Bytes handed in are copied before the function returns.
 * Threads   An app belongs to the thread that calls hoist_run, its first; what
 *           is registered and set comes before that.  That thread alone runs
 *           handlers, one at a time, unless --threads says more: then handlers
 *           and layers may run in several threads at once.  The events of a
 *           connection come in order all the same, and one at a time, so that
 *           what is of one connection needs no lock; what several share does.
 *           What takes a context, or a part of it, is for the thread that was
 *           lent it.  From anywhere may be called: hoist_stop, hoist_reload,
 *           hoist_post, hoist_log, and what takes a ticket (hoist_resume,
 *           hoist_reply_later).  The library's threads have the signal mask of
 *           the one that calls hoist_run.  Several apps may run in several
 *           threads.
 * Blocking  Nothing here blocks but hoist_run and hoist_main.  A handler that
 *           blocks holds up its thread, but no reply that is ready if its route
 *           took more than a millisecond the last time, or never ran; past the
 *           liveness time (see --liveness) the broker takes that for dead.  To
 *           wait without blocking, for the broker's answer see hoist_find_user,
 *           for a thread of your own hoist_wait.
 * Units     Lengths are bytes, without a final NUL.  Times end in _ms, _us or
 *           _s.
 */
#ifndef HOIST_H
#define HOIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default) /* what the library shows */

/* --- the library ------------------------------------------------------- */

/* The version that a program is compiled with. */
#define HOIST_VERSION_MAJOR 0
#define HOIST_VERSION_MINOR 1
#define HOIST_VERSION_PATCH 0
#define HOIST_VERSION       "0.1.0"

/* That of the library that it runs with, in the form of HOIST_VERSION; a
 * constant.  Any thread. */
const char *hoist_version(void);

/* --- types ------------------------------------------------------------- */

/* A worker: its routes, its middleware, its settings.  Opaque. */
typedef struct hoist_app hoist_app;

/* One event on its way through middleware and handler, or a task.  Opaque. */
typedef struct hoist_ctx hoist_ctx;

/* The WebSocket view of a context.  Opaque. */
typedef struct hoist_websocket hoist_websocket;

/*
 * Text or bytes that live elsewhere.  data is NULL when there is none (an
 * absent header, a user never set), and may hold any byte, NUL included; it
 * is not NUL-terminated.  Text from the network claims to be UTF-8.
 */
typedef struct {
    const char *data; /* borrowed */
    size_t len;       /* bytes */
} hoist_text;

/* The hoist_text of a C string; {NULL, 0} for NULL. */
static inline hoist_text hoist_str(const char *text)
{
    hoist_text result = {text, text != NULL ? strlen(text) : 0};
    return result;
}

/* The hoist_text of len bytes. */
static inline hoist_text hoist_bytes(const void *bytes, size_t len)
{
    hoist_text result = {(const char *)bytes, len};
    return result;
}

static inline bool hoist_equal(hoist_text a, hoist_text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool hoist_is(hoist_text text, const char *other)
{
    return hoist_equal(text, hoist_str(other));
}

/* What a body is, and so what kind of WebSocket frame it came or goes as. */
typedef enum {
    HOIST_NONE = 0,   /* there is no body */
    HOIST_TEXT = 1,   /* a text frame; the bytes must be UTF-8 */
    HOIST_BINARY = 2, /* a binary frame */
} hoist_type;

typedef enum {
    HOIST_TASK = 0,       /* no event: see hoist_every */
    HOIST_CONNECT = 1,    /* a client wants to connect; the reply decides */
    HOIST_MESSAGE = 2,    /* a client sent a message */
    HOIST_DISCONNECT = 3, /* a connection has ended; always the last event */
    HOIST_PRESENCE = 4,   /* it has joined groups, or left some */
} hoist_event;

/* --- an app and its routes --------------------------------------------- */

/*
 * A new app with default settings and no routes.  Never NULL: it aborts when
 * there is no memory.  The caller owns it until hoist_app_destroy, or gives
 * it to hoist_main.
 */
hoist_app *hoist_app_new(void);

/* Free an app that is not running and set *app_p to NULL; NULL is harmless. */
void hoist_app_destroy(hoist_app **app_p);

/* A pointer of the program's own, for its handlers; never looked at here.  What
 * is made in the handler of hoist_on_start lies behind it, for by then it
 * stands.  Returns 0; -EBUSY while the app runs. */
int hoist_app_set_data(hoist_app *app, void *data);
void *hoist_app_data(const hoist_app *app);

/*
 * A handler deals with one event.
 *
 * Returns 0 when it has replied, or has nothing to say: without a reply,
 * status 200 without a body is sent, which accepts a CONNECT and sends a
 * client nothing.  A negative result is a failure and always becomes one: a
 * reply of success that was given before is taken back (one that refuses
 * stands), and the status is that of hoist_fail, or
 *
 *     -EINVAL -EBADMSG -EPROTO -EILSEQ      400
 *     -EACCES -EPERM                        403
 *     -ENOENT                               404
 *     -EEXIST                               409
 *     -EMSGSIZE                             413
 *     -EAGAIN                               429
 *     -EBUSY -ENOBUFS                       503
 *     -ETIMEDOUT                            504
 *     any other                             500
 *
 * so `return rc;` from whatever failed does the right thing.  A positive result
 * is no success either: it counts as -ERANGE, here and wherever code of the
 * program returns 0 or a negative errno, so that an errno without its minus
 * lets nobody in.
 *
 * A failure whose status is 500 or above is a line of the log
 * (WORKER-HANDLER-FAILED, ten a second at most).  So is one where what is
 * returned is what hoist_push_to, hoist_join, hoist_leave, hoist_call or
 * hoist_reply said of a bad id, route or text: the client hears 400 or 404 of
 * what may be the program's mistake.
 */
typedef int hoist_handler(hoist_ctx *ctx);

/*
 * Run handler for events of this route key: "$connect", "$disconnect",
 * "$default", "$presence", or 1 to 128 bytes that do not begin with '$'.  Of
 * messages, what has no handler of its own goes to that of "$default".  The
 * broker sends only what is registered here.
 *
 * route is copied.  At most 1024 routes.
 * Returns 0; -EINVAL for a bad key or no handler; -EEXIST when the key has a
 * handler; -ENOSPC; -EBUSY while the app runs.  The first failure of hoist_on,
 * hoist_handle, hoist_use, hoist_wrap and hoist_option is also kept and makes
 * hoist_run fail, so that a program may leave these results unchecked.
 */
int hoist_on(hoist_app *app, const char *route, hoist_handler *handler);

/*
 * The same in the manner of HTTP: ("CONNECT", "/connect") is
 * "$connect", ("DISCONNECT", "/disconnect") "$disconnect", ("MESSAGE",
 * "/message") "$default" and ("MESSAGE", "/name") the route "name".
 * Returns as hoist_on; -EINVAL for any other method or path.
 */
int hoist_handle(hoist_app *app, const char *method, const char *path,
                 hoist_handler *handler);

/*
 * Serve "$connect" also without a handler of its own: who comes through its
 * middleware is accepted.  A handler that hoist_on brings, before or later,
 * takes this one's place.  A CONNECT that no worker serves is accepted by the
 * broker, and middleware never sees it; so what says who may connect has this
 * in its init (hoist_jwt, hoist_ip_filter), and a program with a layer that
 * does (hoist_wrap) calls it itself.
 *
 * Returns 0; -EINVAL in the init of what is put around a route other than
 * "$connect", where nobody would be asked; -ENOSPC; -EBUSY while the app runs.
 * Failures are kept as those of hoist_on.
 */
int hoist_serve_connect(hoist_app *app);

/*
 * When a worker dies before it has replied to an event of this route (which
 * has a handler), give the event to another worker, up to so many times, 0 to
 * 100; 0, which is the default, is at most once.  The events of a connection
 * keep their order.  A handler of such a route may see an event twice and
 * should do no harm then: hoist_attempt tells.  A DISCONNECT is always given to
 * another worker.
 * Returns 0; -ENOENT when the route has no handler; -EINVAL; -EBUSY while the
 * app runs.  Failures are kept as those of hoist_on.
 */
int hoist_redeliver(hoist_app *app, const char *route, unsigned times);

/*
 * Let messages of this route overtake others of their connection: they go to
 * whatever worker has room, at once, and are handled beside the connection's
 * other messages.  Only its DISCONNECT waits for them.  For work that needs no
 * order and takes its time.  Where several programs serve the route, all must
 * say so.
 * Returns 0; -ENOENT when the route has no handler; -EBUSY while the app runs.
 */
int hoist_unordered(hoist_app *app, const char *route);

/* --- settings ---------------------------------------------------------- */

/*
 * Set one option by its name, without the dashes:
 *
 *     broker        endpoints, with commas between them, 1 to 16.  The host of
 *                   a tcp one may be a name: each address that it has is a
 *                   broker, at most 16 in all (of IPv4, if it has some, else
 *                   of IPv6).  Default tcp://127.0.0.1:5555.
 *     resolve-interval
 *                   ms between two look-ups of such names, 0 to 86400000; 0:
 *                   until each was found once.  What is new is connected to;
 *                   what is gone is left when it is down.  Default 5000.
 *     curve-key     a file with the worker's secret key (hoist keygen), which
 *                   others may not read: CURVE between worker and brokers, see
 *                   docs/curve.md.  Read at once.  Default "": in clear.
 *     curve-broker  with it: the brokers' public key, or a file that has it.
 *     name          for people, in logs and status; at most 64 bytes.
 *                   Default: the program's name.
 *     threads       that run handlers, 1 to 64; 0: one for each core that the
 *                   process may use.  Each is a worker of its own to the
 *                   brokers, NAME/1, NAME/2, ….  Default 1.
 *     processes     that run the app, 1 to 64, each with so many threads; the
 *                   one that calls hoist_run supervises them.  Of several
 *                   each has its number in its name: NAME.1, NAME.2, …, with
 *                   threads NAME.1/1, ….  0: it runs the app itself, and nobody
 *                   starts it again.  Default 0.
 *     window        requests that brokers may have outstanding here, together;
 *                   1 to 1000000, split between the brokers.  Each thread has a
 *                   window of that size.  Default 256.
 *     window-bytes  the same as a sum of their encoded sizes, 1 to 2^30; also
 *                   the unsent output (at most 32 MiB for each broker) above
 *                   which no further request is begun.  Default 8388608.
 *     liveness      ms of silence that brokers shall bear (handlers that
 *                   block), 0 to 120000; 0: the broker's own.  Default 0.
 *     drain         ms that a stopping worker may take to finish, 0 to 3600000.
 *                   Default 30000.
 *     log-level     "error", "warn", "info" or "debug": what is less is left
 *                   out of the process's log from hoist_run on.  Default info.
 *     log-format    "text" or "json", an object a line: how the process logs
 *                   from hoist_run on.  Default text.
 *     metrics       [ADDRESS:]PORT where GET /metrics (hoist_metrics.h),
 *                   /healthz and /readyz are answered; a port alone is one of
 *                   127.0.0.1.  With processes the first listens there, the
 *                   second at the port behind it, and so on; 0 is any port.
 *                   Default "": nowhere.
 *     signals       "on": SIGTERM and SIGINT stop hoist_run, SIGHUP is as
 *                   hoist_reload; "off": they are left alone.  Default on.
 *
 * name, value: copied.
 * Returns 0; -ENOENT for an unknown name; -EINVAL for a bad value, and without
 * a name; -EBUSY while the app runs.  Failures but the last are kept as those
 * of hoist_on.
 */
int hoist_option(hoist_app *app, const char *name, const char *value);

/*
 * Set the options from the environment (HOIST_BROKER, HOIST_WINDOW_BYTES, …)
 * and from arguments (--broker ENDPOINT or --broker=ENDPOINT, …), which win:
 * a variable that has lost is not looked at.  Reading ends at the first
 * argument that is no option, or behind "--".  A HOIST_… variable whose name is
 * nearly one that workers or hoist itself read is logged: it may be misspelt.
 *
 * Returns the index of the first argument left, 1 to argc; 0 when --help or
 * --version (hoist_version) was given and has been printed to standard output
 * (end with status 0); -EINVAL when something is wrong and one line on standard
 * error has named it (end with status 2).
 */
int hoist_options_from_args(hoist_app *app, int argc, char **argv);

/* --- running ----------------------------------------------------------- */

/*
 * A whole main(): hoist_options_from_args, hoist_run, hoist_app_destroy.
 * Takes ownership of app.
 * Returns the exit status: 0 after a clean stop, --help or --version, 1 when
 * running failed, 2 for a wrong argument or variable.
 */
int hoist_main(hoist_app *app, int argc, char **argv);

/*
 * Connect to the brokers, announce the routes and handle events until
 * hoist_stop, SIGTERM or SIGINT.  Then drain: take no new requests, finish
 * those that are here, say goodbye.  Another signal or hoist_stop a second or
 * more later, or the time of the drain option, ends it at once.  Brokers that
 * are not there, or go and come back, are waited for.  Logs to standard error.
 *
 * With the option processes this process becomes a supervisor: it forks so
 * many, in each of which the app runs, and starts one that ends again, whatever
 * it ended with: after 100 ms, then after twice as long each time, at most 30
 * s, until one has lived for 10 s.  It hands stops and reloads on (SIGTERM,
 * SIGHUP), kills who has not ended 2 s after the time of the drain option, and
 * takes all with it when it is killed itself.  hoist_run returns in each of the
 * processes, so what stands behind it is done in each.  Call it before the
 * program has other threads (hoist_on_start is where to start them).
 * hoist_stop, hoist_reload and hoist_post speak to the process that calls them;
 * tasks posted before are left to the supervisor, who reaches no broker.
 *
 * Returns 0 after a stop; -EINVAL or what hoist_on and hoist_use failed with
 * when the app cannot run so (no route, say), which is logged; other errors
 * of the operating system: when one thread fails so, the others are stopped,
 * and when a process does at its first start, the others, too; of a supervisor
 * also -ECHILD, when a process did not end in order behind the stop.  An app
 * may be run again.
 */
int hoist_run(hoist_app *app);

/*
 * Make hoist_run drain and return.  Called before it, it ends that run as
 * soon as it begins.  Any thread, and signal handlers too.
 */
void hoist_stop(hoist_app *app);

/*
 * Be told that this process is to run the app: the place to start threads of
 * one's own, and to open what processes must not share.  Called by hoist_run on
 * the app's first thread, before it speaks to a broker: once, and with the
 * option processes in each of them (also in one that is started again), never
 * in their supervisor.  hoist_test_new does not call it.  NULL for none.
 *
 * The handler returns 0; or a negative errno, and hoist_run fails with it; a
 * positive result is -ERANGE.
 * Returns 0; -EBUSY while the app runs.
 */
typedef int hoist_start_handler(hoist_app *app);
int hoist_on_start(hoist_app *app, hoist_start_handler *handler);

/*
 * Be told that this process has run the app: the place to end threads of one's
 * own, and to close what the handler of hoist_on_start has opened.  Called by
 * hoist_run on the app's first thread, once for each time that the app began
 * (where the handler of hoist_on_start failed it did not), whatever the run
 * ends with, when no handler runs any more and none will.  So with the option
 * processes it is called in each process that ends in order, never in their
 * supervisor, nor where one dies or is killed.  NULL for none.
 *
 * The brokers still have this worker, and want nothing of it.  So what the
 * handler and the program's threads post until it returns (hoist_post) is run
 * behind it and reaches a broker that is up, up to 256 tasks and as far as it
 * has room for what they push; the others run as tasks do that are left when
 * hoist_run returns.  While it runs nothing is taken from the queue: it must
 * not wait for a thread that repeats a post until it is taken (-EAGAIN).  Where
 * the time of the drain option, or a second stop, has cut off what other
 * threads were at, or the run has failed, no broker is there any more.
 *
 * hoist_run waits for it, also beyond the time of the drain option; a
 * supervisor kills who has not ended 2 s after that.
 *
 * The handler returns 0; or a negative errno, and hoist_run fails with it if it
 * has not failed before; a positive result is -ERANGE.
 * Returns 0; -EBUSY while the app runs.
 */
typedef int hoist_stop_handler(hoist_app *app);
int hoist_on_stop(hoist_app *app, hoist_stop_handler *handler);

/*
 * Be told that the program is to read again what it was configured with: SIGHUP
 * has come, or hoist_reload was called.  Called between handlers, on the app's
 * first thread; where there are more, their handlers run meanwhile.  Without a
 * handler nothing happens but a line in the log (WORKER-RELOADED), for the
 * library itself has nothing that it could read again.  NULL for none.  While
 * the app runs it is too late to say who is told: -EBUSY.
 */
typedef void hoist_reload_handler(hoist_app *app);
int hoist_on_reload(hoist_app *app, hoist_reload_handler *handler);

/*
 * Have the handler of hoist_on_reload called, as SIGHUP does.  Several that
 * come before it is called are one.  Any thread, and signal handlers too, as
 * long as the app is not being destroyed.
 */
void hoist_reload(hoist_app *app);

/* --- what happened ----------------------------------------------------- */

/* Which kind of event it is; HOIST_TASK: none. */
hoist_event hoist_event_of(const hoist_ctx *ctx);

/* The route key that matched: one of those registered, so "$default" where no
 * other did. */
hoist_text hoist_route(const hoist_ctx *ctx);

/* What the client sent with a MESSAGE; none for other events. */
hoist_type hoist_body_type(const hoist_ctx *ctx);
hoist_text hoist_body(const hoist_ctx *ctx);

/* 1, or 2 and more when workers died that had the event before. */
unsigned hoist_attempt(const hoist_ctx *ctx);

/* The request end to end; the client sees it in error frames. */
uint64_t hoist_request_number(const hoist_ctx *ctx);

/* The same as text, as it is in error frames; with hoist_request_id
 * (<hoist_middleware.h>) that of the client.  Lent as ctx is. */
hoist_text hoist_request_id_of(hoist_ctx *ctx);

/*
 * The place in a trace under which the event is handled: a traceparent of W3C
 * Trace Context, to be the parent of the handler's own span.  Absent when there
 * is none.
 */
hoist_text hoist_traceparent(const hoist_ctx *ctx);

/* What is left of the request's time in ms; negative when it is over.  Of a
 * task: more than anybody waits. */
int64_t hoist_deadline_left_ms(const hoist_ctx *ctx);

/* The time that deadlines and middleware go by, in microseconds from an
 * arbitrary start; never goes back.  A test of a worker drives it: see
 * <hoist_test.h>. */
int64_t hoist_now_us(const hoist_ctx *ctx);

/* The app that runs this handler. */
hoist_app *hoist_ctx_app(const hoist_ctx *ctx);

/* --- who it is --------------------------------------------------------- */

/* The connection's id, 16 characters: what pushes are addressed to. */
hoist_text hoist_connection(const hoist_ctx *ctx);

/* What $connect accepted the connection with; absent when it was not set.  On
 * CONNECT it is what was accepted so far; an attribute is lent until the next
 * is accepted. */
hoist_text hoist_user(const hoist_ctx *ctx);
hoist_text hoist_tenant(const hoist_ctx *ctx);
hoist_text hoist_attribute(const hoist_ctx *ctx, const char *name);

/* The client's address as the gateway sees it. */
hoist_text hoist_ip(const hoist_ctx *ctx);

/* On CONNECT; absent for other events.  The path has no query. */
hoist_text hoist_path(const hoist_ctx *ctx);

/* The first header (query parameter) of that name on CONNECT, or absent.
 * Header names are compared without case; of query names one that is written so
 * comes first, then one that differs in case. */
hoist_text hoist_header(const hoist_ctx *ctx, const char *name);
hoist_text hoist_query(const hoist_ctx *ctx, const char *name);

/* The index-th subprotocol that the client offers on CONNECT, counted from
 * 0, in its order of preference; absent behind the last. */
hoist_text hoist_subprotocol(const hoist_ctx *ctx, size_t index);

/*
 * On PRESENCE: the index-th group, counted from 0, that the connection has
 * joined (left) since it was told of last; absent behind the last, and
 * otherwise.  What was told before may be told again, as it was, when a process
 * died.
 */
hoist_text hoist_joined(const hoist_ctx *ctx, size_t index);
hoist_text hoist_left(const hoist_ctx *ctx, size_t index);

/* On DISCONNECT: WebSocket close code and reason; 0 and absent otherwise. */
unsigned hoist_close_code(const hoist_ctx *ctx);
hoist_text hoist_close_reason(const hoist_ctx *ctx);

/* --- the WebSocket view ------------------------------------------------ */

/* What every context begins with; for hoist_ws only. */
struct hoist_ctx_head {
    hoist_websocket *ws; /* NULL when no WebSocket stands behind the event */
};

/*
 * The WebSocket behind an event, or NULL when there is none (a task).  Costs
 * one load.  Lent, lives as long as ctx.
 */
static inline hoist_websocket *hoist_ws(hoist_ctx *ctx)
{
    return ((struct hoist_ctx_head *)(void *)ctx)->ws;
}

hoist_text hoist_ws_connection(const hoist_websocket *ws);
hoist_text hoist_ws_user_agent(const hoist_websocket *ws);
hoist_text hoist_ws_domain(const hoist_websocket *ws);
hoist_text hoist_ws_stage(const hoist_websocket *ws);

/* When it connected, Unix time in ms; 0 when unknown. */
int64_t hoist_ws_connected_at_ms(const hoist_websocket *ws);

/* hoist_push_one and hoist_close to this very connection. */
int hoist_ws_push(hoist_websocket *ws, hoist_type type, hoist_text body);
int hoist_ws_close(hoist_websocket *ws, unsigned code, const char *reason);

/* --- reply ------------------------------------------------------------- */

/*
 * Answer the event, once.
 *
 * status  100 to 599, as in HTTP.  CONNECT: 200 to 299 accepts, any other is
 *         the HTTP status of the refusal.  MESSAGE: a body goes to the client
 *         whatever the status; without one, 400 and above sends the error
 *         frame of that status, and below 400 nothing.  DISCONNECT: nothing.
 * type    HOIST_NONE ignores body.
 * body    at most 32 MiB.
 *
 * Returns 0; -EALREADY when there is a reply, or the event has failed or waits
 * for an answer (hoist_find_user); -EACCES when it has failed inside
 * (hoist_next) and the status does not refuse; -EINVAL for a bad status or
 * type, and of a task; -EILSEQ for a text that is no UTF-8; -EMSGSIZE; -ENOBUFS
 * when too much waits to be sent; -ENOTCONN when the broker was lost while the
 * event waited; -ENOMEM.
 */
int hoist_reply(hoist_ctx *ctx, int status, hoist_type type, hoist_text body);

/* hoist_reply with status 200 and a C string, bytes, JSON that is already
 * text, or with a status alone. */
int hoist_reply_text(hoist_ctx *ctx, const char *text);
int hoist_reply_binary(hoist_ctx *ctx, const void *bytes, size_t len);
int hoist_reply_json(hoist_ctx *ctx, const char *json);
int hoist_reply_status(hoist_ctx *ctx, int status);

/* Is there a reply?  Then its status, else 0, also while the event waits for an
 * answer.  For middleware. */
int hoist_replied(const hoist_ctx *ctx);

/* --- failures ---------------------------------------------------------- */

/* A typed error: what fails an event, for programs and for people. */
typedef struct {
    int status;         /* 400 to 599, as in HTTP; another counts as 500 */
    hoist_text code;    /* a stable word for programs; 64 bytes at most */
    hoist_text message; /* for people; 256 bytes at most */
    hoist_text details; /* JSON of the program's, 1024 bytes at most */
} hoist_error;

/*
 * Fail the event with a typed error: `return hoist_fail(ctx, 409, "name-taken",
 * "There is an Ada already");`.  A reply given before is taken back, and none
 * can be given any more by whoever called this, nor by what stands inside.
 *
 * A refused CONNECT carries {"code":"…","message":"…"} as its content, with
 * "details":… where there are some; a MESSAGE gets the error frame of the
 * status, or with hoist_recover that same JSON.
 *
 * code, message  copied, and cut where they are too long; NULL counts as "".
 * details        copied as they are; left out when too long or no UTF-8.
 *
 * Returns -ECANCELED, always.
 */
int hoist_fail(hoist_ctx *ctx, int status, const char *code,
               const char *message);
int hoist_fail_with(hoist_ctx *ctx, const hoist_error *error);

/*
 * What the event has failed with, lent until it is tried again, for layers that
 * log, count or tell what comes back from hoist_next.  Its status is 0 when it
 * has not failed; where a bare negative result has failed it, its texts are
 * empty.  hoist_error_code and _message are NUL-terminated, or "".
 */
hoist_error hoist_error_of(const hoist_ctx *ctx);
const char *hoist_error_code(const hoist_ctx *ctx);
const char *hoist_error_message(const hoist_ctx *ctx);

/* --- who gets in ------------------------------------------------------- */

/*
 * On CONNECT, before the reply: what the accepted connection shall carry.
 * A value set twice has the latter value, except groups and headers, which add
 * up.
 *
 *     user, tenant   at most 256 bytes each
 *     attributes     together 4096 as encoded; these three come back with every
 *                    later event
 *     groups         in which it is from the start (hoist_join): at most 64,
 *                    names of 1 to 128 bytes
 *     subprotocol    one of those offered, at most 128 bytes: in the response
 *     headers        of the response, together 8192 bytes
 *     ttl            60 to 2147483647 seconds that its row in the store
 *                    outlasts a broker that dies, where the broker's own
 *                    --store-ttl is not right for it
 *
 * Returns 0; -EINVAL when it is no CONNECT, the name is empty, the subprotocol
 * was not offered, a header holds CR, LF or NUL, or the ttl is out of range;
 * -EILSEQ for a user, tenant, attribute or group that is no UTF-8; -ENOSPC for
 * one group too many; -EALREADY after the reply and while the event waits for
 * an answer; -EMSGSIZE; -ENOTCONN when the broker was lost while the event
 * waited.
 */
int hoist_accept_user(hoist_ctx *ctx, hoist_text user);
int hoist_accept_tenant(hoist_ctx *ctx, hoist_text tenant);
int hoist_accept_attribute(hoist_ctx *ctx, const char *name, hoist_text value);
int hoist_accept_group(hoist_ctx *ctx, hoist_text group);
int hoist_accept_ttl(hoist_ctx *ctx, unsigned seconds);
int hoist_accept_subprotocol(hoist_ctx *ctx, hoist_text subprotocol);
int hoist_accept_header(hoist_ctx *ctx, const char *name, hoist_text value);

/*
 * On CONNECT, before the reply: a header for the response, if it comes to a
 * refusal, by whoever refuses; WWW-Authenticate, say.  They add up, together
 * 8192 bytes.
 * Returns as hoist_accept_header.
 */
int hoist_refuse_header(hoist_ctx *ctx, const char *name, hoist_text value);

/* --- push, groups and close -------------------------------------------- */

/*
 * Whom a push is for.  Made by the functions below; what it points at is lent
 * until the push was made.
 *
 * A connection has the user and the tenant of hoist_accept_user and _tenant,
 * and is in groups (hoist_join).  A push to such a name is for whoever has it
 * when it comes to their gateway, whichever worker and broker they speak to;
 * that nobody has it is no error.
 */
typedef enum {
    HOIST_TO_CONNECTION = 1,
    HOIST_TO_CONNECTIONS,
    HOIST_TO_USER,
    HOIST_TO_TENANT,
    HOIST_TO_GROUP,
    HOIST_TO_ALL,
} hoist_target_kind;

typedef struct {
    hoist_target_kind kind;
    hoist_text name;         /* or the id of the one connection */
    const hoist_text *names; /* ids of connections, count of them */
    size_t count;
} hoist_target;

/* The connection with this id, of 16 characters.  One that has ended is no
 * error: see hoist_on_gone. */
static inline hoist_target hoist_to_connection(hoist_text connection)
{
    hoist_target target = {HOIST_TO_CONNECTION, connection, NULL, 0};
    return target;
}

/* Those with these ids, 1 to 65536. */
static inline hoist_target hoist_to_connections(const hoist_text *connections,
                                                size_t count)
{
    hoist_target target = {HOIST_TO_CONNECTIONS, {NULL, 0}, connections, count};
    return target;
}

/* Those of a user (1 to 256 bytes), of a tenant (256), in a group (128). */
static inline hoist_target hoist_to_user(hoist_text user)
{
    hoist_target target = {HOIST_TO_USER, user, NULL, 0};
    return target;
}

static inline hoist_target hoist_to_tenant(hoist_text tenant)
{
    hoist_target target = {HOIST_TO_TENANT, tenant, NULL, 0};
    return target;
}

static inline hoist_target hoist_to_group(hoist_text group)
{
    hoist_target target = {HOIST_TO_GROUP, group, NULL, 0};
    return target;
}

/* Everyone. */
static inline hoist_target hoist_to_all(void)
{
    hoist_target target = {HOIST_TO_ALL, {NULL, 0}, NULL, 0};
    return target;
}

/* What became of a push. */
typedef struct {
    int status;         /* see below; there are counts with 200 alone */
    uint64_t delivered; /* connections that it was put to */
    uint64_t gone;      /* ids that stand for no connection, connections that
                           ended meanwhile or were not reached in its ttl; and
                           one for each gateway that was lost with it */
    uint64_t refused;   /* connections that were closed: they read too slowly */
} hoist_pushed;

/*
 * Is told what became of a push, when all gateways are done with it: exactly
 * once for each push that was taken (0), on the thread that pushed, never by
 * the pushing function itself, so that data may be freed there.  "Put to" is
 * written to the client's socket or to what waits for it; not that the client
 * has read it.  The status is
 *
 *     200   as counted
 *     503   the broker was lost, or the worker ends: nobody knows, and ctx
 *           reaches no broker (-ENOTCONN)
 *     504   no word came in time: it may have arrived, or still arrive.  So,
 *           too, where a broker refused the push, which is logged
 *           (WORKER-BROKER-ERROR)
 *
 * ctx     of hoist_push_to a task; of hoist_push_then the event that waited, as
 *         a hoist_answer_handler gets it.
 * pushed  lent for the call.
 * data    that of the options.
 *
 * Returns as a task, or as a hoist_answer_handler.
 */
typedef int hoist_pushed_handler(hoist_ctx *ctx, const hoist_pushed *pushed,
                                 void *data);

/* How to push; {0} and NULL: as it is usual. */
typedef struct {
    const hoist_text *except; /* ids of connections that are left out */
    size_t except_count;      /* at most 100; 0 where the target is ids */
    unsigned ttl_ms; /* after which a gateway puts it to nobody any more, at
                        most 2^31 - 1; 0: no matter when */
    hoist_pushed_handler *told; /* what became of it; NULL: nobody is */
    void *data;                 /* for told, handed on as it is */
} hoist_push_options;

/*
 * Send a message to connections, whether or not they have to do with this
 * event.  What is pushed and replied while handling one connection's events, or
 * pushed by tasks, arrives in the order made, also at other connections.
 *
 *     hoist_text self[] = {hoist_connection(ctx)};
 *     hoist_push_options others = {.except = self, .except_count = 1};
 *     return hoist_push_to(ctx, hoist_to_group(hoist_str("lobby")), HOIST_TEXT,
 *                          hoist_body(ctx), &others);
 *
 * A push is taken at once, leaves when the handler has returned (so one that
 * tells how it gets on does so from a thread: hoist_post), and waits here while
 * the broker's push window is spent.  A worker with much waiting begins no new
 * requests, so the pressure goes back to those who cause it; a handler that
 * pushes past the hard bound (64 MiB waiting) gets an error.
 *
 * type     HOIST_TEXT or HOIST_BINARY.
 * body     at most 32 MiB.
 * options  copied, with what except points at; NULL: the usual ones.  told is
 *          told within a minute; the event does not wait for it.
 *
 * Returns 0; -EINVAL for a bad id, count, type or option and for an empty name;
 * -EILSEQ for a text, name or id that is no UTF-8; -EMSGSIZE for a name or body
 * that is too long; -ENOBUFS past the hard bound; -EBUSY when 65536 pushes to
 * this broker have handlers that were not told yet; -ENOTCONN when the broker
 * was lost while the event waited for an answer, or none is up for a task;
 * -ENOMEM.
 *
 * In a $connect handler the connection itself can be pushed to and closed: it
 * happens right behind the 101, if the handler accepts.
 */
int hoist_push_to(hoist_ctx *ctx, hoist_target target, hoist_type type,
                  hoist_text body, const hoist_push_options *options);

/* The same to count connections, and to one. */
int hoist_push(hoist_ctx *ctx, const hoist_text *connections, size_t count,
               hoist_type type, hoist_text body);
int hoist_push_one(hoist_ctx *ctx, hoist_text connection, hoist_type type,
                   hoist_text body);

/*
 * hoist_push_to, and the event waits, as behind hoist_find_user, until
 * options.told goes on with it: 5 s at most.  All that is said there of events
 * that wait holds.  A task waits likewise, and told goes on with the task.
 *
 * Returns as hoist_push_to; -EINVAL without told; -EALREADY when there is a
 * reply, or the event waits already; -EBUSY also when 1024 events of this
 * broker wait.  `return hoist_push_then(…);` does the right thing with all of
 * them.
 */
int hoist_push_then(hoist_ctx *ctx, hoist_target target, hoist_type type,
                    hoist_text body, const hoist_push_options *options);

/*
 * Put a connection into a group, or take it out.  It is in at most 64, together
 * with those of hoist_accept_group, until it leaves or ends; to join twice, and
 * to leave where one is not, does no harm.  Nothing of it is stored.  Joins,
 * leaves and pushes of one event, or of tasks, take effect in the order made:
 * who is made to join here gets the next push to the group.  In a $connect
 * handler the connection itself can join.
 *
 * group       1 to 128 bytes.
 * connection  16 characters.  One that has ended is no error: see
 *             hoist_on_gone.  One that is in 64 groups stays out, which is
 *             logged (WORKER-BROKER-ERROR, groups).
 *
 * They count in the push window and return as hoist_push_to.
 */
int hoist_join(hoist_ctx *ctx, hoist_text group, hoist_text connection);
int hoist_leave(hoist_ctx *ctx, hoist_text group, hoist_text connection);

/*
 * Close a connection, behind what was pushed to it.  Its DISCONNECT follows.
 *
 * code    1000, 1001, 1003, 1007 to 1013 or 3000 to 4999.
 * reason  at most 123 bytes of UTF-8; NULL for none.
 *
 * Returns 0; -EINVAL for a bad id, code or reason; -EILSEQ for an id or reason
 * that is no UTF-8; -ENOBUFS; -ENOTCONN as hoist_push; -ENOMEM.
 */
int hoist_close(hoist_ctx *ctx, hoist_text connection, unsigned code,
                const char *reason);

/*
 * Be told of connections that a push or close could not reach, because they
 * have ended.  Called between handlers, on the thread whose push or close it
 * was; connection is lent for the call.  NULL for none.  While the app runs it
 * is too late to say who is told: -EBUSY.
 */
typedef void hoist_gone_handler(hoist_app *app, hoist_text connection);
int hoist_on_gone(hoist_app *app, hoist_gone_handler *handler);

/* --- who is connected -------------------------------------------------- */

/* What a broker knows about a question of ours.  Opaque, lent. */
typedef struct hoist_answer hoist_answer;

/*
 * Goes on with an event, once the answer to its question is there.  ctx is the
 * event as before, with what a CONNECT has accepted so far, but it need not be
 * at the address that it had, and of what hoist_set kept only values of
 * hoist_alloc are left.  All that a
 * handler may do may be done here: reply, push, ask again (the next page, say,
 * but one question at a time).  Middleware is not run again.
 *
 * answer  lent; read it before you ask again.
 * data    the pointer given with the question.
 *
 * Returns as a hoist_handler: the event ends with that, unless it asks again.
 */
typedef int hoist_answer_handler(hoist_ctx *ctx, hoist_answer *answer,
                                 void *data);

/* How to ask; {0} and NULL: as it is usual. */
typedef struct {
    hoist_text cursor;   /* of the answer before; absent: the first page */
    unsigned limit;      /* rows of a page at most, 1 to 1000; 0: 100 */
    unsigned timeout_ms; /* for the answer, 1 to 60000; 0: 5000 */
    bool live;           /* of a connection: what its gateway knows now */
    bool count;          /* of a group: only how many members it has */
} hoist_find_options;

/*
 * Ask the broker that the event came from which connections there are: the one
 * with this id, those of a user, those of a tenant, those that are in a group,
 * how many.  Brokers that share a store know the connections of all, a moment
 * late; with the memory store each knows its own.  Members of a group are asked
 * of the gateways, so those of all brokers are there; so is, with options.live,
 * a connection, which then has row.last_active_at_ms.
 *
 *     static int tell(hoist_ctx *ctx, hoist_answer *answer, void *data)
 *     {
 *         return hoist_answer_status(answer) == 200
 *                    ? hoist_reply_text(ctx, "here")
 *                    : hoist_reply_status(ctx, hoist_answer_status(answer));
 *     }
 *
 *     static int is_here(hoist_ctx *ctx)
 *     {
 *         return hoist_find_connection(ctx, hoist_body(ctx), NULL, tell, NULL);
 *     }
 *
 * These do not block: the event waits, and handler goes on with it.  Meanwhile
 * other connections' events are handled; those of this connection wait behind
 * it, save of routes that are hoist_unordered.  It keeps its place in the
 * window, and its deadline runs.
 *
 * When a question was asked (0 was returned), handler is called exactly once,
 * on the event's thread, never by these functions themselves: so data may be
 * freed there.  Its answer has the status
 *
 *     200   rows, a count
 *     400   the cursor is none
 *     404   there is no connection with this id
 *     503   the store cannot answer now, or the gateway is not there; or the
 *           broker was lost, or the worker ends without having waited: then
 *           hoist_reply, hoist_push and hoist_close return -ENOTCONN, and the
 *           event has ended
 *     504   there was no answer in time
 *
 * and other numbers of a broker that thinks otherwise; there are rows with 200
 * alone.
 *
 * A handler that fails after it has asked ends its event with that failure, at
 * once; the answer's handler is called all the same, and its replies get
 * -EALREADY.
 *
 * text     connection (at most 128 bytes), user, tenant (256 each), group (1
 *          to 128): copied.  Absent counts as empty, and no group is.
 * options  copied; NULL: the usual ones.
 * data     handed to handler as it is; may be NULL.
 *
 * Of one broker 16 questions are under way at a time; more wait for their turn,
 * in order, and the time for the answer runs from when they were asked.
 *
 * Returns 0; -EALREADY when there is a reply, or another question of this event
 * has no answer yet; -EDEADLK in a route that was called (hoist_call); -EINVAL
 * for an option out of range, an empty group or no handler; -EMSGSIZE for a
 * text or cursor that is too long; -EILSEQ for what is no UTF-8; -EBUSY when
 * 1024 events of this broker wait for answers; -ENOTCONN when it was lost;
 * -ENOBUFS, -ENOMEM.  `return hoist_find_user(…);` does the right thing with
 * all of them.
 */
int hoist_find_connection(hoist_ctx *ctx, hoist_text connection,
                          const hoist_find_options *options,
                          hoist_answer_handler *handler, void *data);
int hoist_find_user(hoist_ctx *ctx, hoist_text user,
                    const hoist_find_options *options,
                    hoist_answer_handler *handler, void *data);
int hoist_find_tenant(hoist_ctx *ctx, hoist_text tenant,
                      const hoist_find_options *options,
                      hoist_answer_handler *handler, void *data);
int hoist_find_group(hoist_ctx *ctx, hoist_text group,
                     const hoist_find_options *options,
                     hoist_answer_handler *handler, void *data);
int hoist_find_count(hoist_ctx *ctx, const hoist_find_options *options,
                     hoist_answer_handler *handler, void *data);

/* 100 to 599, see above. */
int hoist_answer_status(const hoist_answer *answer);

/* To hoist_find_count: how many connections there are; to hoist_find_group with
 * options.count: in the group. */
uint64_t hoist_answer_count(const hoist_answer *answer);

/* For the options of the question for the next page; absent behind the last.
 * There may be one although this page has no rows. */
hoist_text hoist_answer_cursor(const hoist_answer *answer);

/* A connection; texts are lent as long as the answer, absent when not set. */
typedef struct {
    hoist_text connection; /* its id */
    hoist_text user, tenant;
    hoist_text ip;
    int64_t connected_at_ms;   /* Unix time; 0: unknown */
    int64_t last_active_at_ms; /* with options.live: likewise, of the last word
                                  of its client or to it */
    uint32_t ttl_s;            /* of hoist_accept_ttl; 0: the broker's own */
    hoist_text context;        /* for hoist_row_attribute */
} hoist_row;

/* The next row into *row; false behind the last, *row is as it was then. */
bool hoist_answer_next(hoist_answer *answer, hoist_row *row);

/* What hoist_accept_attribute gave it; absent when it did not. */
hoist_text hoist_row_attribute(const hoist_row *row, const char *name);

/* --- other routes ------------------------------------------------------ */

/* What came of a call.  Lent until the handler returns or calls again. */
typedef struct {
    int status;      /* of its reply */
    hoist_type type; /* and the body of that */
    hoist_text body;
    hoist_error error; /* what it has failed with; status 0: it has not */
} hoist_called;

/*
 * Run another route of this app, with its middleware, as if the connection had
 * sent it this message, and get its reply, which the client does not see:
 *
 *     hoist_called called;
 *     int rc = hoist_call(ctx, "price", HOIST_TEXT, hoist_str("tea"), &called);
 *     return rc < 0 ? rc : hoist_reply(ctx, 200, called.type, called.body);
 *
 * It runs here and now, in what is left of the event's time, with values and
 * memory of its own; from "$connect" it sees what the connection was accepted
 * with so far (hoist_user, hoist_tenant, hoist_attribute).  What it pushes,
 * joins and closes leaves in order with what the caller does.  That it has
 * failed is the caller's to judge.  It cannot wait: hoist_find_user and its
 * kin, hoist_push_then and hoist_wait return -EDEADLK to it.
 *
 * route  one that has a handler, or "$default"; no other that begins with '$'.
 * type   HOIST_NONE ignores body.
 * Returns 0 with *called set, whatever its status; -ENOENT when the app has no
 * such route; -ELOOP beyond 8 calls one inside of the other; -EINVAL for a bad
 * type, and of a task; -EILSEQ for a text that is no UTF-8; -EALREADY,
 * -ENOTCONN when the event is over; -ENOMEM.
 */
int hoist_call(hoist_ctx *ctx, const char *route, hoist_type type,
               hoist_text body, hoist_called *called);

/* --- tasks ------------------------------------------------------------- */

/*
 * A task is what a worker does without an event: at intervals (hoist_every),
 * and when another thread wants it (hoist_post).  It runs on the app's first
 * thread, between handlers.  Its context has no event: hoist_event_of is
 * HOIST_TASK, there is no WebSocket and no connection, texts are absent,
 * replying and accepting are -EINVAL, and there is no deadline.  It may push,
 * close, join, leave and ask (hoist_find_user), and the answer's handler goes
 * on with a context of that kind.
 *
 * It speaks to one broker, which reaches every connection whichever broker that
 * is at: the same one as long as it is up, so that what tasks push arrives in
 * the order made; of several brokers workers take different ones.  While none
 * is up these functions return -ENOTCONN.
 *
 * data     the pointer given with the task.
 *
 * Returns 0, or a negative errno, which is logged (WORKER-TASK-FAILED) and
 * changes nothing.
 */
typedef int hoist_task(hoist_ctx *ctx, void *data);

/*
 * Run task every so many ms, 1 to 86400000, while the app runs, whatever the
 * number of its threads: first when they have passed, and no more once it was
 * asked to stop.  A time that was missed, by a handler that blocked, is not
 * made up for.  At most 64, with those of middleware (hoist_metrics with
 * count_ms, hoist_idempotency with a ledger).
 *
 * data: handed to the task as it is; not copied, may be NULL.
 * Returns 0; -EINVAL for a time out of range or no task; -ENOSPC; -EBUSY while
 * the app runs.  Failures are kept as those of hoist_on.
 */
int hoist_every(hoist_app *app, unsigned ms, hoist_task *task, void *data);

/*
 * Have the app's first thread run task soon, in the order posted (but for what
 * hoist_resume posts).  Any thread, and signal handlers too, as long as the app
 * is not being destroyed.
 *
 * A task that was taken (0) is run exactly once: while the app runs; else, when
 * hoist_run returns, with a context that reaches no broker; so, too, by
 * hoist_app_destroy.  So it may free data.  While too much waits to be sent to
 * its broker, no posted task is run, and 4096 of them wait.
 *
 * data: handed to the task as it is; may be NULL.
 * Returns 0; -EAGAIN when 4096 wait: try again later; -EINVAL without a task;
 * -ENOTCONN while the app is being destroyed.
 */
int hoist_post(hoist_app *app, hoist_task *task, void *data);

/* --- other threads ----------------------------------------------------- */

/*
 * Stands for an event that waits for another thread of the program.  A value,
 * to be copied: it owns nothing, and is harmless when its event is long over.
 */
typedef struct {
    hoist_app *app;
    unsigned thread; /* of the app, that has the event */
    uint64_t id;
    uint64_t request;  /* the event's hoist_request_number */
    const char *route; /* its route key; lives as long as the app */
} hoist_ticket;

/*
 * Let the event wait until another thread, which is given the ticket, has it go
 * on.  For work that would hold up the handler's thread:
 *
 *     static int draw(hoist_ctx *ctx)
 *     {
 *         hoist_ticket ticket;
 *         int rc = hoist_wait(ctx, &ticket);
 *         return rc < 0 ? rc : hand_to_painter(hoist_body(ctx), ticket);
 *     }
 *     …
 *     hoist_reply_later(ticket, 200, HOIST_BINARY, picture);
 *
 * All that is said of events that wait (hoist_find_user) holds: those behind it
 * of its connection wait as well, its place in the window is taken, and what a
 * stop waits for is it, too.  It waits until its deadline (a DISCONNECT and a
 * PRESENCE for 60 s), and fails then with status 504; or it ends without a
 * word, when its broker is lost.
 *
 * Returns 0 with *ticket set; -EALREADY when there is a reply, or it waits
 * already; -EINVAL of a task; -EDEADLK in a route that was called (hoist_call);
 * -EBUSY when 1024 events of this broker wait; -ENOTCONN when it was lost;
 * -ENOMEM.
 */
int hoist_wait(hoist_ctx *ctx, hoist_ticket *ticket);

/*
 * Go on with the event on its own thread, by a task whose context is that
 * event's, as an answer's handler has it: it may reply, push, ask, or wait
 * again, and what it returns is the event's result.  Any thread, but no signal
 * handler; as long as the app is not being destroyed.
 *
 * A task that was taken (0) is run exactly once, as those of hoist_post are, so
 * it may free data.  It waits while too much waits to be sent to the event's
 * own broker, whatever others do.  Where the event is over by then (its
 * deadline has passed, its broker was lost, it was gone on with before) it is
 * one without an event: hoist_event_of is HOIST_TASK, and nothing can be
 * replied.
 *
 * Returns 0; -EINVAL without a task, or for a ticket that is none; -EAGAIN when
 * 4096 such tasks wait for that thread: try again later; -ENOTCONN while the
 * app is being destroyed; -ENOMEM.
 */
int hoist_resume(hoist_ticket ticket, hoist_task *task, void *data);

/*
 * hoist_resume with a task that does no more than hoist_reply.  body is copied.
 * A reply that comes when its event is over, as when there was one before, is
 * logged (WORKER-TASK-FAILED, with the event's request and route).
 *
 * Returns as hoist_resume; -EINVAL for a bad status or type; -EILSEQ;
 * -EMSGSIZE.
 */
int hoist_reply_later(hoist_ticket ticket, int status, hoist_type type,
                      hoist_text body);

/* --- middleware -------------------------------------------------------- */

/*
 * A layer stands around handlers: it does what comes before, calls hoist_next,
 * does what comes after, and returns the result of hoist_next or one of its
 * own; results read as those of a handler.  One that does not call hoist_next
 * has decided: what it replied is the answer, and a negative result a refusal.
 *
 * state: that of its middleware, or the pointer given to hoist_wrap.
 */
typedef int hoist_layer(hoist_ctx *ctx, void *state);

/*
 * A middleware: a layer with a state that belongs to an app, made from a struct
 * of settings.  Of these a zero is the default, so that {0} and NULL are the
 * usual one.  A table like this is constant; its functions may be for several
 * apps, in several threads, and each use has a state of its own.  Of an app
 * with several threads run may run in them at once, with the same state: what
 * it changes there it guards itself.
 */
typedef struct {
    /*
     * Make *state from config, which is read and not kept, and may be NULL.
     * Returns 0, or a negative errno: what hoist_use returns then, and nothing
     * is left.  NULL: state is NULL.
     *
     * It may register what it needs: routes, tasks, other middleware, which
     * stands before this one where both are put around the same.
     */
    int (*init)(hoist_app *app, const void *config, void **state);
    hoist_layer *run; /* never NULL */
    /* Free state.  Called by hoist_app_destroy, last registered first, whatever
     * it was put around.  NULL: there is nothing to free. */
    void (*fini)(void *state);
    /* Bytes of config that are read, 1 to HOIST_CONFIG_BYTES: init sees a copy
     * with zeros behind them.  0: config is handed on as it is. */
    size_t config_bytes;
} hoist_middleware;

#define HOIST_CONFIG_BYTES 1024

/*
 * Settings of a middleware grow at their end, and programs that were built
 * before go on without being built again: for the linker, a middleware is
 * another one with each form of its settings, so what a program refers to says
 * which it was compiled with.  Programs do nothing for that.  A library whose
 * settings grow has this in its header
 *
 *     extern const hoist_middleware *const a_door HOIST_FORM(a_door_2);
 *
 * which is the former declaration but for the form, and beside the middleware,
 * under the name that those programs refer to, one that reads what they have:
 *
 *     static const hoist_middleware former = {
 *         .init = door_init, .run = door_run, .fini = door_fini,
 *         .config_bytes = offsetof(a_door_config, first_new_field)};
 *     extern const hoist_middleware *const a_door_1 HOIST_FORM(a_door);
 *     const hoist_middleware *const a_door_1 = &former;
 *
 * A program of the new form does not start with a library that lacks it.
 */
#define HOIST_FORM(name) __asm__(#name) __attribute__((visibility("default")))

/*
 * Put a middleware around all handlers, or around those of one route (which has
 * a handler).  What is around all is outside of what is around one; among those
 * the first one registered is the outermost.  At most 64 around all, and 64
 * around each route.  Those that come with the library are in
 * <hoist_middleware.h>:
 *
 *     hoist_use(app, hoist_recover, NULL);
 *     hoist_use(app, hoist_logger, &(hoist_logger_config){.starts = true});
 *     hoist_use_on(app, "$connect", my_login, &config);
 *
 * middleware  lent for the call; so is config.
 * Returns 0; -EINVAL without middleware or run, or for config_bytes out of
 * range; -ENOSPC; -ENOENT when the route has no handler; what init returned;
 * -EBUSY while the app runs.  Failures are kept as those of hoist_on.
 */
int hoist_use(hoist_app *app, const hoist_middleware *middleware,
              const void *config);
int hoist_use_on(hoist_app *app, const char *route,
                 const hoist_middleware *middleware, const void *config);

/*
 * The same for a layer that is no more than a function.
 *
 * state: handed to the layer as it is; not copied, may be NULL.
 */
int hoist_wrap(hoist_app *app, hoist_layer *layer, void *state);
int hoist_wrap_on(hoist_app *app, const char *route, hoist_layer *layer,
                  void *state);

/*
 * In the init of a middleware that is about to fail: why, for people, who find
 * it in the log when hoist_run refuses (WORKER-REGISTRATION, hint):
 *
 *     return hoist_init_failed(app, -EINVAL, "a_door: word is empty");
 *
 * format  printf's.  It must not tell a secret.  At most 255 bytes.
 * Returns rc.
 */
int hoist_init_failed(hoist_app *app, int rc, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/*
 * Run what stands inside: the next layer, or the handler.
 *
 * What is decided stays decided: when the event has a reply, or waits for an
 * answer, or this layer has called hoist_fail, nothing inside is run.  A
 * failure that came from inside is the caller's: it may pass it on, call
 * hoist_fail with better words, reply with a status that refuses (300 and above
 * to a CONNECT, else 400 and above; the body is as it likes), or call
 * hoist_next again, to retry.  A layer that does nothing of that and returns 0
 * has passed it on.  So what a layer refused can be told in other words, and
 * never becomes a success but by asking it again.
 *
 * What is run again begins from what stood before: what the run that failed
 * has accepted, set and allocated is gone, and who registered hoist_finally in
 * it is told first, with the status and words of its failure.  What it has
 * pushed stays so.
 *
 * Returns the result of what is inside, as a handler's: 0 also when it waits
 * for an answer (hoist_find_user), and the event goes on without its
 * middleware, see hoist_finally; when nothing was run, 0 for an event with a
 * reply and the failure of one without; -EINVAL of a handler, of a task, and
 * behind an answer.
 */
int hoist_next(hoist_ctx *ctx);

/*
 * Is told when an event has its outcome: hoist_replied is the status, or 0 when
 * it is over without a reply of ours (the broker was lost); hoist_error_code
 * and the like are those of a failure.  Nothing can be replied, asked or
 * accepted any more (-EALREADY); pushes are possible.
 *
 * data: that of hoist_finally.
 */
typedef void hoist_finally_handler(hoist_ctx *ctx, void *data);

/*
 * Have handler told when the event has its outcome: at once, behind all
 * middleware, or later, where the event waits for an answer.  What was
 * registered last is told first.  At most 16.
 *
 * data: handed to handler as it is.  By then a layer may have returned: use its
 * state, or memory of hoist_alloc.
 *
 * Returns 0; -ENOBUFS; -EINVAL of a task and without handler; -EALREADY.
 */
int hoist_finally(hoist_ctx *ctx, hoist_finally_handler *handler, void *data);

/*
 * Hand something to those further in, or out, for this event.  The key is an
 * address, not a text: use that of a static variable of yours, and no other
 * can collide with it.  The value is borrowed.  At most 16 keys.  Where the
 * event waits for an answer, only values in memory of hoist_alloc are there
 * when it goes on.
 *
 * hoist_set returns 0 or -ENOBUFS; hoist_get the value, or NULL when it was
 * never set.
 */
int hoist_set(hoist_ctx *ctx, const void *key, void *value);
void *hoist_get(const hoist_ctx *ctx, const void *key);

/*
 * Memory for this event: zeroed, aligned for any object, there until the event
 * has its outcome, also when it waits for an answer.  Costs an addition; nobody
 * frees it.
 *
 * size  bytes, all that an event takes at most 4096.
 * Returns NULL when there is no such room, and for size 0.
 */
void *hoist_alloc(hoist_ctx *ctx, size_t size);

/* --- the log ----------------------------------------------------------- */

/* What is less than the option log-level is left out. */
typedef enum {
    HOIST_LOG_ERROR = 0,
    HOIST_LOG_WARN = 1,
    HOIST_LOG_INFO = 2,
    HOIST_LOG_DEBUG = 3,
} hoist_log_level;

/*
 * A line in the process's log, on standard error, as the options log-level and
 * log-format say: for middleware and handlers.  Any thread.  errno is kept.
 *
 * level   another number counts as the nearest.
 * event   a stable name: "ORDER-LOST".
 * format  printf's, of pairs: "order=%u reason=\"%s\"", with what C11 has but
 *         %n; at another conversion the line is cut (cut=true).  A value must
 *         not tell a secret; control bytes in it become '?', and a quote in a
 *         text between quotes has a backslash before it.
 */
void hoist_log(hoist_log_level level, const char *event, const char *format,
               ...)
#ifdef __GNUC__
    __attribute__((format(printf, 3, 4)))
#endif
    ;

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
