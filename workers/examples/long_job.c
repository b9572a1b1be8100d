/* SPDX-License-Identifier: MIT
 *
 * Long jobs: work that takes longer than a handler may.  A client asks for one,
 * is answered at once, and hears how it gets on:
 *
 *     {"action":"start","below":5000000}  count the primes below a number
 *     {"action":"cancel","job":"…"}       stop a job of one's own
 *
 *     {"type":"started","job":"…"}
 *     {"type":"progress","job":"…","done":35}    percent
 *     {"type":"done","job":"…","primes":348513}
 *     {"type":"cancelled","job":"…"}
 *     {"type":"error","text":"…"}                what was wrong
 *
 * A job is a thread, which hands what there is to tell to the app (hoist_post);
 * the app pushes it.  It pushes to a group that is the job's own and has its
 * client in it, so who cancels just leaves it, and who is gone has left: either
 * way pushes are told that nobody was there, and the job stops.  So it does not
 * matter which process hears of it; run as many as you like.
 *
 * So many at a time in a process as JOBS says (4); who wants another is told to
 * try later.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pthread.h>
#include <sys/random.h>

#include <hoist.h>
#include <jansson.h>

#define BELOW_MAX  10000000 /* what a client may ask for */
#define JOBS_MAX   64       /* threads */
#define ID_BYTES   32
#define STEPS      100 /* progress is told after each, in percent */
#define TEXT_BYTES 128
#define MISSES_MAX 3 /* pushes in a row that reach nobody */

/* Of the app. */
typedef struct {
    unsigned limit;       /* jobs at a time */
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t ended;
    unsigned running;
    bool is_closing; /* the process ends: so does every job */
} jobs_t;

/* A job: its thread, and each push under way, hold it. */
typedef struct {
    jobs_t *jobs;   /* borrowed */
    hoist_app *app; /* borrowed */
    char id[ID_BYTES];
    unsigned below; /* primes below this are counted */
    atomic_uint holders;
    atomic_bool is_over; /* nobody wants it any more */
    unsigned misses;     /* the app's thread: pushes that reached nobody */
} job_t;

/* What a job has to tell. */
typedef struct {
    job_t *job; /* holds it */
    char text[TEXT_BYTES];
} news_t;

/* --- jobs ---------------------------------------------------------------- */

/* A place for one more job; false: there is none. */
static bool take_place(jobs_t *self)
{
    pthread_mutex_lock(&self->lock);
    bool is_free = self->running < self->limit && !self->is_closing;
    self->running += is_free;
    pthread_mutex_unlock(&self->lock);
    return is_free;
}

static void give_place(jobs_t *self)
{
    pthread_mutex_lock(&self->lock);
    self->running--;
    pthread_cond_broadcast(&self->ended);
    pthread_mutex_unlock(&self->lock);
}

static bool is_closing(jobs_t *self)
{
    pthread_mutex_lock(&self->lock);
    bool is = self->is_closing;
    pthread_mutex_unlock(&self->lock);
    return is;
}

/* No event wants a job any more, and when this has returned no thread uses the
 * app. */
static int end_jobs(hoist_app *app)
{
    jobs_t *self = hoist_app_data(app);

    pthread_mutex_lock(&self->lock);
    self->is_closing = true;
    while (self->running > 0) {
        pthread_cond_wait(&self->ended, &self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    return 0;
}

static job_t *hold(job_t *job)
{
    atomic_fetch_add(&job->holders, 1);
    return job;
}

static void release(job_t *job)
{
    if (atomic_fetch_sub(&job->holders, 1) == 1) {
        free(job);
    }
}

/* --- what a job tells ---------------------------------------------------- */

/* Cancelled, or its client is gone; but a broker may hear of a client's joining
 * a moment late from another. */
static int on_told(hoist_ctx *ctx, const hoist_pushed *pushed, void *data)
{
    job_t *job = data;
    (void)ctx;

    if (pushed->status == 200) {
        job->misses = pushed->delivered > 0 ? 0 : job->misses + 1;
        atomic_store(&job->is_over, job->misses >= MISSES_MAX);
    }
    release(job);
    return 0;
}

/* On the app's thread.  What cannot be pushed now is followed by more. */
static int push_news(hoist_ctx *ctx, void *data)
{
    news_t *news = data;
    job_t *job = news->job;
    const hoist_push_options options = {.told = on_told, .data = job};
    int rc = hoist_push_to(ctx, hoist_to_group(hoist_str(job->id)), HOIST_TEXT,
                           hoist_str(news->text), &options);

    if (rc < 0) {
        release(job);
    }
    free(news);
    return rc == -ENOTCONN ? 0 : rc; /* no broker just now */
}

static void pause_a_while(void)
{
    const struct timespec ten_ms = {.tv_nsec = 10000000};

    nanosleep(&ten_ms, NULL);
}

/* On the job's thread: it may wait until the app has room. */
static void post(job_t *job, news_t *news)
{
    int rc = hoist_post(job->app, push_news, news);

    while (rc == -EAGAIN && !is_closing(job->jobs)) {
        pause_a_while();
        rc = hoist_post(job->app, push_news, news);
    }
    if (rc < 0) {
        release(job);
        free(news);
    }
}

static void tell(job_t *job, const char *type, const char *field,
                 unsigned number)
{
    news_t *news = malloc(sizeof *news);

    if (news == NULL) {
        return;
    }
    news->job = hold(job);
    (void)snprintf(news->text, sizeof news->text,
                   "{\"type\":\"%s\",\"job\":\"%s\",\"%s\":%u}", type, job->id,
                   field, number);
    post(job, news);
}

/* --- the work ------------------------------------------------------------ */

static bool is_prime(unsigned n)
{
    for (unsigned d = 2; d <= n / d; d++) {
        if (n % d == 0) {
            return false;
        }
    }
    return n >= 2;
}

static unsigned count_primes(unsigned from, unsigned below)
{
    unsigned count = 0;

    for (unsigned n = from; n < below; n++) {
        count += is_prime(n);
    }
    return count;
}

static bool is_wanted(job_t *job)
{
    return !atomic_load(&job->is_over) && !is_closing(job->jobs);
}

static void *work(void *data)
{
    job_t *job = data;
    jobs_t *jobs = job->jobs;
    unsigned primes = 0;

    for (unsigned step = 0; step < STEPS && is_wanted(job); step++) {
        unsigned from = (unsigned)((uint64_t)job->below * step / STEPS);
        unsigned below = (unsigned)((uint64_t)job->below * (step + 1) / STEPS);
        primes += count_primes(from, below);
        tell(job, "progress", "done", (step + 1) * 100 / STEPS);
    }
    if (is_wanted(job)) {
        tell(job, "done", "primes", primes);
    }
    release(job);
    give_place(jobs); /* the last: the app may end now */
    return NULL;
}

/* --- handlers ------------------------------------------------------------ */

static int complain(hoist_ctx *ctx, const char *text)
{
    char json[TEXT_BYTES];

    (void)snprintf(json, sizeof json, "{\"type\":\"error\",\"text\":\"%s\"}",
                   text);
    return hoist_reply_json(ctx, json);
}

/* A name that nobody guesses, since pushes to it are for its client alone. */
static int name_job(char id[ID_BYTES])
{
    uint64_t random[1];

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        return -errno;
    }
    (void)snprintf(id, ID_BYTES, "job-%016" PRIx64, random[0]);
    return 0;
}

/* In a thread that nobody waits for: give_place says when it has ended. */
static int begin_thread(job_t *job)
{
    pthread_attr_t attr;
    pthread_t thread;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int rc = pthread_create(&thread, &attr, work, job);
    pthread_attr_destroy(&attr);
    return -rc;
}

/* The reply goes first, since the thread may be fast. */
static int begin(hoist_ctx *ctx, job_t *job)
{
    char started[TEXT_BYTES];
    int rc = name_job(job->id);

    if (rc < 0 ||
        (rc = hoist_join(ctx, hoist_str(job->id), hoist_connection(ctx))) < 0) {
        return rc;
    }
    (void)snprintf(started, sizeof started,
                   "{\"type\":\"started\",\"job\":\"%s\"}", job->id);
    rc = hoist_reply_json(ctx, started);
    return rc < 0 ? rc : begin_thread(job);
}

static int start(hoist_ctx *ctx, unsigned below)
{
    hoist_app *app = hoist_ctx_app(ctx);
    jobs_t *jobs = hoist_app_data(app);

    if (!take_place(jobs)) {
        return complain(ctx,
                        "There are as many jobs as there may be: try later");
    }
    job_t *job = calloc(1, sizeof *job);
    int rc = -ENOMEM;
    if (job != NULL) {
        job->jobs = jobs;
        job->app = app;
        job->below = below;
        atomic_init(&job->holders, 1); /* the thread */
        rc = begin(ctx, job);
    }
    if (rc < 0) {
        free(job);
        give_place(jobs);
    }
    return rc;
}

static int on_start(hoist_ctx *ctx)
{
    hoist_text body = hoist_body(ctx);
    json_t *message = json_loadb(body.data, body.len, 0, NULL);
    json_int_t below = json_integer_value(json_object_get(message, "below"));

    json_decref(message);
    if (below < 1 || below > BELOW_MAX) {
        return complain(ctx, "below is a number from 1 to 10000000");
    }
    return start(ctx, (unsigned)below);
}

/* One that is none of the client's hears nothing of it: the client was not in
 * its group. */
static int cancel(hoist_ctx *ctx, const char *id)
{
    char cancelled[TEXT_BYTES];
    int rc = hoist_leave(ctx, hoist_str(id), hoist_connection(ctx));

    (void)snprintf(cancelled, sizeof cancelled,
                   "{\"type\":\"cancelled\",\"job\":\"%s\"}", id);
    return rc < 0 ? rc : hoist_reply_json(ctx, cancelled);
}

static bool is_job(const char *id)
{
    return id != NULL && strlen(id) < ID_BYTES && strncmp(id, "job-", 4) == 0 &&
           id[4 + strspn(id + 4, "0123456789abcdef")] == '\0';
}

static int on_cancel(hoist_ctx *ctx)
{
    hoist_text body = hoist_body(ctx);
    json_t *message = json_loadb(body.data, body.len, 0, NULL);
    const char *id = json_string_value(json_object_get(message, "job"));
    int rc = is_job(id) ? cancel(ctx, id) : complain(ctx, "job is none");

    json_decref(message);
    return rc;
}

static int on_connect(hoist_ctx *ctx)
{
    (void)ctx;
    return 0;
}

static unsigned limit_of_environment(void)
{
    const char *text = getenv("JOBS");
    unsigned long limit = text != NULL ? strtoul(text, NULL, 10) : 0;

    return limit >= 1 && limit <= JOBS_MAX ? (unsigned)limit : 4;
}

int main(int argc, char **argv)
{
    static jobs_t jobs = {.lock = PTHREAD_MUTEX_INITIALIZER,
                          .ended = PTHREAD_COND_INITIALIZER};
    hoist_app *app = hoist_app_new();

    jobs.limit = limit_of_environment();
    hoist_app_set_data(app, &jobs);
    hoist_on(app, "$connect", on_connect);
    hoist_on(app, "start", on_start);
    hoist_on(app, "cancel", on_cancel);
    hoist_on_stop(app, end_jobs);
    return hoist_main(app, argc, argv);
}
