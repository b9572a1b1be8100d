/* SPDX-License-Identifier: MIT */
#include "gateway/tuning.h"

#include "base/xalloc.h"
#include "gateway/admitting.h"
#include "gateway/gateway.h"
#include "gateway/throttle.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name; /* of the setting */
    size_t offset;    /* of its number in gateway_options_t */
} limit_t;

#define AT(field) offsetof(gateway_options_t, field)

static const limit_t limits[] = {
    {"max-connections", AT(max_connections)},
    {"max-handshakes", AT(max_handshakes)},
    {"address-connections", AT(address_connections)},
    {"address-bits", AT(address_bits)},
    {"handshake-rate", AT(handshake_rate)},
    {"handshake-burst", AT(handshake_burst)},
    {"address-rate", AT(address_rate)},
    {"address-burst", AT(address_burst)},
    {"message-rate", AT(message_rate)},
    {"message-burst", AT(message_burst)},
    {"byte-rate", AT(byte_rate)},
    {"byte-burst", AT(byte_burst)},
    {"max-groups", AT(max_groups)},
};

static const limit_t *find_limit(const char *name)
{
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        if (strcmp(name, limits[i].name) == 0) {
            return &limits[i];
        }
    }
    return NULL;
}

static bool is_origins(const char *name)
{
    return strcmp(name, "origins") == 0;
}

bool gateway_can_set(const char *name)
{
    return is_origins(name) || find_limit(name) != NULL;
}

static void set_origins(hub_t *hub, const char *value)
{
    free(hub->origins);
    hub->origins = xstrdup(value);
    hub->options.origins = hub->origins;
}

int tuning_set(hub_t *hub, const char *name, const char *value)
{
    const limit_t *limit = find_limit(name);

    if (is_origins(name)) {
        set_origins(hub, value);
        return 0;
    }
    if (limit == NULL) {
        return -ENOENT;
    }
    int64_t number = strtoll(value, NULL, 10);
    memcpy((char *)&hub->options + limit->offset, &number, sizeof number);
    return 0;
}

/* What is owed by a former rate could take for ever to be paid by another. */
static void forgive(hub_t *hub)
{
    for (uint32_t slot = 0; slot < hub->used; slot++) {
        session_t *session = hub->table[slot];
        if (session == NULL) {
            continue;
        }
        session->messages = session->bytes = (tokens_t){0};
        if (session->state == SESSION_OPEN && session->is_throttled) {
            session_resume(session);
        }
    }
}

void tuning_apply(hub_t *hub)
{
    const gateway_options_t *options = &hub->options;

    admitting_limit(hub);
    hub->message_rate =
        throttle_rate(options->message_rate, options->message_burst);
    hub->byte_rate = throttle_rate(options->byte_rate, options->byte_burst);
    hub->groups.named_max = (uint32_t)options->max_groups;
    forgive(hub);
}
