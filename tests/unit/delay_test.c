/* Answers that wait: order, due times, owners that go, bounds. */
#include "tests/unit/support.h"

#include "lib/clock.h"
#include "server/delay.h"

#define AFTER	 100
#define MOST	 4500
#define OWN_MOST 1000

static void
put(struct delay *d, struct delay_owner *owner, uint64_t now, uint8_t byte)
{
	delay_put(d, owner, now, &byte, 1);
}

/* Takes the one that is due: its byte, or -1. */
static int
take(struct delay *d, uint64_t now)
{
	const struct delay_answer *a = delay_due(d, now);
	int byte;

	if (a == NULL)
		return -1;
	byte = a->data[0];
	delay_take(d);
	return byte;
}

static void
each_is_due_after_exactly_that_long(void **state)
{
	struct delay *d = delay_new(AFTER, MOST, OWN_MOST);
	struct delay_owner a, b;

	(void)state;
	delay_owner_init(&a, NULL);
	delay_owner_init(&b, NULL);
	assert_true(delay_next(d) == CLOCK_NEVER);
	put(d, &a, 10, 1);
	put(d, &b, 10, 2);
	put(d, &a, 30, 3);
	assert_int_equal(delay_next(d), 110);
	assert_int_equal(take(d, 109), -1);
	assert_int_equal(take(d, 110), 1);
	assert_int_equal(take(d, 110), 2);
	assert_int_equal(take(d, 110), -1);
	assert_int_equal(a.count, 1);
	assert_int_equal(b.count, 0);
	assert_int_equal(delay_next(d), 130);
	assert_int_equal(take(d, 1000), 3);
	assert_int_equal(a.memory, 0);
	delay_free(d);
}

static void
those_of_an_owner_can_be_forgotten(void **state)
{
	struct delay *d = delay_new(AFTER, MOST, OWN_MOST);
	struct delay_owner a, b;

	(void)state;
	delay_owner_init(&a, NULL);
	delay_owner_init(&b, NULL);
	put(d, &a, 0, 1);
	put(d, &b, 1, 2);
	put(d, &a, 2, 3);
	assert_int_equal(delay_forget(d, &a), 2);
	assert_int_equal(a.count, 0);
	assert_int_equal(delay_forget(d, &a), 0);
	assert_int_equal(delay_next(d), 101);
	assert_int_equal(take(d, 200), 2);
	assert_int_equal(take(d, 200), -1);
	delay_free(d);
}

static void
what_is_deferred_stays_its_owners(void **state)
{
	struct delay *d = delay_new(AFTER, MOST, OWN_MOST);
	struct delay_owner a, b;
	size_t memory;

	(void)state;
	delay_owner_init(&a, NULL);
	delay_owner_init(&b, NULL);
	put(d, &a, 0, 1);
	put(d, &b, 0, 2);
	put(d, &a, 0, 3);
	memory = a.memory;
	assert_null(delay_deferred(&a));
	delay_defer(d);
	assert_int_equal(take(d, AFTER), 2);
	delay_defer(d);
	assert_int_equal(take(d, AFTER), -1);
	assert_int_equal(a.memory, memory);
	assert_int_equal(delay_deferred(&a)->data[0], 1);
	delay_take_deferred(d, &a);
	assert_int_equal(delay_deferred(&a)->data[0], 3);
	assert_int_equal(delay_forget(d, &a), 1);
	assert_null(delay_deferred(&a));
	delay_free(d);
}

static void
too_much_of_one_and_of_all(void **state)
{
	struct delay *d = delay_new(AFTER, MOST, OWN_MOST);
	struct delay_owner owners[5];
	unsigned int i;

	(void)state;
	for (i = 0; i < LENGTH(owners); i++) {
		delay_owner_init(&owners[i], NULL);
		assert_false(delay_full(d));
		while (!delay_owner_full(d, &owners[i]) && !delay_full(d))
			put(d, &owners[i], 0, 0);
	}
	assert_true(delay_full(d));
	assert_true(delay_owner_full(d, &owners[0]));
	assert_false(delay_roomy(d));
	take(d, AFTER);
	assert_false(delay_owner_full(d, &owners[0]));
	while (!delay_roomy(d))
		assert_int_equal(take(d, AFTER), 0);
	for (i = 0; i < LENGTH(owners); i++)
		delay_forget(d, &owners[i]);
	assert_true(delay_next(d) == CLOCK_NEVER);
	delay_free(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_is_due_after_exactly_that_long),
	    cmocka_unit_test(those_of_an_owner_can_be_forgotten),
	    cmocka_unit_test(what_is_deferred_stays_its_owners),
	    cmocka_unit_test(too_much_of_one_and_of_all),
	};

	return cmocka_run_group_tests_name("delay", tests, NULL, NULL);
}
