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
    bool is_divided;  /* among the loops: it is of all clients together */
} limit_t;

#define AT(field) offsetof(gateway_options_t, field)

static const limit_t limits[] = {
    {"max-connections", AT(max_connections), true},
    {"max-handshakes", AT(max_handshakes), true},
    {"address-connections", AT(address_connections), false},
    {"address-bits", AT(address_bits), false},
    {"handshake-rate", AT(handshake_rate), true},
    {"handshake-burst", AT(handshake_burst), true},
    {"address-rate", AT(address_rate), false},
    {"address-burst", AT(address_burst), false},
    {"message-rate", AT(message_rate), false},
    {"message-burst", AT(message_burst), false},
    {"byte-rate", AT(byte_rate), false},
    {"byte-burst", AT(byte_burst), false},
    {"max-groups", AT(max_groups), false},
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

/* A share of what is a limit is one, too: 0 would be none. */
static int64_t share_of(const gateway_options_t *options, int64_t all)
{
    int64_t loops = options->loops, loop = options->loop;
    int64_t share = all * (loop + 1) / loops - all * loop / loops;

    return all > 0 && share == 0 ? 1 : share;
}

static void put_limit(gateway_options_t *options, const limit_t *limit,
                      int64_t number)
{
    int64_t own = limit->is_divided ? share_of(options, number) : number;

    memcpy((char *)options + limit->offset, &own, sizeof own);
}

void tuning_divide(gateway_options_t *options)
{
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        int64_t number;
        memcpy(&number, (char *)options + limits[i].offset, sizeof number);
        put_limit(options, &limits[i], number);
    }
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
    put_limit(&hub->options, limit, strtoll(value, NULL, 10));
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
