/*
 * Adding up the series of several runs by the wall clock. Rows of different
 * lengths are first made those of the longest: as all are of 2^n seconds and begin
 * at multiples of that, each of the shorter ones is in one of the longer.
 */
#include <stdlib.h>
#include <string.h>

#include "client/report_internal.h"

static int
by_time(const void *a, const void *b)
{
	const struct report_row *x = a, *y = b;

	if (x->second != y->second)
		return x->second < y->second ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
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
			report_row_join(
			    &r->rows[from], next - from, &r->change, one_run);
		r->rows[to++] = r->rows[from];
	}
	r->row_count = to;
}

void
report_rows_coarsen(struct report *r, uint64_t step)
{
	size_t i;

	r->row_step = step;
	for (i = 0; i < r->row_count; i++)
		r->rows[i].second -= r->rows[i].second % step;
	report_rows_join(r, true);
}

/* How many rows of so many seconds they would be. They are in order. */
static size_t
rows_of_step(const struct report *r, uint64_t step)
{
	size_t count = 0, i;

	for (i = 0; i < r->row_count; i++)
		count += i == 0 ||
		    r->rows[i].second / step != r->rows[i - 1].second / step;
	return count;
}

void
report_rows_bound(struct report *r)
{
	uint64_t step = r->row_step;

	while (rows_of_step(r, step) > REPORT_ROWS_MOST)
		step *= 2;
	if (step > r->row_step)
		report_rows_coarsen(r, step);
}

void
report_rows_move(struct report *into, struct report *from)
{
	size_t i;

	for (i = 0; i < from->row_count; i++)
		*report_row_new(into) = from->rows[i];
	from->row_count = 0; /* the texts are into's */
}
