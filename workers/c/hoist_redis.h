/* SPDX-License-Identifier: MIT
 *
 * A ledger in Redis (or what speaks like it, 5 and newer): what
 * hoist_rate_limit and hoist_idempotency remember, shared by all workers that
 * use the same server.  It is a library of its own, libhoist-redis, since
 * libhoist needs no Redis.
 *
 *     hoist_ledger *ledger;
 *     char error[128];
 *
 *     if (hoist_redis_open("redis://127.0.0.1", NULL, &ledger, error,
 *                          sizeof error) < 0) {
 *         errx(2, "%s", error);
 *     }
 *     hoist_use(app, hoist_rate_limit,
 *               &(hoist_rate_limit_config){.ledger = ledger, .name = "calls"});
 *     int status = hoist_main(app, argc, argv);
 *     hoist_redis_close(&ledger);
 *
 * Each step is one script, so that workers cannot come between; it goes by the
 * clock of the server.  Keys begin with the prefix of the URL and end by
 * themselves.
 */
#ifndef HOIST_REDIS_H
#define HOIST_REDIS_H

#include <hoist_ledger.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default) /* what the library shows */

typedef struct {
    /*
     * What a step may take, with connecting if need be: the thread of the
     * handler waits for it.  1 to 10000; 0: 100.
     */
    unsigned timeout_ms;
} hoist_redis_config;

/*
 * A ledger at this server.  Nothing is connected to before it is needed, by as
 * many connections as there are threads that need it at once, at most 64 of
 * which stay open.  Where the server does not answer in time, all steps fail at
 * once for 100 ms, then for twice that, up to 5 s, between which one step
 * tries.
 *
 * url     redis:// or rediss:// as docs/stores.md has it, with user, password,
 *         database, prefix and certificates.  Of several hosts the one that is
 *         no replica is used; behind one that hangs, the next is tried first.
 *         Not of clusters and sentinels.
 * config  lent for the call; NULL: the usual one.
 * error   a line about what is wrong; never a password.
 * Returns 0 with *ledger; -EINVAL, also for a file that cannot be read, and
 * -ENOMEM, both with error.  Any thread; so its use.
 */
int hoist_redis_open(const char *url, const hoist_redis_config *config,
                     hoist_ledger **ledger, char *error, size_t error_size);

/* Close what no app uses any more, and set *ledger to NULL; NULL is harmless.
 */
void hoist_redis_close(hoist_ledger **ledger);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
