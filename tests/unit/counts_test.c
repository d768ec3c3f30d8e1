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
	c.closed_by_peer = 1;
	c.closed_unwatched = 1;
	assert_int_equal(counts_open(&c), 0);
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

/* One of each kind of end, and the sum of them all. */
static void
make_service(struct counts *c)
{
	memset(c, 0, sizeof(*c));
	c->accepted = 3;
	c->closed_idle = 1;
	c->closed_after = 2;
	c->messages = 15;
	c->messages_answered = 5;
	c->messages_dropped = 4;
	c->messages_unanswerable = 3;
	c->messages_swallowed = 2;
	c->messages_discarded = 1;
	c->bytes_in = 100;
	c->bytes_made = 50;
	c->bytes_consumed = 80;
	c->bytes_out = 40;
	c->bytes_discarded = 30;
}

static void
each_end_of_a_service_counts(void **state)
{
	struct counts c;
	uint64_t *const fields[] = {&c.closed_idle, &c.closed_after,
	    &c.messages, &c.messages_answered, &c.messages_dropped,
	    &c.messages_unanswerable, &c.messages_swallowed,
	    &c.messages_discarded, &c.bytes_made, &c.bytes_consumed};
	size_t i;

	(void)state;
	make_service(&c);
	assert_int_equal(check_quietly(&c), 0);
	for (i = 0; i < LENGTH(fields); i++) {
		make_service(&c);
		++*fields[i];
		assert_int_equal(check_quietly(&c), 1);
	}
}

static void
what_a_dead_worker_had_not_answered_is_discarded(void **state)
{
	struct counts c;

	(void)state;
	make_service(&c);
	c.accepted = 4;
	c.messages += 7;
	c.bytes_in += 70;
	counts_bury(&c);
	assert_int_equal(c.messages_discarded, 8);
	assert_int_equal(c.bytes_discarded, 100);
	assert_int_equal(check_quietly(&c), 0);
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
	    cmocka_unit_test(each_end_of_a_service_counts),
	    cmocka_unit_test(what_a_dead_worker_had_not_answered_is_discarded),
	};

	return cmocka_run_group_tests_name("counts", tests, NULL, NULL);
}
