/* SPDX-License-Identifier: MIT
 *
 * Each step of a ledger is one script with one key.
 *
 *   PREFIX:{b:NAME}   a bucket: a number, the µs of the server's clock at which
 *                     it is full again
 *   PREFIX:{c:NAME}   a claim: a hash of its owner (o) and digest (d), and of
 *                     its outcome, when that is there, the status (s), type (t)
 *                     and body (b)
 */
#include "base/clock.h"
#include "store/redis_error.h"
#include "store/redis_keys.h"
#include "workers/c/bytes.h"
#include "workers/c/hoist_redis.h"
#include "workers/c/redis/pool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#define USUAL_TIMEOUT_MS 100
#define TIMEOUT_MAX_MS   10000
#define HASH_TEXT        (2 * SHA_DIGEST_LENGTH + 1)
#define CUT_TYPE         9 /* beside those of hoist_type: there is no body */

typedef enum {
    SCRIPT_SPEND,
    SCRIPT_CLAIM,
    SCRIPT_SETTLE,
    SCRIPT_RELEASE
} script_t;

#define SCRIPTS 4

/* Times are in µs, which a number of Lua holds exactly up to 2^53, 285 years
 * from 1970.  The sums of a bucket may lie beyond, by its depth: of one that
 * takes centuries to fill a token may come some µs off. */
static const char *const scripts[SCRIPTS] = {
    /* ARGV: µs of a token, burst.  µs to wait; 0: a token was taken.  A clock
     * that went back costs no more than a full bucket. */
    [SCRIPT_SPEND] =
        "local t=redis.call('TIME') local now=t[1]*1000000+t[2] "
        "local token=tonumber(ARGV[1]) local depth=token*ARGV[2] "
        "local full=tonumber(redis.call('GET',KEYS[1]) or 0) "
        "full=math.min(math.max(full,now),now+depth) "
        "local wait=full+token-depth-now if wait>0 then return wait end "
        "full=full+token redis.call('SET',KEYS[1],string.format('%.0f',full),"
        "'PX',math.ceil((full-now)/1000)) return 0",
    /* ARGV: owner, digest, ms to hold.  One of hoist_claimed, with the outcome
     * where it is done. */
    [SCRIPT_CLAIM] = "local v=redis.call('HMGET',KEYS[1],'o','d','s','t','b') "
                     "if v[2] and v[2]~=ARGV[2] then return {3} end "
                     "if v[3] then return {2,v[3],v[4],v[5]} end "
                     "if v[1] and v[1]~=ARGV[1] then return {1} end "
                     "redis.call('HSET',KEYS[1],'o',ARGV[1],'d',ARGV[2]) "
                     "redis.call('PEXPIRE',KEYS[1],ARGV[3]) return {0}",
    /* ARGV: owner, digest, ms to keep, status, type, body.  A claim whose time
     * was over counts still, unless somebody else has it now. */
    [SCRIPT_SETTLE] =
        "local v=redis.call('HMGET',KEYS[1],'o','s') "
        "if v[2] or (v[1] and v[1]~=ARGV[1]) then return {0} end "
        "redis.call('HSET',KEYS[1],'o',ARGV[1],'d',ARGV[2],'s',ARGV[4],'t',"
        "ARGV[5],'b',ARGV[6]) "
        "redis.call('PEXPIRE',KEYS[1],ARGV[3]) return {1}",
    /* ARGV: owner */
    [SCRIPT_RELEASE] = "local v=redis.call('HMGET',KEYS[1],'o','s') "
                       "if v[2] or v[1]~=ARGV[1] then return {0} end "
                       "return {redis.call('DEL',KEYS[1])}",
};

typedef struct {
    hoist_ledger ledger; /* first: it is one */
    pool_t pool;
    int64_t timeout_ms;
    char hashes[SCRIPTS][HASH_TEXT]; /* what the server knows scripts by */
} redis_ledger_t;

static redis_ledger_t *ledger_of(hoist_ledger *ledger)
{
    return (redis_ledger_t *)ledger;
}

/* --- asking -------------------------------------------------------------- */

#define WORDS_MAX 6

typedef struct {
    const redis_ledger_t *ledger;
    script_t script;
    hoist_text name;
    hoist_text words[WORDS_MAX];
    size_t count;
    bool wants_text; /* the server does not know the script */
    bool is_unsure;  /* it has failed, and may be done all the same */
} step_t;

static int put_step(buf_t *out, void *user)
{
    const step_t *step = user;
    const redis_key_t key = {.prefix = step->ledger->pool.manner.url.prefix,
                             .kind = step->script == SCRIPT_SPEND ? 'b' : 'c',
                             .name = wire_of(step->name)};
    redis_command_t command = {.out = out};

    redis_put_words(&command, 4 + step->count);
    redis_put_text(&command, step->wants_text ? "EVAL" : "EVALSHA");
    redis_put_text(&command, step->wants_text
                                 ? scripts[step->script]
                                 : step->ledger->hashes[step->script]);
    redis_put_text(&command, "1");
    redis_put_key(&command, &key);
    for (size_t i = 0; i < step->count; i++) {
        redis_put(&command, wire_of(step->words[i]));
    }
    return command.rc;
}

/* The server has said no.  Where another, or this one later, may say yes, it is
 * left alone for a while; else no other step is to suffer. */
static int refused(redis_ledger_t *self, attempt_t *attempt, redisReply *reply)
{
    redis_verdict_t verdict = redis_verdict_of(redis_text(reply));

    (void)snprintf(attempt->why, sizeof attempt->why, "%s", reply->str);
    freeReplyObject(reply);
    if (verdict.advice != REDIS_GIVE_UP) {
        pool_blame(&self->pool, attempt);
    }
    return verdict.rc;
}

static int try(redis_ledger_t *self, step_t *step, attempt_t *attempt,
               redisReply **reply)
{
    int rc = pool_ask(&self->pool, attempt, put_step, step, reply);

    if (rc == 0 && (*reply)->type == REDIS_REPLY_ERROR &&
        redis_verdict_of(redis_text(*reply)).advice == REDIS_SEND_SCRIPT) {
        freeReplyObject(*reply);
        step->wants_text = true;
        rc = pool_ask(&self->pool, attempt, put_step, step, reply);
    }
    if (rc == 0 && (*reply)->type == REDIS_REPLY_ERROR) {
        return refused(self, attempt, *reply);
    }
    return rc;
}

static int ask(redis_ledger_t *self, step_t *step, redisReply **reply,
               hoist_reason *reason)
{
    attempt_t attempt = {.until_ms = clock_mono_ms() + self->timeout_ms};

    step->ledger = self;
    int rc = try(self, step, &attempt, reply);
    if (rc < 0) {
        step->is_unsure = attempt.is_unsure;
        (void)snprintf(reason->text, sizeof reason->text, "%s", attempt.why);
    }
    return rc;
}

static int strange(hoist_reason *reason)
{
    (void)snprintf(reason->text, sizeof reason->text, "an answer that is none");
    return -EPROTO;
}

/* --- numbers as words ---------------------------------------------------- */

typedef struct {
    char text[24];
} number_t;

static hoist_text say_signed(number_t *number, int64_t value)
{
    (void)snprintf(number->text, sizeof number->text, "%" PRId64, value);
    return hoist_str(number->text);
}

static hoist_text say_id(number_t *number, uint64_t value)
{
    (void)snprintf(number->text, sizeof number->text, "%016" PRIx64, value);
    return hoist_str(number->text);
}

static hoist_text digest_of(const hoist_claim *claim)
{
    return hoist_bytes(claim->digest, sizeof claim->digest);
}

/* --- steps --------------------------------------------------------------- */

/* Rounded up, so that it is never faster than said. */
static int64_t us_of(int64_t ns)
{
    return (ns + 999) / 1000;
}

static int redis_spend(hoist_ledger *ledger, hoist_text name,
                       const hoist_bucket *bucket, int64_t *wait_ms,
                       hoist_reason *reason)
{
    number_t token, burst;
    step_t step = {
        .script = SCRIPT_SPEND,
        .name = name,
        .words = {say_signed(&token, us_of(bucket->token_ns)),
                  say_signed(&burst, bucket->burst)},
        .count = 2,
    };
    redisReply *reply;
    int rc = ask(ledger_of(ledger), &step, &reply, reason);

    if (rc < 0) {
        return rc;
    }
    bool is_number = reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0;
    *wait_ms =
        is_number ? reply->integer / 1000 + (reply->integer % 1000 > 0) : 0;
    freeReplyObject(reply);
    return is_number ? 0 : strange(reason);
}

static bool is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING;
}

/* The outcome as it was kept.  Returns 0; -EPROTO. */
static int read_outcome(const redisReply *reply, hoist_outcome *outcome)
{
    if (!redis_is_array(reply, 4) || !is_text(reply->element[1]) ||
        !is_text(reply->element[2]) || !is_text(reply->element[3])) {
        return -EPROTO;
    }
    int status = atoi(reply->element[1]->str);
    int type = atoi(reply->element[2]->str);
    if (status < 100 || status > 599 ||
        (type != CUT_TYPE && (type < HOIST_NONE || type > HOIST_BINARY))) {
        return -EPROTO;
    }
    *outcome = (hoist_outcome){
        .status = status,
        .type = type == CUT_TYPE ? HOIST_NONE : (hoist_type)type,
        .body = hoist_bytes(reply->element[3]->str, reply->element[3]->len),
        .is_cut = type == CUT_TYPE,
    };
    return 0;
}

static int read_claim(const redisReply *reply, hoist_outcome_handler *found,
                      void *data)
{
    hoist_outcome outcome;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0 ||
        reply->element[0]->type != REDIS_REPLY_INTEGER ||
        reply->element[0]->integer < HOIST_CLAIM_OURS ||
        reply->element[0]->integer > HOIST_CLAIM_OTHER) {
        return -EPROTO;
    }
    int claimed = (int)reply->element[0]->integer;
    if (claimed == HOIST_CLAIM_DONE) {
        if (read_outcome(reply, &outcome) < 0) {
            return -EPROTO;
        }
        found(&outcome, data);
    }
    return claimed;
}

static int redis_claim(hoist_ledger *ledger, const hoist_claim *claim,
                       hoist_outcome_handler *found, void *data,
                       hoist_reason *reason)
{
    number_t owner, hold;
    step_t step = {
        .script = SCRIPT_CLAIM,
        .name = claim->name,
        .words = {say_id(&owner, claim->owner), digest_of(claim),
                  say_signed(&hold, claim->hold_ms)},
        .count = 3,
    };
    redisReply *reply;
    int rc = ask(ledger_of(ledger), &step, &reply, reason);

    if (rc < 0) {
        return step.is_unsure ? HOIST_CLAIM_UNSURE : rc;
    }
    rc = read_claim(reply, found, data);
    freeReplyObject(reply);
    return rc == -EPROTO ? strange(reason) : rc;
}

static int redis_settle(hoist_ledger *ledger, const hoist_claim *claim,
                        const hoist_outcome *outcome, int64_t keep_ms,
                        hoist_reason *reason)
{
    number_t owner, keep, status, type;
    step_t step = {
        .script = SCRIPT_SETTLE,
        .name = claim->name,
        .words = {say_id(&owner, claim->owner), digest_of(claim),
                  say_signed(&keep, keep_ms),
                  say_signed(&status, outcome->status),
                  say_signed(&type, outcome->is_cut ? CUT_TYPE
                                                    : (int64_t)outcome->type),
                  outcome->body},
        .count = 6,
    };
    redisReply *reply;
    int rc = ask(ledger_of(ledger), &step, &reply, reason);

    if (rc == 0) {
        freeReplyObject(reply);
    }
    return rc;
}

static int redis_release(hoist_ledger *ledger, const hoist_claim *claim,
                         hoist_reason *reason)
{
    number_t owner;
    step_t step = {
        .script = SCRIPT_RELEASE,
        .name = claim->name,
        .words = {say_id(&owner, claim->owner)},
        .count = 1,
    };
    redisReply *reply;
    int rc = ask(ledger_of(ledger), &step, &reply, reason);

    if (rc == 0) {
        freeReplyObject(reply);
    }
    return rc;
}

/* --- opening ------------------------------------------------------------- */

static void hash_scripts(redis_ledger_t *self)
{
    uint8_t hash[SHA_DIGEST_LENGTH];

    for (size_t i = 0; i < SCRIPTS; i++) {
        wire_bytes_t text = wire_bytes(scripts[i]);
        SHA1(text.data, text.len, hash);
        for (size_t at = 0; at < sizeof hash; at++) {
            (void)snprintf(self->hashes[i] + 2 * at, 3, "%02x", hash[at]);
        }
    }
}

static int read_manner(const char *url, manner_t *manner, char *error,
                       size_t error_size)
{
    int rc = redis_url_parse(url, &manner->url, error, error_size);

    if (rc == 0 && (manner->url.mode == REDIS_CLUSTER ||
                    manner->url.mode == REDIS_SENTINEL)) {
        (void)snprintf(error, error_size,
                       "redis URL: no cluster and no sentinels here");
        rc = -EINVAL;
    }
    if (rc == 0 && manner->url.has_tls) {
        manner->tls = redis_tls_context(&manner->url, error, error_size);
        rc = manner->tls != NULL ? 0 : -EINVAL;
    }
    return rc;
}

/* No copy of a password stays behind. */
static int open_pool(pool_t *pool, const char *url, char *error,
                     size_t error_size)
{
    manner_t manner = {.tls = NULL};
    int rc = read_manner(url, &manner, error, error_size);

    if (rc == 0) {
        pool_init(pool, &manner);
    }
    explicit_bzero(&manner, sizeof manner);
    return rc;
}

int hoist_redis_open(const char *url, const hoist_redis_config *config,
                     hoist_ledger **ledger, char *error, size_t error_size)
{
    static const hoist_ledger_table table = {.size = sizeof table,
                                             .spend = redis_spend,
                                             .claim = redis_claim,
                                             .settle = redis_settle,
                                             .release = redis_release};
    unsigned timeout_ms = config != NULL ? config->timeout_ms : 0;

    *ledger = NULL;
    if (timeout_ms > TIMEOUT_MAX_MS) {
        (void)snprintf(error, error_size, "a timeout is 1 to 10000 ms");
        return -EINVAL;
    }
    redis_ledger_t *self = calloc(1, sizeof *self);
    if (self == NULL) {
        (void)snprintf(error, error_size, "no memory");
        return -ENOMEM;
    }
    int rc = open_pool(&self->pool, url, error, error_size);
    if (rc < 0) {
        free(self);
        return rc;
    }
    self->ledger.table = &table;
    self->timeout_ms = timeout_ms > 0 ? timeout_ms : USUAL_TIMEOUT_MS;
    hash_scripts(self);
    *ledger = &self->ledger;
    return 0;
}

void hoist_redis_close(hoist_ledger **ledger)
{
    redis_ledger_t *self = *ledger != NULL ? ledger_of(*ledger) : NULL;

    if (self != NULL) {
        pool_fini(&self->pool);
        free(self);
        *ledger = NULL;
    }
}
