/* SPDX-License-Identifier: MIT
 *
 * The connections of a ledger in Redis: whom they try next when a server hangs,
 * and for how long it is left alone.
 */
#include "base/clock.h"
#include "base/xalloc.h"
#include "store/redis_keys.h"
#include "workers/c/hoist_redis.h"
#include "workers/c/redis/pool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <unistd.h>

#include <cmocka.h>

#define SHORT_MS 50    /* for a server that hangs */
#define LONG_MS  10000 /* for one that does not */
#define THREADS  8

/* --- memory --------------------------------------------------------------- */

static bool has_no_memory; /* to begin with */
static bool has_no_more;   /* for buffers that grow, and for TLS */

/* The linker's names, by its option --wrap.
 * NOLINTBEGIN(bugprone-reserved-identifier) */
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *bytes, size_t size);
void *__wrap_realloc(void *bytes, size_t size);
SSL *__real_redis_tls_new(SSL_CTX *context, int fd, const char *host);
SSL *__wrap_redis_tls_new(SSL_CTX *context, int fd, const char *host);

void *__wrap_calloc(size_t count, size_t size)
{
    return has_no_memory ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *bytes, size_t size)
{
    return has_no_more ? NULL : __real_realloc(bytes, size);
}

SSL *__wrap_redis_tls_new(SSL_CTX *context, int fd, const char *host)
{
    return has_no_more ? NULL : __real_redis_tls_new(context, fd, host);
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* --- servers ------------------------------------------------------------- */

/* A port that takes connections; what comes there nobody reads. */
static int listens(unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    must(fd >= 0 &&
         bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
         listen(fd, 64) == 0 &&
         getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    *port = ntohs(address.sin_port);
    return fd;
}

#define MASTER "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n" /* to ROLE */

/* One that answers two questions. */
typedef struct {
    int listener;
    const char *answers[2];
    pthread_t thread;
} server_t;

static void *answer(void *user)
{
    const server_t *self = user;
    char bytes[256];
    int fd = accept(self->listener, NULL, NULL);

    must(fd >= 0);
    for (int i = 0; i < 2; i++) {
        const char *text = self->answers[i];
        must(read(fd, bytes, sizeof bytes) > 0 &&
             write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    }
    close(fd);
    return NULL;
}

static void server_starts(server_t *self)
{
    must(pthread_create(&self->thread, NULL, answer, self) == 0);
}

static void server_ends(const server_t *self)
{
    must(pthread_join(self->thread, NULL) == 0);
    close(self->listener);
}

/* --- a pool that asks ----------------------------------------------------- */

static pool_t pool;

static void pool_for(const char *url)
{
    manner_t manner = {.tls = NULL};
    char why[128];

    must(redis_url_parse(url, &manner.url, why, sizeof why) == 0);
    if (manner.url.has_tls) {
        manner.tls = redis_tls_context(&manner.url, why, sizeof why);
        must(manner.tls != NULL);
    }
    pool_init(&pool, &manner);
}

static int put_ping(buf_t *out, void *user)
{
    redis_command_t command = {.out = out};
    (void)user;

    redis_put_words(&command, 1);
    redis_put_text(&command, "PING");
    return command.rc;
}

static int ask(attempt_t *attempt)
{
    redisReply *reply;
    int rc = pool_ask(&pool, attempt, put_ping, NULL, &reply);

    if (rc == 0) {
        freeReplyObject(reply);
    }
    return rc;
}

static int ask_for(int64_t ms)
{
    attempt_t attempt = {.until_ms = clock_mono_ms() + ms};

    return ask(&attempt);
}

static void *ask_once(void *rc)
{
    *(int *)rc = ask_for(SHORT_MS);
    return NULL;
}

static void the_pause_is_over(void)
{
    pool.down_ms = 0;
}

/* --- tests --------------------------------------------------------------- */

static void behind_a_host_that_hangs_the_next_has_its_turn(void **state)
{
    unsigned hangs, works;
    int hanging = listens(&hangs);
    server_t master = {listens(&works), {MASTER, "+PONG\r\n"}, 0};
    char url[80];
    (void)state;

    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%u,127.0.0.1:%u", hangs,
                   works);
    pool_for(url);
    server_starts(&master);
    assert_int_equal(ask_for(SHORT_MS), -ETIMEDOUT);
    the_pause_is_over();
    assert_int_equal(ask_for(LONG_MS), 0);
    assert_int_equal(pool.backoff_ms, 0);
    server_ends(&master);
    pool_fini(&pool);
    close(hanging);
}

static void who_fail_together_cost_one_pause(void **state)
{
    unsigned hangs;
    int hanging = listens(&hangs), results[THREADS];
    pthread_t threads[THREADS];
    char url[40];
    (void)state;

    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%u", hangs);
    pool_for(url);
    for (int i = 0; i < THREADS; i++) {
        must(pthread_create(&threads[i], NULL, ask_once, &results[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        must(pthread_join(threads[i], NULL) == 0);
        assert_true(results[i] == -ETIMEDOUT || results[i] == -ENOTCONN);
    }
    assert_int_equal(pool.backoff_ms, BACKOFF_MIN_MS);
    the_pause_is_over();
    assert_int_equal(ask_for(SHORT_MS), -ETIMEDOUT);
    assert_int_equal(pool.backoff_ms, 2 * BACKOFF_MIN_MS);
    pool_fini(&pool);
    close(hanging);
}

static void while_it_is_left_alone_the_reason_is_that_of_before(void **state)
{
    attempt_t first = {.until_ms = 0}, second = {.until_ms = 0};
    redisReply *reply;
    (void)state;

    pool_for("redis://127.0.0.1:1");
    assert_int_equal(pool_ask(&pool, &first, put_ping, NULL, &reply),
                     -ETIMEDOUT);
    assert_string_not_equal(first.why, "");
    assert_int_equal(pool_ask(&pool, &second, put_ping, NULL, &reply),
                     -ENOTCONN);
    assert_string_equal(second.why, first.why);
    pool_fini(&pool);
}

/* Whoever reads it later may do what nobody waits for any more. */
static void what_has_left_and_had_no_answer_is_unsure(void **state)
{
    attempt_t asked = {.until_ms = clock_mono_ms() + SHORT_MS}, not_asked = {0};
    unsigned hangs;
    int hanging = listens(&hangs);
    char url[40];
    (void)state;

    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%u", hangs);
    pool_for(url);
    assert_int_equal(ask(&asked), -ETIMEDOUT);
    assert_true(asked.is_unsure);
    assert_int_equal(ask(&not_asked), -ENOTCONN); /* it is left alone */
    assert_false(not_asked.is_unsure);
    close(hanging);
    the_pause_is_over();
    not_asked.until_ms = clock_mono_ms() + LONG_MS;
    assert_int_equal(ask(&not_asked), -ECONNREFUSED);
    assert_false(not_asked.is_unsure);
    pool_fini(&pool);
}

static void a_connection_that_is_given_up_sends_nothing_more(void **state)
{
    unsigned hangs;
    int hanging = listens(&hangs);
    char url[40], bytes[256];
    (void)state;

    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%u", hangs);
    pool_for(url);
    assert_int_equal(ask_for(SHORT_MS), -ETIMEDOUT);
    int fd = accept(hanging, NULL, NULL);
    assert_true(fd >= 0);
    while (read(fd, bytes, sizeof bytes) > 0) {
    }
    assert_int_equal(errno, ECONNRESET);
    close(fd);
    close(hanging);
    pool_fini(&pool);
}

static void a_password_stays_in_no_connection(void **state)
{
    unsigned port;
    server_t server = {listens(&port), {"+OK\r\n", "+PONG\r\n"}, 0};
    char url[80];
    (void)state;

    (void)snprintf(url, sizeof url, "redis://:abracadabra@127.0.0.1:%u", port);
    pool_for(url);
    server_starts(&server);
    assert_int_equal(ask_for(LONG_MS), 0);
    assert_int_equal(pool.idle_count, 1);
    const buf_t *out = &pool.idle[0]->out;
    assert_true(out->cap > 0);
    assert_null(memmem(out->data, out->cap, "cadabra", 7));
    server_ends(&server);
    pool_fini(&pool);
}

static void a_ledger_that_has_no_memory_says_so(void **state)
{
    char error[128] = "what was there before";
    hoist_ledger *ledger;
    (void)state;

    has_no_memory = true;
    int rc = hoist_redis_open("redis://127.0.0.1", NULL, &ledger, error,
                              sizeof error);
    has_no_memory = false;
    assert_int_equal(rc, -ENOMEM);
    assert_string_equal(error, "no memory");
    assert_null(ledger);
}

/* What is asked of a server at this URL without memory for it fails so. */
static void has_no_memory_at(const char *scheme, const char *path,
                             const char *why)
{
    attempt_t attempt = {.until_ms = clock_mono_ms() + LONG_MS};
    unsigned port;
    int listener = listens(&port);
    char url[80];

    (void)snprintf(url, sizeof url, "%s://127.0.0.1:%u%s", scheme, port, path);
    pool_for(url);
    has_no_more = true;
    int rc = ask(&attempt);
    has_no_more = false;
    assert_int_equal(rc, -ENOMEM);
    assert_string_equal(attempt.why, why);
    pool_fini(&pool);
    close(listener);
}

static void a_connection_that_has_no_memory_says_for_what(void **state)
{
    (void)state;
    has_no_memory_at("redis", "/1", "SELECT: Cannot allocate memory");
    has_no_memory_at("rediss", "", "TLS: Cannot allocate memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behind_a_host_that_hangs_the_next_has_its_turn),
        cmocka_unit_test(who_fail_together_cost_one_pause),
        cmocka_unit_test(what_has_left_and_had_no_answer_is_unsure),
        cmocka_unit_test(a_connection_that_is_given_up_sends_nothing_more),
        cmocka_unit_test(a_password_stays_in_no_connection),
        cmocka_unit_test(while_it_is_left_alone_the_reason_is_that_of_before),
        cmocka_unit_test(a_ledger_that_has_no_memory_says_so),
        cmocka_unit_test(a_connection_that_has_no_memory_says_for_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
