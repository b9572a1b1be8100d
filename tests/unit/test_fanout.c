/* SPDX-License-Identifier: MIT
 *
 * Groups and the pushes to them, against a model that has no queue: there,
 * whoever is a member when something is pushed has it at once.  What each
 * member hears in the end, and in which order, must be the same.
 */
#include "base/xalloc.h"
#include "gateway/fanout.h"
#include "tests/unit/colliding_names.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MEMBERS 40
#define GROUPS  5
#define HEARD   4096
#define SLOW    7 /* a member in so many ends by what it is given, once */

/* A member, and what it heard; beside it what it should have heard. */
typedef struct {
    member_t member;
    bool is_gone;
    uint32_t words; /* it ends by the one after so many; 0: never */
    bool is_in[GROUPS];
    uint32_t heard[HEARD], owed[HEARD];
    size_t heard_count, owed_count;
} listener_t;

static struct {
    groups_t groups;
    fanout_t fanout;
    listener_t listeners[MEMBERS];
    sender_t *sender; /* of what is pushed from now on */
    uint32_t said, done, delivered, gone, refused;
    uint64_t random;
} world;

static const char *const names[GROUPS] = {"red", "green", "blue", "grey", ""};

static uint32_t below(uint32_t limit)
{
    world.random ^= world.random << 13;
    world.random ^= world.random >> 7;
    world.random ^= world.random << 17;
    return (uint32_t)((world.random >> 11) % limit);
}

static listener_t *listener_of(member_t *member)
{
    return list_entry(member, listener_t, member);
}

static void ends(listener_t *self)
{
    fanout_abandon(&world.fanout, &self->member);
    groups_leave_all(&world.groups, &self->member);
    self->is_gone = true;
}

static int deliver(void *user, member_t *member, const job_t *job)
{
    listener_t *self = listener_of(member);
    uint32_t word;

    assert_ptr_equal(user, &world);
    assert_false(self->is_gone);
    memcpy(&word, job->frame + job->head, sizeof word);
    if (self->words > 0 && self->heard_count >= self->words) {
        ends(self);
        return -ENOBUFS;
    }
    must(self->heard_count < HEARD);
    self->heard[self->heard_count++] = word;
    return 0;
}

static void done(void *user, const job_t *job)
{
    assert_ptr_equal(user, &world);
    world.done++;
    world.delivered += job->delivered;
    world.gone += job->gone;
    world.refused += job->refused;
}

static int set_up(void **state)
{
    static const fanout_ops_t ops = {.deliver = deliver, .done = done};
    (void)state;

    memset(&world, 0, sizeof world);
    world.random = 88172645463325252u;
    groups_init(&world.groups, GROUPS_MAX);
    fanout_init(&world.fanout, &world.groups, &ops, &world);
    for (size_t i = 0; i < MEMBERS; i++) {
        member_init(&world.listeners[i].member);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < MEMBERS; i++) {
        ends(&world.listeners[i]);
    }
    fanout_fini(&world.fanout);
    groups_fini(&world.groups);
    return 0;
}

static group_type_t type_of(size_t group)
{
    return group == GROUPS - 1 ? GROUP_ALL : GROUP_NAMED;
}

static void joins(listener_t *self, size_t group)
{
    fanout_catch_up(&world.fanout, &self->member);
    if (!self->is_gone) {
        assert_int_equal(groups_join(&world.groups, type_of(group),
                                     wire_bytes(names[group]), &self->member),
                         0);
        self->is_in[group] = true;
    }
}

static group_t *group_at(size_t group)
{
    return groups_find(&world.groups, type_of(group), wire_bytes(names[group]));
}

static void leaves(listener_t *self, size_t group)
{
    fanout_catch_up(&world.fanout, &self->member);
    if (!self->is_gone && group_at(group) != NULL) {
        groups_leave(&world.groups, group_at(group), &self->member);
    }
    self->is_in[group] = false;
}

/* But to those two. */
static void pushes(size_t group, int64_t due_ms, size_t one, size_t two)
{
    member_t *except[2] = {&world.listeners[one].member,
                           &world.listeners[two].member};
    job_t job = {.group = group_at(group),
                 .due_ms = due_ms,
                 .head = 2,
                 .sender = world.sender};
    uint32_t word = ++world.said;

    job.len = 2 + sizeof word;
    job.frame = malloc(job.len);
    must(job.frame != NULL);
    memcpy(job.frame + 2, &word, sizeof word);
    for (size_t i = 0; i < MEMBERS; i++) {
        listener_t *self = &world.listeners[i];
        if (self->is_in[group] && i != one && i != two) {
            must(self->owed_count < HEARD);
            self->owed[self->owed_count++] = word;
        }
    }
    fanout_put(&world.fanout, &job, except, 2);
}

/* Something to it alone, which comes behind what was pushed before. */
static void is_told(listener_t *self)
{
    uint32_t word = ++world.said;

    self->owed[self->owed_count++] = word;
    fanout_catch_up(&world.fanout, &self->member);
    if (!self->is_gone) {
        self->heard[self->heard_count++] = word;
    }
}

static void finishes(void)
{
    while (!fanout_is_idle(&world.fanout)) {
        fanout_step(&world.fanout);
    }
}

/* Whoever ended heard the first of what it was owed. */
static void all_have_heard_what_they_were_owed(void)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        const listener_t *self = &world.listeners[i];
        assert_true(self->heard_count <= self->owed_count);
        assert_memory_equal(self->heard, self->owed,
                            self->heard_count * sizeof *self->heard);
        if (!self->is_gone) {
            assert_int_equal(self->heard_count, self->owed_count);
        }
    }
}

static void settle_changes(void)
{
    for (group_t *group;
         (group = groups_next_changed(&world.groups)) != NULL;) {
        groups_settle(&world.groups, group, group->count > 0);
    }
}

static void acts(void)
{
    listener_t *self = &world.listeners[below(MEMBERS)];
    size_t group = below(GROUPS);

    switch (below(10)) {
    case 0:
    case 1:
        if (!self->is_gone) {
            joins(self, group);
        }
        return;
    case 2:
        leaves(self, group);
        return;
    case 3:
        is_told(self);
        return;
    case 4:
        if (below(60) == 0) {
            ends(self);
        }
        return;
    case 5:
    case 6:
        fanout_step(&world.fanout);
        return;
    case 7:
        settle_changes();
        return;
    default:
        pushes(group, 0, below(MEMBERS), below(MEMBERS));
        return;
    }
}

static void members_hear_what_was_pushed_in_order_and_no_more(void **state)
{
    for (uint32_t seed = 1; seed <= 60; seed++) {
        set_up(state);
        world.random += seed * UINT64_C(0x9e3779b97f4a7c15);
        world.fanout.at_once = below(4) * 3;
        world.fanout.per_turn = 1 + below(5);
        world.fanout.per_member = 1 + below(4);
        world.fanout.turn_bytes = below(2) == 0 ? 1 : 1000;
        for (size_t i = 0; i < MEMBERS; i++) {
            world.listeners[i].words = below(SLOW) == 0 ? 1 + below(50) : 0;
        }
        for (int i = 0; i < 1500; i++) {
            acts();
        }
        finishes();
        all_have_heard_what_they_were_owed();
        tear_down(state);
    }
}

static void everyone_is(size_t count, size_t group)
{
    for (size_t i = 0; i < count; i++) {
        joins(&world.listeners[i], group);
    }
}

static size_t served(void)
{
    size_t count = 0;

    for (size_t i = 0; i < MEMBERS; i++) {
        count += world.listeners[i].heard_count > 0;
    }
    return count;
}

static void few_are_served_at_once(void **state)
{
    (void)state;
    everyone_is(FANOUT_AT_ONCE, 0);
    pushes(0, 0, MEMBERS - 1, MEMBERS - 1);
    assert_int_equal(served(), FANOUT_AT_ONCE);
    assert_int_equal(world.done, 1);
    assert_true(fanout_is_idle(&world.fanout));
}

static void many_are_served_some_in_each_turn(void **state)
{
    (void)state;
    everyone_is(MEMBERS, 0);
    world.fanout.per_turn = 15;
    pushes(0, 0, 0, 0);
    assert_int_equal(served(), 0);
    fanout_step(&world.fanout);
    assert_int_equal(served(), 14); /* one of the 15 is left out */
    assert_int_equal(world.done, 0);
    fanout_step(&world.fanout);
    fanout_step(&world.fanout);
    assert_int_equal(served(), MEMBERS - 1);
    assert_int_equal(world.done, 1);
    assert_int_equal(world.delivered, MEMBERS - 1);
}

static size_t heard(size_t index)
{
    return world.listeners[index].heard_count;
}

static void who_has_its_turn_gets_what_waits_for_it_together(void **state)
{
    (void)state;
    everyone_is(MEMBERS, 0);
    joins(&world.listeners[0], 1);
    world.fanout.per_turn = 1;
    world.fanout.at_once = 0;
    pushes(0, 0, MEMBERS - 1, MEMBERS - 1);
    pushes(1, 0, MEMBERS - 1, MEMBERS - 1);
    pushes(0, 0, MEMBERS - 1, MEMBERS - 1);
    fanout_step(&world.fanout);
    assert_int_equal(heard(0), 3);
    assert_int_equal(served(), 1);
    fanout_step(&world.fanout);
    assert_int_equal(heard(1), 2); /* what is not for it is left out */
    finishes();
    all_have_heard_what_they_were_owed();
}

static void one_turn_of_a_member_is_for_so_many_jobs_and_no_more(void **state)
{
    (void)state;
    everyone_is(MEMBERS, 0);
    world.fanout.per_turn = 1;
    for (int i = 0; i < FANOUT_PER_MEMBER + 5; i++) {
        pushes(0, 0, MEMBERS - 1, MEMBERS - 1);
    }
    fanout_step(&world.fanout);
    assert_int_equal(heard(0), FANOUT_PER_MEMBER);
    finishes();
    all_have_heard_what_they_were_owed();
}

static void the_bytes_of_a_turn_hold_for_one_member_too(void **state)
{
    (void)state;
    everyone_is(MEMBERS, 0);
    world.fanout.turn_bytes = 20; /* three frames of six bytes */
    for (int i = 0; i < 5; i++) {
        pushes(0, 0, MEMBERS - 1, MEMBERS - 1);
    }
    fanout_step(&world.fanout);
    assert_int_equal(heard(0), 3);
    assert_int_equal(served(), 1);
    finishes();
    all_have_heard_what_they_were_owed();
}

static void who_is_told_something_is_not_kept_waiting(void **state)
{
    (void)state;
    everyone_is(MEMBERS, 0);
    pushes(0, 0, 0, 0);
    is_told(&world.listeners[MEMBERS - 1]);
    assert_int_equal(served(), 1);
    finishes();
    all_have_heard_what_they_were_owed();
}

static void what_is_late_is_not_given(void **state)
{
    (void)state;
    everyone_is(MEMBERS, 0);
    world.fanout.per_turn = 10;
    world.fanout.now_ms = 100;
    pushes(0, 150, 0, 0);
    fanout_step(&world.fanout);
    world.fanout.now_ms = 150;
    fanout_catch_up(&world.fanout, &world.listeners[MEMBERS - 1].member);
    finishes();
    assert_int_equal(world.delivered, 9);
    assert_int_equal(world.gone, MEMBERS - 1 - 9);
    assert_int_equal(served(), 9);
}

static void who_ends_is_counted_as_gone(void **state)
{
    (void)state;
    everyone_is(MEMBERS, 0);
    pushes(0, 0, 0, 0);
    ends(&world.listeners[5]);
    finishes();
    assert_int_equal(world.delivered, MEMBERS - 2);
    assert_int_equal(world.gone, 1);
}

static void who_refuses_is_counted_and_holds_up_nobody(void **state)
{
    (void)state;
    everyone_is(MEMBERS, 0);
    world.listeners[3].words = 1;
    pushes(0, 0, 0, 0);
    pushes(0, 0, 0, 0);
    pushes(0, 0, 0, 0);
    finishes();
    assert_int_equal(world.refused, 1);
    assert_int_equal(world.gone, 1);
    all_have_heard_what_they_were_owed();
}

static void nobody_gets_what_is_for_nobody(void **state)
{
    (void)state;
    pushes(0, 0, 0, 0);
    assert_int_equal(world.done, 1);
    assert_int_equal(world.delivered, 0);
}

static void the_last_job_of_a_sender_is_known_until_it_is_done(void **state)
{
    sender_t one = {NULL}, two = {NULL};
    (void)state;

    everyone_is(MEMBERS, 0);
    world.sender = &one;
    pushes(0, 0, 0, 0);
    pushes(0, 0, 0, 0);
    world.sender = &two;
    pushes(0, 0, 0, 0);
    assert_ptr_equal(one.last, world.fanout.jobs[1]);
    assert_ptr_equal(two.last, world.fanout.jobs[2]);
    finishes();
    assert_null(one.last);
    assert_null(two.last);
}

static void nobody_is_told_for_a_sender_that_was_forgotten(void **state)
{
    sender_t one = {NULL}, two = {NULL};
    (void)state;

    everyone_is(MEMBERS, 0);
    world.sender = &one;
    pushes(0, 0, 0, 0);
    world.sender = &two;
    pushes(0, 0, 0, 0);
    fanout_forget(&world.fanout, &one);
    assert_null(one.last);
    assert_null(world.fanout.jobs[0]->sender);
    assert_ptr_equal(two.last, world.fanout.jobs[1]);
    finishes();
    all_have_heard_what_they_were_owed();
}

/* --- groups -------------------------------------------------------------- */

static void joining_twice_and_leaving_in_vain_are_harmless(void **state)
{
    listener_t *self = &world.listeners[0];
    (void)state;

    joins(self, 0);
    joins(self, 0);
    assert_int_equal(group_at(0)->count, 1);
    assert_int_equal(self->member.named, 1);
    leaves(self, 0);
    leaves(self, 0);
    assert_int_equal(group_at(0)->count, 0);
    assert_false(groups_has(group_at(0), &self->member));
}

static void sixty_four_groups_and_no_more(void **state)
{
    listener_t *self = &world.listeners[0];
    char name[8];
    (void)state;

    for (int i = 0; i <= GROUPS_MAX; i++) {
        snprintf(name, sizeof name, "g%d", i);
        assert_int_equal(groups_join(&world.groups, GROUP_NAMED,
                                     wire_bytes(name), &self->member),
                         i < GROUPS_MAX ? 0 : -ENOSPC);
    }
    assert_int_equal(groups_join(&world.groups, GROUP_NAMED, wire_bytes("g0"),
                                 &self->member),
                     0);
    assert_int_equal(
        groups_join(&world.groups, GROUP_USER, wire_bytes("g0"), &self->member),
        0);
}

static void a_group_that_empties_and_fills_in_one_turn_is_no_news(void **state)
{
    listener_t *self = &world.listeners[0];
    (void)state;

    joins(self, 0);
    group_t *group = groups_next_changed(&world.groups);
    assert_ptr_equal(group, group_at(0));
    groups_settle(&world.groups, group, true);
    assert_null(groups_next_changed(&world.groups));
    leaves(self, 0);
    joins(self, 0);
    group = groups_next_changed(&world.groups);
    assert_true(group->is_told && group->count == 1);
    groups_settle(&world.groups, group, true);
    leaves(self, 0);
    group = groups_next_changed(&world.groups);
    groups_settle(&world.groups, group, false);
    assert_null(group_at(0));
    assert_int_equal(world.groups.table.count, 0);
}

static void many_groups_are_found(void **state)
{
    char name[16];
    (void)state;

    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "user-%d", i);
        assert_int_equal(groups_join(&world.groups, GROUP_USER,
                                     wire_bytes(name),
                                     &world.listeners[i % MEMBERS].member),
                         0);
    }
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "user-%d", i);
        const group_t *group =
            groups_find(&world.groups, GROUP_USER, wire_bytes(name));
        assert_non_null(group);
        assert_true(groups_has(group, &world.listeners[i % MEMBERS].member));
        assert_ptr_equal(world.groups.listed[group->index], group);
    }
    assert_null(groups_find(&world.groups, GROUP_TENANT, wire_bytes("user-1")));
}

/* --- names ---------------------------------------------------------------- */

static size_t longest_bucket(const groups_t *groups)
{
    size_t longest = 0;

    for (size_t i = 0; i < groups->table.bucket_count; i++) {
        size_t found = 0;
        list_foreach(node, &groups->table.buckets[i]) {
            found++;
        }
        longest = found > longest ? found : longest;
    }
    return longest;
}

static void names_chosen_to_collide_do_not_share_a_bucket(void **state)
{
    groups_t *groups = &world.groups;
    member_t *member = &world.listeners[0].member;
    (void)state;

    for (unsigned i = 0; i < COLLIDING_NAMES; i++) {
        uint8_t name[COLLIDING_NAME_LEN];
        colliding_name(i, name);
        assert_int_equal(groups_join(groups, GROUP_USER,
                                     (wire_bytes_t){name, sizeof name}, member),
                         0);
    }
    assert_int_equal(groups->table.count, COLLIDING_NAMES);
    assert_true(longest_bucket(groups) < COLLIDING_BUCKET);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_hear_what_was_pushed_in_order_and_no_more),
        TEST(few_are_served_at_once),
        TEST(many_are_served_some_in_each_turn),
        TEST(who_has_its_turn_gets_what_waits_for_it_together),
        TEST(one_turn_of_a_member_is_for_so_many_jobs_and_no_more),
        TEST(the_bytes_of_a_turn_hold_for_one_member_too),
        TEST(who_is_told_something_is_not_kept_waiting),
        TEST(what_is_late_is_not_given),
        TEST(who_ends_is_counted_as_gone),
        TEST(who_refuses_is_counted_and_holds_up_nobody),
        TEST(nobody_gets_what_is_for_nobody),
        TEST(the_last_job_of_a_sender_is_known_until_it_is_done),
        TEST(nobody_is_told_for_a_sender_that_was_forgotten),
        TEST(joining_twice_and_leaving_in_vain_are_harmless),
        TEST(sixty_four_groups_and_no_more),
        TEST(a_group_that_empties_and_fills_in_one_turn_is_no_news),
        TEST(many_groups_are_found),
        TEST(names_chosen_to_collide_do_not_share_a_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
