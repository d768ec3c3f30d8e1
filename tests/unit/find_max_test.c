/*
 * The verdict on a step of a search: that connections which were to be opened or
 * replaced in it count as in any other run.
 */
#include "tests/unit/support.h"

#include "lib/clock.h"
#include "client/find_max.h"

#define S CLOCK_NS_PER_SEC

struct step_case {
	uint64_t paced;
	uint64_t window_full;
	uint64_t late;
	uint64_t churned;
	uint64_t churn_skipped;
	enum search_stop stop;
	const char *why; /* how it begins */
};

/* Judges a step of one second in which that was counted, after a sound one. */
static void
expect(const struct step_case *c)
{
	static const struct sockdiag_drops drops; /* not known */
	const struct search_config config = {
	    .what = SEARCH_RATE,
	    .rate = 100,
	    .rate_most = 1000,
	    .connections = 50,
	    .connections_least = 1,
	    .connections_most = 50,
	    .duration = S,
	    .max_lateness = CLOCK_NS_PER_MS,
	};
	const struct open_asked asked = {.rate = 1000};
	const struct health_usage usage = {.ran = 0.1};
	struct search *search = search_new(&config);
	struct find_max *f =
	    find_max_new(search, DIAGNOSIS_FROM_CLIENT, &asked, true, &drops);
	struct generator_result *sum = calloc(1, sizeof(*sum));

	assert_non_null(sum);
	/* what was missed before the step is not the step's */
	sum->stats.n.missed_late = sum->stats.n.churn_skipped = 1000;
	sum->query_begin = sum->query_end = 0;
	find_max_begin(f, sum);
	sum->query_begin = S;
	sum->query_end = 2 * S;
	sum->stats.n.paced += c->paced;
	sum->stats.n.opened += c->paced;
	sum->stats.n.missed_window_full += c->window_full;
	sum->stats.n.missed_late += c->late;
	sum->stats.n.closed_churned += c->churned;
	sum->stats.n.churn_skipped += c->churn_skipped;
	find_max_end(f, sum, &usage, false);
	assert_int_equal(search_steps(search), 1);
	assert_int_equal(search_step(search, 0)->stop, c->stop);
	assert_memory_equal(
	    search_step(search, 0)->why, c->why, strlen(c->why));
	free(sum);
	find_max_free(f);
	search_free(search);
}

static void
rates_of_opening_are_judged_in_each_step(void **state)
{
	static const struct step_case cases[] = {
	    {1000, 0, 0, 100, 0, SEARCH_HELD, ""},
	    {500, 500, 0, 0, 0, SEARCH_BY_SERVER,
		"opened 500/s of the 1000/s asked (-n): the server "},
	    {500, 0, 500, 0, 0, SEARCH_BY_CLIENT,
		"opened 500/s of the 1000/s asked (-n): this program was late"},
	    {1000, 0, 0, 50, 50, SEARCH_BY_SERVER,
		"churned 50 of 100 connections, 50.0/s: for 50 of them none "
		"was open"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(cases); i++)
		expect(&cases[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rates_of_opening_are_judged_in_each_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
