/*
 * However long a run is, its rows are few, begin at multiples of their length, and
 * add up to its totals exactly; so do those of merged runs with rows of different
 * lengths.
 */
#include "tests/unit/support.h"

#include <stdio.h>
#include <unistd.h>

#include "client/report_internal.h"
#include "lib/clock.h"

#define DAY 86400

/* Of the wall clock, and of a monotonic one that began at another time. */
#define BEGUN_WALL (UINT64_C(1790000001) * CLOCK_NS_PER_SEC + 123456789)
#define BEGUN	   (UINT64_C(5000) * CLOCK_NS_PER_SEC + 987654321)

/* A run, and what was counted in each of its seconds. */
struct run {
	struct rng rng;
	struct report *report;
	struct generator_result *sum;
	uint64_t begun_wall;
	uint64_t seconds;
	char file[40];
};

static void
begin(struct run *run, uint64_t begun_wall, uint64_t seed)
{
	static const struct report_config config = {
	    .target = "192.0.2.1:53",
	    .workers = 1,
	    .connections = 1,
	    .keep_buckets = true,
	};
	struct report *r = report_new(&config);

	*run = (struct run){.rng.state = seed, .report = r};
	r->begun = r->second.at = r->kept.at = r->sampled = BEGUN;
	r->begun_wall = run->begun_wall = begun_wall;
	run->sum = calloc(1, sizeof(*run->sum));
	assert_non_null(run->sum);
}

/* A second has as many queries as its number's last digit. */
static uint64_t
queries_of(uint64_t second)
{
	return second % 10;
}

static void
query(struct run *run)
{
	struct stats *s = &run->sum->stats;
	uint64_t time = rng_next(&run->rng) >> (24 + rng_below(&run->rng, 30));

	s->n.scheduled++;
	s->n.sent++;
	s->n.answered++;
	s->n.replies++;
	s->n.echoed++;
	s->n.bytes_sent += 30;
	histogram_add(&s->response, time);
	histogram_add(&s->service, time);
	histogram_add(&s->lateness, time >> 7);
	histogram_add(&s->read_delay, time >> 9);
}

/* When that second of the wall clock begins, monotonic. */
static uint64_t
begin_of(const struct run *run, uint64_t second)
{
	return BEGUN + (second * CLOCK_NS_PER_SEC - run->begun_wall);
}

static void
run_for(struct run *run, uint64_t seconds)
{
	uint64_t second = run->begun_wall / CLOCK_NS_PER_SEC, i, k;

	for (i = 0; i < seconds; i++, second++) {
		for (k = queries_of(second); k > 0; k--)
			query(run);
		/* gauges: what goes up in a second may go down in the next */
		run->sum->stats.n.unverified = second % 2;
		run->sum->stats.n.suspect_queued = 1 - second % 2;
		report_sample(run->report, run->sum,
		    begin_of(run, second + 1) + CLOCK_NS_PER_MS);
		assert_true(run->report->row_count <= 3 * REPORT_ROWS_MOST / 2);
	}
	run->seconds += seconds;
}

static void
end(struct run *run)
{
	static const struct report_end none = {0};
	uint64_t second = run->begun_wall / CLOCK_NS_PER_SEC + run->seconds;

	run->sum->stats.n.unverified = run->sum->stats.n.suspect_queued = 0;
	run->sum->query_begin = BEGUN + 1;
	run->sum->query_end = begin_of(run, second) + CLOCK_NS_PER_SEC / 4;
	report_finish(run->report, run->sum,
	    begin_of(run, second) + CLOCK_NS_PER_SEC / 2, &none);
}

static void
write_result(struct run *run, const struct report *r)
{
	FILE *out;
	int fd;

	strcpy(run->file, "/tmp/report_rows_test.XXXXXX");
	fd = mkstemp(run->file);
	assert_true(fd != -1);
	out = fdopen(fd, "w");
	assert_non_null(out);
	report_json(r, out);
	assert_int_equal(fclose(out), 0);
}

static void
forget(struct run *run)
{
	report_free(run->report);
	free(run->sum);
}

static struct report *
merge(const struct run *a, const struct run *b)
{
	static const struct report_config config = {.argc = 0};
	char first[40], second[40], *files[] = {first, second};

	strcpy(first, a->file);
	strcpy(second, b->file);
	return report_merge(&config, files, 2);
}

/* In order, at multiples of the step; each has what its seconds had. */
static void
check_rows(const struct report *r, const struct run *runs, size_t count)
{
	const struct report_row *row;
	uint64_t second, end, sent;
	size_t i;

	assert_true(r->row_count <= REPORT_ROWS_MOST);
	for (row = r->rows; row < r->rows + r->row_count; row++) {
		assert_int_equal(row->second % r->row_step, 0);
		assert_true(row == r->rows || row->second > row[-1].second);
		sent = 0;
		for (i = 0; i < count; i++) {
			second = runs[i].begun_wall / CLOCK_NS_PER_SEC;
			end = second + runs[i].seconds;
			for (; second < end; second++)
				if (second / r->row_step ==
				    row->second / r->row_step)
					sent += queries_of(second);
		}
		assert_int_equal(row->n.sent, sent);
	}
}

static void
check_sums(const struct report *r, const struct stats *total)
{
	struct histogram *sum = calloc(2, sizeof(*sum));
	const struct report_row *row;
	uint64_t answered = 0;

	assert_non_null(sum);
	for (row = r->rows; row < r->rows + r->row_count; row++) {
		answered += row->n.answered;
		sum[0].sum += row->response.sum_ns;
		sum[1].sum += row->lateness.sum_ns;
		assert_true(histogram_add_text(&sum[0], row->response.buckets));
		assert_true(histogram_add_text(&sum[1], row->lateness.buckets));
	}
	assert_int_equal(answered, total->n.answered);
	assert_int_equal(sum[0].sum, total->response.sum);
	assert_int_equal(sum[1].sum, total->lateness.sum);
	assert_memory_equal(
	    sum[0].bucket, total->response.bucket, sizeof(sum[0].bucket));
	assert_memory_equal(
	    sum[1].bucket, total->lateness.bucket, sizeof(sum[1].bucket));
	free(sum);
}

static void
a_run_of_a_day_has_few_rows_that_add_up(void **state)
{
	struct run run;
	uint64_t length = 0;
	size_t i;

	(void)state;
	begin(&run, BEGUN_WALL, 1);
	run_for(&run, DAY);
	end(&run);
	assert_int_equal(run.report->row_step, 128);
	assert_true(run.report->row_count > REPORT_ROWS_MOST / 2);
	check_rows(run.report, &run, 1);
	check_sums(run.report, &run.sum->stats);
	for (i = 0; i < run.report->row_count; i++)
		length += run.report->rows[i].length;
	assert_int_equal(
	    length, run.report->rows[run.report->row_count - 1].end - BEGUN);
	forget(&run);
}

/* Also where it ends while rows are being joined, and just before and behind. */
static void
a_run_of_any_length_has_rows_that_add_up(void **state)
{
	static const struct {
		uint64_t seconds;
		uint64_t step;
	} lengths[] = {{0, 1}, {1, 1}, {1023, 1}, {1024, 2}, {1025, 2},
	    {1300, 2}, {2046, 2}, {2047, 4}, {2600, 4}, {5000, 8}};
	struct run run;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(lengths); i++) {
		begin(&run, BEGUN_WALL, i + 1);
		run_for(&run, lengths[i].seconds);
		end(&run);
		assert_int_equal(run.report->row_step, lengths[i].step);
		check_rows(run.report, &run, 1);
		check_sums(run.report, &run.sum->stats);
		forget(&run);
	}
}

/* Rows of 1 s and of 4 s, which begin and end in the middle of the others. */
static void
rows_of_different_lengths_are_merged_exactly(void **state)
{
	struct run runs[2], merged;
	struct stats *total = calloc(1, sizeof(*total));
	struct report *both, *reverse, *again;
	size_t i;

	(void)state;
	assert_non_null(total);
	begin(&runs[0], BEGUN_WALL + 301 * CLOCK_NS_PER_SEC, 1);
	begin(&runs[1], BEGUN_WALL, 2);
	run_for(&runs[0], 600);
	run_for(&runs[1], 3000);
	for (i = 0; i < 2; i++) {
		end(&runs[i]);
		write_result(&runs[i], runs[i].report);
		stats_merge(total, &runs[i].sum->stats);
	}
	assert_int_equal(runs[0].report->row_step, 1);
	assert_int_equal(runs[1].report->row_step, 4);
	both = merge(&runs[0], &runs[1]);
	reverse = merge(&runs[1], &runs[0]);
	assert_int_equal(both->row_step, 4);
	check_rows(both, runs, 2);
	check_sums(both, total);
	check_rows(reverse, runs, 2);
	check_sums(reverse, total);
	/* what was merged can be merged again */
	write_result(&merged, both);
	again = merge(&merged, &runs[0]);
	stats_merge(total, &runs[0].sum->stats);
	assert_int_equal(again->row_step, 4);
	check_sums(again, total);
	for (i = 0; i < 2; i++) {
		unlink(runs[i].file);
		forget(&runs[i]);
	}
	unlink(merged.file);
	report_free(both);
	report_free(reverse);
	report_free(again);
	free(total);
}

/* Two runs of 1 s rows, one after the other: together they are too many. */
static void
merged_rows_are_as_few(void **state)
{
	struct run runs[2];
	struct stats *total = calloc(1, sizeof(*total));
	struct report *both;
	size_t i;

	(void)state;
	assert_non_null(total);
	begin(&runs[0], BEGUN_WALL, 1);
	begin(&runs[1], BEGUN_WALL + 1000000 * CLOCK_NS_PER_SEC, 2);
	for (i = 0; i < 2; i++) {
		run_for(&runs[i], 1000);
		end(&runs[i]);
		write_result(&runs[i], runs[i].report);
		stats_merge(total, &runs[i].sum->stats);
	}
	both = merge(&runs[0], &runs[1]);
	assert_int_equal(both->row_step, 2);
	assert_in_range(both->row_count, 1000, 1004);
	check_rows(both, runs, 2);
	check_sums(both, total);
	for (i = 0; i < 2; i++) {
		unlink(runs[i].file);
		forget(&runs[i]);
	}
	report_free(both);
	free(total);
}

/* The next row ends with its second, and at once where that passed meanwhile. */
static void
a_second_that_is_over_is_a_row_at_once(void **state)
{
	struct run run;
	uint64_t first, now;

	(void)state;
	begin(&run, BEGUN_WALL, 1);
	first = begin_of(&run, BEGUN_WALL / CLOCK_NS_PER_SEC + 1);
	assert_int_equal(report_next_second(run.report, BEGUN), first - BEGUN);
	assert_int_equal(report_next_second(run.report, first - 1), 1);
	assert_int_equal(report_next_second(run.report, first), 0);
	now = first + CLOCK_NS_PER_SEC / 3;
	assert_int_equal(report_next_second(run.report, now), 0);
	report_sample(run.report, run.sum, now);
	assert_int_equal(report_next_second(run.report, now),
	    first + CLOCK_NS_PER_SEC - now);
	end(&run);
	forget(&run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_run_of_a_day_has_few_rows_that_add_up),
	    cmocka_unit_test(a_run_of_any_length_has_rows_that_add_up),
	    cmocka_unit_test(rows_of_different_lengths_are_merged_exactly),
	    cmocka_unit_test(merged_rows_are_as_few),
	    cmocka_unit_test(a_second_that_is_over_is_a_row_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
