/*
 * lib/parse, --stall of server/service, and the texts of lib/histogram.
 *
 * Input: a text.
 */
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/histogram.h"
#include "lib/parse.h"
#include "server/service.h"
#include "tests/fuzz/fuzz.h"

#define UNTOUCHED UINT64_C(0x5a5a5a5a5a5a5a5a)

static void
check_message(const char *why)
{
	FUZZ_CHECK(why == NULL || fuzz_is_message(why));
}

/* What strtold() and the suffix say, or a negative number. */
static long double
reference(const char *text, const char *units, const long double *factors)
{
	char *end;
	long double value;

	if (*text < '0' || *text > '9' || strpbrk(text, "eExXpP") != NULL)
		return -1;
	value = strtold(text, &end);
	if (*end == '\0')
		return value;
	for (; *units != '\0'; units += strlen(units) + 1, factors++)
		if (strcmp(units, end) == 0)
			return value * *factors;
	return -1;
}

static bool
near(double a, long double b)
{
	return fabsl((long double)a - b) <= 1e-9L + 1e-12L * fabsl(b);
}

static void
check_count(const char *text)
{
	static const long double factors[] = {1e3L, 1e6L};
	uint64_t n = UNTOUCHED, again = 0;
	const char *why = parse_count(text, 1, LLONG_MAX, &n);
	char digits[32];

	check_message(why);
	if (why != NULL) {
		FUZZ_CHECK(n == UNTOUCHED);
		return;
	}
	FUZZ_CHECK(n >= 1 && n <= LLONG_MAX);
	FUZZ_CHECK((long double)n == reference(text, "k\0M\0", factors));
	snprintf(digits, sizeof(digits), "%" PRIu64, n);
	FUZZ_CHECK(parse_count(digits, 1, LLONG_MAX, &again) == NULL);
	FUZZ_CHECK(again == n);
}

static void
check_reals(const char *text)
{
	static const long double magnitudes[] = {1e3L, 1e6L},
				 shares[] = {0.01L};
	double rate = -1, share = -1;
	const char *why = parse_rate(text, &rate);

	check_message(why);
	FUZZ_CHECK(why == NULL ? rate >= 0 && rate <= 1e9 : rate < 0);
	if (why == NULL)
		FUZZ_CHECK(*text == '.' ||
		    near(rate, reference(text, "k\0M\0", magnitudes)));
	why = parse_share(text, &share);
	check_message(why);
	FUZZ_CHECK(why == NULL ? share >= 0 && share <= 1 : share < 0);
	if (why == NULL)
		FUZZ_CHECK(*text == '.' ||
		    near(share, reference(text, "%\0", shares)));
}

static void
check_times(const char *text)
{
	static const long double factors[] = {1e-6L, 1e-3L, 1, 60, 3600};
	uint64_t ns = UNTOUCHED, epoch = UNTOUCHED;
	const char *why = parse_duration(text, &ns);
	struct service service = {.seed = 7};

	check_message(why);
	if (why != NULL)
		FUZZ_CHECK(ns == UNTOUCHED);
	else
		FUZZ_CHECK(*text == '.' ||
		    fabsl((long double)ns -
			1e9L * reference(text, "us\0ms\0s\0m\0h\0", factors)) <=
			1 + 1e-12L * (long double)ns);
	why = parse_epoch(text, &epoch);
	check_message(why);
	FUZZ_CHECK(why == NULL || epoch == UNTOUCHED);
	why = service_parse_stall(text, &service);
	check_message(why);
	FUZZ_CHECK(why == NULL ? service.stall < service.stall_every :
				 service.stall == 0);
}

/* What is accepted is the text that the histogram has. */
static void
check_histogram(const char *text)
{
	static struct histogram h, copy;
	char *again;

	memset(&h, 0, sizeof(h));
	if (!histogram_add_text(&h, text)) {
		FUZZ_CHECK(memcmp(&h, &copy, sizeof(h)) == 0);
		return;
	}
	again = histogram_to_text(&h);
	memset(&h, 0, sizeof(h));
	FUZZ_CHECK(histogram_add_text(&h, again));
	free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);

	check_count(text);
	check_reals(text);
	check_times(text);
	check_histogram(text);
	free(text);
	return 0;
}
