/* SPDX-License-Identifier: MIT */
#include "base/thread.h"

#include <signal.h>

int thread_start(pthread_t *thread, void *(*run)(void *user), void *user,
                 const char *name)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = -pthread_create(thread, NULL, run, user);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0) {
        (void)pthread_setname_np(*thread, name);
    }
    return rc;
}

int thread_detach(void *(*run)(void *user), void *user, const char *name)
{
    pthread_t thread;
    int rc = thread_start(&thread, run, user, name);

    if (rc == 0) {
        (void)pthread_detach(thread);
    }
    return rc;
}
