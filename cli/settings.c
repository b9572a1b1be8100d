/* SPDX-License-Identifier: MIT */
#include "cli/settings.h"

#include "base/log.h"
#include "base/names.h"
#include "base/tokens.h"
#include "cli/settings_check.h"
#include "cli/values.h"
#include "proto/message.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <czmq.h>

typedef struct {
    const char *name;
    value_type_t type;
    audience_t audience;
    size_t offset; /* in settings_t */
    int64_t min, max;
    const char *unit; /* "" or what a NUMBER counts; what a TEXT looks like */
    const char *help;
} setting_t;

#define AT(field) offsetof(settings_t, field)
#define MS_MAX    86400000
#define HOUR_MS   3600000 /* a broker bears no later deadline */
#define BYTES_MAX (32 << 20)
#define COUNT_MAX 16777215
#define RATE_MAX  1000000 /* a second */

static const setting_t table[] = {
    {"listen", ADDRESS, FOR_GATEWAY, AT(gateway.listen), 0, 0, "ADDRESS:PORT",
     "where clients connect; port 0 picks one"},
    {"loops", NUMBER, FOR_GATEWAY, AT(gateway.loops), 1, GATEWAY_LOOPS_MAX,
     "threads", "each with clients of its own, and to brokers a gateway"},
    {"broker", ENDPOINTS, FOR_GATEWAY, AT(gateway.broker), 0, 0, "ENDPOINTS",
     "each broker's socket for gateways (not with serve)"},
    {"resolve-interval", NUMBER, FOR_GATEWAY, AT(gateway.resolve_ms), 0, MS_MAX,
     "ms", "between look-ups of a name in --broker; 0: one (not with serve)"},
    {"workers", ENDPOINT, FOR_BROKER, AT(broker.workers), 0, 0, "ENDPOINT",
     "where workers connect"},
    {"gateways", ENDPOINT, FOR_BROKER, AT(broker.gateways), 0, 0, "ENDPOINT",
     "where gateways connect (not with serve)"},
    {"admin", ADMIN, FOR_ALL, AT(admin.listen), 0, 0, "ADDRESS:PORT",
     "health, metrics, @connections; a port alone: 127.0.0.1; empty: none"},
    {"curve-key", SECRET, FOR_ALL, AT(curve_key), 0, 0, "FILE",
     "own secret key, see hoist keygen: CURVE between processes"},
    {"curve-broker", PUBLIC, FOR_GATEWAY, AT(gateway.curve_broker), 0, 0,
     "KEY-OR-FILE",
     "the brokers' public key; with --curve-key (not with serve)"},
    {"curve-workers", READABLE, FOR_BROKER, AT(broker.curve_workers), 0, 0,
     "FILE", "public keys of workers to let in; with --curve-key"},
    {"curve-gateways", READABLE, FOR_BROKER, AT(broker.curve_gateways), 0, 0,
     "FILE",
     "public keys of gateways to let in; with --curve-key (not with "
     "serve)"},
    {"route-selection-expression", EXPRESSION, FOR_GATEWAY,
     AT(gateway.route_selection_expression), 0, 0, "EXPRESSION",
     "yields the route key of a message"},
    {"stage", SEGMENT, FOR_GATEWAY, AT(gateway.stage), 0, 0, "NAME",
     "first path segment that clients must use"},
    {"static", DIRECTORY, FOR_GATEWAY, AT(gateway.static_dir), 0, 0, "DIR",
     "directory served to plain GET requests"},
    {"origins", TEXT, FOR_GATEWAY, AT(gateway.origins), 0, 0, "LIST",
     "allowed Origin headers, comma separated; empty: any"},
    {"require-connect", FLAG, FOR_GATEWAY, AT(gateway.require_connect), 0, 0,
     "", "clients wait for a worker that serves $connect; none in time: 503"},
    {"tls-cert", READABLE, FOR_GATEWAY, AT(gateway.tls_cert), 0, 0, "FILE",
     "PEM certificate chain; with --tls-key"},
    {"tls-key", READABLE, FOR_GATEWAY, AT(gateway.tls_key), 0, 0, "FILE",
     "PEM private key"},
    {"tls-client-ca", READABLE, FOR_GATEWAY, AT(gateway.tls_client_ca), 0, 0,
     "FILE", "PEM certificates that vouch for clients; empty: none is asked"},
    {"tls-client-optional", FLAG, FOR_GATEWAY, AT(gateway.tls_client_optional),
     0, 0, "", "with --tls-client-ca: who has no certificate gets in, too"},
    {"trusted-proxies", NETWORKS, FOR_GATEWAY, AT(gateway.trusted_proxies), 0,
     0, "NETWORKS", "that say in X-Forwarded-For whose client it is"},
    {"proxy-protocol", FLAG, FOR_GATEWAY, AT(gateway.proxy_protocol), 0, 0, "",
     "they say it in a PROXY header instead, and nobody else may connect"},
    {"max-connections", NUMBER, FOR_GATEWAY, AT(gateway.max_connections), 0,
     COUNT_MAX, "connections", "more are answered with 503; 0: no limit"},
    {"max-handshakes", NUMBER, FOR_GATEWAY, AT(gateway.max_handshakes), 0,
     COUNT_MAX, "handshakes", "under way at once; 0: no limit"},
    {"address-connections", NUMBER, FOR_GATEWAY,
     AT(gateway.address_connections), 0, COUNT_MAX, "connections",
     "of one address; more are 429; 0: no limit"},
    {"address-bits", NUMBER, FOR_GATEWAY, AT(gateway.address_bits), 32, 128,
     "bits", "of an IPv6 address; those that share them count as one"},
    {"handshake-rate", NUMBER, FOR_GATEWAY, AT(gateway.handshake_rate), 0,
     RATE_MAX, "handshakes", "a second, in all; more are 429; 0: no limit"},
    {"handshake-burst", NUMBER, FOR_GATEWAY, AT(gateway.handshake_burst), 0,
     RATE_MAX, "handshakes", "at once; 0: as many as in a second"},
    {"address-rate", NUMBER, FOR_GATEWAY, AT(gateway.address_rate), 0, RATE_MAX,
     "handshakes", "a second, of one address; more are 429; 0: no limit"},
    {"address-burst", NUMBER, FOR_GATEWAY, AT(gateway.address_burst), 0,
     RATE_MAX, "handshakes", "at once; 0: as many as in a second"},
    {"message-rate", NUMBER, FOR_GATEWAY, AT(gateway.message_rate), 0, RATE_MAX,
     "messages",
     "a second, of one connection; faster is not read; 0: no "
     "limit"},
    {"message-burst", NUMBER, FOR_GATEWAY, AT(gateway.message_burst), 0,
     RATE_MAX, "messages", "at once; 0: as many as in a second"},
    {"byte-rate", NUMBER, FOR_GATEWAY, AT(gateway.byte_rate), 0,
     TOKENS_RATE_MAX, "bytes",
     "a second, of one connection; faster is not read; 0: no limit"},
    {"byte-burst", NUMBER, FOR_GATEWAY, AT(gateway.byte_burst), 0,
     TOKENS_RATE_MAX, "bytes", "at once; 0: as many as in a second"},
    {"max-frame", NUMBER, FOR_GATEWAY, AT(gateway.max_frame), 1, BYTES_MAX,
     "bytes", "of one WebSocket frame"},
    {"max-message", NUMBER, FOR_GATEWAY, AT(gateway.max_message), 1, BYTES_MAX,
     "bytes", "of one message"},
    {"max-head", NUMBER, FOR_GATEWAY, AT(gateway.max_head), 1024, 60000,
     "bytes", "of an HTTP request head"},
    {"max-groups", NUMBER, FOR_GATEWAY, AT(gateway.max_groups), 1, GROUPS_MAX,
     "groups", "of one connection"},
    {"handshake-timeout", NUMBER, FOR_GATEWAY, AT(gateway.handshake_ms), 1,
     MS_MAX, "ms", "from accept to a whole request head"},
    {"request-timeout", NUMBER, FOR_GATEWAY, AT(gateway.request_ms), 1, HOUR_MS,
     "ms", "until a request's outcome is a time-out"},
    {"ping-interval", NUMBER, FOR_GATEWAY, AT(gateway.ping_ms), 0, MS_MAX, "ms",
     "of silence, then the client is pinged; 0: never"},
    {"pong-timeout", NUMBER, FOR_GATEWAY, AT(gateway.pong_ms), 1, MS_MAX, "ms",
     "after a ping, then the client is dead"},
    {"idle-timeout", NUMBER, FOR_GATEWAY, AT(gateway.idle_ms), 0, MS_MAX, "ms",
     "without a message, then closed with 1001; 0: never"},
    {"drain-time", NUMBER, FOR_ALL, AT(drain_ms), 0, MS_MAX, "ms",
     "to end connections and requests in order when stopped"},
    {"connection-window", NUMBER, FOR_GATEWAY, AT(gateway.conn_window), 1,
     65536, "requests", "of one connection without an answer"},
    {"connection-window-bytes", NUMBER, FOR_GATEWAY,
     AT(gateway.conn_window_bytes), 1, BYTES_MAX, "bytes", "of those together"},
    {"out-soft", NUMBER, FOR_GATEWAY, AT(gateway.out_soft), 0, BYTES_MAX,
     "bytes", "waiting for one client for --out-soft-time: closed with 1013"},
    {"out-soft-time", NUMBER, FOR_GATEWAY, AT(gateway.out_soft_ms), 1, MS_MAX,
     "ms", "see --out-soft"},
    {"out-hard", NUMBER, FOR_GATEWAY, AT(gateway.out_hard), 1, 256 << 20,
     "bytes", "waiting for one client: closed with 1013 at once"},
    {"manage-keys", READABLE, FOR_GATEWAY, AT(manage.keys), 0, 0, "FILE",
     "of ACCESS_KEY_ID SECRET [REGION] lines: @connections on --listen"},
    {"manage-tokens", READABLE, FOR_GATEWAY, AT(manage.tokens), 0, 0, "FILE",
     "of bearers' tokens, one a line: the same"},
    {"manage-allow-replays", FLAG, FOR_GATEWAY, AT(manage.allow_replays), 0, 0,
     "", "a signature counts more than once, as at AWS: behind TLS only"},
    {"manage-body", NUMBER, FOR_ALL, AT(manage.body_max), 1, BYTES_MAX, "bytes",
     "of a request's body to @connections; a larger one: 413"},
    {"heartbeat", NUMBER, FOR_BROKER, AT(broker.heartbeat_ms), 10, 60000, "ms",
     "peers send something at least this often"},
    {"liveness", NUMBER, FOR_BROKER, AT(broker.liveness_ms), 20, 120000, "ms",
     "of silence, then a peer is lost"},
    {"settle-time", NUMBER, FOR_BROKER, AT(broker.settle_ms), 0, MS_MAX, "ms",
     "after its start, in which gateways prefer other brokers"},
    {"route-grace", NUMBER, FOR_BROKER, AT(broker.route_grace_ms), 0, MS_MAX,
     "ms", "requests wait for a route whose last worker has left"},
    {"gateway-window", NUMBER, FOR_BROKER, AT(broker.gateway_window), 1,
     1 << 20, "requests", "of one gateway without an answer"},
    {"gateway-window-bytes", NUMBER, FOR_BROKER,
     AT(broker.gateway_window_bytes), 1 << 20, 48 << 20, "bytes",
     "of those together"},
    {"push-window", NUMBER, FOR_BROKER, AT(broker.push_window), 1, 1 << 20,
     "messages", "pushes of one worker on their way"},
    {"push-window-bytes", NUMBER, FOR_BROKER, AT(broker.push_window_bytes), 1,
     1 << 30, "bytes", "of their targets and bodies together"},
    {"max-workers", NUMBER, FOR_BROKER, AT(broker.max_workers), 1, 65536,
     "peers", "more are refused"},
    {"max-gateways", NUMBER, FOR_BROKER, AT(broker.max_gateways), 1, 65536,
     "peers", "more are refused"},
    {"store", STORE, FOR_BROKER, AT(broker.store), 0, 1024, "URL",
     "records of connections: memory, redis://..., dynamodb://..."},
    {"store-timeout", NUMBER, FOR_BROKER, AT(broker.store_timeout_ms), 1, 60000,
     "ms", "for one operation, with all that is tried again"},
    {"store-queue", NUMBER, FOR_BROKER, AT(broker.store_queue), 1, COUNT_MAX,
     "operations", "under way or waiting; more fail at once"},
    {"store-ttl", NUMBER, FOR_BROKER, AT(broker.store_ttl_s), 60, 31622400, "s",
     "that a record lasts when nobody puts its end off"},
    {"store-lease", NUMBER, FOR_BROKER, AT(broker.store_lease_ms), 1000,
     3600000, "ms", "after which what a dead broker recorded is swept"},
    {"require-store", FLAG, FOR_BROKER, AT(broker.require_store), 0, 0, "",
     "nobody gets in while connections cannot be recorded: 503"},
    {"dead-letters", WRITABLE, FOR_BROKER, AT(broker.dead_letters), 0, 0, "DIR",
     "directory for requests that killed their workers; see hoist dead"},
    {"dead-letters-max", NUMBER, FOR_BROKER, AT(broker.dead_letters_max), 0,
     INT64_C(1) << 40, "bytes", "of them together; more are lost"},
    {"name", TEXT, FOR_ALL, AT(name), 0, PEER_NAME_MAX, "TEXT",
     "name of this process in logs"},
    {"log-level", LEVEL, FOR_ALL, AT(log_level), 0, 0, "LEVEL",
     "error, warn, info or debug"},
    {"log-format", FORMAT, FOR_ALL, AT(log_format), 0, 0, "FORMAT",
     "of a line of the log: text, or json"},
    {"trace-endpoint", RECEIVER, FOR_ALL, AT(trace_endpoint), 0, 1024, "URL",
     "of a receiver of spans, by OTLP over HTTP; empty: none"},
    {"trace-sample", SHARE, FOR_GATEWAY, AT(trace_sample), 0, 0, "0 to 1",
     "share of events that have spans; with --trace-endpoint"},
    {"trace-trust", FLAG, FOR_GATEWAY, AT(gateway.trace_trust), 0, 0, "",
     "where a client has a traceparent, its flag decides: not the share"},
};

#define SETTINGS (sizeof table / sizeof table[0])

/* Chapters of the table: each goes from this setting to the next one's. */
static const struct {
    const char *first, *title;
} chapters[] = {
    {"listen", "Addresses"},
    {"curve-key", "Keys between processes"},
    {"route-selection-expression", "What clients reach"},
    {"tls-cert", "TLS and proxies"},
    {"max-connections", "Admission"},
    {"max-frame", "Sizes"},
    {"handshake-timeout", "Times"},
    {"connection-window", "Windows and queues of clients"},
    {"manage-keys", "Management API"},
    {"heartbeat", "Brokers and their peers"},
    {"store", "Store and dead letters"},
    {"name", "Logs and traces"},
};

static void defaults(settings_t *settings)
{
    *settings = (settings_t){.name = "",
                             .curve_key = "",
                             .log_level = "info",
                             .log_format = "text",
                             .trace_endpoint = "",
                             .trace_sample = "0",
                             .admin = {.listen = ""}};
    gateway_options_init(&settings->gateway);
    manage_options_init(&settings->manage);
    broker_options_init(&settings->broker);
    settings->drain_ms = settings->gateway.drain_ms;
}

/* --- one value ----------------------------------------------------------- */

static void *field_of(settings_t *settings, const setting_t *setting)
{
    return (char *)settings + setting->offset;
}

static int set_number(settings_t *settings, const setting_t *setting,
                      const char *origin, const char *value, char *error)
{
    char right[128], *end;

    errno = 0;
    long long number = strtoll(value, &end, 10);
    bool is_number = isdigit((unsigned char)value[0]) && *end == '\0';
    if (!is_number || errno != 0 || number < setting->min ||
        number > setting->max) {
        snprintf(right, sizeof right, "a whole number of %s from %lld to %lld",
                 setting->unit, (long long)setting->min,
                 (long long)setting->max);
        return settings_fault(error, origin, value, right);
    }
    *(int64_t *)field_of(settings, setting) = number;
    return 0;
}

static int set_flag(settings_t *settings, const setting_t *setting,
                    const char *origin, const char *value, char *error)
{
    static const char *const words[][2] = {
        {"false", "true"}, {"no", "yes"}, {"off", "on"}, {"0", "1"}};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        bool is_true = streq(value, words[i][true]);
        if (is_true || streq(value, words[i][false])) {
            *(bool *)field_of(settings, setting) = is_true;
            return 0;
        }
    }
    return settings_fault(error, origin, value, "true or false");
}

/* It may hold a password. */
static bool is_secret(const setting_t *setting)
{
    return setting->type == STORE || setting->type == RECEIVER;
}

static int set_text(settings_t *settings, const setting_t *setting,
                    const char *origin, const char *value, char *error)
{
    char right[256];

    if (setting->max != 0 && strlen(value) > (size_t)setting->max) {
        snprintf(right, sizeof right, "at most %lld bytes",
                 (long long)setting->max);
        return settings_fault(error, origin, is_secret(setting) ? "…" : value,
                              right);
    }
    if (!value_is_right(setting->type, value, right, sizeof right)) {
        return settings_fault(error, origin, is_secret(setting) ? "…" : value,
                              right);
    }
    *(const char **)field_of(settings, setting) = value;
    return 0;
}

static int set(settings_t *settings, const setting_t *setting,
               const char *origin, const char *value, char *error)
{
    switch (setting->type) {
    case NUMBER:
        return set_number(settings, setting, origin, value, error);
    case FLAG:
        return set_flag(settings, setting, origin, value, error);
    default:
        return set_text(settings, setting, origin, value, error);
    }
}

static const setting_t *find(const char *name, size_t len)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        if (strlen(table[i].name) == len &&
            memcmp(table[i].name, name, len) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

/* The setting that name was most likely meant to be; NULL: none. */
static const char *nearest(const char *name)
{
    const char *names[SETTINGS];

    for (size_t i = 0; i < SETTINGS; i++) {
        names[i] = table[i].name;
    }
    return names_near(name, names, SETTINGS);
}

/*
 * Between gateway and broker, and without a meaning where both are one
 * process.  A file or an environment may serve others beside it, so only a
 * flag of these is wrong there.
 */
static bool is_between(const setting_t *setting)
{
    return streq(setting->name, "broker") ||
           streq(setting->name, "resolve-interval") ||
           streq(setting->name, "gateways") ||
           streq(setting->name, "curve-broker") ||
           streq(setting->name, "curve-gateways");
}

/* Is it read by a command of this audience? */
static bool is_for(const setting_t *setting, audience_t audience)
{
    return (setting->audience & audience) != 0 &&
           !(audience == FOR_ALL && is_between(setting));
}

/* --- the three sources --------------------------------------------------- */

/* The file to read, and who named it: --config or HOIST_CONFIG. */
typedef struct {
    const char *path; /* borrowed: from argv or the environment; NULL: none */
    const char *origin;
} config_t;

typedef enum { BY_NOBODY, BY_FILE, BY_VARIABLE, BY_FLAG } source_t;

/* What is said of each setting, as in the table, and by whom: who comes later
 * wins, and only what has won is looked at. */
typedef struct {
    config_t config;
    source_t by[SETTINGS];
    const char *values[SETTINGS]; /* borrowed; NULL: the default stays */
} sources_t;

static void say(sources_t *sources, const setting_t *setting, source_t by,
                const char *value)
{
    sources->by[setting - table] = by;
    sources->values[setting - table] = value;
}

#define ORIGIN_MAX 256

static void variable_of(const setting_t *setting, char name[64])
{
    size_t len = (size_t)snprintf(name, 64, "HOIST_%s", setting->name);

    for (size_t i = 0; i < len; i++) {
        if (name[i] == '-') {
            name[i] = '_';
        } else if (name[i] >= 'a' && name[i] <= 'z') {
            name[i] = (char)(name[i] - 'a' + 'A');
        }
    }
}

/* Where people find the value that a setting has. */
static void origin_of(const sources_t *sources, const setting_t *setting,
                      char origin[ORIGIN_MAX])
{
    switch (sources->by[setting - table]) {
    case BY_FILE:
        snprintf(origin, ORIGIN_MAX, "%s: %s", sources->config.path,
                 setting->name);
        return;
    case BY_VARIABLE:
        variable_of(setting, origin);
        return;
    default:
        snprintf(origin, ORIGIN_MAX, "--%s", setting->name);
        return;
    }
}

/*
 * Read a file as zconfig; NULL when it cannot be.  zconfig_load would lose
 * memory over a wrong line (4.2.1).
 */
static zconfig_t *parse_file(const char *path)
{
    /* An open directory reads like an empty file. */
    zchunk_t *chunk =
        S_ISDIR(zsys_file_mode(path)) ? NULL : zchunk_slurp(path, 0);
    zconfig_t *config = chunk == NULL ? NULL : zconfig_chunk_load(chunk);

    zchunk_destroy(&chunk);
    return config;
}

/*
 * Load the file.  czmq prints what is wrong with it on standard output ("…
 * (zconfig): (2) indentation error"); that is caught, so that it becomes part
 * of our line.  No other thread prints there, and glibc lets stdout be set.
 */
static int load_file(settings_t *settings, const config_t *config, char *error)
{
    char *said = NULL, right[128];
    size_t size;

    if (!value_is_right(READABLE, config->path, right, sizeof right)) {
        return settings_fault(error, config->origin, config->path, right);
    }
    FILE *usual = stdout, *stream = open_memstream(&said, &size);

    stdout = stream != NULL ? stream : usual;
    settings->file = parse_file(config->path);
    stdout = usual;
    if (stream != NULL) {
        fclose(stream);
    }
    const char *reason = said == NULL ? NULL : strstr(said, "(zconfig): ");
    if (reason == NULL) {
        snprintf(right, sizeof right, "a file that can be read");
    } else {
        reason += strlen("(zconfig): ");
        snprintf(right, sizeof right, "lines like max-frame = 4096: %.*s",
                 (int)strcspn(reason, "\n"), reason);
    }
    free(said);
    return settings->file == NULL
               ? settings_fault(error, config->origin, config->path, right)
               : 0;
}

static int unknown_in_file(char *error, const char *path, const char *name)
{
    const char *near = nearest(name);

    snprintf(error, SETTING_ERROR_MAX,
             "%s: '%s' is no setting; %s%s%s`hoist settings` lists them", path,
             name, near == NULL ? "" : "did you mean ",
             near == NULL ? "" : near, near == NULL ? "" : "?  ");
    return -EINVAL;
}

static int read_line(sources_t *sources, audience_t audience, zconfig_t *line,
                     char *error)
{
    char origin[ORIGIN_MAX];
    const char *name = zconfig_name(line), *path = sources->config.path;
    const setting_t *setting = find(name, strlen(name));

    snprintf(origin, sizeof origin, "%s: %s", path, name);
    if (setting == NULL) {
        return unknown_in_file(error, path, name);
    }
    if (zconfig_child(line) != NULL) {
        return settings_fault(error, origin, zconfig_name(zconfig_child(line)),
                              "no indented lines below a setting");
    }
    /* One file may serve gateway and broker: each reads what is its. */
    if (!is_for(setting, audience)) {
        return 0;
    }
    if (sources->values[setting - table] != NULL) {
        return settings_fault(error, origin,
                              is_secret(setting) ? "…" : zconfig_value(line),
                              "one line for a setting: there is one before it");
    }
    say(sources, setting, BY_FILE, zconfig_value(line));
    return 0;
}

static int read_file(sources_t *sources, settings_t *settings,
                     audience_t audience, char *error)
{
    int rc = load_file(settings, &sources->config, error);

    for (zconfig_t *line = rc < 0 ? NULL : zconfig_child(settings->file);
         rc == 0 && line != NULL; line = zconfig_next(line)) {
        rc = read_line(sources, audience, line, error);
    }
    return rc;
}

static void read_environment(sources_t *sources, audience_t audience)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        char name[64];
        variable_of(&table[i], name);
        const char *value = getenv(name);
        if (value != NULL && is_for(&table[i], audience)) {
            say(sources, &table[i], BY_VARIABLE, value);
        }
    }
}

/* The value of argv[*i], which may be in the next argument; NULL: none. */
static const char *value_of(int argc, char **argv, int *i)
{
    const char *equals = strchr(argv[*i], '=');

    if (equals != NULL) {
        return equals + 1;
    }
    return *i + 1 < argc ? argv[++*i] : NULL;
}

static int unknown_flag(char *error, const char *flag)
{
    size_t dashes = strspn(flag, "-");
    char name[64];

    snprintf(name, sizeof name, "%.*s", (int)strcspn(flag + dashes, "="),
             flag + dashes);
    const char *near = dashes == 2 ? nearest(name) : NULL;
    snprintf(error, SETTING_ERROR_MAX,
             "%s: unknown here; %s%s%s--help lists the settings", flag,
             near == NULL ? "" : "did you mean --", near == NULL ? "" : near,
             near == NULL ? "" : "?  ");
    return -EINVAL;
}

/* A flag alone says true, unless the next argument is its value: arguments
 * that are neither a flag nor a value have no place here. */
static bool is_alone(const setting_t *setting, int argc, char **argv, int i)
{
    return setting->type == FLAG && strchr(argv[i], '=') == NULL &&
           (i + 1 == argc || argv[i + 1][0] == '-');
}

/* There is one of that name, which is not for this command. */
static int misplaced_flag(char *error, const setting_t *setting)
{
    bool is_the_brokers = setting->audience == FOR_BROKER;

    snprintf(error, SETTING_ERROR_MAX,
             "--%s: a setting of the %s, not of the %s; leave it out",
             setting->name, is_the_brokers ? "broker" : "gateway",
             is_the_brokers ? "gateway" : "broker");
    return -EINVAL;
}

static int read_flag(sources_t *sources, audience_t audience, int argc,
                     char **argv, int *i, char *error)
{
    const char *flag = argv[*i];
    size_t len = strcspn(flag, "=");
    const setting_t *setting =
        strncmp(flag, "--", 2) == 0 ? find(flag + 2, len - 2) : NULL;

    if (setting == NULL) {
        return unknown_flag(error, flag);
    }
    if ((setting->audience & audience) == 0) {
        return misplaced_flag(error, setting);
    }
    if (!is_for(setting, audience)) {
        snprintf(error, SETTING_ERROR_MAX,
                 "--%s: not with serve, where gateway and broker are one "
                 "process; leave it out",
                 setting->name);
        return -EINVAL;
    }
    const char *value =
        is_alone(setting, argc, argv, *i) ? "true" : value_of(argc, argv, i);
    if (value == NULL) {
        snprintf(error, SETTING_ERROR_MAX, "%s: a value is missing; give %s",
                 flag, setting->unit);
        return -EINVAL;
    }
    say(sources, setting, BY_FLAG, value);
    return 0;
}

static bool is_config(const char *argument)
{
    return streq(argument, "--config") ||
           strncmp(argument, "--config=", strlen("--config=")) == 0;
}

static config_t config_of(int argc, char **argv)
{
    config_t config = {getenv("HOIST_CONFIG"), "HOIST_CONFIG"};

    for (int i = 0; i < argc; i++) {
        if (is_config(argv[i])) {
            config = (config_t){value_of(argc, argv, &i), "--config"};
        }
    }
    return config;
}

static int read_flags(sources_t *sources, audience_t audience, int argc,
                      char **argv, char *error)
{
    for (int i = 0; i < argc && argv[i] != NULL; i++) {
        if (streq(argv[i], "--help") || streq(argv[i], "-h")) {
            return 1;
        }
        if (is_config(argv[i])) {
            if (value_of(argc, argv, &i) == NULL) {
                return settings_fault(error, "--config", "", "a file");
            }
            continue;
        }
        int read = read_flag(sources, audience, argc, argv, &i, error);
        if (read < 0) {
            return read;
        }
    }
    return 0;
}

static int take(const sources_t *sources, settings_t *settings, char *error)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < SETTINGS; i++) {
        char origin[ORIGIN_MAX];
        if (sources->values[i] != NULL) {
            origin_of(sources, &table[i], origin);
            rc = set(settings, &table[i], origin, sources->values[i], error);
        }
    }
    return rc;
}

/* --- settings that follow from others ------------------------------------ */

/* Both were checked. */
static void set_log(const settings_t *settings)
{
    log_level_t level = LEVEL_INFO;
    log_format_t format = LOG_TEXT;

    (void)log_level_parse(settings->log_level, &level);
    (void)log_format_parse(settings->log_format, &format);
    log_set_level(level);
    log_set_format(format);
}

/* They were checked. */
static void derive(settings_t *settings, audience_t audience)
{
    gateway_options_t *gateway = &settings->gateway;
    broker_options_t *broker = &settings->broker;

    gateway->trace_sample = strtod(settings->trace_sample, NULL);
    gateway->trace_endpoint = broker->trace_endpoint = settings->trace_endpoint;
    broker->curve_key = settings->curve_key;
    /* Within a process there is nothing to protect. */
    gateway->curve_key = audience == FOR_GATEWAY ? settings->curve_key : "";
    gateway->name = broker->name = settings->manage.name = settings->name;
    settings->manage.stage = gateway->stage;
    settings->admin.body_max = settings->manage.body_max;
    gateway->manage_body = settings->manage.body_max;
    gateway->drain_ms = broker->drain_ms = settings->drain_ms;
    set_log(settings);
}

static bool is_said(const sources_t *sources, const char *name)
{
    return sources->values[find(name, strlen(name)) - table] != NULL;
}

static int check(const sources_t *sources, settings_t *settings,
                 audience_t audience, char *error)
{
    char liveness[ORIGIN_MAX];

    origin_of(sources, find("liveness", strlen("liveness")), liveness);
    settings->is_size_said = is_said(sources, "max-connections") ||
                             is_said(sources, "max-handshakes") ||
                             is_said(sources, "max-workers") ||
                             is_said(sources, "max-gateways");
    int rc = settings_check(settings, audience, liveness, error);
    if (rc == 0) {
        derive(settings, audience);
    }
    return rc;
}

int settings_read(settings_t *settings, audience_t audience, int argc,
                  char **argv, char error[SETTING_ERROR_MAX])
{
    sources_t sources = {.config = config_of(argc, argv)};
    int read = 0;

    error[0] = '\0';
    defaults(settings);
    if (sources.config.path != NULL) {
        read = read_file(&sources, settings, audience, error);
    }
    if (read == 0) {
        read_environment(&sources, audience);
        read = read_flags(&sources, audience, argc, argv, error);
    }
    if (read == 0) {
        read = take(&sources, settings, error);
    }
    return read == 0 ? check(&sources, settings, audience, error) : read;
}

void settings_fini(settings_t *settings)
{
    zconfig_destroy(&settings->file);
}

/* --- values as text ------------------------------------------------------ */

/* In number, or lent. */
static const char *text_of(const settings_t *settings, const setting_t *setting,
                           char number[SETTING_NUMBER_MAX])
{
    const void *field = (const char *)settings + setting->offset;

    if (setting->type == FLAG) {
        return *(const bool *)field ? "true" : "false";
    }
    if (setting->type != NUMBER) {
        return *(const char *const *)field;
    }
    snprintf(number, SETTING_NUMBER_MAX, "%lld",
             (long long)*(const int64_t *)field);
    return number;
}

size_t settings_count(void)
{
    return SETTINGS;
}

bool settings_value(const settings_t *settings, audience_t audience, size_t i,
                    settings_value_t *value)
{
    value->name = table[i].name;
    value->text = text_of(settings, &table[i], value->number);
    return is_for(&table[i], audience);
}

/* --- for people ---------------------------------------------------------- */

/* What a value may be: "1 to 65536 requests", "true or false", "FILE". */
static void print_right(const setting_t *setting, FILE *out)
{
    if (setting->type == NUMBER) {
        fprintf(out, "%lld to %lld %s", (long long)setting->min,
                (long long)setting->max, setting->unit);
    } else if (setting->type == FLAG) {
        fputs("true or false", out);
    } else if (setting->max > 0) {
        fprintf(out, "%s, at most %lld bytes", setting->unit,
                (long long)setting->max);
    } else {
        fputs(setting->unit, out);
    }
}

/* The chapter that begins with it, or NULL. */
static const char *chapter_at(const setting_t *setting)
{
    for (size_t i = 0; i < sizeof chapters / sizeof *chapters; i++) {
        if (streq(chapters[i].first, setting->name)) {
            return chapters[i].title;
        }
    }
    return NULL;
}

static void print_help(const settings_t *settings, const setting_t *setting,
                       FILE *out)
{
    char number[SETTING_NUMBER_MAX], variable[64];

    variable_of(setting, variable);
    fprintf(out, "  --%s ", setting->name);
    print_right(setting, out);
    fprintf(out, "  %s\n      %s [%s]\n", variable, setting->help,
            text_of(settings, setting, number));
}

void settings_help(audience_t audience, FILE *out)
{
    const char *chapter = NULL; /* that is still to be named */
    settings_t settings;

    defaults(&settings);
    for (size_t i = 0; i < SETTINGS; i++) {
        const char *next = chapter_at(&table[i]);
        chapter = next != NULL ? next : chapter;
        if (!is_for(&table[i], audience)) {
            continue;
        }
        if (chapter != NULL) {
            fprintf(out, "\n%s:\n\n", chapter);
            chapter = NULL;
        }
        print_help(&settings, &table[i], out);
    }
    fputs("\nBesides:\n\n"
          "  --config FILE  HOIST_CONFIG\n"
          "      read settings from FILE []\n"
          "  --help\n      show this\n",
          out);
}

static void print_row(const settings_t *settings, const setting_t *setting,
                      FILE *out)
{
    static const char *const audiences[] = {"", "gateway", "broker", "both"};
    char number[SETTING_NUMBER_MAX], variable[64];

    variable_of(setting, variable);
    fprintf(out, "| `--%s` | `%s` | %s | ", setting->name, variable,
            audiences[setting->audience]);
    print_right(setting, out);
    fprintf(out, " | `%s` | %s |\n", text_of(settings, setting, number),
            setting->help);
}

void settings_table(FILE *out)
{
    settings_t settings;

    defaults(&settings);
    for (size_t i = 0; i < SETTINGS; i++) {
        const char *chapter = chapter_at(&table[i]);
        if (chapter != NULL) {
            fprintf(out,
                    "%s## %s\n\n"
                    "| Flag | Variable | Of | Value | Default | Meaning |\n"
                    "|---|---|---|---|---|---|\n",
                    i == 0 ? "" : "\n", chapter);
        }
        print_row(&settings, &table[i], out);
    }
}
