/* SPDX-License-Identifier: MIT
 *
 * A worker of NATS, as its library for C has one: a subscription, whose
 * messages are answered with their own bodies.
 */
#include "bench/usage.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <err.h>
#include <nats/nats.h>

static const char help[] =
    "usage: nats_echo URL [batched]\n"
    "\n"
    "Answers what comes to the subject `echo` of the NATS server at URL with\n"
    "the same body: at once; or batched, as the library does unless it is told:\n"
    "a thread of its own writes once a millisecond.  It runs until SIGTERM.\n";

static void expect(natsStatus status, const char *what)
{
    if (status != NATS_OK) {
        errx(1, "%s: %s", what, natsStatus_GetText(status));
    }
}

static void answer(natsConnection *connection, natsSubscription *subscription,
                   natsMsg *msg, void *user)
{
    (void)subscription;
    (void)user;
    expect(natsConnection_Publish(connection, natsMsg_GetReply(msg),
                                  natsMsg_GetData(msg),
                                  natsMsg_GetDataLength(msg)),
           "cannot answer");
    natsMsg_Destroy(msg);
}

int main(int argc, char **argv)
{
    natsOptions *options;
    natsConnection *connection;
    natsSubscription *subscription;
    sigset_t signals;
    int signal;

    usage_read(argc, argv, 1, 2, help);
    bool is_batched = argc == 3 && strcmp(argv[2], "batched") == 0;
    if (argc == 3 && !is_batched) {
        usage_fail(help);
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* in the library's threads, too */
    expect(natsOptions_Create(&options), "no options");
    expect(natsOptions_SetURL(options, argv[1]), argv[1]);
    expect(natsOptions_SetSendAsap(options, !is_batched), "no options");
    expect(natsConnection_Connect(&connection, options), argv[1]);
    expect(natsConnection_Subscribe(&subscription, connection, "echo", answer,
                                    NULL),
           "cannot subscribe");
    expect(natsConnection_Flush(connection), argv[1]);
    puts("started");
    fflush(stdout);
    sigwait(&signals, &signal);
    natsSubscription_Destroy(subscription);
    natsConnection_Destroy(connection);
    natsOptions_Destroy(options);
    nats_Close();
    return 0;
}
