/*
 * Whether the numbers may be used: what was asked for against what became of it.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "lib/clock.h"
#include "client/open_health.h"
#include "client/querylog.h"
#include "client/report_internal.h"

#define SILENT_STEPS 4 /* two loads, each run twice */

#define OVERRUN_MOST	(100 * CLOCK_NS_PER_MS) /* and 0.5 % of the duration */
#define TOGETHER	0.95 /* of the longest of merged runs */
#define ANSWERED_ENOUGH 0.99 /* of what was sent, for percentiles of all */
#define SILENT_LEAST	10 /* answers that were to come */
#define OWED_LEAST	10 /* answers */
#define OWED		0.05 /* of all */
#define SIGMAS		6 /* no Poisson process is that far from its mean */
#define CHANGE_LATE	CLOCK_NS_PER_MS /* as of a query's lateness */

static void __attribute__((format(printf, 2, 3)))
add(struct report_lines *lines, const char *format, ...)
{
	va_list ap;

	if (lines->count >= REPORT_LINES - 1) {
		lines->count = REPORT_LINES;
		snprintf(lines->at[REPORT_LINES - 1], REPORT_LINE_SIZE,
		    "and %zu more", ++lines->more);
		return;
	}
	va_start(ap, format);
	vsnprintf(lines->at[lines->count++], REPORT_LINE_SIZE, format, ap);
	va_end(ap);
}

void
report_lines_add(struct report_lines *lines, const char *text)
{
	add(lines, "%s", text);
}

/*
 * How long after the queries began it was told to end. It may have gone on for longer:
 * for the reader of -R, or stopped. Earlier programs have not kept it.
 */
static uint64_t
told_after(const struct report *r)
{
	uint64_t begin = r->total.query_begin, told = r->end.interrupted_at;

	if (told == 0)
		return report_duration(r);
	return told > begin && begin != 0 ? told - begin : 0;
}

static bool
interrupted_early(const struct report *r)
{
	return r->end.interrupted && r->config.duration != CLOCK_NEVER &&
	    told_after(r) < r->config.duration;
}

/* Before the time that was asked, or, where none was asked, unasked. */
static bool
ended_early(const struct report *r)
{
	if (r->end.query_log_error != 0 || interrupted_early(r))
		return true;
	if (r->config.duration == CLOCK_NEVER)
		return !r->end.interrupted;
	return report_duration(r) < r->config.duration;
}

static const char *
log_error_text(const struct report *r)
{
	return r->end.query_log_error == QUERYLOG_UNREAD ?
	    "it was not read" :
	    strerror(r->end.query_log_error);
}

static void
judge_end(struct report *r)
{
	const struct stats_counters *n = &r->total.stats.n;
	double seconds = clock_to_seconds(report_duration(r));

	if (r->end.query_log_error != 0)
		add(&r->reasons,
		    "ended after %.1f s: standard output (-R) could not be "
		    "written: %s",
		    seconds, log_error_text(r));
	if (interrupted_early(r))
		add(&r->reasons, "%s after %.1f s of %.1f s",
		    r->end.by_command ? "ended by quit" : "interrupted",
		    clock_to_seconds(told_after(r)),
		    clock_to_seconds(r->config.duration));
	else if (r->end.query_log_error == 0 && r->end.workers_died == 0 &&
	    n->opened > 0)
		add(&r->reasons, "ended after %.1f s: %s", seconds,
		    n->closed_by_peer + n->reset_by_peer == n->opened ?
			"every connection was closed by the other side" :
			"no connection was left; what ended them is named "
			"above");
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
	double overlap =
	    fmax(report_seconds(runs->last_begin, runs->first_end), 0);
	double longest = clock_to_seconds(runs->longest);

	if (overlap < TOGETHER * longest)
		add(&r->reasons,
		    "the runs did not query at the same time: all of them for "
		    "%.3f s only, the longest for %.3f s; begin them together "
		    "(--start-at)",
		    overlap, longest);
}

/* What kept connections from being opened. Failures have their errno above. */
static const char *
why_not_opened(const struct report *r)
{
	if (r->total.stats.n.failed > 0)
		return r->end.interrupted ?
		    "some failed, as named above, and the run was ended while "
		    "it opened others" :
		    "the causes are named above";
	if (r->end.workers_died > 0)
		return "a worker that died was to open the others";
	return r->end.by_command ? "ended by quit while it opened others" :
	    r->end.interrupted	 ? "interrupted while it opened others" :
				   "the run ended before the others were opened";
}

/* Connections that this program closed when the answer to a probe was still in time. */
static uint64_t
probes_in_time(const struct stats_counters *n)
{
	uint64_t ended =
	    n->closed_by_peer + n->reset_by_peer + n->closed_by_error;

	return n->unverified > ended ? n->unverified - ended : 0;
}

/*
 * Those of replaced connections, at the end of a run, are no reason; those that kept
 * a run from querying are.
 */
static void
judge_probes(struct report *r)
{
	const struct stats_counters *n = &r->total.stats.n;
	uint64_t in_time = probes_in_time(n);
	uint64_t unanswered =
	    n->opened - n->verified - n->wrong_answer - in_time;

	if (unanswered > 0)
		add(&r->reasons,
		    "%" PRIu64 " of %" PRIu64
		    " opened connections never answered; look at the server, "
		    "or lower -n",
		    unanswered, n->opened);
	if (in_time > 0 && r->end.interrupted && report_duration(r) == 0)
		add(&r->reasons,
		    "%s while %" PRIu64 " of %" PRIu64 " opened connections "
		    "waited for the answer to their probe",
		    r->end.by_command ? "ended by quit" : "interrupted",
		    in_time, n->opened);
}

static void
judge_connections(struct report *r)
{
	const struct stats_counters *n = &r->total.stats.n;

	if (n->opened < r->config.connections)
		add(&r->reasons,
		    "opened %" PRIu64 " of %" PRIu32 " connections; %s",
		    n->opened, r->config.connections, why_not_opened(r));
	else if ((r->config.controlled || r->config.search != NULL) &&
	    n->failed > 0)
		add(&r->reasons,
		    "%" PRIu64 " connections could not be opened; the causes "
		    "are named above",
		    n->failed);
	if (r->config.probe)
		judge_probes(r);
}

/*
 * A worker that did not begin, or ended before the others, shows in the sum of
 * arrivals: that of a Poisson process is within 6 sigma of the program's integral
 * but once in a thousand million runs. Merged runs have been judged one by one, and
 * a run that was changed in mid-run has no integral of its own.
 */
static void
judge_schedule(struct report *r)
{
	uint64_t begin = r->config.warmup, length = r->config.duration;
	double due, distance;

	if (r->config.program == NULL || r->config.controlled ||
	    length == CLOCK_NEVER || report_duration(r) < length ||
	    r->end.workers_died > 0 || r->end.query_log_error != 0)
		return;
	due = program_arrivals(r->config.program, begin, begin + length);
	distance = (double)r->total.stats.n.scheduled - due;
	if (fabs(distance) <= SIGMAS * sqrt(due) + r->config.workers)
		return;
	add(&r->reasons,
	    "%" PRIu64 " queries were scheduled, but %.0f were asked: a worker "
	    "did not begin, or ended before the others",
	    r->total.stats.n.scheduled, due);
}

/*
 * Late connects are a reason where they are the load that was asked for: without
 * churn or exchanges they are over before anything is measured.
 */
static void
judge_opening(struct report *r)
{
	const struct life *life = &r->config.life;
	const struct open_asked asked = {
	    .rate = r->config.open_rate,
	    .exchanges = life->limited && life->most_queries == 0,
	};
	bool is_load = asked.exchanges || life->churn > 0;
	char why[OPEN_HEALTH_TEXT];

	if (open_health_is_short(&r->total.stats, &asked, why))
		add(&r->reasons, "%s", why);
	else if (open_health_is_late(
		     &r->total.stats, r->config.max_lateness, why))
		add(is_load ? &r->reasons : &r->warnings, "%s", why);
}

/* What ended the queries, most of them. */
static const char *
silence_cause(const struct stats_counters *n)
{
	if (2 * n->lost_worker_died > stats_lost(n))
		return " when a worker died; look at its message";
	if (2 * n->lost_stopped > stats_lost(n))
		return " when the second signal stopped the run";
	if (n->lost_drain_over > 0)
		return ", as --drain was over; look at the server, or wait for "
		       "its answers longer";
	return "; look at the server";
}

/*
 * Not one answer, and nothing else that says so: all were cut off by the end, or each
 * connection was closed before its answer. Connections that have answered before make
 * it a result: then the server has stopped, which --fail judges.
 */
static void
judge_silence(struct report *r)
{
	const struct stats_counters *n = &r->total.stats.n;

	if (n->sent == 0 || n->verified > 0 || n->wrong_answer > 0 ||
	    n->malformed > 0 || stats_suspects(n) > 0)
		return;
	add(&r->reasons,
	    "no query was answered: %" PRIu64 " of %" PRIu64 " were lost%s",
	    stats_lost(n), n->sent, silence_cause(n));
}

static void
judge_queries(struct report *r)
{
	struct health_reasons why;
	size_t i;

	if (ended_early(r))
		judge_end(r);
	judge_opening(r);
	judge_silence(r);
	judge_schedule(r);
	(void)health_check(
	    &r->total.stats, &r->end.usage, r->config.max_lateness, &why);
	for (i = 0; i < why.count; i++)
		add(&r->reasons, "%s", why.at[i]);
	if (why.count == 0 && overran(r))
		add(&r->reasons,
		    "this program was late at the end: the last query of %.1f s "
		    "was sent after %.3f s; if nothing stopped it, more workers "
		    "(-w), another host, or a lower rate",
		    clock_to_seconds(r->config.duration),
		    clock_to_seconds(r->runs.longest));
	if (r->end.late_start > 0)
		add(&r->reasons,
		    "--start-at was %.3f s before the schedule could begin; "
		    "start earlier, or open faster (-n), unless the wall clock "
		    "was stepped",
		    clock_to_seconds(r->end.late_start));
	judge_overlap(r);
}

/* It did not come to its end, and the step of this load did not either. */
static void
judge_unfinished(struct report *r, const struct search_load *load)
{
	const struct search *s = r->config.search;
	bool by_rate = search_config(s)->what == SEARCH_RATE;
	size_t steps = search_steps(s);
	char cause[160] = "";

	if (r->end.query_log_error != 0)
		snprintf(cause, sizeof(cause),
		    ": standard output (-R) could not be written: %s",
		    log_error_text(r));
	else if (r->end.interrupted)
		snprintf(cause, sizeof(cause),
		    ": interrupted before the end of the step of %.10g %s",
		    by_rate ? load->rate : (double)load->connections,
		    by_rate ? "queries/s" : "connections");
	else if (r->total.stats.n.opened == 0)
		snprintf(cause, sizeof(cause), ": no connection was opened");
	else if (r->end.workers_died == 0)
		snprintf(cause, sizeof(cause), ": no connection was left");
	add(&r->reasons, "the search ended after %zu step%s, unfinished%s",
	    steps, steps == 1 ? "" : "s", cause);
}

/* Steps that did not hold, maybe because of the queries of the step before. */
static void
judge_unsettled(struct report *r)
{
	const struct search_step *step;
	size_t i, count = 0;

	for (i = 0; i < search_steps(r->config.search); i++) {
		step = search_step(r->config.search, i);
		count += step->unsettled && step->stop != SEARCH_HELD;
	}
	if (count > 0)
		add(&r->reasons,
		    "%zu step%s that did not hold began while answers to the "
		    "step before still came, so the server may hold more; "
		    "begin with a lower load",
		    count, count == 1 ? "" : "s");
}

/* The advice of the step that stopped it, if there is one, is that of the search. */
static void
judge_client_limit(struct report *r, const struct search_step *limit)
{
	const char *advice = strchr(limit->why, ';');

	add(&r->reasons,
	    "this client was the limit, so the server may hold more%s",
	    advice == NULL ? "" : advice);
}

static bool
is_silent(const struct search_step *step)
{
	return step->stop != SEARCH_HELD && step->sent_qps > 0 &&
	    step->answered_qps <= 0;
}

/*
 * The last loads of the search had no answer at all, though none was higher than the
 * one before: the server has ended, and not been overloaded.
 */
static void
judge_silent_search(struct report *r)
{
	const struct search *s = r->config.search;
	size_t count = search_steps(s), last = 0;

	while (last < count && is_silent(search_step(s, count - 1 - last)))
		last++;
	if (last >= SILENT_STEPS && search_best(s) != NULL)
		add(&r->reasons,
		    "nothing was answered in the last %zu steps, whatever the "
		    "load: has the server ended or stopped?",
		    last);
}

static void
judge_search(struct report *r)
{
	const struct search *s = r->config.search;
	const struct search_step *limit = search_limit(s);
	struct search_load load;

	if (search_next(s, &load))
		judge_unfinished(r, &load);
	else if (search_is_unanswered(s))
		add(&r->reasons,
		    "no query was answered, so no lower rate was tried; look "
		    "at the server, or begin with a lower rate (-r)");
	else if (search_best(s) == NULL)
		add(&r->reasons,
		    "no load held; begin with a lower one, or with another "
		    "condition");
	judge_silent_search(r);
	judge_unsettled(r);
	if (limit != NULL && limit->stop == SEARCH_BY_CLIENT)
		judge_client_limit(r, limit);
	if (limit != NULL && limit->stop == SEARCH_BY_IDS)
		add(&r->reasons,
		    "the IDs of the connections were the limit, so the server "
		    "may hold more; more connections (-c)");
	if (limit != NULL && limit->stop == SEARCH_BY_KERNEL)
		add(&r->reasons,
		    "a limit of this host was met, so the server may hold "
		    "more; see to it (above) and search again");
}

static void
warn_of_drops(struct report *r)
{
	/* the first are another service's where no target is on this host */
	static const enum netstat_counter moving[] = {
	    NETSTAT_TcpExt_ListenOverflows,
	    NETSTAT_TcpExt_TCPReqQFullDrop,
	    NETSTAT_TcpExt_TCPReqQFullDoCookies,
	    NETSTAT_Tcp_RetransSegs,
	    NETSTAT_TcpExt_ListenDrops,
	    NETSTAT_TcpExt_TCPBacklogDrop,
	    NETSTAT_softnet_dropped,
	};
	char text[REPORT_LINE_SIZE] = "";
	size_t i, used = 0;

	for (i = 0; i < sizeof(moving) / sizeof(moving[0]); i++)
		if (r->kernel.readable[moving[i]] &&
		    r->kernel.value[moving[i]] > 0)
			used += (size_t)snprintf(text + used,
			    sizeof(text) - used, "%s%s %" PRIu64,
			    used == 0 ? "" : ", ", netstat_name(moving[i]),
			    r->kernel.value[moving[i]]);
	if (used > 0)
		add(&r->warnings,
		    "this host dropped packets or sent them again (any "
		    "program's): %s",
		    text);
}

/* Nothing that is wrong by itself, but may be why a number is what it is. */
static void
warn(struct report *r)
{
	const struct stats_counters *n = &r->total.stats.n;

	if (r->config.search == NULL && r->end.usage.ran > HEALTH_BUSY)
		add(&r->warnings,
		    "the busiest worker used %.0f %% of a processor; with more "
		    "workers (-w) times may be shorter",
		    100 * r->end.usage.ran);
	if (n->lost_stopped > 0 && r->reasons.count == 0)
		add(&r->warnings,
		    "%" PRIu64 " queries still waited for their answers when "
		    "the run was stopped, and count as lost",
		    n->lost_stopped);
	if (r->end.lines_left_out > 0)
		add(&r->warnings,
		    "%" PRIu64 " line%s on standard error were left out: it "
		    "was not read, or could not be written",
		    r->end.lines_left_out,
		    r->end.lines_left_out == 1 ? "" : "s");
	if (n->opened_late > n->opened / 100)
		add(&r->warnings,
		    "%" PRIu64
		    " connects were seen late by this program, 10 ms "
		    "and more after the handshake (which their connect times "
		    "leave out): more workers (-w), or a lower -n",
		    n->opened_late);
	if (r->total.change_late > CHANGE_LATE)
		add(&r->warnings,
		    "a worker was %.3f s late to hear of a change, and kept "
		    "the rate before it until then",
		    clock_to_seconds(r->total.change_late));
	warn_of_drops(r);
}

/* Beside answers: what says more than that one message was cut off by the end. */
static void
warn_of_strays(struct report *r)
{
	const struct stats_counters *n = &r->total.stats.n;
	char text[FIRST_BYTES_TEXT];

	if (n->unmatched > 0)
		add(&r->warnings,
		    "%" PRIu64 " of %" PRIu64
		    " messages received match no query: sent "
		    "twice, or never asked for; look at what the server sends: "
		    "tcpdump -X",
		    n->unmatched, n->replies);
	if (n->bytes_of_no_answer > 0 && n->malformed == 0 &&
	    n->wrong_answer == 0 && r->total.stats.first_bytes.length > 0)
		add(&r->warnings,
		    "%" PRIu64 " bytes came beside the answers that are no "
		    "whole DNS answer (first bytes: %s)",
		    n->bytes_of_no_answer,
		    first_bytes_format(&r->total.stats.first_bytes, text));
}

/*
 * A server that has stopped in mid-run: where as many as that were answered before,
 * some answers would have come by chance as well. Those that came while the run
 * drained end the silence too.
 */
static void
warn_of_silent_end(struct report *r)
{
	const struct stats_counters *n = &r->total.stats.n;
	const struct report_row *row;
	uint64_t length = 0, sent = 0;
	size_t i = r->row_count;

	for (; i > 0; i--) {
		row = &r->rows[i - 1];
		if (row->n.answered + row->n.late > 0)
			break;
		sent += row->n.sent;
		length += row->n.sent > 0 ? row->length : 0;
	}
	if (i == 0 || length < CLOCK_NS_PER_SEC ||
	    (double)sent * (double)n->answered < SILENT_LEAST * (double)n->sent)
		return;
	add(&r->warnings,
	    "nothing was answered for the last %.1f s, to %" PRIu64
	    " queries; has the server ended or stopped?",
	    clock_to_seconds(length), sent);
}

static bool
is_owed_much(uint64_t later, double all)
{
	return later >= OWED_LEAST && (double)later >= OWED * all;
}

/* As many as came while it queried are the server's rate; the others it owed. */
static void
warn_of_late_rate(struct report *r)
{
	uint64_t later = report_answered_later(r),
		 all = r->total.stats.n.answered;

	if (!is_owed_much(later, (double)all))
		return;
	add(&r->warnings,
	    "%" PRIu64 " of %" PRIu64
	    " answers came when querying was over, and "
	    "count in answered/s: where response times grow, the server holds "
	    "less (see the rows of --series)",
	    later, all);
}

/* The same of a search. */
static void
warn_of_load(struct report *r)
{
	const struct search_step *best = search_best(r->config.search);

	if (best == NULL ||
	    !is_owed_much(
		best->answered_later, best->answered_qps * best->seconds))
		return;
	add(&r->warnings,
	    "%" PRIu64 " of %.0f answers of the load that held came when "
	    "querying was over, and count in answered/s: where response times "
	    "grow, the server holds less; longer steps (-t), or a condition on "
	    "a percentile (--until)",
	    best->answered_later, best->answered_qps * best->seconds);
}

/* A search whose conditions are all on percentiles does not see what is missing. */
static void
warn_of_unanswered_load(struct report *r)
{
	const struct search_config *config = search_config(r->config.search);
	const struct search_step *best = search_best(r->config.search);
	size_t i;

	for (i = 0; i < config->until_count; i++)
		if (condition_samples(&config->until[i]) == 0)
			return;
	if (best == NULL || best->sent_qps <= 0 ||
	    best->answered_qps >= ANSWERED_ENOUGH * best->sent_qps)
		return;
	add(&r->warnings,
	    "percentiles of the load that held are of the %.1f %% of queries "
	    "sent that were answered: a limit on them needs a condition on "
	    "answered or timed_out beside it (--until)",
	    100 * best->answered_qps / best->sent_qps);
}

/* Response times are of answers only: those that are missing took longest. */
static void
warn_of_unanswered(struct report *r)
{
	const struct stats_counters *n = &r->total.stats.n;

	if (n->answered == 0 && n->late > 0)
		add(&r->warnings,
		    "no query was answered within --timeout, but %" PRIu64
		    " answers came later: a longer --timeout measures them",
		    n->late);
	else if (n->answered == 0 && n->sent > 0 && n->verified > 0)
		add(&r->warnings,
		    "no query was answered: timed out %" PRIu64
		    ", lost %" PRIu64 ", %" PRIu64
		    " of these as --drain was over",
		    n->timed_out, stats_lost(n), n->lost_drain_over);
	if (r->config.search != NULL) {
		warn_of_unanswered_load(r);
		warn_of_load(r);
		return;
	}
	warn_of_silent_end(r);
	warn_of_late_rate(r);
	if (n->answered == 0 ||
	    (double)n->answered >= ANSWERED_ENOUGH * (double)n->sent)
		return;
	add(&r->warnings,
	    "percentiles are of the %.1f %% of queries sent that were answered "
	    "(timed out %" PRIu64 ", lost %" PRIu64
	    "): a limit on them needs a condition on answered or timed_out "
	    "beside it",
	    100.0 * (double)n->answered / (double)n->sent, n->timed_out,
	    stats_lost(n));
}

/*
 * Whether a condition on the response time holds, and does not on the service time:
 * what is between them, from due to sent, is this program's doing.
 */
static bool
holds_by_lateness(
    const struct condition *c, const struct condition_source *source)
{
	char measured[CONDITION_TEXT];
	struct condition service;

	return condition_has_value(c, source) &&
	    condition_on_service(c, &service) &&
	    !condition_holds(&service, source, measured);
}

static void
judge_conditions(struct report *r)
{
	struct condition_source source = {
	    .stats = &r->total.stats,
	    .seconds = clock_to_seconds(report_duration(r)),
	    .target_qps = r->config.query_rate,
	    .asked = r->config.connections,
	};
	const struct condition *c, *by_lateness = NULL;
	char measured[CONDITION_TEXT];
	bool by_itself = false;
	size_t i;

	for (i = 0; i < r->config.fail_count; i++) {
		c = &r->config.fail[i];
		if (!condition_holds(c, &source, measured))
			continue;
		add(&r->failed, "%s: %s", condition_text(c), measured);
		if (holds_by_lateness(c, &source))
			by_lateness = c;
		else
			by_itself = true;
	}
	if (r->reasons.count == 0 && by_lateness != NULL && !by_itself)
		add(&r->reasons,
		    "%s holds only because queries left late: it does not hold "
		    "of the service time; run it again",
		    condition_text(by_lateness));
}

/*
 * In a step that does not hold, a server may well leave whole connections without
 * an answer in time. In one that held, or where none did, that is something else.
 */
static bool
never_answered(const struct report *r)
{
	const struct search *s = r->config.search;
	const struct search_step *step;
	size_t i;

	for (i = 0; i < search_steps(s); i++) {
		step = search_step(s, i);
		if (step->stop == SEARCH_HELD && step->never_answered > 0)
			return true;
	}
	return search_best(s) == NULL;
}

void
report_judge(struct report *r)
{
	if (r->end.workers_died > 0)
		add(&r->reasons,
		    "%u worker%s died; look at the message%s on standard error",
		    r->end.workers_died, r->end.workers_died == 1 ? "" : "s",
		    r->end.workers_died == 1 ? "" : "s");
	/* a search for connections goes on until some are no good */
	if (r->config.search == NULL ||
	    search_config(r->config.search)->what == SEARCH_RATE) {
		report_judge_wrong_answers(r);
		judge_connections(r);
		if (r->config.search == NULL || never_answered(r))
			report_judge_suspects(r);
		report_life_judge(r);
	}
	if (r->config.search != NULL)
		judge_search(r);
	else
		judge_queries(r);
	judge_conditions(r);
	warn_of_unanswered(r);
	warn_of_strays(r);
	warn(r);
}

enum status
report_status(const struct report *r)
{
	if (r->reasons.count > 0)
		return STATUS_NOT_AS_ASKED;
	return r->failed.count > 0 ? STATUS_CONDITION_HOLDS : STATUS_AS_ASKED;
}
