/* SPDX-License-Identifier: MIT */
#include "workers/c/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <unistd.h>

/* Each is an eventfd plus 1, or 0 for a free place: what the handler reads
 * must be right at any moment, so it is one atomic word. */
static atomic_int watched[SIGNALS_MAX];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows */
static int watchers;
static struct sigaction old_term, old_int;

static void on_signal(int number)
{
    int saved = errno;
    uint64_t one = 1;

    (void)number;
    for (size_t i = 0; i < SIGNALS_MAX; i++) {
        int fd = atomic_load(&watched[i]) - 1;
        if (fd >= 0 && write(fd, &one, sizeof one) < 0) {
            continue; /* full: it is as good as set */
        }
    }
    errno = saved;
}

static void take_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, &old_term);
    sigaction(SIGINT, &action, &old_int);
}

int signals_watch(int event_fd)
{
    int rc = -ENOSPC;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < SIGNALS_MAX; i++) {
        if (atomic_load(&watched[i]) == 0) {
            atomic_store(&watched[i], event_fd + 1);
            if (watchers++ == 0) {
                take_signals();
            }
            rc = 0;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

void signals_unwatch(int event_fd)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < SIGNALS_MAX; i++) {
        if (atomic_load(&watched[i]) == event_fd + 1) {
            atomic_store(&watched[i], 0);
            if (--watchers == 0) {
                sigaction(SIGTERM, &old_term, NULL);
                sigaction(SIGINT, &old_int, NULL);
            }
            break;
        }
    }
    pthread_mutex_unlock(&lock);
}
