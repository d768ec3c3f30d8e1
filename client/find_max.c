#include <err.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/number.h"
#include "client/find_max.h"

struct find_max {
	struct search *search;
	enum diagnosis_view view;
	struct open_asked open;
	bool opening;
	const struct sockdiag_drops *drops; /* as of now; the caller's */
	uint64_t dropped; /* when the step began */
	struct netstat kernel; /* when the step began */
	uint64_t began; /* query_begin as the step began: of an earlier one */
	uint64_t renewed; /* as of the end of the step before */
	uint64_t given_up;
	struct search_step next; /* what is known of it at its begin */
	struct stats before;
	struct stats change;
};

struct find_max *
find_max_new(struct search *search, enum diagnosis_view view,
    const struct open_asked *open, bool opening,
    const struct sockdiag_drops *drops)
{
	struct find_max *f = calloc(1, sizeof(*f));

	if (f == NULL)
		err(1, "no memory for the search");
	f->search = search;
	f->view = view;
	f->open = *open;
	f->opening = opening;
	f->drops = drops;
	return f;
}

void
find_max_free(struct find_max *f)
{
	free(f);
}

void
find_max_begin(struct find_max *f, const struct generator_result *sum)
{
	netstat_read(&f->kernel, "/proc");
	f->dropped = f->drops->count;
	f->before = sum->stats;
	f->began = sum->query_begin;
	f->next.renewed = sum->renewed - f->renewed;
	f->next.unsettled = sum->given_up > f->given_up;
	f->renewed = sum->renewed;
	f->given_up = sum->given_up;
}

/* Of querying; 0 if it did not come to that. */
static double
step_seconds(const struct find_max *f, const struct generator_result *sum)
{
	return sum->query_begin != f->began &&
		sum->query_end > sum->query_begin ?
	    clock_to_seconds(sum->query_end - sum->query_begin) :
	    0;
}

/* Before any was closed because an answer had not come. */
static uint64_t
open_at_end(const struct find_max *f, const struct generator_result *sum)
{
	return stats_open(&sum->stats) + sum->renewed - f->renewed;
}

static uint64_t
answered_later(const struct find_max *f, const struct generator_result *sum)
{
	uint64_t all = sum->stats.n.answered;

	return step_seconds(f, sum) > 0 && all > sum->answered_by_end ?
	    all - sum->answered_by_end :
	    0;
}

static void
measure(const struct find_max *f, const struct generator_result *sum,
    const struct health_usage *usage, struct search_step *step)
{
	const struct stats *change = &f->change;
	double seconds = step_seconds(f, sum);
	uint64_t before = stats_suspects(&f->before.n),
		 after = stats_suspects(&sum->stats.n);

	step->seconds = seconds > 0 ? seconds : (double)NAN;
	step->sent_qps = number_rate(change->n.sent, seconds);
	step->answered_qps = number_rate(change->n.answered, seconds);
	step->answered_later = answered_later(f, sum);
	step->open = open_at_end(f, sum);
	step->response_p50_ns = histogram_quantile(&change->response, 0.5);
	step->response_p99_ns = histogram_quantile(&change->response, 0.99);
	step->lateness_p99_ns = histogram_quantile(&change->lateness, 0.99);
	step->busy = usage->ran;
	step->renewed = f->next.renewed;
	step->unsettled = f->next.unsettled;
	step->never_answered = after > before ? after - before : 0;
}

/* Why no connection is there any more, by what was counted in the step. */
static void
say_cut(const struct find_max *f, const struct generator_result *sum,
    struct search_step *step)
{
	const struct stats_counters *n = &f->change.n;
	uint64_t by_peer = n->closed_by_peer + n->reset_by_peer;

	if (sum->stats.n.opened == 0)
		snprintf(step->why, SEARCH_WHY, "no connection was opened");
	else if (n->closed_by_error == 0 && n->failed == 0)
		snprintf(step->why, SEARCH_WHY,
		    "no connection was left: the other side closed them all");
	else
		snprintf(step->why, SEARCH_WHY,
		    "no connection was left: the other side closed %" PRIu64
		    ", %" PRIu64 " ended by an error and %" PRIu64
		    " could not be opened",
		    by_peer, n->closed_by_error, n->failed);
}

/* What was asked of the step and is not so. */
static bool
is_short(const struct find_max *f, const struct generator_result *sum, bool cut,
    struct search_step *step)
{
	const struct stats_counters *n = &f->change.n;

	if (cut)
		say_cut(f, sum, step);
	else if (search_config(f->search)->what != SEARCH_CONNECTIONS)
		return false;
	else if (n->probe_answered < n->probe_sent)
		snprintf(step->why, SEARCH_WHY,
		    "%" PRIu64 " of %" PRIu64
		    " new connections did not answer a query",
		    n->probe_sent - n->probe_answered, n->probe_sent);
	else if (step->open < step->load.connections)
		snprintf(step->why, SEARCH_WHY,
		    "%" PRIu64 " of %" PRIu64 " connections are open",
		    step->open, step->load.connections);
	else
		return false;
	return true;
}

static struct condition_source
source_of(const struct find_max *f, const struct generator_result *sum,
    const struct search_step *step)
{
	return (struct condition_source){
	    .stats = &f->change,
	    .seconds = step_seconds(f, sum),
	    .target_qps = step->load.rate,
	    .asked = step->load.connections,
	};
}

/*
 * A step that opened no connection says nothing about opening. Any other value
 * that is missing is one that the server did not give.
 */
static bool
can_judge(const struct condition *c, const struct condition_source *source)
{
	return condition_need(c) != CONDITION_NEEDS_CONNECTS ||
	    condition_has_value(c, source);
}

/* The first condition that is met; NULL if none is. */
static const struct condition *
met(const struct find_max *f, const struct generator_result *sum,
    struct search_step *step)
{
	const struct search_config *config = search_config(f->search);
	struct condition_source source = source_of(f, sum, step);
	char measured[CONDITION_TEXT];
	size_t i;

	for (i = 0; i < config->until_count; i++)
		if (can_judge(&config->until[i], &source) &&
		    condition_holds(&config->until[i], &source, measured)) {
			snprintf(step->why, SEARCH_WHY, "%s: %s",
			    condition_text(&config->until[i]), measured);
			return &config->until[i];
		}
	return NULL;
}

/*
 * Whether a condition is met by this side's doing: a response time that is over
 * it only because queries left late, or a worker that had no time left. late: what
 * there is to say of queries that left late, NULL if they did not; unread: of
 * answers that waited to be read, which is part of every response time; the server
 * is the cause where it would be over the condition without that part.
 */
static bool
is_own_doing(const struct find_max *f, const struct generator_result *sum,
    const struct health_usage *usage, const char *late, const char *unread,
    const struct condition *met, struct search_step *step)
{
	struct condition_source source = source_of(f, sum, step);
	char measured[CONDITION_TEXT];
	size_t used = strlen(step->why);
	struct condition service;

	if (condition_is_on_lateness(met))
		return true;
	if (unread != NULL &&
	    !condition_holds_without_read_delay(met, &source)) {
		snprintf(
		    step->why + used, SEARCH_WHY - used, ", but %s", unread);
		return true;
	}
	if (late != NULL && usage->ran + usage->waited > HEALTH_BUSY) {
		snprintf(step->why + used, SEARCH_WHY - used, ", but %s", late);
		return true;
	}
	if (!condition_on_service(met, &service) ||
	    condition_holds(&service, &source, measured))
		return false;
	snprintf(step->why + used, SEARCH_WHY - used,
	    ", but of the service time it is not: queries left late");
	return true;
}

/* The first limit of this host's kernel that counted; NULL if there is none. */
static const struct diagnosis_finding *
first_of_kernel(const struct diagnosis_finding *list, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (list[i].of_kernel)
			return &list[i];
	return NULL;
}

/*
 * Whether one counted in the step. The queues of the server's listening socket are the
 * server's, wherever it runs.
 */
static bool
meets_kernel(const struct find_max *f, struct search_step *step)
{
	struct diagnosis_finding findings[DIAGNOSIS_MOST];
	const struct diagnosis_finding *first;
	struct netstat delta;
	struct gauges gauges;
	struct sockdiag_drops drops = *f->drops;
	struct diagnosis_source source = {
	    .view = f->view,
	    .delta = &delta,
	    .gauges = &gauges,
	    .by_errno = f->change.n.failed_errno,
	    .errnos = STATS_ERRNOS,
	    .drops = &drops,
	};
	size_t used = strlen(step->why);

	drops.count -= f->dropped;
	netstat_read(&delta, "/proc");
	netstat_subtract(&delta, &f->kernel);
	gauges_read(&gauges, "/proc");
	first = first_of_kernel(findings, diagnosis_find(&source, findings));
	if (first == NULL)
		return false;
	snprintf(step->why + used, SEARCH_WHY - used, " (%s: %s)", first->limit,
	    first->symptom);
	return !first->of_listener;
}

/* What was answered in no way was not held, whatever the conditions are on. */
static bool
is_unanswered(const struct find_max *f, struct search_step *step)
{
	const struct stats_counters *n = &f->change.n;

	if (n->sent == 0 || n->answered > 0)
		return false;
	snprintf(step->why, SEARCH_WHY,
	    "no query was answered: %" PRIu64 " timed out, %" PRIu64
	    " were lost",
	    n->timed_out, stats_lost(n));
	return true;
}

/* Nobody can be blamed for what was not asked. */
static bool
nothing_was_due(const struct find_max *f, const struct condition *met,
    struct search_step *step)
{
	size_t used = strlen(step->why);

	if (condition_need(met) != CONDITION_NEEDS_QUERIES ||
	    f->change.n.scheduled > 0)
		return false;
	snprintf(step->why + used, SEARCH_WHY - used,
	    ", for no query was due in the step; longer steps (-t)");
	return true;
}

/* Most of what was not sent was not because its connection had no ID left. */
static bool
ran_out_of_ids(const struct find_max *f, struct search_step *step)
{
	const struct stats_counters *n = &f->change.n;

	if (n->scheduled == 0 ||
	    2 * n->skipped_ids_exhausted <= stats_skipped(n))
		return false;
	snprintf(step->why, SEARCH_WHY,
	    "sent %.2f %% of the schedule, %" PRIu64 " queries skipped: all "
	    "65,536 IDs of their connections waited for answers, %" PRIu64
	    " queries timed out; more connections (-c)",
	    100.0 * (double)n->sent / (double)n->scheduled, stats_skipped(n),
	    n->timed_out);
	return true;
}

/*
 * Whether connections were not opened or replaced at the rate that was asked, as in
 * any run. *own: by this program's doing.
 */
static bool
opens_short(const struct find_max *f, const struct generator_result *sum,
    bool *own, struct search_step *step)
{
	uint64_t most_late = search_config(f->search)->max_lateness;
	char why[OPEN_HEALTH_TEXT];

	if (open_health_is_short(&f->change, &f->open, why))
		*own = open_health_is_own_doing(&f->change, &f->open);
	else if (f->opening && open_health_is_late(&f->change, most_late, why))
		*own = true;
	else if (!open_health_churn_is_short(
		     &f->change, step_seconds(f, sum), own, why))
		return false;
	snprintf(step->why, SEARCH_WHY, "%s", why);
	return true;
}

/*
 * A step that was sent late has held all the same, if no condition is met: times
 * count from when a query was due.
 */
static enum search_stop
judge(const struct find_max *f, const struct generator_result *sum,
    const struct health_usage *usage, bool cut, struct search_step *step)
{
	const struct condition *condition;
	struct health_reasons sickness;
	bool own = false;
	enum health health = health_check(&f->change, usage,
	    search_config(f->search)->max_lateness, &sickness);

	if (health == HEALTH_OVERLOADED || health == HEALTH_PEER)
		snprintf(step->why, SEARCH_WHY, "%s", sickness.at[0]);
	if (health == HEALTH_OVERLOADED)
		return SEARCH_BY_CLIENT;
	if (health == HEALTH_PEER && ran_out_of_ids(f, step))
		return SEARCH_BY_IDS;
	if (health != HEALTH_PEER && !is_short(f, sum, cut, step) &&
	    !opens_short(f, sum, &own, step)) {
		condition = met(f, sum, step);
		if (condition == NULL && !is_unanswered(f, step))
			return SEARCH_HELD;
		if (condition != NULL &&
		    (nothing_was_due(f, condition, step) ||
			is_own_doing(f, sum, usage, sickness.late,
			    sickness.unread, condition, step)))
			return SEARCH_BY_CLIENT;
	}
	if (own)
		return SEARCH_BY_CLIENT;
	return meets_kernel(f, step) ? SEARCH_BY_KERNEL : SEARCH_BY_SERVER;
}

void
find_max_end(struct find_max *f, const struct generator_result *sum,
    const struct health_usage *usage, bool cut)
{
	struct search_step step = {.stop = SEARCH_HELD};

	if (!search_next(f->search, &step.load))
		return;
	f->change = sum->stats;
	stats_subtract(&f->change, &f->before);
	measure(f, sum, usage, &step);
	step.stop = judge(f, sum, usage, cut, &step);
	search_note(f->search, &step);
}
