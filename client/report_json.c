/*
 * The JSON result.
 */
#include <math.h>
#include <string.h>

#include "client/report_internal.h"
#include "lib/clock.h"
#include "lib/findings.h"
#include "lib/json.h"
#include "lib/version.h"

static json_t *
seconds_or_null(uint64_t ns)
{
	return ns == CLOCK_NEVER ? json_null() :
				   json_real(clock_to_seconds(ns));
}

/* All pieces, the warm-up first: seconds (null: for ever) and rates. */
static json_t *
program_json(const struct program *p)
{
	json_t *array = json_array(), *piece;
	size_t i;

	for (i = 0; p != NULL && i < p->count; i++) {
		piece = json_object();
		json_put(piece, "duration_s",
		    seconds_or_null(p->segments[i].duration));
		json_put(piece, "begin_qps", json_real(p->segments[i].begin));
		json_put(piece, "end_qps", json_real(p->segments[i].end));
		json_push(array, piece);
	}
	return array;
}

static json_t *
count_or_null(uint64_t count)
{
	return count == REPORT_DIFFERS ? json_null() :
					 json_integer((json_int_t)count);
}

static const char *
arrivals_name(enum schedule_arrivals arrivals)
{
	return arrivals == SCHEDULE_UNIFORM ? "uniform" : "poisson";
}

static json_t *
config_json(const struct report *r)
{
	const struct report_config *c = &r->config;
	json_t *o = json_object();

	json_put(o, "target", json_string(c->target));
	json_put_count(o, "connections", c->connections);
	json_put(o, "rate_qps", json_real(c->query_rate));
	json_put(o, "open_rate", json_real(c->open_rate));
	json_put(o, "program", program_json(c->program));
	json_put(o, "arrival",
	    r->arrivals_differ ? json_null() :
				 json_string(arrivals_name(c->arrivals)));
	json_put(o, "duration_s", seconds_or_null(c->duration));
	json_put(o, "warmup_s", seconds_or_null(c->warmup));
	json_put(o, "drain_s", seconds_or_null(c->drain));
	json_put(o, "start_at_unix",
	    c->start_at == 0 ? json_null() :
			       json_real(clock_to_seconds(c->start_at)));
	json_put(o, "timeout_s", seconds_or_null(c->timeout));
	json_put(o, "connect_timeout_s", seconds_or_null(c->connect_timeout));
	json_put(o, "max_lateness_s", seconds_or_null(c->max_lateness));
	json_put(o, "seed", count_or_null(c->seed));
	json_put_count(o, "workers", c->workers);
	json_put_count(o, "local_ports", c->ways.ports);
	json_put_count(o, "sources", c->ways.sources);
	json_put_count(o, "targets", c->ways.targets);
	json_put(o, "target_here",
	    c->view == DIAGNOSIS_FROM_SOME ?
		json_null() :
		json_boolean(c->view == DIAGNOSIS_FROM_BOTH));
	json_put(o, "probe",
	    r->probe_differs ? json_null() : json_boolean(c->probe));
	json_put(o, "close",
	    r->close_differs ? json_null() :
			       json_string(c->reset ? "rst" : "fin"));
	json_put(o, "life", json_incref(r->life));
	return o;
}

#define PUT(name)	   json_put_count(o, #name, n->name);
#define PUT_SUSPECT(name)  json_put_count(o, #name, n->suspect_##name);
#define PUT_EVIDENCE(name) json_put_count(o, #name, n->evidence_##name);
#define PUT_SKIPPED(name)  json_put_count(skipped, #name, n->skipped_##name);
#define PUT_PROBE(name)	   json_put_count(o, #name, n->probe_##name);
#define PUT_WARMUP(name)   json_put_count(o, #name, n->warmup_##name);
#define PUT_LOST(name)	   json_put_count(lost, #name, n->lost_##name);

const char *
report_errno_name(int error)
{
	return error == 0 ? "UNKNOWN" : strerrorname_np(error);
}

static json_t *
errnos_json(const uint64_t count[STATS_ERRNOS])
{
	json_t *o = json_object();
	int e;

	for (e = 0; e < STATS_ERRNOS; e++)
		if (count[e] > 0)
			json_put_count(o, report_errno_name(e), count[e]);
	return o;
}

static json_t *
probes_json(const struct stats_counters *n)
{
	json_t *o = json_object();

	STATS_PROBES(PUT_PROBE)
	return o;
}

static json_t *
warmup_json(const struct stats_counters *n)
{
	json_t *o = json_object();

	STATS_WARMUP(PUT_WARMUP)
	return o;
}

static json_t *
suspect_json(const struct stats_counters *n)
{
	json_t *o = json_object();

	STATS_SUSPECTS(PUT_SUSPECT)
	return o;
}

static json_t *
evidence_json(const struct stats_counters *n)
{
	json_t *o = json_object();

	STATS_EVIDENCE(PUT_EVIDENCE)
	return o;
}

static json_t *
refused_json(const struct report *r)
{
	json_t *o = json_object();

	json_put_count(o, "beside_opened", r->refused_beside);
	return o;
}

static json_t *
connections_json(const struct report *r)
{
	const struct stats_counters *n = &r->total.stats.n;
	json_t *o = json_object();

	json_put_count(o, "asked", r->config.connections);
	STATS_CONNECTIONS(PUT)
	STATS_GAUGES(PUT)
	json_put(o, "suspect", suspect_json(n));
	json_put(o, "suspect_evidence", evidence_json(n));
	json_put(
	    o, "first_bytes", first_bytes_json(&r->total.stats.first_bytes));
	json_put_count(o, "failed_total", n->failed);
	json_put(o, "failed", errnos_json(n->failed_errno));
	json_put(o, "refused", refused_json(r));
	json_put(o, "closed_by_errno", errnos_json(n->closed_errno));
	json_put(o, "probes", probes_json(n));
	/* of merged runs there is no such time: they may not overlap */
	json_put_real_or_null(o, "open_s",
	    r->runs.count > 1 ?
		NAN :
		report_seconds(r->total.open_begin, r->total.open_end));
	json_put_real_or_null(o, "close_s",
	    r->runs.count > 1 ?
		NAN :
		report_seconds(r->total.close_begin, r->total.close_end));
	return o;
}

static json_t *
rcodes_json(const struct stats_counters *n)
{
	json_t *o = json_object();
	unsigned int i;

	for (i = 0; i < DNS_RCODES; i++)
		if (n->rcode[i] > 0)
			json_put_count(o, dns_rcode_name(i), n->rcode[i]);
	return o;
}

static json_t *
queries_json(const struct report *r)
{
	const struct stats_counters *n = &r->total.stats.n;
	json_t *o = json_object(), *skipped = json_object(),
	       *lost = json_object();

	STATS_QUERIES(PUT)
	json_put_count(o, "skipped", stats_skipped(n));
	STATS_SKIPPED(PUT_SKIPPED)
	json_put(o, "skipped_by_reason", skipped);
	json_put_count(o, "lost", stats_lost(n));
	STATS_LOST(PUT_LOST)
	json_put(o, "lost_by_reason", lost);
	json_put(o, "rcodes", rcodes_json(n));
	json_put(o, "warmup", warmup_json(n));
	return o;
}

/* A search has had many rates: each step says its own. */
static json_t *
rate_json(const struct report *r)
{
	const struct stats_counters *n = &r->total.stats.n;
	json_t *o;

	if (r->config.search != NULL)
		return json_null();
	o = json_object();
	json_put(o, "target_qps", json_real(r->config.query_rate));
	json_put_real_or_null(o, "sent_qps", report_rate(r, n->sent));
	json_put_real_or_null(o, "answered_qps", report_rate(r, n->answered));
	json_put(
	    o, "duration_s", json_real(clock_to_seconds(report_duration(r))));
	json_put_count(o, "answered_later", report_answered_later(r));
	return o;
}

static json_t *
histogram_json(const struct histogram *h)
{
	static const struct {
		const char *key;
		double q;
	} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99},
	    {"p99_9", 0.999}, {"p99_99", 0.9999}};
	json_t *o = json_object(), *buckets = json_array(), *bucket;
	size_t i;

	json_put_count(o, "count", histogram_count(h));
	json_put_count(o, "sum", h->sum);
	json_put_count_or_null(o, "min", histogram_min(h));
	json_put_real_or_null(o, "mean", histogram_mean(h));
	json_put_count_or_null(o, "max", histogram_max(h));
	for (i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		json_put_count_or_null(
		    o, quantiles[i].key, histogram_quantile(h, quantiles[i].q));
	for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (h->bucket[i] == 0)
			continue;
		bucket = json_array();
		json_push(bucket, json_integer((json_int_t)histogram_lo(i)));
		json_push(bucket, json_integer((json_int_t)histogram_hi(i)));
		json_push(bucket, json_integer((json_int_t)h->bucket[i]));
		json_push(buckets, bucket);
	}
	json_put(o, "buckets", buckets);
	return o;
}

/* Nanoseconds since the epoch; null for what it did not come to. */
static json_t *
wall_or_null(const struct report *r, uint64_t when)
{
	return when == 0 ?
	    json_null() :
	    json_integer((json_int_t)(r->begun_wall + (when - r->begun)));
}

struct row_writer {
	struct report_visitor visitor;
	json_t *row;
};

static void
put_count(struct report_visitor *v, const char *name, uint64_t value)
{
	json_put_count(((struct row_writer *)v)->row, name, value);
}

static void
put_real(struct report_visitor *v, const char *name, double value)
{
	json_put(((struct row_writer *)v)->row, name, json_real(value));
}

static void
put_nothing(struct report_visitor *v, const char *name)
{
	json_put(((struct row_writer *)v)->row, name, json_null());
}

static json_t *
row_json(const struct report *r, const struct report_row *row)
{
	struct row_writer writer = {
	    {put_count, put_real, put_nothing}, json_object()};

	report_row_visit(r, row, &writer.visitor);
	json_put(writer.row, "end_unix_ns", wall_or_null(r, row->end));
	json_put(
	    writer.row, "response_buckets", json_string(row->response.buckets));
	json_put(
	    writer.row, "lateness_buckets", json_string(row->lateness.buckets));
	return writer.row;
}

static json_t *
series_json(const struct report *r)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < r->row_count; i++)
		json_push(array, row_json(r, &r->rows[i]));
	return array;
}

static json_t *
times_json(const struct report *r)
{
	const struct generator_result *t = &r->total;
	json_t *o = json_object();

	json_put(o, "begun", wall_or_null(r, r->begun));
#define PUT_TIME(name, which) json_put(o, #name, wall_or_null(r, t->name));
	GENERATOR_TIMES(PUT_TIME)
	return o;
}

static json_t *
runs_json(const struct report *r)
{
	const struct report_runs *runs = &r->runs;
	json_t *o = json_object(), *targets;

	json_put_count(o, "count", runs->count);
	json_put(o, "last_begin_unix_ns", wall_or_null(r, runs->last_begin));
	json_put(o, "first_end_unix_ns", wall_or_null(r, runs->first_end));
	json_put_count(o, "longest_ns", runs->longest);
	if (runs->targets != NULL) {
		targets = json_incref(runs->targets);
	} else {
		targets = json_object();
		json_put_count(targets, r->config.target, 1);
	}
	json_put(o, "targets", targets);
	json_put(o, "ids", json_incref(runs->ids));
	return o;
}

static json_t *
causes_json(const struct read_delay_causes *c)
{
	json_t *o = json_object();

#define PUT_CAUSE(name) json_put_count(o, #name, c->name);
	READ_DELAY_CAUSES(PUT_CAUSE)
	return o;
}

static json_t *
end_json(const struct report *r)
{
	json_t *o = json_object();

	json_put(o, "interrupted", json_boolean(r->end.interrupted));
	json_put(
	    o, "interrupted_unix_ns", wall_or_null(r, r->end.interrupted_at));
	json_put(o, "by_command", json_boolean(r->end.by_command));
	json_put_count(o, "workers_died", r->end.workers_died);
	json_put_count(o, "late_start_ns", r->end.late_start);
	json_put_real_or_null(o, "busiest_ran", r->end.usage.ran);
	json_put_real_or_null(o, "busiest_waited", r->end.usage.waited);
	json_put_real_or_null(o, "stolen", r->end.usage.stolen);
	json_put_real_or_null(o, "throttled", r->end.usage.throttled);
	json_put_real_or_null(o, "crowd", r->end.usage.crowd);
	json_put(o, "slow_turns_ns", causes_json(&r->end.usage.causes));
	json_put_count(o, "none_open_ns", r->total.outage.none);
	json_put_count(o, "some_missing_ns", r->total.outage.some);
	json_put_count(o, "change_late_ns", r->total.change_late);
	return o;
}

/* null: what the listening sockets dropped is not known, or none is here. */
static json_t *
kernel_json(const struct report *r)
{
	json_t *o = findings_kernel_json(&r->kernel, &r->gauges);

	json_put(o, "target_drops",
	    r->drops.known ? json_integer((json_int_t)r->drops.count) :
			     json_null());
	json_put(o, "targets_listen_alone", json_boolean(r->drops.alone));
	return o;
}

static json_t *
lines_json(const struct report_lines *lines)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < lines->count; i++)
		json_push(array, json_string(lines->at[i]));
	return array;
}

static json_t *
verdict_json(const struct report *r)
{
	json_t *o = json_object();

	json_put(o, "valid", json_boolean(r->reasons.count == 0));
	json_put(o, "reasons", lines_json(&r->reasons));
	json_put_count(o, "judged", r->reasons_judged);
	json_put(o, "failed", lines_json(&r->failed));
	json_put(o, "warnings", lines_json(&r->warnings));
	return o;
}

static json_t *
quantiles_json(const struct histogram *h)
{
	json_t *o = json_object();

	json_put_count(o, "count", histogram_count(h));
	json_put_count_or_null(o, "p50", histogram_quantile(h, 0.5));
	json_put_count_or_null(o, "p90", histogram_quantile(h, 0.9));
	json_put_count_or_null(o, "p99", histogram_quantile(h, 0.99));
	json_put_count_or_null(o, "max", histogram_max(h));
	return o;
}

json_t *
report_stats(struct report *r, const struct generator_result *sum, uint64_t now)
{
	const struct stats *s = &r->total.stats;
	json_t *o = json_object();

	r->total = *sum;
	json_put(o, "seconds",
	    json_real(
		report_seconds(sum->query_begin == 0 ? now : sum->query_begin,
		    sum->query_end == 0 ? now : sum->query_end)));
	json_put_count(o, "open", stats_open(s));
	json_put_count(o, "in_flight", stats_in_flight(s));
	json_put(o, "connections", connections_json(r));
	json_put(o, "queries", queries_json(r));
#define PUT_QUANTILES(name) json_put(o, #name "_ns", quantiles_json(&s->name));
	STATS_HISTOGRAMS(PUT_QUANTILES)
	return o;
}

void
report_json(const struct report *r, FILE *out)
{
	const struct stats *s = &r->total.stats;
	json_t *o = json_object();

	json_put(o, "version", json_string(TCPSCALER_VERSION));
	json_put(o, "command", json_command(r->config.argc, r->config.argv));
	json_put(o, "begun_unix", json_real(clock_to_seconds(r->begun_wall)));
	json_put(o, "config", config_json(r));
	json_put(o, "times_unix_ns", times_json(r));
	json_put(o, "runs", runs_json(r));
	json_put(o, "connections", connections_json(r));
	json_put(o, "queries", queries_json(r));
	json_put(o, "rate", rate_json(r));
	json_put(o, "histogram_layout", json_string(HISTOGRAM_LAYOUT));
#define PUT_HISTOGRAM(name) json_put(o, #name "_ns", histogram_json(&s->name));
	STATS_HISTOGRAMS(PUT_HISTOGRAM)
	json_put_count(o, "series_step_s", r->row_step);
	json_put(o, "series", series_json(r));
	json_put(o, "end", end_json(r));
	json_put(o, "kernel", kernel_json(r));
	json_put(o, "findings", findings_json(r->findings, r->finding_count));
	if (r->config.search != NULL)
		json_put(o, "find_max", report_search_json(r));
	json_put(o, "verdict", verdict_json(r));
	json_write(o, out);
}
