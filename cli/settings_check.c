/* SPDX-License-Identifier: MIT */
#include "cli/settings_check.h"

#include <errno.h>
#include <stdlib.h>

int settings_fault(char error[SETTING_ERROR_MAX], const char *origin,
                   const char *value, const char *right)
{
    snprintf(error, SETTING_ERROR_MAX, "%s: '%s' is wrong; give %s", origin,
             value, right);
    return -EINVAL;
}

/* Both of two settings, or none. */
static int check_pair(const char *name, const char *value, const char *other,
                      const char *others, char *error)
{
    char flag[64], right[128];

    if ((value[0] == '\0') == (others[0] == '\0')) {
        return 0;
    }
    bool is_missing = value[0] == '\0';
    snprintf(flag, sizeof flag, "--%s", is_missing ? name : other);
    snprintf(right, sizeof right, "a file, since --%s is one",
             is_missing ? other : name);
    return settings_fault(error, flag, "", right);
}

/* Who has a key needs to know whom to trust. */
static int check_curve(const settings_t *settings, audience_t audience,
                       char *error)
{
    const char *key = settings->curve_key;
    const broker_options_t *broker = &settings->broker;
    int rc = 0;

    if ((audience & FOR_BROKER) != 0) {
        rc = check_pair("curve-workers", broker->curve_workers, "curve-key",
                        key, error);
    }
    if (rc == 0 && audience == FOR_BROKER) {
        rc = check_pair("curve-gateways", broker->curve_gateways, "curve-key",
                        key, error);
    }
    if (rc == 0 && audience == FOR_GATEWAY) {
        rc = check_pair("curve-broker", settings->gateway.curve_broker,
                        "curve-key", key, error);
    }
    return rc;
}

/* Who asks for these means to be safe by them, so alone they are no setting. */
static int check_front(const gateway_options_t *gateway, char *error)
{
    if (gateway->tls_client_ca[0] != '\0' && gateway->tls_cert[0] == '\0') {
        return settings_fault(error, "--tls-cert", "",
                              "a file, since --tls-client-ca is one");
    }
    if (gateway->tls_client_optional && gateway->tls_client_ca[0] == '\0') {
        return settings_fault(error, "--tls-client-ca", "",
                              "a file, since --tls-client-optional is true");
    }
    if (gateway->proxy_protocol && gateway->trusted_proxies[0] == '\0') {
        return settings_fault(error, "--trusted-proxies", "",
                              "networks, since --proxy-protocol is true");
    }
    return 0;
}

/* Who sets a burst means to have a limit, and has none without its rate. */
static int check_bursts(const gateway_options_t *gateway, char *error)
{
    const struct {
        const char *burst, *rate;
        int64_t at_once, per_s;
    } pairs[] = {
        {"handshake-burst", "--handshake-rate", gateway->handshake_burst,
         gateway->handshake_rate},
        {"address-burst", "--address-rate", gateway->address_burst,
         gateway->address_rate},
        {"message-burst", "--message-rate", gateway->message_burst,
         gateway->message_rate},
        {"byte-burst", "--byte-rate", gateway->byte_burst, gateway->byte_rate},
    };
    char right[64];

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (pairs[i].at_once > 0 && pairs[i].per_s == 0) {
            snprintf(right, sizeof right, "a rate, since --%s is %lld",
                     pairs[i].burst, (long long)pairs[i].at_once);
            return settings_fault(error, pairs[i].rate, "0", right);
        }
    }
    return 0;
}

/* Each loop has a share of what is a limit of all, and a share of none is no
 * client. */
static int check_loops(const gateway_options_t *gateway, char *error)
{
    const struct {
        const char *name;
        int64_t number;
    } limits[] = {
        {"--max-connections", gateway->max_connections},
        {"--max-handshakes", gateway->max_handshakes},
        {"--handshake-rate", gateway->handshake_rate},
        {"--handshake-burst", gateway->handshake_burst},
    };
    char value[32], right[64];

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        if (limits[i].number > 0 && limits[i].number < gateway->loops) {
            snprintf(value, sizeof value, "%lld", (long long)limits[i].number);
            snprintf(right, sizeof right, "0, or at least the --loops of %lld",
                     (long long)gateway->loops);
            return settings_fault(error, limits[i].name, value, right);
        }
    }
    return 0;
}

static int check_tls(const gateway_options_t *gateway, char *error)
{
    if (gateway->tls_cert[0] == '\0' && gateway->tls_key[0] != '\0') {
        return settings_fault(error, "--tls-cert", "",
                              "a file, since --tls-key is one");
    }
    if (gateway->tls_key[0] == '\0' && gateway->tls_cert[0] != '\0') {
        return settings_fault(error, "--tls-key", "",
                              "a file, since --tls-cert is one");
    }
    return 0;
}

/* Spans that go nowhere would only cost. */
static int check_tracing(const settings_t *settings, char *error)
{
    if (strtod(settings->trace_sample, NULL) > 0 &&
        settings->trace_endpoint[0] == '\0') {
        return settings_fault(error, "--trace-endpoint", "",
                              "a URL, since --trace-sample is not 0");
    }
    return 0;
}

static int check_liveness(const broker_options_t *broker, const char *origin,
                          char *error)
{
    char value[32], right[64];

    if (broker->liveness_ms >= 2 * broker->heartbeat_ms) {
        return 0;
    }
    snprintf(value, sizeof value, "%lld", (long long)broker->liveness_ms);
    snprintf(right, sizeof right, "at least twice the --heartbeat of %lld",
             (long long)broker->heartbeat_ms);
    return settings_fault(error, origin, value, right);
}

int settings_check(const settings_t *settings, audience_t audience,
                   const char *liveness, char error[SETTING_ERROR_MAX])
{
    const gateway_options_t *gateway = &settings->gateway;
    int rc = check_tls(gateway, error);

    if (rc == 0) {
        rc = check_front(gateway, error);
    }
    if (rc == 0) {
        rc = check_bursts(gateway, error);
    }
    if (rc == 0) {
        rc = check_loops(gateway, error);
    }
    if (rc == 0) {
        rc = check_liveness(&settings->broker, liveness, error);
    }
    if (rc == 0) {
        rc = check_curve(settings, audience, error);
    }
    return rc == 0 ? check_tracing(settings, error) : rc;
}
