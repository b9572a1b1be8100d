/* SPDX-License-Identifier: MIT */
#include "base/variables.h"

#include "base/log.h"
#include "base/names.h"

#include <stdbool.h>
#include <string.h>

#include <unistd.h>

#define PREFIX    "HOIST_"
#define NAME_MAX_ 64 /* bytes behind the prefix that are looked at */
#define KNOWN     (sizeof known / sizeof *known)

/* Without the prefix.  A test holds them against the tables of settings. */
static const char *const known[] = {
    "ADDRESS_BITS",
    "ADDRESS_BURST",
    "ADDRESS_CONNECTIONS",
    "ADDRESS_RATE",
    "ADMIN",
    "BROKER",
    "BYTE_BURST",
    "BYTE_RATE",
    "CONFIG",
    "CONNECTION_WINDOW",
    "CONNECTION_WINDOW_BYTES",
    "CURVE_BROKER",
    "CURVE_GATEWAYS",
    "CURVE_KEY",
    "CURVE_WORKERS",
    "DEAD_LETTERS",
    "DEAD_LETTERS_MAX",
    "DRAIN",
    "DRAIN_TIME",
    "GATEWAYS",
    "GATEWAY_WINDOW",
    "GATEWAY_WINDOW_BYTES",
    "HANDSHAKE_BURST",
    "HANDSHAKE_RATE",
    "HANDSHAKE_TIMEOUT",
    "HEARTBEAT",
    "IDLE_TIMEOUT",
    "LISTEN",
    "LIVENESS",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "LOOPS",
    "MANAGE_ALLOW_REPLAYS",
    "MANAGE_BODY",
    "MANAGE_KEYS",
    "MANAGE_TOKENS",
    "MAX_CONNECTIONS",
    "MAX_FRAME",
    "MAX_GATEWAYS",
    "MAX_GROUPS",
    "MAX_HANDSHAKES",
    "MAX_HEAD",
    "MAX_MESSAGE",
    "MAX_WORKERS",
    "MESSAGE_BURST",
    "MESSAGE_RATE",
    "METRICS",
    "NAME",
    "ORIGINS",
    "OUT_HARD",
    "OUT_SOFT",
    "OUT_SOFT_TIME",
    "PING_INTERVAL",
    "PONG_TIMEOUT",
    "PROCESSES",
    "PROXY_PROTOCOL",
    "PUSH_WINDOW",
    "PUSH_WINDOW_BYTES",
    "REQUEST_TIMEOUT",
    "REQUIRE_CONNECT",
    "REQUIRE_STORE",
    "RESOLVE_INTERVAL",
    "ROUTE_GRACE",
    "ROUTE_SELECTION_EXPRESSION",
    "SETTLE_TIME",
    "SIGNALS",
    "STAGE",
    "STATIC",
    "STORE",
    "STORE_LEASE",
    "STORE_QUEUE",
    "STORE_TIMEOUT",
    "STORE_TTL",
    "THREADS",
    "TLS_CERT",
    "TLS_CLIENT_CA",
    "TLS_CLIENT_OPTIONAL",
    "TLS_KEY",
    "TRACE_ENDPOINT",
    "TRACE_SAMPLE",
    "TRACE_TRUST",
    "TRUSTED_PROXIES",
    "WINDOW",
    "WINDOW_BYTES",
    "WORKERS",
};

static bool is_known(const char *name)
{
    for (size_t i = 0; i < KNOWN; i++) {
        if (strcmp(name, known[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void check(const char *name)
{
    if (is_known(name)) {
        return;
    }
    /* Others may have the prefix (a service called hoist in Kubernetes has). */
    const char *near = names_near(name, known, KNOWN);
    if (near != NULL) {
        log_warn("VARIABLE-UNKNOWN", "name=" PREFIX "%s meant=" PREFIX "%s",
                 name, near);
    }
}

void variables_check(void)
{
    for (char **at = environ; at != NULL && *at != NULL; at++) {
        if (strncmp(*at, PREFIX, strlen(PREFIX)) != 0) {
            continue;
        }
        char name[NAME_MAX_ + 1];
        const char *from = *at + strlen(PREFIX);
        size_t len = strcspn(from, "=");
        len = len < NAME_MAX_ ? len : NAME_MAX_;
        memcpy(name, from, len);
        name[len] = '\0';
        check(name);
    }
}
