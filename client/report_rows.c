/*
 * The rows that are kept, and how they become fewer: when there are more than
 * REPORT_ROWS_MOST, two of them become one, and later ones are as long. Nothing is
 * lost but the time between them: counters and buckets add up exactly.
 *
 * To join all at once would take about a second, in which the parent does nothing
 * else and takes a processor from the workers. So each second joins a few: rows are
 * joined in front, and wait to be joined behind.
 *
 *	rows of row_step | none | rows of half of it, then of row_step
 *	0         rows_joined   rows_next                   row_count
 *
 * A row keeps its buckets as text, a few KB; the one histogram there is, 66 KB,
 * is filled for a row at a time.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "client/report_internal.h"
#include "lib/clock.h"
#include "lib/json_read.h"

/* More than come in a second, or they would never all be joined. */
#define JOINED_AT_ONCE 2

/* The array doubles at every power of two: no capacity to keep. */
struct report_row *
report_row_new(struct report *r)
{
	size_t n = r->row_count;

	if ((n & (n - 1)) == 0) {
		r->rows =
		    realloc(r->rows, (n == 0 ? 1 : 2 * n) * sizeof(*r->rows));
		if (r->rows == NULL)
			err(1, "no memory for the series");
	}
	r->rows[n] = (struct report_row){0};
	return &r->rows[r->row_count++];
}

void
report_rows_free(struct report *r)
{
	size_t i;

	for (i = 0; i < r->row_count; i++) {
		free(r->rows[i].response.buckets);
		free(r->rows[i].lateness.buckets);
	}
	free(r->rows);
}

/* One more row's times; its text is let go of. */
static void
add_times(struct histogram *h, struct report_row_times *t)
{
	if (!histogram_add_text(h, t->buckets))
		report_too_large();
	h->sum = report_plus(h->sum, t->sum_ns);
	if (t->buckets[0] != '\0') {
		if (t->max_ns > h->max)
			h->max = t->max_ns;
		if (~t->min_ns > h->min_complement)
			h->min_complement = ~t->min_ns;
	}
	free(t->buckets);
	t->buckets = NULL;
}

/* Of a run the later one holds; of several runs all must be known. */
static void
add_states(struct report_row *into, const struct report_row *row, bool one_run)
{
	if (one_run) {
		if (!row->states_known)
			return;
		into->states = row->states;
		into->states_known = true;
		return;
	}
	into->states_known = into->states_known && row->states_known;
#define ADD_STATE(name, number) \
	into->states.name = report_plus(into->states.name, row->states.name);
	if (into->states_known) {
		SOCKDIAG_STATES(ADD_STATE)
	}
}

static uint64_t
begin_of(const struct report_row *row)
{
	return row->end > row->length ? row->end - row->length : 0;
}

/* From the first begin to the last end. */
static void
add_length(struct report_row *into, const struct report_row *row)
{
	uint64_t begin = begin_of(into);

	if (begin_of(row) < begin)
		begin = begin_of(row);
	if (row->end > into->end)
		into->end = row->end;
	into->length = into->end - begin;
	if (into->length > JSON_SECONDS_MOST * CLOCK_NS_PER_SEC)
		report_too_large();
}

/* The rows of a run follow one another, those of two lie side by side. */
static void
add_row(struct report_row *into, const struct report_row *row, bool one_run)
{
	report_counters_add(&into->n, &row->n);
	into->skipped = report_plus(into->skipped, row->skipped);
	into->lost = report_plus(into->lost, row->lost);
	into->offered = report_plus_real(into->offered, row->offered);
	add_states(into, row, one_run);
	add_length(into, row);
	into->open = one_run ? row->open : report_plus(into->open, row->open);
}

/* What is written of the row must be fit to be read. */
static void
put_times(struct report_row_times *t, const struct histogram *h)
{
	uint64_t count = 0;
	size_t i;

	for (i = 0; i < HISTOGRAM_BUCKETS; i++)
		count = report_plus(count, h->bucket[i]);
	report_row_times(t, h, true);
}

void
report_row_join(
    struct report_row *rows, size_t count, struct stats *change, bool one_run)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (i > 0)
			add_row(&rows[0], &rows[i], one_run);
		add_times(&change->response, &rows[i].response);
		add_times(&change->lateness, &rows[i].lateness);
	}
	put_times(&rows[0].response, &change->response);
	put_times(&rows[0].lateness, &change->lateness);
	memset(&change->response, 0, sizeof(change->response));
	memset(&change->lateness, 0, sizeof(change->lateness));
}

/* The first of the rows that wait: into the last one that is joined, or behind it. */
static void
join_next(struct report *r)
{
	struct report_row pair[2], *last;

	pair[1] = r->rows[r->rows_next];
	r->rows[r->rows_next++] = (struct report_row){0};
	pair[1].second -= pair[1].second % r->row_step;
	last = r->rows_joined > 0 ? &r->rows[r->rows_joined - 1] : NULL;
	if (last == NULL || last->second != pair[1].second) {
		r->rows[r->rows_joined++] = pair[1];
		return;
	}
	pair[0] = *last;
	report_row_join(pair, 2, &r->change, true);
	*last = pair[0];
}

static void
join_up_to(struct report *r, size_t count)
{
	memset(&r->change, 0, sizeof(r->change));
	for (; count > 0 && r->rows_next < r->row_count; count--)
		join_next(r);
	if (r->rows_next < r->row_count)
		return;
	r->row_count = r->rows_next = r->rows_joined;
	if (r->row_count <= REPORT_ROWS_MOST)
		return;
	r->row_step *= 2;
	r->rows_joined = r->rows_next = 0;
}

void
report_rows_join_some(struct report *r)
{
	join_up_to(r, JOINED_AT_ONCE);
}

void
report_rows_join_all(struct report *r)
{
	do
		join_up_to(r, SIZE_MAX);
	while (r->rows_next < r->row_count);
}
