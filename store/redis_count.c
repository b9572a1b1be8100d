/* SPDX-License-Identifier: MIT
 *
 * How many rows there are, or who has any: the owners (step 0), and the length
 * of the hash of each (1).  Nothing is counted up and down, so nothing can
 * drift.  An owner without rows whom nobody has vouched for in a long time is
 * forgotten (2), unless somebody vouches for it in that moment.
 */
#include "store/redis_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SCORE_TEXT      32
#define FORGET_MAX      64               /* owners of one count */
#define FORGET_AFTER_MS INT64_C(3600000) /* clocks of brokers may differ */

typedef struct {
    char name[STORE_OWNER_TEXT];
    char score[SCORE_TEXT];
    bool has_rows, is_gone;
} owner_t;

struct redis_tally {
    owner_t *owners; /* owned */
    size_t owner_count;
    uint64_t rows;
    size_t gone;
    redis_request_t *requests; /* owned */
    size_t request_count;
};

const char *redis_count_owner(const redis_task_t *self, uint32_t at)
{
    return self->tally->owners[at].name;
}

const char *redis_count_score(const redis_task_t *self, uint32_t at)
{
    return self->tally->owners[at].score;
}

static int make_requests(redis_tally_t *tally, size_t count)
{
    free(tally->requests);
    tally->request_count = 0;
    tally->requests = calloc(count + 1, sizeof *tally->requests);
    return tally->requests == NULL ? -ENOMEM : 0;
}

static void say(redis_task_t *self, redis_word_t what, size_t at)
{
    redis_task_say(self, &self->tally->requests[self->tally->request_count++],
                   what, (uint32_t)at);
}

static int make_tally(redis_task_t *self)
{
    if (self->tally == NULL) {
        self->tally = calloc(1, sizeof *self->tally);
    }
    return self->tally == NULL ? -ENOMEM : 0;
}

int redis_count_step(redis_task_t *self)
{
    if (make_tally(self) < 0) {
        return -ENOMEM;
    }
    redis_tally_t *tally = self->tally;
    if (make_requests(tally, tally->owner_count) < 0) {
        return -ENOMEM;
    }
    if (self->step == 0) {
        say(self, SAY_OWNERS, 0);
        return 0;
    }
    if (self->step == 1) {
        tally->rows = 0;
        tally->gone = 0;
    }
    for (size_t i = 0; i < tally->owner_count; i++) {
        if (self->step == 1) {
            say(self, SAY_OWNER_LEN, i);
        } else if (tally->owners[i].is_gone) {
            say(self, SAY_OWNER_FORGET, i);
        }
    }
    return 0;
}

static void fail_step(redis_task_t *self, int rc)
{
    self->rc = rc;
    self->advice = REDIS_GIVE_UP;
}

static void take_owners(redis_task_t *self, const redisReply *reply)
{
    redis_tally_t *tally = self->tally;

    free(tally->owners);
    tally->owner_count = 0;
    tally->owners = calloc(reply->elements / 2 + 1, sizeof *tally->owners);
    if (tally->owners == NULL) {
        fail_step(self, -ENOMEM);
        return;
    }
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        wire_bytes_t name = redis_text(reply->element[i]);
        wire_bytes_t score = redis_text(reply->element[i + 1]);
        owner_t *owner = &tally->owners[tally->owner_count];
        if (name.len == sizeof owner->name && name.data != NULL &&
            score.len < SCORE_TEXT && score.data != NULL) {
            memcpy(owner->name, name.data, name.len);
            memcpy(owner->score, score.data, score.len);
            tally->owner_count++;
        }
    }
}

static void take_length(redis_task_t *self, owner_t *owner, long long length)
{
    redis_tally_t *tally = self->tally;
    double now_ms = (double)self->store->store.now_ms;

    tally->rows += (uint64_t)length;
    owner->has_rows = length > 0;
    owner->is_gone = length == 0 && tally->gone < FORGET_MAX &&
                     strtod(owner->score, NULL) + FORGET_AFTER_MS < now_ms;
    tally->gone += owner->is_gone ? 1 : 0;
}

void redis_count_take(redis_task_t *self, const redis_request_t *request,
                      const redisReply *reply)
{
    if (request->what == SAY_OWNERS && reply->type == REDIS_REPLY_ARRAY) {
        take_owners(self, reply);
    } else if (request->what == SAY_OWNER_LEN &&
               reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0) {
        take_length(self, &self->tally->owners[request->at], reply->integer);
    } else if (request->what != SAY_OWNER_FORGET) {
        fail_step(self, -EPROTO);
    }
}

static void tell_owners(redis_task_t *self)
{
    const redis_tally_t *tally = self->tally;
    uint32_t loops[STORE_OWNERS_MAX];
    store_result_t result = {.owners = loops};

    for (size_t i = 0; i < tally->owner_count; i++) {
        const owner_t *owner = &tally->owners[i];
        uint32_t *loop = &loops[result.owner_count];
        if (result.owner_count < STORE_OWNERS_MAX && owner->has_rows &&
            conn_id_parse_loop(owner->name, sizeof owner->name, loop) == 0) {
            result.owner_count++;
        }
    }
    redis_task_tell(self, 0, &result);
}

bool redis_count_over(redis_task_t *self)
{
    redis_tally_t *tally = self->tally;

    if (self->step++ == 0) {
        return true;
    }
    if (self->step == 2) {
        if (self->verb == STORE_OWNERS) {
            tell_owners(self);
        } else {
            redis_task_tell(self, 0, &(store_result_t){.count = tally->rows});
        }
        return tally->gone > 0;
    }
    return false;
}

void redis_count_cancel(redis_task_t *self)
{
    redis_tally_t *tally = self->tally;

    for (size_t i = 0; tally != NULL && i < tally->request_count; i++) {
        if (tally->requests[i].is_held &&
            redis_pool_cancel(&self->store->pool, &tally->requests[i])) {
            self->pending--;
        }
    }
}

void redis_count_free(redis_task_t *self)
{
    if (self->tally != NULL) {
        free(self->tally->owners);
        free(self->tally->requests);
        free(self->tally);
        self->tally = NULL;
    }
}
