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

static int parse(const char *text, ip_nets_t *nets)
{
    return ip_nets_parse(text != NULL ? text : "", nets);
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
    rc = wanted != NULL ? parse(wanted->allow, &self->allowed) : 0;
    if (rc == 0 && wanted != NULL) {
        rc = parse(wanted->deny, &self->denied);
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

static const hoist_middleware table = {ip_filter_init, ip_filter_run, free};
const hoist_middleware *const hoist_ip_filter = &table;
