#include "tests/unit/support.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/clock.h"
#include "client/program.h"

#define MS  CLOCK_NS_PER_MS
#define SEC CLOCK_NS_PER_SEC

static const uint64_t year = UINT64_C(365) * 24 * 3600 * SEC;

static void
near(double actual, double expected)
{
	if (fabs(actual - expected) > 1e-9 + fabs(expected) * 1e-12)
		fail_msg("%.17g, not %.17g", actual, expected);
}

static void
segment_is(const struct program *p, size_t i, uint64_t duration, double begin,
    double end)
{
	assert_true(i < p->count);
	assert_int_equal(p->segments[i].duration, duration);
	near(p->segments[i].begin, begin);
	near(p->segments[i].end, end);
}

static void
is_empty(const struct program *p)
{
	assert_int_equal(p->count, 0);
	assert_null(p->segments);
	assert_int_equal(program_duration(p), 0);
}

static void
append(struct program *p, uint64_t duration, double begin, double end)
{
	const char *why = program_append(p, duration, begin, end);

	if (why != NULL)
		fail_msg("%s", why);
}

static void
append_refused(struct program *p, uint64_t duration, double begin, double end,
    const char *expected)
{
	size_t count = p->count;
	uint64_t before = program_duration(p);

	assert_string_equal(program_append(p, duration, begin, end), expected);
	assert_int_equal(p->count, count);
	assert_int_equal(program_duration(p), before);
}

/* What the program says as text; valid until the next call. */
static const char *
formatted(const struct program *p)
{
	static char text[2000];

	program_format(p, text, sizeof(text));
	return text;
}

static void
parse(struct program *p, const char *text)
{
	char why[PROGRAM_ERROR];

	memset(p, 0, sizeof(*p));
	if (!program_parse(text, p, why))
		fail_msg("\"%s\" refused: %s", text, why);
}

static void
parse_refused(const char *text, const char *expected)
{
	struct program p = {0};
	char why[PROGRAM_ERROR];

	if (program_parse(text, &p, why))
		fail_msg("\"%s\" not refused", text);
	assert_string_equal(why, expected);
	is_empty(&p);
}

/* A regular file with these bytes, at its start; the caller closes it. */
static int
file_with(const void *bytes, size_t size)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static bool
read_file(const void *bytes, size_t size, enum program_input input,
    double start, struct program *p, char why[PROGRAM_ERROR])
{
	int fd = file_with(bytes, size);
	bool right;

	memset(p, 0, sizeof(*p));
	right = program_read(fd, input, start, p, why);
	close(fd);
	return right;
}

static void
read_as(
    struct program *p, enum program_input input, double start, const char *text)
{
	char why[PROGRAM_ERROR];

	if (!read_file(text, strlen(text), input, start, p, why))
		fail_msg("\"%s\" refused: %s", text, why);
}

static void
reads(enum program_input input, double start, const char *text,
    const char *expected)
{
	struct program p;

	read_as(&p, input, start, text);
	assert_string_equal(formatted(&p), expected);
	program_clear(&p);
}

static void
bytes_refused(enum program_input input, const void *bytes, size_t size,
    const char *expected)
{
	struct program p;
	char why[PROGRAM_ERROR];

	if (read_file(bytes, size, input, 0, &p, why))
		fail_msg("\"%s\" not refused", (const char *)bytes);
	assert_string_equal(why, expected);
	is_empty(&p);
}

static void
rates_refused(const char *text, const char *expected)
{
	bytes_refused(PROGRAM_RATES, text, strlen(text), expected);
}

static void
slopes_refused(const char *text, const char *expected)
{
	bytes_refused(PROGRAM_SLOPES, text, strlen(text), expected);
}

static void
empty(void **state)
{
	struct program p = {0};

	(void)state;
	is_empty(&p);
	near(program_peak(&p), 0);
	near(program_rate_at(&p, 0), 0);
	near(program_arrivals(&p, 0, CLOCK_NEVER), 0);
	assert_string_equal(formatted(&p), "");
	program_clear(&p);
	program_clear(&p);
	is_empty(&p);
}

static void
appends(void **state)
{
	struct program p = {0};

	(void)state;
	append(&p, 10 * SEC, 0, 1e9);
	append(&p, 1, 5, 5);
	assert_int_equal(p.count, 2);
	segment_is(&p, 0, 10 * SEC, 0, 1e9);
	segment_is(&p, 1, 1, 5, 5);
	assert_int_equal(program_duration(&p), 10 * SEC + 1);
	append_refused(&p, 0, 1, 1, "a piece takes more than no time");
	append_refused(
	    &p, SEC, -0.1, 1, "a rate is from 0 to 1000M per second");
	append_refused(
	    &p, SEC, 1, 1000000000.5, "a rate is from 0 to 1000M per second");
	append_refused(
	    &p, SEC, (double)NAN, 1, "a rate is from 0 to 1000M per second");
	append_refused(&p, SEC, 1, (double)INFINITY,
	    "a rate is from 0 to 1000M per second");
	append_refused(&p, CLOCK_NEVER, 1, 2,
	    "a piece that lasts for ever keeps its rate");
	program_clear(&p);
	is_empty(&p);
}

static void
longest(void **state)
{
	static const char too_long[] =
	    "too long up to here: the most is 365 days in all";
	struct program p = {0};

	(void)state;
	append_refused(&p, year + 1, 1, 1, too_long);
	append_refused(&p, CLOCK_NEVER - 1, 1, 1, too_long);
	append(&p, year - 5, 1, 1);
	append_refused(&p, 6, 1, 1, too_long);
	append(&p, 5, 1, 1);
	append_refused(&p, 1, 1, 1, too_long);
	assert_int_equal(program_duration(&p), year);
	append(&p, CLOCK_NEVER, 3, 3);
	assert_int_equal(program_duration(&p), CLOCK_NEVER);
	append_refused(
	    &p, 1, 1, 1, "nothing comes behind a piece that lasts for ever");
	append_refused(&p, CLOCK_NEVER, 3, 3,
	    "nothing comes behind a piece that lasts for ever");
	program_clear(&p);
}

static void
rates(void **state)
{
	struct program p;

	(void)state;
	parse(&p, "10s@1000,20s@1000..50000,10s@5000..1000,1s@7");
	near(program_rate_at(&p, 0), 1000);
	near(program_rate_at(&p, 10 * SEC - 1), 1000);
	near(program_rate_at(&p, 10 * SEC), 1000);
	near(program_rate_at(&p, 20 * SEC), 25500);
	near(program_rate_at(&p, 12 * SEC + 500 * MS), 7125);
	near(program_rate_at(&p, 30 * SEC), 5000);
	near(program_rate_at(&p, 39 * SEC), 1400);
	near(program_rate_at(&p, 40 * SEC), 7);
	near(program_rate_at(&p, 41 * SEC - 1), 7);
	near(program_rate_at(&p, 41 * SEC), 0);
	near(program_rate_at(&p, CLOCK_NEVER - 1), 0);
	near(program_peak(&p), 50000);
	program_clear(&p);
}

static void
arrivals(void **state)
{
	struct program p;

	(void)state;
	parse(&p, "10s@1000,30s@1000..50000,10s@0,10s@400..200");
	near(program_arrivals(&p, 0, 10 * SEC), 10000);
	near(program_arrivals(&p, 10 * SEC, 40 * SEC), 765000);
	near(program_arrivals(&p, 40 * SEC, 50 * SEC), 0);
	near(program_arrivals(&p, 50 * SEC, 60 * SEC), 3000);
	near(program_arrivals(&p, 0, 60 * SEC), 778000);
	near(program_arrivals(&p, 0, CLOCK_NEVER), 778000);
	near(program_arrivals(&p, 60 * SEC, CLOCK_NEVER), 0);
	near(program_arrivals(&p, 59 * SEC, 61 * SEC), 210);
	/* 1 s at 1000, and 3 s from 1000 to 5900 */
	near(program_arrivals(&p, 9 * SEC, 13 * SEC), 1000 + 10350);
	/* the same bounds within one piece */
	near(program_arrivals(&p, 10 * SEC, 13 * SEC), 10350);
	near(program_arrivals(&p, 5 * SEC, 5 * SEC + 500 * MS), 500);
	near(program_arrivals(&p, 5 * SEC, 5 * SEC), 0);
	near(program_arrivals(&p, 6 * SEC, 5 * SEC), 0);
	near(program_arrivals(&p, CLOCK_NEVER, CLOCK_NEVER), 0);
	near(
	    program_arrivals(&p, 20 * SEC, 20 * SEC + 1), 17333.33333333361e-9);
	program_clear(&p);
}

static void
arrivals_for_ever(void **state)
{
	struct program p = {0};

	(void)state;
	append(&p, SEC, 10, 20);
	append(&p, CLOCK_NEVER, 100, 100);
	near(program_arrivals(&p, 0, SEC), 15);
	near(program_arrivals(&p, 500 * MS, 3 * SEC), 8.75 + 200);
	near(program_arrivals(&p, 0, 1000001 * SEC), 15 + 1e8);
	assert_true(isinf(program_arrivals(&p, 0, CLOCK_NEVER)));
	assert_true(isinf(program_arrivals(&p, 5 * SEC, CLOCK_NEVER)));
	near(program_rate_at(&p, SEC / 2), 15);
	near(program_rate_at(&p, SEC), 100);
	near(program_rate_at(&p, CLOCK_NEVER - 1), 100);
	near(program_peak(&p), 100);
	assert_string_equal(formatted(&p), "1s@10..20,forever@100");
	program_clear(&p);

	append(&p, CLOCK_NEVER, 0, 0);
	near(program_arrivals(&p, 0, CLOCK_NEVER), 0);
	program_clear(&p);
}

/* However a span is cut, its parts add up, and no rate is below 0. */
static void
arrivals_add_up(void **state)
{
	struct program p = {0};
	struct rng rng = {7};
	uint64_t at, cut[3];
	double whole;
	int i;

	(void)state;
	for (i = 0; i < 50; i++)
		append(&p, 1 + rng_below(&rng, 10 * SEC),
		    (double)rng_below(&rng, 1000) * (i % 3),
		    rng_uniform(&rng) * (double)(i % 4) * 1e6);
	for (i = 0; i < 2000; i++) {
		cut[0] = rng_below(&rng, program_duration(&p) + SEC);
		cut[1] = cut[0] + rng_below(&rng, 20 * SEC);
		cut[2] = cut[1] + rng_below(&rng, 20 * SEC);
		whole = program_arrivals(&p, cut[0], cut[2]);
		near(program_arrivals(&p, cut[0], cut[1]) +
			program_arrivals(&p, cut[1], cut[2]),
		    whole);
		assert_true(whole <= program_peak(&p) * 40 && !signbit(whole));
		at = rng_below(&rng, program_duration(&p));
		assert_false(signbit(program_rate_at(&p, at)));
		assert_true(program_rate_at(&p, at) <= program_peak(&p));
	}
	program_clear(&p);
}

static void
parses(void **state)
{
	struct program p;

	(void)state;
	parse(&p, "10s@1000");
	assert_int_equal(p.count, 1);
	segment_is(&p, 0, 10 * SEC, 1000, 1000);
	program_clear(&p);

	parse(&p, "10@0,0.5m@1k..0.05M,250ms@1.5..0,50us@1000M,1h@0..0.25");
	assert_int_equal(p.count, 5);
	segment_is(&p, 0, 10 * SEC, 0, 0);
	segment_is(&p, 1, 30 * SEC, 1000, 50000);
	segment_is(&p, 2, 250 * MS, 1.5, 0);
	segment_is(&p, 3, 50000, 1e9, 1e9);
	segment_is(&p, 4, 3600 * SEC, 0, 0.25);
	assert_int_equal(program_duration(&p), 3640 * SEC + 250 * MS + 50000);
	program_clear(&p);

	parse(&p, "8759h@1,1h@2");
	assert_int_equal(program_duration(&p), year);
	program_clear(&p);
}

static void
items_refused(void **state)
{
	static const char *const shapes[] = {"", "1000", "10s", "10s,1000"};
	char expected[PROGRAM_ERROR];
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(shapes); i++) {
		snprintf(expected, sizeof(expected),
		    "item 1: '%.*s' is not DURATION@RATE or "
		    "DURATION@RATE..RATE such as 10s@1000 or "
		    "30s@1000..50000",
		    (int)strcspn(shapes[i], ","), shapes[i]);
		parse_refused(shapes[i], expected);
	}
	parse_refused("10s@1,",
	    "item 2: '' is not DURATION@RATE or DURATION@RATE..RATE such as "
	    "10s@1000 or 30s@1000..50000");
	parse_refused("1s@1,1s@1,\x1b[1m\xff,1s@1",
	    "item 3: '?[1m?' is not DURATION@RATE or DURATION@RATE..RATE "
	    "such as 10s@1000 or 30s@1000..50000");
	parse_refused(
	    "1s@1,this is longer than forty bytes, which is where it is cut",
	    "item 2: 'this is longer than forty bytes' is not DURATION@RATE "
	    "or DURATION@RATE..RATE such as 10s@1000 or 30s@1000..50000");
	parse_refused("0123456789012345678901234567890123456789012",
	    "item 1: '0123456789012345678901234567890123456789...' is not "
	    "DURATION@RATE or DURATION@RATE..RATE such as 10s@1000 or "
	    "30s@1000..50000");
}

static void
item_numbers_refused(void **state)
{
	(void)state;
	parse_refused("1s@1, 1s@1",
	    "item 2: ' 1s' is not a duration such as 10, 1.5s, 250ms, 50us, "
	    "5m or 1h");
	parse_refused("@1",
	    "item 1: '' is not a duration such as 10, 1.5s, 250ms, 50us, 5m "
	    "or 1h");
	parse_refused(
	    "1s@1,0s@1", "item 2: '0s' is no time: the least is 0.001us");
	parse_refused("0.0000001us@1",
	    "item 1: '0.0000001us' is no time: the least is 0.001us");
	parse_refused(
	    "9000h@1", "item 1: '9000h' is too long: the most is 365 days");
	parse_refused("8000h@1,700h@1,61h@1",
	    "item 3: too long up to here: the most is 365 days in all");
	parse_refused("1s@abc",
	    "item 1: 'abc' is not a rate per second such as 0.5, 1000, 50k or "
	    "1.5M");
	parse_refused("1s@1..",
	    "item 1: '' is not a rate per second such as 0.5, 1000, 50k or "
	    "1.5M");
	parse_refused("1s@..1",
	    "item 1: '' is not a rate per second such as 0.5, 1000, 50k or "
	    "1.5M");
	parse_refused("1s@1...2",
	    "item 1: three dots: a ramp is RATE..RATE, such as 1..0.2");
	parse_refused("1s@1..2..3",
	    "item 1: '2..3' is not a rate per second such as 0.5, 1000, 50k "
	    "or 1.5M");
	parse_refused("1s@-1",
	    "item 1: '-1' is not a rate per second such as 0.5, 1000, 50k or "
	    "1.5M");
	parse_refused("1s@1..1001M",
	    "item 1: '1001M' is too large: the most is 1000M per second");
	parse_refused("1s@1@2",
	    "item 1: '1@2' is not a rate per second such as 0.5, 1000, 50k or "
	    "1.5M");
}

static void
formats(void **state)
{
	static const char *const texts[] = {"10s@1000,30s@1000..50000,10s@0",
	    "1h@0.5", "90s@1..2", "5m@1", "250ms@1000000000", "1us@0..0.001",
	    "0.000000001s@1", "3.333333333s@333.333333333", "1500ms@12.75",
	    "8760h@0", "1s@0.000000001", "999us@123456789.012"};
	struct program p;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(texts); i++) {
		parse(&p, texts[i]);
		assert_string_equal(formatted(&p), texts[i]);
		program_clear(&p);
	}
	memset(&p, 0, sizeof(p));
	append(&p, SEC, 13.000000000000002, 1000. / 3);
	assert_string_equal(formatted(&p), "1s@13..333.333333333");
	program_clear(&p);
}

/* What does not fit is cut behind an item, whatever the size. */
static void
formats_cut(void **state)
{
	static const char whole[] = "10s@1000,30s@1000..50000,10s@0,1s@5";
	char text[sizeof(whole)], *copy;
	struct program p;
	size_t size, kept;

	(void)state;
	parse(&p, whole);
	for (size = 1; size <= sizeof(whole); size++) {
		copy = heap_copy(whole, size);
		program_format(&p, copy, size);
		strcpy(text, copy);
		free(copy);
		kept = strlen(text);
		if (size == sizeof(whole)) {
			assert_string_equal(text, whole);
		} else if (size <= 4) {
			assert_int_equal(kept, size - 1);
			assert_int_equal(strspn(text, "."), kept);
		} else {
			assert_string_equal(text + kept - 3, "...");
			assert_memory_equal(text, whole, kept - 3);
			assert_true(kept == 3 || text[kept - 4] == ',');
		}
	}
	program_format(&p, text, 29);
	assert_string_equal(text, "10s@1000,30s@1000..50000,...");
	program_format(&p, text, 28);
	assert_string_equal(text, "10s@1000,...");
	program_clear(&p);
}

static void
reads_rates(void **state)
{
	(void)state;
	reads(PROGRAM_RATES, 0, "1\n10000 500\n", "10s@500");
	reads(PROGRAM_RATES, 77, "3\n10000 500\n1 0\n1500 0.5\n",
	    "10s@500,1ms@0,1500ms@0.5");
	reads(PROGRAM_RATES, 0, "2\n1000 50k\n1000 1.5M\n",
	    "1s@50000,1s@1500000");
	/* blanks, the end of the line, of the file */
	reads(PROGRAM_RATES, 0, " 2\t\n \t1000 \t 5 \t\n\t1000\t6\n",
	    "1s@5,1s@6");
	reads(PROGRAM_RATES, 0, "2\r\n1000 5\r\n1000 6 \r\n", "1s@5,1s@6");
	reads(PROGRAM_RATES, 0, "2\n1000 5\n1000 6", "1s@5,1s@6");
	reads(PROGRAM_RATES, 0, "2\n1000 5\n1000 6\r", "1s@5,1s@6");
	reads(PROGRAM_RATES, 0, "01\n01000 05\n", "1s@5");
	reads(PROGRAM_RATES, 0, "1\n1000 5\n\n \t\r\n\n", "1s@5");
	/* no time */
	reads(PROGRAM_RATES, 0, "3\n0 7\n1000 5\n0 0\n", "1s@5");
	reads(PROGRAM_RATES, 0, "1\n31536000000 1000M\n", "8760h@1000000000");
}

static void
reads_slopes(void **state)
{
	(void)state;
	reads(PROGRAM_SLOPES, 0, "1\n10000 100\n", "10s@0..1000");
	reads(PROGRAM_SLOPES, 0, "2\n10000 +0.1k\n5000 -100\n",
	    "10s@0..1000,5s@1000..500");
	reads(PROGRAM_SLOPES, 250, "3\n10000 0\n1000 -0.5\n1000 0.25\n",
	    "10s@250,1s@250..249.5,1s@249.5..249.75");
	reads(PROGRAM_SLOPES, 10, "2\n0 1000M\n1000 -0\n", "1s@10");
	reads(PROGRAM_SLOPES, 0, "1\n1000 1000M\n", "1s@0..1000000000");
	/* sums that are not exact in binary do not show */
	reads(PROGRAM_SLOPES, 0, "3\n1000 0.1\n1000 0.2\n1000 0\n",
	    "1s@0..0.1,1s@0.1..0.3,1s@0.3");
}

static void
slopes_reach_zero(void **state)
{
	(void)state;
	/* inside, at the end, from zero, and on from zero */
	reads(PROGRAM_SLOPES, 1000, "1\n10000 -500\n", "2s@1000..0,8s@0");
	reads(PROGRAM_SLOPES, 1000, "1\n10000 -100\n", "10s@1000..0");
	reads(PROGRAM_SLOPES, 0, "1\n10000 -100\n", "10s@0");
	reads(PROGRAM_SLOPES, 1000, "3\n10000 -500\n4000 -1\n10000 20\n",
	    "2s@1000..0,8s@0,4s@0,10s@0..200");
	/* not on a whole nanosecond: 10 / 3 s; less than one */
	reads(PROGRAM_SLOPES, 10, "1\n10000 -3\n",
	    "3.333333333s@10..0,6.666666667s@0");
	reads(PROGRAM_SLOPES, 0.1, "1\n1 -1000M\n", "1ms@0");
	/* 0.3 - 3 * 0.1 is below 0 in binary */
	reads(PROGRAM_SLOPES, 0.3, "1\n3000 -0.1\n", "3s@0.3..0");
	reads(PROGRAM_SLOPES, 1e9, "1\n31536000000 -1000M\n",
	    "1s@1000000000..0,31535999s@0");
}

static void
first_line_refused(void **state)
{
	static const char *const texts[] = {
	    "abc", "0", "-1", "+1", "1.5", "1k", "1 2", "4294967296", "10s@5"};
	char expected[PROGRAM_ERROR], input[100];
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(texts); i++) {
		snprintf(input, sizeof(input), "%s\n1000 5\n", texts[i]);
		snprintf(expected, sizeof(expected),
		    "line 1: '%s' is not the number of commands, from 1 to "
		    "4294967295",
		    texts[i]);
		rates_refused(input, expected);
	}
	rates_refused("\n1\n1000 5\n",
	    "line 1: '' is not the number of commands, from 1 to 4294967295");
	rates_refused("",
	    "line 1: the input is empty, but should begin with the number of "
	    "commands");
}

static void
commands_refused(void **state)
{
	(void)state;
	rates_refused("2\n1000 5\n1000 abc\n",
	    "line 3: 'abc' is not a rate per second such as 0.5, 1000, 50k or "
	    "1.5M");
	rates_refused("1\n1000 -5\n",
	    "line 2: '-5' is not a rate per second such as 0.5, 1000, 50k or "
	    "1.5M");
	rates_refused("1\n0 1001M\n",
	    "line 2: '1001M' is too large: the most is 1000M per second");
	rates_refused("2\n1000 5\n1000\n",
	    "line 3: '1000' is not a duration in milliseconds and a rate per "
	    "second, such as '10000 500'");
	rates_refused("1\n1000 5 6\n",
	    "line 2: '1000 5 6' is not a duration in milliseconds and a rate "
	    "per second, such as '10000 500'");
	rates_refused("2\n\n1000 5\n",
	    "line 2: '' is not a duration in milliseconds and a rate per "
	    "second, such as '10000 500'");
	rates_refused("1\n1000 5\r \n",
	    "line 2: '5?' is not a rate per second such as 0.5, 1000, 50k or "
	    "1.5M");
	slopes_refused("1\n1000\n",
	    "line 2: '1000' is not a duration in milliseconds and a slope per "
	    "second, such as '10000 -0.5'");
}

static void
durations_refused(void **state)
{
	static const char *const texts[] = {"abc", "-1", "+1", "1.5", "10k",
	    "5M", "10s", "31536000001", "99999999999999999999",
	    "0000000000000000000000000000000000000001"};
	char expected[PROGRAM_ERROR], input[100];
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(texts); i++) {
		snprintf(input, sizeof(input), "2\n1 1\n%s 5\n", texts[i]);
		snprintf(expected, sizeof(expected),
		    "line 3: '%s' is not a whole number of milliseconds, from "
		    "0 to 31536000000 (365 days)",
		    texts[i]);
		rates_refused(input, expected);
		slopes_refused(input, expected);
	}
	rates_refused("2\n31536000000 5\n1 5\n",
	    "line 3: too long up to here: the most is 365 days in all");
	slopes_refused("2\n31536000000 0\n1 -5\n",
	    "line 3: too long up to here: the most is 365 days in all");
	rates_refused("2\n0 5\n0 6\n",
	    "all commands take 0 ms: one must take 1 ms or more");
	slopes_refused(
	    "1\n0 5\n", "all commands take 0 ms: one must take 1 ms or more");
}

static void
bad_slopes_refused(void **state)
{
	static const char *const texts[] = {
	    "abc", "-", "+", "--5", "+-5", "- ", "1e3", "1001M", "-1001M"};
	char expected[PROGRAM_ERROR], input[100];
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(texts); i++) {
		snprintf(input, sizeof(input), "2\n1 1\n1 %s\n", texts[i]);
		snprintf(expected, sizeof(expected),
		    "line 3: '%.*s' is not a slope per second such as 500, "
		    "-0.5 or +20k, from -1000M to 1000M",
		    (int)strcspn(texts[i], " "), texts[i]);
		slopes_refused(input, expected);
	}
	slopes_refused("2\n1000 500M\n1500 500M\n",
	    "line 3: the rate would rise to 1250000000 per second: the most "
	    "is 1000M");
}

static void
lines_refused(void **state)
{
	static const char nul[] = "2\n1000 5\n10\0 5\n";
	char text[300];

	(void)state;
	bytes_refused(PROGRAM_RATES, nul, sizeof(nul) - 1,
	    "line 3: a NUL byte is not text");
	/* 200 bytes do, 201 do not */
	snprintf(text, sizeof(text), "1\n%*s%*s\n", 100, "1000", 100, " 5");
	reads(PROGRAM_RATES, 0, text, "1s@5");
	snprintf(text, sizeof(text), "1\n%*s%*s\n", 100, "1000", 101, " 5");
	rates_refused(text, "line 2: too long: the most is 200 bytes");
	memset(text, '9', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	rates_refused(text, "line 1: too long: the most is 200 bytes");
}

static void
too_few_lines(void **state)
{
	(void)state;
	rates_refused("10\n1000 5\n1000 6\n",
	    "line 4: the input ends here, but line 1 announces 10 commands");
	rates_refused("10\n1000 5\n1000 6",
	    "line 4: the input ends here, but line 1 announces 10 commands");
	rates_refused(
	    "1", "line 2: the input ends here, but line 1 announces 1 command");
	/* no memory for what is only announced */
	rates_refused("4294967295\n1000 5\n",
	    "line 3: the input ends here, but line 1 announces 4294967295 "
	    "commands");
}

static void
too_many_lines(void **state)
{
	static const char nul[] = "1\n1000 5\n\0";

	(void)state;
	rates_refused("1\n1000 5\n1000 6\n",
	    "line 3: one more than the 1 command that line 1 announces");
	rates_refused("2\n1000 5\n1000 6\n\n \r\n\t7",
	    "line 6: one more than the 2 commands that line 1 announces");
	bytes_refused(PROGRAM_RATES, nul, sizeof(nul) - 1,
	    "line 3: one more than the 1 command that line 1 announces");
}

/* Blank lines, more than any buffer, do not hide what is behind them. */
static void
file_checked_to_its_end(void **state)
{
	const size_t size = 100000;
	char *text = malloc(size + 1);

	(void)state;
	assert_non_null(text);
	memset(text, '\n', size);
	text[size] = '\0';
	memcpy(text, "1\n1000 5", 8);
	reads(PROGRAM_RATES, 0, text, "1s@5");
	text[size - 1] = '7';
	rates_refused(text,
	    "line 99993: one more than the 1 command that line 1 announces");
	free(text);
}

static void
many_commands(void **state)
{
	const size_t count = 10000, room = 20;
	char *text = malloc((count + 1) * room);
	struct program p;
	size_t length, i;

	(void)state;
	assert_non_null(text);
	length = (size_t)snprintf(text, room, "%zu\n", count);
	for (i = 0; i < count; i++)
		length += (size_t)snprintf(
		    text + length, room, "%zu %zu\n", i + 1, i);
	read_as(&p, PROGRAM_RATES, 0, text);
	assert_int_equal(p.count, count);
	assert_int_equal(program_duration(&p), 50005000 * MS);
	for (i = 0; i < count; i++)
		segment_is(&p, i, (i + 1) * MS, (double)i, (double)i);
	/* the sum of i * (i + 1) for all i below 10000, in milliseconds */
	near(program_arrivals(&p, 0, CLOCK_NEVER), 333333330);
	program_clear(&p);
	free(text);
}

/* A pipe with these bytes in it, whose writing end is in *writer. */
static int
pipe_with(const char *text, int *writer)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(
	    write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
	*writer = ends[1];
	return ends[0];
}

static void
pipe_reads(const char *text, const char *expected, const char *error)
{
	struct program p = {0};
	char why[PROGRAM_ERROR] = "";
	int writer, fd = pipe_with(text, &writer);

	alarm(10); /* waiting for more would be for ever */
	if (program_read(fd, PROGRAM_RATES, 0, &p, why)) {
		assert_null(error);
		assert_string_equal(formatted(&p), expected);
	} else if (error == NULL)
		fail_msg("\"%s\" refused: %s", text, why);
	else
		assert_string_equal(why, error);
	alarm(0);
	close(fd);
	close(writer);
	program_clear(&p);
}

static void
pipe_stays_open(void **state)
{
	static char lines[300];

	(void)state;
	pipe_reads("2\n1000 5\n1000 6\n", "1s@5,1s@6", NULL);
	pipe_reads("2\n1000 5\n1000 6\n \n\n", "1s@5,1s@6", NULL);
	pipe_reads("1\n1000 5\n7", NULL,
	    "line 3: one more than the 1 command that line 1 announces");
	/* known without the end of the line */
	memset(lines, '7', sizeof(lines) - 1);
	pipe_reads(lines, NULL, "line 1: too long: the most is 200 bytes");
	pipe_reads("2\nabc\n", NULL,
	    "line 2: 'abc' is not a duration in milliseconds and a rate per "
	    "second, such as '10000 500'");
}

static void
on_signal(int number)
{
	(void)number;
}

/* Byte after byte, each with a signal behind it; then it keeps its end. */
static void
trickle_child(int writer, const char *text)
{
	for (; *text != '\0'; text++) {
		usleep(1000);
		if (write(writer, text, 1) != 1)
			_exit(1);
		usleep(1000);
		kill(getppid(), SIGUSR1);
	}
	pause();
	_exit(0);
}

static void
trickle(int flags)
{
	struct sigaction interrupt = {.sa_handler = on_signal}, before;
	struct program p = {0};
	char why[PROGRAM_ERROR];
	int writer, fd = pipe_with("", &writer);
	pid_t child;

	/* without SA_RESTART */
	assert_int_equal(sigaction(SIGUSR1, &interrupt, &before), 0);
	assert_int_equal(fcntl(fd, F_SETFL, flags), 0);
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0)
		trickle_child(writer, "3\n1000 5\r\n1000 6\n1000 7\n");
	alarm(10);
	if (!program_read(fd, PROGRAM_RATES, 0, &p, why))
		fail_msg("%s", why);
	alarm(0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
	assert_string_equal(formatted(&p), "1s@5,1s@6,1s@7");
	program_clear(&p);
	close(fd);
	close(writer);
}

static void
byte_by_byte(void **state)
{
	(void)state;
	trickle(0);
	trickle(O_NONBLOCK);
}

static void
read_errors(void **state)
{
	struct program p = {0};
	char why[PROGRAM_ERROR];
	int fd = open("/", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_false(program_read(fd, PROGRAM_RATES, 0, &p, why));
	assert_string_equal(why, "line 1: cannot be read: Is a directory");
	is_empty(&p);
	close(fd);
	assert_false(program_read(fd, PROGRAM_RATES, 0, &p, why));
	assert_string_equal(why, "line 1: cannot be read: Bad file descriptor");
	is_empty(&p);
}

/* Right or refused: whole, or empty and with a message that is printable. */
static void
is_sound(bool right, struct program *p, const char *why)
{
	char *text;
	size_t size;

	if (right) {
		assert_true(p->count > 0 && program_duration(p) > 0);
		assert_true(isfinite(program_arrivals(p, 0, CLOCK_NEVER)));
		for (size = 1; size < 100; size += 33) {
			text = malloc(size);
			program_format(p, text, size);
			free(text);
		}
	} else {
		is_empty(p);
		assert_true(strlen(why) > 10);
		for (; *why != '\0'; why++)
			assert_true(*why >= ' ' && *why <= '~');
	}
	program_clear(p);
}

static void
survives(const char *bytes, size_t length, enum program_input input)
{
	struct program p;
	char why[PROGRAM_ERROR], *copy = heap_copy(bytes, length + 1);
	bool right;

	right = read_file(copy, length, input, 1, &p, why);
	is_sound(right, &p, why);
	copy[length] = '\0';
	right = program_parse(copy, &p, why);
	is_sound(right, &p, why);
	free(copy);
}

static void
random_bytes(void **state)
{
	static const char likely[] = "0123456789@@..,,s\n\n   k-+";
	struct rng rng = {23};
	char bytes[300];
	size_t length, start, i;
	int round;

	(void)state;
	for (round = 0; round < 20000; round++) {
		length = rng_below(&rng, round % 8 == 0 ? 299 : 30);
		for (i = 0; i < length; i++)
			bytes[i] = round % 4 == 0 ?
			    (char)rng_below(&rng, 256) :
			    likely[rng_below(&rng, sizeof(likely) - 1)];
		start = round % 4 == 2 && length > 2 ? 2 : 0;
		memcpy(bytes, "2\n", start);
		survives(bytes, length,
		    round % 3 == 0 ? PROGRAM_RATES : PROGRAM_SLOPES);
	}
}

/* One byte of a right text changed, at every place, to every value. */
static void
every_byte_changed(void **state)
{
	static const char *const right[] = {
	    "10s@1000,3m@1.5k..2M", "2\n100 5k\n200 -0.5\n"};
	char text[50];
	size_t i, at;
	int byte;

	(void)state;
	for (i = 0; i < LENGTH(right); i++)
		for (at = 0; at < strlen(right[i]); at++)
			for (byte = 0; byte < 256; byte++) {
				strcpy(text, right[i]);
				text[at] = (char)byte;
				survives(
				    text, strlen(right[i]), PROGRAM_SLOPES);
			}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(empty),
	    cmocka_unit_test(appends),
	    cmocka_unit_test(longest),
	    cmocka_unit_test(rates),
	    cmocka_unit_test(arrivals),
	    cmocka_unit_test(arrivals_for_ever),
	    cmocka_unit_test(arrivals_add_up),
	    cmocka_unit_test(parses),
	    cmocka_unit_test(items_refused),
	    cmocka_unit_test(item_numbers_refused),
	    cmocka_unit_test(formats),
	    cmocka_unit_test(formats_cut),
	    cmocka_unit_test(reads_rates),
	    cmocka_unit_test(reads_slopes),
	    cmocka_unit_test(slopes_reach_zero),
	    cmocka_unit_test(first_line_refused),
	    cmocka_unit_test(commands_refused),
	    cmocka_unit_test(durations_refused),
	    cmocka_unit_test(bad_slopes_refused),
	    cmocka_unit_test(lines_refused),
	    cmocka_unit_test(too_few_lines),
	    cmocka_unit_test(too_many_lines),
	    cmocka_unit_test(file_checked_to_its_end),
	    cmocka_unit_test(many_commands),
	    cmocka_unit_test(pipe_stays_open),
	    cmocka_unit_test(byte_by_byte),
	    cmocka_unit_test(read_errors),
	    cmocka_unit_test(random_bytes),
	    cmocka_unit_test(every_byte_changed),
	};

	return cmocka_run_group_tests_name("program", tests, NULL, NULL);
}
