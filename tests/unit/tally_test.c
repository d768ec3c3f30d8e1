/*
 * Where connections failed or were not answered: exact counts of the places that
 * have a row, whatever comes and goes, in bounded memory.
 */
#include "tests/unit/support.h"

#include <errno.h>

#include "client/tally.h"

#define CAUSE TALLY_QUEUED

static struct tally_way
way(uint32_t target, uint32_t source)
{
	return (struct tally_way){
	    {[TALLY_TARGET] = target, [TALLY_SOURCE] = source}};
}

/* 0: the place has no row, or a count of 0. */
static uint64_t
count_at(const struct tally *t, enum tally_kind kind, uint32_t place)
{
	const struct tally_row *rows[TALLY_PLACES];
	uint32_t i, count = tally_find(t, CAUSE, kind, rows);

	for (i = 0; i < count; i++)
		if (rows[i]->place == place)
			return rows[i]->count;
	return 0;
}

static void
targets_and_sources_are_counted_apart(void **state)
{
	struct tally t = {0};
	struct tally_way a = way(7, 1), b = way(8, 1);

	(void)state;
	tally_add(&t, CAUSE, &a);
	tally_add(&t, CAUSE, &b);
	tally_add(&t, CAUSE, &b);
	tally_add(&t, TALLY_PEER_FIN, &b);
	assert_int_equal(count_at(&t, TALLY_TARGET, 7), 1);
	assert_int_equal(count_at(&t, TALLY_TARGET, 8), 2);
	assert_int_equal(count_at(&t, TALLY_SOURCE, 1), 3);
	assert_int_equal(count_at(&t, TALLY_SOURCE, 7), 0);
	tally_remove(&t, CAUSE, &b);
	assert_int_equal(count_at(&t, TALLY_TARGET, 8), 1);
	assert_int_equal(count_at(&t, TALLY_SOURCE, 1), 2);
}

/* One without a row goes without taking another's count along. */
static void
counts_are_exact_where_there_is_no_room(void **state)
{
	struct tally t = {0};
	struct tally_way w;
	uint32_t i;

	(void)state;
	for (i = 0; i < 2 * TALLY_PLACES; i++) {
		w = way(i, 0);
		tally_add(&t, CAUSE, &w);
	}
	for (i = 0; i < 2 * TALLY_PLACES; i += 2) {
		w = way(i, 0);
		tally_remove(&t, CAUSE, &w);
	}
	for (i = 0; i < 2 * TALLY_PLACES; i++)
		assert_int_equal(count_at(&t, TALLY_TARGET, i),
		    i < TALLY_PLACES && i % 2 == 1);
	assert_int_equal(count_at(&t, TALLY_SOURCE, 0), TALLY_PLACES);
}

/* A connect fails of those attempted, one that is open of those opened. */
static void
of_how_many_a_count_is(void **state)
{
	struct tally t = {0}, sum = {0};
	struct tally_way a = way(3, 0), far = way(TALLY_COUNTED, 0);

	(void)state;
	tally_attempted(&t, &a);
	tally_attempted(&t, &a);
	tally_opened(&t, &a);
	tally_attempted(&t, &far);
	tally_merge(&sum, &t);
	tally_merge(&sum, &t);
	assert_int_equal(tally_all(&sum, ECONNREFUSED, TALLY_TARGET, 3), 4);
	assert_int_equal(tally_all(&sum, CAUSE, TALLY_TARGET, 3), 2);
	assert_int_equal(tally_all(&sum, ECONNREFUSED, TALLY_SOURCE, 0), 6);
	/* not known: too many places, or not of connections */
	assert_int_equal(
	    tally_all(&sum, ECONNREFUSED, TALLY_TARGET, TALLY_COUNTED), 0);
	assert_int_equal(tally_all(&sum, TALLY_MALFORMED, TALLY_TARGET, 3), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(targets_and_sources_are_counted_apart),
	    cmocka_unit_test(counts_are_exact_where_there_is_no_room),
	    cmocka_unit_test(of_how_many_a_count_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
