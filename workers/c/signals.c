/* SPDX-License-Identifier: MIT */
#include "workers/c/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#define TAKEN (sizeof taken / sizeof *taken)

/* What the handler reads must be right at any moment, so a place is one word:
 * an eventfd plus 1 with its kind in front, or 0 when it is free. */
static _Atomic uint64_t watched[SIGNALS_MAX];

/* Threads in the handler now: each may still write to what it found there. */
static atomic_uint telling;

static const int taken[] = {SIGTERM, SIGINT, SIGHUP};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows */
static int watchers;
static struct sigaction before[TAKEN];

static uint64_t place_of(signals_kind_t kind, int event_fd)
{
    return (uint64_t)kind << 32 | ((uint32_t)event_fd + 1);
}

static void on_signal(int number)
{
    const signals_kind_t kind =
        number == SIGHUP ? SIGNALS_RELOAD : SIGNALS_STOP;
    int saved = errno;
    uint64_t one = 1;

    atomic_fetch_add(&telling, 1);
    for (size_t i = 0; i < SIGNALS_MAX; i++) {
        uint64_t place = atomic_load(&watched[i]);
        int fd = (int)((uint32_t)place - 1);
        if (place >> 32 == kind && write(fd, &one, sizeof one) < 0) {
            continue; /* full: it is as good as set */
        }
    }
    atomic_fetch_sub(&telling, 1);
    errno = saved;
}

static void take_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < TAKEN; i++) {
        sigaction(taken[i], &action, &before[i]);
    }
}

static void give_signals_back(void)
{
    for (size_t i = 0; i < TAKEN; i++) {
        sigaction(taken[i], &before[i], NULL);
    }
}

void signals_end_here(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < TAKEN; i++) {
        before[i] = (struct sigaction){.sa_handler = SIG_IGN};
    }
    pthread_mutex_unlock(&lock);
}

int signals_watch(signals_kind_t kind, int event_fd)
{
    int rc = -ENOSPC;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; rc < 0 && i < SIGNALS_MAX; i++) {
        if (atomic_load(&watched[i]) == 0) {
            atomic_store(&watched[i], place_of(kind, event_fd));
            rc = 0;
        }
    }
    if (rc == 0 && watchers++ == 0) {
        take_signals();
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

/* The place that this eventfd has, or SIGNALS_MAX. */
static size_t find(int event_fd)
{
    size_t i = 0;

    while (i < SIGNALS_MAX && (uint32_t)atomic_load(&watched[i]) !=
                                  (uint32_t)place_of(0, event_fd)) {
        i++;
    }
    return i;
}

/* Handlers only write to eventfds, so this is short.  (None of this thread's
 * is among them: it would have ended before we go on.) */
static void let_handlers_end(void)
{
    while (atomic_load(&telling) > 0) {
        sched_yield();
    }
}

void signals_unwatch(int event_fd)
{
    pthread_mutex_lock(&lock);
    size_t at = find(event_fd);
    if (at < SIGNALS_MAX) {
        atomic_store(&watched[at], 0);
        if (--watchers == 0) {
            give_signals_back();
        }
    }
    pthread_mutex_unlock(&lock);
    let_handlers_end();
}

void signals_forked(void)
{
    atomic_store(&telling, 0);
}
