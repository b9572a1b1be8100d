/* SPDX-License-Identifier: MIT */
#include "cli/descriptors.h"

#include "base/log.h"
#include "gateway/options.h"

#include <sys/resource.h>

#define SPARE_DESCRIPTORS 1024 /* beside those of clients and peers */
#define LOOP_DESCRIPTORS  320  /* of a further loop: its brokers, most of all */
#define DESCRIPTORS_MAX   (1 << 20)
#define DESCRIPTORS_PLENTY                                                     \
    (SPARE_DESCRIPTORS + GATEWAY_LINGERING_MAX + 1000) /* for a trial */

/* Clients and peers are a descriptor each; 0 clients stands for no limit. */
static rlim_t wanted_by(const settings_t *settings, audience_t audience)
{
    int64_t count = SPARE_DESCRIPTORS;

    if ((audience & FOR_GATEWAY) != 0) {
        int64_t clients = settings->gateway.max_connections;
        int64_t loops = settings->gateway.loops;
        int64_t arrivals = settings->gateway.proxy_protocol
                               ? 2 * settings->gateway.max_handshakes
                               : settings->gateway.max_handshakes;
        count += clients > 0
                     ? clients + arrivals + loops * GATEWAY_LINGERING_MAX
                     : DESCRIPTORS_MAX;
        count += (loops - 1) * LOOP_DESCRIPTORS;
    }
    if ((audience & FOR_BROKER) != 0) {
        count += settings->broker.max_workers + settings->broker.max_gateways;
    }
    return (rlim_t)(count < DESCRIPTORS_MAX ? count : DESCRIPTORS_MAX);
}

/* Who has not said how many are to come has no reason to be warned that fewer
 * than by default can, unless that is few for anybody. */
static void tell(const settings_t *settings, const struct rlimit *limit,
                 rlim_t wanted)
{
    unsigned long long has = limit->rlim_cur, wants = wanted;

    if (has >= wants) {
        return;
    }
    if (settings->is_size_said || has < DESCRIPTORS_PLENTY) {
        log_warn("DESCRIPTORS-FEW", "limit=%llu wanted=%llu", has, wants);
    } else {
        log_info("DESCRIPTORS-LIMITED", "limit=%llu wanted=%llu", has, wants);
    }
}

/*
 * libwebsockets indexes a table by descriptor and sizes it by the process's
 * limit; told another size, it searches the table at every event instead
 * (4.1.6: two thirds of the time at 8000 clients).  So the limit itself is
 * set: to what we need where it is lower, and down from the thousand million
 * that some containers have.
 */
void descriptors_prepare(const settings_t *settings, audience_t audience)
{
    rlim_t wanted = wanted_by(settings, audience);
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return;
    }
    if (limit.rlim_cur < wanted || limit.rlim_cur > DESCRIPTORS_MAX) {
        rlim_t most = limit.rlim_cur < wanted ? wanted : DESCRIPTORS_MAX;
        limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* else it stays as it is */
    }
    tell(settings, &limit, wanted);
}

void descriptors_check(const settings_t *settings, audience_t audience)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        tell(settings, &limit, wanted_by(settings, audience));
    }
}
