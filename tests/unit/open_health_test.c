#include "tests/unit/support.h"

#include <errno.h>

#include "lib/clock.h"
#include "client/open_health.h"

#define MS CLOCK_NS_PER_MS

#define PORTS                                                       \
	"the local ports were used up (TIME_WAIT keeps each for a " \
	"minute); more sources (-a) or target ports (-p), or --close rst"
#define FAILURES "connects failed; the causes are named above"
#define SERVER                                                            \
	"the server or the path to it was slower in taking connections: " \
	"this program held back further ones while as many as it takes "  \
	"were pending; look at the server and its backlog, or lower -n"
#define BUSY                                                            \
	"every connection was in use for longer than that rate leaves " \
	"for each; more connections (-c)"
#define OURS                                                                \
	"this program was late; end the other programs on this host, more " \
	"workers (-w), another host, or a lower -n"

/* NULL: enough came. */
static const struct {
	const char *why;
	double rate;
	bool exchanges;
	uint64_t paced, window, busy, after_failure, late, failed, no_port,
	    opened_late;
} rates[] = {
    {NULL, 1000, false, 0, 0, 0, 0, 0, 0, 0, 0},
    {NULL, 1000, false, 20, 0, 0, 0, 0, 0, 0, 0},
    /* as fast as possible: no rate was asked for */
    {NULL, 0, false, 500, 500, 0, 0, 0, 0, 0, 0},
    /* few are missing, or little time is, or less than a thousandth */
    {NULL, 10, false, 20, 9, 0, 0, 0, 0, 0, 0},
    {"opened 6.6667/s of the 10/s asked (-n): " SERVER, 10, false, 20, 10, 0, 0,
	0, 0, 0, 0},
    {NULL, 1000, false, 1000, 0, 0, 0, 99, 0, 0, 0},
    {"opened 909.09/s of the 1000/s asked (-n): " OURS, 1000, false, 1000, 0, 0,
	0, 100, 0, 0, 0},
    {NULL, 1000, false, 999000, 0, 0, 0, 1000, 0, 0, 0},
    {"opened 999/s of the 1000/s asked (-n): " OURS, 1000, false, 998999, 0, 0,
	0, 1001, 0, 0, 0},
    /* no more are missing than there are */
    {NULL, 1000, false, 5, 0, 0, 0, 195, 0, 0, 0},
    {NULL, 1000, false, 99, 0, 0, 0, 195, 0, 0, 0},
    {"opened 338.98/s of the 1000/s asked (-n): " OURS, 1000, false, 100, 0, 0,
	0, 195, 0, 0, 0},
    /* most of what is missing has one cause */
    {"opened 200/s of the 1000/s asked (-n): " SERVER, 1000, false, 1000, 3000,
	500, 0, 500, 0, 0, 0},
    {"opened 200/s of the 1000/s asked (-n): " BUSY, 1000, true, 1000, 500,
	3000, 0, 500, 0, 0, 0},
    /* a window is full for long where handshakes are seen late */
    {"opened 200/s of the 1000/s asked (-n): " OURS, 1000, false, 1000, 3900, 0,
	0, 100, 0, 0, 501},
    {"opened 200/s of the 1000/s asked (-n): " SERVER, 1000, false, 1000, 3900,
	0, 0, 100, 0, 0, 500},
    /* a stop is all the time of a few connections, but not of many */
    {NULL, 100000, false, 999, 0, 0, 0, 32000, 0, 0, 0},
    {"opened 22222/s of the 100000/s asked (-n): " OURS, 100000, false, 9000, 0,
	0, 0, 31500, 0, 0, 0},
    /* what fails has been opened in time, but exchanges did not come about */
    {NULL, 1000, false, 1000, 0, 0, 0, 0, 500, 500, 0},
    {"opened 500/s of the 1000/s asked (-n): " PORTS, 1000, true, 1000, 0, 0, 0,
	0, 500, 500, 0},
    {"opened 250/s of the 1000/s asked (-n): " PORTS, 1000, true, 1000, 0, 0,
	1000, 0, 500, 300, 0},
    {"opened 250/s of the 1000/s asked (-n): " FAILURES, 1000, true, 1000, 0, 0,
	1000, 0, 500, 200, 0},
    /* also of those in place of others, which -n does not pace */
    {"opened 0/s of the 1000/s asked (-n): " FAILURES, 1000, true, 100, 0, 0, 0,
	0, 500, 0, 0},
};

static void
the_rate_that_was_asked_against_what_came(void **state)
{
	struct stats *s = calloc(1, sizeof(*s));
	struct stats_counters *n = &s->n;
	struct open_asked asked = {.rate = 0};
	char why[OPEN_HEALTH_TEXT];
	bool is_short;
	size_t i;

	(void)state;
	assert_non_null(s);
	for (i = 0; i < LENGTH(rates); i++) {
		memset(n, 0, sizeof(*n));
		asked.rate = rates[i].rate;
		asked.exchanges = rates[i].exchanges;
		n->opened = 1000;
		n->opened_late = rates[i].opened_late;
		n->paced = rates[i].paced;
		n->missed_window_full = rates[i].window;
		n->missed_all_busy = rates[i].busy;
		n->missed_after_failure = rates[i].after_failure;
		n->missed_late = rates[i].late;
		n->failed = rates[i].failed;
		n->failed_errno[EADDRNOTAVAIL] = rates[i].no_port;
		is_short = open_health_is_short(s, &asked, why);
		if (is_short != (rates[i].why != NULL))
			fail_msg("rates[%zu]", i);
		if (is_short)
			assert_string_equal(why, rates[i].why);
	}
	free(s);
}

static void
add(struct histogram *h, uint64_t value, unsigned int count)
{
	while (count-- > 0)
		histogram_add(h, value);
}

static void
connects_that_begin_late(void **state)
{
	static const struct {
		unsigned int punctual, late;
		uint64_t lateness, connect, most;
		bool is_late;
	} cases[] = {
	    {0, 0, 0, MS, MS, false}, {980, 20, 11 * MS, MS, MS, true},
	    {995, 5, 300 * MS, MS, MS, false},
	    {0, 99, 300 * MS, MS, MS, false}, /* too few for a p99 */
	    {0, 100, 300 * MS, MS, MS, true}, {980, 20, 9 * MS, MS, MS, false},
	    {980, 20, 11 * MS, MS, 2 * MS, false}, /* --max-lateness 2ms */
	    {980, 20, 11 * MS, 200 * MS, MS, false}, /* small against it */
	};
	struct stats *s = calloc(1, sizeof(*s));
	char why[OPEN_HEALTH_TEXT];
	size_t i;

	(void)state;
	assert_non_null(s);
	for (i = 0; i < LENGTH(cases); i++) {
		memset(s, 0, sizeof(*s));
		add(&s->open_lateness, 0, cases[i].punctual);
		add(&s->open_lateness, cases[i].lateness, cases[i].late);
		add(&s->connect, cases[i].connect, 100);
		if (open_health_is_late(s, cases[i].most, why) !=
		    cases[i].is_late)
			fail_msg("cases[%zu]", i);
		if (cases[i].is_late)
			assert_non_null(
			    strstr(why, "connects began late, p99 "));
	}
	free(s);
}

/* Those for which none was open, and those for which this program was late. */
static void
churn_tells_its_causes_apart(void **state)
{
	static const struct {
		uint64_t churned;
		uint64_t skipped;
		uint64_t late; /* of skipped */
		bool own;
		const char *why; /* NULL: as asked */
	} cases[] = {
	    {0, 0, 0, false, NULL},
	    {999, 1, 1, false, NULL},
	    {60, 40, 0, false,
		"churned 60 of 100 connections, 30.0/s: for 40 of them none "
		"was open: more connections (-c), or see what ended them or what they waited for"},
	    {60, 40, 40, true,
		"churned 60 of 100 connections, 30.0/s: for 40 of them this "
		"program was late; more workers (-w), or a lower --churn"},
	    {60, 40, 10, false,
		"churned 60 of 100 connections, 30.0/s: for 30 of them none "
		"was open: more connections (-c), or see what ended them or what they waited for; "
		"for 10 of them this program was late; more workers (-w), or a "
		"lower --churn"},
	};
	struct stats *s = calloc(1, sizeof(*s));
	char why[OPEN_HEALTH_TEXT];
	bool own;
	size_t i;

	(void)state;
	assert_non_null(s);
	for (i = 0; i < LENGTH(cases); i++) {
		s->n.closed_churned = cases[i].churned;
		s->n.churn_skipped = cases[i].skipped;
		s->n.churn_late = cases[i].late;
		assert_int_equal(open_health_churn_is_short(s, 2, &own, why),
		    cases[i].why != NULL);
		if (cases[i].why == NULL)
			continue;
		assert_string_equal(why, cases[i].why);
		assert_int_equal(own, cases[i].own);
	}
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_rate_that_was_asked_against_what_came),
	    cmocka_unit_test(connects_that_begin_late),
	    cmocka_unit_test(churn_tells_its_causes_apart),
	};

	return cmocka_run_group_tests_name("open_health", tests, NULL, NULL);
}
