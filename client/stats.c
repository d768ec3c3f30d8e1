#include <errno.h>
#include <stddef.h>

#include "client/stats.h"
#include "lib/accounts.h"

#define COUNTERS (sizeof(struct stats_counters) / sizeof(uint64_t))

#define PLUS_SUSPECT(name) +n->suspect_##name
#define PLUS_SKIPPED(name) +n->skipped_##name
#define PLUS_LOST(name)	   +n->lost_##name

void
stats_merge(struct stats *into, const struct stats *from)
{
	uint64_t *to = (uint64_t *)&into->n;
	const uint64_t *add = (const uint64_t *)&from->n;
	size_t i;

	for (i = 0; i < COUNTERS; i++)
		to[i] += add[i];
	first_bytes_merge(&into->first_bytes, &from->first_bytes);
#define MERGE(name) histogram_merge(&into->name, &from->name);
	STATS_HISTOGRAMS(MERGE)
#undef MERGE
	tally_merge(&into->tally, &from->tally);
}

void
stats_subtract(struct stats *later, const struct stats *earlier)
{
	uint64_t *from = (uint64_t *)&later->n;
	const uint64_t *take = (const uint64_t *)&earlier->n;
	size_t i;

	for (i = 0; i < COUNTERS; i++)
		from[i] -= take[i];
#define SUBTRACT(name) histogram_subtract(&later->name, &earlier->name);
	STATS_HISTOGRAMS(SUBTRACT)
#undef SUBTRACT
}

uint64_t
stats_suspects(const struct stats_counters *n)
{
	return 0 STATS_SUSPECTS(PLUS_SUSPECT);
}

uint64_t
stats_wrong_bytes(const struct stats_counters *n)
{
	return n->wrong_answer > n->evidence_cut_off ?
	    n->wrong_answer - n->evidence_cut_off :
	    0;
}

uint64_t
stats_skipped(const struct stats_counters *n)
{
	return 0 STATS_SKIPPED(PLUS_SKIPPED);
}

uint64_t
stats_lost(const struct stats_counters *n)
{
	return 0 STATS_LOST(PLUS_LOST);
}

uint64_t
stats_in_flight(const struct stats *s)
{
	return s->n.sent - s->n.answered - s->n.timed_out - stats_lost(&s->n);
}

uint64_t
stats_probes_in_flight(const struct stats *s)
{
	return s->n.probe_sent - s->n.probe_answered - s->n.probe_timed_out -
	    s->n.probe_lost;
}

uint64_t
stats_warmup_in_flight(const struct stats *s)
{
	return s->n.warmup_sent - s->n.warmup_answered - s->n.warmup_timed_out -
	    s->n.warmup_lost;
}

uint64_t
stats_waiting(const struct stats *s)
{
	return stats_in_flight(s) + stats_probes_in_flight(s) +
	    stats_warmup_in_flight(s);
}

uint64_t
stats_pending(const struct stats *s)
{
	return s->n.attempted - s->n.opened - s->n.failed - s->n.abandoned;
}

static uint64_t
closed(const struct stats *s)
{
	return s->n.closed_by_peer + s->n.reset_by_peer + s->n.closed_by_error +
	    s->n.closed_locally + s->n.closed_churned + s->n.closed_used_up +
	    s->n.closed_on_timeout + s->n.closed_on_request +
	    s->n.closed_worker_died;
}

uint64_t
stats_open(const struct stats *s)
{
	return s->n.opened - closed(s);
}

void
stats_count_failure(struct stats *s, int error)
{
	s->n.failed++;
	s->n.failed_errno[error > 0 && error < STATS_ERRNOS ? error : 0]++;
}

void
stats_count_end(struct stats *s, int error)
{
	s->n.closed_errno[error > 0 && error < STATS_ERRNOS ? error : 0]++;
}

static const int given_up[] = {ETIMEDOUT, EHOSTUNREACH, ENETUNREACH};

#define GIVEN_UP (sizeof(given_up) / sizeof(given_up[0]))

bool
stats_is_given_up(int error)
{
	size_t i;

	for (i = 0; i < GIVEN_UP; i++)
		if (error == given_up[i])
			return true;
	return false;
}

uint64_t
stats_given_up(const struct stats_counters *n)
{
	uint64_t count = 0;
	size_t i;

	for (i = 0; i < GIVEN_UP; i++)
		count += n->closed_errno[given_up[i]];
	return count;
}

static uint64_t
sum(const uint64_t *values, size_t count)
{
	uint64_t total = 0;
	size_t i;

	for (i = 0; i < count; i++)
		total += values[i];
	return total;
}

static uint64_t
answered_by_kind(const struct stats *s)
{
	return s->n.echoed + sum(s->n.rcode, DNS_RCODES);
}

static uint64_t
replies_by_kind(const struct stats_counters *n)
{
	return n->answered + n->probe_answered + n->warmup_answered + n->late +
	    n->unmatched + n->malformed;
}

void
stats_bury(struct stats *s)
{
	struct stats_counters *n = &s->n;

	n->buried++;
	n->sent = histogram_count(&s->lateness);
	n->answered = histogram_count(&s->response);
	n->echoed += n->answered - answered_by_kind(s);
	n->replies = replies_by_kind(n);
	n->opened = histogram_count(&s->connect);
	n->paced = histogram_count(&s->open_lateness) - n->churn_begun;
	n->unverified =
	    n->opened - n->verified - n->wrong_answer - stats_suspects(n);
	n->bytes_of_no_answer = n->bytes_received - n->bytes_of_answers;
	n->failed = sum(n->failed_errno, STATS_ERRNOS);
	n->closed_by_error = sum(n->closed_errno, STATS_ERRNOS);
	n->closed_used_up = histogram_count(&s->lifetime) - n->closed_churned;
	n->lost_worker_died += stats_in_flight(s);
	n->probe_lost += stats_probes_in_flight(s);
	n->warmup_lost += stats_warmup_in_flight(s);
	n->warmup_skipped +=
	    n->warmup_scheduled - n->warmup_sent - n->warmup_skipped;
	n->abandoned += stats_pending(s);
	n->closed_worker_died += stats_open(s);
	n->skipped_worker_died += n->scheduled - n->sent - stats_skipped(n);
}

static unsigned int
check_queries(const struct stats *s, FILE *out)
{
	const struct stats_counters *n = &s->n;

	return accounts_check(out, "scheduled", n->scheduled, "sent + skipped",
		   n->sent + stats_skipped(n)) +
	    accounts_check(out, "sent", n->sent, "answered + timed_out + lost",
		n->answered + n->timed_out + stats_lost(n)) +
	    accounts_check(out, "answered", n->answered,
		"echoed + response codes", answered_by_kind(s)) +
	    accounts_check(out, "probes sent", n->probe_sent,
		"answered + timed_out + lost",
		n->probe_answered + n->probe_timed_out + n->probe_lost) +
	    accounts_check(out, "warm-up scheduled", n->warmup_scheduled,
		"sent + skipped", n->warmup_sent + n->warmup_skipped) +
	    accounts_check(out, "warm-up sent", n->warmup_sent,
		"answered + timed_out + lost",
		n->warmup_answered + n->warmup_timed_out + n->warmup_lost) +
	    accounts_check(out, "replies", n->replies,
		"answered (also probes, warm-up) + late + unmatched + "
		"malformed",
		replies_by_kind(n)) +
	    accounts_check(out, "bytes received", n->bytes_received,
		"of answers + of no answer",
		n->bytes_of_answers + n->bytes_of_no_answer);
}

static unsigned int
check_connections(const struct stats *s, FILE *out)
{
	const struct stats_counters *n = &s->n;

	return accounts_check(out, "attempted", n->attempted,
		   "opened + failed + abandoned",
		   n->opened + n->failed + n->abandoned) +
	    accounts_check(out, "failed", n->failed, "failures by errno",
		sum(n->failed_errno, STATS_ERRNOS)) +
	    accounts_check(out, "closed_by_error", n->closed_by_error,
		"ends by errno", sum(n->closed_errno, STATS_ERRNOS)) +
	    accounts_check(out, "opened", n->opened,
		"verified + suspect + wrong answer + unverified",
		n->verified + stats_suspects(n) + n->wrong_answer +
		    n->unverified) +
	    accounts_check(
		out, "opened", n->opened, "closed, in every way", closed(s));
}

static unsigned int
check_histograms(const struct stats *s, FILE *out)
{
	const struct stats_counters *n = &s->n;
	uint64_t service = histogram_count(&s->service),
		 delayed = histogram_count(&s->read_delay);
	unsigned int broken = 0;

	broken += accounts_check(out, "response.count",
	    histogram_count(&s->response), "answered", n->answered);
	/* a worker that died may have booked its last answer's response only */
	if (service > n->answered || service + n->buried < n->answered)
		broken += accounts_check(
		    out, "service.count", service, "answered", n->answered);
	/* booked once for all answers of a read, after them */
	if (delayed > n->answered || (n->buried == 0 && delayed < n->answered))
		broken += accounts_check(
		    out, "read_delay.count", delayed, "answered", n->answered);
	broken += accounts_check(out, "lateness.count",
	    histogram_count(&s->lateness), "sent", n->sent);
	broken += accounts_check(out, "connect.count",
	    histogram_count(&s->connect), "opened", n->opened);
	broken += accounts_check(out, "open_lateness.count",
	    histogram_count(&s->open_lateness), "paced + churn_begun",
	    n->paced + n->churn_begun);
	broken += accounts_check(out, "lifetime.count",
	    histogram_count(&s->lifetime), "closed_churned + closed_used_up",
	    n->closed_churned + n->closed_used_up);
	return broken;
}

unsigned int
stats_check(const struct stats *s, FILE *out)
{
	return check_queries(s, out) + check_connections(s, out) +
	    check_histograms(s, out);
}
