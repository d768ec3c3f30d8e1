#include <bsd/stdlib.h>

#include <err.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/parse.h"
#include "lib/status.h"

#define RATE_MAX      1e9
#define DURATION_MAX  (365.0 * 24 * 3600)
#define NUMBER_LENGTH 32

struct suffix {
	const char *text;
	double factor;
};

static const struct suffix magnitudes[] = {
    {"", 1},
    {"k", 1e3},
    {"M", 1e6},
    {NULL, 0},
};

static const struct suffix shares[] = {
    {"", 1},
    {"%", 0.01},
    {NULL, 0},
};

static const struct suffix units[] = {
    {"", 1},
    {"us", 1e-6},
    {"ms", 1e-3},
    {"s", 1},
    {"m", 60},
    {"h", 3600},
    {NULL, 0},
};

/*
 * Splits "1.5k" into the copied number "1.5" and the suffix's factor. False
 * unless it is digits, at most one point with a digit behind it, and a known
 * suffix.
 */
static bool
split(const char *text, const struct suffix *table, char number[NUMBER_LENGTH],
    double *factor)
{
	size_t whole = strspn(text, "0123456789"), fraction, length = whole;

	if (whole == 0 && text[0] != '.')
		return false;
	if (text[whole] == '.') {
		fraction = strspn(text + whole + 1, "0123456789");
		if (fraction == 0)
			return false;
		length += 1 + fraction;
	}
	if (length >= NUMBER_LENGTH)
		return false;
	memcpy(number, text, length);
	number[length] = '\0';
	for (; table->text != NULL; table++)
		if (strcmp(text + length, table->text) == 0) {
			*factor = table->factor;
			return true;
		}
	return false;
}

static const char too_small[] = "too small", too_large[] = "too large";

const char *
parse_count(const char *text, long long min, long long max, uint64_t *out)
{
	char number[NUMBER_LENGTH];
	const char *why;
	double factor;
	long long n;

	if (!split(text, magnitudes, number, &factor) ||
	    strchr(number, '.') != NULL)
		return "not a whole number such as 500, 20k or 1M";
	n = strtonum(number, 0, LLONG_MAX / (long long)factor, &why);
	if (why != NULL)
		return too_large;
	n *= (long long)factor;
	if (n < min)
		return too_small;
	if (n > max)
		return too_large;
	*out = (uint64_t)n;
	return NULL;
}

const char *
parse_digits(const char *text, size_t length, uint32_t max, uint32_t *out)
{
	uint64_t n = 0;
	size_t i;

	if (length == 0)
		return "not a whole number";
	for (i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return "not a whole number";
		/* stays above max once it is: the rest is only checked */
		if (n <= max)
			n = n * 10 + (uint64_t)(text[i] - '0');
	}
	if (n > max)
		return "too large";
	*out = (uint32_t)n;
	return NULL;
}

const char *
parse_rate(const char *text, double *out)
{
	char number[NUMBER_LENGTH];
	double factor, rate;

	if (!split(text, magnitudes, number, &factor))
		return "not a rate per second such as 0.5, 1000, 50k or 1.5M";
	rate = strtod(number, NULL) * factor;
	if (rate > RATE_MAX)
		return "too large: the most is 1000M per second";
	*out = rate;
	return NULL;
}

const char *
parse_share(const char *text, double *out)
{
	char number[NUMBER_LENGTH];
	double factor, share;

	if (!split(text, shares, number, &factor))
		return "not a share such as 0.1 or 10%";
	share = strtod(number, NULL) * factor;
	if (share > 1)
		return "too large: the most is 1, or 100%";
	*out = share;
	return NULL;
}

const char *
parse_duration(const char *text, uint64_t *out)
{
	char number[NUMBER_LENGTH];
	double factor;
	long double ns; /* a double has whole nanoseconds up to 104 days only */

	if (!split(text, units, number, &factor))
		return "not a duration such as 10, 1.5s, 250ms, 50us, 5m or 1h";
	ns = strtold(number, NULL) *
	    (long double)llround(factor * (double)CLOCK_NS_PER_SEC);
	if (ns > (long double)DURATION_MAX * (long double)CLOCK_NS_PER_SEC)
		return "too long: the most is 365 days";
	*out = (uint64_t)llroundl(ns);
	return NULL;
}

const char *
parse_epoch(const char *text, uint64_t *out)
{
	static const char *why =
	    "not seconds since the epoch, such as 1800000000 or 1800000000.5";
	size_t whole = strcspn(text, "."), digits, i;
	uint32_t seconds, fraction = 0;

	if (whole > 10 ||
	    parse_digits(text, whole, UINT32_MAX, &seconds) != NULL)
		return why;
	if (text[whole] == '.') {
		digits = strlen(text + whole + 1);
		if (digits > 9 ||
		    parse_digits(
			text + whole + 1, digits, 999999999, &fraction) != NULL)
			return why;
		for (i = digits; i < 9; i++)
			fraction *= 10;
	}
	*out = seconds * CLOCK_NS_PER_SEC + fraction;
	return NULL;
}

static bool
ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length >= tail && strcmp(text + length - tail, end) == 0;
}

void
parse_no_file(const char *option, const char *next)
{
	if (ends_with(next, ".json") || next[0] == '/' ||
	    strncmp(next, "./", 2) == 0 || strncmp(next, "../", 3) == 0 ||
	    strcmp(next, "sysctl") == 0)
		errx(STATUS_USAGE,
		    "%s %s: what belongs to %s goes behind a =: %s=%s", option,
		    next, option, option, next);
}

void
parse_count_must(const char *text, long long min, long long max, uint64_t *out,
    const char *option)
{
	const char *why = parse_count(text, min, max, out);

	if (why == too_small)
		errx(STATUS_USAGE, "%s %s: too small: the least is %lld",
		    option, text, min);
	if (why == too_large)
		errx(STATUS_USAGE, "%s %s: too large: the most is %lld", option,
		    text, max);
	parse_must(why, option, text);
}

void
parse_must(const char *why, const char *option, const char *text)
{
	if (why != NULL)
		errx(STATUS_USAGE, "%s %s: %s", option, text, why);
}
