/* SPDX-License-Identifier: MIT
 *
 * A hash table finds what was put into it, and grows.
 */
#include "base/lookup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define FIRST 4
#define MANY  1000

typedef struct {
    int number;
    lookup_node_t hashed;
} thing_t;

static thing_t *find(const lookup_t *table, uint64_t hash, int number)
{
    for (lookup_node_t *node = lookup_first(table, hash); node != NULL;
         node = lookup_next(table, node)) {
        thing_t *thing = list_entry(node, thing_t, hashed);
        if (thing->number == number) {
            return thing;
        }
    }
    return NULL;
}

static void what_was_put_is_found_until_it_is_removed(void **state)
{
    thing_t thing = {.number = 7};
    lookup_t table;
    (void)state;

    lookup_init(&table, FIRST);
    assert_null(find(&table, 1, 7));
    lookup_put(&table, &thing.hashed, 1);
    assert_ptr_equal(find(&table, 1, 7), &thing);
    assert_null(find(&table, 1 + FIRST, 7));
    lookup_remove(&table, &thing.hashed);
    assert_null(find(&table, 1, 7));
    lookup_fini(&table);
}

static void those_of_one_hash_are_found_in_the_order_they_came(void **state)
{
    thing_t things[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    thing_t other = {.number = 3};
    lookup_t table;
    int next = 0;
    (void)state;

    lookup_init(&table, FIRST);
    lookup_put(&table, &things[0].hashed, 5);
    lookup_put(&table, &other.hashed, 5 + FIRST); /* in the same bucket */
    lookup_put(&table, &things[1].hashed, 5);
    lookup_put(&table, &things[2].hashed, 5);
    for (lookup_node_t *node = lookup_first(&table, 5); node != NULL;
         node = lookup_next(&table, node)) {
        assert_ptr_equal(node, &things[next++].hashed);
    }
    assert_int_equal(next, 3);
    for (int i = 0; i < 3; i++) {
        lookup_remove(&table, &things[i].hashed);
    }
    lookup_remove(&table, &other.hashed);
    lookup_fini(&table);
}

static void it_grows_so_that_buckets_stay_short(void **state)
{
    static thing_t things[MANY];
    lookup_t table;
    (void)state;

    lookup_init(&table, FIRST);
    for (int i = 0; i < MANY; i++) {
        things[i].number = i;
        lookup_put(&table, &things[i].hashed, (uint64_t)i);
    }
    assert_true(table.bucket_count >= MANY);
    for (int i = 0; i < MANY; i++) {
        assert_ptr_equal(find(&table, (uint64_t)i, i), &things[i]);
        lookup_remove(&table, &things[i].hashed);
    }
    assert_int_equal(table.count, 0);
    lookup_fini(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found_until_it_is_removed),
        cmocka_unit_test(those_of_one_hash_are_found_in_the_order_they_came),
        cmocka_unit_test(it_grows_so_that_buckets_stay_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
