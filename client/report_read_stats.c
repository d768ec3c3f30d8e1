/*
 * The measured part of a JSON result: counters, histograms, series.
 */
#include <err.h>
#include <inttypes.h>
#include <string.h>

#include "client/report_internal.h"
#include "lib/json_read.h"

/*
 * The counters.
 */

/*
 * A counter that was added since results were first written: an older result lacks
 * it, and what it would have counted is not known. It is taken as 0, so that the
 * result can still be merged.
 */
static bool
is_lacking(const struct json_node *at, const char *name)
{
	static const char *const added[] = {"opened_late", "out_of_ids",
	    "wrong_answer", "bytes_of_answers", "bytes_of_no_answer",
	    "churn_late", "churn_begun", "paced", "missed_window_full",
	    "missed_all_busy", "missed_after_failure", "missed_late",
	    "unsent_after_failure", "unsent_on_request", "unsent_for_answers",
	    "unsent_in_handshake", "cut_off"};
	size_t i;

	if (json_object_get(at->value, name) != NULL)
		return false;
	for (i = 0; i < sizeof(added) / sizeof(added[0]); i++)
		if (strcmp(added[i], name) == 0)
			return true;
	return false;
}

static uint64_t
get_added(const struct json_node *at, const char *name)
{
	return is_lacking(at, name) ? 0 : json_get_count(at, name);
}

/* "failed" has the errnos; how many there are in all is "failed_total". */
static uint64_t
get_connections(const struct json_node *at, const char *name)
{
	return get_added(
	    at, strcmp(name, "failed") == 0 ? "failed_total" : name);
}

/* An object with a count for each name that occurred. */
static void
read_named(const struct json_node *at, const char *what, uint64_t *counts,
    size_t length, const char *(*name_of)(size_t))
{
	const json_t *value;
	const char *key, *name;
	size_t i;

	json_object_foreach(at->value, key, value)
	{
		for (i = 0; i < length; i++) {
			name = name_of(i);
			if (name != NULL && strcmp(name, key) == 0)
				break;
		}
		if (i == length)
			json_refuse(at, key, "no name of %s", what);
		counts[i] = json_as_count(at, key, value);
	}
}

static const char *
errno_name(size_t i)
{
	return report_errno_name((int)i);
}

static const char *
rcode_name(size_t i)
{
	return dns_rcode_name((unsigned int)i);
}

/* A sum of other counters is written, too, and must be what they give. */
static void
check_sum(const struct json_node *at, const char *key, uint64_t sum)
{
	uint64_t given = json_get_count(at, key);

	if (given != sum)
		json_refuse(at, key,
		    "%" PRIu64 ", but the %s_by_reason add up to %" PRIu64,
		    given, key, sum);
}

#define READ_CONNECTIONS(name) n->name = get_connections(&at, #name);
#define READ(name)	       n->name = get_added(&at, #name);
#define READ_SUSPECT(name)     n->suspect_##name = json_get_count(&in, #name);
#define READ_EVIDENCE(name)    n->evidence_##name = get_added(&in, #name);
#define READ_SKIPPED(name)     n->skipped_##name = json_get_count(&in, #name);
#define READ_LOST(name)	       n->lost_##name = json_get_count(&in, #name);
#define READ_PROBE(name)       n->probe_##name = json_get_count(&in, #name);
#define READ_WARMUP(name)      n->warmup_##name = json_get_count(&in, #name);

static void
read_first_bytes(const struct json_node *at, struct first_bytes *f)
{
	struct json_node in;

	if (json_object_get(at->value, "first_bytes") == NULL ||
	    json_is_null(json_object_get(at->value, "first_bytes")))
		return;
	json_enter_object(at, "first_bytes", &in);
	if (!first_bytes_from_hex(f, json_get_string(&in, "hex")))
		json_refuse(
		    &in, "hex", "not 1 to %d bytes in hex", FIRST_BYTES_MOST);
	/* results of earlier programs lack it */
	f->cut = json_object_get(in.value, "cut_off") != NULL &&
	    json_get_bool(&in, "cut_off");
}

void
report_read_connections(const struct json_node *top, struct report *r)
{
	struct stats_counters *n = &r->total.stats.n;
	struct json_node at, in;

	json_enter_object(top, "connections", &at);
	STATS_CONNECTIONS(READ_CONNECTIONS)
	STATS_GAUGES(READ)
	read_first_bytes(&at, &r->total.stats.first_bytes);
	json_enter_object(&at, "suspect", &in);
	STATS_SUSPECTS(READ_SUSPECT)
	/* an older result has none */
	if (json_object_get(at.value, "suspect_evidence") != NULL) {
		json_enter_object(&at, "suspect_evidence", &in);
		STATS_EVIDENCE(READ_EVIDENCE)
	}
	json_enter_object(&at, "failed", &in);
	read_named(&in, "an errno", n->failed_errno, STATS_ERRNOS, errno_name);
	if (json_object_get(at.value, "refused") != NULL) {
		json_enter_object(&at, "refused", &in);
		r->refused_beside = json_get_count(&in, "beside_opened");
	}
	/* an older result does not tell them apart */
	if (json_object_get(at.value, "closed_by_errno") == NULL)
		n->closed_errno[0] = n->closed_by_error;
	else {
		json_enter_object(&at, "closed_by_errno", &in);
		read_named(
		    &in, "an errno", n->closed_errno, STATS_ERRNOS, errno_name);
	}
	json_enter_object(&at, "probes", &in);
	STATS_PROBES(READ_PROBE)
}

void
report_read_queries(const struct json_node *top, struct report *r)
{
	struct stats_counters *n = &r->total.stats.n;
	struct json_node at, in;

	json_enter_object(top, "queries", &at);
	STATS_QUERIES(READ)
	/* an older result does not tell them apart */
	if (is_lacking(&at, "bytes_of_answers"))
		n->bytes_of_answers = n->bytes_received;
	json_enter_object(&at, "skipped_by_reason", &in);
	STATS_SKIPPED(READ_SKIPPED)
	check_sum(&at, "skipped", stats_skipped(n));
	json_enter_object(&at, "lost_by_reason", &in);
	STATS_LOST(READ_LOST)
	check_sum(&at, "lost", stats_lost(n));
	json_enter_object(&at, "rcodes", &in);
	read_named(&in, "a response code", n->rcode, DNS_RCODES, rcode_name);
	json_enter_object(&at, "warmup", &in);
	STATS_WARMUP(READ_WARMUP)
}

/*
 * The histograms.
 */

/* [lo, hi, count]; lo and hi must be those of a bucket above *next. */
static uint64_t
read_bucket(const struct json_node *at, size_t i, size_t *next, uint64_t *count)
{
	const json_t *bucket = json_array_get(at->value, i);
	char key[32];
	uint64_t lo, hi;
	size_t index;

	snprintf(key, sizeof(key), "[%zu]", i);
	if (!json_is_array(bucket) || json_array_size(bucket) != 3)
		json_refuse(at, key, "not [lo, hi, count]");
	lo = json_as_count(at, key, json_array_get(bucket, 0));
	hi = json_as_count(at, key, json_array_get(bucket, 1));
	*count = json_as_count(at, key, json_array_get(bucket, 2));
	index = histogram_index(lo);
	if (lo != histogram_lo(index) || hi != histogram_hi(index))
		json_refuse(at, key,
		    "%" PRIu64 " to %" PRIu64
		    " is no bucket of " HISTOGRAM_LAYOUT,
		    lo, hi);
	if (index < *next)
		json_refuse(at, key, "not above the bucket before it");
	*next = index + 1;
	return index;
}

/*
 * A minimum, maximum or percentile. Of no values there is none: null, which older
 * results have as 0.
 */
static uint64_t
get_time(const struct json_node *at, const char *key, bool any)
{
	uint64_t value = HISTOGRAM_NONE;
	bool given = json_get_count_or_null(at, key, &value);

	if (any && !given)
		json_refuse(at, key, "null, but there are values");
	if (!any && given && value != 0)
		json_refuse(
		    at, key, "%" PRIu64 ", but there are no values", value);
	return any ? value : HISTOGRAM_NONE;
}

static void
read_histogram(
    const struct json_node *top, const char *key, struct histogram *h)
{
	uint64_t count, seen = 0, n, min, max;
	size_t next = 0, i, index;
	struct json_node at, buckets;

	/* was added with the counter paced, which is taken as 0 then */
	if (json_object_get(top->value, key) == NULL &&
	    strcmp(key, "open_lateness_ns") == 0)
		return;
	json_enter_object(top, key, &at);
	json_enter_array(&at, "buckets", &buckets);
	count = json_get_count(&at, "count");
	for (i = 0; i < json_array_size(buckets.value); i++) {
		index = read_bucket(&buckets, i, &next, &n);
		if (n > count - seen)
			json_refuse(&at, "count",
			    "%" PRIu64 ", but its buckets add up to more",
			    count);
		h->bucket[index] = n;
		seen += n;
	}
	if (seen < count)
		json_refuse(&at, "count",
		    "%" PRIu64 ", but its buckets add up to %" PRIu64, count,
		    seen);
	h->sum = json_get_count(&at, "sum");
	max = get_time(&at, "max", count > 0);
	min = get_time(&at, "min", count > 0);
	if (count == 0 && h->sum > 0)
		json_refuse(
		    &at, "sum", "%" PRIu64 ", but there are no values", h->sum);
	if (min > max)
		json_refuse(
		    &at, "min", "%" PRIu64 " to max %" PRIu64, min, max);
	h->max = count == 0 ? 0 : max;
	h->min_complement = count == 0 ? 0 : ~min;
}

/*
 * It cannot be made up for a result that does not have it, and a sum that had it
 * of some runs only would pass for that of all.
 */
static void
must_have_read_delay(const struct json_node *top)
{
	if (json_object_get(top->value, "read_delay_ns") == NULL)
		json_refuse(top, "read_delay_ns",
		    "missing: an older tcpclient did not measure for how long "
		    "answers waited to be read");
}

void
report_read_histograms(const struct json_node *top, struct report *r)
{
	must_have_read_delay(top);
#define READ_HISTOGRAM(name) \
	read_histogram(top, #name "_ns", &r->total.stats.name);
	STATS_HISTOGRAMS(READ_HISTOGRAM)
}

/*
 * The series.
 */

#define READ_ROW(name) row->n.name = get_added(&at, #name);
#define READ_ROW_WARMUP(name) \
	row->n.warmup_##name = json_get_count(&at, "warmup_" #name);
#define READ_RESPONSE(name)            \
	row->response.name = get_time( \
	    &at, "response_" #name, row->response.buckets[0] != '\0');
#define READ_LATENESS(name)            \
	row->lateness.name = get_time( \
	    &at, "lateness_" #name, row->lateness.buckets[0] != '\0');

/* all: has the buckets of all rows, to see that they are some, and fit. */
static char *
read_row_buckets(
    const struct json_node *at, const char *key, struct histogram *all)
{
	const char *text = json_get_string(at, key);
	char *copy;

	if (!histogram_add_text(all, text))
		json_refuse(
		    at, key, "not buckets as \"index:count index:count\"");
	copy = strdup(text);
	if (copy == NULL)
		err(1, "no memory for the series");
	return copy;
}

/* All of them or none. */
static void
read_states(const struct json_node *at, struct report_row *row)
{
	row->states_known = true;
#define READ_STATE(name, number) \
	row->states_known &=     \
	    json_get_count_or_null(at, "tcp_" #name, &row->states.name);
	SOCKDIAG_STATES(READ_STATE)
}

static void
read_row(const struct json_node *series, size_t i, struct report *r)
{
	struct report_row *row = report_row_new(r);
	struct json_node at;

	json_enter_element(series, i, &at);
	row->second = json_get_count(&at, "unix_s");
	if (row->second % r->row_step != 0)
		json_refuse(&at, "unix_s",
		    "not a multiple of series_step_s, %" PRIu64, r->row_step);
	row->end = json_get_count(&at, "end_unix_ns");
	if (row->end < r->begun)
		json_refuse(&at, "end_unix_ns", "before times_unix_ns.begun");
	row->length = json_get_seconds(&at, "length_s");
	row->offered = json_get_real(&at, "offered");
	row->open = json_get_count(&at, "open");
	REPORT_ROW_CONNECTIONS(READ_ROW)
	STATS_QUERIES(READ_ROW)
	if (is_lacking(&at, "bytes_of_answers"))
		row->n.bytes_of_answers = row->n.bytes_received;
	row->skipped = json_get_count(&at, "skipped");
	row->lost = json_get_count(&at, "lost");
	STATS_WARMUP(READ_ROW_WARMUP)
	row->response.sum_ns = json_get_count(&at, "response_sum_ns");
	row->lateness.sum_ns = json_get_count(&at, "lateness_sum_ns");
	row->response.buckets =
	    read_row_buckets(&at, "response_buckets", &r->change.response);
	row->lateness.buckets =
	    read_row_buckets(&at, "lateness_buckets", &r->change.lateness);
	REPORT_ROW_TIMES(READ_RESPONSE)
	REPORT_ROW_TIMES(READ_LATENESS)
	read_states(&at, row);
}

/*
 * Rows are what the totals grew by, so they add up to them exactly. A row alone
 * may be off by a query: the parent reads while the workers count.
 */
static void
expect_rows(const struct json_node *top, const char *name, uint64_t rows,
    uint64_t total)
{
	if (rows != total)
		json_refuse(top, "series",
		    "the rows add up to %s %" PRIu64
		    ", but in all it is %" PRIu64,
		    name, rows, total);
}

static void
expect_buckets(const struct json_node *top, const char *name,
    const struct histogram *rows, const struct histogram *total)
{
	if (memcmp(rows->bucket, total->bucket, sizeof(rows->bucket)) != 0)
		json_refuse(top, "series",
		    "the %s_buckets of the rows do not add up to %s_ns.buckets",
		    name, name);
}

#define EXPECT(name) expect_rows(top, #name, n.name, s->n.name);
#define EXPECT_WARMUP(name) \
	expect_rows(top, "warmup_" #name, n.warmup_##name, s->n.warmup_##name);

void
report_check_rows(const struct json_node *top, const struct report *r)
{
	const struct stats *s = &r->total.stats;
	struct stats_counters n = {0};
	uint64_t skipped = 0, lost = 0, response = 0, lateness = 0;
	const struct report_row *row;
	size_t i;

	for (i = 0; i < r->row_count; i++) { /* there may be none at all */
		row = &r->rows[i];
		report_counters_add(&n, &row->n);
		skipped = report_plus(skipped, row->skipped);
		lost = report_plus(lost, row->lost);
		response = report_plus(response, row->response.sum_ns);
		lateness = report_plus(lateness, row->lateness.sum_ns);
	}
	REPORT_ROW_CONNECTIONS(EXPECT)
	STATS_QUERIES(EXPECT)
	STATS_WARMUP(EXPECT_WARMUP)
	expect_rows(top, "skipped", skipped, stats_skipped(&s->n));
	expect_rows(top, "lost", lost, stats_lost(&s->n));
	expect_rows(top, "response_sum_ns", response, s->response.sum);
	expect_rows(top, "lateness_sum_ns", lateness, s->lateness.sum);
	expect_buckets(top, "response", &r->change.response, &s->response);
	expect_buckets(top, "lateness", &r->change.lateness, &s->lateness);
}

/* Of an older result, 1. */
static uint64_t
read_step(const struct json_node *top)
{
	uint64_t step;

	if (json_object_get(top->value, "series_step_s") == NULL)
		return 1;
	step = json_get_count(top, "series_step_s");
	if (step == 0 || (step & (step - 1)) != 0)
		json_refuse(top, "series_step_s", "not a power of two");
	return step;
}

void
report_read_series(const struct json_node *top, struct report *r)
{
	struct json_node at;
	size_t i;

	r->row_step = read_step(top);
	json_enter_array(top, "series", &at);
	for (i = 0; i < json_array_size(at.value); i++)
		read_row(&at, i, r);
}
