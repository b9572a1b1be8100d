/* SPDX-License-Identifier: MIT */
#include "cli/setting.h"

#include "base/names.h"
#include "base/tokens.h"
#include "cli/settings_check.h"
#include "proto/message.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(settings_t, field)
#define MS_MAX    86400000
#define HOUR_MS   3600000 /* a broker bears no later deadline */
#define BYTES_MAX (32 << 20)
#define COUNT_MAX 16777215
#define RATE_MAX  1000000 /* a second */

const setting_t setting_table[] = {
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

const size_t setting_count = sizeof setting_table / sizeof setting_table[0];

_Static_assert(sizeof setting_table / sizeof setting_table[0] <= SETTINGS_MAX,
               "room for each");

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

/* The chapter that begins with it, or NULL. */
const char *setting_chapter(const setting_t *setting)
{
    for (size_t i = 0; i < sizeof chapters / sizeof *chapters; i++) {
        if (streq(chapters[i].first, setting->name)) {
            return chapters[i].title;
        }
    }
    return NULL;
}

void settings_default(settings_t *settings)
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
bool setting_is_secret(const setting_t *setting)
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
        return settings_fault(error, origin,
                              setting_is_secret(setting) ? "…" : value, right);
    }
    if (!value_is_right(setting->type, value, right, sizeof right)) {
        return settings_fault(error, origin,
                              setting_is_secret(setting) ? "…" : value, right);
    }
    *(const char **)field_of(settings, setting) = value;
    return 0;
}

int setting_set(settings_t *settings, const setting_t *setting,
                const char *origin, const char *value,
                char error[SETTING_ERROR_MAX])
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

/* In number, or lent. */
const char *setting_text(const settings_t *settings, const setting_t *setting,
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

/* --- names --------------------------------------------------------------- */

const setting_t *setting_find(const char *name, size_t len)
{
    for (size_t i = 0; i < setting_count; i++) {
        if (strlen(setting_table[i].name) == len &&
            memcmp(setting_table[i].name, name, len) == 0) {
            return &setting_table[i];
        }
    }
    return NULL;
}

/* The setting that name was most likely meant to be; NULL: none. */
const char *setting_nearest(const char *name)
{
    const char *names[SETTINGS_MAX];

    for (size_t i = 0; i < setting_count; i++) {
        names[i] = setting_table[i].name;
    }
    return names_near(name, names, setting_count);
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
bool setting_is_for(const setting_t *setting, audience_t audience)
{
    return (setting->audience & audience) != 0 &&
           !(audience == FOR_ALL && is_between(setting));
}

void setting_variable(const setting_t *setting, char name[SETTING_VARIABLE_MAX])
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
