/* SPDX-License-Identifier: MIT
 *
 * The `hoist` program: reads settings, starts actors, waits for signals.
 *
 *   SIGTERM, SIGINT   stop in order; a second one ends at once
 *   SIGUSR1           log the counters
 *   SIGHUP            read again settings (cli/reload.h), and the files that
 *                     actors know (base/actor.h)
 *
 * Exit status: 0 after a stop in order, 1 when something failed, 2 for a wrong
 * setting.
 */
#include "admin/admin.h"
#include "base/actor.h"
#include "base/actor_ref.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/stdio_fds.h"
#include "base/variables.h"
#include "base/xalloc.h"
#include "broker/broker.h"
#include "cli/dead.h"
#include "cli/descriptors.h"
#include "cli/health.h"
#include "cli/keygen.h"
#include "cli/reload.h"
#include "cli/settings.h"
#include "cli/store.h"
#include "cli/verbs.h"
#include "manage/manage.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/signalfd.h>
#include <unistd.h>

#include <zmq.h>

#define INNER_ENDPOINT                                                         \
    "inproc://hoist-gateways" /* of the broker, for actors of its process */
#define BROKERS_SHARE 4       /* one of so many of --drain-time, with serve */
#define LOOPS_PER_IO  4       /* to one of ZeroMQ's threads */
#define SOCKETS       1024    /* of ZeroMQ, as CZMQ has it … */
#define LOOP_SOCKETS  256 /* … and of a further loop: three a broker, pipes */

_Static_assert(GATEWAY_LOOPS_MAX < ACTOR_ASKERS_MAX, "the manager's askers");

typedef struct {
    const char *name;
    audience_t audience;
    const char *help;
} command_t;

static const command_t commands[] = {
    {"serve", FOR_ALL, "gateway and broker in one process"},
    {"gateway", FOR_GATEWAY, "clients' WebSockets, in front of a broker"},
    {"broker", FOR_BROKER, "routes requests to workers"},
};

typedef struct {
    actor_ref_t gateway, broker, manage, admin; /* none: not run here */
    zsock_t *asked[ADMIN_SOURCES_MAX]; /* their ends of the pipes on which … */
    zsock_t *asking[ADMIN_SOURCES_MAX]; /* … the admin listener asks them */
    void *handing[GATEWAY_LOOPS_MAX]; /* each loop's and the manager's end … */
    void *handed[GATEWAY_LOOPS_MAX];  /* … of a pipe; NULL: none */
    reload_t *settings;               /* what SIGHUP may change */
    int signals;                      /* signalfd */
} program_t;

static void usage(FILE *out)
{
    fputs("usage: hoist COMMAND [--SETTING VALUE …]\n\n", out);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        fprintf(out, "  %-11s  %s\n", commands[i].name, commands[i].help);
    }
    fputs("\nof a system that runs, asked where it was told --admin:\n\n", out);
    verbs_usage(out);
    fputs("\nof its folders and stores, and of itself:\n\n"
          "  dead         look at requests that killed their workers\n"
          "  keygen       make keys for CURVE between processes\n"
          "  store        look after the store of connections\n"
          "  health       ask one process whether it is well, for scripts\n"
          "  version      print the version\n"
          "  settings     print the table of all settings\n"
          "  help         print this, or the help of a COMMAND\n\n"
          "`hoist COMMAND --help` lists the settings of a command.  Each may "
          "also be a\nHOIST_… variable or a line in the file that --config "
          "names.\n",
          out);
}

static int block_signals(void)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

/* --- actors -------------------------------------------------------------- */

static void log_listening(const actor_kind_t *which, const char *first,
                          const char *second)
{
    if (which == &manage_actor) {
        log_info("MANAGE-STARTED", "public=%s", first);
    } else if (which == &admin_actor) {
        log_info("ADMIN-LISTENING", "address=%s", first);
    } else if (which == &broker_actor) {
        log_info("BROKER-LISTENING", "workers=%s gateways=%s", first, second);
    } else {
        log_info("GATEWAY-LISTENING", "address=%s", first);
    }
}

/* Wait until one that was started listens, and log where.  Returns 0; 1 when it
 * failed, which is logged, and there is none. */
static int await(actor_ref_t *actor)
{
    zmsg_t *message = actor->pipe == NULL ? NULL : zmsg_recv(actor->pipe);
    char *word = message == NULL ? NULL : zmsg_popstr(message);
    char *first = message == NULL ? NULL : zmsg_popstr(message);
    char *second = message == NULL ? NULL : zmsg_popstr(message);
    int result = word != NULL && streq(word, "READY") ? 0 : 1;

    if (result == 0) {
        log_listening(actor->kind, first, second);
    } else {
        log_err("START-FAILED", "%s", first == NULL ? "no thread" : first);
        actor_stop(actor);
    }
    zstr_free(&word);
    zstr_free(&first);
    zstr_free(&second);
    zmsg_destroy(&message);
    return result;
}

static int start(actor_ref_t *actor, const actor_kind_t *kind, void *options,
                 const char *name)
{
    (void)actor_spawn(actor, kind, options, name); /* await looks */
    return await(actor);
}

/* Make the pipe on which the admin listener asks an actor.  Returns the actor's
 * end. */
static zsock_t *open_questions(program_t *self, admin_options_t *admin,
                               const char *name)
{
    size_t i = admin->source_count++;

    self->asking[i] = zsys_create_pipe(&self->asked[i]);
    must(self->asking[i] != NULL);
    admin->sources[i] =
        (admin_source_t){.name = name, .questions = self->asking[i]};
    return self->asked[i];
}

static bool is_public(const command_t *command, const settings_t *settings)
{
    return (command->audience & FOR_GATEWAY) != 0 &&
           manage_is_public(&settings->manage);
}

/* Somebody may use it: who reaches the admin listener, or who has credentials
 * for the gateway's. */
static bool has_manager(const command_t *command, const settings_t *settings)
{
    return settings->admin.listen[0] != '\0' || is_public(command, settings);
}

/* The pipes on which the gateway's loops hand requests to the manager.  Before
 * there is a thread that knows of either. */
static void open_public(program_t *self, const command_t *command,
                        settings_t *settings)
{
    size_t count = (size_t)settings->gateway.loops;

    if (!is_public(command, settings)) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        zsock_t *handed;
        self->handing[i] = zsys_create_pipe(&handed);
        must(self->handing[i] != NULL);
        self->handed[i] = handed;
    }
    settings->gateway.manage = self->handing;
    settings->manage.public = self->handed;
    settings->manage.public_count = count;
}

static void close_public(program_t *self)
{
    for (size_t i = 0; i < GATEWAY_LOOPS_MAX; i++) {
        zsock_t *handing = self->handing[i], *handed = self->handed[i];
        zsock_destroy(&handing); /* harmless for NULL */
        zsock_destroy(&handed);
    }
}

static int start_manage(program_t *self, const command_t *command,
                        settings_t *settings)
{
    manage_options_t *manage = &settings->manage;

    if (!has_manager(command, settings)) {
        return 0;
    }
    manage->broker = settings->gateway.broker;
    manage->curve_key = settings->gateway.curve_key;
    manage->curve_broker = settings->gateway.curve_broker;
    manage->resolve_ms = settings->gateway.resolve_ms;
    if ((command->audience & FOR_BROKER) != 0) { /* with no need for keys */
        manage->broker = INNER_ENDPOINT;
        manage->curve_key = "";
    }
    return start(&self->manage, &manage_actor, manage, "hoist-manage");
}

/* First of all: what cannot be watched is not to serve. */
static int start_admin(program_t *self, const command_t *command,
                       settings_t *settings)
{
    admin_options_t *admin = &settings->admin;

    if (admin->listen[0] == '\0') {
        return 0;
    }
    if ((command->audience & FOR_GATEWAY) != 0) {
        settings->gateway.questions = open_questions(self, admin, "gateway");
    }
    if ((command->audience & FOR_BROKER) != 0) {
        settings->broker.questions = open_questions(self, admin, "broker");
    }
    settings->manage.admin = open_questions(self, admin, "manage");
    admin->sources[admin->source_count - 1].manages = true;
    return start(&self->admin, &admin_actor, admin, "hoist-admin");
}

/* One thread for both: a message between them wakes nobody.  Of a gateway with
 * several loops the broker is to be as near to each. */
static bool is_shared(const command_t *command, const settings_t *settings)
{
    return command->audience == FOR_ALL && settings->gateway.loops == 1;
}

static int start_broker(program_t *self, const command_t *command,
                        settings_t *settings)
{
    if ((command->audience & FOR_BROKER) == 0) {
        return 0;
    }
    return start(&self->broker, &broker_actor, &settings->broker,
                 is_shared(command, settings) ? "hoist-serve" : "hoist-broker");
}

static int start_gateway(program_t *self, const command_t *command,
                         settings_t *settings)
{
    gateway_options_t *gateway = &settings->gateway;

    if ((command->audience & FOR_GATEWAY) == 0) {
        return 0;
    }
    if (is_shared(command, settings)) {
        actor_spawn_in(&self->gateway, &self->broker, &gateway_actor, gateway);
        return await(&self->gateway);
    }
    return start(&self->gateway,
                 gateway->loops > 1 ? &gateway_loops_actor : &gateway_actor,
                 gateway, "hoist-gateway");
}

/* Its counters would bury the line that says what failed. */
static void cancel(const actor_ref_t *actor)
{
    if (actor->pipe != NULL) {
        zstr_send(actor->pipe, "CANCEL");
    }
}

static void point_inside(const command_t *command, settings_t *settings)
{
    if (command->audience == FOR_ALL) {
        settings->gateway.drain_ms -= settings->drain_ms / BROKERS_SHARE;
        settings->broker.gateways = INNER_ENDPOINT;
        settings->gateway.broker = INNER_ENDPOINT;
    } else if ((command->audience & FOR_BROKER) != 0) {
        settings->broker.inner = INNER_ENDPOINT;
    }
}

static int start_all(program_t *self, const command_t *command,
                     settings_t *settings)
{
    point_inside(command, settings);
    open_public(self, command, settings);
    if (start_admin(self, command, settings) != 0 ||
        start_broker(self, command, settings) != 0 ||
        start_manage(self, command, settings) != 0 ||
        start_gateway(self, command, settings) != 0) {
        cancel(&self->manage);
        cancel(&self->broker);
        cancel(&self->admin);
        return 1;
    }
    return 0;
}

static void tell_all(program_t *self, const char *what)
{
    const actor_ref_t *const actors[] = {&self->gateway, &self->broker,
                                         &self->manage, &self->admin};

    for (size_t i = 0; i < sizeof actors / sizeof actors[0]; i++) {
        if (actors[i]->pipe != NULL) {
            zstr_send(actors[i]->pipe, what);
        }
    }
}

static void tell_gateway(void *user, const char *name, const char *value)
{
    const program_t *self = user;

    zstr_sendf(self->gateway.pipe, GATEWAY_SET "%s %s", name, value);
}

/* Returns whether the signal is one to stop for. */
static bool is_end(program_t *self, uint32_t signal_number)
{
    switch (signal_number) {
    case SIGUSR1:
        tell_all(self, "STATS");
        return false;
    case SIGHUP:
        log_info("RELOADING",
                 "settings are read again, and files that they name");
        reload_read(self->settings, tell_gateway, self);
        tell_all(self, "RELOAD");
        return false;
    default:
        log_info("STOPPING", "signal=%u", signal_number);
        return true;
    }
}

static const char *name_of(const program_t *self, const void *pipe)
{
    return pipe == self->broker.pipe    ? "broker"
           : pipe == self->gateway.pipe ? "gateway"
           : pipe == self->manage.pipe  ? "manage"
                                        : "admin";
}

static zpoller_t *watch_all(program_t *self)
{
    const actor_ref_t *const actors[] = {&self->gateway, &self->broker,
                                         &self->manage, &self->admin};
    zpoller_t *poller = zpoller_new(&self->signals, NULL);

    for (size_t i = 0; i < sizeof actors / sizeof actors[0]; i++) {
        if (actors[i]->pipe != NULL) {
            zpoller_add(poller, actors[i]->pipe);
        }
    }
    zpoller_set_nonstop(poller, true);
    return poller;
}

/* Returns 0 when told to stop, 1 when an actor ended by itself. */
static int wait_for_end(program_t *self)
{
    struct signalfd_siginfo info;
    zpoller_t *poller = watch_all(self);
    int result = -1;

    while (result < 0) {
        void *which = zpoller_wait(poller, -1);
        if (which != (void *)&self->signals) {
            log_err("ACTOR-ENDED", "which=%s", name_of(self, which));
            result = 1;
        } else if (read(self->signals, &info, sizeof info) ==
                       (ssize_t)sizeof info &&
                   is_end(self, info.ssi_signo)) {
            result = 0;
        }
    }
    zpoller_destroy(&poller);
    return result;
}

static void tell_admin(program_t *self, const char *what)
{
    if (self->admin.pipe != NULL) {
        zstr_send(self->admin.pipe, what);
    }
}

/* The broker ends when the time of the whole process does. */
static void tell_broker(program_t *self, int64_t drain_ms)
{
    if (self->broker.pipe != NULL) {
        zstr_sendf(self->broker.pipe, BROKER_DRAIN_TIME "%lld",
                   (long long)(drain_ms > 0 ? drain_ms : 0));
    }
}

/* The gateway before the broker, since its last requests need one; and who asks
 * hears to the end that nothing is ready. */
static void stop_all(program_t *self, int64_t drain_ms)
{
    int64_t until_ms = clock_mono_ms() + drain_ms;

    tell_admin(self, "STOPPING");
    actor_stop(&self->gateway);
    tell_admin(self, "GONE gateway");
    actor_stop(&self->manage);
    tell_admin(self, "GONE manage");
    tell_broker(self, until_ms - clock_mono_ms());
    actor_stop(&self->broker);
    tell_admin(self, "GONE broker");
    actor_stop(&self->admin);
    close_public(self);
    for (size_t i = 0; i < ADMIN_SOURCES_MAX; i++) {
        zsock_destroy(&self->asking[i]);
        zsock_destroy(&self->asked[i]);
    }
}

/* From here on a second signal has its usual effect. */
static void unblock_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* Before there is a socket.  CZMQ's own functions for it unlock what nobody has
 * locked (4.2.1). */
static void size_zeromq(const gateway_options_t *gateway)
{
    int others = (int)gateway->loops - 1;

    if (others > 0) {
        void *zmq = zsys_init();
        zmq_ctx_set(zmq, ZMQ_IO_THREADS, 1 + others / LOOPS_PER_IO);
        zmq_ctx_set(zmq, ZMQ_MAX_SOCKETS, SOCKETS + others * LOOP_SOCKETS);
    }
}

static int run(const command_t *command, settings_t *settings, reload_t *reload)
{
    program_t self = {.settings = reload, .signals = block_signals()};

    zsys_init();
    zsys_handler_set(NULL);
    size_zeromq(&settings->gateway);
    descriptors_prepare(settings, command->audience);
    int result = start_all(&self, command, settings);
    if (result == 0) {
        result = wait_for_end(&self);
        unblock_signals();
    }
    stop_all(&self, settings->drain_ms);
    close(self.signals);
    return result;
}

static void help(const command_t *command)
{
    printf("usage: hoist %s [--SETTING VALUE …]\n\n%s\n\n"
           "Each setting with its variable, and its [default].\n",
           command->name, command->help);
    settings_help(command->audience, stdout);
}

static int run_command(const command_t *command, int argc, char **argv)
{
    settings_t settings;
    char error[SETTING_ERROR_MAX];
    int read = settings_read(&settings, command->audience, argc, argv, error);
    int result = 0;

    if (read < 0) {
        fprintf(stderr, "hoist %s: %s\n", command->name, error);
        result = 2;
    } else if (read > 0) {
        help(command);
    } else {
        reload_t *reload = reload_new(&settings, command->audience, argc, argv);
        variables_check();
        result = run(command, &settings, reload);
        reload_destroy(&reload);
    }
    settings_fini(&settings);
    return result;
}

static const command_t *find(const char *word)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (streq(word, commands[i].name)) {
            return &commands[i];
        }
    }
    return NULL;
}

/* What has a program of its own: its arguments are those behind its word. */
typedef struct {
    const char *word;
    int (*main)(int argc, char **argv);
} tool_t;

static const tool_t tools[] = {
    {"dead", dead_main},
    {"health", health_main},
    {"keygen", keygen_main},
    {"store", store_main},
};

static const tool_t *find_tool(const char *word)
{
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
        if (streq(word, tools[i].word)) {
            return &tools[i];
        }
    }
    return NULL;
}

static int complain(const char *word)
{
    fprintf(stderr, "hoist: '%s' is no command\n", word);
    usage(stderr);
    return 2;
}

/* `hoist help`, with or without a command. */
static int run_help(char *word)
{
    const command_t *command = word == NULL ? NULL : find(word);
    char flag[] = "--help", *arguments[] = {flag, NULL};

    if (command != NULL) {
        help(command);
    } else if (word != NULL && verbs_has(word)) {
        char *verb[] = {word, flag, NULL};
        return verbs_main(2, verb);
    } else if (word != NULL && find_tool(word) != NULL) {
        return find_tool(word)->main(1, arguments);
    } else if (word != NULL && !streq(word, "settings") &&
               !streq(word, "version") && !streq(word, "help")) {
        return complain(word);
    } else {
        usage(stdout);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (stdio_fds_open() < 0) {
        return 1;
    }
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    const char *word = argv[1];
    const command_t *command = find(word);
    const tool_t *tool;
    if (command != NULL) {
        return run_command(command, argc - 2, argv + 2);
    }
    if (verbs_has(word)) {
        return verbs_main(argc - 1, argv + 1);
    }
    if ((tool = find_tool(word)) != NULL) {
        return tool->main(argc - 2, argv + 2);
    }
    if (streq(word, "version") || streq(word, "--version")) {
        puts("hoist " HOIST_VERSION);
        return 0;
    }
    if (streq(word, "settings")) {
        settings_table(stdout);
        return 0;
    }
    if (streq(word, "help") || streq(word, "--help") || streq(word, "-h")) {
        return run_help(argv[2]); /* NULL at the end */
    }
    return complain(word);
}
