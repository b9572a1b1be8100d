/* SPDX-License-Identifier: MIT
 *
 *   read spans --> ring --> batch under way --200--> counted, forgotten
 *                              |   ^
 *                              v   | after a while
 *                            no answer, 429, 502, 503, 504; else dropped
 */
#include "trace/outgoing.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/thread.h"
#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>

#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>
#include <openssl/crypto.h>

#define RING_MAX       8192 /* spans that wait, the batch among them */
#define BATCH_MAX      512  /* spans in a request */
#define BATCH_BYTES    ((size_t)1 << 20)
#define LINGER_MS      500 /* that a span waits for others */
#define CONNECT_MS     3000
#define TIMEOUT_MS     10000
#define BACKOFF_MS     500 /* of the first failure, doubled each time */
#define BACKOFF_MAX_MS 30000

typedef struct {
    int fd;         /* its end of the socket */
    char *endpoint; /* owned, as are … */
    char *texts[3]; /* … those of the source */
    otlp_source_t source;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    buf_t body;        /* of the request under way */
    size_t batch;      /* spans in it, from `first` on; 0: there is none */
    bool is_sent;      /* else the batch waits to be said again */
    int64_t due_ms;    /* when it is */
    int64_t end_ms;    /* when there is an end, sent or not; 0: not yet */
    unsigned failures; /* one after the other */
    int64_t filled_ms; /* when the first of those that wait came */
    exporter_counts_t untold;
    size_t first, count;
    span_t ring[RING_MAX];
    span_t packet[OUTGOING_PACKET];
    span_t spans[BATCH_MAX]; /* of a batch, in a row */
} outgoing_t;

/* --- from the actor ------------------------------------------------------ */

static void take_span(outgoing_t *self, const span_t *span)
{
    if (self->count == RING_MAX) {
        self->untold.dropped++;
        return;
    }
    if (self->count == self->batch) {
        self->filled_ms = clock_mono_ms();
    }
    self->ring[(self->first + self->count++) % RING_MAX] = *span;
}

/* All that has come; the end of it is the actor's. */
static void take_packets(outgoing_t *self)
{
    ssize_t got;

    while ((got = recv(self->fd, self->packet, sizeof self->packet,
                       MSG_DONTWAIT)) > 0) {
        for (size_t i = 0; i < (size_t)got / sizeof(span_t); i++) {
            take_span(self, &self->packet[i]);
        }
    }
    if (got == 0 && self->end_ms == 0) {
        self->end_ms = clock_mono_ms() + EXPORTER_END_MS;
    }
}

static void tell_counts(outgoing_t *self)
{
    if ((self->untold.exported > 0 || self->untold.dropped > 0) &&
        send(self->fd, &self->untold, sizeof self->untold,
             MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
        self->untold = (exporter_counts_t){0};
    }
}

/* --- requests ------------------------------------------------------------ */

/* Nobody reads it, however long it is: its status and TIMEOUT_MS count. */
static size_t on_answer(const char *bytes, size_t one, size_t len, void *user)
{
    (void)bytes;
    (void)user;

    return one * len;
}

static void set_options(outgoing_t *self)
{
    CURL *easy = self->easy;

    curl_easy_setopt(easy, CURLOPT_URL, self->endpoint);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "hoist/" HOIST_VERSION);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, self->headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, self);
}

static void forget_batch(outgoing_t *self)
{
    self->first = (self->first + self->batch) % RING_MAX;
    self->count -= self->batch;
    self->batch = 0;
    self->filled_ms = clock_mono_ms();
}

static void drop_batch(outgoing_t *self)
{
    self->untold.dropped += self->batch;
    forget_batch(self);
}

static int encode_batch(outgoing_t *self)
{
    for (size_t i = 0; i < self->batch; i++) {
        self->spans[i] = self->ring[(self->first + i) % RING_MAX];
    }
    self->body.len = 0;
    return otlp_put(&self->body, &self->source, self->spans, self->batch,
                    clock_wall_us() - clock_mono_us());
}

static void send_batch(outgoing_t *self)
{
    curl_easy_setopt(self->easy, CURLOPT_POSTFIELDSIZE, (long)self->body.len);
    curl_easy_setopt(self->easy, CURLOPT_POSTFIELDS, self->body.data);
    must(curl_multi_add_handle(self->multi, self->easy) == CURLM_OK);
    self->is_sent = true;
}

static void start_batch(outgoing_t *self)
{
    self->batch = self->count < BATCH_MAX ? self->count : BATCH_MAX;
    if (encode_batch(self) < 0) {
        drop_batch(self);
        return;
    }
    send_batch(self);
}

/* --- outcomes ------------------------------------------------------------ */

static void note_success(outgoing_t *self)
{
    if (self->failures > 0) {
        log_info("TRACE-UP", "service=%s", self->source.service);
    }
    self->failures = 0;
    self->untold.exported += self->batch;
    forget_batch(self);
}

/* The first of a row is said; the endpoint is not, for it may hold a
 * password. */
static void note_failure(outgoing_t *self, CURLcode code, long status)
{
    if (self->failures++ > 0) {
        return;
    }
    if (code == CURLE_OK) {
        log_warn("TRACE-DOWN", "service=%s reason=\"status %ld\"",
                 self->source.service, status);
    } else {
        log_warn("TRACE-DOWN", "service=%s reason=\"%s\"", self->source.service,
                 curl_easy_strerror(code));
    }
}

static bool is_worth_another(CURLcode code, long status)
{
    return code != CURLE_OK || status == 429 || status == 502 ||
           status == 503 || status == 504;
}

static int64_t backoff_ms(unsigned failures)
{
    int64_t most = BACKOFF_MS;

    for (; failures > 1 && most < BACKOFF_MAX_MS; failures--) {
        most *= 2;
    }
    most = most < BACKOFF_MAX_MS ? most : BACKOFF_MAX_MS;
    return most / 2 + (int64_t)(rand_u32() % (uint32_t)(most / 2 + 1));
}

static void end_batch(outgoing_t *self, CURLcode code)
{
    long status = 0;

    curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(self->multi, self->easy);
    self->is_sent = false;
    if (code == CURLE_OK && status >= 200 && status <= 299) {
        note_success(self);
        return;
    }
    note_failure(self, code, status);
    if (is_worth_another(code, status)) {
        self->due_ms = clock_mono_ms() + backoff_ms(self->failures);
    } else {
        drop_batch(self);
    }
}

static void take_outcome(outgoing_t *self)
{
    int running, left;
    CURLMsg *message;

    curl_multi_perform(self->multi, &running);
    while ((message = curl_multi_info_read(self->multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            end_batch(self, message->data.result);
        }
    }
}

/* --- the thread ---------------------------------------------------------- */

/* When something is to be done though nothing comes. */
static int64_t due_ms(const outgoing_t *self)
{
    int64_t due = INT64_MAX;

    if (self->batch > 0 && !self->is_sent) {
        due = self->due_ms;
    } else if (self->batch == 0 && self->count > 0) {
        bool is_due = self->count >= BATCH_MAX || self->end_ms != 0;
        due = is_due ? 0 : self->filled_ms + LINGER_MS;
    }
    return self->end_ms != 0 && self->end_ms < due ? self->end_ms : due;
}

static void await(outgoing_t *self)
{
    struct curl_waitfd actor = {.fd = self->fd, .events = CURL_WAIT_POLLIN};
    int64_t left_ms = due_ms(self) - clock_mono_ms();
    unsigned fds = self->end_ms == 0; /* at its end it is always readable */

    left_ms = left_ms < 0 ? 0 : left_ms > TIMEOUT_MS ? TIMEOUT_MS : left_ms;
    curl_multi_poll(self->multi, &actor, fds, (int)left_ms, NULL);
}

static void send_what_is_due(outgoing_t *self)
{
    if (self->is_sent || clock_mono_ms() < due_ms(self)) {
        return;
    }
    if (self->batch > 0) {
        send_batch(self);
    } else if (self->count > 0) {
        start_batch(self);
    }
}

static bool is_over(const outgoing_t *self)
{
    return self->end_ms != 0 &&
           (self->count == 0 || clock_mono_ms() >= self->end_ms);
}

static void free_outgoing(outgoing_t *self)
{
    for (size_t i = 0; i < sizeof self->texts / sizeof *self->texts; i++) {
        free(self->texts[i]);
    }
    free(self->endpoint);
    buf_fini(&self->body);
    free(self);
}

/* In this thread, so that what libcrypto keeps for one is not the actor's. */
static void start_curl(outgoing_t *self)
{
    curl_global_init(CURL_GLOBAL_DEFAULT); /* it counts */
    self->multi = curl_multi_init();
    self->easy = curl_easy_init();
    self->headers = curl_slist_append(NULL, "Content-Type: application/json");
    must(self->multi != NULL && self->easy != NULL && self->headers != NULL);
    set_options(self);
}

static void stop_curl(outgoing_t *self)
{
    if (self->is_sent) {
        curl_multi_remove_handle(self->multi, self->easy);
    }
    curl_easy_cleanup(self->easy);
    curl_multi_cleanup(self->multi);
    curl_slist_free_all(self->headers);
    curl_global_cleanup();
    OPENSSL_thread_stop(); /* the thread may end behind main() */
}

static void *run(void *user)
{
    outgoing_t *self = user;
    int fd = self->fd;

    start_curl(self);
    while (!is_over(self)) {
        await(self);
        take_packets(self);
        take_outcome(self);
        send_what_is_due(self);
        tell_counts(self);
    }
    self->untold.dropped += self->count;
    tell_counts(self);
    stop_curl(self);
    free_outgoing(self);
    close(fd); /* last: the actor waits for it */
    return NULL;
}

static void copy_source(outgoing_t *self, const otlp_source_t *source)
{
    self->source.service = self->texts[0] = xstrdup(source->service);
    self->source.name = self->texts[1] = xstrdup(source->name);
    self->source.instance = self->texts[2] = xstrdup(source->instance);
}

static outgoing_t *new_outgoing(const char *endpoint,
                                const otlp_source_t *source)
{
    outgoing_t *self = xcalloc(1, sizeof *self);

    self->endpoint = xstrdup(endpoint);
    copy_source(self, source);
    buf_init(&self->body, BATCH_BYTES);
    return self;
}

int outgoing_start(int fd, const char *endpoint, const otlp_source_t *source)
{
    outgoing_t *self = new_outgoing(endpoint, source);

    self->fd = fd;
    int rc = thread_detach(run, self, "hoist-spans");
    if (rc < 0) {
        free_outgoing(self);
    }
    return rc;
}
