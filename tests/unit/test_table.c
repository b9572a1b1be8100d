/* SPDX-License-Identifier: MIT */
#include "base/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define FIRST   4
#define ENTRIES 1000

typedef struct {
    hashed_t hashed;
    int number;
} entry_t;

static table_t table;
static entry_t entries[ENTRIES];
static bool has_no_memory;

/* The linker's names, by its option --wrap.
 * NOLINTBEGIN(bugprone-reserved-identifier) */
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
    return has_no_memory ? NULL : __real_calloc(count, size);
}
/* NOLINTEND(bugprone-reserved-identifier) */

static int set_up(void **state)
{
    (void)state;
    for (int i = 0; i < ENTRIES; i++) {
        entries[i].number = i;
    }
    return table_init(&table, FIRST);
}

static int tear_down(void **state)
{
    (void)state;
    has_no_memory = false;
    table_fini(&table);
    return 0;
}

/* Spread, but with every second hash the same as its neighbour's. */
static uint64_t hash_of(int number)
{
    return (uint64_t)(number / 2) * UINT64_C(0x9e3779b97f4a7c15);
}

static void add(int number)
{
    table_add(&table, &entries[number].hashed, hash_of(number));
}

static const entry_t *find(int number)
{
    uint64_t hash = hash_of(number);

    for (hashed_t *at = table_first(&table, hash); at != NULL;
         at = table_next(&table, at)) {
        const entry_t *entry = list_entry(at, entry_t, hashed);
        if (entry->number == number) {
            return entry;
        }
    }
    return NULL;
}

static void what_was_added_is_found_until_it_is_removed(void **state)
{
    (void)state;

    assert_null(find(1));
    for (int i = 0; i < ENTRIES; i++) {
        add(i);
    }
    assert_int_equal(table.count, ENTRIES);
    for (int i = 0; i < ENTRIES; i += 3) {
        table_remove(&table, &entries[i].hashed);
    }
    for (int i = 0; i < ENTRIES; i++) {
        assert_ptr_equal(find(i), i % 3 == 0 ? NULL : &entries[i]);
    }
    assert_int_equal(table.count, ENTRIES - (ENTRIES + 2) / 3);
}

static void those_of_one_hash_are_found_in_the_order_they_came(void **state)
{
    const entry_t *next = &entries[0];
    (void)state;

    table_add(&table, &entries[0].hashed, 5);
    table_add(&table, &entries[9].hashed, 5 + FIRST); /* in the same bucket */
    table_add(&table, &entries[1].hashed, 5);
    table_add(&table, &entries[2].hashed, 5);
    for (hashed_t *at = table_first(&table, 5); at != NULL;
         at = table_next(&table, at)) {
        assert_ptr_equal(at, &next++->hashed);
    }
    assert_ptr_equal(next, &entries[3]);
}

static void there_are_as_many_buckets_as_entries_or_more(void **state)
{
    (void)state;

    for (int i = 0; i < ENTRIES; i++) {
        add(i);
        assert_true(table.bucket_count >= table.count);
        assert_true(table.bucket_count == FIRST ||
                    table.bucket_count < table.count * 2);
    }
}

static void without_memory_it_goes_on_with_the_buckets_it_has(void **state)
{
    (void)state;

    has_no_memory = true;
    for (int i = 0; i < ENTRIES - 1; i++) {
        add(i);
    }
    assert_int_equal(table.bucket_count, FIRST);
    has_no_memory = false;
    add(ENTRIES - 1);
    assert_int_equal(table.bucket_count, FIRST * 2);
    for (int i = 0; i < ENTRIES; i++) {
        assert_ptr_equal(find(i), &entries[i]);
    }
}

static void without_memory_it_does_not_begin(void **state)
{
    table_t other;
    (void)state;

    has_no_memory = true;
    assert_true(table_init(&other, FIRST) < 0);
    assert_null(other.buckets);
    assert_int_equal(other.bucket_count, 0);
    table_fini(&other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_added_is_found_until_it_is_removed),
        TEST(those_of_one_hash_are_found_in_the_order_they_came),
        TEST(there_are_as_many_buckets_as_entries_or_more),
        TEST(without_memory_it_goes_on_with_the_buckets_it_has),
        TEST(without_memory_it_does_not_begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
