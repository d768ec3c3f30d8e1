/*
 * The summary, for people.
 */
#include <inttypes.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/findings.h"
#include "lib/number.h"
#include "lib/version.h"
#include "client/report_internal.h"
#include "client/self_connect.h"

#define LOAD_TEXT 120

struct named_count {
	const char *name;
	uint64_t count;
};

/* "sep name count" for each that is not zero. */
static void
print_nonzero(FILE *out, const char *open, const struct named_count *list,
    size_t length, const char *close)
{
	const char *separator = open;
	size_t i;

	for (i = 0; i < length; i++) {
		if (list[i].count == 0)
			continue;
		fprintf(out, "%s%s %" PRIu64, separator, list[i].name,
		    list[i].count);
		separator = ", ";
	}
	if (separator != open)
		fputs(close, out);
}

#define NAMED_SUSPECT(name) {#name, n->suspect_##name},
#define NAMED_SKIPPED(name) {#name, n->skipped_##name},
#define NAMED_LOST(name)    {#name, n->lost_##name},
#define LENGTH(array)	    (sizeof(array) / sizeof((array)[0]))

/* A program is printed with its warm-up; other durations are without. */
static void
print_warmup(const struct report_config *c, bool in_program, FILE *out)
{
	if (c->warmup == REPORT_DIFFERS)
		fprintf(out, " after warm-ups of different lengths");
	else
		fprintf(out,
		    in_program ? ", the first %g s warm-up" :
				 " after %g s of warm-up",
		    clock_to_seconds(c->warmup));
}

/* "1000 queries/s for 10 s", or the program where it changes. */
static void
print_load(const struct report_config *c, FILE *out)
{
	bool changes =
	    c->program != NULL && c->program->count > (c->warmup > 0 ? 2U : 1U);
	char text[LOAD_TEXT];

	if (changes && c->controlled)
		fprintf(out, "%zu rates in turn (--control)",
		    c->program->count - (c->warmup > 0 ? 1 : 0));
	else if (changes) {
		program_format(c->program, text, sizeof(text));
		fprintf(out, "%s queries/s", text);
	} else if (c->duration == CLOCK_NEVER)
		fprintf(out, "%s queries/s until stopped",
		    number_text_short(c->query_rate).text);
	else
		fprintf(out, "%s queries/s for %g s",
		    number_text_short(c->query_rate).text,
		    clock_to_seconds(c->duration));
	if (c->warmup > 0)
		print_warmup(c, changes, out);
}

static void
print_head(const struct report *r, FILE *out)
{
	fprintf(out, "tcpclient %s: %s, %" PRIu32 " connections, ",
	    TCPSCALER_VERSION, r->config.target, r->config.connections);
	if (r->config.search == NULL)
		print_load(&r->config, out);
	else
		fprintf(out, "in search of the most");
	if (r->config.workers > 1)
		fprintf(out, ", %u workers", r->config.workers);
	if (r->runs.count > 1)
		fprintf(out, ", %" PRIu64 " runs", r->runs.count);
	fprintf(out, "\n\n");
}

static const char *
explain(int error)
{
	return error == SELF_CONNECT_ERRNO ? "connected to itself" :
					     strerror(error);
}

static void
print_errnos(FILE *out, const char *what, const uint64_t count[STATS_ERRNOS])
{
	int e;

	for (e = 0; e < STATS_ERRNOS; e++)
		if (count[e] > 0)
			fprintf(out, "             %s %s (%s): %" PRIu64 "\n",
			    what, e == 0 ? "?" : strerrorname_np(e), explain(e),
			    count[e]);
}

static void
print_connections(const struct report *r, FILE *out)
{
	const struct stats_counters *n = &r->total.stats.n;
	const struct named_count suspects[] = {STATS_SUSPECTS(NAMED_SUSPECT)};
	double seconds = report_seconds(r->total.open_begin, r->total.open_end);
	bool more = n->reopened > 0 || n->opened > r->config.connections;

	fprintf(out, "connections  asked %" PRIu32 ", opened %" PRIu64,
	    r->config.connections, n->opened);
	/* merged runs may not overlap: from the first to the last says nothing */
	if (r->runs.count <= 1)
		fprintf(out, "%s in %s s", more ? ", the first ones" : "",
		    number_text(seconds, 3).text);
	if (r->runs.count <= 1 && seconds > 0 && !more)
		fprintf(out, " (%.0f/s)", (double)n->opened / seconds);
	fprintf(out,
	    ", failed %" PRIu64 ", abandoned %" PRIu64 "\n"
	    "             verified %" PRIu64 ", suspect %" PRIu64,
	    n->failed, n->abandoned, n->verified, stats_suspects(n));
	print_nonzero(out, " (", suspects, LENGTH(suspects), ")");
	if (n->wrong_answer > 0)
		fprintf(out, ", wrong answer %" PRIu64, n->wrong_answer);
	fprintf(out, ", unverified %" PRIu64 "\n", n->unverified);
	if (r->config.probe)
		fprintf(out,
		    "             probes sent %" PRIu64 ", answered %" PRIu64
		    ", timed out %" PRIu64 ", lost %" PRIu64 "\n",
		    n->probe_sent, n->probe_answered, n->probe_timed_out,
		    n->probe_lost);
	print_errnos(out, "failed with", n->failed_errno);
	fprintf(out,
	    "             closed by peer %" PRIu64 ", reset by peer %" PRIu64
	    ", by error %" PRIu64 ", locally %" PRIu64,
	    n->closed_by_peer, n->reset_by_peer, n->closed_by_error,
	    n->closed_locally);
	if (n->closed_locally > 0 && r->runs.count <= 1)
		fprintf(out, " in %s s",
		    number_text(report_seconds(
				    r->total.close_begin, r->total.close_end),
			3)
			.text);
	if (n->closed_worker_died > 0)
		fprintf(out, ", worker died %" PRIu64, n->closed_worker_died);
	fprintf(out, "\n");
	print_errnos(out, "ended by", n->closed_errno);
	report_life_print(r, out);
}

static void
print_queries(const struct report *r, FILE *out)
{
	const struct stats_counters *n = &r->total.stats.n;
	const struct named_count skipped[] = {STATS_SKIPPED(NAMED_SKIPPED)};
	const struct named_count lost[] = {STATS_LOST(NAMED_LOST)};

	fprintf(out,
	    "queries      scheduled %" PRIu64 ", sent %" PRIu64
	    ", skipped %" PRIu64,
	    n->scheduled, n->sent, stats_skipped(n));
	print_nonzero(out, " (", skipped, LENGTH(skipped), ")");
	fprintf(out,
	    "\n             answered %" PRIu64 ", timed out %" PRIu64
	    ", lost %" PRIu64,
	    n->answered, n->timed_out, stats_lost(n));
	print_nonzero(out, " (", lost, LENGTH(lost), ")");
	fprintf(out, "\n");
	if (n->send_blocked > 0)
		fprintf(out,
		    "             %" PRIu64 " sent had to wait for room in the "
		    "socket buffer\n",
		    n->send_blocked);
	if (n->warmup_scheduled > 0)
		fprintf(out,
		    "warm-up      scheduled %" PRIu64 ", sent %" PRIu64
		    ", skipped %" PRIu64 ", answered %" PRIu64
		    ", timed out %" PRIu64 ", lost %" PRIu64 "\n",
		    n->warmup_scheduled, n->warmup_sent, n->warmup_skipped,
		    n->warmup_answered, n->warmup_timed_out, n->warmup_lost);
}

static void
print_replies(const struct report *r, FILE *out)
{
	const struct stats_counters *n = &r->total.stats.n;
	struct named_count kinds[3 + DNS_RCODES] = {
	    {"to probes", n->probe_answered},
	    {"to the warm-up", n->warmup_answered}, {"echoed", n->echoed}};
	unsigned int i;

	for (i = 0; i < DNS_RCODES; i++) {
		kinds[3 + i].name = dns_rcode_name(i);
		kinds[3 + i].count = n->rcode[i];
	}
	fprintf(out, "replies      received %" PRIu64, n->replies);
	print_nonzero(out, ": ", kinds, LENGTH(kinds), "");
	fprintf(out,
	    ", late %" PRIu64 ", unmatched %" PRIu64 ", malformed %" PRIu64
	    "\n",
	    n->late, n->unmatched, n->malformed);
}

static void
print_rates(const struct report *r, FILE *out)
{
	const struct stats_counters *n = &r->total.stats.n;

	fprintf(out,
	    "queries/s    asked %s, sent %s, answered %s, over %.3f s\n\n",
	    number_text_short(r->config.query_rate).text,
	    number_text(report_rate(r, n->sent), 1).text,
	    number_text(report_rate(r, n->answered), 1).text,
	    clock_to_seconds(report_duration(r)));
}

static void
print_ms(uint64_t ns, FILE *out)
{
	fprintf(out, " %10s", number_text(number_ms(ns), 3).text);
}

static void
print_times(const struct report *r, FILE *out)
{
	static const double quantiles[] = {0.5, 0.9, 0.99, 0.999};
	const struct stats *s = &r->total.stats;
	const struct {
		const char *name;
		const struct histogram *h;
		const char *meaning;
	} rows[] = {
	    {"response", &s->response, "due to answered"},
	    {"service", &s->service, "sent to answered"},
	    {"lateness", &s->lateness, "due to sent: this program's own"},
	    {"read delay", &s->read_delay,
		"of answers in the socket, at most: this program's own"},
	    {"opening late", &s->open_lateness,
		"due (-n, --churn) to begun: this program's own"},
	    {"connect", &s->connect, "handshake"},
	    {"lifetime", &s->lifetime, "opening to closing, of the replaced"},
	};
	size_t i, q;

	fprintf(out, "%-12s %10s %10s %10s %10s %10s\n", "ms", "p50", "p90",
	    "p99", "p99.9", "max");
	for (i = 0; i < LENGTH(rows); i++) {
		if ((rows[i].h == &s->lifetime ||
			rows[i].h == &s->open_lateness) &&
		    histogram_count(rows[i].h) == 0)
			continue;
		fprintf(out, "%-12s", rows[i].name);
		for (q = 0; q < LENGTH(quantiles); q++)
			print_ms(
			    histogram_quantile(rows[i].h, quantiles[q]), out);
		print_ms(histogram_max(rows[i].h), out);
		fprintf(out, "   %s\n", rows[i].meaning);
	}
}

static void
print_lines(const struct report_lines *lines, const char *head, FILE *out)
{
	size_t i;

	if (lines->count > 0)
		fprintf(out, "\n%s\n", head);
	for (i = 0; i < lines->count; i++)
		fprintf(out, "  %s\n", lines->at[i]);
}

static void
print_verdict(const struct report *r, FILE *out)
{
	findings_print_all(r->findings, r->finding_count, out);
	if (report_status(r) == STATUS_AS_ASKED)
		fprintf(out, "\nran as asked\n");
	print_lines(&r->reasons, "not as asked", out);
	print_lines(&r->failed, "failed", out);
	print_lines(&r->warnings, "to be looked at", out);
}

void
report_summary(const struct report *r, FILE *out)
{
	print_head(r, out);
	print_connections(r, out);
	print_queries(r, out);
	print_replies(r, out);
	if (r->config.search != NULL)
		report_search(r, out);
	else {
		print_rates(r, out);
		print_times(r, out);
	}
	print_verdict(r, out);
}

void
report_histogram(const struct report *r, FILE *out)
{
	const struct histogram *h = &r->total.stats.response;
	size_t i;

	fprintf(out,
	    "# tcpclient %s response time, layout %s\n# lo_ns hi_ns count\n",
	    TCPSCALER_VERSION, HISTOGRAM_LAYOUT);
	for (i = 0; i < HISTOGRAM_BUCKETS; i++)
		if (h->bucket[i] > 0)
			fprintf(out, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
			    histogram_lo(i), histogram_hi(i), h->bucket[i]);
}
