/* SPDX-License-Identifier: MIT
 *
 * The messages of PROTOCOL.md as C structs, and their codec.
 *
 * A frame is zero or more messages back to back; each is a MessagePack array
 * [kind, fields…].  Decoding lends: every wire_bytes_t and body_t in a
 * message points into the frame and lives as long as it.  Encoding appends to
 * a buf_t, whole messages only: on error the buffer is as it was.  Pure; any
 * thread.
 */
#ifndef PROTO_MESSAGE_H
#define PROTO_MESSAGE_H

#include "proto/conn_id.h"
#include "proto/wire.h"

#define PROTOCOL_VERSION 1

/*
 * Limits of single fields: bytes, elements or values.  PROTOCOL.md, "Limits",
 * names each of them; a test holds the two against each other.
 */
#define FRAME_MAX       (64 << 20)
#define KIND_MAX        255
#define ROLE_MAX        64
#define BOOT_ID_MAX     32
#define PEER_NAME_MAX   64
#define OPTIONS_MAX     65536
#define DURATION_MAX    2147483647 /* ms */
#define ROUTE_KEY_MAX   128
#define ROUTES_MAX      1024
#define REDELIVER_MAX   100
#define STATUS_MIN      100
#define STATUS_MAX      599
#define USER_MAX        256
#define TENANT_MAX      256
#define ATTRIBUTES_MAX  4096
#define CONTEXT_MAX     8192
#define DETAILS_MAX     65536
#define CLOSE_CODE_MIN  1000
#define CLOSE_CODE_MAX  4999
#define REASON_MAX      123
#define TARGETS_MAX     65536
#define CONN_NAMED_MAX  128 /* an id in PUSH, CLOSE, JOIN, LEAVE and GONE */
#define TRACEPARENT_MAX 55  /* bytes */
#define EXCEPT_MAX      100
#define GROUP_MAX       128
#define GROUPS_MAX      64     /* of a connection */
#define INTERESTS_MAX   262144 /* names of a gateway that a broker keeps */
#define CREDIT_MS       100    /* that a peer keeps CREDIT back, at most, … */
#define CREDIT_SHARE    4 /* … and less than one of so many of a push window */
#define ERROR_CODE_MAX  64
#define ERROR_TEXT_MAX  256

typedef enum {
    KIND_HELLO = 1,
    KIND_WELCOME = 2,
    KIND_READY = 3,
    KIND_REQUEST = 4,
    KIND_REPLY = 5,
    KIND_PUSH = 6,
    KIND_PUSHED = 7,
    KIND_JOIN = 8,
    KIND_LEAVE = 9,
    KIND_CLOSE = 10,
    KIND_GONE = 11,
    KIND_QUERY = 12,
    KIND_RESULT = 13,
    KIND_CREDIT = 15,
    KIND_PING = 16,
    KIND_PONG = 17,
    KIND_SYNC = 18,
    KIND_DRAIN = 19,
    KIND_BYE = 20,
    KIND_WHO = 21,
    KIND_ERROR = 22,
    KIND_INTEREST = 23,
    KIND_WATCH = 24,
} message_kind_t;

typedef enum {
    EVENT_CONNECT = 1,
    EVENT_MESSAGE = 2,
    EVENT_DISCONNECT = 3,
    EVENT_PRESENCE = 4,
} event_t;

/*
 * Does the window of a gateway count requests of this event?  Not DISCONNECT:
 * it frees what the broker holds, and one that waits for its worker must not
 * stand in the way of the living (PROTOCOL.md, section 11).  Nor PRESENCE, of
 * which a connection has one at a time.
 */
static inline bool event_is_counted(uint64_t event)
{
    return event == EVENT_CONNECT || event == EVENT_MESSAGE;
}

/* Is a connection there because of it, or no longer? */
static inline bool event_is_edge(uint64_t event)
{
    return event == EVENT_CONNECT || event == EVENT_DISCONNECT;
}

/* May a CLOSE carry this code (PROTOCOL.md, section 8)?  For people: */
#define CLOSE_CODES "1000, 1001, 1003, 1007 to 1013, or 3000 to 4999"
static inline bool close_code_is_allowed(uint64_t code)
{
    return code == 1000 || code == 1001 || code == 1003 ||
           (code >= 1007 && code <= 1013) || (code >= 3000 && code <= 4999);
}

typedef struct {
    uint64_t version;     /* highest protocol version the peer speaks */
    wire_bytes_t role;    /* "gateway", "worker" or "manager" */
    wire_bytes_t boot;    /* 1..BOOT_ID_MAX bytes, new at each start */
    wire_bytes_t name;    /* 0..PEER_NAME_MAX bytes, for people */
    wire_bytes_t options; /* map: "oldest"; of a worker "liveness"; of a
                             gateway "loop", "require_connect", "presence",
                             "broker", "session" */
} message_hello_t;

typedef struct {
    uint64_t version;      /* that both will speak */
    wire_bytes_t boot;     /* of the broker */
    wire_bytes_t name;     /* of the broker */
    uint64_t heartbeat_ms; /* send something at least this often */
    uint64_t liveness_ms;  /* after this silence the other side is lost */
    wire_bytes_t options;  /* map: "window", "window_bytes", "push_window",
                              "push_window_bytes" */
} message_welcome_t;

typedef struct {
    wire_bytes_t routes;   /* array of str or [str, map] */
    uint64_t window;       /* requests that may be outstanding, >= 1 */
    uint64_t window_bytes; /* their encoded size together, >= 1 */
} message_ready_t;

typedef struct {
    uint64_t id;          /* of this hop; comes back in the REPLY */
    uint64_t event;       /* event_t */
    wire_bytes_t conn;    /* CONN_ID_TEXT characters */
    wire_bytes_t route;   /* route key, 1..ROUTE_KEY_MAX bytes */
    body_t body;          /* of a MESSAGE, else BODY_NONE */
    uint64_t deadline_ms; /* left, from the moment of sending */
    wire_bytes_t context; /* map about the connection, or nil */
    wire_bytes_t details; /* map about this event, or nil */
    uint64_t number;      /* end to end; names the request in error frames */
    uint64_t attempt;     /* how often it was given to a worker; 0 is 1 */
    wire_bytes_t traceparent; /* proto/traceparent.h; empty: none */
} message_request_t;

typedef struct {
    uint64_t id;          /* of the REQUEST */
    uint64_t status;      /* 100..599, as in HTTP */
    body_t body;          /* to the client, or BODY_NONE */
    wire_bytes_t options; /* map or nil: "subprotocol", "headers", "user",
                             "tenant", "attributes", "groups" (on CONNECT);
                             "runs" (of
                             the broker's own, to a gateway) */
} message_reply_t;

typedef struct {
    wire_bytes_t target; /* array: ["connection", id, …], ["group", name], … */
    body_t body;         /* text or binary */
    wire_bytes_t options; /* map or nil: "except", "ack", "ttl"; "from" (broker
                             to gateway) */
} message_push_t;

typedef struct {
    uint64_t id;                       /* of the PUSH's "ack" */
    uint64_t delivered, gone, refused; /* connections */
} message_pushed_t;

/* JOIN and LEAVE. */
typedef struct {
    wire_bytes_t group; /* 1..GROUP_MAX bytes */
    wire_bytes_t conn;  /* as in a CLOSE */
    uint64_t from;      /* likewise; of an ERROR, too */
} message_join_t;

typedef struct {
    wire_bytes_t conn;
    uint64_t code;       /* 1000..4999, RFC 6455 section 7.4 */
    wire_bytes_t reason; /* 0..REASON_MAX bytes, UTF-8 */
    uint64_t from;       /* opaque to the gateway; comes back in a GONE */
} message_close_t;

typedef struct {
    wire_bytes_t conn; /* whatever text it was that stands for none (any more);
                          who puts it keeps to CONN_NAMED_MAX */
    uint64_t from;     /* of the PUSH or CLOSE; gateway to broker only */
} message_gone_t;

typedef struct {
    uint64_t id;          /* the worker's own; comes back in the RESULT */
    wire_bytes_t what;    /* array: ["user", name], … */
    wire_bytes_t options; /* map: "limit", "cursor" */
} message_query_t;

typedef struct {
    uint64_t id;
    uint64_t status;      /* 100..599, as in HTTP */
    wire_bytes_t rows;    /* array of [conn, context] */
    wire_bytes_t options; /* map: "cursor", "count" */
} message_result_t;

typedef struct {
    uint64_t messages; /* pushes that may be sent again */
    uint64_t bytes;    /* of their targets and bodies */
} message_credit_t;

typedef struct {
    uint64_t in_flight; /* requests held without a REPLY */
    uint64_t oldest_ms; /* age of the oldest of them */
    uint64_t number;    /* that its PONG gives back; 0: none */
} message_ping_t;

typedef struct {
    uint64_t number; /* of the PING; 0: it had none */
} message_pong_t;

/* What a SYNC says about the connections that it names. */
typedef enum {
    SYNC_LIST = 0, /* they, and those of its other parts, are all there are */
    SYNC_ADD = 1,  /* they too: they come from another broker */
    SYNC_DROP = 2, /* they are another broker's now */
} sync_change_t;

typedef struct {
    wire_bytes_t connections; /* array of [conn, context] */
    bool more;                /* another SYNC continues the list */
    uint64_t session;         /* of the WELCOME that it answers; 0: not said */
    uint64_t change;          /* sync_change_t */
} message_sync_t;

typedef struct {
    wire_bytes_t code; /* stable word, PROTOCOL.md "Errors" */
    wire_bytes_t text; /* 0..ERROR_TEXT_MAX bytes, for people */
    uint64_t from;     /* of the JOIN; gateway to broker only */
} message_error_t;

/* What an INTEREST says about the names in it. */
typedef enum {
    INTEREST_LIST = 0, /* they, and those of its other parts, are all */
    INTEREST_CAME = 1, /* the first connection of that name is there */
    INTEREST_LEFT = 2, /* the last one has left */
} interest_change_t;

typedef struct {
    uint64_t change;    /* interest_change_t */
    wire_bytes_t names; /* array of [type, name] */
    bool more;          /* another INTEREST continues the list */
    uint64_t session;   /* as in a SYNC */
} message_interest_t;

typedef struct {
    bool presence; /* does somebody serve $presence? */
} message_watch_t;

typedef struct {
    message_kind_t kind;
    size_t size; /* bytes of the whole encoded message; what windows count */
    union {
        message_hello_t hello;
        message_welcome_t welcome;
        message_ready_t ready;
        message_request_t request;
        message_reply_t reply;
        message_push_t push;
        message_pushed_t pushed;
        message_join_t join; /* of a LEAVE, too */
        message_close_t close;
        message_gone_t gone;
        message_query_t query;
        message_result_t result;
        message_credit_t credit;
        message_ping_t ping;
        message_pong_t pong;
        message_sync_t sync;
        message_error_t error;
        message_interest_t interest;
        message_watch_t watch;
    };
} message_t;

/*
 * Decode the next message of a frame and move the cursor behind it.
 * Returns 1 with *message filled; 0 at the end of the frame; -ENOTSUP for an
 * array of an unknown kind, which is skipped; -EPROTO for an array whose
 * fields break the rules of its kind, which is skipped too; -EBADMSG for what
 * is no MessagePack array: the cursor is at the end of the frame then.
 */
int message_decode(wire_cursor_t *frame, message_t *message);

/* Is a text body UTF-8?  Decoding does not look; any other body is. */
bool message_body_is_valid(const body_t *body);

/* The name of a kind as PROTOCOL.md writes it ("REQUEST"), or "?". */
const char *message_kind_name(message_kind_t kind);

/*
 * Each appends one message.  An empty `context`, `details`, `options`, `rows`
 * or `connections` (len 0) is written as nil or as an empty map or array.
 * Returns 0, -ENOBUFS past the buffer's limit, -ENOMEM; then out is unchanged.
 * A REQUEST or REPLY is past it already where it would not fit if all its
 * numbers were long.
 */
int message_put_hello(buf_t *out, const message_hello_t *hello);
int message_put_welcome(buf_t *out, const message_welcome_t *welcome);
int message_put_ready(buf_t *out, const message_ready_t *ready);
int message_put_request(buf_t *out, const message_request_t *request);
int message_put_reply(buf_t *out, const message_reply_t *reply);
int message_put_push(buf_t *out, const message_push_t *push);
int message_put_pushed(buf_t *out, const message_pushed_t *pushed);
int message_put_join(buf_t *out, message_kind_t kind,
                     const message_join_t *join); /* or LEAVE */
int message_put_close(buf_t *out, const message_close_t *close);
int message_put_gone(buf_t *out, const message_gone_t *gone);
int message_put_query(buf_t *out, const message_query_t *query);
int message_put_result(buf_t *out, const message_result_t *result);
int message_put_credit(buf_t *out, const message_credit_t *credit);
int message_put_ping(buf_t *out, const message_ping_t *ping);
int message_put_pong(buf_t *out, const message_pong_t *pong);
int message_put_sync(buf_t *out, const message_sync_t *sync);
int message_put_interest(buf_t *out, const message_interest_t *interest);
int message_put_watch(buf_t *out, const message_watch_t *watch);
int message_put_error(buf_t *out, const char *code, const char *text);

/* The ERROR of a gateway, for the sender of a JOIN. */
int message_put_error_to(buf_t *out, uint64_t from, const char *code,
                         const char *text);

/*
 * Up to which PING it answers, where all up to `answered` have been: one
 * without a number, as brokers of before say it, the next.
 */
static inline uint64_t message_pong_answers(const message_pong_t *pong,
                                            uint64_t answered)
{
    uint64_t number = pong->number > 0 ? pong->number : answered + 1;

    return number > answered ? number : answered;
}

/* DRAIN, BYE and WHO have no fields. */
int message_put_bare(buf_t *out, message_kind_t kind);

/*
 * Encode any message by its kind; used by tests, vectors and simulators.
 * Returns as the above, -EINVAL for an unknown kind.
 */
int message_put(buf_t *out, const message_t *message);

#endif
