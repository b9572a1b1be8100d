/* SPDX-License-Identifier: MIT
 *
 * What managers were asked, what they answered, and what clients heard of it;
 * the promises of docs/management.md held against that.
 *
 * Each request has one answer, in its time.  What is posted comes to a
 * connection once at most, and once where the answer says so, in the order of
 * one manager; what was closed has ended; counts are those of who heard.
 */
#ifndef TESTS_SIMULATION_ASKS_H
#define TESTS_SIMULATION_ASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { ASK_POST, ASK_CAST, ASK_GET, ASK_CLOSE } ask_verb_t;

void asks_begin(void);
void asks_end(void);

/* A manager is asked about an attempt's connection, or to push to a name
 * ("all", "u0", "g0", …).  Each returns the request's number, 1, 2, … */
uint32_t asks_about(ask_verb_t verb, uint32_t manager, uint32_t attempt);
uint32_t asks_cast(uint32_t manager, const char *name);

/* Its message went to this broker. */
void asks_sent(uint32_t number, size_t broker);

/* The answer.  The counts are those of a cast. */
typedef struct {
    unsigned status;
    uint64_t delivered, gone, refused;
} asks_answer_t;
void asks_told(uint32_t number, const asks_answer_t *answer);

/* The manager does nothing until then; or died, and nobody gets answers. */
void asks_stopped(uint32_t manager, int64_t until_ms);
void asks_orphaned(uint32_t manager);

/* A client hears what a manager said: "post NUMBER", or "cast NUMBER". */
void asks_heard(uint32_t attempt, uint32_t number, bool is_cast);

/* Whoever is asked from now on must know; or no longer. */
void asks_peace(bool is_peace);

/* No answer is missing that is due. */
void asks_check_due(void);

/* All answers are here, and all that was delivered has arrived. */
void asks_check_heard(void);

typedef struct {
    uint64_t asked, done, gone, failed, heard;
} asks_counts_t;

asks_counts_t asks_counts(void);

#endif
