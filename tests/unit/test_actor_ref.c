/* SPDX-License-Identifier: MIT
 *
 * Actors in threads of their own and in those of others, as their owner sees
 * them.
 */
#include "base/actor_ref.h"
#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 30000
#define FULL_MS 100 /* without room in a pipe */

/* What an actor of these tests is told, and what it tells. */
typedef struct {
    bool fails;
} plan_t;

typedef struct {
    actor_t actor;
    bool has_begun; /* its turn */
} player_t;

static plan_t lives = {.fails = false}, fails = {.fails = true};
static actor_ref_t host, guest;

/* --- an actor that says what it is told, and ends when told so ------------ */

static void begin(void *user)
{
    player_t *self = user;

    self->has_begun = true;
}

static void end(void *user)
{
    (void)user;
}

static void term(void *user)
{
    player_t *self = user;

    actor_end(&self->actor);
}

/* In which thread it takes its turns. */
static void stats(void *user)
{
    player_t *self = user;

    zstr_sendf(self->actor.place.pipe, "%ld",
               self->has_begun ? (long)gettid() : 0L);
}

static void told(void *user, const char *command)
{
    player_t *self = user;

    if (streq(command, "END")) {
        actor_end(&self->actor);
    } else {
        zstr_send(self->actor.place.pipe, command);
    }
}

static actor_t *open_player(const actor_place_t *place, void *options)
{
    static const actor_ops_t ops = {
        .begin = begin, .end = end, .term = term, .stats = stats, .told = told};
    const plan_t *plan = options;
    player_t *self;

    if (plan->fails) {
        zstr_sendx(place->pipe, "FAILED", "as planned", NULL);
        return NULL;
    }
    self = xcalloc(1, sizeof *self);
    actor_init(&self->actor, place, &ops, self);
    zstr_sendx(place->pipe, "READY", NULL);
    actor_run(&self->actor);
    return &self->actor;
}

static void close_player(actor_t *actor)
{
    zsock_t *pipe = actor->place.pipe;

    actor_fini(actor);
    free(actor->user);
    zstr_send(pipe, "STOPPED");
}

static const actor_kind_t player = {open_player, close_player};

/* --- what tests say ------------------------------------------------------- */

static void says(const actor_ref_t *ref, const char *word)
{
    zsock_set_rcvtimeo(ref->pipe, WAIT_MS);
    char *said = zstr_recv(ref->pipe);
    assert_non_null(said);
    assert_string_equal(said, word);
    zstr_free(&said);
}

static void answers(const actor_ref_t *ref)
{
    assert_int_equal(zstr_send(ref->pipe, "echo"), 0);
    says(ref, "echo");
}

static long thread_of(const actor_ref_t *ref)
{
    assert_int_equal(zstr_send(ref->pipe, "STATS"), 0);
    char *said = zstr_recv(ref->pipe);
    assert_non_null(said);
    long thread = strtol(said, NULL, 10);
    zstr_free(&said);
    assert_true(thread > 0);
    return thread;
}

static void starts(void)
{
    assert_int_equal(actor_spawn(&host, &player, &lives, "host"), 0);
    says(&host, "READY");
}

static void joins(void)
{
    actor_spawn_in(&guest, &host, &player, &lives);
    says(&guest, "READY");
}

static int tear_down(void **state)
{
    (void)state;

    actor_stop(&guest);
    actor_stop(&host);
    return 0;
}

/* --- tests ---------------------------------------------------------------- */

static void a_guest_lives_in_the_thread_of_its_host(void **state)
{
    (void)state;

    starts();
    joins();
    assert_int_equal(thread_of(&host), thread_of(&guest));
    assert_int_not_equal(thread_of(&host), gettid());
}

static void each_hears_its_own_commands(void **state)
{
    (void)state;

    starts();
    joins();
    answers(&host);
    answers(&guest);
}

static void a_host_lives_on_when_its_guest_has_stopped(void **state)
{
    (void)state;

    starts();
    joins();
    actor_stop(&guest);
    answers(&host);
    joins(); /* there is room for the next */
    answers(&guest);
}

static void a_guest_that_cannot_start_says_so_and_is_gone(void **state)
{
    (void)state;

    starts();
    actor_spawn_in(&guest, &host, &player, &fails);
    says(&guest, "FAILED");
    says(&guest, "as planned");
    actor_stop(&guest);
    answers(&host);
}

static void a_guest_that_ends_by_itself_leaves_its_host(void **state)
{
    (void)state;

    starts();
    joins();
    assert_int_equal(zstr_send(guest.pipe, "END"), 0);
    says(&guest, "STOPPED");
    answers(&host);
}

static void a_guest_outlives_a_host_that_ends_by_itself(void **state)
{
    (void)state;

    starts();
    joins();
    assert_int_equal(zstr_send(host.pipe, "END"), 0);
    says(&host, "STOPPED");
    answers(&guest);
}

static void a_host_that_cannot_start_is_gone(void **state)
{
    (void)state;

    assert_int_equal(actor_spawn(&host, &player, &fails, "host"), 0);
    says(&host, "FAILED");
    says(&host, "as planned");
}

/* It waits for us to read what it has said, and so reads no command. */
static void a_guest_whose_pipe_is_full_can_be_stopped(void **state)
{
    (void)state;

    starts();
    joins();
    zsock_set_sndtimeo(guest.pipe, FULL_MS);
    while (zstr_send(guest.pipe, "echo") == 0) {
    }
    actor_stop(&guest);
    answers(&host);
}

static void stopping_nobody_does_nothing(void **state)
{
    actor_ref_t nobody = {.pipe = NULL};
    (void)state;

    actor_stop(&nobody);
    starts();
    actor_stop(&host);
    actor_stop(&host);
    assert_null(host.pipe);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_guest_lives_in_the_thread_of_its_host),
        TEST(each_hears_its_own_commands),
        TEST(a_host_lives_on_when_its_guest_has_stopped),
        TEST(a_guest_that_cannot_start_says_so_and_is_gone),
        TEST(a_guest_that_ends_by_itself_leaves_its_host),
        TEST(a_guest_outlives_a_host_that_ends_by_itself),
        TEST(a_host_that_cannot_start_is_gone),
        TEST(a_guest_whose_pipe_is_full_can_be_stopped),
        TEST(stopping_nobody_does_nothing),
    };

    zsys_init();
    zsys_handler_set(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
