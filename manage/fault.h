/* SPDX-License-Identifier: MIT
 *
 * Every way in which a request to the management API can fail, with what its
 * client is told: types and messages as API Gateway has them.
 */
#ifndef MANAGE_FAULT_H
#define MANAGE_FAULT_H

typedef struct {
    unsigned status;
    const char *type;    /* x-amzn-ErrorType, by which SDKs tell them apart */
    const char *message; /* %s: what it is about */
} fault_t;

extern const fault_t fault_id;        /* an id that cannot be one */
extern const fault_t fault_name;      /* no user, tenant or group has it */
extern const fault_t fault_close;     /* ?code= or ?reason= */
extern const fault_t fault_syntax;    /* an escape that is none */
extern const fault_t fault_forbidden; /* no such path, stage or method */
extern const fault_t fault_length;    /* a body without Content-Length */
extern const fault_t fault_too_large;
extern const fault_t fault_gone;
extern const fault_t fault_slow; /* the client's buffer is full */
extern const fault_t fault_busy; /* too many requests under way */
extern const fault_t fault_down; /* no broker, or it was lost meanwhile */
extern const fault_t fault_late;
extern const fault_t fault_memory;

/* Of who asks. */
extern const fault_t fault_no_credentials;
extern const fault_t
    fault_bad_credentials;            /* unreadable, or signs too little */
extern const fault_t fault_skewed;    /* signed at another time */
extern const fault_t fault_signature; /* or a key that nobody has */
extern const fault_t fault_token;     /* of a bearer */
extern const fault_t fault_replayed;
extern const fault_t fault_too_many_signed;

#endif
