/* SPDX-License-Identifier: MIT */
#include "base/ip.h"
#include "workers/c/hoist_metrics.h"
#include "workers/c/hoist_middleware.h"

#include <errno.h>
#include <stdlib.h>

/* Of a use; constant. */
typedef struct {
    ip_nets_t allowed, denied;
    hoist_counter *refused; /* borrowed */
} ip_filter_t;

static const char *words_for(const char *text, int rc)
{
    return *text == '\0'  ? "it is empty; leave it away for no list"
           : rc == -E2BIG ? "it has more than 256 networks"
                          : "it is no list of addresses and networks";
}

/* An empty list is none: as one of all who are allowed it would be everyone,
 * where somebody has a variable that is set to nothing. */
static int parse(hoist_app *app, const char *name, const char *text,
                 ip_nets_t *nets)
{
    if (text == NULL) {
        return 0;
    }
    int rc = *text != '\0' ? ip_nets_parse(text, nets) : -EINVAL;
    return rc < 0 ? hoist_init_failed(app, rc, "hoist_ip_filter: %s: %s", name,
                                      words_for(text, rc))
                  : 0;
}

static int ip_filter_init(hoist_app *app, const void *config, void **state)
{
    const hoist_ip_filter_config *wanted = config;
    int rc = hoist_serve_connect(app);

    if (rc < 0) {
        return rc;
    }
    ip_filter_t *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return -ENOMEM;
    }
    if (wanted != NULL) {
        rc = parse(app, "allow", wanted->allow, &self->allowed);
        rc = rc < 0 ? rc : parse(app, "deny", wanted->deny, &self->denied);
    }
    if (rc < 0) {
        free(self);
        return rc;
    }
    self->refused =
        hoist_counter_of(app, "hoist_worker_addresses_refused_total",
                         "Connections that `hoist_ip_filter` refused.", NULL);
    *state = self;
    return 0;
}

/* Of an address that cannot be read nobody knows that it is not denied. */
static bool lets_in(const ip_filter_t *self, hoist_text address)
{
    ip_t ip;

    if (self->allowed.count == 0 && self->denied.count == 0) {
        return true;
    }
    if (address.len == 0 || ip_parse(address.data, address.len, &ip) < 0 ||
        ip_nets_have(&self->denied, &ip)) {
        return false;
    }
    return self->allowed.count == 0 || ip_nets_have(&self->allowed, &ip);
}

static int ip_filter_run(hoist_ctx *ctx, void *state)
{
    const ip_filter_t *self = state;

    if (hoist_event_of(ctx) != HOIST_CONNECT || lets_in(self, hoist_ip(ctx))) {
        return hoist_next(ctx);
    }
    hoist_count(self->refused, 1);
    return hoist_fail(ctx, 403, "address-refused", "Not from this address");
}

static const hoist_middleware table = {.init = ip_filter_init,
                                       .run = ip_filter_run,
                                       .fini = free};
const hoist_middleware *const hoist_ip_filter = &table;
