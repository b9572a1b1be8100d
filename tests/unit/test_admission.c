/* SPDX-License-Identifier: MIT */
#include "gateway/admission.h"
#include "tests/unit/random_wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1000000)

static admission_t admission;

static void with(const admission_limits_t *limits)
{
    const hash_key_t key = {
        {UINT64_C(0x9b1f3a5c7d2e4806), UINT64_C(0x1c8e6d4a9f7b3052)}};

    admission_fini(&admission);
    admission_init(&admission, limits, &key);
}

static int set_up(void **state)
{
    (void)state;
    memset(&admission, 0, sizeof admission);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    admission_fini(&admission);
    return 0;
}

static ip_t at(const char *address)
{
    ip_t ip;

    assert_int_equal(ip_parse(address, strlen(address), &ip), 0);
    return ip;
}

static int arrives(const char *address, source_t **source)
{
    ip_t ip = at(address);

    return admission_arrive(&admission, &ip, NOW_MS, source);
}

static source_t *a_socket(const char *address)
{
    source_t *source;

    assert_int_equal(arrives(address, &source), 0);
    return source;
}

static source_t *a_connection(const char *address)
{
    source_t *source = a_socket(address);

    admission_count(source, 1);
    return source;
}

static admission_verdict_t asks(source_t *source, int64_t now_ms)
{
    int64_t wait_ms;

    return admission_ask(&admission, source, now_ms, &wait_ms);
}

/* The n-th network of 2001:db8::/48. */
static ip_t network(uint32_t n)
{
    ip_t ip = at("2001:db8::1");

    ip.bytes[6] = (uint8_t)(n >> 8);
    ip.bytes[7] = (uint8_t)n;
    return ip;
}

/* --- sources ------------------------------------------------------------- */

static void without_limits_of_sources_none_is_kept(void **state)
{
    (void)state;
    with(&(admission_limits_t){.all_rate = 1, .network_bits = 64});
    assert_null(a_socket("192.0.2.1"));
    assert_int_equal(admission.table.count, 0);
    assert_int_equal(asks(NULL, NOW_MS), ADMITTED);
    assert_int_equal(asks(NULL, NOW_MS), REFUSED_RATE);
    admission_leave(&admission, NULL);
}

static void each_address_of_ipv4_is_a_source(void **state)
{
    (void)state;
    with(&(admission_limits_t){.connections = 9, .network_bits = 32});
    assert_ptr_equal(a_socket("192.0.2.1"), a_socket("192.0.2.1"));
    assert_ptr_equal(a_socket("192.0.2.1"), a_socket("::ffff:192.0.2.1"));
    assert_ptr_not_equal(a_socket("192.0.2.1"), a_socket("192.0.2.2"));
    assert_int_equal(admission.table.count, 2);
}

static void of_ipv6_a_network_is_one(void **state)
{
    (void)state;
    with(&(admission_limits_t){.connections = 9, .network_bits = 64});
    source_t *source = a_socket("2001:db8:0:1::1");
    assert_ptr_equal(source, a_socket("2001:db8:0:1:ffff:ffff:ffff:ffff"));
    assert_ptr_not_equal(source, a_socket("2001:db8:0:2::1"));
}

static void how_long_its_prefix_is_can_be_said(void **state)
{
    (void)state;
    with(&(admission_limits_t){.connections = 9, .network_bits = 60});
    assert_ptr_equal(a_socket("2001:db8:0:10::1"),
                     a_socket("2001:db8:0:1f::1"));
    assert_ptr_not_equal(a_socket("2001:db8:0:10::1"),
                         a_socket("2001:db8:0:20::1"));
    with(&(admission_limits_t){.connections = 9, .network_bits = 128});
    assert_ptr_not_equal(a_socket("2001:db8::1"), a_socket("2001:db8::2"));
}

/* --- how many ------------------------------------------------------------ */

static void a_source_has_so_many_connections_and_no_more(void **state)
{
    (void)state;
    with(&(admission_limits_t){.connections = 2, .network_bits = 64});
    a_connection("192.0.2.1");
    source_t *source = a_connection("192.0.2.1");
    assert_int_equal(asks(a_socket("192.0.2.1"), NOW_MS), REFUSED_CONNECTIONS);
    assert_int_equal(asks(a_socket("192.0.2.2"), NOW_MS), ADMITTED);
    admission_count(source, -1);
    assert_int_equal(asks(source, NOW_MS), ADMITTED);
}

static void beside_them_it_has_as_many_sockets_but_16_at_least(void **state)
{
    source_t *source;
    (void)state;

    with(&(admission_limits_t){.connections = 2, .network_bits = 64});
    a_connection("192.0.2.1");
    for (int i = 0; i < ADMISSION_SPARE; i++) {
        source = a_socket("192.0.2.1");
    }
    assert_int_equal(arrives("192.0.2.1", &source), -EBUSY);
    assert_null(source);
    a_socket("192.0.2.2");
    with(&(admission_limits_t){.connections = 20, .network_bits = 64});
    for (int i = 0; i < 20; i++) {
        a_socket("192.0.2.1");
    }
    assert_int_equal(arrives("192.0.2.1", &source), -EBUSY);
}

/* --- how fast ------------------------------------------------------------ */

static void a_source_begins_so_many_handshakes_a_second(void **state)
{
    int64_t wait_ms;
    (void)state;

    with(&(admission_limits_t){.rate = 2, .burst = 3, .network_bits = 64});
    source_t *source = a_socket("192.0.2.1");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(asks(source, NOW_MS), ADMITTED);
    }
    assert_int_equal(admission_ask(&admission, source, NOW_MS + 100, &wait_ms),
                     REFUSED_SOURCE_RATE);
    assert_int_equal(wait_ms, 400);
    assert_int_equal(asks(a_socket("192.0.2.2"), NOW_MS), ADMITTED);
    assert_int_equal(asks(source, NOW_MS + 500), ADMITTED);
    assert_int_equal(asks(source, NOW_MS + 500), REFUSED_SOURCE_RATE);
}

static void all_together_do(void **state)
{
    int64_t wait_ms;
    (void)state;

    with(&(admission_limits_t){
        .rate = 9, .all_rate = 4, .all_burst = 2, .network_bits = 64});
    assert_int_equal(asks(a_socket("192.0.2.1"), NOW_MS), ADMITTED);
    assert_int_equal(asks(a_socket("192.0.2.2"), NOW_MS), ADMITTED);
    assert_int_equal(
        admission_ask(&admission, a_socket("192.0.2.3"), NOW_MS, &wait_ms),
        REFUSED_RATE);
    assert_int_equal(wait_ms, 250);
}

/* … so that one source cannot use up the tokens of all. */
static void who_is_refused_for_itself_takes_nothing_from_all(void **state)
{
    (void)state;
    with(&(admission_limits_t){
        .rate = 1, .all_rate = 2, .all_burst = 2, .network_bits = 64});
    source_t *source = a_socket("192.0.2.1");
    assert_int_equal(asks(source, NOW_MS), ADMITTED);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(asks(source, NOW_MS), REFUSED_SOURCE_RATE);
    }
    assert_int_equal(asks(a_socket("192.0.2.2"), NOW_MS), ADMITTED);
}

static void sockets_come_eight_times_as_fast(void **state)
{
    source_t *source;
    (void)state;

    with(&(admission_limits_t){.rate = 1, .burst = 2, .network_bits = 64});
    for (int i = 0; i < 2 * ADMISSION_SOCKETS; i++) {
        a_socket("192.0.2.1");
    }
    assert_int_equal(arrives("192.0.2.1", &source), -EAGAIN);
    a_socket("192.0.2.2");
}

/* --- what is remembered -------------------------------------------------- */

static void who_leaves_is_known_until_its_tokens_are_back(void **state)
{
    (void)state;
    with(&(admission_limits_t){.rate = 1, .network_bits = 64});
    source_t *source = a_socket("192.0.2.1");
    assert_int_equal(asks(source, NOW_MS), ADMITTED);
    admission_leave(&admission, source);
    admission_step(&admission, NOW_MS + 999);
    assert_ptr_equal(a_socket("192.0.2.1"), source);
    assert_int_equal(asks(source, NOW_MS + 999), REFUSED_SOURCE_RATE);
    admission_step(&admission, NOW_MS + 5000); /* it has a socket */
    assert_int_equal(admission.table.count, 1);
    admission_leave(&admission, source);
    admission_step(&admission, NOW_MS + 5000);
    assert_int_equal(admission.table.count, 0);
}

static void of_those_without_a_socket_65536_are_known(void **state)
{
    source_t *source;
    (void)state;

    with(&(admission_limits_t){.rate = 1, .network_bits = 64});
    source_t *bystander = a_socket("192.0.2.1");
    for (uint32_t i = 0; i <= ADMISSION_RESTING_MAX; i++) {
        ip_t ip = network(i);
        ip.bytes[5] = (uint8_t)(i >> 16);
        assert_int_equal(admission_arrive(&admission, &ip, NOW_MS, &source), 0);
        assert_int_equal(asks(source, NOW_MS), ADMITTED);
        admission_leave(&admission, source);
    }
    assert_int_equal(admission.resting_count, ADMISSION_RESTING_MAX);
    assert_int_equal(admission.table.count, ADMISSION_RESTING_MAX + 1);
    assert_int_equal(asks(a_socket("2001:db8::1"), NOW_MS), ADMITTED);
    assert_int_equal(asks(a_socket("2001:db8:0:9::1"), NOW_MS),
                     REFUSED_SOURCE_RATE);
    assert_int_equal(asks(bystander, NOW_MS), ADMITTED);
}

/* They differ in the last bits of a prefix only. */
static void
networks_of_one_prefix_share_no_bucket_more_than_others(void **state)
{
    source_t *source;
    (void)state;

    with(&(admission_limits_t){.connections = 1, .network_bits = 64});
    for (uint32_t i = 0; i < 65536; i++) {
        ip_t ip = network(i);
        assert_int_equal(admission_arrive(&admission, &ip, NOW_MS, &source), 0);
    }
    for (size_t i = 0; i < admission.table.bucket_count; i++) {
        int count = 0;
        list_foreach(node, &admission.table.buckets[i]) {
            count++;
        }
        assert_true(count <= 16);
    }
}

/* --- anything ------------------------------------------------------------ */

#define SOURCES 12
#define SOCKETS 60

/* What a test knows of a source. */
typedef struct {
    uint32_t sockets, connections;
} known_t;

typedef struct {
    source_t *source;
    uint32_t of;
    bool stands, is_connection;
} socket_t;

static void something_happens(random_t *random, socket_t *one, known_t *known,
                              int64_t now_ms)
{
    source_t *source;
    uint32_t of = (uint32_t)random_below(random, SOURCES);
    ip_t ip = network(of);

    ip.bytes[15] = (uint8_t)random_below(random, 256);
    if (!one->stands) {
        if (admission_arrive(&admission, &ip, now_ms, &source) == 0) {
            *one = (socket_t){.source = source, .of = of, .stands = true};
            known[of].sockets++;
        }
    } else if (!one->is_connection && random_below(random, 2) == 0) {
        bool is_full = known[one->of].connections == 3;
        admission_verdict_t verdict = asks(one->source, now_ms);
        assert_int_equal(verdict == REFUSED_CONNECTIONS, is_full);
        one->is_connection = verdict == ADMITTED;
        known[one->of].connections += one->is_connection;
        admission_count(one->source, one->is_connection);
    } else {
        known[one->of].connections -= one->is_connection;
        known[one->of].sockets--;
        admission_count(one->source, -(int)one->is_connection);
        admission_leave(&admission, one->source);
        *one = (socket_t){.stands = false};
    }
}

static void agrees(const socket_t *sockets, const known_t *known)
{
    size_t awake = 0;

    for (size_t i = 0; i < SOCKETS; i++) {
        if (sockets[i].stands) {
            const known_t *own = &known[sockets[i].of];
            assert_int_equal(sockets[i].source->sockets, own->sockets);
            assert_int_equal(sockets[i].source->connections, own->connections);
        }
    }
    for (size_t i = 0; i < SOURCES; i++) {
        awake += known[i].sockets > 0;
    }
    assert_int_equal(admission.table.count - admission.resting_count, awake);
    assert_true(admission.table.count <= SOURCES);
}

static void whatever_happens_the_counts_are_right_and_nobody_stays(void **state)
{
    random_t random;
    (void)state;

    random_init(&random, 22);
    for (int round = 0; round < 50; round++) {
        socket_t sockets[SOCKETS] = {{0}};
        known_t known[SOURCES] = {{0}};
        int64_t now_ms = NOW_MS;

        with(&(admission_limits_t){.connections = 3,
                                   .rate = 5,
                                   .burst = 4,
                                   .all_rate = 40,
                                   .network_bits = 64});
        for (int step = 0; step < 2000; step++) {
            now_ms += (int64_t)random_below(&random, 60);
            something_happens(&random, &sockets[random_below(&random, SOCKETS)],
                              known, now_ms);
            admission_step(&admission, now_ms);
            agrees(sockets, known);
        }
        for (size_t i = 0; i < SOCKETS; i++) {
            if (sockets[i].stands) {
                admission_leave(&admission, sockets[i].source);
            }
        }
        admission_step(&admission, now_ms + 2000);
        assert_int_equal(admission.table.count, 0);
    }
    random_fini(&random);
}

#define TEST(function)                                                         \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_limits_of_sources_none_is_kept),
        TEST(each_address_of_ipv4_is_a_source),
        TEST(of_ipv6_a_network_is_one),
        TEST(how_long_its_prefix_is_can_be_said),
        TEST(a_source_has_so_many_connections_and_no_more),
        TEST(beside_them_it_has_as_many_sockets_but_16_at_least),
        TEST(a_source_begins_so_many_handshakes_a_second),
        TEST(all_together_do),
        TEST(who_is_refused_for_itself_takes_nothing_from_all),
        TEST(sockets_come_eight_times_as_fast),
        TEST(who_leaves_is_known_until_its_tokens_are_back),
        TEST(of_those_without_a_socket_65536_are_known),
        TEST(networks_of_one_prefix_share_no_bucket_more_than_others),
        TEST(whatever_happens_the_counts_are_right_and_nobody_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
