/*
 * Reading a JSON result, member by member as report_json.c writes it. What can
 * be derived from other members, as the findings, is not read.
 */
#include <math.h>
#include <bsd/err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/report_internal.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/json_read.h"
#include "lib/status.h"
#include "lib/version.h"

static uint64_t
get_at_most(const struct json_node *at, const char *key, uint64_t most)
{
	uint64_t value = json_get_count(at, key);

	if (value > most)
		json_refuse(
		    at, key, "%" PRIu64 " is more than %" PRIu64, value, most);
	return value;
}

static uint64_t
get_seed(const struct json_node *at)
{
	uint64_t seed = REPORT_DIFFERS;

	(void)json_get_count_or_null(at, "seed", &seed);
	return seed;
}

/* A result from before there was such an option was judged with 1 ms. */
static uint64_t
get_max_lateness(const struct json_node *at)
{
	if (json_object_get(at->value, "max_lateness_s") == NULL)
		return CLOCK_NS_PER_MS;
	return json_get_seconds(at, "max_lateness_s");
}

static enum schedule_arrivals
read_arrivals(const struct json_node *at, bool *differ)
{
	const char *how;

	*differ = json_is_null(json_object_get(at->value, "arrival"));
	if (*differ)
		return SCHEDULE_POISSON;
	how = json_get_string(at, "arrival");
	if (strcmp(how, "poisson") != 0 && strcmp(how, "uniform") != 0)
		json_refuse(at, "arrival", "not poisson, uniform or null");
	return strcmp(how, "uniform") == 0 ? SCHEDULE_UNIFORM :
					     SCHEDULE_POISSON;
}

static bool
read_close(const struct json_node *at, bool *differs)
{
	const char *how;

	*differs = json_is_null(json_object_get(at->value, "close"));
	if (*differs)
		return false;
	how = json_get_string(at, "close");
	if (strcmp(how, "rst") != 0 && strcmp(how, "fin") != 0)
		json_refuse(at, "close", "not fin, rst or null");
	return strcmp(how, "rst") == 0;
}

/*
 * The ways, the program and --start-at are left out: those of several hosts do
 * not add up.
 */
static void
read_config(const struct json_node *top, struct report *r)
{
	struct report_config *c = &r->config;
	struct json_node at;
	bool here;

	json_enter_object(top, "config", &at);
	c->target = json_printable(
	    r->target, sizeof(r->target), json_get_string(&at, "target"));
	c->connections = (uint32_t)get_at_most(&at, "connections", UINT32_MAX);
	c->query_rate = json_get_real(&at, "rate_qps");
	c->open_rate = json_get_real(&at, "open_rate");
	c->arrivals = read_arrivals(&at, &r->arrivals_differ);
	c->duration = json_get_seconds_or_null(&at, "duration_s");
	c->warmup = json_get_seconds_or_null(&at, "warmup_s");
	c->drain = json_get_seconds_or_null(&at, "drain_s");
	c->timeout = json_get_seconds_or_null(&at, "timeout_s");
	c->connect_timeout = json_get_seconds_or_null(&at, "connect_timeout_s");
	c->max_lateness = get_max_lateness(&at);
	c->seed = get_seed(&at);
	c->workers = (unsigned int)get_at_most(&at, "workers", UINT32_MAX);
	if (json_get_bool_or_null(&at, "target_here", &here))
		c->view = here ? DIAGNOSIS_FROM_BOTH : DIAGNOSIS_FROM_CLIENT;
	else
		c->view = DIAGNOSIS_FROM_SOME;
	r->probe_differs = !json_get_bool_or_null(&at, "probe", &c->probe);
	c->reset = read_close(&at, &r->close_differs);
	r->life = report_life_read(&at);
}

/* 0: it did not come to that. */
static uint64_t
get_time(const struct json_node *at, const char *key, const struct report *r)
{
	uint64_t when = 0;

	if (json_get_count_or_null(at, key, &when) && when < r->begun)
		json_refuse(at, key, "before times_unix_ns.begun");
	return when;
}

static void
read_times(const struct json_node *top, struct report *r)
{
	struct generator_result *t = &r->total;
	struct json_node at;

	json_enter_object(top, "times_unix_ns", &at);
	r->begun = r->begun_wall = json_get_count(&at, "begun");
	if (r->begun == 0)
		json_refuse(&at, "begun", "0 is no time that a run began at");
#define READ_TIME(name, which) t->name = get_time(&at, #name, r);
	GENERATOR_TIMES(READ_TIME)
}

/* A result without them (of an older program) is known by when it began. */
static json_t *
read_ids(const struct json_node *runs, const struct report *r)
{
	json_t *ids = json_object(), *times;
	struct json_node at;
	const char *id;
	char begun[32];

	if (json_object_get(runs->value, "ids") == NULL) {
		snprintf(begun, sizeof(begun), "%" PRIu64, r->begun);
		json_put_count(ids, begun, 1);
		return ids;
	}
	json_enter_object(runs, "ids", &at);
	json_object_foreach(at.value, id, times)
	    json_put_count(ids, id, get_at_most(&at, id, UINT32_MAX));
	return ids;
}

static void
read_runs(const struct json_node *top, struct report *r)
{
	struct report_runs *runs = &r->runs;
	struct json_node at, targets;
	uint64_t left;
	json_t *value;
	const char *text;

	json_enter_object(top, "runs", &at);
	left = runs->count = get_at_most(&at, "count", UINT32_MAX);
	runs->last_begin = get_time(&at, "last_begin_unix_ns", r);
	runs->first_end = get_time(&at, "first_end_unix_ns", r);
	runs->longest = json_get_count(&at, "longest_ns");
	json_enter_object(&at, "targets", &targets);
	json_object_foreach(targets.value, text, value) left -=
	    get_at_most(&targets, text, left);
	if (runs->count == 0 || left > 0)
		json_refuse(&at, "count",
		    "%" PRIu64 ", but there are targets of %" PRIu64,
		    runs->count, runs->count - left);
	runs->targets = json_incref(targets.value);
	runs->ids = read_ids(&at, r);
}

static void
read_gauges(const struct json_node *kernel, struct gauges_span *span)
{
	struct json_node at, one;
	enum gauge i;

	json_enter_object(kernel, "gauges", &at);
	for (i = 0; i < GAUGES_COUNT; i++) {
		/* results of older versions lack some: as if unreadable */
		if (json_object_get(at.value, gauges_name(i)) == NULL)
			continue;
		json_enter_object(&at, gauges_name(i), &one);
		span->begin.readable[i] = json_get_count_or_null(
		    &one, "begin", &span->begin.value[i]);
		span->most.readable[i] =
		    json_get_count_or_null(&one, "most", &span->most.value[i]);
		span->end.readable[i] =
		    json_get_count_or_null(&one, "end", &span->end.value[i]);
	}
}

static void
read_kernel(const struct json_node *top, struct report *r)
{
	struct json_node at;
	int i;

	json_enter_object(top, "kernel", &at);
	for (i = 0; i < NETSTAT_COUNT; i++)
		r->kernel.readable[i] = json_get_count_or_null(&at,
		    netstat_name((enum netstat_counter)i), &r->kernel.value[i]);
	read_gauges(&at, &r->gauges);
	if (json_object_get(at.value, "target_drops") == NULL)
		return; /* a result of an earlier program */
	r->drops.known =
	    json_get_count_or_null(&at, "target_drops", &r->drops.count);
	r->drops.alone = json_get_bool(&at, "targets_listen_alone");
}

static void
read_causes(const struct json_node *end, struct read_delay_causes *c)
{
	struct json_node at;

	json_enter_object(end, "slow_turns_ns", &at);
#define READ_CAUSE(name) c->name = json_get_count(&at, #name);
	READ_DELAY_CAUSES(READ_CAUSE)
}

/* Results of earlier programs lack it. */
static double
added_real(const struct json_node *at, const char *key)
{
	return json_object_get(at->value, key) == NULL ?
	    NAN :
	    json_get_real_or_null(at, key);
}

static void
read_end(const struct json_node *top, struct report *r)
{
	struct json_node at;

	json_enter_object(top, "end", &at);
	r->end.interrupted = json_get_bool(&at, "interrupted");
	if (json_object_get(at.value, "interrupted_unix_ns") != NULL)
		r->end.interrupted_at = get_time(&at, "interrupted_unix_ns", r);
	r->end.by_command = json_get_bool(&at, "by_command");
	r->end.workers_died =
	    (unsigned int)get_at_most(&at, "workers_died", UINT32_MAX);
	r->end.late_start = json_get_count(&at, "late_start_ns");
	r->end.usage.ran = json_get_real_or_null(&at, "busiest_ran");
	r->end.usage.waited = json_get_real_or_null(&at, "busiest_waited");
	r->end.usage.stolen = json_get_real_or_null(&at, "stolen");
	r->end.usage.throttled = added_real(&at, "throttled");
	r->end.usage.crowd = added_real(&at, "crowd");
	read_causes(&at, &r->end.usage.causes);
	r->total.outage.none = json_get_count(&at, "none_open_ns");
	r->total.outage.some = json_get_count(&at, "some_missing_ns");
	r->total.change_late = json_get_count(&at, "change_late_ns");
}

/* Results of earlier programs lack it: 0. */
static void
read_rate(const struct json_node *top, struct report *r)
{
	uint64_t answered = r->total.stats.n.answered, later = 0;
	struct json_node at;

	json_enter_object(top, "rate", &at);
	if (json_object_get(at.value, "answered_later") != NULL)
		later = get_at_most(&at, "answered_later", answered);
	r->total.answered_by_end = answered - later;
}

static void
read_lines(
    const struct json_node *at, const char *key, struct report_lines *lines)
{
	char text[REPORT_LINE_SIZE];
	struct json_node array;
	const json_t *line;
	size_t i;

	json_enter_array(at, key, &array);
	json_array_foreach(array.value, i, line)
	{
		if (!json_is_string(line))
			json_refuse(at, key, "not all are strings");
		report_lines_add(lines,
		    json_printable(
			text, sizeof(text), json_string_value(line)));
	}
}

/* Warnings are left out: they come again from the sum. */
static void
read_verdict(const struct json_node *top, struct report *r)
{
	struct json_node at;

	json_enter_object(top, "verdict", &at);
	read_lines(&at, "reasons", &r->reasons);
	read_lines(&at, "failed", &r->failed);
	if (!json_get_bool(&at, "valid") && r->reasons.count == 0)
		report_lines_add(&r->reasons, "not as asked");
	r->reasons_judged = get_at_most(&at, "judged", r->reasons.count);
}

/* Whose numbers mean the same as this program's. */
static void
check_kind(const struct json_node *top)
{
	const char *version, *layout;

	if (json_object_get(top->value, "histogram_layout") == NULL ||
	    json_object_get(top->value, "version") == NULL)
		json_refuse(top, NULL,
		    "no version or no histogram_layout: not a result of "
		    "tcpclient --json");
	version = json_get_string(top, "version");
	if (strcmp(version, TCPSCALER_VERSION) != 0)
		json_refuse(top, "version",
		    "a result of version %.40s, and this is " TCPSCALER_VERSION
		    ": merge it with the tcpclient that made it",
		    version);
	layout = json_get_string(top, "histogram_layout");
	if (strcmp(layout, HISTOGRAM_LAYOUT) != 0)
		json_refuse(top, "histogram_layout",
		    "%.60s, and this program's is " HISTOGRAM_LAYOUT
		    ": such buckets do not add up",
		    layout);
}

static void
check_accounts(const struct json_node *top, const struct stats *s)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	unsigned int broken;

	if (out == NULL)
		err(1, "no memory for a message");
	broken = stats_check(s, out);
	if (fclose(out) != 0 || text == NULL)
		err(1, "no memory for a message");
	if (broken > 0)
		json_refuse(top, NULL, "%.*s", (int)strcspn(text, "\n"), text);
	free(text);
}

/* It is written beside what it is a part of. */
static void
expect_part(const struct json_node *top, const char *name, uint64_t part,
    const char *of, uint64_t whole)
{
	if (part > whole)
		json_refuse(top, name,
		    "%" PRIu64 ", but it is a part of %s, %" PRIu64, part, of,
		    whole);
}

static void
check_parts(const struct json_node *top, const struct report *r)
{
	const struct stats_counters *n = &r->total.stats.n;

	expect_part(top, "connections.refused.beside_opened", r->refused_beside,
	    "failed.ECONNREFUSED", n->failed_errno[ECONNREFUSED]);
	expect_part(top, "connections.opened_late", n->opened_late, "opened",
	    n->opened);
	expect_part(top, "connections.peak", n->peak, "opened", n->opened);
	expect_part(
	    top, "connections.out_of_ids", n->out_of_ids, "opened", n->opened);
	expect_part(top, "connections.unsent_after_failure",
	    report_plus(
		report_plus(n->unsent_after_failure, n->unsent_on_request),
		report_plus(n->unsent_for_answers, n->unsent_in_handshake)),
	    "skipped_by_reason.no_connection", n->skipped_no_connection);
	expect_part(top, "connections.churn_late", n->churn_late,
	    "churn_skipped", n->churn_skipped);
	expect_part(top, "connections.suspect_evidence",
	    report_plus(n->evidence_handshake_open, n->evidence_data_lost),
	    "suspect.unacked", n->suspect_unacked);
	expect_part(top, "connections.suspect_evidence",
	    report_plus(n->evidence_in_accept_queue,
		report_plus(n->evidence_not_read, n->evidence_read)),
	    "suspect.queued", n->suspect_queued);
	expect_part(top, "connections.suspect_evidence.cut_off",
	    n->evidence_cut_off, "wrong_answer", n->wrong_answer);
}

static void
check_histogram(
    const struct json_node *top, const char *name, const struct histogram *h)
{
	const char *wrong = histogram_contradiction(h);
	char where[64];

	if (wrong == NULL)
		return;
	snprintf(where, sizeof(where), "%s.%s", name, wrong);
	json_refuse(top, where, "cannot be of the values in its buckets");
}

/* A worker that died may have counted a thing in one place and not in the other. */
static void
check_details(const struct json_node *top, const struct report *r)
{
	const struct stats *s = &r->total.stats;

	if (r->end.workers_died > 0)
		return;
	check_parts(top, r);
#define CHECK_HISTOGRAM(name) check_histogram(top, #name "_ns", &s->name);
	STATS_HISTOGRAMS(CHECK_HISTOGRAM)
}

struct report *
report_read(const char *file)
{
	struct json_node top = {json_file_name(file), "", json_read(file)};
	struct report *r = calloc(1, sizeof(*r));

	if (r == NULL)
		err(1, "no memory for the report");
	check_kind(&top);
	if (json_object_get(top.value, "find_max") != NULL)
		json_refuse(&top, "find_max", "searches do not add up");
	read_config(&top, r);
	read_times(&top, r);
	read_runs(&top, r);
	report_read_connections(&top, r);
	report_read_queries(&top, r);
	read_rate(&top, r);
	report_read_histograms(&top, r);
	report_read_series(&top, r);
	read_kernel(&top, r);
	read_end(&top, r);
	read_verdict(&top, r);
	check_accounts(&top, &r->total.stats);
	check_details(&top, r);
	report_check_rows(&top, r);
	json_decref(top.value);
	return r;
}
