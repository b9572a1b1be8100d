/* SPDX-License-Identifier: MIT
 *
 * What really happened, seen from outside by clients and handlers, and the
 * promises held against it (ARCHITECTURE.md, "What is promised").  Each call
 * checks what can be checked at once; truth_final what must hold in the end.
 *
 * An attempt is one try of a client to connect; it is known by a number that
 * the client sends along.  An actor is the connection that came of it, known
 * to workers by its id.
 */
#ifndef TESTS_SIMULATION_TRUTH_H
#define TESTS_SIMULATION_TRUTH_H

#include "proto/message.h"

#include <stdbool.h>
#include <stdint.h>

#define ROUTE_AGAIN "again" /* whose requests are redelivered, … */
#define REDELIVER   2       /* … so many times */
#define ROUTE_LOOSE "loose" /* whose messages may overtake others */

/* Where a handler runs: what may end without it being asked. */
typedef struct {
    uint32_t worker;   /* number of the worker's start, 1, 2, … */
    bool is_doubtful;  /* its broker may have given it up: nothing counts */
    uint64_t delivery; /* how often the event was given out; 0 is 1 */
    bool is_loose;     /* the event is of a route without order */
} place_t;

void truth_begin(void);
void truth_end(void);

/* --- clients ------------------------------------------------------------ */

/* A new attempt begins; returns its number, 1, 2, … */
uint32_t truth_attempt(void);
void truth_opened(uint32_t attempt);
void truth_closed(uint32_t attempt);

bool truth_is_open(uint32_t attempt);
int64_t truth_closed_ms(uint32_t attempt); /* 0: it was not */
bool truth_was_kicked(uint32_t attempt);

/* Its broker may have taken it for dead: a handler was told of its end, or its
 * gateway was torn from it, or not heard for long. */
bool truth_was_given_up(uint32_t attempt);

/* The id of its connection; false: no handler has told of it. */
bool truth_conn(uint32_t attempt, char conn[CONN_ID_TEXT]);

/* The client sent its next message; returns the message's number, 0, 1, … */
uint32_t truth_sent(uint32_t attempt, bool is_loose);

/* An answer to message n, or an error frame, came back. */
void truth_answered(uint32_t attempt, uint32_t n);
void truth_failed(uint32_t attempt);

/* Messages without an outcome yet. */
uint32_t truth_open_messages(uint32_t attempt);

/* --- groups, users, everyone ---------------------------------------------- */

#define TRUTH_GROUPS 3 /* "g0", … */
#define TRUTH_USERS                                                            \
    2 /* "u0", …: that of an attempt is its number modulo that */

/* A handler of its connection says that it is in a group, or no longer. */
void truth_joined(uint32_t attempt, uint32_t group, bool is_in);

/*
 * A handler of this attempt's connection pushes its `sequence`-th word to a
 * name: the client must hear it if it has the name, and must not if it does
 * not; and so must all whose names have been what they are for some time.
 * is_open: the client has its 101.
 */
void truth_cried(const char *name, uint32_t attempt, bool is_open,
                 uint32_t worker, uint32_t sequence);

/* May this client hear what is for that name? */
void truth_check_name(const char *name, uint32_t attempt);

/* It was heard by this client. */
void truth_heard_cry(const char *name, uint32_t attempt, uint32_t worker,
                     uint32_t sequence);

/* A worker says a word to the client, a push or a reply; or closes it. */
void truth_said(uint32_t attempt);
void truth_kicked(uint32_t attempt);

/* The client hears a word of truth_said. */
void truth_heard_own(uint32_t attempt);

/* Worker `worker` is heard by the client, its `sequence`-th word to it. */
void truth_heard(uint32_t attempt, uint32_t worker, uint32_t sequence);

/* --- presence ------------------------------------------------------------ */

/* A handler of $presence is told, in bits: groups that were joined and left;
 * by its broker, if is_made. */
void truth_presence(const char conn[CONN_ID_TEXT], uint32_t joined,
                    uint32_t left, bool is_made, place_t place);

/* For a while nobody was told of the connections of this loop; or a broker had
 * nobody to tell of some. */
void truth_presence_gap(uint32_t loop);
void truth_presence_lost(void);

/* All is quiet, and the connection is in these groups, in bits. */
void truth_present(const char conn[CONN_ID_TEXT], uint32_t groups);

/* --- handlers ----------------------------------------------------------- */

/* attempt: 0 when the event does not say. */
void truth_handler_begins(const char conn[CONN_ID_TEXT], event_t event,
                          uint32_t attempt, uint32_t n, place_t place);

/* It has replied (or its worker is dead: status 0). */
void truth_handler_ends(const char conn[CONN_ID_TEXT], event_t event,
                        uint64_t status, place_t place);

/* --- faults ------------------------------------------------------------- */

/* From now on its broker may have given up what this worker holds. */
void truth_doubt_worker(uint32_t worker);

/* Until then a broker may lose a link of a worker; or a process with all its
 * links, which is one loss. */
void truth_lost(int64_t until_ms);

/* Message n of this attempt is given out for the `delivery`-th time (0: the
 * first): each time before, a process or a link was lost. */
void truth_tries(uint32_t attempt, uint32_t n, uint64_t delivery);

/* A gateway heard that its broker had ended its connections. */
void truth_given_up(void);

/*
 * A gateway of several brokers and one of these may have lost sight of each
 * other while both live, or it died between telling one broker of a connection
 * and telling another to forget it.  The connections of this loop may be at two
 * brokers for a while, so that their handlers overlap and their order is lost
 * (ARCHITECTURE.md, "not promised either").  What is left: they begin with
 * CONNECT, their DISCONNECT is not missing, and clients' messages have one
 * outcome each.
 */
void truth_torn(uint32_t loop);

/* The gateway of this loop was not heard for so long that a broker which began
 * meanwhile cannot know of its connections. */
void truth_unheard(uint32_t loop);

bool truth_is_torn(void);

/* A gateway heard that the DISCONNECT of this connection is done. */
void truth_farewell(const char conn[CONN_ID_TEXT]);

/* Is there a store that brokers share?  One that never fails knows what
 * gateways and brokers forget. */
typedef enum { STORE_NONE, STORE_UNSURE, STORE_SURE } store_trust_t;
void truth_store(store_trust_t trust);

void truth_broker_crashed(void);
void truth_gateway_crashed(uint32_t loop);

/* --- the end ------------------------------------------------------------ */

/* The client, which stands in peace, is going to send: look at it closely. */
void truth_probe(uint32_t attempt);

/* Gateways' links will break meanwhile: what is on its way is lost, and nothing
 * else. */
void truth_resets(void);

/* All is quiet, and the connection is in these groups, in bits: it must be
 * where its handlers have put it since truth_probe. */
void truth_groups(const char conn[CONN_ID_TEXT], uint32_t groups);

/* Its message n has come to the broker; counts only if it is the first. */
void truth_came(uint32_t attempt, uint32_t n);

/* As which of all those it came, 1, 2, …; 0: it does not count. */
uint32_t truth_came_as(uint32_t attempt, uint32_t n);

/* The number of the worker that began the first message; 0: none has. */
uint32_t truth_probed_by(uint32_t attempt);

/* All that was sent and said since truth_probe has arrived. */
void truth_probed(uint32_t attempt, bool is_open);

void truth_final(void);

typedef struct {
    uint64_t attempts, opened, sent, answered, failed, connects, disconnects;
    uint64_t redelivered, loose; /* handlers that began again, or unordered */
    uint64_t cries, cries_heard; /* pushes to names, and who heard them … */
    uint64_t owed;               /* … of whom so many had to, in probes */
    uint64_t presences, present; /* events; connections in groups, in the end */
} truth_counts_t;

truth_counts_t truth_counts(void);

#endif
