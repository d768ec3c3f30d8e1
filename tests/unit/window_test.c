#include "tests/unit/support.h"

#include "client/window.h"
#include "lib/clock.h"

#define ROUND (20 * CLOCK_NS_PER_MS) /* of a connection that comes promptly */
#define BEGIN (1000 * CLOCK_NS_PER_SEC)

/* A window's worth of connections, all begun now, and all there a round later. */
static void
prompt_round(struct window *w, uint64_t *now)
{
	uint32_t size = window_size(w), i;

	for (i = 0; i < size; i++)
		window_note(w, *now, *now + ROUND, false);
	*now += ROUND;
}

static void
prompt_rounds(struct window *w, uint64_t *now, unsigned int count)
{
	while (count-- > 0)
		prompt_round(w, now);
}

/* Begun now, and too late. */
static void
lose(struct window *w, uint64_t *now)
{
	window_note(w, *now, *now + CLOCK_NS_PER_SEC, false);
	*now += CLOCK_NS_PER_SEC;
}

static void
doubles_each_round(void **state)
{
	struct window w;
	uint64_t now = BEGIN;
	uint32_t expected;

	(void)state;
	window_init(&w, 16, 1000);
	assert_int_equal(window_size(&w), 16);
	for (expected = 32; expected <= 512; expected *= 2) {
		prompt_round(&w, &now);
		assert_int_equal(window_size(&w), expected);
	}
}

static void
stops_at_the_most(void **state)
{
	struct window w;
	uint64_t now = BEGIN;

	(void)state;
	window_init(&w, 16, 1000);
	prompt_rounds(&w, &now, 20);
	assert_int_equal(window_size(&w), 1000);
	/* in small steps as well */
	lose(&w, &now);
	prompt_rounds(&w, &now, 600);
	assert_int_equal(window_size(&w), 1000);
	window_init(&w, 7, 7);
	prompt_rounds(&w, &now, 3);
	assert_int_equal(window_size(&w), 7);
}

/* A SYN is sent again after a second, which a coarse timer may see earlier. */
static void
what_is_slow(void **state)
{
	static const struct {
		uint64_t took;
		bool failed;
		uint32_t size;
	} cases[] = {
	    {0, false, 101},
	    {CLOCK_NS_PER_MS, false, 101},
	    {899 * CLOCK_NS_PER_MS, false, 101},
	    {900 * CLOCK_NS_PER_MS, false, 50},
	    {3 * CLOCK_NS_PER_SEC, false, 50},
	    {0, true, 50},
	    {5 * CLOCK_NS_PER_SEC, true, 50},
	};
	struct window w;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(cases); i++) {
		window_init(&w, 100, 1000);
		window_note(&w, BEGIN, BEGIN + cases[i].took, cases[i].failed);
		assert_int_equal(window_size(&w), cases[i].size);
	}
}

static void
halves_once_a_round(void **state)
{
	struct window w;
	uint64_t first, later, i;

	(void)state;
	window_init(&w, 1024, 4096);
	/* a thousand begun one after the other, and all of them slow */
	for (i = 0; i < 1000; i++)
		window_note(&w, BEGIN + i * CLOCK_NS_PER_US,
		    BEGIN + i * CLOCK_NS_PER_US + CLOCK_NS_PER_SEC, false);
	assert_int_equal(window_size(&w), 512);
	/* up to when it was halved they tell nothing new, from then on they do */
	first = BEGIN + CLOCK_NS_PER_SEC;
	later = first + 2 * CLOCK_NS_PER_SEC;
	window_note(&w, first - 1, later, true);
	assert_int_equal(window_size(&w), 512);
	window_note(&w, first, later, true);
	assert_int_equal(window_size(&w), 256);
	window_note(&w, first, later + 1, true);
	window_note(&w, later - 1, later + 1, true);
	assert_int_equal(window_size(&w), 256);
	window_note(&w, later, later + 1, true);
	assert_int_equal(window_size(&w), 128);
}

static void
is_never_below_two_once_halved(void **state)
{
	struct window w;
	uint64_t now = BEGIN;
	uint32_t start;
	unsigned int i;

	(void)state;
	for (start = 2; start < 70; start++) {
		window_init(&w, start, 100);
		for (i = 0; i < 10; i++)
			lose(&w, &now);
		assert_int_equal(window_size(&w), 2);
	}
	/* nor 0 for one that began there */
	window_init(&w, 1, 1);
	for (i = 0; i < 10; i++)
		lose(&w, &now);
	assert_int_equal(window_size(&w), 1);
}

/* By one a round: 1/size each, so a little less than one. */
static void
grows_by_one_a_round_after_a_loss(void **state)
{
	struct window w;
	uint64_t now = BEGIN;
	unsigned int rounds;

	(void)state;
	window_init(&w, 200, 4096);
	lose(&w, &now);
	assert_int_equal(window_size(&w), 100);
	prompt_round(&w, &now);
	assert_in_range(window_size(&w), 100, 101);
	for (rounds = 1; window_size(&w) < 150; rounds++) {
		assert_in_range(window_size(&w), 100 + rounds - rounds / 20 - 1,
		    100 + rounds);
		prompt_round(&w, &now);
	}
	assert_in_range(rounds, 50, 54);
	/* and is halved again from there */
	lose(&w, &now);
	assert_int_equal(window_size(&w), 75);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(doubles_each_round),
	    cmocka_unit_test(stops_at_the_most),
	    cmocka_unit_test(what_is_slow),
	    cmocka_unit_test(halves_once_a_round),
	    cmocka_unit_test(is_never_below_two_once_halved),
	    cmocka_unit_test(grows_by_one_a_round_after_a_loss),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
