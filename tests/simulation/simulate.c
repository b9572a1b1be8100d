/* SPDX-License-Identifier: MIT
 *
 * The simulation: real broker cores, gateway hubs and managers, a model store,
 * workers and clients, in one thread under a seeded scheduler that delays,
 * cuts, stops, kills and restarts them, while truth.c and asks.c hold the
 * promises against what happens.
 *
 *     simulate [--seeds FIRST:LAST] [--seed N --trace]
 *
 * A run has six acts: chaos; calm, in which everything is up again, but for
 * handlers that hang, and deadlines must be kept; the return, in which these
 * end, too, all open messages must come to an outcome and every client must get
 * in; a probe, in which every connection must reach a handler, or where links
 * of gateways break must stand at least; the clients leave; silence, in which
 * no request, connection, session or credit may be left over.
 *
 * Exit status: 0 when every seed kept the promises, 1 at the first that did
 * not, whose trace is printed.
 */
#include "tests/simulation/asks.h"
#include "tests/simulation/cast.h"
#include "tests/simulation/checks.h"
#include "tests/simulation/faults.h"
#include "tests/simulation/truth.h"
#include "tests/simulation/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAOS_MS    12000
#define CALM_MS     4000
#define QUIET_MS    4000
#define DEADLINE_MS 3000 /* longer than a request's */
#define RETURN_MS   8000 /* longer than every clock */
#define PROBE_MS    3000 /* longer than a request's deadline */
#define SETTLE_MS   1000
#define LEAVING_MS  6000

/* --- the acts ------------------------------------------------------------ */

static void heal(void)
{
    world_trace("--- calm ---");
    faults_mend_store();
    cast_set_chances(CALM);
    faults_restart_all();
}

static void let_back(void)
{
    world_trace("--- all may come back ---");
    cast_set_chances(RETURN);
    faults_end_hung();
}

static void hush_managers(void)
{
    for (size_t i = 0; i < cast.manager_count; i++) {
        cast.managers[i].is_quiet = true;
    }
}

static void hush(void)
{
    for (size_t i = 0; i < cast.client_count; i++) {
        cast.clients[i].is_quiet = true;
    }
    hush_managers();
}

/*
 * Every connection that stands is served: each client says a word, the first
 * of them several at once, to handlers that take their time.
 */
static void probe(void)
{
    unsigned count = BURST;

    world_trace("--- each connection is probed ---");
    cast_set_chances(PROBE);
    checks_peace();
    for (size_t i = 0; i < cast_link_count(); i++) {
        worker_node_probe(cast_link(i));
    }
    for (size_t i = 0; i < cast.client_count; i++) {
        client_t *client = &cast.clients[i];
        cast.probed[i] = client->state == CLIENT_OPEN ? client->attempt : 0;
        if (cast.probed[i] > 0) {
            truth_probe(client->attempt);
            client_probe(client, count);
            count = 1;
        }
    }
    if (cast.has_resets) {
        faults_reset_links();
    }
}

/* Whoever comes from now on comes too late to be looked at. */
static void stay_away(void)
{
    for (size_t i = 0; i < cast.client_count; i++) {
        cast.clients[i].is_done = true;
    }
    hush_managers();
}

static void leave(void)
{
    world_trace("--- the clients leave ---");
    for (size_t i = 0; i < cast.client_count; i++) {
        client_finish(&cast.clients[i]);
    }
}

static void play(uint64_t seed)
{
    int64_t end_ms = CHAOS_MS;

    world_begin(seed);
    truth_begin();
    asks_begin();
    cast_set_up();
    cast_set_chances(CHAOS);
    cast_start();
    faults_begin();
    world_run_until(end_ms);
    heal();
    world_run_until(end_ms += CALM_MS);
    hush();
    world_run_until(end_ms += QUIET_MS);
    uint64_t outcomes = checks_count_outcomes();
    world_run_until(end_ms += DEADLINE_MS);
    if (!world_is_broken()) {
        checks_deadlines(outcomes);
        let_back();
    }
    world_run_until(end_ms += RETURN_MS);
    if (!world_is_broken()) {
        checks_outcomes();
        checks_return();
        probe();
    }
    world_run_until(end_ms += PROBE_MS);
    stay_away();
    world_run_until(end_ms += SETTLE_MS);
    if (!world_is_broken()) {
        checks_outcomes();
        checks_probe();
        checks_asks();
        checks_rows();
        checks_groups();
        if (cast.has_presence) {
            checks_presence();
        }
        leave();
    }
    world_run_until(end_ms + LEAVING_MS);
    if (!world_is_broken()) {
        checks_silence();
        truth_final();
    }
}

/* --- the program --------------------------------------------------------- */

static void add(truth_counts_t *total)
{
    const truth_counts_t counts = truth_counts();

    total->attempts += counts.attempts;
    total->opened += counts.opened;
    total->sent += counts.sent;
    total->answered += counts.answered;
    total->failed += counts.failed;
    total->connects += counts.connects;
    total->disconnects += counts.disconnects;
    total->redelivered += counts.redelivered;
    total->loose += counts.loose;
    total->cries += counts.cries;
    total->cries_heard += counts.cries_heard;
    total->owed += counts.owed;
    total->presences += counts.presences;
    total->present += counts.present;
}

static void add_asks(asks_counts_t *total)
{
    const asks_counts_t counts = asks_counts();

    total->asked += counts.asked;
    total->done += counts.done;
    total->gone += counts.gone;
    total->failed += counts.failed;
    total->heard += counts.heard;
}

static void print_asks(const asks_counts_t *total)
{
    printf(" asked=%llu done=%llu gone=%llu failed=%llu heard=%llu\n",
           (unsigned long long)total->asked, (unsigned long long)total->done,
           (unsigned long long)total->gone, (unsigned long long)total->failed,
           (unsigned long long)total->heard);
}

static void print_counts(const truth_counts_t *total)
{
    printf(
        "attempts=%llu opened=%llu sent=%llu answered=%llu failed=%llu "
        "connects=%llu disconnects=%llu redelivered=%llu loose=%llu "
        "cries=%llu cries_heard=%llu owed=%llu presences=%llu present=%llu",
        (unsigned long long)total->attempts, (unsigned long long)total->opened,
        (unsigned long long)total->sent, (unsigned long long)total->answered,
        (unsigned long long)total->failed, (unsigned long long)total->connects,
        (unsigned long long)total->disconnects,
        (unsigned long long)total->redelivered,
        (unsigned long long)total->loose, (unsigned long long)total->cries,
        (unsigned long long)total->cries_heard, (unsigned long long)total->owed,
        (unsigned long long)total->presences,
        (unsigned long long)total->present);
}

int main(int argc, char **argv)
{
    unsigned long long first = 1, last = 200;
    bool wants_trace = false;
    truth_counts_t total = {0};
    asks_counts_t asked = {0};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc &&
            sscanf(argv[i + 1], "%llu:%llu", &first, &last) == 2) {
            i++;
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            first = last = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--trace") == 0) {
            wants_trace = true;
        } else {
            fputs("usage: simulate [--seeds FIRST:LAST] [--seed N] "
                  "[--trace]\n",
                  stderr);
            return 2;
        }
    }
    int result = 0;
    for (unsigned long long seed = first; seed <= last && result == 0; seed++) {
        play(seed);
        add(&total);
        add_asks(&asked);
        if (world_is_broken() || wants_trace) {
            fputs(world_trace_text(), stdout);
            printf("seed %llu, ", seed);
            faults_print(stdout);
            result = world_is_broken();
        }
        cast_fini();
        truth_end();
        asks_end();
        world_end();
    }
    printf("seeds %llu to %llu: ", first, last);
    print_counts(&total);
    print_asks(&asked);
    return result;
}
