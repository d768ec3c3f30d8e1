#include "tests/unit/support.h"

#include <stdlib.h>

#include "client/turns.h"

/* Each connection has its turn once in each round, always at the same place. */
static void
every_connection_once_a_round(void **state)
{
	static const uint32_t totals[] = {
	    1, 2, 3, 4, 5, 6, 10, 12, 97, 100, 1024, 2310, 9999};
	const uint64_t rounds = 3;
	struct turns_share all = {0, 0, 0};
	struct turns t;
	uint64_t *place, k;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(totals); i++) {
		all.total = all.count = totals[i];
		place = calloc(totals[i], sizeof(*place));
		assert_non_null(place);
		turns_begin(&t, &all, 5);
		for (k = 0; k < rounds * totals[i]; k++, turns_next(&t)) {
			assert_int_equal(t.arrival, 5 + k);
			assert_true(t.connection < totals[i]);
			if (k < totals[i]) {
				assert_int_equal(place[t.connection], 0);
				place[t.connection] = k + 1;
			}
			assert_int_equal(
			    place[t.connection], k % totals[i] + 1);
		}
		free(place);
	}
}

/* To go to an arrival is to come to it one by one; also before the first. */
static void
goes_to_any_arrival(void **state)
{
	const struct turns_share share = {3, 4, 10};
	struct turns t, u;
	uint64_t k;

	(void)state;
	turns_begin(&t, &share, 40);
	u = t;
	turns_go_to(&t, 7);
	for (k = 7; k < 200; k++, turns_next(&t)) {
		turns_go_to(&u, k);
		assert_int_equal(t.connection, u.connection);
		assert_int_equal(t.arrival, u.arrival);
	}
	turns_go_to(&t, 40);
	assert_int_equal(t.connection, 0);
}

/* A worker's arrivals are spread over the round: no two workers take long turns. */
static void
a_share_is_spread_evenly(void **state)
{
	static const uint32_t workers[] = {2, 3, 4, 8, 16};
	const uint32_t each = 1000;
	struct turns_share share;
	struct turns t;
	uint64_t before, gap;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(workers); i++) {
		share = (struct turns_share){each, each, each * workers[i]};
		turns_begin(&t, &share, 0);
		turns_find(&t, UINT64_MAX);
		while (t.arrival < share.total) {
			before = t.arrival;
			turns_next(&t);
			turns_find(&t, UINT64_MAX);
			gap = t.arrival - before;
			assert_true(gap <= 3 * workers[i]);
		}
	}
}

static void
finds_nothing_beyond_the_end_and_nothing_of_none(void **state)
{
	const struct turns_share one = {2, 1, 3}, none = {0, 0, 3};
	struct turns t;

	(void)state;
	turns_begin(&t, &one, 10);
	turns_find(&t, 10);
	assert_int_equal(t.arrival, 10);
	turns_find(&t, UINT64_MAX);
	assert_int_equal(t.connection, 2);
	assert_in_range(t.arrival, 11, 12);
	turns_begin(&t, &none, 10);
	turns_find(&t, 1000000);
	assert_int_equal(t.arrival, 1000000);
	turns_find(&t, UINT64_MAX);
	assert_true(t.arrival == UINT64_MAX);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_connection_once_a_round),
	    cmocka_unit_test(goes_to_any_arrival),
	    cmocka_unit_test(a_share_is_spread_evenly),
	    cmocka_unit_test(finds_nothing_beyond_the_end_and_nothing_of_none),
	};

	return cmocka_run_group_tests_name("turns", tests, NULL, NULL);
}
