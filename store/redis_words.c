/* SPDX-License-Identifier: MIT
 *
 * Each command of the store: its key and its words.  A script has one key, so
 * that it works in a cluster.
 */
#include "store/redis_store.h"

#include <stdio.h>

#include <openssl/sha.h>

static const char *const scripts[SCRIPTS] = {
    /* key must last for ARGV[1] ms from now, or nearly */
    [SCRIPT_STRETCH] = "if redis.call('PTTL',KEYS[1])<ARGV[1]*0.875 then "
                       "redis.call('PEXPIRE',KEYS[1],ARGV[1]) end return 1",
    /* put ARGV[2] into a sorted set with ARGV[1], or more; and the same */
    [SCRIPT_ENLIST] = "local s=redis.call('ZSCORE',KEYS[1],ARGV[2]) "
                      "if not s or tonumber(s)<tonumber(ARGV[1]) then "
                      "redis.call('ZADD',KEYS[1],ARGV[1],ARGV[2]) end "
                      "if redis.call('PTTL',KEYS[1])<ARGV[3]*0.875 then "
                      "redis.call('PEXPIRE',KEYS[1],ARGV[3]) end return 1",
    /* the field ARGV[1] becomes ARGV[3] (goes) if it is ARGV[2] */
    [SCRIPT_CLAIM] = "if redis.call('HGET',KEYS[1],ARGV[1])~=ARGV[2] then "
                     "return 0 end "
                     "redis.call('HSET',KEYS[1],ARGV[1],ARGV[3]) return 1",
    [SCRIPT_DROP] = "if redis.call('HGET',KEYS[1],ARGV[1])~=ARGV[2] then "
                    "return 0 end return redis.call('HDEL',KEYS[1],ARGV[1])",
    /* the field ARGV[1] goes if its value begins with ARGV[2] */
    [SCRIPT_REAP] = "local v=redis.call('HGET',KEYS[1],ARGV[1]) "
                    "if not v or string.sub(v,1,#ARGV[2])~=ARGV[2] then "
                    "return 0 end return redis.call('HDEL',KEYS[1],ARGV[1])",
    /* the member ARGV[1] goes if its score is ARGV[2] */
    [SCRIPT_FORGET] = "if redis.call('ZSCORE',KEYS[1],ARGV[1])~=ARGV[2] then "
                      "return 0 end return redis.call('ZREM',KEYS[1],ARGV[1])",
};

void redis_words_init(store_redis_t *self)
{
    uint8_t hash[SHA_DIGEST_LENGTH];

    for (size_t i = 0; i < SCRIPTS; i++) {
        wire_bytes_t text = wire_bytes(scripts[i]);
        SHA1(text.data, text.len, hash);
        for (size_t at = 0; at < sizeof hash; at++) {
            snprintf(self->hashes[i] + 2 * at, 3, "%02x", hash[at]);
        }
    }
}

/* --- keys ---------------------------------------------------------------- */

static wire_bytes_t owner_of(const char *id)
{
    return (wire_bytes_t){(const uint8_t *)id, STORE_OWNER_TEXT};
}

static wire_bytes_t text_of(const char *id)
{
    return (wire_bytes_t){(const uint8_t *)id, CONN_ID_TEXT};
}

redis_key_t redis_words_key(const redis_task_t *task, redis_word_t what,
                            uint32_t at)
{
    redis_key_t key = {.prefix = task->store->url.prefix, .kind = 'L'};

    switch (what) {
    case SAY_ROW_SET:
    case SAY_ROW_DROP:
    case SAY_ROW_GET:
    case SAY_OWNER_STRETCH:
        key.kind = 'o';
        key.name = owner_of(task->id_text);
        break;
    case SAY_USER_ADD:
    case SAY_USER_DROP:
        key.kind = 'u';
        key.name = wire_map_str(record_context(task->record), "user");
        break;
    case SAY_TENANT_ADD:
    case SAY_TENANT_DROP:
        key.kind = 't';
        key.name = wire_map_str(record_context(task->record), "tenant");
        break;
    case SAY_PAGE_IDS:
    case SAY_STALE_DROP:
    case SAY_STALE_ADD:
        key.kind = task->verb == STORE_LIST_USER ? 'u' : 't';
        key.name = task->key;
        break;
    case SAY_PAGE_ROWS:
        key.kind = 'o';
        key.name = owner_of(redis_page_id(task, at));
        break;
    case SAY_ROW_REAP:
        key.kind = 'o';
        key.name = owner_of(redis_page_reaped(task, at));
        break;
    case SAY_PAGE_SCAN:
        key.kind = 'o';
        key.name = task->key;
        break;
    case SAY_OWNER_LEN:
        key.kind = 'o';
        key.name = owner_of(redis_count_owner(task, at));
        break;
    case SAY_OWNER_VOUCH:
    case SAY_OWNERS:
    case SAY_OWNER_FORGET:
        key.kind = 'O';
        break;
    default: /* the leases */
        break;
    }
    return key;
}

/* --- words --------------------------------------------------------------- */

/* NAME key, and `more` words to follow. */
static void begin(redis_command_t *command, const char *name,
                  const redis_key_t *key, size_t more)
{
    redis_put_words(command, 2 + more);
    redis_put_text(command, name);
    redis_put_key(command, key);
}

static void begin_script(const redis_request_t *request,
                         redis_command_t *command, redis_script_t script,
                         const redis_key_t *key, size_t more)
{
    const redis_task_t *task = request->user;

    redis_put_words(command, 4 + more);
    redis_put_text(command, request->wants_text ? "EVAL" : "EVALSHA");
    redis_put_text(command, request->wants_text ? scripts[script]
                                                : task->store->hashes[script]);
    redis_put_text(command, "1");
    redis_put_key(command, key);
}

static void put_row(const redis_task_t *task, redis_command_t *command)
{
    buf_t *scratch = &task->store->scratch;
    const store_row_t row = {
        .context = record_context(task->record),
        .writer = wire_bytes(task->store->options->writer),
        .expires_ms = task->expires_ms,
        .ttl_s = task->record->ttl_s,
    };

    scratch->len = 0;
    int rc = redis_row_put(scratch, &row);
    if (rc < 0) {
        command->rc = rc;
        return;
    }
    redis_put(command, (wire_bytes_t){scratch->data, scratch->len});
}

static void put_row_words(const redis_request_t *request,
                          redis_command_t *command, const redis_key_t *key)
{
    const redis_task_t *task = request->user;

    switch (request->what) {
    case SAY_ROW_SET:
        begin(command, "HSET", key, 2);
        redis_put(command, text_of(task->id_text));
        put_row(task, command);
        break;
    case SAY_ROW_DROP:
        begin(command, "HDEL", key, 1);
        redis_put(command, text_of(task->id_text));
        break;
    case SAY_ROW_GET:
        begin(command, "HGET", key, 1);
        redis_put(command, text_of(task->id_text));
        break;
    case SAY_OWNER_STRETCH:
    case SAY_LEASES_STRETCH:
        begin_script(request, command, SCRIPT_STRETCH, key, 1);
        redis_put_number(command, task->net_ms);
        break;
    case SAY_OWNER_VOUCH:
        begin_script(request, command, SCRIPT_ENLIST, key, 3);
        redis_put_number(command, task->store->store.now_ms + task->net_ms);
        redis_put(command, owner_of(task->id_text));
        redis_put_number(command, task->net_ms);
        break;
    case SAY_USER_ADD:
    case SAY_TENANT_ADD:
        begin_script(request, command, SCRIPT_ENLIST, key, 3);
        redis_put_text(command, "0");
        redis_put(command, text_of(task->id_text));
        redis_put_number(command, task->net_ms);
        break;
    default: /* SAY_USER_DROP, SAY_TENANT_DROP */
        begin(command, "ZREM", key, 1);
        redis_put(command, text_of(task->id_text));
    }
}

static void put_lease_words(const redis_request_t *request,
                            redis_command_t *command, const redis_key_t *key)
{
    const redis_task_t *task = request->user;

    switch (request->what) {
    case SAY_LEASE_SET:
        begin(command, "HSET", key, 2);
        redis_put(command, task->key);
        redis_put(command, task->value);
        break;
    case SAY_LEASES:
        begin(command, "HGETALL", key, 0);
        break;
    case SAY_LEASE_CLAIM:
        begin_script(request, command, SCRIPT_CLAIM, key, 3);
        redis_put(command, task->key);
        redis_put(command, task->expected);
        redis_put(command, task->value);
        break;
    default: /* SAY_LEASE_DROP */
        begin_script(request, command, SCRIPT_DROP, key, 2);
        redis_put(command, task->key);
        redis_put(command, task->expected);
    }
}

/* Behind the id of the cursor, or from the first. */
static void put_page_ids(const redis_task_t *task, redis_command_t *command,
                         const redis_key_t *key)
{
    char from[CONN_ID_TEXT + 2] = "-";

    if (task->cursor.len == CONN_ID_TEXT) {
        snprintf(from, sizeof from, "(%.*s", CONN_ID_TEXT,
                 (const char *)task->cursor.data);
    }
    begin(command, "ZRANGEBYLEX", key, 5);
    redis_put_text(command, from);
    redis_put_text(command, "+");
    redis_put_text(command, "LIMIT");
    redis_put_text(command, "0");
    redis_put_number(command, task->limit);
}

static void put_ids(const redis_task_t *task, redis_command_t *command,
                    uint32_t at, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        redis_put(command, text_of(redis_page_id(task, at + (uint32_t)i)));
    }
}

static void put_page_words(const redis_request_t *request,
                           redis_command_t *command, const redis_key_t *key)
{
    const redis_task_t *task = request->user;
    size_t run;

    switch (request->what) {
    case SAY_PAGE_IDS:
        put_page_ids(task, command, key);
        break;
    case SAY_PAGE_ROWS:
        run = redis_page_run(task, request->at);
        begin(command, "HMGET", key, run);
        put_ids(task, command, request->at, run);
        break;
    case SAY_PAGE_SCAN:
        begin(command, "HSCAN", key, 3);
        redis_put(command, redis_page_from(task, request->server));
        redis_put_text(command, "COUNT");
        redis_put_number(command, task->limit);
        break;
    case SAY_STALE_DROP:
        run = redis_page_stale(task);
        begin(command, "ZREM", key, run);
        put_ids(task, command, 0, run);
        break;
    case SAY_STALE_ADD:
        begin_script(request, command, SCRIPT_ENLIST, key, 3);
        redis_put_text(command, "0");
        put_ids(task, command, request->at, 1);
        redis_put_number(command, task->net_ms);
        break;
    default: /* SAY_ROW_REAP */
        begin_script(request, command, SCRIPT_REAP, key, 2);
        redis_put(command, text_of(redis_page_reaped(task, request->at)));
        redis_put(command, redis_page_head(task, request->at));
    }
}

static void put_count_words(const redis_request_t *request,
                            redis_command_t *command, const redis_key_t *key)
{
    const redis_task_t *task = request->user;

    switch (request->what) {
    case SAY_OWNERS:
        begin(command, "ZRANGE", key, 3);
        redis_put_text(command, "0");
        redis_put_text(command, "-1");
        redis_put_text(command, "WITHSCORES");
        break;
    case SAY_OWNER_LEN:
        begin(command, "HLEN", key, 0);
        break;
    default: /* SAY_OWNER_FORGET */
        begin_script(request, command, SCRIPT_FORGET, key, 2);
        redis_put(command, owner_of(redis_count_owner(task, request->at)));
        redis_put_text(command, redis_count_score(task, request->at));
    }
}

void redis_words_put(void *user, const redis_request_t *request,
                     redis_command_t *command)
{
    redis_key_t key = redis_words_key(request->user,
                                      (redis_word_t)request->what, request->at);
    (void)user;

    switch (request->what) {
    case SAY_LEASE_SET:
    case SAY_LEASES:
    case SAY_LEASE_CLAIM:
    case SAY_LEASE_DROP:
        put_lease_words(request, command, &key);
        break;
    case SAY_PAGE_IDS:
    case SAY_PAGE_ROWS:
    case SAY_PAGE_SCAN:
    case SAY_STALE_DROP:
    case SAY_STALE_ADD:
    case SAY_ROW_REAP:
        put_page_words(request, command, &key);
        break;
    case SAY_OWNERS:
    case SAY_OWNER_LEN:
    case SAY_OWNER_FORGET:
        put_count_words(request, command, &key);
        break;
    default:
        put_row_words(request, command, &key);
    }
}
