#include "tests/unit/support.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "client/stats.h"

#define COUNTERS (sizeof(struct stats_counters) / sizeof(uint64_t))

static struct stats *
stats_new(void)
{
	struct stats *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	return s;
}

static uint64_t *
counter_array(struct stats *s)
{
	return (uint64_t *)(void *)&s->n;
}

/* How many identities are broken; each is one line of *text, to be freed. */
static unsigned int
check(const struct stats *s, char **text)
{
	size_t size;
	FILE *out = open_memstream(text, &size);
	unsigned int broken, lines = 0;
	const char *p;

	assert_non_null(out);
	broken = stats_check(s, out);
	assert_int_equal(fclose(out), 0);
	for (p = *text; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	assert_int_equal(lines, broken);
	return broken;
}

static void
expect_sound(const struct stats *s)
{
	char *text;

	if (check(s, &text) != 0)
		fail_msg("%s", text);
	free(text);
}

static unsigned int
count_broken(const struct stats *s)
{
	char *text;
	unsigned int broken = check(s, &text);

	free(text);
	return broken;
}

/*
 * A run in small: every kind of connection and of query, booked in the order in
 * which a worker books them. Only the first stores are made: what comes after
 * them is what a worker that dies there does not live to book.
 */
struct run {
	struct stats *stats;
	unsigned int left; /* stores */
	unsigned int made;
};

static void
count(struct run *r, uint64_t *counter)
{
	if (r->left == 0)
		return;
	r->left--;
	r->made++;
	++*counter;
}

static void
uncount(struct run *r, uint64_t *counter)
{
	if (r->left == 0)
		return;
	r->left--;
	r->made++;
	--*counter;
}

/* One connection is now known as another kind; there may be none left. */
static void
prove(struct run *r, uint64_t *from, uint64_t *to)
{
	if (*from == 0)
		return;
	uncount(r, from);
	count(r, to);
}

static void
note(struct run *r, struct histogram *h, uint64_t value)
{
	if (r->left == 0)
		return;
	r->left--;
	r->made++;
	histogram_add(h, value);
}

static void
run_open(struct run *r)
{
	struct stats_counters *n = &r->stats->n;

	count(r, &n->attempted);
	note(r, &r->stats->open_lateness, 20 + r->made);
	count(r, &n->paced);
	note(r, &r->stats->connect, 40000 + r->made);
	count(r, &n->opened);
	count(r, &n->unverified);
	count(r, &n->peak);
}

static void
run_fail(struct run *r, int error)
{
	struct stats_counters *n = &r->stats->n;

	count(r, &n->attempted);
	count(r, &n->failed);
	count(r, &n->failed_errno[error]);
}

static void
run_send(struct run *r)
{
	count(r, &r->stats->n.scheduled);
	note(r, &r->stats->lateness, 100 + r->made);
	count(r, &r->stats->n.sent);
	count(r, &r->stats->n.bytes_sent);
}

static void
run_skip(struct run *r, uint64_t *reason)
{
	count(r, &r->stats->n.scheduled);
	count(r, reason);
}

static void
run_answer(struct run *r, uint64_t *kind)
{
	struct stats_counters *n = &r->stats->n;

	run_send(r);
	count(r, &n->replies);
	note(r, &r->stats->response, 70000 + r->made);
	note(r, &r->stats->service, 60000 + r->made);
	note(r, &r->stats->read_delay, 1000 + r->made);
	count(r, &n->answered);
	count(r, kind);
	prove(r, &n->suspect_unacked, &n->suspect_queued);
	prove(r, &n->suspect_queued, &n->verified);
}

static void
run_time_out(struct run *r)
{
	struct stats_counters *n = &r->stats->n;

	run_send(r);
	count(r, &n->timed_out);
	prove(r, &n->unverified, &n->suspect_unacked);
}

static void
run_late(struct run *r)
{
	run_time_out(r);
	count(r, &r->stats->n.replies);
	count(r, &r->stats->n.late);
}

/* The answer that was late is what tells that the time is out. */
static void
run_expired(struct run *r)
{
	run_send(r);
	count(r, &r->stats->n.replies);
	count(r, &r->stats->n.timed_out);
	count(r, &r->stats->n.late);
}

static void
run_reply(struct run *r, uint64_t *kind)
{
	count(r, &r->stats->n.replies);
	count(r, kind);
}

/* One query in flight is lost with the connection. */
static void
run_close(struct run *r, uint64_t *lost, uint64_t *end)
{
	run_send(r);
	count(r, lost);
	count(r, end);
}

/* A connection whose last query has been answered. */
static void
run_leave(struct run *r, uint64_t *end)
{
	run_answer(r, &r->stats->n.rcode[0]);
	note(r, &r->stats->lifetime, 90000 + r->made);
	count(r, end);
}

static void
run_probe(struct run *r)
{
	count(r, &r->stats->n.probe_sent);
	count(r, &r->stats->n.bytes_sent);
}

static void
run_probe_answer(struct run *r)
{
	run_probe(r);
	count(r, &r->stats->n.replies);
	prove(r, &r->stats->n.unverified, &r->stats->n.verified);
	count(r, &r->stats->n.probe_answered);
}

/* One that timed out; its answer comes too late, or tells that the time is out. */
static void
run_probe_late(struct run *r)
{
	run_probe(r);
	count(r, &r->stats->n.probe_timed_out);
	count(r, &r->stats->n.replies);
	count(r, &r->stats->n.late);
	run_probe(r);
	count(r, &r->stats->n.replies);
	count(r, &r->stats->n.probe_timed_out);
	count(r, &r->stats->n.late);
}

static void
run_warmup(struct run *r)
{
	count(r, &r->stats->n.warmup_scheduled);
	count(r, &r->stats->n.warmup_sent);
	count(r, &r->stats->n.bytes_sent);
}

/* The warm-up: every kind of end that its queries can have. */
static void
run_warmup_ends(struct run *r)
{
	struct stats_counters *n = &r->stats->n;

	run_warmup(r);
	count(r, &n->replies);
	count(r, &n->warmup_answered);
	run_warmup(r);
	count(r, &n->warmup_timed_out);
	count(r, &n->replies);
	count(r, &n->late);
	run_warmup(r);
	count(r, &n->replies);
	count(r, &n->warmup_timed_out);
	count(r, &n->late);
	run_warmup(r);
	count(r, &n->warmup_lost);
	count(r, &n->warmup_scheduled);
	count(r, &n->warmup_skipped);
}

static unsigned int
run(struct stats *s, unsigned int stores)
{
	struct stats_counters *n = &s->n;
	struct run r = {.stats = s, .left = stores};
	unsigned int i;

	for (i = 0; i < 9; i++)
		run_open(&r);
	run_fail(&r, 0);
	run_fail(&r, ECONNREFUSED);
	run_fail(&r, ECONNREFUSED);
	run_fail(&r, ETIMEDOUT);
	for (i = 0; i < 2; i++)
		run_probe_answer(&r);
	run_probe_late(&r);
	run_probe(&r);
	count(&r, &n->probe_lost);
	for (i = 0; i < 2; i++)
		run_warmup_ends(&r);
	for (i = 0; i < 3; i++) {
		run_answer(&r, &n->echoed);
		run_answer(&r, &n->rcode[0]);
		run_answer(&r, &n->rcode[3]);
		run_skip(&r, &n->skipped_no_connection);
		run_skip(&r, &n->skipped_ids_exhausted);
		run_time_out(&r);
		run_late(&r);
		run_expired(&r);
		run_reply(&r, &n->unmatched);
		run_reply(&r, &n->malformed);
		run_skip(&r, &n->skipped_output_full);
	}
	count(&r, &n->attempted);
	count(&r, &n->abandoned);
	run_skip(&r, &n->skipped_overload);
	run_close(&r, &n->lost_peer_fin, &n->closed_by_peer);
	run_close(&r, &n->lost_peer_rst, &n->reset_by_peer);
	run_close(&r, &n->lost_error, &n->closed_by_error);
	count(&r, &n->closed_errno[ETIMEDOUT]);
	run_close(&r, &n->lost_stopped, &n->closed_locally);
	run_answer(&r, &n->rcode[15]);
	run_close(&r, &n->lost_stopped, &n->closed_locally);
	run_close(&r, &n->lost_on_timeout, &n->closed_on_timeout);
	run_leave(&r, &n->closed_churned);
	run_leave(&r, &n->closed_used_up);
	run_answer(&r, &n->rcode[15]);
	count(&r, &n->closed_on_request);
	return r.made;
}

static struct stats *
sound_run(void)
{
	struct stats *s = stats_new();

	run(s, UINT_MAX);
	return s;
}

/*
 * Adding up.
 */

static void
all_counters_are_words(void **state)
{
#define ONE(name) +1
	const size_t named =
	    0 STATS_CONNECTIONS(ONE) STATS_GAUGES(ONE) STATS_SUSPECTS(ONE)
		STATS_EVIDENCE(ONE) STATS_QUERIES(ONE) STATS_SKIPPED(ONE)
		    STATS_LOST(ONE) STATS_PROBES(ONE) STATS_WARMUP(ONE);
#undef ONE

	(void)state;
	assert_int_equal(sizeof(struct stats_counters) % sizeof(uint64_t), 0);
	assert_int_equal(COUNTERS, named + DNS_RCODES + 2 * STATS_ERRNOS);
}

static void
merge_and_subtract_counters(void **state)
{
	struct stats *a = stats_new(), *b = stats_new();
	size_t i;

	(void)state;
	for (i = 0; i < COUNTERS; i++) {
		counter_array(a)[i] = i + 1;
		counter_array(b)[i] = 1000 * (i + 1);
	}
	stats_merge(a, b);
	for (i = 0; i < COUNTERS; i++) {
		assert_int_equal(counter_array(a)[i], 1001 * (i + 1));
		assert_int_equal(counter_array(b)[i], 1000 * (i + 1));
	}
	stats_subtract(a, b);
	for (i = 0; i < COUNTERS; i++)
		assert_int_equal(counter_array(a)[i], i + 1);
	free(a);
	free(b);
}

static void
merge_and_subtract_histograms(void **state)
{
	struct stats *a = stats_new(), *b = stats_new(), *earlier;
	uint64_t value = 1;

	(void)state;
#define PUT(name)                              \
	histogram_add(&a->name, value);        \
	histogram_add(&b->name, 1000 * value); \
	value++;
	STATS_HISTOGRAMS(PUT)
#undef PUT
	earlier = heap_copy(a, sizeof(*a));
	stats_merge(a, b);
	value = 1;
#define MERGED(name)                                      \
	assert_int_equal(histogram_count(&a->name), 2);   \
	assert_int_equal(histogram_min(&a->name), value); \
	assert_int_equal(a->name.max, 1000 * value);      \
	assert_int_equal(a->name.sum, 1001 * value);      \
	value++;
	STATS_HISTOGRAMS(MERGED)
#undef MERGED
	stats_subtract(a, earlier);
	value = 1;
#define LEFT(name)                                                          \
	assert_int_equal(histogram_count(&a->name), 1);                     \
	assert_int_equal(a->name.bucket[histogram_index(1000 * value)], 1); \
	assert_int_equal(a->name.sum, 1000 * value);                        \
	value++;
	STATS_HISTOGRAMS(LEFT)
#undef LEFT
	free(a);
	free(b);
	free(earlier);
}

static void
sums_over_reasons(void **state)
{
	struct stats *s = stats_new();
	uint64_t bit = 1, skipped = 0, lost = 0, suspects = 0;

	(void)state;
#define PUT(name) s->n.skipped_##name = bit, skipped |= bit, bit <<= 1;
	STATS_SKIPPED(PUT)
#undef PUT
#define PUT(name) s->n.lost_##name = bit, lost |= bit, bit <<= 1;
	STATS_LOST(PUT)
#undef PUT
#define PUT(name) s->n.suspect_##name = bit, suspects |= bit, bit <<= 1;
	STATS_SUSPECTS(PUT)
#undef PUT
	assert_int_equal(stats_suspects(&s->n), suspects);
	assert_int_equal(stats_skipped(&s->n), skipped);
	assert_int_equal(stats_lost(&s->n), lost);
	free(s);
}

/* Of queries, of probes and of the warm-up: none of them counts for another. */
static void
waiting_for_answers(void **state)
{
	struct stats *s = stats_new();

	(void)state;
	s->n.answered = 1000;
	s->n.timed_out = 2000;
	s->n.lost_peer_fin = 4000;
	s->n.sent = 7000 + 77;
	assert_int_equal(stats_in_flight(s), 77);
	s->n.probe_answered = 10000;
	s->n.probe_timed_out = 20000;
	s->n.probe_lost = 40000;
	s->n.probe_sent = 70000 + 66;
	assert_int_equal(stats_probes_in_flight(s), 66);
	assert_int_equal(stats_in_flight(s), 77);
	assert_int_equal(stats_waiting(s), 77 + 66);
	s->n.warmup_answered = 100000;
	s->n.warmup_timed_out = 200000;
	s->n.warmup_lost = 400000;
	s->n.warmup_sent = 700000 + 55;
	/* what was not sent is waited for by nobody */
	s->n.warmup_scheduled = 900000;
	s->n.warmup_skipped = 800000;
	assert_int_equal(stats_warmup_in_flight(s), 55);
	assert_int_equal(stats_probes_in_flight(s), 66);
	assert_int_equal(stats_in_flight(s), 77);
	assert_int_equal(stats_waiting(s), 77 + 66 + 55);
	free(s);
}

static void
pending_and_open(void **state)
{
	struct stats *s = stats_new();

	(void)state;
	s->n.opened = 400;
	s->n.failed = 500;
	s->n.abandoned = 600;
	s->n.attempted = 1500 + 88;
	assert_int_equal(stats_pending(s), 88);
	s->n.closed_by_peer = 1;
	s->n.reset_by_peer = 2;
	s->n.closed_by_error = 4;
	s->n.closed_locally = 8;
	s->n.closed_worker_died = 16;
	assert_int_equal(stats_open(s), 400 - 31);
	free(s);
}

static void
failures(void **state)
{
	static const struct {
		int error;
		size_t index;
	} cases[] = {{0, 0}, {1, 1}, {ECONNREFUSED, ECONNREFUSED}, {133, 133},
	    {134, 0}, {135, 0}, {-1, 0}, {-111, 0}, {INT_MAX, 0}, {INT_MIN, 0}};
	struct stats *s;
	size_t i, e;

	(void)state;
	assert_int_equal(STATS_ERRNOS, 134);
	for (i = 0; i < LENGTH(cases); i++) {
		s = stats_new();
		stats_count_failure(s, cases[i].error);
		assert_int_equal(s->n.failed, 1);
		for (e = 0; e < STATS_ERRNOS; e++)
			assert_int_equal(
			    s->n.failed_errno[e], e == cases[i].index);
		stats_count_failure(s, cases[i].error);
		assert_int_equal(s->n.failed, 2);
		free(s);
	}
}

/*
 * Checking.
 */

static void
check_sound(void **state)
{
	struct stats *s = stats_new(), *other;

	(void)state;
	expect_sound(s);
	run(s, UINT_MAX);
	expect_sound(s);
	assert_int_equal(stats_in_flight(s), 0);
	assert_int_equal(stats_probes_in_flight(s), 0);
	assert_int_equal(stats_warmup_in_flight(s), 0);
	assert_int_equal(stats_waiting(s), 0);
	assert_int_equal(stats_pending(s), 0);
	assert_int_equal(stats_open(s), 0);
	/* a sum of sound ones is sound */
	other = sound_run();
	stats_merge(s, other);
	expect_sound(s);
	free(s);
	free(other);
}

/* Expects that just these are reported; names are of the left sides. */
static void
expect_broken(const struct stats *s, const char *const *names)
{
	char *text, left[64];
	unsigned int broken = check(s, &text), expected = 0;

	for (; *names != NULL; names++) {
		snprintf(left, sizeof(left), " %s = ", *names);
		if (strstr(text, left) == NULL)
			fail_msg("%s is not reported, but:\n%s", *names, text);
		/* one that has two right sides is named twice */
		*strstr(text, left) = '-';
		expected++;
	}
	if (broken != expected)
		fail_msg("more is reported than is broken:\n%s", text);
	free(text);
}

/* The identities that one counter breaks when it alone is wrong. */
#define AT(field) offsetof(struct stats, field)
static const struct {
	size_t offset;
	const char *broken[7];
} identities[] = {
    {AT(n.scheduled), {"scheduled"}},
    {AT(n.sent), {"scheduled", "sent", "lateness.count"}},
    {AT(n.answered),
	{"sent", "replies", "answered", "response.count", "service.count",
	    "read_delay.count"}},
    {AT(n.timed_out), {"sent"}},
    {AT(n.replies), {"replies"}},
    {AT(n.late), {"replies"}},
    {AT(n.unmatched), {"replies"}},
    {AT(n.malformed), {"replies"}},
    {AT(n.probe_sent), {"probes sent"}},
    {AT(n.probe_answered), {"probes sent", "replies"}},
    {AT(n.probe_timed_out), {"probes sent"}},
    {AT(n.probe_lost), {"probes sent"}},
    {AT(n.warmup_scheduled), {"warm-up scheduled"}},
    {AT(n.warmup_sent), {"warm-up scheduled", "warm-up sent"}},
    {AT(n.warmup_skipped), {"warm-up scheduled"}},
    {AT(n.warmup_answered), {"warm-up sent", "replies"}},
    {AT(n.warmup_timed_out), {"warm-up sent"}},
    {AT(n.warmup_lost), {"warm-up sent"}},
    {AT(n.skipped_overload), {"scheduled"}},
    {AT(n.lost_drain_over), {"sent"}},
    {AT(n.lost_on_timeout), {"sent"}},
    {AT(n.echoed), {"answered"}},
    {AT(n.rcode[0]), {"answered"}},
    {AT(n.rcode[15]), {"answered"}},
    {AT(n.attempted), {"attempted"}},
    {AT(n.opened), {"attempted", "opened", "opened", "connect.count"}},
    {AT(n.verified), {"opened"}},
    {AT(n.unverified), {"opened"}},
    {AT(n.suspect_unacked), {"opened"}},
    {AT(n.suspect_queued), {"opened"}},
    {AT(n.failed), {"attempted", "failed"}},
    {AT(n.abandoned), {"attempted"}},
    {AT(n.failed_errno[0]), {"failed"}},
    {AT(n.failed_errno[ETIMEDOUT]), {"failed"}},
    {AT(n.closed_by_peer), {"opened"}},
    {AT(n.reset_by_peer), {"opened"}},
    {AT(n.closed_by_error), {"closed_by_error", "opened"}},
    {AT(n.closed_errno[ETIMEDOUT]), {"closed_by_error"}},
    {AT(n.closed_locally), {"opened"}},
    {AT(n.closed_churned), {"opened", "lifetime.count"}},
    {AT(n.closed_used_up), {"opened", "lifetime.count"}},
    {AT(n.closed_on_timeout), {"opened"}},
    {AT(n.closed_on_request), {"opened"}},
    {AT(response.bucket[999]), {"response.count"}},
    {AT(service.bucket[999]), {"service.count"}},
    {AT(read_delay.bucket[999]), {"read_delay.count"}},
    {AT(lateness.bucket[999]), {"lateness.count"}},
    {AT(connect.bucket[999]), {"connect.count"}},
    {AT(lifetime.bucket[999]), {"lifetime.count"}},
    {AT(open_lateness.bucket[999]), {"open_lateness.count"}},
    {AT(n.paced), {"open_lateness.count"}},
    {AT(n.churn_begun), {"open_lateness.count"}},
};
#undef AT

/* Breaks one counter after the other, upwards and downwards. */
static void
check_each_identity(void **state)
{
	struct stats *s = sound_run();
	uint64_t *counter;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(identities); i++) {
		counter =
		    (uint64_t *)(void *)((char *)s + identities[i].offset);
		++*counter;
		expect_broken(s, identities[i].broken);
		*counter -= 2; /* below zero as well */
		expect_broken(s, identities[i].broken);
		++*counter;
		expect_sound(s);
	}
	free(s);
}

/* No counter can be wrong without being noticed, but for these. */
static void
check_every_counter(void **state)
{
	struct stats *s = sound_run();
	const uint64_t *unchecked[] = {&s->n.peak, &s->n.buried,
	    &s->n.send_blocked, &s->n.bytes_sent, &s->n.reopened,
	    &s->n.churn_skipped, &s->n.churn_late, &s->n.out_of_ids,
	    &s->n.opened_late, &s->n.missed_window_full, &s->n.missed_all_busy,
	    &s->n.missed_after_failure, &s->n.missed_late,
	    &s->n.unsent_after_failure, &s->n.unsent_on_request,
	    &s->n.unsent_for_answers, &s->n.unsent_in_handshake,
	    &s->n.evidence_handshake_open, &s->n.evidence_data_lost,
	    &s->n.evidence_in_accept_queue, &s->n.evidence_not_read,
	    &s->n.evidence_read, &s->n.evidence_cut_off};
	bool checked;
	size_t i, u;

	(void)state;
	for (i = 0; i < COUNTERS; i++) {
		checked = true;
		for (u = 0; u < LENGTH(unchecked); u++)
			if (&counter_array(s)[i] == unchecked[u])
				checked = false;
		counter_array(s)[i]++;
		assert_int_equal(count_broken(s) > 0, checked);
		counter_array(s)[i]--;
	}
	free(s);
}

static void
check_prints_both_sides(void **state)
{
	struct stats *s = stats_new();
	char *text;

	(void)state;
	s->n.scheduled = 1234567890123;
	s->n.skipped_overload = 777;
	assert_int_equal(check(s, &text), 1);
	assert_non_null(strstr(text, "scheduled = 1234567890123"));
	assert_non_null(strstr(text, "sent + skipped = 777"));
	free(text);
	free(s);
}

/* Each worker that died may lack one service time, and no more. */
static void
check_service_of_the_dead(void **state)
{
	struct stats *s = sound_run();
	uint64_t *service =
	    &s->service.bucket[histogram_index(histogram_min(&s->service))];

	(void)state;
	--*service;
	assert_int_equal(count_broken(s), 1);
	s->n.buried = 1;
	expect_sound(s);
	*service += 2;
	assert_int_equal(count_broken(s), 1);
	--*service;
	expect_sound(s);
	s->n.buried = 0;
	free(s);
}

/*
 * Burying.
 */

static void
expect_buried(struct stats *s)
{
	struct stats *sum = sound_run();

	expect_sound(s);
	assert_int_equal(s->n.buried, 1);
	assert_int_equal(stats_in_flight(s), 0);
	assert_int_equal(stats_waiting(s), 0);
	assert_int_equal(stats_pending(s), 0);
	assert_int_equal(stats_open(s), 0);
	/* with the others */
	stats_merge(sum, s);
	expect_sound(sum);
	free(sum);
}

/* A worker can die between any two stores. */
static void
bury_at_any_point(void **state)
{
	struct stats *s = stats_new(), *before;
	const unsigned int stores = run(s, UINT_MAX);
	unsigned int k;

	(void)state;
	free(s);
	assert_true(stores > 200);
	for (k = 0; k <= stores; k++) {
		s = stats_new();
		assert_int_equal(run(s, k), k);
		before = heap_copy(s, sizeof(*s));
		stats_bury(s);
		expect_buried(s);
		/* nothing that was counted is lost */
		assert_int_equal(s->n.scheduled, before->n.scheduled);
		assert_int_equal(s->n.attempted, before->n.attempted);
		assert_true(s->n.sent >= before->n.sent);
		assert_true(s->n.sent <= before->n.sent + 1);
		assert_true(s->n.answered >= before->n.answered);
		assert_true(s->n.answered <= before->n.answered + 1);
		assert_true(s->n.opened >= before->n.opened);
		assert_int_equal(s->n.timed_out, before->n.timed_out);
		assert_int_equal(s->n.probe_sent, before->n.probe_sent);
		assert_int_equal(s->n.probe_answered, before->n.probe_answered);
		assert_int_equal(
		    s->n.probe_timed_out, before->n.probe_timed_out);
		assert_int_equal(
		    s->n.warmup_scheduled, before->n.warmup_scheduled);
		assert_int_equal(s->n.warmup_sent, before->n.warmup_sent);
		assert_int_equal(
		    s->n.warmup_answered, before->n.warmup_answered);
		assert_int_equal(
		    s->n.warmup_timed_out, before->n.warmup_timed_out);
		free(before);
		free(s);
	}
}

static void
bury_what_was_open(void **state)
{
	struct stats *s = stats_new();
	uint64_t i;

	(void)state;
	s->n.attempted = 10;
	s->n.opened = 7;
	s->n.verified = 3;
	s->n.suspect_unacked = 2;
	s->n.suspect_queued = 1; /* one more is unverified */
	stats_count_failure(s, ECONNREFUSED);
	for (i = 0; i < 7; i++)
		histogram_add(&s->connect, 1000);
	s->n.closed_by_peer = 3;
	s->n.scheduled = 100;
	s->n.skipped_no_connection = 10;
	s->n.sent = 80;
	for (i = 0; i < 80; i++)
		histogram_add(&s->lateness, 1000);
	s->n.answered = s->n.rcode[0] = s->n.replies = 50;
	for (i = 0; i < 50; i++) {
		histogram_add(&s->response, 1000);
		histogram_add(&s->service, 1000);
	}
	s->n.timed_out = 4;
	s->n.lost_peer_fin = 6;
	stats_bury(s);
	expect_buried(s);
	assert_int_equal(s->n.abandoned, 2);
	assert_int_equal(s->n.closed_worker_died, 4);
	assert_int_equal(s->n.lost_worker_died, 20);
	assert_int_equal(s->n.skipped_worker_died, 10);
	assert_int_equal(s->n.verified, 3);
	assert_int_equal(s->n.unverified, 1);
	assert_int_equal(stats_suspects(&s->n), 3);
	free(s);
}

/* Probes have books of their own, and the same kind of end. */
static void
bury_probes_in_flight(void **state)
{
	struct stats *s = stats_new();
	uint64_t i;

	(void)state;
	s->n.attempted = s->n.opened = 9;
	for (i = 0; i < 9; i++)
		histogram_add(&s->connect, 1000);
	s->n.probe_sent = 9;
	s->n.probe_answered = 3;
	s->n.probe_timed_out = 2;
	s->n.probe_lost = 1;
	s->n.closed_by_peer = 1;
	/* one answer had been counted as received, and no further */
	s->n.replies = 4;
	stats_bury(s);
	expect_buried(s);
	assert_int_equal(s->n.probe_sent, 9);
	assert_int_equal(s->n.probe_answered, 3);
	assert_int_equal(s->n.probe_timed_out, 2);
	assert_int_equal(s->n.probe_lost, 1 + 3);
	assert_int_equal(s->n.replies, 3);
	assert_int_equal(s->n.closed_worker_died, 8);
	assert_int_equal(s->n.sent, 0);
	assert_int_equal(s->n.lost_worker_died, 0);
	free(s);
}

/* So has the warm-up; what had not been sent by then is skipped. */
static void
bury_warmup_in_flight(void **state)
{
	struct stats *s = stats_new();

	(void)state;
	s->n.attempted = s->n.opened = 1;
	histogram_add(&s->connect, 1000);
	s->n.warmup_scheduled = 100;
	s->n.warmup_skipped = 7;
	s->n.warmup_sent = 60;
	s->n.warmup_answered = 30;
	s->n.warmup_timed_out = 5;
	s->n.warmup_lost = 2;
	s->n.late = 4;
	s->n.replies = 34 + 1;
	stats_bury(s);
	expect_buried(s);
	assert_int_equal(s->n.warmup_scheduled, 100);
	assert_int_equal(s->n.warmup_sent, 60);
	assert_int_equal(s->n.warmup_answered, 30);
	assert_int_equal(s->n.warmup_timed_out, 5);
	assert_int_equal(s->n.warmup_lost, 2 + 23);
	assert_int_equal(s->n.warmup_skipped, 7 + 33);
	assert_int_equal(s->n.replies, 34);
	assert_int_equal(s->n.scheduled, 0);
	assert_int_equal(s->n.sent, 0);
	assert_int_equal(stats_skipped(&s->n), 0);
	assert_int_equal(stats_lost(&s->n), 0);
	free(s);
}

/* Died behind the first store of an answer, of a query, of a connection. */
static void
bury_half_done(void **state)
{
	struct stats *s = sound_run();
	uint64_t answered = s->n.answered, sent = s->n.sent;
	uint64_t opened = s->n.opened, echoed = s->n.echoed;

	(void)state;
	s->n.attempted++;
	histogram_add(&s->connect, 1000);
	s->n.scheduled += 2;
	s->n.sent++;
	histogram_add(&s->lateness, 1000);
	histogram_add(&s->lateness, 1000);
	s->n.replies++;
	histogram_add(&s->response, 1000);
	stats_bury(s);
	expect_buried(s);
	assert_int_equal(s->n.answered, answered + 1);
	assert_int_equal(s->n.echoed, echoed + 1);
	assert_int_equal(s->n.sent, sent + 2);
	assert_int_equal(s->n.lost_worker_died, 1);
	assert_int_equal(s->n.opened, opened + 1);
	assert_int_equal(s->n.closed_worker_died, 1);
	free(s);
}

/* Of a failure, counted in two places, the second is the one that counts. */
static void
bury_half_a_failure(void **state)
{
	struct stats *s = stats_new();

	(void)state;
	s->n.attempted = 1;
	s->n.failed = 1;
	stats_bury(s);
	expect_buried(s);
	assert_int_equal(s->n.failed + s->n.abandoned, 1);
	free(s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_counters_are_words),
	    cmocka_unit_test(merge_and_subtract_counters),
	    cmocka_unit_test(merge_and_subtract_histograms),
	    cmocka_unit_test(sums_over_reasons),
	    cmocka_unit_test(waiting_for_answers),
	    cmocka_unit_test(pending_and_open),
	    cmocka_unit_test(failures),
	    cmocka_unit_test(check_sound),
	    cmocka_unit_test(check_each_identity),
	    cmocka_unit_test(check_every_counter),
	    cmocka_unit_test(check_prints_both_sides),
	    cmocka_unit_test(check_service_of_the_dead),
	    cmocka_unit_test(bury_at_any_point),
	    cmocka_unit_test(bury_what_was_open),
	    cmocka_unit_test(bury_probes_in_flight),
	    cmocka_unit_test(bury_warmup_in_flight),
	    cmocka_unit_test(bury_half_done),
	    cmocka_unit_test(bury_half_a_failure),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
