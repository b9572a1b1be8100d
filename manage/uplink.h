/* SPDX-License-Identifier: MIT
 *
 * One broker as a manager sees it: greeting, liveness, the push window.  The
 * protocol without the socket: frames and times are fed in, and what is to be
 * sent gathers in `out`.  Owner thread only.
 *
 *   GREETING --WELCOME--> UP --WHO, silence, BYE, break--> GREETING
 *
 * Each time that it greets anew it has another boot id, so that no push, CREDIT
 * or RESULT of the time before counts.
 */
#ifndef MANAGE_UPLINK_H
#define MANAGE_UPLINK_H

#include "base/log.h"
#include "proto/message.h"

#include <stdbool.h>

#define UPLINK_BOOT_MAX 20 /* bytes of our boot id; more are added to it */

typedef enum { UPLINK_GREETING, UPLINK_UP } uplink_state_t;

typedef struct {
    size_t slot;          /* in the roster, */
    const char *endpoint; /* borrowed: where it stands */
    const char *boot;     /* borrowed */
    const char *name;     /* borrowed */
    uplink_state_t state;
    uint32_t lives;               /* how often it greeted anew */
    uint64_t session;             /* of the last WELCOME … */
    char broker[BOOT_ID_MAX + 1]; /* … and who said it, */
    int64_t met_ms;               /* whom we know since then */
    buf_t out;                    /* messages of this turn */

    int64_t heartbeat_ms, liveness_ms;
    int64_t heard_ms, sent_ms, greeted_ms;

    uint64_t push_window, push_window_bytes; /* granted */
    uint64_t pushes, push_bytes;             /* on their way */
} uplink_t;

/* What a message means to who waits for answers. */
typedef enum {
    UPLINK_NEWS, /* PUSHED or RESULT: theirs */
    UPLINK_OWN,  /* it was for the uplink alone */
    UPLINK_LOST, /* the broker forgot us, or is lost: nothing is answered */
} uplink_event_t;

/* boot: at most UPLINK_BOOT_MAX bytes.  The greeting is in `out` at once. */
void uplink_init(uplink_t *self, size_t slot, const char *endpoint,
                 const char *boot, const char *name, int64_t now_ms);
void uplink_fini(uplink_t *self);

uplink_event_t uplink_take(uplink_t *self, const message_t *message,
                           int64_t now_ms);

/* Does the broker know whatever gateways live?  One that may just have been
 * started does not: they are about to greet it. */
bool uplink_is_settled(const uplink_t *self, int64_t now_ms);

/* End of turn: greet again, PING.  UPLINK_LOST: the broker was silent. */
uplink_event_t uplink_tick(uplink_t *self, int64_t now_ms);

/* The transport broke, so that the broker knows us no longer. */
uplink_event_t uplink_broken(uplink_t *self, int64_t now_ms);

/* A frame came, or `out` has left. */
void uplink_heard(uplink_t *self, int64_t now_ms);
void uplink_sent(uplink_t *self, int64_t now_ms);

/* Put a PUSH.  Returns 0; -EAGAIN beyond the window; -ENOBUFS, -ENOMEM. */
int uplink_push(uplink_t *self, const message_push_t *push);

/* We end. */
void uplink_bye(uplink_t *self);

#endif
