/* SPDX-License-Identifier: MIT
 *
 * The options of a worker, by name: from the program, the environment or the
 * command line.  One table says everything about each.
 */
#include "base/endpoint.h"
#include "base/listener.h"
#include "base/names.h"
#include "base/variables.h"
#include "base/xalloc.h"
#include "workers/c/app.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <sched.h>

#define FAULT_MAX 256  /* bytes of what is wrong with a value */
#define NAME_MAX_ 64   /* bytes of an option's name, and of its variable's */
#define LIST_MAX  4096 /* bytes of a list of endpoints */

typedef struct {
    const char *name;    /* without dashes */
    const char *value;   /* what --help calls its value */
    const char *preset;  /* default, as text */
    const char *allowed; /* what is right, for people */
    const char *help;    /* what it is, one line */

    /* Returns 0; -EINVAL; -ERANGE for a port that is none; or why a file of
     * keys cannot be read. */
    int (*set)(settings_t *settings, const char *value);
} option_t;

static int check_endpoint(const char *text)
{
    endpoint_t endpoint;
    int rc = endpoint_parse(text, &endpoint);

    return rc == 0 && endpoint.kind == ENDPOINT_INNER ? -EINVAL : rc;
}

static int set_broker(settings_t *self, const char *value)
{
    char list[LIST_MAX];
    size_t count = 0;
    char *rest = list;
    char *part;

    if (strlen(value) >= sizeof list) {
        return -EINVAL;
    }
    memcpy(list, value, strlen(value) + 1);
    while ((part = strsep(&rest, ",")) != NULL) {
        int rc = count++ == BROKERS_MAX ? -EINVAL : check_endpoint(part);
        if (rc < 0) {
            return rc;
        }
    }
    free(self->brokers);
    self->brokers = xstrdup(value);
    return 0;
}

static int set_name(settings_t *self, const char *value)
{
    size_t len = strlen(value);

    if (len >= sizeof self->name) {
        return -EINVAL;
    }
    memcpy(self->name, value, len + 1);
    return 0;
}

/* A whole decimal number within bounds. */
static int parse(const char *text, int64_t min, int64_t max, int64_t *number)
{
    char *end;

    if (*text < '0' || *text > '9') {
        return -EINVAL;
    }
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < min || value > max) {
        return -EINVAL;
    }
    *number = value;
    return 0;
}

static int set_threads(settings_t *self, const char *value)
{
    int64_t number;
    int rc = parse(value, 0, THREADS_MAX, &number);
    if (rc == 0) {
        self->threads = (unsigned)number;
    }
    return rc;
}

static int set_processes(settings_t *self, const char *value)
{
    int64_t number;
    int rc = parse(value, 0, PROCESSES_MAX, &number);
    if (rc == 0) {
        self->processes = (unsigned)number;
    }
    return rc;
}

static int set_window(settings_t *self, const char *value)
{
    int64_t number;
    int rc = parse(value, 1, WINDOW_MAX, &number);
    if (rc == 0) {
        self->window = (uint64_t)number;
    }
    return rc;
}

static int set_window_bytes(settings_t *self, const char *value)
{
    int64_t number;
    int rc = parse(value, 1, INT64_C(1) << 30, &number);
    if (rc == 0) {
        self->window_bytes = (uint64_t)number;
    }
    return rc;
}

static int set_liveness(settings_t *self, const char *value)
{
    return parse(value, 0, LIVENESS_MAX, &self->liveness_ms);
}

static int set_resolve(settings_t *self, const char *value)
{
    return parse(value, 0, RESOLVE_MAX, &self->resolve_ms);
}

static int set_drain(settings_t *self, const char *value)
{
    return parse(value, 0, DRAIN_MAX, &self->drain_ms);
}

/* A key that cannot be read leaves the former one. */
static int set_curve_key(settings_t *self, const char *value)
{
    if (*value == '\0') {
        self->curve.secret[0] = '\0';
        return 0;
    }
    return curve_read_secret(value, self->curve.secret);
}

static int set_curve_broker(settings_t *self, const char *value)
{
    if (*value == '\0') {
        self->curve.broker[0] = '\0';
        return 0;
    }
    return curve_read_public(value, self->curve.broker);
}

static int set_log_level(settings_t *self, const char *value)
{
    return log_level_parse(value, &self->log_level);
}

static int set_log_format(settings_t *self, const char *value)
{
    return log_format_parse(value, &self->log_format);
}

static int set_metrics(settings_t *self, const char *value)
{
    char address[METRICS_MAX + 16];
    size_t len = strlen(value);
    int64_t port;

    if (len > METRICS_MAX ||
        !listener_address(value, address, sizeof address)) {
        return -EINVAL;
    }
    const char *colon = strrchr(address, ':');
    if (len > 0 && (colon == NULL || colon == address ||
                    parse(colon + 1, 0, UINT16_MAX, &port) < 0)) {
        return -EINVAL;
    }
    memcpy(self->metrics, value, len + 1);
    return 0;
}

int settings_shift_metrics(settings_t *self, unsigned by)
{
    char *colon = strrchr(self->metrics, ':');
    char *digits = colon != NULL ? colon + 1 : self->metrics;
    unsigned long port = strtoul(digits, NULL, 10); /* a number, or nothing */
    size_t room = sizeof self->metrics - (size_t)(digits - self->metrics);

    if (port == 0) {
        return 0;
    }
    if (port + by > UINT16_MAX) {
        return -ERANGE;
    }
    int len = snprintf(digits, room, "%lu", port + by);
    return len > 0 && (size_t)len < room ? 0 : -ERANGE;
}

/* Is there a port for metrics of each process? */
static bool has_ports(const settings_t *self)
{
    settings_t copy = *self;
    unsigned last = self->processes > 0 ? self->processes - 1 : 0;

    return settings_shift_metrics(&copy, last) == 0;
}

void settings_set_log(const settings_t *self)
{
    log_set_level(self->log_level);
    log_set_format(self->log_format);
}

const char *settings_fault(const settings_t *self)
{
    bool has_key = self->curve.secret[0] != '\0';
    bool has_broker = self->curve.broker[0] != '\0';

    if (has_key && !has_broker) {
        return "curve-broker is missing: curve-key needs it, and it is the "
               "brokers' public key";
    }
    if (has_broker && !has_key) {
        return "curve-key is missing: curve-broker needs it, and it is this "
               "worker's own";
    }
    return has_ports(self) ? NULL : "metrics has no port for each process";
}

static int set_signals(settings_t *self, const char *value)
{
    bool on = strcmp(value, "on") == 0;

    if (!on && strcmp(value, "off") != 0) {
        return -EINVAL;
    }
    self->signals = on;
    return 0;
}

static const option_t options[] = {
    {"broker", "ENDPOINT[,…]", "tcp://127.0.0.1:5555",
     "1 to 16 endpoints like tcp://HOST:PORT or ipc://PATH, separated by commas",
     "the brokers' endpoints for workers", set_broker},
    {"resolve-interval", "MS", "5000", "a number from 0 to 86400000",
     "between look-ups of a name in --broker; 0: one", set_resolve},
    {"curve-key", "FILE", "",
     "the NAME_secret of hoist keygen (NAME alone is the public key), and others "
     "may not read it (chmod o=)",
     "own secret key: CURVE between worker and brokers", set_curve_key},
    {"curve-broker", "KEY-OR-FILE", "",
     "a public key of 40 characters, or a file of hoist keygen",
     "the brokers' public key; with --curve-key", set_curve_broker},
    {"name", "NAME", "", "at most 64 bytes",
     "how people will know this worker; empty: the program's name", set_name},
    {"threads", "N", "1", "a number from 0 to 64",
     "threads that run handlers, each a worker of its own; 0: one per core",
     set_threads},
    {"processes", "N", "0", "a number from 0 to 64",
     "processes, started again when they die; 0: this one, unsupervised",
     set_processes},
    {"window", "N", "256", "a number from 1 to 1000000",
     "requests that may be outstanding here, of each thread", set_window},
    {"window-bytes", "BYTES", "8388608", "a number from 1 to 1073741824",
     "their size together", set_window_bytes},
    {"liveness", "MS", "0", "a number from 0 to 120000",
     "silence that brokers shall bear; 0: as they like", set_liveness},
    {"drain", "MS", "30000", "a number from 0 to 3600000",
     "time to finish after SIGTERM", set_drain},
    {"log-level", "LEVEL", "info", "error, warn, info or debug",
     "lines of the log that are less than this are left out", set_log_level},
    {"log-format", "text|json", "text", "text or json",
     "of a line of the log, of the whole process", set_log_format},
    {"metrics", "[ADDRESS:]PORT", "",
     "[ADDRESS:]PORT, a port from 0 to 65535, or empty",
     "where /metrics, /healthz and /readyz are answered; empty: nowhere",
     set_metrics},
    {"signals", "on|off", "on", "on or off",
     "SIGTERM and SIGINT stop the worker, SIGHUP reloads", set_signals},
};

#define OPTION_COUNT (sizeof options / sizeof *options)

void settings_init(settings_t *self)
{
    *self = (settings_t){0};
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        must(options[i].set(self, options[i].preset) == 0);
    }
}

/* Those that this process may run on. */
static unsigned count_cores(void)
{
    cpu_set_t cores;
    int count =
        sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;

    return count < THREADS_MAX ? (unsigned)count : THREADS_MAX;
}

unsigned settings_threads(const settings_t *self)
{
    return self->threads > 0 ? self->threads : count_cores();
}

void settings_fini(settings_t *self)
{
    free(self->brokers);
    self->brokers = NULL;
    explicit_bzero(&self->curve, sizeof self->curve);
}

static const option_t *find(const char *name, size_t len)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strlen(options[i].name) == len &&
            memcmp(options[i].name, name, len) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

/* The option that was most likely meant; NULL: none. */
static const char *nearest(const char *name)
{
    const char *names[OPTION_COUNT];

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        names[i] = options[i].name;
    }
    return names_near(name, names, OPTION_COUNT);
}

/* Why the option was not set to a value, by what set returned. */
static void explain(const option_t *option, int rc, char fault[FAULT_MAX])
{
    const char *why = rc == -EINVAL   ? NULL
                      : rc == -ERANGE ? "a port is a number from 1 to 65535"
                                      : curve_failure(rc);

    (void)snprintf(fault, FAULT_MAX, "%s%sit must be %s",
                   why != NULL ? why : "", why != NULL ? "; " : "",
                   option->allowed);
}

static int refuse_name(hoist_app *app, const char *name)
{
    const char *near = nearest(name);
    char fault[FAULT_MAX];

    (void)snprintf(fault, sizeof fault, "there is no such option%s%s%s",
                   near != NULL ? "; did you mean " : "",
                   near != NULL ? near : "", near != NULL ? "?" : "");
    return refusal_keep(&app->refusal, -ENOENT, "hoist_option", name, fault);
}

int hoist_option(hoist_app *app, const char *name, const char *value)
{
    char fault[FAULT_MAX];

    if (app->running) {
        return -EBUSY;
    }
    if (name == NULL) {
        return refusal_keep(&app->refusal, -EINVAL, __func__, NULL,
                            "the option has no name");
    }
    const option_t *option = find(name, strlen(name));
    if (option == NULL) {
        return refuse_name(app, name);
    }
    int rc = value != NULL ? option->set(&app->settings, value) : -EINVAL;
    if (rc == 0) {
        return 0;
    }
    explain(option, rc, fault);
    return refusal_keep(&app->refusal, -EINVAL, __func__, name, fault);
}

/* "window-bytes" is HOIST_WINDOW_BYTES in the environment. */
static void variable_of(const option_t *option, char variable[NAME_MAX_])
{
    char *at = variable + snprintf(variable, NAME_MAX_, "HOIST_");

    for (const char *from = option->name; *from != '\0'; from++) {
        *at++ = (char)(*from == '-' ? '_' : *from - 'a' + 'A');
    }
    *at = '\0';
}

static int complain_of_flag(const char *program, const char *argument)
{
    char name[NAME_MAX_];

    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(argument + 2, "="),
                   argument + 2);
    const char *near = nearest(name);
    fprintf(stderr,
            "%s: argument %s: there is no such option; %s%s%stry --help\n",
            program, argument, near != NULL ? "did you mean --" : "",
            near != NULL ? near : "", near != NULL ? "?  " : "");
    return -EINVAL;
}

static void print_help(const char *program)
{
    printf("usage: %s [options]\n\noptions, with their defaults:\n", program);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char variable[NAME_MAX_];
        variable_of(&options[i], variable);
        printf("  --%s %s\n      %s\n      default %s, environment %s\n",
               options[i].name, options[i].value, options[i].help,
               *options[i].preset != '\0' ? options[i].preset : "(empty)",
               variable);
    }
    printf("  --help\n      print this and end\n"
           "  --version\n      print the version of libhoist and end\n");
}

/* An argument that has its answer on standard output, and is the last that is
 * read. */
static bool answers(const char *program, const char *argument)
{
    if (strcmp(argument, "--help") == 0) {
        print_help(program);
        return true;
    }
    if (strcmp(argument, "--version") == 0) {
        printf("libhoist %s\n", hoist_version());
        return true;
    }
    return false;
}

/* What is said of each option, as in the table: by an argument, or else by the
 * environment.  Only what has won is looked at. */
typedef struct {
    const char *values[OPTION_COUNT]; /* borrowed; NULL: nobody said any */
    bool by_argument[OPTION_COUNT];
} sources_t;

static void read_environment(sources_t *self)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char variable[NAME_MAX_];
        variable_of(&options[i], variable);
        self->values[i] = getenv(variable);
    }
}

/*
 * One option at argv[*at]; *at moves behind it.
 * Returns 0, or -EINVAL after complaining.
 */
static int read_argument(sources_t *self, int argc, char **argv, int *at)
{
    const char *argument = argv[*at];
    const char *name = argument + 2;
    const char *equals = strchr(name, '=');
    size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const option_t *option = find(name, len);

    if (option == NULL) {
        return complain_of_flag(argv[0], argument);
    }
    (*at)++;
    if (equals == NULL && *at == argc) {
        fprintf(stderr, "%s: %s needs a value: %s\n", argv[0], argument,
                option->allowed);
        return -EINVAL;
    }
    self->values[option - options] =
        equals != NULL ? equals + 1 : argv[(*at)++];
    self->by_argument[option - options] = true;
    return 0;
}

/* Where the value of that option came from, which is not to be set so. */
static int complain(const sources_t *sources, const char *program,
                    const option_t *option, int rc)
{
    size_t i = (size_t)(option - options);
    char origin[NAME_MAX_], fault[FAULT_MAX];

    if (sources->by_argument[i]) {
        (void)snprintf(origin, sizeof origin, "--%s", option->name);
    } else {
        variable_of(option, origin);
    }
    explain(option, rc, fault);
    fprintf(stderr, "%s: %s: \"%s\" is wrong: %s\n", program, origin,
            sources->values[i], fault);
    return -EINVAL;
}

static int set_all(settings_t *settings, const sources_t *sources,
                   const char *program)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const char *value = sources->values[i];
        int rc = value != NULL ? options[i].set(settings, value) : 0;
        if (rc < 0) {
            return complain(sources, program, &options[i], rc);
        }
    }
    return 0;
}

int hoist_options_from_args(hoist_app *app, int argc, char **argv)
{
    sources_t sources = {0};
    int at = 1;
    int rc = 0;

    read_environment(&sources);
    while (rc == 0 && at < argc && strncmp(argv[at], "--", 2) == 0) {
        if (argv[at][2] == '\0') {
            at++;
            break;
        }
        if (answers(argv[0], argv[at])) {
            return 0;
        }
        rc = read_argument(&sources, argc, argv, &at);
    }
    if (rc == 0) {
        rc = set_all(&app->settings, &sources, argc > 0 ? argv[0] : "worker");
    }
    if (rc < 0) {
        return rc;
    }
    settings_set_log(&app->settings);
    variables_check();
    return at;
}
