/* SPDX-License-Identifier: MIT */
#include "store/credentials.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "store/profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#define KEY_MAX       256
#define TOKEN_MAX     8192
#define URL_MAX       2048
#define REASON_MAX    256
#define ANSWER_MAX    65536
#define LISTENERS_MAX 4
#define FETCH_MS      2000                   /* for one fetch */
#define RENEW_S       300                    /* before their end */
#define REST_MS       1000                   /* after a fetch that failed */
#define FRESH_MS      5000                   /* no sooner again, after one */
#define REFUSED_MS    60000                  /* nor after a refusal */
#define NEAR_URL      "http://169.254.170.2" /* of Amazon ECS */

typedef enum {
    FROM_NOWHERE,
    FROM_ENVIRONMENT,
    FROM_PROFILE,
    FROM_ENDPOINT
} from_t;

typedef struct {
    credentials_ready_fn *ready;
    void *user;
} listener_t;

struct credentials {
    http_t *http; /* borrowed */
    from_t from;
    char access_key[KEY_MAX], secret[KEY_MAX], token[TOKEN_MAX];
    int64_t ends_s;   /* Unix time; 0: never */
    bool is_had;      /* those above are some */
    unsigned version; /* grows with each that are had */
    char url[URL_MAX];
    http_call_t *fetch; /* NULL: none under way */
    int64_t failed_ms;  /* of the last fetch that did; 0: it did not */
    int64_t fetched_ms; /* of the last that did not; 0: none */
    int64_t refused_ms; /* when others were asked for, since …; 0: never */
    char reason[REASON_MAX];
    listener_t listeners[LISTENERS_MAX];
    size_t listener_count;
};

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value == NULL ? "" : value;
}

static void forget(credentials_t *self)
{
    explicit_bzero(self->access_key, sizeof self->access_key);
    explicit_bzero(self->secret, sizeof self->secret);
    explicit_bzero(self->token, sizeof self->token);
    self->is_had = false;
    self->ends_s = 0;
}

/* False when one of them is missing or too long to be right. */
static bool have(credentials_t *self, const char *access_key,
                 const char *secret, const char *token)
{
    forget(self);
    self->is_had =
        access_key[0] != '\0' && secret[0] != '\0' &&
        snprintf(self->access_key, KEY_MAX, "%s", access_key) < KEY_MAX &&
        snprintf(self->secret, KEY_MAX, "%s", secret) < KEY_MAX &&
        snprintf(self->token, TOKEN_MAX, "%s", token) < TOKEN_MAX &&
        strpbrk(self->token, "\r\n") == NULL;
    if (!self->is_had) {
        forget(self);
    }
    self->version++;
    return self->is_had;
}

/* --- environment and profile --------------------------------------------- */

static bool read_environment(credentials_t *self)
{
    return have(self, variable("AWS_ACCESS_KEY_ID"),
                variable("AWS_SECRET_ACCESS_KEY"),
                variable("AWS_SESSION_TOKEN"));
}

static bool read_profile(credentials_t *self)
{
    char access_key[KEY_MAX], secret[KEY_MAX], token[TOKEN_MAX] = "";

    if (profile_credential("aws_access_key_id", access_key, sizeof access_key) <
            0 ||
        profile_credential("aws_secret_access_key", secret, sizeof secret) <
            0) {
        return false;
    }
    if (profile_credential("aws_session_token", token, sizeof token) < 0) {
        token[0] = '\0';
    }
    bool is_had = have(self, access_key, secret, token);
    explicit_bzero(secret, sizeof secret);
    explicit_bzero(token, sizeof token);
    return is_had;
}

/* --- the container's endpoint -------------------------------------------- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Without TLS only where the answer cannot leave the host. */
static bool is_allowed(const char *url)
{
    static const char *const near[] = {"localhost", "[::1]", "169.254.170.2",
                                       "169.254.170.23", "[fd00:ec2::23]"};
    const char *host = url + 7;

    if (strchr(url, '@') != NULL) {
        return false; /* what is before it is no host */
    }
    if (begins(url, "https://")) {
        return true;
    }
    if (!begins(url, "http://")) {
        return false;
    }
    size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?");
    for (size_t i = 0; i < sizeof near / sizeof near[0]; i++) {
        if (strlen(near[i]) == len && strncmp(host, near[i], len) == 0) {
            return true;
        }
    }
    return begins(host, "127.") && strspn(host, "0123456789.") == len;
}

static bool find_endpoint(credentials_t *self)
{
    const char *relative = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");

    if (relative[0] == '/') { /* else it could go on with the host */
        snprintf(self->url, sizeof self->url, NEAR_URL "%s", relative);
        return true;
    }
    if (full[0] == '\0') {
        return false;
    }
    if (!is_allowed(full)) {
        snprintf(self->reason, sizeof self->reason,
                 "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor of "
                 "this host");
        return false;
    }
    snprintf(self->url, sizeof self->url, "%s", full);
    return true;
}

/* The line `Authorization: …`; empty: none is wanted.  False: it is unfit. */
static bool read_authorization(char *line, size_t size)
{
    static const char name[] = "Authorization: ";
    const char *path = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    char text[TOKEN_MAX] = "";

    line[0] = '\0';
    if (path[0] != '\0') {
        FILE *file = fopen(path, "re");
        size_t len = file == NULL ? 0 : fread(text, 1, sizeof text - 1, file);
        if (file != NULL) {
            fclose(file);
        }
        text[len] = '\0';
        text[strcspn(text, "\r\n")] = '\0';
        if (text[0] == '\0') {
            return false;
        }
        token = text;
    }
    if (token[0] == '\0') {
        return true;
    }
    int len = snprintf(line, size, "%s%s", name, token);
    explicit_bzero(text, sizeof text);
    return len > 0 && (size_t)len < size && strpbrk(line, "\r\n") == NULL;
}

static const char *text_of(const json_t *of, const char *key)
{
    const char *text = json_string_value(json_object_get(of, key));

    return text == NULL ? "" : text;
}

/* 2026-01-31T12:00:00Z, perhaps with a fraction; 0: none. */
static int64_t time_of(const char *text)
{
    struct tm tm = {0};

    return strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) == NULL ? 0 : timegm(&tm);
}

static bool take_answer(credentials_t *self, const http_answer_t *answer)
{
    json_t *root =
        json_loadb((const char *)answer->body.data, answer->body.len, 0, NULL);
    bool is_had = root != NULL && have(self, text_of(root, "AccessKeyId"),
                                       text_of(root, "SecretAccessKey"),
                                       text_of(root, "Token"));

    self->ends_s = is_had ? time_of(text_of(root, "Expiration")) : 0;
    json_decref(root);
    return is_had;
}

static bool is_over(const credentials_t *self, int64_t now_s)
{
    return !self->is_had || (self->ends_s != 0 && now_s >= self->ends_s);
}

/* Others are not to be had so soon. */
static bool is_fresh(const credentials_t *self)
{
    return self->fetched_ms != 0 &&
           clock_mono_ms() < self->fetched_ms + FRESH_MS;
}

static void tell_listeners(credentials_t *self)
{
    for (size_t i = 0; i < self->listener_count; i++) {
        self->listeners[i].ready(self->listeners[i].user);
    }
}

static void on_fetched(void *user, int rc, const http_answer_t *answer,
                       const char *why)
{
    credentials_t *self = user;

    self->fetch = NULL;
    self->failed_ms = clock_mono_ms();
    if (rc < 0) {
        snprintf(self->reason, sizeof self->reason,
                 "the container's endpoint for credentials: %s", why);
    } else if (answer->status != 200) {
        snprintf(self->reason, sizeof self->reason,
                 "the container's endpoint for credentials answers %ld",
                 answer->status);
    } else if (!take_answer(self, answer)) {
        snprintf(self->reason, sizeof self->reason,
                 "the container's endpoint answers without credentials");
    } else if (is_over(self, clock_wall_ms() / 1000)) {
        snprintf(self->reason, sizeof self->reason,
                 "the container's endpoint gives credentials that are over");
    } else {
        self->fetched_ms = self->failed_ms;
        self->failed_ms = 0;
    }
    tell_listeners(self);
}

/* 0 when one is under way. */
static int fetch(credentials_t *self)
{
    char line[TOKEN_MAX + 32];
    http_request_t request = {.url = self->url,
                              .timeout_ms = FETCH_MS,
                              .answer_max = ANSWER_MAX,
                              .is_near = true};

    if (self->fetch != NULL) {
        return 0;
    }
    if (self->failed_ms != 0 && clock_mono_ms() < self->failed_ms + REST_MS) {
        return -ENOTCONN;
    }
    if (!read_authorization(line, sizeof line)) {
        snprintf(self->reason, sizeof self->reason,
                 "the container's token for credentials cannot be read");
        return -EACCES;
    }
    request.headers[0] = line[0] == '\0' ? NULL : line;
    self->fetch = http_start(self->http, &request, on_fetched, self);
    explicit_bzero(line, sizeof line);
    return self->fetch == NULL ? -ENOTCONN : 0;
}

/* --- public -------------------------------------------------------------- */

credentials_t *credentials_new(struct ev_loop *loop, http_t *http)
{
    credentials_t *self = xcalloc(1, sizeof *self);
    (void)loop;

    self->http = http;
    snprintf(self->reason, sizeof self->reason,
             "no credentials: neither AWS_ACCESS_KEY_ID and "
             "AWS_SECRET_ACCESS_KEY, nor a profile, nor a container's "
             "endpoint");
    self->from = read_environment(self) ? FROM_ENVIRONMENT
                 : read_profile(self)   ? FROM_PROFILE
                 : find_endpoint(self)  ? FROM_ENDPOINT
                                        : FROM_NOWHERE;
    return self;
}

void credentials_destroy(credentials_t **self_p)
{
    credentials_t *self = *self_p;

    if (self != NULL) {
        http_cancel(&self->fetch);
        forget(self);
        free(self);
        *self_p = NULL;
    }
}

void credentials_listen(credentials_t *self, credentials_ready_fn *ready,
                        void *user)
{
    must(self->listener_count < LISTENERS_MAX);
    self->listeners[self->listener_count++] = (listener_t){ready, user};
}

/* Those that end soon are renewed while they last. */
static int renew(credentials_t *self, int64_t now_s)
{
    bool must_be_had = is_over(self, now_s);
    bool ends_soon = self->ends_s != 0 && now_s >= self->ends_s - RENEW_S;

    if (!must_be_had && (!ends_soon || is_fresh(self))) {
        return 0;
    }
    int rc = fetch(self);
    return !must_be_had ? 0 : rc == 0 ? -EAGAIN : rc;
}

int credentials_get(credentials_t *self, int64_t now_s, sigv4_key_t *key,
                    wire_bytes_t *token)
{
    int rc = self->from == FROM_ENDPOINT ? renew(self, now_s)
             : self->is_had              ? 0
                                         : -EACCES;

    *key =
        (sigv4_key_t){wire_bytes(self->access_key), wire_bytes(self->secret)};
    *token = wire_bytes(self->token);
    return rc;
}

unsigned credentials_version(const credentials_t *self)
{
    return self->version;
}

/* Does the file say something else by now?  Then that is had. */
static bool has_profile_changed(credentials_t *self)
{
    char access_key[KEY_MAX], secret[KEY_MAX], token[TOKEN_MAX];

    memcpy(access_key, self->access_key, sizeof access_key);
    memcpy(secret, self->secret, sizeof secret);
    memcpy(token, self->token, sizeof token);
    bool has_changed =
        read_profile(self) &&
        (strcmp(access_key, self->access_key) != 0 ||
         strcmp(secret, self->secret) != 0 || strcmp(token, self->token) != 0);
    explicit_bzero(secret, sizeof secret);
    explicit_bzero(token, sizeof token);
    return has_changed;
}

/* Not each time: a right that is missing is missing with the next ones, too. */
static bool may_ask_again(credentials_t *self, int64_t now_s)
{
    int64_t now_ms = clock_mono_ms();

    if (self->fetch != NULL || is_over(self, now_s)) {
        return true; /* others are on their way */
    }
    if (self->refused_ms != 0 && now_ms < self->refused_ms + REFUSED_MS) {
        return false;
    }
    self->refused_ms = now_ms;
    self->ends_s = now_s; /* over */
    return true;
}

bool credentials_refused(credentials_t *self, unsigned version, int64_t now_s)
{
    if (version != self->version) {
        return true; /* they are others already */
    }
    if (self->from == FROM_ENDPOINT) {
        return may_ask_again(self, now_s);
    }
    return self->from == FROM_PROFILE && has_profile_changed(self);
}

const char *credentials_reason(const credentials_t *self)
{
    return self->reason;
}
