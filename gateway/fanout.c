/* SPDX-License-Identifier: MIT */
#include "gateway/fanout.h"

#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_CAPACITY 16

void fanout_init(fanout_t *self, groups_t *groups, const fanout_ops_t *ops,
                 void *user)
{
    *self = (fanout_t){.groups = groups,
                       .ops = ops,
                       .user = user,
                       .first = 1,
                       .at_once = FANOUT_AT_ONCE,
                       .per_turn = FANOUT_PER_TURN,
                       .per_member = FANOUT_PER_MEMBER,
                       .turn_bytes = FANOUT_TURN_BYTES};
}

/* --- the ring ------------------------------------------------------------ */

static job_t *job_at(const fanout_t *self, uint64_t number)
{
    return self->jobs[(self->head + (number - self->first)) % self->cap];
}

/* Number of the job that came last, waiting or done. */
static uint64_t last(const fanout_t *self)
{
    return self->first + self->len - 1;
}

static int grow(fanout_t *self)
{
    size_t cap = self->cap > 0 ? self->cap * 2 : FIRST_CAPACITY;
    job_t **jobs = malloc(cap * sizeof(job_t *));

    if (jobs == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < self->len; i++) {
        jobs[i] = self->jobs[(self->head + i) % self->cap];
    }
    free(self->jobs);
    self->jobs = jobs;
    self->head = 0;
    self->cap = cap;
    return 0;
}

static int enqueue(fanout_t *self, const job_t *job)
{
    if (self->len == self->cap && grow(self) < 0) {
        return -ENOMEM;
    }
    job_t *copy = malloc(sizeof *copy);
    if (copy == NULL) {
        return -ENOMEM;
    }
    *copy = *job;
    copy->is_queued = true;
    if (copy->sender != NULL) {
        copy->sender->last = copy;
    }
    self->jobs[(self->head + self->len++) % self->cap] = copy;
    return 0;
}

static void dequeue(fanout_t *self)
{
    job_t *job = self->jobs[self->head];

    self->head = (self->head + 1) % self->cap;
    self->len--;
    self->first++;
    self->is_walking = false;
    if (job->sender != NULL && job->sender->last == job) {
        job->sender->last = NULL;
    }
    self->ops->done(self->user, job);
    free(job->frame);
    free(job);
}

void fanout_forget(fanout_t *self, sender_t *sender)
{
    for (size_t i = 0; i < self->len; i++) {
        job_t *job = self->jobs[(self->head + i) % self->cap];
        if (job->sender == sender) {
            job->sender = NULL;
        }
    }
    sender->last = NULL;
}

/* --- one member ---------------------------------------------------------- */

static bool is_late(const fanout_t *self, const job_t *job)
{
    return job->due_ms > 0 && self->now_ms >= job->due_ms;
}

static void serve(fanout_t *self, member_t *member, job_t *job)
{
    if (is_late(self, job)) {
        job->gone++;
        job->late++;
        return;
    }
    int rc = self->ops->deliver(self->user, member, job);
    if (rc == 0) {
        job->delivered++;
    } else if (rc == -ENOTCONN) {
        job->gone++;
    } else {
        job->refused++;
    }
}

/* Is the job, which waits, still for this member? */
static bool is_for(const job_t *job, const member_t *member)
{
    return job->left > 0 && groups_has(job->group, member);
}

/* Number of the next job that it may not have had, if there is one already. */
static uint64_t next_for(const fanout_t *self, const member_t *member)
{
    return member->served < self->first ? self->first : member->served + 1;
}

/* Its next job, if that is for it.  By what it is given it may end: then there
 * is no next for it.  Returns the bytes that it was given. */
static size_t give_next(fanout_t *self, member_t *member)
{
    job_t *job = job_at(self, member->served = next_for(self, member));

    if (!is_for(job, member)) {
        return 0;
    }
    job->left--;
    serve(self, member, job);
    return job->len;
}

void fanout_catch_up(fanout_t *self, member_t *member)
{
    while (next_for(self, member) <= last(self)) {
        (void)give_next(self, member);
    }
    if (member->served < last(self)) {
        member->served = last(self); /* it is new: all others came before */
    }
}

void fanout_abandon(fanout_t *self, member_t *member)
{
    for (uint64_t at; (at = next_for(self, member)) <= last(self);) {
        job_t *job = job_at(self, at);
        member->served = at;
        if (is_for(job, member)) {
            job->left--;
            job->gone++;
        }
    }
}

/* --- a job --------------------------------------------------------------- */

static bool is_among(member_t *const *members, size_t count,
                     const member_t *member)
{
    for (size_t i = 0; i < count; i++) {
        if (members[i] == member) {
            return true;
        }
    }
    return false;
}

/* One may end while it catches up, but none of the others. */
static void put_at_once(fanout_t *self, job_t *job, member_t *const *except,
                        size_t except_count)
{
    member_t *members[FANOUT_AT_ONCE];
    size_t count = 0;

    if (job->group != NULL) {
        list_foreach(node, &job->group->members) {
            members[count++] = list_entry(node, membership_t, of_group)->member;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (is_among(except, except_count, members[i])) {
            continue;
        }
        fanout_catch_up(self, members[i]);
        if (groups_has(job->group, members[i])) {
            serve(self, members[i], job);
        } else {
            job->gone++;
        }
    }
    self->ops->done(self->user, job);
    free(job->frame);
}

/* They have had what came before, and count as if they had had this, too. */
static void leave_out(fanout_t *self, job_t *job, member_t *const *except,
                      size_t except_count)
{
    for (size_t i = 0; i < except_count; i++) {
        if (groups_has(job->group, except[i]) &&
            except[i]->served < last(self)) {
            except[i]->served = last(self);
            job->left--;
        }
    }
}

void fanout_put(fanout_t *self, const job_t *job, member_t *const *except,
                size_t except_count)
{
    job_t copy = *job;
    uint32_t count = copy.group != NULL ? copy.group->count : 0;

    if (count <= self->at_once && count <= FANOUT_AT_ONCE) {
        put_at_once(self, &copy, except, except_count);
        return;
    }
    for (size_t i = 0; i < except_count; i++) {
        fanout_catch_up(self, except[i]);
    }
    copy.left = copy.group->count; /* someone may have ended just now */
    if (enqueue(self, &copy) < 0) {
        copy.gone = copy.left;
        self->ops->done(self->user, &copy);
        free(copy.frame);
        return;
    }
    leave_out(self, job_at(self, last(self)), except, except_count);
}

/* --- turns --------------------------------------------------------------- */

/* The next member of the oldest job has its turn: it gets that one and, since
 * one write carries them all, what some of those behind have for it. */
static void step_one(fanout_t *self, size_t *bytes)
{
    member_t *member = groups_walk_next(self->groups);

    must(member != NULL); /* as long as some are left */
    if (member->served >= self->first) {
        return;
    }
    for (uint32_t i = 0; i < self->per_member; i++) {
        *bytes += give_next(self, member);
        uint64_t next = next_for(self, member);
        if (next > last(self) ||
            *bytes + job_at(self, next)->len > self->turn_bytes) {
            return;
        }
    }
}

void fanout_step(fanout_t *self)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < self->per_turn && self->len > 0; i++) {
        job_t *job = self->jobs[self->head];
        if (bytes > 0 && bytes + job->len > self->turn_bytes) {
            return;
        }
        if (is_late(self, job)) {
            job->gone += job->left;
            job->late += job->left;
            job->left = 0;
        }
        if (job->left > 0 && !self->is_walking) {
            groups_walk(self->groups, job->group);
            self->is_walking = true;
        }
        if (job->left > 0) {
            step_one(self, &bytes);
        }
        if (job->left == 0) {
            dequeue(self);
        }
    }
}

void fanout_fini(fanout_t *self)
{
    for (size_t i = 0; i < self->len; i++) {
        job_t *job = self->jobs[(self->head + i) % self->cap];
        free(job->frame);
        free(job);
    }
    free(self->jobs);
    self->jobs = NULL;
    self->len = self->cap = 0;
}
