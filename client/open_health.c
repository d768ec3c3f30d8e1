#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/clock.h"
#include "lib/number.h"
#include "client/open_health.h"

#define CAME_ENOUGH    0.999 /* of the connects that were due */
#define MISSED_LEAST   10
#define MISSED_SECONDS 0.1
#define FEW	       1000 /* connections: a short stop is all of their time */
#define PACED_LEAST    100 /* a p99 of fewer is but their maximum */
#define TIMES_LATENESS 10
#define LATENESS_SHARE 10 /* a tenth of the connect time */

#define MS(ns) ((double)(ns) / (double)CLOCK_NS_PER_MS)

/* Failures are missing where each connection stands for itself; else they are
 * judged as connections that were not opened. */
static uint64_t
failed(const struct stats_counters *n, const struct open_asked *asked)
{
	if (!asked->exchanges)
		return 0;
	return n->failed < n->paced ? n->failed : n->paced;
}

/* By the pace: those for which there was no time. */
static uint64_t
missed(const struct stats_counters *n)
{
	return n->missed_window_full + n->missed_all_busy +
	    n->missed_after_failure + n->missed_late;
}

/*
 * Too few to matter. Where few connections came in the end, but late, no more can
 * be missing than there are: 5 in 0.2 s are not 195 too few of 1,000 a second.
 */
static bool
is_little(const struct stats_counters *n, const struct open_asked *asked,
    uint64_t without)
{
	if (!asked->exchanges && n->paced < FEW && without > n->paced)
		without = n->paced;
	return without < MISSED_LEAST ||
	    (double)without < MISSED_SECONDS * asked->rate;
}

enum cause { CAUSE_FAILURES, CAUSE_WINDOW, CAUSE_BUSY, CAUSE_LATE };

/* Which cause had the most connects missing. */
static enum cause
cause_of(const struct stats_counters *n, uint64_t failures)
{
	uint64_t after_failure = n->missed_after_failure + failures,
		 late = n->missed_late, window = n->missed_window_full,
		 busy = n->missed_all_busy;

	/* handshakes that this program sees late keep the window full, too */
	if (2 * n->opened_late > n->opened) {
		late += window;
		window = 0;
	}
	if (after_failure >= window && after_failure >= busy &&
	    after_failure >= late)
		return CAUSE_FAILURES;
	if (window >= busy && window >= late)
		return CAUSE_WINDOW;
	return busy >= late ? CAUSE_BUSY : CAUSE_LATE;
}

/* In words, and what to do. */
static const char *
explain(const struct stats_counters *n, enum cause cause)
{
	switch (cause) {
	case CAUSE_FAILURES:
		return 2 * n->failed_errno[EADDRNOTAVAIL] > n->failed ?
		    "the local ports were used up (TIME_WAIT keeps each for a "
		    "minute); more sources (-a) or target ports (-p), or "
		    "--close rst" :
		    "connects failed; the causes are named above";
	case CAUSE_WINDOW:
		return "the server or the path to it was slower in taking "
		       "connections: this program held back further ones "
		       "while as many as it takes were pending; look at the "
		       "server and its backlog, or lower -n";
	case CAUSE_BUSY:
		return "every connection was in use for longer than that rate "
		       "leaves for each; more connections (-c)";
	case CAUSE_LATE:
		break;
	}
	return "this program was late; end the other programs on this host, "
	       "more workers (-w), another host, or a lower -n";
}

bool
open_health_is_own_doing(const struct stats *s, const struct open_asked *asked)
{
	enum cause cause = cause_of(&s->n, failed(&s->n, asked));

	return cause == CAUSE_BUSY || cause == CAUSE_LATE;
}

bool
open_health_is_short(const struct stats *s, const struct open_asked *asked,
    char why[OPEN_HEALTH_TEXT])
{
	const struct stats_counters *n = &s->n;
	uint64_t failures = failed(n, asked), came = n->paced - failures;
	uint64_t without = missed(n) + failures, due = came + without;
	double share;

	/* where none came, how fast they were tried says nothing */
	if (asked->rate <= 0 || n->opened == 0 ||
	    is_little(n, asked, without) ||
	    (double)came >= CAME_ENOUGH * (double)due)
		return false;
	share = (double)came / (double)due;
	snprintf(why, OPEN_HEALTH_TEXT,
	    "%s %.5g/s of the %.10g/s asked (-n): %s",
	    !asked->exchanges && n->failed > 0 ? "tried to open" : "opened",
	    share * asked->rate, asked->rate,
	    explain(n, cause_of(n, failures)));
	return true;
}

bool
open_health_is_late(
    const struct stats *s, uint64_t max_lateness, char why[OPEN_HEALTH_TEXT])
{
	uint64_t late = histogram_quantile(&s->open_lateness, 0.99),
		 connect = histogram_quantile(&s->connect, 0.5);

	if (histogram_count(&s->open_lateness) < PACED_LEAST ||
	    late / TIMES_LATENESS <= max_lateness ||
	    (connect != HISTOGRAM_NONE && late <= connect / LATENESS_SHARE))
		return false;
	snprintf(why, OPEN_HEALTH_TEXT,
	    "connects began late, p99 %.3f ms after they were due: something "
	    "stopped this program, or it had too much to do; more workers "
	    "(-w), fewer new connections a second (-n, --churn), or another "
	    "host",
	    MS(late));
	return true;
}

bool
open_health_churn_is_short(const struct stats *s, double seconds, bool *own,
    char why[OPEN_HEALTH_TEXT])
{
	const struct stats_counters *n = &s->n;
	uint64_t due = n->closed_churned + n->churn_skipped;
	uint64_t late =
	    n->churn_late < n->churn_skipped ? n->churn_late : n->churn_skipped;
	uint64_t none_open = n->churn_skipped - late;
	int used;

	if ((double)n->closed_churned >= CAME_ENOUGH * (double)due)
		return false;
	*own = late > none_open;
	used = snprintf(why, OPEN_HEALTH_TEXT,
	    "churned %" PRIu64 " of %" PRIu64 " connections, %s/s",
	    n->closed_churned, due,
	    number_text(number_rate(n->closed_churned, seconds), 1).text);
	if (none_open > 0)
		used += snprintf(why + used, OPEN_HEALTH_TEXT - (size_t)used,
		    ": for %" PRIu64 " of them none was open: more connections "
		    "(-c), or see what ended them or what they waited for",
		    none_open);
	if (late > 0)
		snprintf(why + used, OPEN_HEALTH_TEXT - (size_t)used,
		    "%s for %" PRIu64 " of them this program was late; more "
		    "workers (-w), or a lower --churn",
		    none_open > 0 ? ";" : ":", late);
	return true;
}
