/* SPDX-License-Identifier: MIT
 *
 * The processes of a running system, asked over HTTP at their admin listeners.
 * All are asked at once, so that one that is silent takes no time from the
 * others.  One thread.
 */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include "cli/args.h"

#include <stddef.h>

#include <jansson.h>

#define ASK_MAX         64 /* processes */
#define ASK_PROBLEM_MAX 256
#define ASK_ANSWER_MAX  8388608 /* bytes; more is no answer of hoist's */

/* The option that says where they are; a verb has it in its table. */
#define ASK_OPTION                                                             \
    {                                                                          \
        "--admin", "ADDRESSES",                                                \
            "of admin listeners: ADDRESS:PORT[,…] [HOIST_ADMIN, "            \
            "127.0.0.1:9100]"                                                  \
    }

typedef struct {
    char address[ASK_MAX][256];
    size_t count;
} asked_t;

/*
 * Where to ask: as was said, else (NULL or "") HOIST_ADMIN, else
 * 127.0.0.1:9100. Returns 0, or -EINVAL with one line in error.
 */
int asked_read(asked_t *self, const char *said, char error[ARGS_ERROR_MAX]);

typedef struct {
    const char *method; /* NULL: GET */
    const char *path;   /* and query */
    const void *body;   /* lent; NULL: none */
    size_t body_len;
    const char *type; /* of the body */
    long wait_ms;     /* for all of the answer; 0: 5000 */
    FILE *to;         /* where the answer is copied; NULL: it goes to reply */
} ask_t;

typedef struct {
    const char *address;           /* borrowed */
    long status;                   /* of HTTP; 0: no answer */
    bool is_sent;                  /* it may have been done all the same */
    char problem[ASK_PROBLEM_MAX]; /* "", or what is wrong, for people */
    json_t *json;                  /* owned; NULL unless it is 200 and JSON */
} reply_t;

/* Ask one; or all, replies has one for each, in their order. */
void ask(const char *address, const ask_t *what, reply_t *reply);
void ask_all(const asked_t *asked, const ask_t *what, reply_t *replies);

void reply_fini(reply_t *self);
void replies_fini(reply_t *replies, size_t count);

/* A list that is told in pages: reply.json[actor][member]. */
typedef struct {
    const char *path; /* and query */
    const char *actor, *member;
    size_t limit; /* rows of one process */

    /* A row; lent. */
    void (*row)(void *user, const char *address, json_t *row);
    void *user; /* borrowed */
} ask_list_t;

/*
 * Take all rows that a process has.
 * Returns 0; 1 when there were more than the limit; -ENOENT when it has no such
 * actor; -EIO with what is wrong in problem.
 */
int ask_pages(const char *address, const ask_list_t *list,
              char problem[ASK_PROBLEM_MAX]);

/* --- reading answers ----------------------------------------------------- */

/* A number below keys, 0 when it is not there. */
uint64_t ask_number(const json_t *object, const char *key);

/* A text, "" when it is not there; lent. */
const char *ask_text(const json_t *object, const char *key);

bool ask_flag(const json_t *object, const char *key);

#endif
