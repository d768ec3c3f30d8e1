#include <sys/ioctl.h>

#include <err.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/version.h"
#include "client/report_internal.h"

#define LINE_SIZE     256
#define MS(ns)	      ((double)(ns) / (double)CLOCK_NS_PER_MS)
#define OVERRUN_MOST  (100 * CLOCK_NS_PER_MS) /* and 0.5 % of the duration */
#define SENT_ENOUGH   0.999 /* of the schedule */
#define PERCENT(x, y) ((y) == 0 ? 0.0 : 100.0 * (double)(x) / (double)(y))

struct report *
report_new(const struct report_config *config)
{
	struct report *r = calloc(1, sizeof(*r));

	if (r == NULL)
		err(1, "no memory for the report");
	r->config = *config;
	r->begun = r->shown_at = clock_now();
	r->begun_wall = clock_wall();
	netstat_read(&r->kernel, "/proc");
	return r;
}

void
report_free(struct report *r)
{
	free(r->rows);
	free(r);
}

uint64_t
report_duration(const struct report *r)
{
	return r->total.query_end > r->total.query_begin ?
	    r->total.query_end - r->total.query_begin :
	    0;
}

double
report_seconds(uint64_t begin, uint64_t end)
{
	return end > begin ? clock_to_seconds(end - begin) : 0;
}

double
report_rate(const struct report *r, uint64_t count)
{
	uint64_t duration = report_duration(r);

	return duration == 0 ? 0 : (double)count / clock_to_seconds(duration);
}

/*
 * Series.
 */

/* The array doubles at every power of two: no capacity to keep. */
static struct report_row *
row_new(struct report *r)
{
	size_t n = r->row_count;

	if ((n & (n - 1)) == 0) {
		r->rows =
		    realloc(r->rows, (n == 0 ? 1 : 2 * n) * sizeof(*r->rows));
		if (r->rows == NULL)
			err(1, "no memory for the series");
	}
	return &r->rows[r->row_count++];
}

void
report_sample(
    struct report *r, const struct generator_result *sum, uint64_t now)
{
	struct report_row *row = row_new(r);
	struct stats *change = &r->change;

	*change = sum->stats;
	stats_subtract(change, &r->sampled);
	r->sampled = sum->stats;
	row->at = now;
	row->open = stats_open(&sum->stats);
	row->n = change->n;
	row->response_p50 = histogram_quantile(&change->response, 0.5);
	row->response_p99 = histogram_quantile(&change->response, 0.99);
	row->response_max = change->response.max;
	row->lateness_p99 = histogram_quantile(&change->lateness, 0.99);
}

/*
 * Live line.
 */

static unsigned short
terminal_width(FILE *out)
{
	struct winsize size;

	if (ioctl(fileno(out), TIOCGWINSZ, &size) == -1 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

static void
print_live(FILE *out, bool terminal, const char *line)
{
	if (terminal)
		fprintf(out, "\r\033[K%.*s", terminal_width(out) - 1, line);
	else
		fprintf(out, "%s\n", line);
	fflush(out);
}

/* The time left is what the speed since the last line makes of it. */
static void
format_opening(const struct report *r, const struct generator_result *sum,
    const struct stats *change, double seconds, double window, char *line)
{
	const struct stats *s = &sum->stats;
	double speed = (double)(change->n.opened + change->n.failed) / window;
	uint64_t done = s->n.opened + s->n.failed,
		 left = r->config.connections - done;
	int length = snprintf(line, LINE_SIZE,
	    "%.1f s: opened %" PRIu64 " of %" PRIu32 ", pending %" PRIu64
	    ", failed %" PRIu64,
	    seconds, s->n.opened, r->config.connections,
	    stats_pending(s) + stats_probes_in_flight(s), s->n.failed);

	if (left > 0 && speed > 0)
		snprintf(line + length, LINE_SIZE - (size_t)length,
		    ", %.0f/s, %.0f s left", speed, (double)left / speed);
}

static void
format_querying(const struct generator_result *sum, const struct stats *change,
    double seconds, double window, char *line)
{
	const struct stats *s = &sum->stats;

	snprintf(line, LINE_SIZE,
	    "%.1f s: open %" PRIu64 ", sent %.0f/s, answered %.0f/s, "
	    "in flight %" PRIu64 ", response p50 %.3f p99 %.3f ms, "
	    "late p99 %.3f ms",
	    seconds, stats_open(s), (double)change->n.sent / window,
	    (double)change->n.answered / window, stats_in_flight(s),
	    MS(histogram_quantile(&change->response, 0.5)),
	    MS(histogram_quantile(&change->response, 0.99)),
	    MS(histogram_quantile(&change->lateness, 0.99)));
}

void
report_live(struct report *r, const struct generator_result *sum, uint64_t now,
    FILE *out, bool terminal)
{
	double window = clock_to_seconds(now - r->shown_at);
	struct stats *change = &r->change;
	char line[LINE_SIZE];

	*change = sum->stats;
	stats_subtract(change, &r->shown);
	r->shown = sum->stats;
	r->shown_at = now;
	if (sum->query_begin == 0)
		format_opening(r, sum, change, clock_to_seconds(now - r->begun),
		    window > 0 ? window : 1, line);
	else
		format_querying(sum, change,
		    clock_to_seconds(now - sum->query_begin),
		    window > 0 ? window : 1, line);
	print_live(out, terminal, line);
}

/*
 * Verdict.
 */

static void __attribute__((format(printf, 2, 3)))
add_reason(struct report *r, const char *format, ...)
{
	va_list ap;

	if (r->reason_count == REPORT_REASONS)
		return;
	va_start(ap, format);
	vsnprintf(
	    r->reasons[r->reason_count++], REPORT_REASON_SIZE, format, ap);
	va_end(ap);
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
	uint64_t asked = r->config.duration, took = report_duration(r);

	return asked != CLOCK_NEVER && took > asked + OVERRUN_MOST &&
	    took > asked + asked / 200;
}

static void
judge(struct report *r)
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
		    clock_to_seconds(report_duration(r)));
	if (ended_early(r))
		judge_end(r);
}

void
report_finish(struct report *r, const struct generator_result *sum,
    uint64_t now, const struct report_end *end)
{
	struct netstat kernel;

	report_sample(r, sum, now);
	r->total = *sum;
	r->end = *end;
	netstat_read(&kernel, "/proc");
	netstat_subtract(&kernel, &r->kernel);
	r->kernel = kernel;
	r->finding_count = netstat_diagnose(&r->kernel,
	    r->total.stats.n.failed_errno, STATS_ERRNOS, &r->config.ways,
	    r->config.connections, r->findings);
	judge(r);
}

bool
report_is_valid(const struct report *r)
{
	return r->reason_count == 0;
}

/*
 * Summary.
 */

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

#define NAMED_SKIPPED(name) {#name, n->skipped_##name},
#define NAMED_LOST(name)    {#name, n->lost_##name},
#define LENGTH(array)	    (sizeof(array) / sizeof((array)[0]))

static void
print_head(const struct report *r, FILE *out)
{
	fprintf(out,
	    "tcpclient %s: %s, %" PRIu32 " connections, %.10g queries/s",
	    TCPSCALER_VERSION, r->config.target, r->config.connections,
	    r->config.query_rate);
	if (r->config.duration == CLOCK_NEVER)
		fprintf(out, " until stopped");
	else
		fprintf(out, " for %g s", clock_to_seconds(r->config.duration));
	if (r->config.workers > 1)
		fprintf(out, ", %u workers", r->config.workers);
	fprintf(out, "\n\n");
}

static void
print_connections(const struct report *r, FILE *out)
{
	const struct stats_counters *n = &r->total.stats.n;
	double seconds = report_seconds(r->total.open_begin, r->total.open_end);
	int e;

	fprintf(out,
	    "connections  asked %" PRIu32 ", opened %" PRIu64 " in %.3f s",
	    r->config.connections, n->opened, seconds);
	if (seconds > 0)
		fprintf(out, " (%.0f/s)", (double)n->opened / seconds);
	fprintf(out,
	    ", failed %" PRIu64 ", abandoned %" PRIu64 ", verified %" PRIu64
	    "\n",
	    n->failed, n->abandoned, n->verified);
	if (r->config.probe)
		fprintf(out,
		    "             probes sent %" PRIu64 ", answered %" PRIu64
		    ", timed out %" PRIu64 ", lost %" PRIu64 "\n",
		    n->probe_sent, n->probe_answered, n->probe_timed_out,
		    n->probe_lost);
	for (e = 0; e < STATS_ERRNOS; e++)
		if (n->failed_errno[e] > 0)
			fprintf(out,
			    "             failed with %s (%s): %" PRIu64 "\n",
			    e == 0 ? "?" : strerrorname_np(e), strerror(e),
			    n->failed_errno[e]);
	fprintf(out,
	    "             closed by peer %" PRIu64 ", reset by peer %" PRIu64
	    ", by error %" PRIu64 ", locally %" PRIu64,
	    n->closed_by_peer, n->reset_by_peer, n->closed_by_error,
	    n->closed_locally);
	if (n->closed_locally > 0)
		fprintf(out, " in %.3f s",
		    report_seconds(r->total.close_begin, r->total.close_end));
	if (n->closed_worker_died > 0)
		fprintf(out, ", worker died %" PRIu64, n->closed_worker_died);
	fprintf(out, "\n");
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
}

static void
print_replies(const struct report *r, FILE *out)
{
	const struct stats_counters *n = &r->total.stats.n;
	struct named_count kinds[2 + DNS_RCODES] = {
	    {"to probes", n->probe_answered}, {"echoed", n->echoed}};
	unsigned int i;

	for (i = 0; i < DNS_RCODES; i++) {
		kinds[2 + i].name = dns_rcode_name(i);
		kinds[2 + i].count = n->rcode[i];
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
	    "queries/s    asked %.10g, sent %.1f, answered %.1f, over %.3f s\n\n",
	    r->config.query_rate, report_rate(r, n->sent),
	    report_rate(r, n->answered), clock_to_seconds(report_duration(r)));
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
	    {"connect", &s->connect, "handshake"},
	};
	size_t i, q;

	fprintf(out, "%-12s %10s %10s %10s %10s %10s\n", "ms", "p50", "p90",
	    "p99", "p99.9", "max");
	for (i = 0; i < LENGTH(rows); i++) {
		fprintf(out, "%-12s", rows[i].name);
		for (q = 0; q < LENGTH(quantiles); q++)
			fprintf(out, " %10.3f",
			    MS(histogram_quantile(rows[i].h, quantiles[q])));
		fprintf(
		    out, " %10.3f   %s\n", MS(rows[i].h->max), rows[i].meaning);
	}
}

static void
print_verdict(const struct report *r, FILE *out)
{
	size_t i;

	for (i = 0; i < r->finding_count; i++)
		fprintf(out, "%s%s (%s): %s; fix: %s\n", i == 0 ? "\n" : "",
		    r->findings[i].limit, r->findings[i].side,
		    r->findings[i].symptom, r->findings[i].fix);
	if (r->reason_count == 0)
		fprintf(out, "\nran as asked\n");
	else
		fprintf(out, "\nnot as asked\n");
	for (i = 0; i < r->reason_count; i++)
		fprintf(out, "  %s\n", r->reasons[i]);
}

void
report_summary(const struct report *r, FILE *out)
{
	print_head(r, out);
	print_connections(r, out);
	print_queries(r, out);
	print_replies(r, out);
	print_rates(r, out);
	print_times(r, out);
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
