/* SPDX-License-Identifier: MIT
 *
 * The life of a call: wait for credentials if need be, sign, send, read the
 * answer; then end, or wait a random time and begin again.
 */
#include "store/dynamodb_client.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "store/credentials.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX     (16 << 20) /* bytes; a page of a list is 1 MB of rows */
#define ATTEMPT_MIN_MS 1000       /* that one attempt is given, if there are */
#define BACKOFF_MS     50         /* of the first attempt, doubled each time */
#define BACKOFF_MAX_MS 2000
#define BAD_ANSWERS    3 /* then what answers is no DynamoDB */
#define TYPE_MAX       96
#define MESSAGE_MAX    256
#define HEADER_MAX     9216 /* a session token is long */

struct dynamodb_client {
    struct ev_loop *loop;       /* borrowed */
    const dynamodb_url_t *url;  /* borrowed */
    store_stats_t *stats;       /* borrowed */
    http_t *http;               /* owned */
    credentials_t *credentials; /* owned */
    list_t calls;               /* owned: dynamodb_call_t */
};

/* What a call does at the moment. */
typedef enum { WAITS_FOR_TIME, WAITS_FOR_CREDENTIALS, IS_SENT } state_t;

struct dynamodb_call {
    list_t linked;
    dynamodb_client_t *client; /* borrowed */
    const char *action;
    bool is_streams;
    char *text, *again; /* owned; the bodies */
    int64_t deadline_ms;
    dynamodb_done_fn *done;
    void *user;

    state_t state;
    ev_timer timer;
    http_call_t *sent; /* NULL: it is not */
    unsigned attempts, bad_answers;
    unsigned version; /* of the credentials that it was signed with */
    bool has_renewed; /* credentials, since the former were refused */
    int rc;           /* of the last attempt; 0: none was made */
    bool is_over;     /* the timer is to end it with rc */
    char type[TYPE_MAX], message[MESSAGE_MAX];
};

/* --- errors -------------------------------------------------------------- */

typedef enum { FINAL, AGAIN, RENEW } then_t;

typedef struct {
    const char *type;
    int rc;
    then_t then;
} kind_t;

static const kind_t errors[] = {
    {"ConditionalCheckFailedException", -ESTALE, FINAL},
    {"ProvisionedThroughputExceededException", -EBUSY, AGAIN},
    {"ThrottlingException", -EBUSY, AGAIN},
    {"Throttling", -EBUSY, AGAIN},
    {"RequestLimitExceeded", -EBUSY, AGAIN},
    {"LimitExceededException", -EBUSY, AGAIN},
    {"TransactionConflictException", -EBUSY, AGAIN},
    {"ExpiredTokenException", -EACCES, RENEW},
    {"ExpiredToken", -EACCES, RENEW},
    {"RequestExpired", -EACCES, RENEW},
    {"UnrecognizedClientException", -EACCES, RENEW},
    {"InvalidClientTokenId", -EACCES, RENEW},
    {"InvalidSignatureException", -EACCES, RENEW},
    {"IncompleteSignatureException", -EACCES, FINAL},
    {"IncompleteSignature", -EACCES, FINAL},
    {"SignatureDoesNotMatch", -EACCES, FINAL},
    {"MissingAuthenticationTokenException", -EACCES, FINAL},
    {"MissingAuthenticationToken", -EACCES, FINAL},
    {"AccessDeniedException", -EACCES, RENEW},
    {"AccessDenied", -EACCES, RENEW},
    {"NotAuthorized", -EACCES, FINAL},
    {"OptInRequired", -EACCES, FINAL},
    {"InternalServerError", -EREMOTEIO, AGAIN},
    {"InternalFailure", -EREMOTEIO, AGAIN},
    {"ServiceUnavailable", -EREMOTEIO, AGAIN},
    {"ServiceUnavailableException", -EREMOTEIO, AGAIN},
};

static kind_t error_of(const char *type, long status)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (strcmp(type, errors[i].type) == 0) {
            return errors[i];
        }
    }
    return status == 429                    ? (kind_t){type, -EBUSY, AGAIN}
           : status >= 500                  ? (kind_t){type, -EREMOTEIO, AGAIN}
           : status == 401 || status == 403 ? (kind_t){type, -EACCES, RENEW}
                                            : (kind_t){type, -EREMOTEIO, FINAL};
}

/* com.amazonaws.dynamodb.v20120810#ValidationException, and its message. */
static void read_fault(dynamodb_call_t *call, const json_t *root, long status)
{
    const char *type = json_string_value(json_object_get(root, "__type"));
    const char *message = json_string_value(json_object_get(root, "message"));
    const char *hash = type == NULL ? NULL : strrchr(type, '#');

    if (message == NULL) {
        message = json_string_value(json_object_get(root, "Message"));
    }
    snprintf(call->type, sizeof call->type, "%s",
             hash != NULL   ? hash + 1
             : type != NULL ? type
                            : "");
    if (call->type[0] == '\0') {
        snprintf(call->message, sizeof call->message, "status %ld", status);
    } else {
        snprintf(call->message, sizeof call->message, "%s: %s", call->type,
                 message == NULL ? "" : message);
    }
}

/* --- the end ------------------------------------------------------------- */

static void free_call(dynamodb_call_t *call)
{
    list_remove(&call->linked);
    http_cancel(&call->sent);
    ev_timer_stop(call->client->loop, &call->timer);
    free(call->text);
    free(call->again);
    free(call);
}

static void end_call(dynamodb_call_t *call, int rc, json_t *answer)
{
    const dynamodb_fault_t fault = {call->type, call->message};

    list_remove(&call->linked);
    call->client->stats->store_connects = http_connects(call->client->http);
    call->done(call->user, rc, rc == 0 ? answer : NULL, &fault);
    free_call(call);
}

static void wait_for(dynamodb_call_t *call, int64_t ms)
{
    call->state = WAITS_FOR_TIME;
    ev_now_update(call->client->loop);
    ev_timer_stop(call->client->loop, &call->timer);
    ev_timer_set(&call->timer, (double)ms / 1e3, 0);
    ev_timer_start(call->client->loop, &call->timer);
}

/* By the loop, since whoever started the call is still at it. */
static void end_soon(dynamodb_call_t *call, int rc)
{
    call->rc = rc;
    call->is_over = true;
    wait_for(call, 0);
}

int64_t dynamodb_backoff_ms(unsigned attempt)
{
    int64_t most = BACKOFF_MS;

    for (; attempt > 1 && most < BACKOFF_MAX_MS; attempt--) {
        most *= 2;
    }
    most = most < BACKOFF_MAX_MS ? most : BACKOFF_MAX_MS;
    return (int64_t)(rand_u32() % (uint32_t)(most + 1));
}

static void try_again(dynamodb_call_t *call, int rc)
{
    int64_t pause_ms = dynamodb_backoff_ms(call->attempts);

    if (clock_mono_ms() + pause_ms >= call->deadline_ms) {
        end_soon(call, rc);
        return;
    }
    call->rc = rc;
    call->client->stats->store_retries++;
    wait_for(call, pause_ms);
}

/* --- the answer ---------------------------------------------------------- */

static void begin(dynamodb_call_t *call);

static void on_bad_answer(dynamodb_call_t *call, const char *what)
{
    snprintf(call->message, sizeof call->message, "%s", what);
    if (++call->bad_answers < BAD_ANSWERS) {
        try_again(call, -EPROTO);
    } else {
        end_call(call, -EPROTO, NULL);
    }
}

static void on_refusal(dynamodb_call_t *call, int rc)
{
    dynamodb_client_t *self = call->client;

    if (!call->has_renewed &&
        credentials_refused(self->credentials, call->version,
                            clock_wall_ms() / 1000)) {
        call->has_renewed = true;
        self->stats->store_retries++;
        begin(call);
    } else {
        end_call(call, rc, NULL);
    }
}

static void on_fault(dynamodb_call_t *call, const json_t *root, long status)
{
    read_fault(call, root, status);
    kind_t error = error_of(call->type, status);
    switch (error.then) {
    case AGAIN:
        try_again(call, error.rc);
        break;
    case RENEW:
        on_refusal(call, error.rc);
        break;
    default:
        end_call(call, error.rc, NULL);
    }
}

static void on_answer(dynamodb_call_t *call, const http_answer_t *answer)
{
    json_t *root = json_loadb((const char *)answer->body.data, answer->body.len,
                              JSON_ALLOW_NUL, NULL);

    if (answer->status != 200) {
        on_fault(call, root, answer->status);
    } else if (!json_is_object(root)) {
        on_bad_answer(call, "an answer that is no JSON object");
    } else {
        end_call(call, 0, root);
    }
    json_decref(root);
}

/* Its time is over: what an attempt before was told says more than that the
 * last one was cut short. */
static bool is_cut_short(const dynamodb_call_t *call, int rc)
{
    return rc == -ETIMEDOUT && call->rc < 0 &&
           clock_mono_ms() + 1 >= call->deadline_ms;
}

static void on_http(void *user, int rc, const http_answer_t *answer,
                    const char *why)
{
    dynamodb_call_t *call = user;

    call->sent = NULL;
    if (rc == 0) {
        on_answer(call, answer);
    } else if (is_cut_short(call, rc)) {
        end_call(call, call->rc, NULL);
    } else if (rc == -EMSGSIZE) {
        snprintf(call->message, sizeof call->message,
                 "an answer of more than %d bytes", ANSWER_MAX);
        end_call(call, -EPROTO, NULL);
    } else if (rc == -EPROTO) {
        on_bad_answer(call, why);
    } else {
        snprintf(call->message, sizeof call->message, "%s", why);
        try_again(call, rc);
    }
}

/* --- the request --------------------------------------------------------- */

typedef struct {
    char host[DYNAMODB_URL_MAX + 16], date[64], target[128];
    char token[HEADER_MAX], authorization[SIGV4_TEXT_MAX + 32];
    char url[DYNAMODB_URL_MAX + 1];
} lines_t;

static const char content_type[] = "application/x-amz-json-1.0";

/* Returns 0, or a negative errno where the request cannot be signed. */
static int sign(const dynamodb_call_t *call, const sigv4_key_t *key,
                wire_bytes_t token, wire_bytes_t body, lines_t *lines)
{
    const dynamodb_url_t *url = call->client->url;
    const char *host = call->is_streams ? url->streams_host : url->host;
    char date[SIGV4_DATE], target[96], authorization[SIGV4_TEXT_MAX];
    const sigv4_scope_t scope = {wire_bytes(url->region),
                                 wire_bytes("dynamodb")};

    sigv4_date(clock_wall_ms() / 1000, date);
    snprintf(target, sizeof target, "%s_20120810.%s",
             call->is_streams ? "DynamoDBStreams" : "DynamoDB", call->action);
    sigv4_header_t headers[] = {
        {wire_bytes("content-type"), wire_bytes(content_type)},
        {wire_bytes("host"), wire_bytes(host)},
        {wire_bytes("x-amz-date"), wire_bytes(date)},
        {wire_bytes("x-amz-target"), wire_bytes(target)},
        {wire_bytes("x-amz-security-token"), token}};
    const sigv4_request_t request = {.method = wire_bytes("POST"),
                                     .path = wire_bytes("/"),
                                     .headers = headers,
                                     .header_count = token.len > 0 ? 5 : 4,
                                     .body = body};
    int rc = sigv4_sign(&request, key, &scope, authorization);
    snprintf(lines->host, sizeof lines->host, "Host: %s", host);
    snprintf(lines->date, sizeof lines->date, "X-Amz-Date: %s", date);
    snprintf(lines->target, sizeof lines->target, "X-Amz-Target: %s", target);
    snprintf(lines->token, sizeof lines->token, "X-Amz-Security-Token: %.*s",
             (int)token.len, (const char *)token.data);
    snprintf(lines->authorization, sizeof lines->authorization,
             "Authorization: %s", rc == 0 ? authorization : "");
    snprintf(lines->url, sizeof lines->url, "%s/",
             call->is_streams ? url->streams : url->endpoint);
    return rc;
}

/* One attempt has half of the time that is left, lest the first one that hangs
 * takes all of it. */
static int64_t attempt_ms(const dynamodb_call_t *call)
{
    int64_t left_ms = call->deadline_ms - clock_mono_ms();
    int64_t half_ms = left_ms / 2;

    return half_ms > ATTEMPT_MIN_MS   ? half_ms
           : left_ms < ATTEMPT_MIN_MS ? left_ms
                                      : ATTEMPT_MIN_MS;
}

static void send_call(dynamodb_call_t *call, const sigv4_key_t *key,
                      wire_bytes_t token)
{
    const char *text =
        call->rc < 0 && call->again != NULL ? call->again : call->text;
    wire_bytes_t body = wire_bytes(text);
    lines_t lines;
    int rc = sign(call, key, token, body, &lines);
    const http_request_t request = {
        .url = lines.url,
        .headers = {lines.host, lines.date, lines.target,
                    "Content-Type: application/x-amz-json-1.0",
                    lines.authorization,
                    "Expect:", token.len > 0 ? lines.token : NULL},
        .is_post = true,
        .is_once = call->again != NULL,
        .body = body,
        .timeout_ms = attempt_ms(call),
        .answer_max = ANSWER_MAX};

    if (rc < 0) {
        snprintf(call->message, sizeof call->message,
                 "credentials that cannot sign");
        end_soon(call, rc == -ENOMEM ? rc : -EACCES);
        return;
    }
    call->state = IS_SENT;
    call->version = credentials_version(call->client->credentials);
    call->attempts++;
    call->sent = http_start(call->client->http, &request, on_http, call);
    if (call->sent == NULL) {
        end_soon(call, -ENOMEM);
    }
}

static void begin(dynamodb_call_t *call)
{
    ev_timer_stop(call->client->loop, &call->timer);
    credentials_t *credentials = call->client->credentials;
    sigv4_key_t key;
    wire_bytes_t token;

    int rc = credentials_get(credentials, clock_wall_ms() / 1000, &key, &token);
    if (rc == 0) {
        send_call(call, &key, token);
        return;
    }
    snprintf(call->message, sizeof call->message, "%s",
             credentials_reason(credentials));
    if (rc == -EAGAIN) {
        int64_t left_ms = call->deadline_ms - clock_mono_ms();
        wait_for(call, left_ms > 0 ? left_ms : 0);
        call->state = WAITS_FOR_CREDENTIALS;
    } else if (rc == -ENOTCONN) {
        call->attempts++;
        try_again(call, -EACCES);
    } else {
        end_soon(call, -EACCES);
    }
}

/* --- events -------------------------------------------------------------- */

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    dynamodb_call_t *call = timer->data;
    (void)loop;
    (void)events;

    if (call->is_over) {
        end_call(call, call->rc, NULL);
    } else if (call->state == WAITS_FOR_CREDENTIALS) {
        end_call(call, -EACCES, NULL); /* they did not come in its time */
    } else {
        begin(call);
    }
}

/* begin may fail, but ends nothing by itself: the list stays as it is. */
static void on_credentials(void *user)
{
    dynamodb_client_t *self = user;

    list_foreach(link, &self->calls) {
        dynamodb_call_t *call = list_entry(link, dynamodb_call_t, linked);
        if (call->state == WAITS_FOR_CREDENTIALS) {
            begin(call);
        }
    }
}

/* --- public -------------------------------------------------------------- */

dynamodb_client_t *dynamodb_client_new(struct ev_loop *loop,
                                       const dynamodb_url_t *url,
                                       store_stats_t *stats)
{
    dynamodb_client_t *self = xcalloc(1, sizeof *self);

    self->loop = loop;
    self->url = url;
    self->stats = stats;
    list_init(&self->calls);
    self->http = http_new(loop, DYNAMODB_CONNECTIONS);
    must(self->http != NULL);
    self->credentials = credentials_new(loop, self->http);
    credentials_listen(self->credentials, on_credentials, self);
    return self;
}

void dynamodb_client_destroy(dynamodb_client_t **self_p)
{
    dynamodb_client_t *self = *self_p;

    if (self == NULL) {
        return;
    }
    list_foreach_safe(link, &self->calls) {
        free_call(list_entry(link, dynamodb_call_t, linked));
    }
    credentials_destroy(&self->credentials);
    http_destroy(&self->http);
    free(self);
    *self_p = NULL;
}

/* The text of a body that is moved here; NULL for none. */
static char *take_text(json_t *body)
{
    char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);

    json_decref(body);
    return text;
}

dynamodb_call_t *dynamodb_start(dynamodb_client_t *self,
                                const dynamodb_request_t *request)
{
    char *text = take_text(request->body), *again = take_text(request->again);
    dynamodb_call_t *call = text == NULL ? NULL : calloc(1, sizeof *call);

    if (call == NULL) {
        free(text);
        free(again);
        return NULL;
    }
    *call = (dynamodb_call_t){.client = self,
                              .action = request->action,
                              .is_streams = request->is_streams,
                              .text = text,
                              .again = again,
                              .deadline_ms = request->deadline_ms,
                              .done = request->done,
                              .user = request->user};
    ev_init(&call->timer, on_timer);
    call->timer.data = call;
    list_append(&self->calls, &call->linked);
    begin(call);
    return call;
}

void dynamodb_cancel(dynamodb_call_t **call_p)
{
    if (*call_p != NULL) {
        free_call(*call_p);
        *call_p = NULL;
    }
}
