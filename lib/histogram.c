#include <err.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/histogram.h"

#define ROUNDING 1e-9 /* of sums of doubles, whose terms have 53 bits */

uint64_t
histogram_lo(size_t index)
{
	size_t shift = index < 512 ? 0 : (index >> 8) - 1;

	return (uint64_t)(index - (shift << 8)) << shift;
}

uint64_t
histogram_hi(size_t index)
{
	return histogram_lo(index + 1);
}

uint64_t
histogram_count(const struct histogram *h)
{
	uint64_t count = 0;
	size_t i;

	for (i = 0; i < HISTOGRAM_BUCKETS; i++)
		count += h->bucket[i];
	return count;
}

/* Of a copy that was made in the middle of an addition, the minimum may lack. */
static uint64_t
least(const struct histogram *h)
{
	return h->min_complement == 0 ? 0 : ~h->min_complement;
}

uint64_t
histogram_min(const struct histogram *h)
{
	return histogram_count(h) == 0 ? HISTOGRAM_NONE : least(h);
}

uint64_t
histogram_max(const struct histogram *h)
{
	return histogram_count(h) == 0 ? HISTOGRAM_NONE : h->max;
}

double
histogram_mean(const struct histogram *h)
{
	uint64_t count = histogram_count(h);

	return count == 0 ? NAN : (double)h->sum / (double)count;
}

static uint64_t
middle(const struct histogram *h, size_t index)
{
	uint64_t lo = histogram_lo(index), hi = histogram_hi(index);
	uint64_t value = lo + (hi - 1 - lo) / 2;

	if (value > h->max || index == HISTOGRAM_BUCKETS - 1)
		return h->max;
	if (value < least(h))
		return least(h);
	return value;
}

uint64_t
histogram_quantile(const struct histogram *h, double q)
{
	uint64_t count = histogram_count(h), rank, seen = 0;
	size_t i;

	if (count == 0)
		return HISTOGRAM_NONE;
	rank = (uint64_t)ceil(q * (double)count);
	if (rank < 1)
		rank = 1;
	if (rank >= count)
		return h->max;
	for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= rank)
			return middle(h, i);
	}
	return h->max;
}

uint64_t
histogram_above(const struct histogram *h, uint64_t value)
{
	uint64_t count = 0;
	size_t i;

	for (i = histogram_index(value) + 1; i < HISTOGRAM_BUCKETS; i++)
		count += h->bucket[i];
	return count;
}

static bool
is_in_bucket(uint64_t value, size_t index)
{
	return histogram_index(value) == index;
}

const char *
histogram_contradiction(const struct histogram *h)
{
	size_t first = HISTOGRAM_BUCKETS, last = 0, i;
	double least_sum = 0, most_sum = 0;

	for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (h->bucket[i] == 0)
			continue;
		if (first == HISTOGRAM_BUCKETS)
			first = i;
		last = i;
		least_sum += (double)h->bucket[i] * (double)histogram_lo(i);
		most_sum += (double)h->bucket[i] *
		    (double)(i == HISTOGRAM_BUCKETS - 1 ? h->max :
							  histogram_hi(i));
	}
	if (first == HISTOGRAM_BUCKETS)
		return NULL;
	if (!is_in_bucket(least(h), first))
		return "min";
	if (!is_in_bucket(h->max, last))
		return "max";
	return (double)h->sum < least_sum * (1 - ROUNDING) ||
		(double)h->sum > most_sum * (1 + ROUNDING) ?
	    "sum" :
	    NULL;
}

void
histogram_merge(struct histogram *into, const struct histogram *from)
{
	size_t i;

	for (i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
	into->sum += from->sum;
	if (from->max > into->max)
		into->max = from->max;
	if (from->min_complement > into->min_complement)
		into->min_complement = from->min_complement;
}

void
histogram_subtract(struct histogram *later, const struct histogram *earlier)
{
	size_t first = HISTOGRAM_BUCKETS, last = 0, i;

	for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
		later->bucket[i] -= earlier->bucket[i];
		if (later->bucket[i] == 0)
			continue;
		if (first == HISTOGRAM_BUCKETS)
			first = i;
		last = i;
	}
	later->sum -= earlier->sum;
	if (first == HISTOGRAM_BUCKETS) {
		later->max = later->min_complement = 0;
		return;
	}
	/* the last bucket has no upper bound: it takes what is beyond the limit */
	if (last < HISTOGRAM_BUCKETS - 1 && histogram_hi(last) - 1 < later->max)
		later->max = histogram_hi(last) - 1;
	if (histogram_lo(first) > ~later->min_complement)
		later->min_complement = ~histogram_lo(first);
}

char *
histogram_to_text(const struct histogram *h)
{
	const char *separator = "";
	char *text = NULL;
	size_t size, i;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		err(1, "no memory for a histogram");
	for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (h->bucket[i] == 0)
			continue;
		fprintf(out, "%s%zu:%" PRIu64, separator, i, h->bucket[i]);
		separator = " ";
	}
	if (fclose(out) != 0 || text == NULL)
		err(1, "no memory for a histogram");
	return text;
}

/* Digits up to the end character; NULL if there are none or too many. */
static const char *
read_digits(const char *at, uint64_t most, uint64_t *value)
{
	uint64_t n = 0, digit;
	const char *begin = at;

	for (; *at >= '0' && *at <= '9'; at++) {
		digit = (uint64_t)(*at - '0');
		if (n > (most - digit) / 10)
			return NULL;
		n = n * 10 + digit;
	}
	*value = n;
	return at == begin ? NULL : at;
}

/* Reads "index:count", and the blank behind it if more follows. Not below least:
 * each bucket comes once, or its counts might fit one by one and not together. */
static const char *
read_bucket(const char *at, uint64_t least, uint64_t *index, uint64_t *count)
{
	at = read_digits(at, HISTOGRAM_BUCKETS - 1, index);
	if (at == NULL || *at != ':' || *index < least)
		return NULL;
	at = read_digits(at + 1, INT64_MAX, count);
	if (at == NULL || (*at != ' ' && *at != '\0'))
		return NULL;
	if (*at == ' ' && *++at == '\0')
		return NULL;
	return at;
}

bool
histogram_add_text(struct histogram *h, const char *text)
{
	uint64_t least = 0, index, count;
	const char *at;

	for (at = text; *at != '\0'; least = index + 1)
		if ((at = read_bucket(at, least, &index, &count)) == NULL ||
		    h->bucket[index] > UINT64_MAX - count)
			return false;
	for (at = text; *at != '\0';) {
		at = read_bucket(at, 0, &index, &count);
		h->bucket[index] += count;
	}
	return true;
}
