/*
 * Adding up the series of several runs by the second of the wall clock.
 *
 * A row keeps its buckets as text, a few KB; the one histogram there is, 66 KB,
 * is filled for a second at a time.
 */
#include <stdlib.h>
#include <string.h>

#include "client/report_internal.h"
#include "lib/clock.h"
#include "lib/json_read.h"

static int
by_time(const void *a, const void *b)
{
	const struct report_row *x = a, *y = b;

	if (x->second != y->second)
		return x->second < y->second ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

/* One more row's times of the second; its text is let go of. */
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

/* The rows of a run follow one another, those of two lie side by side. */
static void
add_row(struct report_row *into, const struct report_row *row, bool one_run)
{
	report_counters_add(&into->n, &row->n);
	into->skipped = report_plus(into->skipped, row->skipped);
	into->lost = report_plus(into->lost, row->lost);
	into->offered = report_plus_real(into->offered, row->offered);
	add_states(into, row, one_run);
	if (row->end > into->end)
		into->end = row->end;
	if (one_run) {
		into->open = row->open;
		into->length = report_plus(into->length, row->length);
		if (into->length > JSON_SECONDS_MOST * CLOCK_NS_PER_SEC)
			report_too_large();
		return;
	}
	into->open = report_plus(into->open, row->open);
	if (row->length > into->length)
		into->length = row->length;
}

/* What is written of the second must be fit to be read. */
static void
put_times(struct report_row_times *t, const struct histogram *h)
{
	uint64_t count = 0;
	size_t i;

	for (i = 0; i < HISTOGRAM_BUCKETS; i++)
		count = report_plus(count, h->bucket[i]);
	report_row_times(t, h, true);
}

/* Adds up the rows of one second into the first. change: zero before and after. */
static void
join_second(
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

void
report_rows_join(struct report *r, bool one_run)
{
	size_t to = 0, from, next;

	memset(&r->change, 0, sizeof(r->change));
	if (r->row_count > 0)
		qsort(r->rows, r->row_count, sizeof(*r->rows), by_time);
	for (from = 0; from < r->row_count; from = next) {
		for (next = from + 1; next < r->row_count &&
		     r->rows[next].second == r->rows[from].second;)
			next++;
		if (next - from > 1)
			join_second(
			    &r->rows[from], next - from, &r->change, one_run);
		r->rows[to++] = r->rows[from];
	}
	r->row_count = to;
}

void
report_rows_move(struct report *into, struct report *from)
{
	size_t i;

	for (i = 0; i < from->row_count; i++)
		*report_row_new(into) = from->rows[i];
	from->row_count = 0; /* the texts are into's */
}
