#include "tests/unit/support.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/clock.h"
#include "client/condition.h"

#define US CLOCK_NS_PER_US
#define MS CLOCK_NS_PER_MS

/* A run without a single event. */
static struct condition_source
source_new(struct stats **stats)
{
	struct condition_source source = {0};

	*stats = calloc(1, sizeof(**stats));
	assert_non_null(*stats);
	source.stats = *stats;
	return source;
}

static struct condition
parsed(const char *text)
{
	struct condition c;
	char why[CONDITION_TEXT];

	if (!condition_parse(text, &c, why))
		fail_msg("\"%s\" refused: %s", text, why);
	return c;
}

static void
expect(const struct condition_source *source, const char *text, bool expected)
{
	struct condition c = parsed(text);
	char measured[CONDITION_TEXT];

	if (condition_holds(&c, source, measured) != expected)
		fail_msg("%s %s, though %s", text,
		    expected ? "does not hold" : "holds", measured);
}

static void
holds(const struct condition_source *source, const char *text)
{
	expect(source, text, true);
}

static void
holds_not(const struct condition_source *source, const char *text)
{
	expect(source, text, false);
}

static void
measures(const struct condition_source *source, const char *text,
    const char *expected)
{
	struct condition c = parsed(text);
	char measured[CONDITION_TEXT];

	condition_holds(&c, source, measured);
	assert_string_equal(measured, expected);
}

static void
refused(const char *text, const char *expected)
{
	struct condition c, before;
	char why[CONDITION_TEXT];

	memset(&c, 0x5e, sizeof(c));
	memcpy(&before, &c, sizeof(c));
	if (condition_parse(text, &c, why))
		fail_msg("\"%s\" taken", text);
	assert_string_equal(why, expected);
	assert_memory_equal(&c, &before, sizeof(c));
}

static void
unknown(const char *name)
{
	char text[CONDITION_TEXT], expected[CONDITION_TEXT];

	snprintf(text, sizeof(text), "%s>10ms", name);
	snprintf(expected, sizeof(expected),
	    "'%s' is no counter or percentile; such as p99, lateness_p99, "
	    "timed_out, lost, answered_qps",
	    name);
	refused(text, expected);
}

/* 1 ms, 2 ms, ... 1000 ms. */
static void
fill(struct histogram *h)
{
	uint64_t i;

	for (i = 1; i <= 1000; i++)
		histogram_add(h, i * MS);
}

/*
 * Names.
 */

/* Each counter has a value of its own, and is found under its name. */
static void
every_counter(void **state)
{
	struct stats *s;
	struct condition_source source = source_new(&s);
	char text[CONDITION_TEXT];
	uint64_t value = 1000;

	(void)state;
#define FOUND(name)                                                 \
	s->n.name = ++value;                                        \
	snprintf(text, sizeof(text), "%s==%" PRIu64, #name, value); \
	holds(&source, text);                                       \
	s->n.name++;                                                \
	holds_not(&source, text);
#define FOUND_SKIPPED(name) FOUND(skipped_##name)
#define FOUND_LOST(name)    FOUND(lost_##name)
#define FOUND_PROBE(name)   FOUND(probe_##name)
#define FOUND_SUSPECT(name) FOUND(suspect_##name)
#define FOUND_WARMUP(name)  FOUND(warmup_##name)
	STATS_CONNECTIONS(FOUND)
	STATS_QUERIES(FOUND)
	STATS_SKIPPED(FOUND_SKIPPED)
	STATS_LOST(FOUND_LOST)
	STATS_PROBES(FOUND_PROBE)
	STATS_GAUGES(FOUND)
	STATS_SUSPECTS(FOUND_SUSPECT)
	STATS_WARMUP(FOUND_WARMUP)
	free(s);
}

static void
totals(void **state)
{
	struct stats *s;
	struct condition_source source = source_new(&s);

	(void)state;
	holds(&source, "lost==0");
	holds(&source, "skipped==0");
	s->n.lost_peer_fin = 1;
	s->n.lost_worker_died = 2;
	s->n.skipped_overload = 4;
	s->n.skipped_output_full = 8;
	holds(&source, "lost==3");
	holds(&source, "skipped==12");
	measures(&source, "lost>0", "lost is 3");
	s->n.suspect_unacked = 16;
	s->n.suspect_queued = 32;
	holds(&source, "suspect==48");
	s->n.failed = 64;
	holds(&source, "failed_total==64");
	/* in a step of a search fewer than before: none that is new */
	s->n.suspect_unacked = s->n.wrong_answer = (uint64_t)-40;
	holds(&source, "suspect==0");
	holds(&source, "wrong_answer==0");
	free(s);
}

static void
every_rcode(void **state)
{
	struct stats *s;
	struct condition_source source = source_new(&s);
	char text[CONDITION_TEXT];
	unsigned int i;

	(void)state;
	for (i = 0; i < DNS_RCODES; i++) {
		s->n.rcode[i] = 100 + i;
		snprintf(text, sizeof(text), "rcode_%s == %u",
		    dns_rcode_name(i), 100 + i);
		holds(&source, text);
	}
	measures(&source, "rcode_SERVFAIL>0", "rcode_SERVFAIL is 102");
	unknown("rcode_");
	unknown("rcode_servfail");
	unknown("rcode_SERVFAILS");
	unknown("rcode_RCODE16");
	free(s);
}

static void
every_errno(void **state)
{
	struct stats *s;
	struct condition_source source = source_new(&s);
	char text[CONDITION_TEXT];
	const char *name;
	int e;

	(void)state;
	for (e = 1; e < STATS_ERRNOS; e++) {
		name = strerrorname_np(e);
		if (name == NULL)
			continue;
		s->n.failed_errno[e] = (uint64_t)(1000 + e);
		snprintf(text, sizeof(text), "failed_%s==%d", name, 1000 + e);
		holds(&source, text);
	}
	s->n.failed_errno[0] = 7;
	holds(&source, "failed_UNKNOWN==7");
	measures(
	    &source, "failed_ECONNREFUSED>0", "failed_ECONNREFUSED is 1111");
	unknown("failed_");
	unknown("failed_econnrefused");
	unknown("failed_ECONNREFUSE");
	free(s);
}

/* Each histogram has values of its own. */
static void
every_histogram(void **state)
{
	struct stats *s;
	struct condition_source source = source_new(&s);
	char text[CONDITION_TEXT];
	unsigned int us = 100;

	(void)state;
#define FOUND_HISTOGRAM(name)                                    \
	us++;                                                    \
	histogram_add(&s->name, us *US);                         \
	snprintf(text, sizeof(text), "%s_min==%uus", #name, us); \
	holds(&source, text);                                    \
	snprintf(text, sizeof(text), "%s_p99==%uus", #name, us); \
	holds(&source, text);
	STATS_HISTOGRAMS(FOUND_HISTOGRAM)
	/* the response time goes without saying */
	s->response.sum += US;
	holds(&source, "response_mean==102us");
	holds(&source, "mean==102us");
	measures(&source, "lateness_max>1s", "lateness_max is 103.000 us");
	free(s);
}

static void
unknown_names(void **state)
{
	static const char *const names[] = {"p9x", "p", "p.", "p.9", "p99.",
	    "p99_", "p99.9.9", "p99.9_9", "p-1", "p+1", "P99", "p99ms", "p99%",
	    "q99", "99", "median", "Min", "_", "_p99", "response", "response_",
	    "response_response_p99", "response_sent", "response_p9x",
	    "latness_p99", "skipped_", "lost_", "skipped_lost", "probe_",
	    "probe_lateness", "los", "losts", "qps", "open_qps", "lost_qps",
	    "sent_", "sent.", "\xc3\xa9", "p9\xff"};
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(names); i++)
		unknown(names[i]);
	refused("what_nobody_could_possibly_have_counted>0",
	    "'what_nobody_could_possibly_have_' is no counter or percentile; "
	    "such as p99, lateness_p99, timed_out, lost, answered_qps");
}

/*
 * Times.
 */

static void
percentiles(void **state)
{
	struct stats *s;
	struct condition_source source = source_new(&s);

	(void)state;
	fill(&s->response);
	/* buckets are at most 0.4 % wide */
	holds(&source, "p50>498ms");
	holds(&source, "p50<502ms");
	holds(&source, "p99>986ms");
	holds(&source, "p99<994ms");
	holds(&source, "p99.9>995ms");
	holds(&source, "p99_9<1s");
	holds(&source, "p99.91==1s");
	holds(&source, "p0.1<1.01ms");
	holds(&source, "p00.1>0.99ms");
	holds(&source, "p5<51ms");
	holds(&source, "p05>49ms");
	holds(&source, "p99.999999==1000ms");
	holds(&source, "min==1ms");
	holds(&source, "mean==500.5ms");
	holds(&source, "max==1s");
	free(s);
}

static void
percentiles_out_of_range(void **state)
{
	static const char *const names[] = {"p0", "p00", "p0.000000", "p100",
	    "p999", "p099", "p99.9999999", "p0.0000001", "response_p100",
	    "p18446744073709551617"};
	char text[CONDITION_TEXT], expected[CONDITION_TEXT];
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(names); i++) {
		snprintf(text, sizeof(text), "%s>10ms", names[i]);
		snprintf(expected, sizeof(expected),
		    "'%s' is no percentile: they are above 0 and below 100, "
		    "with at most 6 decimals, such as p50 or p99.9",
		    names[i]);
		refused(text, expected);
	}
}

static void
times(void **state)
{
	struct stats *s;
	struct condition_source source = source_new(&s);

	(void)state;
	histogram_add(&s->response, 12345678);
	measures(&source, "p99>10ms", "p99 is 12.346 ms");
	measures(
	    &source, " response_p99_9 > 10ms", "response_p99_9 is 12.346 ms");
	histogram_add(&s->connect, 999999);
	measures(&source, "connect_max>1h", "connect_max is 999.999 us");
	histogram_add(&s->lateness, 0);
	measures(&source, "lateness_p50>0us", "lateness_p50 is 0.000 us");
	holds_not(&source, "lateness_p50>0us");
	holds(&source, "lateness_p50<0.001us");
	histogram_add(&s->service, 3600 * CLOCK_NS_PER_SEC);
	holds(&source, "service_max==1h");
	holds(&source, "service_max==60m");
	holds(&source, "service_max==3600s");
	measures(&source, "service_max<1s", "service_max is 3600000.000 ms");
	free(s);
}

static void
times_need_units(void **state)
{
	static const char unit[] = "a time needs a unit, such as 10ms";
	static const char percent[] =
	    "a time is a share of nothing: it needs a unit, such as 10ms";

	(void)state;
	refused("p99>10", unit);
	refused("p99>0", unit);
	refused("p99 > 1.5", unit);
	refused("p99>.", unit);
	refused("lateness_max>=99999999999999999999999999999999999999", unit);
	refused("p99>5%", percent);
	refused("connect_mean>%", percent);
	refused("p99>10 ms",
	    "'10 ms' is not a time of at most 365 days such as 50us, 10ms, "
	    "1.5s, 5m or 1h");
	refused("p99>ms",
	    "'ms' is not a time of at most 365 days such as 50us, 10ms, 1.5s, "
	    "5m or 1h");
	refused("p99>-1ms",
	    "'-1ms' is not a time of at most 365 days such as 50us, 10ms, "
	    "1.5s, 5m or 1h");
	refused("p99>8761h",
	    "'8761h' is not a time of at most 365 days such as 50us, 10ms, "
	    "1.5s, 5m or 1h");
}

/* A server that answers nothing must not pass a bound on its answers. */
static void
a_time_of_nothing_holds_whatever_the_operator(void **state)
{
	static const char *const operators[] = {
	    ">", ">=", "<", "<=", "==", "!="};
	static const char *const names[] = {
	    "p99", "min", "mean", "max", "connect_p50"};
	struct stats *s;
	struct condition_source source = source_new(&s);
	char text[CONDITION_TEXT];
	size_t i, k;

	(void)state;
	for (i = 0; i < LENGTH(operators); i++)
		for (k = 0; k < LENGTH(names); k++) {
			snprintf(text, sizeof(text), "%s%s0ms", names[k],
			    operators[i]);
			holds(&source, text);
			snprintf(text, sizeof(text), "%s%s1ms", names[k],
			    operators[i]);
			holds(&source, text);
		}
	free(s);
}

static void
what_has_no_value_says_why(void **state)
{
	static const struct {
		const char *text;
		const char *measured;
	} cases[] = {
	    {"p99<1ms", "p99 has no value: nothing was answered"},
	    {"service_min<1ms",
		"service_min has no value: nothing was answered"},
	    {"lateness_max<1ms", "lateness_max has no value: nothing was sent"},
	    {"connect_mean<1ms",
		"connect_mean has no value: no connection was opened"},
	    {"open_lateness_p99<1ms",
		"open_lateness_p99 has no value: no connect was due at a time "
		"of its own"},
	    {"lifetime_p50<1ms",
		"lifetime_p50 has no value: no connection was replaced"},
	    {"sent_qps>0", "sent_qps has no value: querying took no time"},
	    {"answered_qps<1%",
		"answered_qps has no value: querying took no time"},
	    {"late>0%",
		"late is 0 of 0 replies: a share of nothing has no value"},
	    {"probe_lost>0%",
		"probe_lost is 0 of 0 probes: a share of nothing has no value"},
	};
	struct stats *s;
	struct condition_source source = source_new(&s);
	struct condition c;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(cases); i++) {
		c = parsed(cases[i].text);
		assert_false(condition_has_value(&c, &source));
		measures(&source, cases[i].text, cases[i].measured);
		holds(&source, cases[i].text);
	}
	free(s);
}

/* What must have happened before there is anything to compare. */
static void
needs(void **state)
{
	static const struct {
		const char *text;
		enum condition_need need;
	} cases[] = {
	    {"p99>1ms", CONDITION_NEEDS_QUERIES},
	    {"lateness_max>1ms", CONDITION_NEEDS_QUERIES},
	    {"timed_out>0%", CONDITION_NEEDS_QUERIES},
	    {"answered_qps<98%", CONDITION_NEEDS_QUERIES},
	    {"connect_p99>1ms", CONDITION_NEEDS_CONNECTS},
	    {"open_lateness_p99>1ms", CONDITION_NEEDS_CONNECTS},
	    {"probe_timed_out>1%", CONDITION_NEEDS_CONNECTS},
	    {"lifetime_p50>1s", CONDITION_NEEDS_REPLACED},
	    {"timed_out>0", CONDITION_NEEDS_NOTHING},
	    {"failed>1%", CONDITION_NEEDS_NOTHING},
	    {"answered_qps<10", CONDITION_NEEDS_NOTHING},
	};
	struct condition c;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(cases); i++) {
		c = parsed(cases[i].text);
		assert_int_equal(condition_need(&c), cases[i].need);
	}
}

static void
samples(void **state)
{
	static const struct {
		const char *text;
		uint64_t samples;
	} cases[] = {{"p50>1ms", 200}, {"p90>1ms", 1000}, {"p99>1ms", 10000},
	    {"p99.9>1ms", 100000}, {"lateness_p99_99>1ms", 1000000},
	    {"p99.999999>1ms", UINT64_C(10000000000)}, {"p1>1ms", 10000},
	    {"p0.1>1ms", 100000}, {"p70>1ms", 334}, {"max>1ms", 0},
	    {"min>1ms", 0}, {"mean>1ms", 0}, {"lost>0", 0},
	    {"answered_qps<1", 0}};
	struct condition c;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(cases); i++) {
		c = parsed(cases[i].text);
		assert_int_equal(condition_samples(&c), cases[i].samples);
	}
}

/*
 * Comparisons.
 */

static const struct {
	const char *text;
	bool below, equal, above; /* whether it holds there */
} comparisons[] = {
    {"sent>500", false, false, true},
    {"sent>=500", false, true, true},
    {"sent<500", true, false, false},
    {"sent<=500", true, true, false},
    {"sent==500", false, true, false},
    {"sent!=500", true, false, true},
    {"max>0.5us", false, false, true},
    {"max>=0.5us", false, true, true},
    {"max<0.5us", true, false, false},
    {"max<=0.5us", true, true, false},
    {"max==0.5us", false, true, false},
    {"max!=0.5us", true, false, true},
    {"sent_qps>50", false, false, true},
    {"sent_qps>=50", false, true, true},
    {"sent_qps<50", true, false, false},
    {"sent_qps<=50", true, true, false},
    {"sent_qps==50", false, true, false},
    {"sent_qps!=50", true, false, true},
    {"sent>0.5%", false, false, true},
    {"sent>=0.5%", false, true, true},
    {"sent<0.5%", true, false, false},
    {"sent<=0.5%", true, true, false},
    {"sent==0.5%", false, true, false},
    {"sent!=0.5%", true, false, true},
};

static void
operators(void **state)
{
	struct stats *s;
	struct condition_source source = source_new(&s);
	size_t i;

	(void)state;
	source.seconds = 10;
	s->n.scheduled = 100000;
	for (i = 0; i < LENGTH(comparisons); i++) {
		s->n.sent = 499;
		memset(&s->response, 0, sizeof(s->response));
		histogram_add(&s->response, 499);
		expect(&source, comparisons[i].text, comparisons[i].below);
		s->n.sent = 500;
		histogram_add(&s->response, 500);
		expect(&source, comparisons[i].text, comparisons[i].equal);
		s->n.sent = 501;
		histogram_add(&s->response, 501);
		expect(&source, comparisons[i].text, comparisons[i].above);
	}
	free(s);
}

static void
wrong_operators(void **state)
{
	static const char *const texts[] = {
	    "=>", "=<", "<>", "><", ">>", "!", "===", "!==", ">==", "==>"};
	char text[CONDITION_TEXT], expected[CONDITION_TEXT];
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(texts); i++) {
		snprintf(text, sizeof(text), "lost%s0", texts[i]);
		snprintf(expected, sizeof(expected),
		    "'%s' compares nothing: use >, >=, <, <=, == or !=",
		    texts[i]);
		refused(text, expected);
	}
	refused("lost=0", "'=' compares nothing: equal is ==");
	refused("lost = 0", "'=' compares nothing: equal is ==");
	refused("lost> =0", "'=0': not a whole number such as 500, 20k or 1M");
	refused("lost",
	    "'lost' is compared with nothing: add >, >=, <, <=, == or != and a "
	    "value, in quotes for the shell, such as 'p99>10ms'");
	refused("p99 10ms",
	    "'p99' is compared with nothing: add >, >=, <, <=, == or != and a "
	    "value, in quotes for the shell, such as 'p99>10ms'");
	refused("answered<99.9",
	    "'99.9': not a whole number such as 500, 20k or 1M; a share has a %, "
	    "such as 99.9%");
	refused("lost>0 timed_out>0",
	    "'0 timed_out>0': not a whole number such as 500, 20k or 1M; a comma "
	    "separates conditions");
	refused("lost>", "there is no value behind 'lost>'");
	refused(" lost != ", "there is no value behind 'lost !='");
}

/*
 * Counts, shares and rates.
 */

static void
counts(void **state)
{
	struct stats *s;
	struct condition_source source = source_new(&s);

	(void)state;
	s->n.answered = 20000;
	holds(&source, "answered==20k");
	holds(&source, "answered<1M");
	holds(&source, "answered<9223372036854775807");
	s->n.bytes_sent = UINT64_C(1) << 52;
	holds(&source, "bytes_sent==4503599627370496");
	measures(&source, "bytes_sent>1", "bytes_sent is 4503599627370496");
	refused("lost>1.5",
	    "'1.5': not a whole number such as 500, 20k or 1M; a share has a %, "
	    "such as 99.9%");
	refused(
	    "lost>10ms", "'10ms': not a whole number such as 500, 20k or 1M");
	refused("lost>-1", "'-1': not a whole number such as 500, 20k or 1M");
	refused("lost>1 2",
	    "'1 2': not a whole number such as 500, 20k or 1M; a comma separates "
	    "conditions");
	refused("lost>9223372036854775808", "'9223372036854775808': too large");
	free(s);
}

static const struct {
	const char *name, *end;
} shares_of[] = {{"attempted", "1000 connections"},
    {"failed", "1000 connections"}, {"failed_ECONNREFUSED", "1000 connections"},
    {"verified", "1000 connections"}, {"peak", "1000 connections"},
    {"closed_by_peer", "1000 connections"}, {"buried", NULL},
    {"scheduled", NULL}, {"sent", "2000 scheduled"},
    {"skipped", "2000 scheduled"}, {"skipped_overload", "2000 scheduled"},
    {"answered", "400 sent"}, {"timed_out", "400 sent"}, {"lost", "400 sent"},
    {"lost_peer_rst", "400 sent"}, {"send_blocked", "400 sent"},
    {"echoed", "400 sent"}, {"rcode_REFUSED", "400 sent"}, {"replies", NULL},
    {"late", "300 replies"}, {"unmatched", "300 replies"},
    {"malformed", "300 replies"}, {"bytes_sent", NULL},
    {"bytes_received", NULL}, {"probe_sent", "1000 connections"},
    {"probe_answered", "50 probes"}, {"probe_lost", "50 probes"}};

/* What is what percentage of what; without an end, of nothing. */
static void
bases(void **state)
{
	struct stats *s;
	struct condition_source source = source_new(&s);
	char text[CONDITION_TEXT], measured[CONDITION_TEXT], *end;
	struct condition c;
	size_t i;

	(void)state;
	source.asked = 1000;
	s->n.scheduled = 2000;
	s->n.sent = 400;
	s->n.replies = 300;
	s->n.probe_sent = 50;
	for (i = 0; i < LENGTH(shares_of); i++) {
		snprintf(text, sizeof(text), "%s>5%%", shares_of[i].name);
		if (shares_of[i].end == NULL) {
			snprintf(measured, sizeof(measured),
			    "'%s' is a share of nothing: it needs a count, "
			    "such as 500, 20k or 1M",
			    shares_of[i].name);
			refused(text, measured);
			continue;
		}
		c = parsed(text);
		condition_holds(&c, &source, measured);
		end = strstr(measured, " % of ");
		assert_non_null(end);
		end[strlen(end) - 1] = '\0'; /* a parenthesis */
		assert_string_equal(end + strlen(" % of "), shares_of[i].end);
	}
	free(s);
}

static void
shares(void **state)
{
	struct stats *s;
	struct condition_source source = source_new(&s);
	char text[CONDITION_TEXT];
	uint64_t i;

	(void)state;
	s->n.sent = 10000;
	s->n.timed_out = 35;
	holds(&source, "timed_out==0.35%");
	holds(&source, "timed_out==.35%");
	measures(&source, "timed_out>0.1%",
	    "timed_out is 35 (0.35 % of 10000 sent)");
	measures(&source, "timed_out>34", "timed_out is 35");
	s->n.answered = 9999;
	holds(&source, "answered<100%");
	holds(&source, "answered==99.99%");
	measures(&source, "answered<99.999%",
	    "answered is 9999 (99.99 % of 10000 sent)");
	/* what is equal in decimal is equal */
	s->n.sent = 1000;
	for (i = 0; i <= 1000; i++) {
		s->n.answered = i;
		snprintf(text, sizeof(text),
		    "answered==%" PRIu64 ".%" PRIu64 "%%", i / 10, i % 10);
		holds(&source, text);
	}
	free(s);
}

/* Answers took 60 ms, of which they waited for the last 4, or 50, to be read. */
static void
a_delay_of_reading_is_taken_off(void **state)
{
	static const struct {
		const char *text;
		uint64_t delay_ms;
		bool holds;
	} cases[] = {
	    {"p90>35ms", 4, true},
	    {"p90>35ms", 50, false},
	    {"service_p50>35ms", 4, true},
	    {"service_p50>35ms", 50, false},
	    {"mean>35ms", 50, false},
	    /* not on what a delay is part of */
	    {"lateness_p90>35ms", 50, true},
	    {"timed_out>0", 50, true},
	};
	struct condition c;
	struct stats *s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct condition_source source = source_new(&s);

		histogram_add(&s->response, 60 * CLOCK_NS_PER_MS);
		histogram_add(&s->service, 60 * CLOCK_NS_PER_MS);
		histogram_add(
		    &s->read_delay, cases[i].delay_ms * CLOCK_NS_PER_MS);
		c = parsed(cases[i].text);
		assert_int_equal(
		    condition_holds_without_read_delay(&c, &source),
		    cases[i].holds);
		free(s);
	}
}

static void
shares_of_nothing_hold(void **state)
{
	struct stats *s;
	struct condition_source source = source_new(&s);

	(void)state;
	source.seconds = 10;
	holds(&source, "lost==0%");
	holds(&source, "lost>0%");
	holds(&source, "failed<1%");
	holds(&source, "sent_qps<5%");
	/* a count has a value whatever happened */
	holds_not(&source, "lost>0");
	/* the base lags behind: still not a division by zero */
	s->n.timed_out = 3;
	measures(&source, "timed_out>0%",
	    "timed_out is 3 of 0 sent: a share of nothing has no value");
	free(s);
}

static void
shares_refused(void **state)
{
	(void)state;
	refused("lost>%", "'%' is not a percentage such as 0.1% or 5%");
	refused("lost>1 %", "'1 %' is not a percentage such as 0.1% or 5%");
	refused("lost>1k%", "'1k%' is not a percentage such as 0.1% or 5%");
	refused("lost>5%%", "'5%%' is not a percentage such as 0.1% or 5%");
	refused("lost>-5%", "'-5%' is not a percentage such as 0.1% or 5%");
	refused("lost>.%", "'.%' is not a percentage such as 0.1% or 5%");
	refused(
	    "lost>1.2.3%", "'1.2.3%' is not a percentage such as 0.1% or 5%");
	refused("lost>5%x", "'5%x': not a whole number such as 500, 20k or 1M");
	refused("sent_qps>5m%", "'5m%' is not a percentage such as 0.1% or 5%");
}

static void
rates(void **state)
{
	struct stats *s;
	struct condition_source source = source_new(&s);

	(void)state;
	s->n.sent = 500000;
	s->n.answered = 482113;
	/* before there was any querying */
	source.target_qps = 50000;
	measures(&source, "answered_qps<49000",
	    "answered_qps has no value: querying took no time");
	source.seconds = 10;
	measures(&source, "answered_qps<49000", "answered_qps is 48211.3");
	holds(&source, "answered_qps<49k");
	holds(&source, "answered_qps>48211.25");
	holds(&source, "sent_qps==50k");
	holds(&source, "sent_qps>=100%");
	holds(&source, "answered_qps<98%");
	measures(&source, "answered_qps<98%",
	    "answered_qps is 48211.3 (96.4226 % of 50000.0 asked for)");
	refused("sent_qps<10ms",
	    "'10ms': not a rate per second such as 0.5, 1000, 50k or 1.5M");
	refused("sent_qps<1001M",
	    "'1001M': too large: the most is 1000M per second");
	free(s);
}

/*
 * Texts and lists.
 */

static void
blanks(void **state)
{
	struct condition c = parsed(" \t p99\t>= \t10ms \t");

	(void)state;
	assert_string_equal(condition_text(&c), "p99\t>= \t10ms");
	c = parsed("p99>10ms");
	assert_string_equal(condition_text(&c), "p99>10ms");
	refused("p99>10ms\n",
	    "'10ms\n' is not a time of at most 365 days such as 50us, 10ms, "
	    "1.5s, 5m or 1h");
	refused("\np99>10ms",
	    "'\np99' is no counter or percentile; such as p99, lateness_p99, "
	    "timed_out, lost, answered_qps");
}

static void
no_name(void **state)
{
	static const char why[] =
	    "no counter or percentile is named; such as p99>10ms, lost>0 or "
	    "timed_out>0.1%";

	(void)state;
	refused("", why);
	refused(" \t", why);
	refused(">0", why);
	refused(" == 1", why);
}

static void
length_limit(void **state)
{
	char text[2 * CONDITION_LENGTH];
	struct condition c;

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "lost>", 5);
	text[CONDITION_LENGTH - 2] = '7';
	text[sizeof(text) - 1] = '\0';
	c = parsed(text);
	assert_int_equal(strlen(condition_text(&c)), CONDITION_LENGTH - 1);
	text[CONDITION_LENGTH - 1] = '7';
	refused(
	    text, "longer than a condition, which is at most 79 bytes long");
}

static void
list_refused(const char *text, const char *expected)
{
	struct condition list[4];
	char why[CONDITION_TEXT];
	size_t count = 1;

	if (condition_parse_list(text, list, LENGTH(list), &count, why))
		fail_msg("\"%s\" taken", text);
	assert_string_equal(why, expected);
	assert_int_equal(count, 1);
}

static void
lists(void **state)
{
	static const char between[] = "nothing between two commas or at an end";
	struct condition list[4];
	char why[CONDITION_TEXT];
	size_t count = 0;

	(void)state;
	assert_true(condition_parse_list("lost>0", list, 4, &count, why));
	assert_int_equal(count, 1);
	assert_true(condition_parse_list(
	    "p99>10ms, timed_out > 0.1% ,max>1s", list, 4, &count, why));
	assert_int_equal(count, 4);
	assert_string_equal(condition_text(&list[0]), "lost>0");
	assert_string_equal(condition_text(&list[1]), "p99>10ms");
	assert_string_equal(condition_text(&list[2]), "timed_out > 0.1%");
	assert_string_equal(condition_text(&list[3]), "max>1s");
	assert_false(condition_parse_list("lost>0", list, 4, &count, why));
	assert_string_equal(why, "too many conditions: the most is 4");
	assert_int_equal(count, 4);
	list_refused("lost>0,lost>1,lost>2,lost>3",
	    "too many conditions: the most is 4");
	list_refused(",", between);
	list_refused(",lost>0", between);
	list_refused("lost>0,", between);
	list_refused("lost>0, \t", between);
	list_refused("lost>0, ,lost>1", between);
	list_refused("p99>10", "a time needs a unit, such as 10ms");
	list_refused(
	    "lost>0,p99>10", "p99>10: a time needs a unit, such as 10ms");
	list_refused("lost>0,", between);
	list_refused("",
	    "no counter or percentile is named; such as p99>10ms, lost>0 or "
	    "timed_out>0.1%");
}

/* Every message is whole, however long what it is about. */
static void
long_messages(void **state)
{
	static const char *const ends[] = {">0", "", ">", "~0"};
	char text[CONDITION_LENGTH + 8], why[CONDITION_TEXT];
	struct condition list[2];
	size_t i, count = 0;

	(void)state;
	for (i = 0; i < LENGTH(ends); i++) {
		memset(text, 'x', sizeof(text));
		memcpy(text, "lost>0,", 7);
		strcpy(text + 80, ends[i]);
		assert_false(condition_parse_list(text, list, 2, &count, why));
		assert_non_null(strstr(why, ": 'xxx"));
		assert_non_null(strstr(why, "lost, answered_qps"));
	}
	memset(text, '=', sizeof(text));
	memcpy(text, "lost>0,lost", 11);
	text[80] = '\0';
	assert_false(condition_parse_list(text, list, 2, &count, why));
	assert_non_null(strstr(why, "<=, == or !="));
	memset(text, '1', sizeof(text));
	memcpy(text, "lost>0,p99>", 11);
	strcpy(text + 80, "ms");
	assert_false(condition_parse_list(text, list, 2, &count, why));
	assert_non_null(strstr(why, "5m or 1h"));
}

/* Any bytes, or what a condition is made of, mostly in its order. */
static size_t
random_text(struct rng *rng, char *text, size_t size)
{
	static const char *const parts[4][6] = {
	    {"p99", "lateness_", "lost", "sent_qps", "failed_", "\xff"},
	    {">", ">=", "=", "!", "<", " "},
	    {"10", "0.1", "5", "9", ".", "-"},
	    {"ms", "%", "k", ",", "\t", "_"},
	};
	const char *part;
	size_t length = 0, wanted = rng_below(rng, size), row = 0;

	if (rng_below(rng, 4) == 0)
		while (length < wanted)
			text[length++] = (char)(1 + rng_below(rng, 255));
	while (length < wanted) {
		part = parts[row++ % 4][rng_below(rng, 6)];
		if (rng_below(rng, 6) == 0)
			row = rng_below(rng, 4);
		if (length + strlen(part) > wanted)
			break;
		memcpy(text + length, part, strlen(part));
		length += strlen(part);
	}
	text[length] = '\0';
	return length;
}

/* What is taken says so itself when it is read again; else there is a why. */
static void
any_bytes(void **state)
{
	struct rng rng = {11};
	struct stats *s;
	struct condition_source source = source_new(&s);
	struct condition list[3], again;
	char text[120], *copy, why[CONDITION_TEXT];
	size_t count, length, k, taken = 0;
	int i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		length = random_text(&rng, text, sizeof(text) >> (i % 4));
		copy = heap_copy(text, length + 1);
		count = 0;
		why[0] = '\0';
		if (condition_parse_list(copy, list, 3, &count, why))
			assert_in_range(count, 1, 3);
		else
			assert_int_not_equal(strlen(why), 0);
		free(copy);
		for (k = 0; k < count; k++, taken++) {
			again = parsed(condition_text(&list[k]));
			assert_string_equal(again.text, list[k].text);
			assert_int_equal(again.subject, list[k].subject);
			assert_int_equal(again.offset, list[k].offset);
			assert_int_equal(again.outcomes, list[k].outcomes);
			condition_holds(&list[k], &source, why);
			condition_samples(&list[k]);
		}
	}
	assert_true(taken > 100);
	free(s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_counter),
	    cmocka_unit_test(totals),
	    cmocka_unit_test(every_rcode),
	    cmocka_unit_test(every_errno),
	    cmocka_unit_test(every_histogram),
	    cmocka_unit_test(unknown_names),
	    cmocka_unit_test(percentiles),
	    cmocka_unit_test(percentiles_out_of_range),
	    cmocka_unit_test(times),
	    cmocka_unit_test(times_need_units),
	    cmocka_unit_test(a_time_of_nothing_holds_whatever_the_operator),
	    cmocka_unit_test(what_has_no_value_says_why),
	    cmocka_unit_test(needs),
	    cmocka_unit_test(samples),
	    cmocka_unit_test(operators),
	    cmocka_unit_test(wrong_operators),
	    cmocka_unit_test(counts),
	    cmocka_unit_test(bases),
	    cmocka_unit_test(shares),
	    cmocka_unit_test(a_delay_of_reading_is_taken_off),
	    cmocka_unit_test(shares_of_nothing_hold),
	    cmocka_unit_test(shares_refused),
	    cmocka_unit_test(rates),
	    cmocka_unit_test(blanks),
	    cmocka_unit_test(no_name),
	    cmocka_unit_test(length_limit),
	    cmocka_unit_test(lists),
	    cmocka_unit_test(long_messages),
	    cmocka_unit_test(any_bytes),
	};

	return cmocka_run_group_tests_name("condition", tests, NULL, NULL);
}
