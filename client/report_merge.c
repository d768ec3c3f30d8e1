/*
 * Adding up results. Every sum is associative, so that a merged result can be
 * merged again: what would not be, as whether all runs were at the same time, is
 * kept in a form that is (struct report_runs).
 */
#include <bsd/err.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client/report_internal.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/json_read.h"
#include "lib/status.h"

/* Rows of several files are added up when that many have come together. */
#define ROWS_AT_ONCE 16384

#define MORE_SIZE 32 /* " and N more" */

struct merge {
	struct report *sum;
	struct report_lines reasons; /* those of the files, with their names */
	struct report_lines failed;
	struct report_lines repeated; /* files with runs that came before */
	size_t rows_least; /* as of the last time that rows were added up */
};

/*
 * The numbers.
 */

void
report_too_large(void)
{
	errx(STATUS_USAGE,
	    "the results add up to more than a result can hold, 2^63");
}

uint64_t
report_plus(uint64_t a, uint64_t b)
{
	if (b > INT64_MAX - a)
		report_too_large();
	return a + b;
}

double
report_plus_real(double a, double b)
{
	if (a + b > JSON_REAL_MOST)
		errx(STATUS_USAGE,
		    "the rates add up to more than a result can hold, %g",
		    JSON_REAL_MOST);
	return a + b;
}

static uint32_t
plus32(uint32_t a, uint32_t b)
{
	if (b > UINT32_MAX - a)
		errx(STATUS_USAGE,
		    "the results are of more workers, connections or runs than "
		    "a result can hold, 2^32");
	return a + b;
}

void
report_counters_add(
    struct stats_counters *into, const struct stats_counters *from)
{
	uint64_t *to = (uint64_t *)into;
	const uint64_t *add = (const uint64_t *)from;
	size_t i;

	for (i = 0; i < sizeof(*into) / sizeof(*to); i++)
		to[i] = report_plus(to[i], add[i]);
}

/* Buckets need no look: the accounts say that they add up to counters. */
static void
check_sums(const struct stats *into, const struct stats *from)
{
	struct stats_counters sum = into->n;

	report_counters_add(&sum, &from->n);
#define CHECK(name) (void)report_plus(into->name.sum, from->name.sum);
	STATS_HISTOGRAMS(CHECK)
}

static void
add_drops(struct sockdiag_drops *into, const struct sockdiag_drops *from)
{
	into->known = into->known && from->known;
	into->alone = into->alone && from->alone;
	into->count = report_plus(into->count, from->count);
}

static void
add_kernel(struct netstat *into, const struct netstat *from)
{
	size_t i;

	for (i = 0; i < NETSTAT_COUNT; i++) {
		into->readable[i] = into->readable[i] && from->readable[i];
		if (into->readable[i])
			into->value[i] =
			    report_plus(into->value[i], from->value[i]);
	}
}

/* They are of different moments, so only the most is of use. */
static void
add_gauges(struct gauges_span *into, const struct gauges_span *from)
{
	gauges_raise(&into->most, &from->most);
	memset(&into->begin, 0, sizeof(into->begin));
	memset(&into->end, 0, sizeof(into->end));
}

/*
 * What was asked, and when.
 */

static uint64_t
larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t
smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t
same(uint64_t a, uint64_t b)
{
	return a == b ? a : REPORT_DIFFERS;
}

static void
add_config(struct report *sum, const struct report *in)
{
	struct report_config *c = &sum->config;
	const struct report_config *d = &in->config;

	c->connections = plus32(c->connections, d->connections);
	c->workers = plus32(c->workers, d->workers);
	c->query_rate = report_plus_real(c->query_rate, d->query_rate);
	/* 0 is as fast as it goes, with whatever else */
	c->open_rate = c->open_rate == 0 || d->open_rate == 0 ?
	    0 :
	    report_plus_real(c->open_rate, d->open_rate);
	c->duration = larger(c->duration, d->duration);
	sum->arrivals_differ |=
	    in->arrivals_differ || c->arrivals != d->arrivals;
	c->warmup = same(c->warmup, d->warmup);
	c->drain = same(c->drain, d->drain);
	c->timeout = same(c->timeout, d->timeout);
	c->connect_timeout = same(c->connect_timeout, d->connect_timeout);
	/* the sum is as good as what the strictest of them allows */
	c->max_lateness = smaller(c->max_lateness, d->max_lateness);
	c->seed = same(c->seed, d->seed);
	sum->probe_differs |= in->probe_differs || c->probe != d->probe;
	c->probe &= !sum->probe_differs;
	if (c->view != d->view)
		c->view = DIAGNOSIS_FROM_SOME;
	sum->close_differs |= in->close_differs || c->reset != d->reset;
	report_life_add(sum->life, in->life);
}

/* Objects of counts. */
static void
add_counts(json_t *into, json_t *from)
{
	const char *key;
	json_t *count;

	json_object_foreach(from, key, count) json_put_count(into, key,
	    plus32((uint32_t)json_integer_value(json_object_get(into, key)),
		(uint32_t)json_integer_value(count)));
}

static void
add_runs(struct report_runs *into, const struct report_runs *from)
{
	into->count = plus32((uint32_t)into->count, (uint32_t)from->count);
	add_counts(into->targets, from->targets);
	add_counts(into->ids, from->ids);
	if (from->longest == 0)
		return;
	if (into->longest == 0) {
		into->last_begin = from->last_begin;
		into->first_end = from->first_end;
	}
	into->last_begin = larger(into->last_begin, from->last_begin);
	into->first_end = smaller(into->first_end, from->first_end);
	into->longest = larger(into->longest, from->longest);
}

/* "A, B and 2 more" */
static void
name_targets(struct report *r)
{
	char text[REPORT_TARGET_SIZE - MORE_SIZE];
	size_t left = json_object_size(r->runs.targets), used = 0;
	const char *target;
	json_t *runs;

	json_object_foreach(r->runs.targets, target, runs)
	{
		json_printable(text, sizeof(text), target);
		if (used + strlen(", ") + strlen(text) >= sizeof(text)) {
			snprintf(
			    r->target + used, MORE_SIZE, " and %zu more", left);
			break;
		}
		used += (size_t)snprintf(r->target + used, sizeof(text) - used,
		    "%s%s", used > 0 ? ", " : "", text);
		left--;
	}
	r->config.target = r->target;
}

/*
 * All together.
 */

/* Those from the first on, behind the file's name. */
static void
take_lines(struct report_lines *into, const struct report_lines *from,
    size_t first, const char *file)
{
	char name[REPORT_LINE_SIZE / 2];
	char text[2 * REPORT_LINE_SIZE];

	json_printable(name, sizeof(name), json_file_name(file));
	for (; first < from->count; first++) {
		snprintf(text, sizeof(text), "%s: %s", name, from->at[first]);
		report_lines_add(into, text);
	}
}

/*
 * The reasons that runs had of their own: a sum hides them. Those that a merged
 * file was given from its sum come again, if they hold, from the new sum.
 */
static void
take_reasons(struct merge *m, const struct report *in, const char *file)
{
	take_lines(&m->reasons, &in->reasons,
	    in->runs.count > 1 ? in->reasons_judged : 0, file);
	take_lines(&m->failed, &in->failed, 0, file);
}

/* Most often a file that was named twice. */
static void
note_repeated(struct merge *m, const struct report *in, const char *file)
{
	char name[REPORT_LINE_SIZE / 2], text[REPORT_LINE_SIZE];
	size_t runs = 0;
	const char *id;
	json_t *times;

	json_object_foreach(in->runs.ids, id, times)
	{
		if (json_integer_value(times) > 1 ||
		    (m->sum != NULL &&
			json_object_get(m->sum->runs.ids, id) != NULL))
			runs++;
	}
	if (runs == 0)
		return;
	json_printable(name, sizeof(name), json_file_name(file));
	snprintf(text, sizeof(text),
	    "%s: %zu of its runs %s been added before: counted more than once",
	    name, runs, runs == 1 ? "has" : "have");
	report_lines_add(&m->repeated, text);
}

/* Rows of several runs can be added up where they are as long. */
static void
equal_steps(struct report *sum, struct report *in)
{
	if (in->row_step > sum->row_step) {
		report_rows_join(sum, false);
		report_rows_coarsen(sum, in->row_step);
	} else if (in->row_step < sum->row_step)
		report_rows_coarsen(in, sum->row_step);
}

static void
add_report(struct report *sum, struct report *in)
{
	check_sums(&sum->total.stats, &in->total.stats);
	add_config(sum, in);
	sum->begun = sum->begun_wall = smaller(sum->begun, in->begun);
	generator_result_add(&sum->total, &in->total);
	sum->refused_beside =
	    report_plus(sum->refused_beside, in->refused_beside);
	add_runs(&sum->runs, &in->runs);
	add_kernel(&sum->kernel, &in->kernel);
	add_drops(&sum->drops, &in->drops);
	add_gauges(&sum->gauges, &in->gauges);
	sum->end.interrupted |= in->end.interrupted;
	if (in->end.interrupted_at != 0)
		sum->end.interrupted_at = sum->end.interrupted_at == 0 ?
		    in->end.interrupted_at :
		    smaller(sum->end.interrupted_at, in->end.interrupted_at);
	sum->end.by_command |= in->end.by_command;
	sum->end.workers_died =
	    plus32(sum->end.workers_died, in->end.workers_died);
	sum->end.late_start = larger(sum->end.late_start, in->end.late_start);
	sum->end.usage.ran = fmax(sum->end.usage.ran, in->end.usage.ran);
	sum->end.usage.stolen =
	    fmax(sum->end.usage.stolen, in->end.usage.stolen);
	sum->end.usage.throttled =
	    fmax(sum->end.usage.throttled, in->end.usage.throttled);
	sum->end.usage.crowd = fmax(sum->end.usage.crowd, in->end.usage.crowd);
	sum->end.usage.waited =
	    fmax(sum->end.usage.waited, in->end.usage.waited);
#define ADD_CAUSE(name)                           \
	sum->end.usage.causes.name = report_plus( \
	    sum->end.usage.causes.name, in->end.usage.causes.name);
	READ_DELAY_CAUSES(ADD_CAUSE)
	equal_steps(sum, in);
	report_rows_move(sum, in);
}

/* Rows of the same time are added up once in so many files, not after each. */
static void
add_file(struct merge *m, const char *file)
{
	struct report *in = report_read(file);

	take_reasons(m, in, file);
	note_repeated(m, in, file);
	report_rows_join(in, true);
	if (m->sum == NULL) {
		m->sum = in;
		return;
	}
	add_report(m->sum, in);
	report_free(in);
	if (m->sum->row_count >= 2 * m->rows_least + ROWS_AT_ONCE) {
		report_rows_join(m->sum, false);
		m->rows_least = m->sum->row_count;
	}
}

static void
give_lines(struct report_lines *into, const struct report_lines *from)
{
	size_t i;

	for (i = 0; i < from->count; i++)
		report_lines_add(into, from->at[i]);
}

static void
judge(struct merge *m)
{
	struct report_lines none = {.count = 0};

	m->sum->reasons = m->sum->failed = none;
	report_conclude(m->sum);
	give_lines(&m->sum->reasons, &m->reasons);
	give_lines(&m->sum->failed, &m->failed);
	give_lines(&m->sum->warnings, &m->repeated);
}

struct report *
report_merge(
    const struct report_config *config, char *const *files, size_t count)
{
	struct merge *m = calloc(1, sizeof(*m));
	struct report *sum;
	size_t i;

	if (m == NULL)
		err(1, "no memory for the report");
	for (i = 0; i < count; i++)
		add_file(m, files[i]);
	sum = m->sum;
	report_rows_join(sum, false);
	report_rows_bound(sum);
	name_targets(sum);
	sum->config.argc = config->argc;
	sum->config.argv = config->argv;
	sum->config.fail = config->fail;
	sum->config.fail_count = config->fail_count;
	if (config->max_lateness != CLOCK_NEVER)
		sum->config.max_lateness = config->max_lateness;
	judge(m);
	free(m);
	return sum;
}
