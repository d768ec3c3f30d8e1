/*
 * Whether the numbers may be used: what was asked for against what became of it.
 */
#include <inttypes.h>
#include <stdarg.h>

#include "lib/clock.h"
#include "client/report_internal.h"

#define OVERRUN_MOST (100 * CLOCK_NS_PER_MS) /* and 0.5 % of the duration */
#define SENT_ENOUGH  0.999 /* of the schedule */
#define TOGETHER     0.95 /* of the longest of merged runs */

static void __attribute__((format(printf, 2, 3)))
add_reason(struct report *r, const char *format, ...)
{
	va_list ap;

	if (r->reason_count >= REPORT_REASONS - 1) {
		r->reason_count = REPORT_REASONS;
		snprintf(r->reasons[REPORT_REASONS - 1], REPORT_REASON_SIZE,
		    "and %zu more reasons", ++r->reasons_more);
		return;
	}
	va_start(ap, format);
	vsnprintf(
	    r->reasons[r->reason_count++], REPORT_REASON_SIZE, format, ap);
	va_end(ap);
}

void
report_add_reason(struct report *r, const char *text)
{
	add_reason(r, "%s", text);
}

/* Before the time that was asked, or, where none was asked, unasked. */
static bool
ended_early(const struct report *r)
{
	if (r->config.duration == CLOCK_NEVER)
		return !r->end.interrupted;
	return report_duration(r) < r->config.duration;
}

static void
judge_end(struct report *r)
{
	double seconds = clock_to_seconds(report_duration(r));

	if (r->end.interrupted)
		add_reason(r, "interrupted after %.1f s of %.1f s", seconds,
		    clock_to_seconds(r->config.duration));
	else if (r->end.workers_died == 0 && r->total.stats.n.opened > 0)
		add_reason(r,
		    "ended after %.1f s: every connection was closed by the "
		    "other side",
		    seconds);
}

static bool
overran(const struct report *r)
{
	uint64_t asked = r->config.duration, took = r->runs.longest;

	return asked != CLOCK_NEVER && took > asked + OVERRUN_MOST &&
	    took > asked + asked / 200;
}

/* The rates of runs that were not at the same time do not add up. */
static void
judge_overlap(struct report *r)
{
	const struct report_runs *runs = &r->runs;
	double overlap = report_seconds(runs->last_begin, runs->first_end);
	double longest = clock_to_seconds(runs->longest);

	if (overlap < TOGETHER * longest)
		add_reason(r,
		    "the runs did not query at the same time: all of them for "
		    "%.3f s only, the longest for %.3f s; begin them together "
		    "(--start-at)",
		    overlap, longest);
}

void
report_judge(struct report *r)
{
	const struct stats_counters *n = &r->total.stats.n;

	if (n->opened < r->config.connections)
		add_reason(r, "opened %" PRIu64 " of %" PRIu32 " connections",
		    n->opened, r->config.connections);
	if (r->config.probe && n->verified < n->opened)
		add_reason(r,
		    "%" PRIu64 " of %" PRIu64 " opened connections never "
		    "answered",
		    n->opened - n->verified, n->opened);
	if (r->end.workers_died > 0)
		add_reason(r, "%u worker%s died", r->end.workers_died,
		    r->end.workers_died == 1 ? "" : "s");
	if ((double)n->sent < SENT_ENOUGH * (double)n->scheduled)
		add_reason(r,
		    "sent %.2f %% of the schedule: %" PRIu64 " queries skipped",
		    PERCENT(n->sent, n->scheduled), stats_skipped(n));
	else if (overran(r))
		add_reason(r,
		    "too slow for the rate: the last query of %.1f s was sent "
		    "after %.3f s",
		    clock_to_seconds(r->config.duration),
		    clock_to_seconds(r->runs.longest));
	if (ended_early(r))
		judge_end(r);
	judge_overlap(r);
}

bool
report_is_valid(const struct report *r)
{
	return r->reason_count == 0;
}
