#include "tests/unit/support.h"

#include "lib/clock.h"
#include "client/pace.h"

#define MS CLOCK_NS_PER_MS

/* Held back until then: lateness counts from there, the lag from the due time. */
static void
lateness_is_this_programs_own(void **state)
{
	struct pace p = {0};

	(void)state;
	assert_int_equal(pace_begin(&p, 100 * MS, 100 * MS), 0);
	assert_int_equal(pace_begin(&p, 101 * MS, 104 * MS), 3 * MS);
	assert_int_equal(p.lag, 3 * MS);
	pace_hold(&p, PACE_WINDOW, 105 * MS);
	pace_release(&p, 110 * MS, 160 * MS);
	assert_int_equal(pace_begin(&p, 110 * MS, 162 * MS), 2 * MS);
	assert_int_equal(p.lag, 52 * MS);
	/* before its time it is not late */
	assert_int_equal(pace_begin(&p, 170 * MS, 169 * MS), 0);
}

static void
expect_missed(const struct pace *p, const double ms[PACE_CAUSES])
{
	int i;

	for (i = 0; i < PACE_CAUSES; i++)
		assert_true(p->missed[i] == ms[i] * (double)MS);
}

/* What is behind is shared out among what held it back, as long as it did. */
static void
what_is_missing_has_a_cause(void **state)
{
	static const struct {
		enum pace_cause cause;
		uint64_t held, lag;
		double missed[PACE_CAUSES];
	} cases[] = {
	    {PACE_WINDOW, 0, 0, {0, 0, 0, 0}},
	    {PACE_WINDOW, 50, 50, {50, 0, 0, 0}},
	    {PACE_WINDOW, 50, 20, {20, 0, 0, 0}},
	    {PACE_BUSY, 50, 80, {0, 50, 0, 30}},
	    {PACE_FAILED, 500, 400, {0, 0, 400, 0}},
	    {PACE_FAILED, 0, 70, {0, 0, 0, 70}},
	};
	struct pace p;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(cases); i++) {
		memset(&p, 0, sizeof(p));
		/* it is due 5 ms after the hold begins, which does not count */
		pace_hold(&p, cases[i].cause, 995 * MS);
		pace_release(&p, 1000 * MS, (1000 + cases[i].held) * MS);
		pace_miss(&p, cases[i].lag * MS);
		expect_missed(&p, cases[i].missed);
		/* once */
		pace_miss(&p, 0);
		expect_missed(&p, cases[i].missed);
	}
}

static void
causes_share_what_is_missing(void **state)
{
	struct pace p = {0};

	(void)state;
	pace_hold(&p, PACE_WINDOW, 1000 * MS);
	pace_hold(&p, PACE_BUSY, 1010 * MS); /* the first one holds */
	pace_release(&p, 1000 * MS, 1030 * MS);
	pace_release(&p, 1000 * MS, 1040 * MS); /* nothing holds any more */
	pace_hold(&p, PACE_BUSY, 1040 * MS);
	pace_release(&p, 1000 * MS, 1060 * MS);
	pace_miss(&p, 100 * MS);
	expect_missed(&p, (const double[]){30, 20, 0, 50});
}

/* What was made up for is missing no more, and is no cause of what comes later. */
static void
a_pace_that_is_kept_again_misses_nothing(void **state)
{
	struct pace p = {0};

	(void)state;
	pace_hold(&p, PACE_WINDOW, 1000 * MS);
	pace_release(&p, 1000 * MS, 1050 * MS);
	(void)pace_begin(&p, 1000 * MS, 1050 * MS);
	(void)pace_begin(&p, 1060 * MS, 1060 * MS);
	pace_miss(&p, p.lag);
	expect_missed(&p, (const double[]){0, 0, 0, 0});
	pace_miss(&p, 40 * MS);
	expect_missed(&p, (const double[]){0, 0, 0, 40});
}

/* One that is 20 ms late was not opened at 50/s, but 10 of them were. */
static void
a_few_that_come_back_have_no_rate(void **state)
{
	struct pace p = {0};

	(void)state;
	(void)pace_begin(&p, 1000 * MS, 1020 * MS);
	pace_complete(&p, 9);
	expect_missed(&p, (const double[]){0, 0, 0, 0});
	(void)pace_begin(&p, 2000 * MS, 2020 * MS);
	pace_complete(&p, 10);
	expect_missed(&p, (const double[]){0, 0, 0, 20});
	pace_complete(&p, 10);
	expect_missed(&p, (const double[]){0, 0, 0, 20});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lateness_is_this_programs_own),
	    cmocka_unit_test(what_is_missing_has_a_cause),
	    cmocka_unit_test(causes_share_what_is_missing),
	    cmocka_unit_test(a_pace_that_is_kept_again_misses_nothing),
	    cmocka_unit_test(a_few_that_come_back_have_no_rate),
	};

	return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
