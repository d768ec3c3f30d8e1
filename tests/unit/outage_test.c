/*
 * How long connections were missing: when it begins, when it is over, and that
 * the longest is kept.
 */
#include "tests/unit/support.h"

#include "client/outage.h"

#define BEGIN 1000

static void
expect(const struct outage *o, uint64_t some, uint64_t none)
{
	assert_int_equal(o->some, some);
	assert_int_equal(o->none, none);
}

static void
nothing_is_missing(void **state)
{
	struct outage o = {0, 0};
	struct outage_watch w;

	(void)state;
	/* those that were ended before do not count */
	outage_watch_init(&w, &o, 7);
	outage_watch_look(&w, BEGIN, 7, 0, false);
	outage_watch_look(&w, BEGIN + 10, 7, 0, false);
	/* nor those that are not to come back */
	outage_watch_look(&w, BEGIN + 20, 8, 0, false);
	outage_watch_look(&w, BEGIN + 30, 9, 0, false);
	outage_watch_end(&w, BEGIN + 40);
	expect(&o, 0, 0);
}

/* Connects that fail are no outage while nobody has ended anything. */
static void
failures_alone(void **state)
{
	struct outage o = {0, 0};
	struct outage_watch w;

	(void)state;
	outage_watch_init(&w, &o, 3);
	outage_watch_look(&w, BEGIN, 3, 5, false);
	outage_watch_look(&w, BEGIN + 10, 3, 8, true);
	outage_watch_end(&w, BEGIN + 20);
	expect(&o, 0, 0);
}

static void
some_then_all_then_some(void **state)
{
	struct outage o = {0, 0};
	struct outage_watch w;

	(void)state;
	outage_watch_init(&w, &o, 0);
	outage_watch_look(&w, BEGIN, 1, 1, false);
	outage_watch_look(&w, BEGIN + 100, 8, 8, true);
	outage_watch_look(&w, BEGIN + 150, 8, 8, true);
	outage_watch_look(&w, BEGIN + 300, 8, 7, false);
	expect(&o, 0, 200);
	/* failures may add to it, and it lasts until all are there */
	outage_watch_look(&w, BEGIN + 400, 8, 8, false);
	outage_watch_look(&w, BEGIN + 1000, 8, 0, false);
	expect(&o, 1000, 200);
	outage_watch_end(&w, BEGIN + 5000);
	expect(&o, 1000, 200);
}

static void
the_longest_is_kept(void **state)
{
	static const uint64_t lasted[] = {30, 50, 40, 50, 1};
	struct outage o = {0, 0};
	struct outage_watch w;
	uint64_t now = BEGIN, longest = 0;
	size_t i;

	(void)state;
	outage_watch_init(&w, &o, 0);
	for (i = 0; i < LENGTH(lasted); i++) {
		outage_watch_look(&w, now, i + 1, 4, true);
		now += lasted[i];
		outage_watch_look(&w, now, i + 1, 1, false);
		now += 5;
		outage_watch_look(&w, now, i + 1, 0, false);
		now += 1000;
		if (lasted[i] > longest)
			longest = lasted[i];
		expect(&o, longest + 5, longest);
	}
}

/* What lasts until the end counts; so does what is a part of a longer one. */
static void
until_the_end(void **state)
{
	struct outage o = {0, 0};
	struct outage_watch w;

	(void)state;
	outage_watch_init(&w, &o, 0);
	outage_watch_look(&w, BEGIN, 2, 2, false);
	outage_watch_look(&w, BEGIN + 10, 4, 4, true);
	outage_watch_end(&w, BEGIN + 25);
	expect(&o, 25, 15);
	outage_watch_end(&w, BEGIN + 500);
	expect(&o, 25, 15);
}

/* One that lasts begins once, however many are ended meanwhile. */
static void
more_are_ended_meanwhile(void **state)
{
	struct outage o = {0, 0};
	struct outage_watch w;
	uint64_t i;

	(void)state;
	outage_watch_init(&w, &o, 0);
	for (i = 1; i <= 10; i++)
		outage_watch_look(
		    &w, BEGIN + 10 * i, i, 1 + (uint32_t)i % 3, i % 2 == 0);
	outage_watch_look(&w, BEGIN + 110, 10, 0, false);
	expect(&o, 100, 10);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_missing),
	    cmocka_unit_test(failures_alone),
	    cmocka_unit_test(some_then_all_then_some),
	    cmocka_unit_test(the_longest_is_kept),
	    cmocka_unit_test(until_the_end),
	    cmocka_unit_test(more_are_ended_meanwhile),
	};

	return cmocka_run_group_tests_name("outage", tests, NULL, NULL);
}
