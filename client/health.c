#include <inttypes.h>
#include <stdio.h>

#include "lib/clock.h"
#include "client/health.h"

#define SENT_ENOUGH    0.999 /* of the schedule */
#define LATENESS_LEAST CLOCK_NS_PER_MS
#define LATENESS_SHARE 10 /* a tenth of the response time */

/* A share of the time that it waited past which others are to blame. */
#define WAITED_MUCH 0.1

#define MS(ns) ((double)(ns) / (double)CLOCK_NS_PER_MS)

static const char *
advice_for_slowness(const struct health_usage *u)
{
	if (u->ran > HEALTH_BUSY)
		return "more workers (-w), another host, or a lower rate";
	if (u->waited > WAITED_MUCH)
		return "end the other programs on this host, or query from "
		       "another one";
	return "something stopped it: a signal, swapping, or the host of a "
	       "virtual machine; run it again";
}

/* Which reason for skipping is the most frequent, in words. */
static enum health
blame(const struct stats_counters *n, const struct health_usage *u,
    const char **advice)
{
	uint64_t peer = n->skipped_ids_exhausted + n->skipped_output_full +
	    n->skipped_no_connection;

	if (n->skipped_overload + n->skipped_worker_died >= peer) {
		*advice = advice_for_slowness(u);
		return HEALTH_CLIENT;
	}
	if (n->skipped_no_connection >= n->skipped_ids_exhausted &&
	    n->skipped_no_connection >= n->skipped_output_full)
		*advice = "the other side closed all connections: look there";
	else
		*advice = "too much waited for answers; a lower rate, more "
			  "connections, or a shorter --timeout";
	return HEALTH_PEER;
}

enum health
health_check(
    const struct stats *s, const struct health_usage *u, char why[HEALTH_TEXT])
{
	const struct stats_counters *n = &s->n;
	uint64_t late = histogram_quantile(&s->lateness, 0.99),
		 response = histogram_quantile(&s->response, 0.5);
	const char *advice;
	enum health health;

	if ((double)n->sent < SENT_ENOUGH * (double)n->scheduled) {
		health = blame(n, u, &advice);
		snprintf(why, HEALTH_TEXT,
		    "sent %.2f %% of the schedule, %" PRIu64
		    " queries skipped; %s",
		    100.0 * (double)n->sent / (double)n->scheduled,
		    stats_skipped(n), advice);
		return health;
	}
	if (late > LATENESS_LEAST && late > response / LATENESS_SHARE) {
		snprintf(why, HEALTH_TEXT,
		    "queries left late, p99 %.3f ms (the busiest worker ran "
		    "%.0f %% of the time and waited %.0f %% for a processor); "
		    "%s",
		    MS(late), 100 * u->ran, 100 * u->waited,
		    advice_for_slowness(u));
		return HEALTH_CLIENT;
	}
	return HEALTH_SOUND;
}
