/*
 * Merging the results of several runs gives, number for number, the result of
 * all their samples together.
 */
#include "tests/unit/support.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "client/report_internal.h"
#include "lib/clock.h"
#include "lib/json.h"

#define RUNS	4
#define ALL	RUNS /* the one that gets every sample */
#define SECONDS 5
#define EVENTS	4000 /* a second and run */

/* Of the wall clock, and of a monotonic one that began at another time. */
#define BEGUN_WALL (UINT64_C(1790000000) * CLOCK_NS_PER_SEC + 123456789)
#define BEGUN	   (UINT64_C(5000) * CLOCK_NS_PER_SEC + 987654321)

#define COUNTERS (sizeof(struct stats_counters) / sizeof(uint64_t))

struct world {
	struct rng rng;
	struct report *reports[RUNS + 1];
	struct generator_result *sums[RUNS + 1];
	char files[RUNS][32];
};

/*
 * Samples: what happens to a connection, a query, a probe, so that the accounts
 * close.
 */

struct event {
	uint64_t kind;
	uint64_t detail;
	uint64_t a; /* of any magnitude */
	uint64_t b;
};

#define ADDRESS_SKIPPED(name) &n->skipped_##name,
#define ADDRESS_LOST(name)    &n->lost_##name,

static void
answer(struct stats *s, const struct event *e)
{
	struct stats_counters *n = &s->n;

	n->answered++;
	n->replies++;
	histogram_add(&s->response, e->a);
	histogram_add(&s->service, e->b);
	if (e->a % 17 == 16)
		n->echoed++;
	else
		n->rcode[e->a % 17]++;
}

static void
query(struct stats *s, const struct event *e)
{
	struct stats_counters *n = &s->n;
	uint64_t *skipped[] = {STATS_SKIPPED(ADDRESS_SKIPPED)};
	uint64_t *lost[] = {STATS_LOST(ADDRESS_LOST)};

	n->scheduled++;
	if (e->detail % 7 == 0) {
		(*skipped[e->a % LENGTH(skipped)])++;
		return;
	}
	n->sent++;
	n->send_blocked += e->detail % 2;
	n->bytes_sent += e->a % 99;
	n->bytes_received += e->a % 7 + e->b % 99;
	n->bytes_of_answers += e->b % 99;
	n->bytes_of_no_answer += e->a % 7;
	histogram_add(&s->lateness, e->b);
	if (e->detail % 7 == 1)
		n->timed_out++;
	else if (e->detail % 7 == 2)
		(*lost[e->a % LENGTH(lost)])++;
	else
		answer(s, e);
}

static void
stray(struct stats *s, const struct event *e)
{
	uint64_t *kinds[] = {&s->n.late, &s->n.unmatched, &s->n.malformed};

	(*kinds[e->detail % LENGTH(kinds)])++;
	s->n.replies++;
}

static void
probe(struct stats *s, const struct event *e)
{
	struct stats_counters *n = &s->n;
	uint64_t *ends[] = {
	    &n->probe_answered, &n->probe_timed_out, &n->probe_lost};
	uint64_t i = e->detail % LENGTH(ends);

	n->probe_sent++;
	n->replies += i == 0;
	(*ends[i])++;
}

static void
warm_up(struct stats *s, const struct event *e)
{
	struct stats_counters *n = &s->n;
	uint64_t *ends[] = {&n->warmup_answered, &n->warmup_timed_out,
	    &n->warmup_lost, &n->warmup_skipped};
	uint64_t i = e->detail % LENGTH(ends);

	n->warmup_scheduled++;
	n->warmup_sent += i != 3;
	n->replies += i == 0;
	(*ends[i])++;
}

static void
opened_connection(struct stats *s, const struct event *e, uint64_t error)
{
	struct stats_counters *n = &s->n;
	uint64_t *ends[] = {&n->closed_by_peer, &n->reset_by_peer,
	    &n->closed_by_error, &n->closed_locally, &n->closed_worker_died,
	    &n->closed_churned, &n->closed_used_up, &n->closed_on_timeout,
	    &n->closed_on_request};
	uint64_t *proofs[] = {&n->verified, &n->unverified, &n->suspect_unacked,
	    &n->suspect_queued, &n->wrong_answer};
	uint64_t *end = ends[e->b % LENGTH(ends)];

	n->opened++;
	(*proofs[e->b % LENGTH(proofs)])++;
	n->peak++;
	histogram_add(&s->connect, e->a);
	++*end;
	if (end == &n->closed_by_error)
		stats_count_end(s, (int)error);
	if (end == &n->closed_churned || end == &n->closed_used_up)
		histogram_add(&s->lifetime, e->a + e->b);
	n->reopened++;
	n->out_of_ids += e->a % 2;
	n->opened_late += e->a % 2;
#define TOUCH(name) n->evidence_##name += e->a % 2;
	STATS_EVIDENCE(TOUCH)
#undef TOUCH
	histogram_add(&s->open_lateness, e->b);
	n->paced += e->b % 2;
	n->churn_begun += 1 - e->b % 2;
	n->missed_window_full += e->a % 3;
	n->missed_all_busy += e->a % 5;
	n->missed_after_failure += e->b % 3;
	n->missed_late += e->b % 5;
	n->unsent_after_failure += e->a % 7;
	n->unsent_on_request += e->b % 7;
	n->unsent_for_answers += e->a % 3;
	n->unsent_in_handshake += e->b % 3;
	n->churn_skipped += e->b % 2;
	n->churn_late += e->b % 2;
}

static void
connection(struct stats *s, const struct event *e)
{
	uint64_t error = e->a % STATS_ERRNOS;

	if (error > 0 && strerrorname_np((int)error) == NULL)
		error = 0;
	s->n.attempted++;
	if (e->detail % 4 == 0) {
		s->n.abandoned++;
		s->n.buried++;
	} else if (e->detail % 4 == 1)
		stats_count_failure(s, (int)error);
	else
		opened_connection(s, e, error);
}

static struct event
draw(struct rng *rng)
{
	return (struct event){
	    .kind = rng_below(rng, 12),
	    .detail = rng_next(rng) >> 8,
	    .a = rng_next(rng) >> (24 + rng_below(rng, 40)),
	    .b = rng_next(rng) >> (24 + rng_below(rng, 40)),
	};
}

static void
happen(struct stats *s, const struct event *e)
{
	static void (*const kinds[])(struct stats *, const struct event *) = {
	    stray, probe, warm_up, connection};

	if (e->kind < LENGTH(kinds))
		kinds[e->kind](s, e);
	else
		query(s, e);
}

/*
 * Runs.
 */

static void
new_report(struct world *w, size_t i)
{
	struct report_config config = {
	    .target = i % 2 == 0 ? "[2001:db8::1]:53" : "192.0.2.1:53",
	    .workers = 2,
	    .connections = 1000,
	    .open_rate = 100,
	    .query_rate = 1000.25,
	    .duration = SECONDS * CLOCK_NS_PER_SEC,
	    .timeout = 250 * CLOCK_NS_PER_MS,
	    .connect_timeout = (i + 1) * CLOCK_NS_PER_SEC,
	    .seed = 42,
	    .reset = i == 1,
	    .keep_buckets = true,
	};
	struct report *r = report_new(&config);

	r->begun = r->second.at = r->kept.at = BEGUN;
	r->begun_wall = BEGUN_WALL;
	w->reports[i] = r;
	w->sums[i] = calloc(1, sizeof(*w->sums[i]));
	assert_non_null(w->sums[i]);
}

/* Rows of a second of the wall clock, as those of all hosts are. */
static uint64_t
end_of_second(size_t second)
{
	return BEGUN + (second + 1) * CLOCK_NS_PER_SEC -
	    BEGUN_WALL % CLOCK_NS_PER_SEC;
}

static bool
is_counted(size_t run, size_t second)
{
	return second % 3 != 0 || run == 2;
}

/* Of all runs only the seconds of which all of them know. */
static void
count_states(struct world *w, size_t second)
{
	struct sockdiag_states sum = {0}, states;
	bool all = true;
	size_t i;

	for (i = 0; i < RUNS; i++) {
		if (!is_counted(i, second)) {
			all = false;
			continue;
		}
#define DRAW(name, number)                         \
	states.name = rng_below(&w->rng, 1000000); \
	sum.name += states.name;
		SOCKDIAG_STATES(DRAW)
		report_states(w->reports[i], &states, NULL);
	}
	if (all)
		report_states(w->reports[ALL], &sum, NULL);
}

static void
run_second(struct world *w, size_t second)
{
	struct event e;
	size_t i, k;

	for (i = 0; i < RUNS; i++)
		for (k = 0; k < EVENTS; k++) {
			e = draw(&w->rng);
			happen(&w->sums[i]->stats, &e);
			happen(&w->sums[ALL]->stats, &e);
		}
	count_states(w, second);
	for (i = 0; second < SECONDS - 1 && i <= RUNS; i++)
		report_sample(w->reports[i], w->sums[i], end_of_second(second));
}

static void
finish(struct world *w, size_t i)
{
	static const struct report_end end = {.workers_died = 1};
	struct generator_result *sum = w->sums[i];

	sum->open_begin = BEGUN + 1;
	sum->open_end = BEGUN + 1000000 + i % RUNS;
	sum->query_begin = BEGUN + 2000000 + i % RUNS;
	sum->query_end = sum->query_begin + SECONDS * CLOCK_NS_PER_SEC;
	sum->close_begin = sum->query_end + 1;
	sum->close_end = sum->query_end + 2;
	report_finish(
	    w->reports[i], sum, end_of_second(SECONDS - 1) - 1000, &end);
}

static void
write_result(const struct report *r, char file[32])
{
	FILE *out;
	int fd;

	strcpy(file, "/tmp/merge_test.XXXXXX");
	fd = mkstemp(file);
	assert_true(fd != -1);
	out = fdopen(fd, "w");
	assert_non_null(out);
	report_json(r, out);
	assert_int_equal(fclose(out), 0);
}

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	size_t i;

	assert_non_null(w);
	w->rng.state = 20260801;
	for (i = 0; i <= RUNS; i++)
		new_report(w, i);
	for (i = 0; i < SECONDS; i++)
		run_second(w, i);
	for (i = 0; i <= RUNS; i++)
		finish(w, i);
	for (i = 0; i < RUNS; i++)
		write_result(w->reports[i], w->files[i]);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;
	size_t i;

	for (i = 0; i < RUNS; i++)
		unlink(w->files[i]);
	for (i = 0; i <= RUNS; i++) {
		report_free(w->reports[i]);
		free(w->sums[i]);
	}
	free(w);
	return 0;
}

static struct report *
merge(char *const *files, size_t count)
{
	static const struct report_config config = {.argc = 0};

	return report_merge(&config, files, count);
}

static struct report *
merge_all(struct world *w)
{
	char *files[RUNS];
	size_t i;

	for (i = 0; i < RUNS; i++)
		files[i] = w->files[i];
	return merge(files, RUNS);
}

/*
 * Tests.
 */

/* What no sample touches would be equal for the wrong reason. */
static void
every_counter_was_touched(void **state)
{
	const struct world *w = *state;
	const struct stats_counters *n = &w->sums[ALL]->stats.n;
	const uint64_t *counters = (const uint64_t *)n;
	const size_t failed = COUNTERS - 2 * STATS_ERRNOS;
	const size_t closed = COUNTERS - STATS_ERRNOS;
	size_t i, some = 0;

	for (i = 0; i < closed; i++)
		if (i <= failed || strerrorname_np((int)(i - failed)) != NULL)
			assert_true(counters[i] > 0);
	/* these are too rare for all of them */
	for (; i < COUNTERS; i++)
		some += counters[i] > 0;
	assert_true(some > STATS_ERRNOS / 4);
}

static void
totals_are_those_of_all_samples(void **state)
{
	struct world *w = *state;
	const struct stats *all = &w->sums[ALL]->stats;
	struct report *merged = merge_all(w);

	assert_memory_equal(&merged->total.stats.n, &all->n, sizeof(all->n));
	/* buckets, sum, min and max, and so every percentile */
#define SAME(name)           \
	assert_memory_equal( \
	    &merged->total.stats.name, &all->name, sizeof(all->name));
	STATS_HISTOGRAMS(SAME)
	assert_int_equal(stats_check(&merged->total.stats, stderr), 0);
	report_free(merged);
}

static void
same_times(
    const struct report_row_times *is, const struct report_row_times *expected)
{
	assert_string_equal(is->buckets, expected->buckets);
	assert_int_equal(is->sum_ns, expected->sum_ns);
	/* of a second they are known to the bucket, see histogram_subtract() */
#define SAME_BUCKET(name) \
	assert_int_equal( \
	    histogram_index(is->name), histogram_index(expected->name));
	REPORT_ROW_TIMES(SAME_BUCKET)
}

static void
seconds_are_those_of_all_samples(void **state)
{
	struct world *w = *state;
	const struct report_row *is, *expected;
	struct report *merged = merge_all(w), *all = w->reports[ALL];
	size_t i;

	assert_int_equal(merged->row_count, SECONDS);
	for (i = 0; i < SECONDS; i++) {
		is = &merged->rows[i];
		expected = &all->rows[i];
		assert_int_equal(is->second, expected->second);
		assert_int_equal(is->length, expected->length);
		assert_int_equal(
		    is->end - merged->begun, expected->end - BEGUN);
		assert_int_equal(is->open, expected->open);
		assert_int_equal(is->skipped, expected->skipped);
		assert_int_equal(is->lost, expected->lost);
#define SAME_COUNT(name)  assert_int_equal(is->n.name, expected->n.name);
#define SAME_WARMUP(name) SAME_COUNT(warmup_##name)
		REPORT_ROW_CONNECTIONS(SAME_COUNT)
		STATS_QUERIES(SAME_COUNT)
		STATS_WARMUP(SAME_WARMUP)
		assert_int_equal(is->states_known, expected->states_known);
		assert_int_equal(is->states_known, i % 3 != 0);
		if (is->states_known)
			assert_memory_equal(
			    &is->states, &expected->states, sizeof(is->states));
		same_times(&is->response, &expected->response);
		same_times(&is->lateness, &expected->lateness);
	}
	report_free(merged);
}

static void
what_was_asked_adds_up(void **state)
{
	struct report *r = merge_all(*state);

	assert_int_equal(r->config.connections, 4000);
	assert_int_equal(r->config.workers, 8);
	assert_true(r->config.query_rate == 4001.0);
	assert_true(r->config.open_rate == 400.0);
	assert_int_equal(r->config.duration, SECONDS * CLOCK_NS_PER_SEC);
	assert_int_equal(r->config.timeout, 250 * CLOCK_NS_PER_MS);
	assert_true(r->config.connect_timeout == REPORT_DIFFERS);
	assert_int_equal(r->config.seed, 42);
	assert_false(r->probe_differs);
	assert_true(r->close_differs);
	assert_string_equal(r->config.target, "[2001:db8::1]:53, 192.0.2.1:53");
	assert_int_equal(r->end.workers_died, 4);
	report_free(r);
}

static void
the_window_is_that_of_all_runs(void **state)
{
	struct report *r = merge_all(*state);

	assert_int_equal(r->begun, BEGUN_WALL);
	assert_int_equal(r->total.query_begin, BEGUN_WALL + 2000000);
	assert_int_equal(
	    report_duration(r), SECONDS * CLOCK_NS_PER_SEC + RUNS - 1);
	assert_int_equal(r->runs.count, RUNS);
	assert_int_equal(r->runs.longest, SECONDS * CLOCK_NS_PER_SEC);
	assert_int_equal(r->runs.first_end - r->runs.last_begin,
	    SECONDS * CLOCK_NS_PER_SEC - (RUNS - 1));
	report_free(r);
}

/* Each run's own reasons come after those of the sum, with its file's name. */
static void
reasons_name_their_files(void **state)
{
	struct world *w = *state;
	struct report *r = merge_all(w);
	size_t i, at = r->reasons_judged;

	assert_true(at > 0);
	for (i = 0; i < RUNS; i++) {
		assert_memory_equal(
		    r->reasons.at[at], w->files[i], strlen(w->files[i]));
		assert_string_equal(r->reasons.at[at] + strlen(w->files[i]) + 2,
		    w->reports[i]->reasons.at[0]);
		at += w->reports[i]->reasons.count;
	}
	assert_int_equal(at, r->reasons.count);
	report_free(r);
}

/* As text, without the reasons, which name files. */
static char *
text_of(const struct report *r)
{
	char *text = NULL, *plain;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	json_t *result;

	report_json(r, out);
	assert_int_equal(fclose(out), 0);
	result = json_loads(text, 0, NULL);
	assert_non_null(result);
	assert_int_equal(
	    json_object_del(json_object_get(result, "verdict"), "reasons"), 0);
	plain = json_dumps(result, JSON_INDENT(1));
	assert_non_null(plain);
	json_decref(result);
	free(text);
	return plain;
}

static void
merging_is_associative(void **state)
{
	struct world *w = *state;
	char *front[] = {w->files[0], w->files[1]};
	char *back[] = {w->files[2], w->files[3]};
	char halves[2][32], *both[] = {halves[0], halves[1]};
	struct report *merged[] = {
	    merge_all(w), merge(front, 2), merge(back, 2)};
	struct report *again;
	char *expected, *is;

	write_result(merged[1], halves[0]);
	write_result(merged[2], halves[1]);
	again = merge(both, 2);
	expected = text_of(merged[0]);
	is = text_of(again);
	assert_string_equal(is, expected);
	assert_int_equal(again->reasons.count, merged[0]->reasons.count);
	free(expected);
	free(is);
	report_free(again);
	report_free(merged[0]);
	report_free(merged[1]);
	report_free(merged[2]);
	unlink(halves[0]);
	unlink(halves[1]);
}

static void
one_file_is_its_own_sum(void **state)
{
	struct world *w = *state;
	char *files[] = {w->files[2]};
	struct report *r = merge(files, 1);

	assert_memory_equal(
	    &r->total.stats, &w->sums[2]->stats, sizeof(r->total.stats));
	assert_int_equal(r->row_count, SECONDS);
	assert_string_equal(r->config.target, "[2001:db8::1]:53");
	report_free(r);
}

/* Rows of one run follow one another: no connection is open twice. */
static void
a_second_in_two_rows_and_disorder(void **state)
{
	struct world *w = *state;
	struct report *r = report_read(w->files[0]), *joined;
	struct report_row row = r->rows[1];
	char file[32], *files[] = {file};
	uint64_t length = r->rows[1].length + r->rows[2].length;

	r->rows[2].second = r->rows[1].second;
	r->rows[1] = r->rows[4];
	r->rows[4] = row;
	write_result(r, file);
	joined = merge(files, 1);
	assert_int_equal(joined->row_count, SECONDS - 1);
	assert_int_equal(joined->rows[1].second, row.second);
	assert_int_equal(joined->rows[1].open, r->rows[2].open);
	assert_int_equal(joined->rows[1].length, length);
	assert_int_equal(
	    joined->rows[1].n.sent, row.n.sent + r->rows[2].n.sent);
	assert_int_equal(joined->rows[3].second, r->rows[1].second);
	report_free(r);
	report_free(joined);
	unlink(file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_counter_was_touched),
	    cmocka_unit_test(totals_are_those_of_all_samples),
	    cmocka_unit_test(seconds_are_those_of_all_samples),
	    cmocka_unit_test(what_was_asked_adds_up),
	    cmocka_unit_test(the_window_is_that_of_all_runs),
	    cmocka_unit_test(reasons_name_their_files),
	    cmocka_unit_test(merging_is_associative),
	    cmocka_unit_test(one_file_is_its_own_sum),
	    cmocka_unit_test(a_second_in_two_rows_and_disorder),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
