/*
 * Log-linear histogram of durations: 256 equal buckets to each power of two.
 *
 * Contract
 * - values are nanoseconds, 0 .. HISTOGRAM_LIMIT - 1 (1099 s); a larger one
 *   counts in the last bucket, while sum and max keep it exactly;
 * - below 512 ns a bucket is one nanosecond wide, above it at most 1/256 of its
 *   lower bound, so a quantile is within 0.2 % of the exact one;
 * - flat and without pointers: it lives in shared memory, one writer, any
 *   number of readers; all bytes zero is the empty histogram;
 * - two histograms add up exactly, which percentiles never do.
 *
 * Cost: 66 KB, of which only the touched buckets are ever resident; an addition
 * is a shift, four loads and stores and no branch that is hard to predict.
 */
#ifndef LIB_HISTOGRAM_H
#define LIB_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_LIMIT	  (UINT64_C(1) << 40)
#define HISTOGRAM_BUCKETS 8448
/* Names the bucket layout, so that results of another one are not mixed in. */
#define HISTOGRAM_LAYOUT "log-linear/256/2^40"

struct histogram {
	uint64_t bucket[HISTOGRAM_BUCKETS];
	uint64_t sum; /* overflows after 584 years of response time */
	uint64_t max;
	uint64_t min_complement; /* ~min, so that zero means "no value yet" */
};

static inline size_t
histogram_index(uint64_t value)
{
	unsigned int shift;

	if (value >= HISTOGRAM_LIMIT)
		value = HISTOGRAM_LIMIT - 1;
	/* |256 makes the shift zero for the linear part, without a branch */
	shift = 55U - (unsigned int)__builtin_clzll(value | 256);
	return ((size_t)shift << 8) + (size_t)(value >> shift);
}

static inline void
histogram_add(struct histogram *h, uint64_t value)
{
	h->bucket[histogram_index(value)]++;
	h->sum += value;
	if (value > h->max)
		h->max = value;
	if (~value > h->min_complement)
		h->min_complement = ~value;
}

/* The same value, count times. */
static inline void
histogram_add_many(struct histogram *h, uint64_t value, uint64_t count)
{
	if (count == 0)
		return;
	h->bucket[histogram_index(value)] += count;
	h->sum += value * count;
	if (value > h->max)
		h->max = value;
	if (~value > h->min_complement)
		h->min_complement = ~value;
}

/* The bucket holds lo <= value < hi. index < HISTOGRAM_BUCKETS. */
uint64_t histogram_lo(size_t index);
uint64_t histogram_hi(size_t index);

/* Number of values. Reads every bucket. */
uint64_t histogram_count(const struct histogram *);

/* What an empty histogram has for a minimum, a maximum or a quantile. */
#define HISTOGRAM_NONE UINT64_MAX

/* Exact; HISTOGRAM_NONE, and for the mean NAN, when empty. */
uint64_t histogram_min(const struct histogram *);
uint64_t histogram_max(const struct histogram *);
double histogram_mean(const struct histogram *);

/*
 * The smallest value that at least the share q (0 < q <= 1) of all values do not
 * exceed, to the middle of its bucket and never outside min .. max.
 * HISTOGRAM_NONE when empty.
 */
uint64_t histogram_quantile(const struct histogram *, double q);

/* How many values are in buckets that begin above this one's. */
uint64_t histogram_above(const struct histogram *, uint64_t value);

/*
 * Which of "min", "max" and "sum" cannot be of the values in the buckets; NULL: all
 * can. For a histogram that comes from outside.
 */
const char *histogram_contradiction(const struct histogram *);

/* into += from. */
void histogram_merge(struct histogram *into, const struct histogram *from);

/*
 * later -= earlier, where earlier is a former copy of the same histogram. What
 * remains are the values added in between; their min and max are known only to
 * the bucket.
 */
void histogram_subtract(
    struct histogram *later, const struct histogram *earlier);

/*
 * The buckets that are not empty, "index:count index:count ...", in order. Owned
 * by the caller (free()). Ends the program on lack of memory.
 */
char *histogram_to_text(const struct histogram *);

/*
 * Adds buckets written like that. False, and nothing is added, if it is no such
 * text or a count would not fit. Adds neither sum, min nor max.
 */
bool histogram_add_text(struct histogram *, const char *text);

#endif
