/* SPDX-License-Identifier: MIT
 *
 * Memory that runs out: a life of two clients, in which one allocation of the
 * hub fails, the first in the first run, the second in the second, and so on.
 * What is asked for then may fail; nothing else does, and nothing stays.
 */
#include "tests/unit/hub_fixture.h"

#define FIN        0x80
#define RUNS_MIN   50
#define REQUESTS   64
#define ROUNDS_MAX 40
#define LONG_TEXT  20000

/* The linker's names, by its option --wrap.
 * NOLINTBEGIN(bugprone-reserved-identifier) */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static int countdown; /* to the allocation that fails; 0: none does */

static bool runs_out(void)
{
    return gateway.is_in_hub && countdown > 0 && --countdown == 0;
}

void *__wrap_malloc(size_t size)
{
    return runs_out() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return runs_out() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return runs_out() ? NULL : __real_realloc(memory, size);
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* Answer what there is; returns how many requests that were. */
static int answers_some(void)
{
    uint64_t ids[REQUESTS];
    message_t message;
    int count = 0;

    while (takes(&message)) {
        if (message.kind == KIND_REQUEST && count < REQUESTS) {
            ids[count++] = message.request.id;
        }
    }
    for (int i = 0; i < count; i++) {
        answers(ids[i], 200, "body");
    }
    return count;
}

static void answers_all(void)
{
    for (int i = 0; i < ROUNDS_MAX; i++) {
        if (answers_some() == 0) {
            time_passes(100);
        }
    }
}

static void one_speaks(client_t *client)
{
    char text[LONG_TEXT];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    client_sends_frame(client, WS_TEXT, "frag", 4);
    client_sends_frame(client, FIN | WS_CONTINUATION, "ment", 4);
    client_says(client, text);
    client_says(client, "{\"action\":\"x\"}");
    client_sends_frame(client, FIN | WS_PING, "p", 1);
    pushes(client->id, text);
}

/* More than it may have under way, so that some of it is kept. */
static void other_speaks(client_t *client)
{
    for (int i = 0; i < 4; i++) {
        client_says(client, "x");
    }
    pushes(client->id, "push");
}

static void the_broker_comes_and_goes(void)
{
    broker_says_bare(KIND_WHO);
    broker_welcomes();
    time_passes(100);
    broker_says_bare(KIND_WHO);
    another_broker_welcomes();
    time_passes(100);
}

/* All is over, and there is memory again. */
static void all_ends(client_t *const *both)
{
    for (int i = 0; i < 2; i++) {
        if (both[i] != NULL) {
            client_vanishes(both[i]);
        }
    }
    time_passes(2000);
    another_broker_welcomes();
    answers_all();
    nothing_is_left();
}

/* Returns whether an allocation failed. */
static bool live(int which_fails)
{
    countdown = which_fails;
    client_t *both[] = {a_socket(), a_socket()};

    for (int i = 0; i < 2; i++) {
        if (both[i] != NULL) {
            client_asks(both[i], UPGRADE);
        }
    }
    answers_some();
    for (int i = 0; i < 2; i++) {
        if (both[i] != NULL) {
            (i == 0 ? one_speaks : other_speaks)(both[i]);
        }
    }
    the_broker_comes_and_goes();
    if (both[0] != NULL) {
        client_closes(both[0], 4000, "bye");
        closes(both[0]->id, 4001, "too late", 0);
    }
    answers_all();
    bool has_failed = countdown == 0;
    countdown = 0;
    all_ends(both);
    return has_failed;
}

static void whichever_allocation_fails_the_gateway_goes_on(void **state)
{
    int run = 0;

    for (bool has_failed = true; has_failed;) {
        gateway.options.conn_window = 2;
        gateway_restarts();
        has_failed = live(++run);
        gateway_tear_down(state);
        gateway_set_up(state);
    }
    print_message("%d allocations, of which each has failed\n", run - 1);
    assert_true(run > RUNS_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            whichever_allocation_fails_the_gateway_goes_on, gateway_set_up,
            gateway_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
