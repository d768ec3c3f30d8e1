/* The server's counts: hand-over, deaths, and the identities of the sum. */
#include "tests/unit/support.h"

#include <string.h>

#include "server/counts.h"

/* The first accepts 10, hands over 4 of them; the second takes 3 of these. */
static void
make_pair(struct counts *first, struct counts *second)
{
	memset(first, 0, sizeof(*first));
	memset(second, 0, sizeof(*second));
	first->accepted = 10;
	first->handed_over = 4;
	second->taken_over = 3;
}

static unsigned int
check_quietly(const struct counts *c)
{
	FILE *out = fopen("/dev/null", "w");
	unsigned int broken = counts_check(c, out);

	fclose(out);
	return broken;
}

static void
open_is_what_a_worker_has(void **state)
{
	struct counts first, second;

	(void)state;
	make_pair(&first, &second);
	assert_int_equal(counts_open(&first), 6);
	assert_int_equal(counts_open(&second), 3);
	second.closed_by_peer = 2;
	assert_int_equal(counts_open(&second), 1);
	counts_merge(&first, &second);
	assert_int_equal(counts_open(&first), 7);
	assert_int_equal(counts_open_all(&first), 8);
}

static void
what_was_closed_as_asked_is_not_open(void **state)
{
	struct counts c;

	(void)state;
	memset(&c, 0, sizeof(c));
	c.accepted = 5;
	c.closed_by_control = 3;
	assert_int_equal(counts_open(&c), 2);
	assert_int_equal(counts_open_all(&c), 2);
	assert_int_equal(check_quietly(&c), 1);
	c.closed_by_peer = 2;
	assert_int_equal(check_quietly(&c), 0);
}

static void
open_of_torn_copies_is_not_negative(void **state)
{
	struct counts c;

	(void)state;
	memset(&c, 0, sizeof(c));
	c.closed_by_peer = 1;
	assert_int_equal(counts_open_all(&c), 0);
}

static void
what_is_in_transit_at_the_end_is_closed_locally(void **state)
{
	struct counts first, second;

	(void)state;
	make_pair(&first, &second);
	first.closed_locally = 6;
	second.closed_locally = 3;
	counts_merge(&first, &second);
	assert_int_equal(check_quietly(&first), 1);
	counts_settle(&first, false);
	assert_int_equal(first.closed_locally, 10);
	assert_int_equal(check_quietly(&first), 0);
}

static void
what_a_dead_worker_had_and_was_to_get_is_booked(void **state)
{
	struct counts first, second;

	(void)state;
	make_pair(&first, &second);
	first.closed_by_peer = 6;
	second.bytes_in = 7;
	second.bytes_out = 5;
	counts_bury(&second);
	assert_int_equal(second.closed_worker_died, 3);
	assert_int_equal(counts_open(&second), 0);
	counts_merge(&first, &second);
	counts_settle(&first, true);
	assert_int_equal(first.closed_worker_died, 4);
	assert_int_equal(first.closed_locally, 0);
	assert_int_equal(first.bytes_discarded, 2);
	assert_int_equal(check_quietly(&first), 0);
}

static void
a_connection_taken_and_not_counted_is_found(void **state)
{
	struct counts first, second;

	(void)state;
	make_pair(&first, &second);
	first.closed_by_peer = 6;
	second.closed_by_peer = 4; /* took 4, and counted 3 */
	counts_merge(&first, &second);
	counts_settle(&first, false);
	assert_int_equal(check_quietly(&first), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(open_is_what_a_worker_has),
	    cmocka_unit_test(what_was_closed_as_asked_is_not_open),
	    cmocka_unit_test(open_of_torn_copies_is_not_negative),
	    cmocka_unit_test(what_is_in_transit_at_the_end_is_closed_locally),
	    cmocka_unit_test(what_a_dead_worker_had_and_was_to_get_is_booked),
	    cmocka_unit_test(a_connection_taken_and_not_counted_is_found),
	};

	return cmocka_run_group_tests_name("counts", tests, NULL, NULL);
}
