#include "tests/unit/support.h"

#include <math.h>

#include "lib/clock.h"
#include "client/health.h"

#define MS CLOCK_NS_PER_MS

#define MORE_WORKERS "; more workers (-w), another host, or a lower rate"
#define OTHERS \
	"; end the other programs on this host, or query from another one"
#define AT_TIMES                                                           \
	"; it was too busy at times: more workers (-w), another host, or " \
	"a lower rate"
#define NO_TIME_LEFT \
	"; it had no time left, of which other programs on this host took a part: end them, more workers (-w), another host, or a lower rate"
#define STOPPED                                                               \
	"; the cause is not known: a signal, swapping, or other programs at " \
	"times; run it again"
#define STOLEN \
	"; the host of this virtual machine took its processors away: query from another one"
#define CONNECTING                                                            \
	"; opening connections took the time, as where free local ports are " \
	"rare: more sources (-a), or a lower rate of connections"
#define WRITING                                                               \
	"; standard output (-R) was not read in time: a faster reader, or a " \
	"file"
#define CLOSED                                                              \
	"; no connection was open for them: look at what ended or refused " \
	"them, above"
#define TOO_MUCH \
	"; too much waited for answers; a lower rate, or more connections (-c)"
#define OUT_OF_IDS \
	" until their answers come; more connections (-c), --drop-on-timeout, or a lower rate"

#define CROWDED                                                             \
	"; its own workers waited for one another: fewer of them (-w), no " \
	"more than there are processors, another host, or a lower rate"
#define REPLACED                                                                  \
	"; their connections were being replaced: more of them (-c), or a lower " \
	"rate"
#define COMMANDED "; no connection was open for them: a command closed them"
#define IN_HANDSHAKE                                                      \
	"; their connections waited for the other side's handshake (see " \
	"connect, above): more of them (-c), or a lower rate"
#define PROBED                                                               \
	"; their connections waited for the other side's handshake, or for " \
	"its answer to a probe: more of them (-c), or a lower rate"
#define UNANSWERED \
	"; their connections waited for last answers, to be replaced then: more of them (-c), or a lower rate"
#define DIED   "; a worker died; look at its message"
#define NOBODY "; no worker was left to say what kept it"
#define QUOTA                                                        \
	"; the CPU quota of its control group stopped it (cpu.max, " \
	"cpu.cfs_quota_us): raise that, or query from another host"

static const struct health_usage idle = {.ran = 0.1};

static void
add(struct histogram *h, uint64_t value, unsigned int count)
{
	while (count-- > 0)
		histogram_add(h, value);
}

/* So many scheduled and sent, none of them late, all answered after 1 ms. */
static struct stats *
run_of(uint64_t scheduled, uint64_t sent)
{
	struct stats *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->n.scheduled = scheduled;
	s->n.sent = s->n.answered = sent;
	add(&s->lateness, 0, (unsigned int)sent);
	add(&s->response, MS, (unsigned int)sent);
	return s;
}

/* 1,000 were sent, late of them that late, and answered after response. */
static struct stats *
run_late(unsigned int late, uint64_t lateness, uint64_t response)
{
	struct stats *s = run_of(0, 0);

	s->n.scheduled = s->n.sent = s->n.answered = 1000;
	add(&s->lateness, 0, 1000 - late);
	add(&s->lateness, lateness, late);
	add(&s->response, response, 1000);
	return s;
}

/* Frees the run. advice: what the reason ends with; NULL where it is sound. */
static void
found(struct stats *s, struct health_usage usage, enum health expected,
    const char *advice)
{
	struct health_reasons reasons;
	enum health health = health_check(s, &usage, MS, &reasons);
	const char *why = reasons.count == 0 ? "" : reasons.at[0];
	size_t length = strlen(why);

	if (health != expected)
		fail_msg(
		    "%d instead of %d: %s", (int)health, (int)expected, why);
	if (advice != NULL &&
	    (length < strlen(advice) ||
		strcmp(why + length - strlen(advice), advice) != 0))
		fail_msg("\"%s\" does not end with \"%s\"", why, advice);
	free(s);
}

static void
said(struct stats *s, struct health_usage usage, const char *expected)
{
	struct health_reasons reasons;

	assert_int_not_equal(
	    health_check(s, &usage, MS, &reasons), HEALTH_SOUND);
	assert_string_equal(reasons.at[0], expected);
	free(s);
}

/*
 * What was not sent.
 */

static void
nothing_to_send_is_sound(void **state)
{
	(void)state;
	found(run_of(0, 0), idle, HEALTH_SOUND, NULL);
}

static void
one_in_a_thousand_may_be_missing(void **state)
{
	struct stats *s = run_of(10000, 9990);

	(void)state;
	s->n.skipped_overload = 10;
	found(s, idle, HEALTH_SOUND, NULL);
	s = run_of(10000, 9989);
	s->n.skipped_overload = 11;
	found(s, idle, HEALTH_OVERLOADED, NULL);
}

static struct stats *
skipped(uint64_t overload, uint64_t died, uint64_t closed, uint64_t ids,
    uint64_t full)
{
	struct stats *s = run_of(10000, 9000);

	s->n.skipped_overload = overload;
	s->n.skipped_worker_died = died;
	s->n.skipped_no_connection = s->n.unsent_after_failure = closed;
	s->n.skipped_ids_exhausted = ids;
	s->n.skipped_output_full = full;
	return s;
}

static void
whoever_kept_more_from_being_sent_is_to_blame(void **state)
{
	(void)state;
	found(skipped(1000, 0, 0, 0, 0), idle, HEALTH_OVERLOADED, NULL);
	found(skipped(0, 1000, 0, 0, 0), idle, HEALTH_OVERLOADED, NULL);
	found(skipped(300, 200, 200, 200, 100), idle, HEALTH_OVERLOADED, NULL);
	found(skipped(299, 200, 201, 200, 100), idle, HEALTH_PEER, NULL);
	found(skipped(0, 0, 1000, 0, 0), idle, HEALTH_PEER, CLOSED);
	found(skipped(0, 0, 0, 1000, 0), idle, HEALTH_PEER, TOO_MUCH);
	found(skipped(0, 0, 0, 0, 1000), idle, HEALTH_PEER, TOO_MUCH);
	found(skipped(0, 0, 400, 400, 200), idle, HEALTH_PEER, CLOSED);
	found(skipped(0, 0, 400, 200, 400), idle, HEALTH_PEER, CLOSED);
	found(skipped(0, 0, 399, 401, 200), idle, HEALTH_PEER, TOO_MUCH);
	found(skipped(0, 0, 399, 200, 401), idle, HEALTH_PEER, TOO_MUCH);
}

static void
how_much_was_not_sent(void **state)
{
	(void)state;
	said(skipped(0, 0, 400, 400, 200), idle,
	    "sent 90.00 % of the schedule, 1000 queries skipped" CLOSED);
}

/* Answers are there, and hold their IDs until they are read. */
static void
who_is_late_in_reading_has_no_one_else_to_blame(void **state)
{
	struct stats *s = skipped(0, 0, 0, 600, 400);

	(void)state;
	add(&s->lateness, 50 * MS, 9000);
	found(s, (struct health_usage){.ran = 0.9, .waited = 0, .stolen = 0},
	    HEALTH_OVERLOADED, MORE_WORKERS);
	/* but connections are not held up by that */
	s = skipped(0, 0, 1, 599, 400);
	add(&s->lateness, 50 * MS, 9000);
	found(s, (struct health_usage){.ran = 0.9, .waited = 0, .stolen = 0},
	    HEALTH_PEER, TOO_MUCH);
}

/* conn_send.c counts out_of_ids only where no answer can wait to be read here. */
static void
answers_that_never_came_are_the_peers_doing(void **state)
{
	struct stats *s = skipped(0, 0, 0, 600, 400);

	(void)state;
	s->n.out_of_ids = 2;
	said(s, idle,
	    "sent 90.00 % of the schedule, 1000 queries skipped: queries that "
	    "timed out hold all IDs of 2 connections" OUT_OF_IDS);
	/* also where queries left late */
	s = skipped(100, 0, 0, 600, 300);
	s->n.out_of_ids = 1;
	add(&s->lateness, 50 * MS, 9000);
	said(s, (struct health_usage){.ran = 0.9, .waited = 0, .stolen = 0},
	    "sent 90.00 % of the schedule, 1000 queries skipped: queries that "
	    "timed out hold all IDs of 1 connection" OUT_OF_IDS);
	/* but not where something else kept more of them from being sent */
	s = skipped(500, 0, 0, 500, 0);
	s->n.out_of_ids = 1;
	add(&s->lateness, 50 * MS, 9000);
	found(s, (struct health_usage){.ran = 0.9, .waited = 0, .stolen = 0},
	    HEALTH_OVERLOADED, MORE_WORKERS);
}

/* A worker that was killed had no time to be late. */
static void
a_worker_that_died_was_not_slowed_down_by_others(void **state)
{
	(void)state;
	found(skipped(0, 1000, 0, 0, 0), idle, HEALTH_OVERLOADED, DIED);
}

/* Where all of them died, nothing is known of their use of processors. */
static void
what_is_not_known_is_not_said(void **state)
{
	struct stats *s = run_late(500, 50 * MS, MS);

	(void)state;
	said(s,
	    (struct health_usage){
		.ran = NAN, .waited = NAN, .stolen = NAN, .throttled = NAN},
	    "queries left late, p99 50.000 ms" NOBODY);
}

/* 1,000 queries that found no connection; nothing says why. */
static struct stats *
without_connection(void)
{
	struct stats *s = skipped(0, 0, 1000, 0, 0);

	s->n.unsent_after_failure = 0;
	return s;
}

/* Those who are late in replacing connections have nobody else to blame, either. */
static void
replacing_took_too_long(void **state)
{
	const struct health_usage busy = {.ran = 0.9};
	struct stats *s = without_connection();

	(void)state;
	/* on time: each is in use for too long */
	s->n.closed_used_up = 9000;
	found(s, idle, HEALTH_OVERLOADED, REPLACED);
	s = without_connection();
	s->n.closed_used_up = 9000;
	add(&s->lateness, 50 * MS, 9000);
	found(s, busy, HEALTH_OVERLOADED, MORE_WORKERS);
	s = without_connection();
	s->n.closed_churned = 9000;
	add(&s->read_delay, 50 * MS, 9000);
	found(s, busy, HEALTH_OVERLOADED, MORE_WORKERS);
}

/*
 * Of 1,000 queries without a connection, while others were replaced and queries left
 * late: what others made most of them wait for is theirs.
 */
static void
others_were_waited_for(void **state)
{
	static const struct {
		uint64_t after_failure, on_request, for_answers, in_handshake;
		uint64_t probes;
		const char *advice;
	} cases[] = {
	    {501, 0, 0, 0, 0, CLOSED},
	    {0, 501, 0, 0, 0, COMMANDED},
	    {0, 0, 501, 0, 0, UNANSWERED},
	    {250, 0, 300, 0, 0, UNANSWERED},
	    {0, 0, 300, 301, 0, IN_HANDSHAKE},
	    {0, 0, 0, 501, 1, PROBED},
	};
	struct stats *s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		s = without_connection();
		s->n.closed_churned = 9000;
		s->n.unsent_after_failure = cases[i].after_failure;
		s->n.unsent_on_request = cases[i].on_request;
		s->n.unsent_for_answers = cases[i].for_answers;
		s->n.unsent_in_handshake = cases[i].in_handshake;
		s->n.probe_sent = cases[i].probes;
		add(&s->lateness, 50 * MS, 9000);
		found(s, idle, HEALTH_PEER, cases[i].advice);
	}
}

static void
half_is_not_most(void **state)
{
	struct stats *s = without_connection();

	(void)state;
	s->n.closed_churned = 9000;
	s->n.unsent_after_failure = 500;
	found(s, idle, HEALTH_OVERLOADED, REPLACED);
}

/* Nothing was closed and nothing failed. */
static void
connections_were_still_to_be_opened(void **state)
{
	struct stats *s = without_connection();

	(void)state;
	found(s, idle, HEALTH_OVERLOADED,
	    "; their connections were still to be opened: a lower rate");
	s = without_connection();
	s->n.paced = 1;
	add(&s->lateness, 50 * MS, 9000);
	found(s, idle, HEALTH_PEER,
	    "; their connections were still to be opened: a higher rate of "
	    "opening (-n)");
}

/* What was not sent, what left late and what was read late. */
static void
each_reason_is_said(void **state)
{
	struct health_reasons reasons;
	struct stats *s = skipped(1000, 0, 0, 0, 0);
	const struct health_usage busy = {.ran = 0.9};

	(void)state;
	add(&s->lateness, 50 * MS, 9000);
	add(&s->read_delay, 40 * MS, 9000);
	assert_int_equal(
	    health_check(s, &busy, MS, &reasons), HEALTH_OVERLOADED);
	assert_int_equal(reasons.count, 3);
	assert_ptr_equal(reasons.late, reasons.at[1]);
	assert_ptr_equal(reasons.unread, reasons.at[2]);
	assert_int_equal(
	    strncmp(reasons.late, "queries left late, p99 50.", 26), 0);
	assert_int_equal(strncmp(reasons.unread,
			     "answers waited to be read, p99 up to 4", 38),
	    0);
	s->n.sent = s->n.scheduled;
	assert_int_equal(health_check(s, &busy, MS, &reasons), HEALTH_LATE);
	assert_int_equal(reasons.count, 2);
	free(s);
}

/*
 * What left late.
 */

static void
a_millisecond_is_not_late(void **state)
{
	(void)state;
	found(run_late(1000, MS, MS), idle, HEALTH_SOUND, NULL);
	found(run_late(1000, MS + 1, MS + 1), idle, HEALTH_LATE, NULL);
}

static void
a_tenth_of_the_response_time_is_not_late(void **state)
{
	(void)state;
	found(run_late(1000, 5 * MS, 50 * MS), idle, HEALTH_SOUND, NULL);
	found(run_late(1000, 5 * MS, 50 * MS - 1), idle, HEALTH_LATE, NULL);
	/* without an answer there is nothing to compare with */
	found(run_late(1000, 5 * MS, 0), idle, HEALTH_LATE, NULL);
}

static void
one_in_a_hundred_may_be_late(void **state)
{
	(void)state;
	found(run_late(10, 50 * MS, MS), idle, HEALTH_SOUND, NULL);
	found(run_late(11, 50 * MS, MS), idle, HEALTH_LATE, NULL);
}

/* 1,000 answers after 20 ms, of which late may have waited that long. */
static struct stats *
run_unread(unsigned int late, uint64_t delay)
{
	struct stats *s = run_late(0, 0, 20 * MS);

	add(&s->read_delay, 0, 1000 - late);
	add(&s->read_delay, delay, late);
	return s;
}

static void
answers_that_wait_to_be_read(void **state)
{
	struct health_usage busy = {.ran = 0.95};

	(void)state;
	found(run_unread(1000, 2 * MS), idle, HEALTH_SOUND, NULL);
	found(run_unread(10, 50 * MS), idle, HEALTH_SOUND, NULL);
	found(run_unread(11, 50 * MS), idle, HEALTH_UNREAD, STOPPED);
	found(run_unread(11, 50 * MS), busy, HEALTH_UNREAD, MORE_WORKERS);
	said(run_unread(500, 50 * MS), busy,
	    "answers waited to be read, p99 up to 50.000 ms (the busiest worker "
	    "ran 95 % of the time and waited 0 % for a processor, and 0.0 % was "
	    "stolen)" MORE_WORKERS);
}

/* What the long turns were spent on says why. */
static void
causes_of_long_turns(void **state)
{
	struct health_usage usage = {.ran = 0.95};

	(void)state;
	usage.causes.reading = 400;
	usage.causes.connecting = 500;
	usage.causes.sending = 100;
	found(run_unread(500, 50 * MS), usage, HEALTH_UNREAD, CONNECTING);
	usage.causes.connecting = 400;
	found(run_unread(500, 50 * MS), usage, HEALTH_UNREAD, MORE_WORKERS);
	/* writing is counted in what it interrupted as well */
	usage.causes.writing = 900;
	found(run_unread(500, 50 * MS), usage, HEALTH_UNREAD, WRITING);
	found(run_late(500, 50 * MS, MS), usage, HEALTH_LATE, WRITING);
	usage.stolen = 0.9;
	found(run_unread(500, 50 * MS), usage, HEALTH_UNREAD, STOLEN);
}

/* The p99 of fewer than 100 is their maximum: two have to be late, or the only one. */
static void
a_short_run_is_judged_by_its_second_longest(void **state)
{
	static const struct {
		unsigned int sent, late;
		enum health health;
	} runs[] = {
	    {1, 1, HEALTH_LATE},
	    {2, 1, HEALTH_SOUND},
	    {2, 2, HEALTH_LATE},
	    {81, 1, HEALTH_SOUND},
	    {81, 2, HEALTH_LATE},
	    {99, 1, HEALTH_SOUND},
	    {99, 2, HEALTH_LATE},
	    {100, 1, HEALTH_SOUND},
	    {100, 2, HEALTH_LATE},
	};
	struct stats *s;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(runs); i++) {
		s = run_of(
		    runs[i].sent - runs[i].late, runs[i].sent - runs[i].late);
		s->n.scheduled = s->n.sent = s->n.answered = runs[i].sent;
		add(&s->lateness, 32 * MS, runs[i].late);
		add(&s->response, MS, runs[i].late);
		found(s, idle, runs[i].health,
		    runs[i].health == HEALTH_LATE ? STOPPED : NULL);
	}
}

static void
how_late(void **state)
{
	(void)state;
	said(run_late(1000, 50 * MS, 60 * MS),
	    (struct health_usage){.ran = 0.93, .waited = 0.02, .stolen = 0},
	    "queries left late, p99 50.000 ms (the busiest worker ran 93 % of "
	    "the time and waited 2 % for a processor, and 0.0 % was "
	    "stolen)" MORE_WORKERS);
}

static void
a_busy_worker_was_too_slow(void **state)
{
	(void)state;
	found(run_late(500, 50 * MS, MS),
	    (struct health_usage){.ran = 0.851, .waited = 0.9, .stolen = 0},
	    HEALTH_LATE, MORE_WORKERS);
	found(run_late(500, 50 * MS, MS),
	    (struct health_usage){.ran = 0.85, .waited = 0, .stolen = 0},
	    HEALTH_LATE, AT_TIMES);
	found(run_late(500, 50 * MS, MS),
	    (struct health_usage){.ran = 0.5, .waited = 0, .stolen = 0},
	    HEALTH_LATE, STOPPED);
}

/* Where the quota cannot be read, it may be that. */
static void
the_quota_is_not_known(void **state)
{
	(void)state;
	found(run_late(500, 50 * MS, MS),
	    (struct health_usage){
		.ran = 0.2, .waited = 0.25, .stolen = 0, .throttled = NAN},
	    HEALTH_LATE,
	    "; other programs on this host had the processors, or the CPU quota "
	    "of its control group stopped it, which cannot be read here: end "
	    "them, raise it, or query from another host");
}

/* It waited for half as long, or longer, as the share that was late. */
static void
others_had_the_processor(void **state)
{
	(void)state;
	found(run_late(500, 50 * MS, MS),
	    (struct health_usage){.ran = 0.2, .waited = 0.25, .stolen = 0},
	    HEALTH_LATE, OTHERS);
	found(run_late(500, 50 * MS, MS),
	    (struct health_usage){.ran = 0.2, .waited = 0.249, .stolen = 0},
	    HEALTH_LATE, STOPPED);
	found(run_late(500, 50 * MS, MS),
	    (struct health_usage){.ran = 0, .waited = 1, .stolen = 0},
	    HEALTH_LATE, OTHERS);
	/* not for as long as the latest queries were late */
	found(run_late(500, 50 * MS, MS),
	    (struct health_usage){.ran = 0, .waited = 0.5, .seconds = 0.1},
	    HEALTH_LATE, OTHERS);
	found(run_late(500, 50 * MS, MS),
	    (struct health_usage){.ran = 0, .waited = 0.5, .seconds = 0.09},
	    HEALTH_LATE, STOPPED);
	/* unless it had more to do than it could: that adds up */
	found(run_late(1000, 1500 * MS, MS),
	    (struct health_usage){.ran = 0.43, .waited = 0.55, .seconds = 2},
	    HEALTH_LATE, OTHERS);
	found(run_late(1000, 1500 * MS, MS),
	    (struct health_usage){.ran = 0.29, .waited = 0.55, .seconds = 2},
	    HEALTH_LATE, STOPPED);
	found(run_late(1000, 1500 * MS, MS),
	    (struct health_usage){.ran = 0.6, .waited = 0.38, .seconds = 2},
	    HEALTH_LATE, NO_TIME_LEFT);
	found(run_late(1000, 1500 * MS, MS),
	    (struct health_usage){.ran = 0.8, .waited = 0.09, .seconds = 2},
	    HEALTH_LATE, AT_TIMES);
}

/* The same of what was stolen, whatever the worker did with the rest. */
static void
the_host_of_the_machine_had_it(void **state)
{
	(void)state;
	found(run_late(500, 50 * MS, MS),
	    (struct health_usage){.ran = 0.9, .waited = 0.5, .stolen = 0.25},
	    HEALTH_LATE, STOLEN);
	found(run_late(500, 50 * MS, MS),
	    (struct health_usage){.ran = 0.2, .waited = 0, .stolen = 0.249},
	    HEALTH_LATE, STOPPED);
	found(run_late(500, 50 * MS, MS),
	    (struct health_usage){.ran = 0.2, .waited = 0.3, .stolen = 0.249},
	    HEALTH_LATE, OTHERS);
}

/* Eight workers on one processor: nobody else had it. */
static void
its_own_workers_had_the_processor(void **state)
{
	(void)state;
	found(run_late(500, 50 * MS, MS),
	    (struct health_usage){.ran = 0.12, .waited = 0.88, .crowd = 0.98},
	    HEALTH_LATE, CROWDED);
	found(run_late(500, 50 * MS, MS),
	    (struct health_usage){.ran = 0.12, .waited = 0.88, .crowd = 0.6},
	    HEALTH_LATE, OTHERS);
}

/* The time counts as waited, too. */
static void
its_own_quota_stopped_it(void **state)
{
	(void)state;
	found(run_late(500, 50 * MS, MS),
	    (struct health_usage){.ran = 0.1, .waited = 0.9, .throttled = 0.85},
	    HEALTH_LATE, QUOTA);
	found(run_late(500, 50 * MS, MS),
	    (struct health_usage){.ran = 0.1, .waited = 0.9, .throttled = 0.01},
	    HEALTH_LATE, OTHERS);
}

static void
too_little_sent_has_the_same_advice(void **state)
{
	struct stats *s = skipped(1000, 0, 0, 0, 0);

	(void)state;
	found(s, (struct health_usage){.ran = 0.9, .waited = 0, .stolen = 0},
	    HEALTH_OVERLOADED, MORE_WORKERS);
	s = skipped(1000, 0, 0, 0, 0);
	add(&s->lateness, 50 * MS, 9000); /* half of them */
	found(s, (struct health_usage){.ran = 0.2, .waited = 0.3, .stolen = 0},
	    HEALTH_OVERLOADED, OTHERS);
	s = skipped(1000, 0, 0, 0, 0);
	add(&s->lateness, 50 * MS, 9000);
	found(s, (struct health_usage){.ran = 0.2, .waited = 0.1, .stolen = 0},
	    HEALTH_OVERLOADED, STOPPED);
	/* not a single one */
	s = run_of(1000, 0);
	s->n.skipped_overload = 1000;
	found(s, (struct health_usage){.ran = 0.2, .waited = 0.7, .stolen = 0},
	    HEALTH_OVERLOADED, NO_TIME_LEFT);
}

static void
what_was_not_sent_comes_before_what_was_late(void **state)
{
	struct stats *s = skipped(0, 0, 1000, 0, 0);

	(void)state;
	add(&s->lateness, 50 * MS, 9000);
	found(s, idle, HEALTH_PEER, CLOSED);
}

static void
the_longest_reason_fits(void **state)
{
	struct stats *s =
	    run_late(1000, HISTOGRAM_LIMIT - 1, HISTOGRAM_LIMIT - 1);

	(void)state;
	found(s,
	    (struct health_usage){.ran = 0.84, .waited = 0.49, .stolen = 0},
	    HEALTH_LATE, NO_TIME_LEFT);
	s = run_of(0, 0);
	s->n.scheduled = s->n.skipped_output_full = UINT64_MAX;
	found(s, idle, HEALTH_PEER, TOO_MUCH);
	s = run_of(0, 0);
	s->n.scheduled = s->n.skipped_ids_exhausted = UINT64_MAX / 2;
	s->n.out_of_ids = UINT64_MAX;
	found(s, idle, HEALTH_PEER, OUT_OF_IDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_to_send_is_sound),
	    cmocka_unit_test(what_is_not_known_is_not_said),
	    cmocka_unit_test(replacing_took_too_long),
	    cmocka_unit_test(others_were_waited_for),
	    cmocka_unit_test(half_is_not_most),
	    cmocka_unit_test(connections_were_still_to_be_opened),
	    cmocka_unit_test(each_reason_is_said),
	    cmocka_unit_test(its_own_workers_had_the_processor),
	    cmocka_unit_test(its_own_quota_stopped_it),
	    cmocka_unit_test(one_in_a_thousand_may_be_missing),
	    cmocka_unit_test(whoever_kept_more_from_being_sent_is_to_blame),
	    cmocka_unit_test(who_is_late_in_reading_has_no_one_else_to_blame),
	    cmocka_unit_test(answers_that_never_came_are_the_peers_doing),
	    cmocka_unit_test(how_much_was_not_sent),
	    cmocka_unit_test(a_worker_that_died_was_not_slowed_down_by_others),
	    cmocka_unit_test(a_millisecond_is_not_late),
	    cmocka_unit_test(a_tenth_of_the_response_time_is_not_late),
	    cmocka_unit_test(one_in_a_hundred_may_be_late),
	    cmocka_unit_test(a_short_run_is_judged_by_its_second_longest),
	    cmocka_unit_test(answers_that_wait_to_be_read),
	    cmocka_unit_test(causes_of_long_turns),
	    cmocka_unit_test(how_late),
	    cmocka_unit_test(a_busy_worker_was_too_slow),
	    cmocka_unit_test(the_quota_is_not_known),
	    cmocka_unit_test(others_had_the_processor),
	    cmocka_unit_test(the_host_of_the_machine_had_it),
	    cmocka_unit_test(too_little_sent_has_the_same_advice),
	    cmocka_unit_test(what_was_not_sent_comes_before_what_was_late),
	    cmocka_unit_test(the_longest_reason_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
