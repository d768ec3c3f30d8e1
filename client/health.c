#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/clock.h"
#include "client/health.h"

#define SENT_ENOUGH    0.999 /* of the schedule */
#define SAMPLES	       100 /* the p99 of fewer is their maximum */
#define BUSY_AT_TIMES  0.5 /* of a processor: what comes in bursts waits */
#define OTHERS_LEAST   0.1 /* of the time, that others took a part of it */
#define LATENESS_SHARE 10 /* a tenth of the response time */

#define USAGE_TEXT 240

#define MS(ns) ((double)(ns) / (double)CLOCK_NS_PER_MS)

/*
 * The 99th percentile; of fewer than 100 samples the second longest (of one, itself),
 * so that a single stop of this host does not fail a short run.
 */
static uint64_t
tail(const struct histogram *h)
{
	double count = (double)histogram_count(h);

	if (count >= SAMPLES)
		return histogram_quantile(h, 0.99);
	/* half a rank lower, which no rounding takes to the next one */
	return histogram_quantile(h, count < 2 ? 1 : (count - 1.5) / count);
}

/*
 * Arrivals and answers see the state of the host in proportion to time: what kept
 * it from running for a share of the time is why about that share of them was late.
 * None of them can have been late for longer than all of that together, unless this
 * program had more to do than it could all the time: then what it could not do adds
 * up, and the last query waits for much longer than the program itself did.
 */
static bool
explains(const struct histogram *h, const struct health_usage *u, uint64_t most,
    double kept)
{
	uint64_t all = histogram_count(h), late = histogram_above(h, most);

	bool overloaded = u->ran + kept > HEALTH_BUSY;

	if (!overloaded && u->seconds > 0 &&
	    kept * u->seconds < clock_to_seconds(tail(h)))
		return false;
	return late > 0 && 2 * kept * (double)all >= (double)late;
}

/* At least half of what long turns and long sleeps took. */
static bool
is_main_cause(const struct read_delay_causes *c, uint64_t time)
{
	uint64_t all =
	    c->connecting + c->sending + c->expiring + c->reading + c->stopped;

	return time > 0 && time >= all / 2;
}

/* h: of what was late, because this program did not run or was busy. */
static const char *
advice_for_slowness(
    const struct histogram *h, const struct health_usage *u, uint64_t most)
{
	if (isnan(u->ran))
		return "no worker was left to say what kept it";
	if (explains(h, u, most, u->stolen))
		return "the host of this virtual machine took its processors "
		       "away: query from another one";
	if (explains(h, u, most, u->throttled))
		return "the CPU quota of its control group stopped it (cpu.max, "
		       "cpu.cfs_quota_us): raise that, or query from another "
		       "host";
	if (is_main_cause(&u->causes, u->causes.writing))
		return "standard output (-R) was not read in time: a faster "
		       "reader, or a file";
	if (is_main_cause(&u->causes, u->causes.connecting))
		return "opening connections took the time, as where free local "
		       "ports are rare: more sources (-a), or a lower rate of "
		       "connections";
	if (u->ran > HEALTH_BUSY)
		return "more workers (-w), another host, or a lower rate";
	if (explains(h, u, most, u->waited) && u->crowd > HEALTH_BUSY)
		return "its own workers waited for one another: fewer of them "
		       "(-w), no more than there are processors, another host, "
		       "or a lower rate";
	if (explains(h, u, most, u->waited) && isnan(u->throttled))
		return "other programs on this host had the processors, or "
		       "the CPU quota of its control group stopped it, which "
		       "cannot be read here: end them, raise it, or query from "
		       "another host";
	if (explains(h, u, most, u->waited))
		return "end the other programs on this host, or query from "
		       "another one";
	if (u->ran + u->waited > HEALTH_BUSY && u->waited > OTHERS_LEAST &&
	    u->crowd <= HEALTH_BUSY)
		return "it had no time left, of which other programs on this "
		       "host took a part: end them, more workers (-w), another "
		       "host, or a lower rate";
	if (u->ran > BUSY_AT_TIMES)
		return "it was too busy at times: more workers (-w), another "
		       "host, or a lower rate";
	return "the cause is not known: a signal, swapping, or other programs "
	       "at times; run it again";
}

/* Over the bound, and over what changes the response time by a tenth. */
static bool
is_large(const struct stats *s, const struct histogram *h, uint64_t most)
{
	uint64_t late = tail(h),
		 response = histogram_quantile(&s->response, 0.5);

	if (late == HISTOGRAM_NONE || late <= most)
		return false;
	/* without an answer there is no time of which it could be a small part */
	return response == HISTOGRAM_NONE || late > response / LATENESS_SHARE;
}

/* By this host's doing: a peer that does not read makes nothing late. */
static bool
left_late(const struct stats *s, uint64_t most)
{
	return is_large(s, &s->lateness, most);
}

static bool
is_unread(const struct stats *s, uint64_t most)
{
	return is_large(s, &s->read_delay, most);
}

static uint64_t
replaced(const struct stats_counters *n)
{
	return n->closed_churned + n->closed_used_up;
}

/* Why there was no connection for most of the queries that found none. */
enum absence {
	ABSENCE_CLOSED, /* by others, or could not be opened */
	ABSENCE_COMMANDED,
	ABSENCE_UNANSWERED,
	ABSENCE_IN_HANDSHAKE,
	ABSENCE_REPLACED,
	ABSENCE_OPENING,
};

/* Of an older result that is all there is to tell by. */
static bool
others_ended_some(const struct stats_counters *n)
{
	return n->failed + n->closed_by_peer + n->reset_by_peer +
	    n->closed_by_error + n->closed_on_timeout >
	    0;
}

static enum absence
find_absence(const struct stats_counters *n)
{
	const uint64_t unsent[] = {
	    [ABSENCE_CLOSED] = n->unsent_after_failure,
	    [ABSENCE_COMMANDED] = n->unsent_on_request,
	    [ABSENCE_UNANSWERED] = n->unsent_for_answers,
	    [ABSENCE_IN_HANDSHAKE] = n->unsent_in_handshake,
	};
	enum absence most = ABSENCE_CLOSED, i;
	uint64_t known = 0;

	for (i = ABSENCE_CLOSED; i <= ABSENCE_IN_HANDSHAKE; i++) {
		known += unsent[i];
		if (unsent[i] > unsent[most])
			most = i;
	}
	if (2 * known > n->skipped_no_connection)
		return most;
	if (replaced(n) > 0)
		return ABSENCE_REPLACED;
	return others_ended_some(n) ? ABSENCE_CLOSED : ABSENCE_OPENING;
}

/* They waited for this program; not where -n tells it to take its time. */
static bool
is_own(enum absence absence, const struct stats_counters *n)
{
	return absence == ABSENCE_REPLACED ||
	    (absence == ABSENCE_OPENING && n->paced == 0);
}

static const char *
absence_text(enum absence absence, const struct stats_counters *n)
{
	switch (absence) {
	case ABSENCE_CLOSED:
		return "no connection was open for them: look at what ended or "
		       "refused them, above";
	case ABSENCE_COMMANDED:
		return "no connection was open for them: a command closed them";
	case ABSENCE_UNANSWERED:
		return "their connections waited for last answers, to be "
		       "replaced then: more of them (-c), or a lower rate";
	case ABSENCE_IN_HANDSHAKE:
		return n->probe_sent > 0 ?
		    "their connections waited for the other side's handshake, "
		    "or for its answer to a probe: more of them (-c), or a "
		    "lower rate" :
		    "their connections waited for the other side's handshake "
		    "(see connect, above): more of them (-c), or a lower rate";
	case ABSENCE_OPENING:
		return n->paced > 0 ?
		    "their connections were still to be opened: a higher rate "
		    "of opening (-n)" :
		    "their connections were still to be opened: a lower rate";
	default:
		return "their connections were being replaced: more of them "
		       "(-c), or a lower rate";
	}
}

/* What kept most of the arrivals that this program was ready to send. */
static enum health
blame_peer(const struct stats_counters *n, const char **advice)
{
	enum absence absence = find_absence(n);

	if (n->skipped_no_connection < n->skipped_ids_exhausted ||
	    n->skipped_no_connection < n->skipped_output_full) {
		*advice = "too much waited for answers; a lower rate, or more "
			  "connections (-c)";
		return HEALTH_PEER;
	}
	*advice = absence_text(absence, n);
	return is_own(absence, n) ? HEALTH_OVERLOADED : HEALTH_PEER;
}

/*
 * Which reason for skipping is the most frequent, in words. Who is late in
 * sending is late in reading and in replacing connections, too: then answers that
 * are there wait to be read, and hold their IDs.
 */
static enum health
blame(const struct stats *s, const struct health_usage *u, uint64_t most,
    const char **advice)
{
	const struct stats_counters *n = &s->n;
	uint64_t own = n->skipped_overload + n->skipped_worker_died;
	uint64_t peer = n->skipped_ids_exhausted + n->skipped_output_full +
	    n->skipped_no_connection;
	bool by_others =
	    n->skipped_no_connection > 0 && !is_own(find_absence(n), n);

	if (own >= peer && n->skipped_worker_died > n->skipped_overload)
		*advice = "a worker died; look at its message";
	else if (own >= peer ||
	    (!by_others && (left_late(s, most) || is_unread(s, most))))
		*advice = advice_for_slowness(&s->lateness, u, most);
	else
		return blame_peer(n, advice);
	return HEALTH_OVERLOADED;
}

/*
 * Queries that timed out hold the IDs of whole connections, and that is what kept
 * most queries from being sent. conn_send.c has seen to it that these answers do
 * not wait to be read here.
 */
static bool
are_ids_used_up(const struct stats_counters *n)
{
	return n->out_of_ids > 0 &&
	    2 * n->skipped_ids_exhausted > stats_skipped(n);
}

static char *
next_reason(struct health_reasons *reasons)
{
	return reasons->at[reasons->count++];
}

/* Why less than enough of the schedule was sent. */
static enum health
explain_unsent(const struct stats *s, const struct health_usage *u,
    uint64_t most, struct health_reasons *reasons)
{
	const struct stats_counters *n = &s->n;
	double percent = 100.0 * (double)n->sent / (double)n->scheduled;
	enum health health;
	const char *advice;
	char *why = next_reason(reasons);

	if (are_ids_used_up(n)) {
		snprintf(why, HEALTH_TEXT,
		    "sent %.2f %% of the schedule, %" PRIu64
		    " queries skipped: queries that timed out hold all IDs of "
		    "%" PRIu64
		    " connection%s until their answers come; more connections (-c), "
		    "--drop-on-timeout, or a lower rate",
		    percent, stats_skipped(n), n->out_of_ids,
		    n->out_of_ids == 1 ? "" : "s");
		return HEALTH_PEER;
	}
	health = blame(s, u, most, &advice);
	snprintf(why, HEALTH_TEXT,
	    "sent %.2f %% of the schedule, %" PRIu64 " queries skipped; %s",
	    percent, stats_skipped(n), advice);
	return health;
}

/* " (the busiest worker ran ...)", or nothing where that is not known. */
static void
format_usage(const struct health_usage *u, char text[USAGE_TEXT])
{
	int length;

	text[0] = '\0';
	if (isnan(u->ran))
		return;
	length = snprintf(text, USAGE_TEXT,
	    " (the busiest worker ran %.0f %% of the time and waited %.0f %% "
	    "for a processor, and %.1f %% was stolen",
	    100 * u->ran, 100 * u->waited, 100 * u->stolen);
	if (u->throttled > 0)
		length += snprintf(text + length, USAGE_TEXT - (size_t)length,
		    "; its quota stopped it for %.0f %%", 100 * u->throttled);
	snprintf(text + length, USAGE_TEXT - (size_t)length, ")");
}

/* Returns the reason. */
static const char *
say_slow(const char *what, const struct histogram *h,
    const struct health_usage *u, uint64_t most, struct health_reasons *reasons)
{
	char usage[USAGE_TEXT], *why = next_reason(reasons);

	format_usage(u, usage);
	snprintf(why, HEALTH_TEXT, "%s %.3f ms%s; %s", what,
	    MS(histogram_quantile(h, 0.99)), usage,
	    advice_for_slowness(h, u, most));
	return why;
}

enum health
health_check(const struct stats *s, const struct health_usage *u, uint64_t most,
    struct health_reasons *reasons)
{
	const struct stats_counters *n = &s->n;
	enum health health = HEALTH_SOUND;

	*reasons = (struct health_reasons){.count = 0};
	if ((double)n->sent < SENT_ENOUGH * (double)n->scheduled)
		health = explain_unsent(s, u, most, reasons);
	if (left_late(s, most)) {
		reasons->late = say_slow(
		    "queries left late, p99", &s->lateness, u, most, reasons);
		health = health == HEALTH_SOUND ? HEALTH_LATE : health;
	}
	if (is_unread(s, most)) {
		reasons->unread =
		    say_slow("answers waited to be read, p99 up to",
			&s->read_delay, u, most, reasons);
		health = health == HEALTH_SOUND ? HEALTH_UNREAD : health;
	}
	return health;
}
