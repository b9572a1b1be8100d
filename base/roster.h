/* SPDX-License-Identifier: MIT
 *
 * Which brokers there are to be links to: the endpoints that were listed, and
 * for each name among them the addresses that it has just now.  Pure but for
 * the log; answers about names come from base/resolver.h.  One thread.
 *
 * Each broker has a slot, whose number stays the same until it is released:
 *
 *   free --listed, answered--> wanted --no answer has it--> vanished
 *    ^                            ^---------answered------------+
 *    +----------- roster_release, when its link is down --------+
 *
 * That a name no longer has an address is no proof that the broker there is
 * dead, so the owner keeps its link while it works.  Two endpoints of one
 * address and port are one broker.
 */
#ifndef BASE_ROSTER_H
#define BASE_ROSTER_H

#include "base/endpoint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROSTER_MAX 64 /* slots; names have as many bits */

/* What is known of a name, from one look-up. */
typedef struct {
    uint32_t name;    /* its index in the roster */
    int32_t error;    /* 0, or what getaddrinfo returned */
    uint32_t count;   /* addresses here */
    uint32_t omitted; /* that are too many to be here */
    char addresses[ROSTER_MAX][ADDRESS_TEXT]; /* normal; each once */
} answer_t;

typedef struct {
    char *host; /* owned */
    uint16_t port;
    bool was_found;
    bool has_answered; /* … and error is that of its last answer */
    int32_t error;
    uint32_t omitted; /* of its last answer without an error */
} roster_name_t;

typedef struct {
    char *endpoint; /* owned; NULL: free */
    bool is_listed; /* not by a name */
    bool is_late;   /* its name had other addresses first */
    uint64_t names; /* that have it, a bit each */
} roster_slot_t;

typedef struct {
    size_t max; /* slots in use, at most */
    roster_name_t names[ROSTER_MAX];
    size_t name_count;
    roster_slot_t slots[ROSTER_MAX];
} roster_t;

/*
 * From a comma separated list.  max: of endpoints in it, and of slots; at most
 * ROSTER_MAX.
 * Returns 0; -EINVAL when one is none, -E2BIG when they are too many: the
 * roster is empty then, and needs no roster_fini.
 */
int roster_init(roster_t *self, const char *list, size_t max);
void roster_fini(roster_t *self);

/* Slots become wanted or vanish.  One with an error changes nothing. */
void roster_answer(roster_t *self, const answer_t *answer);

/* The endpoint of a slot; NULL: it is free. */
const char *roster_endpoint(const roster_t *self, size_t slot);

/* False: it has vanished, and its link may go when it is down. */
bool roster_wants(const roster_t *self, size_t slot);

/* It has come to a name that was known before: others will hear of it at other
 * times. */
bool roster_is_late(const roster_t *self, size_t slot);

/* The link of a vanished slot is gone: the slot is free. */
void roster_release(roster_t *self, size_t slot);

/* Slots that are not free. */
size_t roster_count(const roster_t *self);

#endif
