#include "tests/unit/support.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "lib/parse.h"

#define UNTOUCHED UINT64_C(0x5eed5eed5eed5eed)

/* What no number may look like, whatever is being parsed. */
static const char *const never_numbers[] = {"", " ", "+", "-", ".", "k", "M",
    "s", "us", "x", " 5", "5 ", "\t5", "5\n", "5 k", "+5", "-5", "-0", "--5",
    "5-", "1e3", "1E3", "5e", "0x10", "0X10", "0b1", "1.", ".", "1..5", "1.5.5",
    "1.k", ".k", "1,5", "1_000", "1'000", "5kk", "5kM", "5Mk", "5K", "5G",
    "5mm", "5ss", "5mss", "5sm", "5u", "5ns", "5d", "5S", "5MS", "5min", "five",
    "inf", "INF", "nan", "infinity", "5%", "1/2", "\xd9\xa5", "5\xc2", "0xk",
    "1k5", "1s5", "5;", "5\\"};

/* "5" and "k" as "5k", until the next call. */
static const char *
number_text(const char *suffix, uint64_t n)
{
	static char text[64];

	snprintf(text, sizeof(text), "%" PRIu64 "%s", n, suffix);
	return text;
}

static void
count_is(const char *text, long long min, long long max, uint64_t expected)
{
	uint64_t out = UNTOUCHED;
	const char *why = parse_count(text, min, max, &out);

	if (why != NULL)
		fail_msg("\"%s\" refused: %s", text, why);
	assert_int_equal(out, expected);
}

static void
count_refused(const char *text, long long min, long long max)
{
	uint64_t out = UNTOUCHED;
	const char *why = parse_count(text, min, max, &out);

	if (why == NULL)
		fail_msg("\"%.50s\" taken for %" PRIu64, text, out);
	assert_int_not_equal(strlen(why), 0);
	assert_int_equal(out, UNTOUCHED);
}

static void
shares(void **state)
{
	static const char *const wrong[] = {"", "-1", "1.1", "101%", "2",
	    "10 %", "%", "1%%", "0.1k", "10%x", "1e-3", "nan"};
	double out = -1;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(wrong); i++)
		if (parse_share(wrong[i], &out) == NULL)
			fail_msg("\"%s\" taken for %g", wrong[i], out);
	assert_true(out < 0);
	assert_null(parse_share("0.25", &out));
	assert_true(out >= 0.25 && out <= 0.25);
	assert_null(parse_share("100%", &out));
	assert_true(out >= 1 && out <= 1);
	assert_null(parse_share("0", &out));
	assert_true(out <= 0);
	assert_null(parse_share("12.5%", &out));
	assert_true(out >= 0.125 && out <= 0.125);
}

static void
rate_is(const char *text, double expected)
{
	double out = -1;
	const char *why = parse_rate(text, &out);

	if (why != NULL)
		fail_msg("\"%s\" refused: %s", text, why);
	if (out < expected || out > expected)
		fail_msg("\"%s\" is %.17g, not %.17g", text, out, expected);
}

static void
rate_refused(const char *text)
{
	double out = -1;
	const char *why = parse_rate(text, &out);

	if (why == NULL)
		fail_msg("\"%.50s\" taken for %g", text, out);
	assert_int_not_equal(strlen(why), 0);
	assert_true(out < 0);
}

static void
duration_is(const char *text, uint64_t expected)
{
	uint64_t out = UNTOUCHED;
	const char *why = parse_duration(text, &out);

	if (why != NULL)
		fail_msg("\"%s\" refused: %s", text, why);
	if (out != expected)
		fail_msg("\"%s\" is %" PRIu64 " ns, not %" PRIu64, text, out,
		    expected);
}

static void
duration_refused(const char *text)
{
	uint64_t out = UNTOUCHED;
	const char *why = parse_duration(text, &out);

	if (why == NULL)
		fail_msg("\"%.50s\" taken for %" PRIu64 " ns", text, out);
	assert_int_not_equal(strlen(why), 0);
	assert_int_equal(out, UNTOUCHED);
}

static void
epoch_is(const char *text, uint64_t expected)
{
	uint64_t ns = UNTOUCHED;
	const char *why = parse_epoch(text, &ns);

	if (why != NULL)
		fail_msg("%s is %s", text, why);
	if (ns != expected)
		fail_msg(
		    "%s is %" PRIu64 " ns, not %" PRIu64, text, ns, expected);
}

static void
epoch_refused(const char *text)
{
	uint64_t ns = UNTOUCHED;

	if (parse_epoch(text, &ns) == NULL)
		fail_msg("'%s' is accepted as %" PRIu64 " ns", text, ns);
	assert_int_equal(ns, UNTOUCHED);
}

static void
count_values(void **state)
{
	(void)state;
	count_is("0", 0, 10, 0);
	count_is("5", 0, 10, 5);
	count_is("007", 0, 10, 7);
	count_is("500", 0, 1000, 500);
	count_is("20k", 0, LLONG_MAX, 20000);
	count_is("1M", 0, LLONG_MAX, 1000000);
	count_is("0k", 0, LLONG_MAX, 0);
	count_is("0M", 0, LLONG_MAX, 0);
	count_is("9223372036854775807", 0, LLONG_MAX, LLONG_MAX);
	count_is(
	    "9223372036854775k", 0, LLONG_MAX, UINT64_C(9223372036854775000));
	count_is("9223372036854M", 0, LLONG_MAX, UINT64_C(9223372036854000000));
}

static void
count_range(void **state)
{
	(void)state;
	count_refused("0", 1, 65535);
	count_is("1", 1, 65535, 1);
	count_is("65535", 1, 65535, 65535);
	count_refused("65536", 1, 65535);
	count_is("65k", 1, 65535, 65000);
	count_refused("66k", 1, 65535);
	count_is("1k", 1000, 1000, 1000);
	count_refused("999", 1000, 1000);
	count_refused("1001", 1000, 1000);
	/* the range is that of the value, not of what is before the suffix */
	count_is("5k", 5000, 5000, 5000);
	count_refused("5", 1000, 9000);
	count_is("5M", 5000000, 5000000, 5000000);
	count_is("0", 0, 0, 0);
	count_refused("1", 0, 0);
}

static void
count_overflow(void **state)
{
	(void)state;
	count_refused("9223372036854775808", 0, LLONG_MAX);
	count_refused("18446744073709551615", 0, LLONG_MAX);
	count_refused("18446744073709551616", 0, LLONG_MAX);
	count_refused("18446744073709551621", 0, LLONG_MAX); /* 2^64 + 5 */
	count_refused("9223372036854776k", 0, LLONG_MAX);
	count_refused("9223372036855M", 0, LLONG_MAX);
	count_refused("18446744073709552k", 0, LLONG_MAX); /* 384 mod 2^64 */
	count_refused("18446744073710M", 0, LLONG_MAX);
	count_refused("99999999999999999999999999999", 0, LLONG_MAX);
	count_refused("99999999999999999999999999999M", 0, LLONG_MAX);
}

static void
count_not_numbers(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(never_numbers); i++)
		count_refused(never_numbers[i], 0, LLONG_MAX);
	count_refused("1.5", 0, LLONG_MAX);
	count_refused("1.0", 0, LLONG_MAX);
	count_refused("1.5k", 0, LLONG_MAX);
	count_refused("5m", 0, LLONG_MAX);
	count_refused("5s", 0, LLONG_MAX);
	count_refused("5ms", 0, LLONG_MAX);
}

static void
count_random(void **state)
{
	struct rng rng = {2};
	uint64_t n;
	int i;

	(void)state;
	for (i = 0; i < 10000; i++) {
		n = rng_next(&rng) >> (1 + rng_below(&rng, 63));
		count_is(number_text("", n), 0, LLONG_MAX, n);
		if (n <= LLONG_MAX / 1000)
			count_is(number_text("k", n), 0, LLONG_MAX, n * 1000);
		else
			count_refused(number_text("k", n), 0, LLONG_MAX);
		if (n <= LLONG_MAX / 1000000)
			count_is(
			    number_text("M", n), 0, LLONG_MAX, n * 1000000);
		else
			count_refused(number_text("M", n), 0, LLONG_MAX);
	}
}

static void
digits_are(const char *text, size_t length, uint32_t max, uint32_t expected)
{
	char *copy = heap_copy(text, length);
	uint32_t out = ~expected;
	const char *why = parse_digits(copy, length, max, &out);

	if (why != NULL)
		fail_msg("\"%s\" refused: %s", text, why);
	assert_int_equal(out, expected);
	free(copy);
}

static void
digits_refused(const char *text, uint32_t max)
{
	uint32_t out = 4242;
	const char *why = parse_digits(text, strlen(text), max, &out);

	if (why == NULL)
		fail_msg("\"%s\" taken for %" PRIu32, text, out);
	assert_int_not_equal(strlen(why), 0);
	assert_int_equal(out, 4242);
}

static void
digits(void **state)
{
	size_t i;

	(void)state;
	digits_are("0", 1, 0, 0);
	digits_are("65535", 5, 65535, 65535);
	digits_are("00065535", 8, 65535, 65535);
	digits_are("4294967295", 10, UINT32_MAX, UINT32_MAX);
	/* not beyond the length */
	digits_are("53-55", 2, 65535, 53);
	digits_are("53", 1, 65535, 5);
	digits_refused("1", 0);
	digits_refused("65536", 65535);
	digits_refused("4294967296", UINT32_MAX);
	digits_refused("4294967301", UINT32_MAX); /* 2^32 + 5 */
	digits_refused("18446744073709551621", UINT32_MAX); /* 2^64 + 5 */
	digits_refused("99999999999999999999999999999", UINT32_MAX);
	digits_refused("99999999999999999999999999999k", UINT32_MAX);
	for (i = 0; i < LENGTH(never_numbers); i++)
		digits_refused(never_numbers[i], UINT32_MAX);
	digits_refused("5k", UINT32_MAX);
	digits_refused("1.5", UINT32_MAX);
}

static void
rate_values(void **state)
{
	(void)state;
	rate_is("0", 0);
	rate_is("0.0", 0);
	rate_is("0k", 0);
	rate_is("0.5", 0.5);
	rate_is("0.1", 0.1);
	rate_is("00.25", 0.25);
	rate_is("1000", 1000);
	rate_is("50k", 50000);
	rate_is("1.5k", 1500);
	rate_is("1.5M", 1500000);
	rate_is("0.25M", 250000);
	rate_is("123456.75", 123456.75);
}

static void
rate_limit(void **state)
{
	(void)state;
	rate_is("1000000000", 1e9);
	rate_is("1000000k", 1e9);
	rate_is("1000M", 1e9);
	rate_is("999999999.5", 999999999.5);
	rate_refused("1000000000.5");
	rate_refused("1000000001");
	rate_refused("1000.001M");
	rate_refused("1001M");
	rate_refused("1000001k");
	rate_refused("99999999999999999999999999999");
	rate_refused("99999999999999999999999999999M");
}

static void
rate_not_numbers(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(never_numbers); i++)
		rate_refused(never_numbers[i]);
	rate_refused("5m");
	rate_refused("5s");
	rate_refused("1.5s");
	rate_refused("10/s");
}

static void
duration_values(void **state)
{
	(void)state;
	duration_is("0", 0);
	duration_is("0s", 0);
	duration_is("0.0h", 0);
	duration_is("10", UINT64_C(10000000000));
	duration_is("10s", UINT64_C(10000000000));
	duration_is("0.5", 500000000);
	duration_is("1.5s", 1500000000);
	duration_is("0.3", 300000000);
	duration_is("250ms", 250000000);
	duration_is("0.5ms", 500000);
	duration_is("50us", 50000);
	duration_is("0.25us", 250);
	duration_is("0.001us", 1);
	duration_is("0.000000001", 1);
	duration_is("5m", UINT64_C(300000000000));
	duration_is("1.5m", UINT64_C(90000000000));
	duration_is("1h", UINT64_C(3600000000000));
	duration_is("0.5h", UINT64_C(1800000000000));
}

static void
duration_limit(void **state)
{
	const uint64_t year = UINT64_C(365) * 24 * 3600 * 1000000000;

	(void)state;
	duration_is("10222222.200000003s", UINT64_C(10222222200000003));
	duration_is("31536000", year);
	duration_is("31536000s", year);
	duration_is("525600m", year);
	duration_is("8760h", year);
	duration_refused("31536000.1");
	duration_refused("31536001");
	duration_refused("525600.1m");
	duration_refused("8760.1h");
	duration_refused("8761h");
	/* beyond what 64 bits of nanoseconds hold */
	duration_refused("18446744074");
	duration_refused("18446744073709551616us");
	duration_refused("99999999999999999999999999999");
	duration_refused("99999999999999999999999999999h");
}

static void
duration_not_durations(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(never_numbers); i++)
		duration_refused(never_numbers[i]);
	duration_refused("5k");
	duration_refused("5M");
	duration_refused("5H");
	duration_refused("5 s");
	duration_refused("1h30m");
	duration_refused("1:30");
}

/* Whole numbers of every unit come out exactly, up to a day. */
static void
duration_random(void **state)
{
	static const struct {
		const char *unit;
		uint64_t ns;
	} units[] = {{"us", UINT64_C(1000)}, {"ms", UINT64_C(1000000)},
	    {"s", UINT64_C(1000000000)}, {"", UINT64_C(1000000000)},
	    {"m", UINT64_C(60000000000)}, {"h", UINT64_C(3600000000000)}};
	const uint64_t day = UINT64_C(24) * 3600 * 1000000000;
	struct rng rng = {3};
	uint64_t n;
	size_t u;
	int i;

	(void)state;
	for (i = 0; i < 10000; i++)
		for (u = 0; u < LENGTH(units); u++) {
			n = rng_below(&rng, day / units[u].ns + 1);
			duration_is(
			    number_text(units[u].unit, n), n * units[u].ns);
		}
}

static void
epoch_values(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} cases[] = {
	    {"0", 0},
	    {"1", UINT64_C(1000000000)},
	    {"1800000000", UINT64_C(1800000000000000000)},
	    {"1800000000.0", UINT64_C(1800000000000000000)},
	    {"1800000000.5", UINT64_C(1800000000500000000)},
	    {"1800000000.05", UINT64_C(1800000000050000000)},
	    {"1800000000.000000001", UINT64_C(1800000000000000001)},
	    {"1800000000.123456789", UINT64_C(1800000000123456789)},
	    {"1800000000.999999999", UINT64_C(1800000000999999999)},
	    {"1800000000.100000000", UINT64_C(1800000000100000000)},
	    {"0.1", 100000000},
	    {"0.000000009", 9},
	    {"007", UINT64_C(7000000000)},
	    {"0000000001", UINT64_C(1000000000)},
	    {"4294967295", UINT64_C(4294967295000000000)},
	    {"4294967295.999999999", UINT64_C(4294967295999999999)},
	};
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(cases); i++)
		epoch_is(cases[i].text, cases[i].ns);
}

static void
epoch_not_times(void **state)
{
	static const char *const wrong[] = {"4294967296", "9999999999",
	    "00000000001", "18000000000", "18446744073709551617", "1800000000.",
	    "1800000000.0000000001", "1800000000.1234567890", "1800000000.5s",
	    "1800000000s", "1800000000ms", "1800000000Z", "1800000000.5.5",
	    "1800000000..5", "1800000000,5", ".5", ".", "1800000000. 5",
	    "1800000000 .5", "1800000000.-5", "1800000000.+5", "1800000000.5e3",
	    "1800000000.0x1", "now", "2027-01-15", "2027-01-15T08:00:00Z",
	    "@1800000000", "1800000000\n", "\n1800000000"};
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(never_numbers); i++)
		epoch_refused(never_numbers[i]);
	for (i = 0; i < LENGTH(wrong); i++)
		epoch_refused(wrong[i]);
}

/* With as many digits of the fraction as there are, and with fewer. */
static void
epoch_random(void **state)
{
	struct rng rng = {23};
	uint32_t seconds, fraction;
	uint64_t power;
	char text[64];
	int i, digits;

	(void)state;
	for (i = 0; i < 10000; i++) {
		seconds = (uint32_t)rng_next(&rng);
		fraction = (uint32_t)rng_below(&rng, 1000000000);
		power = 1;
		for (digits = 9; digits > 0; digits--, power *= 10) {
			snprintf(text, sizeof(text), "%" PRIu32 ".%09" PRIu32,
			    seconds, fraction);
			text[strlen(text) - (size_t)(9 - digits)] = '\0';
			epoch_is(text,
			    seconds * UINT64_C(1000000000) +
				fraction / power * power);
		}
	}
}

/* Long enough to overrun any buffer that is not meant for it. */
static void
very_long(void **state)
{
	const size_t size = 100000;
	char *text = malloc(size + 1);

	(void)state;
	assert_non_null(text);
	memset(text, '9', size);
	text[size] = '\0';
	count_refused(text, 0, LLONG_MAX);
	rate_refused(text);
	duration_refused(text);
	epoch_refused(text);
	text[1] = '.';
	epoch_refused(text);
	text[1] = '9';
	/* a fraction, a suffix */
	text[size - 1] = 'M';
	count_refused(text, 0, LLONG_MAX);
	rate_refused(text);
	text[size - 1] = 's';
	duration_refused(text);
	memset(text, 'k', size);
	text[0] = '1';
	count_refused(text, 0, LLONG_MAX);
	rate_refused(text);
	duration_refused(text);
	free(text);
}

/* Every length around that of any buffer: right, or refused. */
static void
long_fractions(void **state)
{
	char text[200] = "0.5";
	uint64_t ns;
	double rate;
	size_t length;

	(void)state;
	for (length = 3; length < sizeof(text) - 1; length++) {
		text[length] = '0';
		text[length + 1] = '\0';
		rate = 0.5;
		if (parse_rate(text, &rate) == NULL)
			rate_is(text, 0.5);
		ns = UNTOUCHED;
		if (parse_duration(text, &ns) == NULL)
			duration_is(text, 500000000);
		else
			assert_int_equal(ns, UNTOUCHED);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(count_values),
	    cmocka_unit_test(count_range),
	    cmocka_unit_test(count_overflow),
	    cmocka_unit_test(count_not_numbers),
	    cmocka_unit_test(count_random),
	    cmocka_unit_test(digits),
	    cmocka_unit_test(shares),
	    cmocka_unit_test(rate_values),
	    cmocka_unit_test(rate_limit),
	    cmocka_unit_test(rate_not_numbers),
	    cmocka_unit_test(duration_values),
	    cmocka_unit_test(duration_limit),
	    cmocka_unit_test(duration_not_durations),
	    cmocka_unit_test(duration_random),
	    cmocka_unit_test(epoch_values),
	    cmocka_unit_test(epoch_not_times),
	    cmocka_unit_test(epoch_random),
	    cmocka_unit_test(very_long),
	    cmocka_unit_test(long_fractions),
	};

	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
