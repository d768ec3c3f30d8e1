/*
 * The series: one row for each second of the wall clock, so that the rows of
 * several hosts lie above one another. As CSV they are written as they come; those
 * that are kept for the JSON result become longer with the run (report_rows.c).
 */
#include <inttypes.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "client/report_internal.h"

void
report_row_times(
    struct report_row_times *t, const struct histogram *h, bool keep)
{
	free(t->buckets);
	t->buckets = keep ? histogram_to_text(h) : NULL;
	t->sum_ns = h->sum;
	t->min_ns = histogram_min(h);
	t->p50_ns = histogram_quantile(h, 0.5);
	t->p90_ns = histogram_quantile(h, 0.9);
	t->p99_ns = histogram_quantile(h, 0.99);
	t->p99_9_ns = histogram_quantile(h, 0.999);
	t->max_ns = histogram_max(h);
}

#define VISIT(name)	   v->count(v, #name, row->n.name);
#define VISIT_WARMUP(name) v->count(v, "warmup_" #name, row->n.warmup_##name);
#define VISIT_RESPONSE(name) \
	visit_time(v, "response_" #name, row->response.name);
#define VISIT_LATENESS(name) \
	visit_time(v, "lateness_" #name, row->lateness.name);

static void
visit_time(struct report_visitor *v, const char *name, uint64_t ns)
{
	if (ns == HISTOGRAM_NONE)
		v->nothing(v, name);
	else
		v->count(v, name, ns);
}

static void
visit_states(const struct report_row *row, struct report_visitor *v)
{
#define VISIT_STATE(name, number)                            \
	if (row->states_known)                               \
		v->count(v, "tcp_" #name, row->states.name); \
	else                                                 \
		v->nothing(v, "tcp_" #name);
	SOCKDIAG_STATES(VISIT_STATE)
}

void
report_row_visit(const struct report *r, const struct report_row *row,
    struct report_visitor *v)
{
	v->count(v, "unix_s", row->second);
	v->real(v, "t_s", clock_to_seconds(row->end - r->begun));
	v->real(v, "length_s", clock_to_seconds(row->length));
	v->real(v, "offered", row->offered);
	v->count(v, "open", row->open);
	REPORT_ROW_CONNECTIONS(VISIT)
	STATS_QUERIES(VISIT)
	v->count(v, "skipped", row->skipped);
	v->count(v, "lost", row->lost);
	STATS_WARMUP(VISIT_WARMUP)
	v->count(v, "response_sum_ns", row->response.sum_ns);
	REPORT_ROW_TIMES(VISIT_RESPONSE)
	v->count(v, "lateness_sum_ns", row->lateness.sum_ns);
	REPORT_ROW_TIMES(VISIT_LATENESS)
	visit_states(row, v);
}

/*
 * As comma-separated values.
 */

struct csv {
	struct report_visitor visitor;
	FILE *out;
	const char *separator;
};

static const char *
separator(struct csv *csv)
{
	const char *before = csv->separator;

	csv->separator = ",";
	return before;
}

static void
count_name(struct report_visitor *v, const char *name, uint64_t value)
{
	struct csv *csv = (struct csv *)v;

	(void)value;
	fprintf(csv->out, "%s%s", separator(csv), name);
}

static void
real_name(struct report_visitor *v, const char *name, double value)
{
	(void)value;
	count_name(v, name, 0);
}

/* An empty field has a name all the same. */
static void
nothing_name(struct report_visitor *v, const char *name)
{
	count_name(v, name, 0);
}

static void
count_value(struct report_visitor *v, const char *name, uint64_t value)
{
	struct csv *csv = (struct csv *)v;

	(void)name;
	fprintf(csv->out, "%s%" PRIu64, separator(csv), value);
}

static void
real_value(struct report_visitor *v, const char *name, double value)
{
	struct csv *csv = (struct csv *)v;

	(void)name;
	fprintf(csv->out, "%s%.6f", separator(csv), value);
}

static void
nothing_value(struct report_visitor *v, const char *name)
{
	struct csv *csv = (struct csv *)v;

	(void)name;
	fputs(separator(csv), csv->out);
}

static void
write_line(const struct report *r, const struct report_row *row, FILE *out,
    struct report_visitor visitor)
{
	struct csv csv = {.visitor = visitor, .out = out, .separator = ""};

	report_row_visit(r, row, &csv.visitor);
	fputc('\n', out);
}

void
report_row_write(const struct report *r, const struct report_row *row,
    bool header, FILE *out)
{
	if (header)
		write_line(r, row, out,
		    (struct report_visitor){
			count_name, real_name, nothing_name});
	write_line(r, row, out,
	    (struct report_visitor){count_value, real_value, nothing_value});
	fflush(out);
}

void
report_series(const struct report *r, FILE *out)
{
	size_t i;

	for (i = 0; i < r->row_count; i++)
		report_row_write(r, &r->rows[i], i == 0, out);
}

/*
 * In mid-run.
 */

/* What the program has due from one moment to another. */
static double
offered(const struct report *r, const struct generator_result *sum,
    uint64_t from, uint64_t to)
{
	uint64_t begin = sum->clock_begin;

	if (sum->query_end != 0 && to > sum->query_end)
		to = sum->query_end;
	if (begin == 0 || to <= begin || r->config.program == NULL)
		return 0;
	return program_arrivals(
	    r->config.program, from > begin ? from - begin : 0, to - begin);
}

void
report_states(struct report *r, const struct sockdiag_states *s, FILE *out)
{
	const char *between = "tcp: ";

	r->states = *s;
	r->states_known = true;
	if (out == NULL)
		return;
#define SAY_STATE(name, number)                                         \
	if (s->name > 0) {                                              \
		fprintf(out, "%s" #name " %" PRIu64, between, s->name); \
		between = ", ";                                         \
	}
	SOCKDIAG_STATES(SAY_STATE)
	if (between[0] == ',')
		fputc('\n', out);
}

uint64_t
report_next_second(const struct report *r, uint64_t now)
{
	uint64_t wall = r->begun_wall + (r->sampled - r->begun);
	uint64_t next = r->sampled + CLOCK_NS_PER_SEC - wall % CLOCK_NS_PER_SEC;

	return next > now ? next - now : 0;
}

static uint64_t
wall_second(const struct report *r, uint64_t when)
{
	return (r->begun_wall + (when - r->begun)) / CLOCK_NS_PER_SEC;
}

/* Those of a row: gauges go down, too, and so they are no counts of a second. */
static struct stats_counters
row_counters(const struct stats_counters *change)
{
	struct stats_counters n = {0};

#define KEEP(name)	  n.name = change->name;
#define KEEP_WARMUP(name) n.warmup_##name = change->warmup_##name;
	REPORT_ROW_CONNECTIONS(KEEP)
	STATS_QUERIES(KEEP)
	STATS_WARMUP(KEEP_WARMUP)
	return n;
}

/* The row from the mark to now, where the mark is then; step: its seconds. */
static void
take_row(struct report *r, struct report_mark *mark, uint64_t step,
    const struct generator_result *sum, uint64_t now, bool keep,
    struct report_row *row)
{
	struct stats *change = &r->change;

	*change = sum->stats;
	stats_subtract(change, &mark->stats);
	row->end = now;
	row->length = now - mark->at;
	row->second = wall_second(r, mark->at);
	row->second -= row->second % step;
	row->offered = offered(r, sum, mark->at, now);
	row->open = stats_open(&sum->stats);
	row->n = row_counters(&change->n);
	row->skipped = stats_skipped(&change->n);
	row->lost = stats_lost(&change->n);
	report_row_times(&row->response, &change->response, keep);
	report_row_times(&row->lateness, &change->lateness, keep);
	mark->stats = sum->stats;
	mark->at = now;
}

static void
write_second(struct report *r, const struct generator_result *sum, uint64_t now)
{
	struct report_row row = {0};

	take_row(r, &r->second, 1, sum, now, false, &row);
	row.states = r->states;
	row.states_known = r->states_known;
	report_row_write(r, &row, !r->series_begun, r->config.series);
	r->series_begun = true;
}

static void
keep_row(struct report *r, const struct generator_result *sum, uint64_t now)
{
	struct report_row *row = report_row_new(r);

	take_row(r, &r->kept, r->row_step, sum, now, true, row);
	row->states = r->kept_states;
	row->states_known = r->kept_states_known;
	r->kept_states_known = false;
}

static void
sample(struct report *r, const struct generator_result *sum, uint64_t now,
    bool last)
{
	r->sampled = now;
	if (r->states_known) {
		r->kept_states = r->states;
		r->kept_states_known = true;
	}
	if (r->config.series != NULL)
		write_second(r, sum, now);
	r->states_known = false;
	if (!r->config.keep_buckets)
		return;
	if (last ||
	    wall_second(r, now) / r->row_step !=
		wall_second(r, r->kept.at) / r->row_step)
		keep_row(r, sum, now);
	report_rows_join_some(r);
}

void
report_sample(
    struct report *r, const struct generator_result *sum, uint64_t now)
{
	sample(r, sum, now, false);
}

void
report_sample_last(
    struct report *r, const struct generator_result *sum, uint64_t now)
{
	sample(r, sum, now, true);
	report_rows_join_all(r);
}
