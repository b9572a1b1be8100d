/* SPDX-License-Identifier: MIT */
#include "base/thread.h"

#include <signal.h>

#include <pthread.h>

int thread_detach(void *(*run)(void *user), void *user, const char *name)
{
    sigset_t all, before;
    pthread_t thread;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = -pthread_create(&thread, NULL, run, user);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0) {
        (void)pthread_setname_np(thread, name);
        (void)pthread_detach(thread);
    }
    return rc;
}
