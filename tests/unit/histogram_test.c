#include "tests/unit/support.h"

#include <math.h>
#include <stdio.h>

#include "lib/histogram.h"

#define SAMPLES 20001

/* As the contract has it: half a bucket of at most 1/256 of its lower bound. */
#define QUANTILE_ERROR 0.002

static struct histogram *
histogram_new(void)
{
	struct histogram *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	return h;
}

static void
add_all(struct histogram *h, const uint64_t *values, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		histogram_add(h, values[i]);
}

static uint64_t
sum_of(const uint64_t *values, size_t count)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < count; i++)
		sum += values[i];
	return sum;
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The same share of small, middling and large values: any bit may be the top. */
static uint64_t
any_magnitude(struct rng *rng)
{
	return rng_next(rng) >> (24 + rng_below(rng, 40));
}

static void
assert_same(const struct histogram *a, const struct histogram *b)
{
	assert_memory_equal(a, b, sizeof(*a));
}

/*
 * Buckets.
 */

static void
buckets_cover_the_range(void **state)
{
	size_t i;

	(void)state;
	assert_int_equal(histogram_lo(0), 0);
	for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
		assert_true(histogram_lo(i) < histogram_hi(i));
		if (i + 1 < HISTOGRAM_BUCKETS)
			assert_int_equal(histogram_hi(i), histogram_lo(i + 1));
		assert_int_equal(histogram_index(histogram_lo(i)), i);
		assert_int_equal(histogram_index(histogram_hi(i) - 1), i);
	}
	assert_int_equal(histogram_hi(HISTOGRAM_BUCKETS - 1), HISTOGRAM_LIMIT);
}

static void
buckets_are_narrow(void **state)
{
	uint64_t lo, width;
	size_t i;

	(void)state;
	for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
		lo = histogram_lo(i);
		width = histogram_hi(i) - lo;
		if (lo < 512)
			assert_int_equal(width, 1);
		else
			assert_true(width * 256 <= lo);
		assert_true((double)(width - 1) <= 0.004 * (double)lo);
	}
}

static void
values_fall_into_their_bucket(void **state)
{
	struct rng rng = {4};
	uint64_t value;
	size_t index;
	int i;

	(void)state;
	for (i = 0; i < 200000; i++) {
		value = any_magnitude(&rng);
		index = histogram_index(value);
		assert_true(index < HISTOGRAM_BUCKETS);
		assert_true(histogram_lo(index) <= value);
		assert_true(value < histogram_hi(index));
	}
}

static void
values_beyond_the_limit(void **state)
{
	static const uint64_t values[] = {HISTOGRAM_LIMIT, HISTOGRAM_LIMIT + 1,
	    HISTOGRAM_LIMIT * 2, HISTOGRAM_LIMIT * 1000};
	struct histogram *h = histogram_new();

	(void)state;
	add_all(h, values, LENGTH(values));
	assert_int_equal(h->bucket[HISTOGRAM_BUCKETS - 1], LENGTH(values));
	assert_int_equal(histogram_count(h), LENGTH(values));
	assert_int_equal(histogram_min(h), HISTOGRAM_LIMIT);
	assert_int_equal(h->max, HISTOGRAM_LIMIT * 1000);
	assert_int_equal(h->sum, sum_of(values, LENGTH(values)));
	assert_int_equal(histogram_quantile(h, 1), HISTOGRAM_LIMIT * 1000);
	assert_true(histogram_quantile(h, 0.5) >= HISTOGRAM_LIMIT);
	/* not even with a small one, that min would not make up for it */
	histogram_add(h, 5);
	assert_true(histogram_quantile(h, 0.5) >= HISTOGRAM_LIMIT);
	assert_int_equal(histogram_quantile(h, 0.1), 5);
	assert_int_equal(histogram_index(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
	free(h);
}

/*
 * Summaries.
 */

static void
empty(void **state)
{
	struct histogram *h = histogram_new();

	(void)state;
	assert_int_equal(histogram_count(h), 0);
	assert_int_equal(histogram_min(h), HISTOGRAM_NONE);
	assert_int_equal(histogram_max(h), HISTOGRAM_NONE);
	assert_true(isnan(histogram_mean(h)));
	assert_int_equal(histogram_quantile(h, 0.5), HISTOGRAM_NONE);
	assert_int_equal(histogram_quantile(h, 1), HISTOGRAM_NONE);
	/* a time of 0 is one */
	histogram_add(h, 0);
	assert_int_equal(histogram_min(h), 0);
	assert_int_equal(histogram_max(h), 0);
	assert_true(histogram_mean(h) <= 0);
	assert_int_equal(histogram_quantile(h, 0.5), 0);
	free(h);
}

static void
one_value(void **state)
{
	static const uint64_t values[] = {0, 1, 511, 512, 513, 1000003,
	    UINT64_C(1000000000007), HISTOGRAM_LIMIT - 1, HISTOGRAM_LIMIT,
	    UINT64_C(1) << 60};
	struct histogram *h;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(values); i++) {
		h = histogram_new();
		histogram_add(h, values[i]);
		assert_int_equal(histogram_count(h), 1);
		assert_int_equal(histogram_min(h), values[i]);
		assert_int_equal(h->max, values[i]);
		assert_int_equal((uint64_t)histogram_mean(h), values[i]);
		assert_int_equal(histogram_quantile(h, 0.001), values[i]);
		assert_int_equal(histogram_quantile(h, 0.5), values[i]);
		assert_int_equal(histogram_quantile(h, 1), values[i]);
		free(h);
	}
}

static void
min_max_mean_exact(void **state)
{
	struct rng rng = {5};
	struct histogram *h = histogram_new();
	uint64_t values[1000], min = UINT64_MAX, max = 0, sum = 0;
	double mean;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(values); i++) {
		values[i] = 1000 + any_magnitude(&rng);
		histogram_add(h, values[i]);
		min = values[i] < min ? values[i] : min;
		max = values[i] > max ? values[i] : max;
		sum += values[i];
		mean = (double)sum / (double)(i + 1);
		assert_int_equal(histogram_min(h), min);
		assert_int_equal(h->max, max);
		assert_int_equal(h->sum, sum);
		assert_true(fabs(histogram_mean(h) - mean) <= mean * 1e-12);
		assert_int_equal(histogram_quantile(h, 1), max);
	}
	assert_int_equal(histogram_count(h), LENGTH(values));
	histogram_add(h, 0);
	assert_int_equal(histogram_min(h), 0);
	free(h);
}

/*
 * Quantiles.
 */

static uint64_t
uniform_value(struct rng *rng)
{
	return rng_below(rng, 1000000);
}

static uint64_t
small_value(struct rng *rng)
{
	return rng_below(rng, 700);
}

static uint64_t
exponential_value(struct rng *rng)
{
	return (uint64_t)(-log(rng_uniform(rng)) * 250e3);
}

/* A long tail: orders of magnitude between the median and the largest. */
static uint64_t
pareto_value(struct rng *rng)
{
	return (uint64_t)(20e3 / rng_uniform(rng));
}

static uint64_t
lognormal_value(struct rng *rng)
{
	double z = sqrt(-2 * log(rng_uniform(rng))) *
	    cos(6.283185307179586 * rng_uniform(rng));

	return (uint64_t)exp(11 + 1.5 * z);
}

/* A cache that mostly hits. */
static uint64_t
bimodal_value(struct rng *rng)
{
	return rng_below(rng, 100) < 95 ? 30000 + rng_below(rng, 4000) :
					  80000000 + rng_below(rng, 9000000);
}

static uint64_t
constant_value(struct rng *rng)
{
	(void)rng;
	return 123456789;
}

/* The quantile num / den by the book: sorted values, whole numbers. */
static uint64_t
exact_quantile(const uint64_t *sorted, size_t count, size_t num, size_t den)
{
	return sorted[(num * count + den - 1) / den - 1];
}

static void
expect_quantiles(uint64_t (*draw)(struct rng *), uint64_t seed)
{
	static const struct {
		size_t num;
		size_t den;
	} shares[] = {{1, 1000}, {1, 100}, {1, 10}, {1, 4}, {1, 2}, {3, 4},
	    {9, 10}, {99, 100}, {999, 1000}, {9999, 10000}, {99999, 100000},
	    {1, 1}};
	struct rng rng = {seed};
	struct histogram *h = histogram_new();
	uint64_t *values = calloc(SAMPLES, sizeof(*values)), is, should;
	uint64_t before = 0;
	size_t i;

	assert_non_null(values);
	for (i = 0; i < SAMPLES; i++)
		values[i] = draw(&rng);
	add_all(h, values, SAMPLES);
	qsort(values, SAMPLES, sizeof(*values), by_value);
	for (i = 0; i < LENGTH(shares); i++) {
		is = histogram_quantile(
		    h, (double)shares[i].num / (double)shares[i].den);
		should = exact_quantile(
		    values, SAMPLES, shares[i].num, shares[i].den);
		if (fabs((double)is - (double)should) >
		    QUANTILE_ERROR * (double)should)
			fail_msg("quantile %zu/%zu is %llu, not %llu",
			    shares[i].num, shares[i].den,
			    (unsigned long long)is, (unsigned long long)should);
		assert_true(is >= before);
		assert_true(is >= values[0] && is <= values[SAMPLES - 1]);
		before = is;
	}
	assert_int_equal(histogram_quantile(h, 1), values[SAMPLES - 1]);
	free(values);
	free(h);
}

static void
quantiles(void **state)
{
	(void)state;
	expect_quantiles(uniform_value, 6);
	expect_quantiles(small_value, 7);
	expect_quantiles(exponential_value, 8);
	expect_quantiles(pareto_value, 9);
	expect_quantiles(lognormal_value, 10);
	expect_quantiles(bimodal_value, 11);
	expect_quantiles(constant_value, 12);
	expect_quantiles(any_magnitude, 13);
}

/* Values below 512 are kept as they are: every rank can be asked for. */
static void
quantile_ranks(void **state)
{
	struct histogram *h = histogram_new();
	uint64_t i;

	(void)state;
	for (i = 1; i <= 128; i++)
		histogram_add(h, i);
	for (i = 1; i <= 128; i++) {
		assert_int_equal(histogram_quantile(h, (double)i / 128), i);
		/* more than i / 128, if only a little: the next one */
		if (i < 128)
			assert_int_equal(
			    histogram_quantile(h, ((double)i + 0.01) / 128),
			    i + 1);
	}
	assert_int_equal(histogram_quantile(h, 1e-9), 1);
	free(h);
}

/*
 * Sums and differences.
 */

static void
merge_is_adding_all(void **state)
{
	struct rng rng = {14};
	struct histogram *all = histogram_new(), *a = histogram_new();
	struct histogram *b = histogram_new(), *sum = histogram_new();
	uint64_t value;
	int i;

	(void)state;
	for (i = 0; i < 10000; i++) {
		value = any_magnitude(&rng);
		histogram_add(all, value);
		histogram_add(i % 3 == 0 ? a : b, value);
	}
	histogram_merge(sum, a);
	assert_same(sum, a);
	histogram_merge(sum, b);
	assert_same(sum, all);
	/* the other way round, and an empty one */
	histogram_merge(b, a);
	assert_same(b, all);
	memset(a, 0, sizeof(*a));
	histogram_merge(b, a);
	assert_same(b, all);
	free(all);
	free(a);
	free(b);
	free(sum);
}

/* later - earlier, where only these were added in between. */
static void
expect_difference(const uint64_t *before, size_t before_count,
    const uint64_t *between, size_t between_count)
{
	struct histogram *earlier = histogram_new(), *later;
	struct histogram *should = histogram_new();
	size_t i;

	add_all(earlier, before, before_count);
	later = heap_copy(earlier, sizeof(*earlier));
	add_all(later, between, between_count);
	add_all(should, between, between_count);
	histogram_subtract(later, earlier);

	for (i = 0; i < HISTOGRAM_BUCKETS; i++)
		assert_int_equal(later->bucket[i], should->bucket[i]);
	assert_int_equal(later->sum, should->sum);
	/* to the bucket, and on the safe side of it */
	assert_true(histogram_min(later) <= histogram_min(should));
	assert_int_equal(histogram_index(histogram_min(later)),
	    histogram_index(histogram_min(should)));
	assert_true(later->max >= should->max);
	assert_int_equal(
	    histogram_index(later->max), histogram_index(should->max));
	free(earlier);
	free(later);
	free(should);
}

static void
subtract_leaves_what_is_between(void **state)
{
	struct rng rng = {15};
	uint64_t before[500], between[500];
	size_t i, n;
	int round;

	(void)state;
	for (round = 0; round < 50; round++) {
		for (i = 0; i < LENGTH(before); i++) {
			before[i] = any_magnitude(&rng);
			between[i] = 1000 + any_magnitude(&rng) % 1000000;
		}
		n = rng_below(&rng, LENGTH(before));
		expect_difference(before, n, between, LENGTH(between));
		expect_difference(between, LENGTH(between), before, n);
	}
}

static void
subtract_nothing_between(void **state)
{
	struct histogram *earlier = histogram_new(), *later;
	struct histogram *none = histogram_new();

	(void)state;
	histogram_add(earlier, 5);
	histogram_add(earlier, 12345678);
	later = heap_copy(earlier, sizeof(*earlier));
	histogram_subtract(later, earlier);
	assert_same(later, none);
	free(earlier);
	free(later);
	free(none);
}

static void
subtract_extremes_are_kept(void **state)
{
	static const uint64_t before[] = {1000, 2000000};
	static const uint64_t between[] = {999, 2100000};
	static const uint64_t zero[] = {0};

	(void)state;
	expect_difference(before, 2, between, 2);
	expect_difference(between, 2, before, 2);
	expect_difference(before, 2, zero, 1);
	expect_difference(zero, 1, before, 2);
}

/* The last bucket has no upper bound that max could be cut to. */
static void
subtract_beyond_the_limit(void **state)
{
	static const uint64_t before[] = {1000, 2000000};
	static const uint64_t beyond[] = {70000, HISTOGRAM_LIMIT * 3};

	(void)state;
	expect_difference(beyond, 2, before, 2);
	expect_difference(before, 2, beyond, 2);
	expect_difference(beyond, 2, beyond, 2);
}

/*
 * Above a value.
 */

static void
above_counts_whole_buckets(void **state)
{
	static const size_t indices[] = {0, 1, 255, 256, 511, 512, 513, 767,
	    768, 769, 5000, HISTOGRAM_BUCKETS - 2, HISTOGRAM_BUCKETS - 1};
	struct histogram *h = histogram_new();
	size_t i;
	uint64_t above = LENGTH(indices);

	(void)state;
	for (i = 0; i < LENGTH(indices); i++)
		histogram_add(h, histogram_lo(indices[i]));
	for (i = 0; i < LENGTH(indices); i++) {
		if (indices[i] > 0)
			assert_int_equal(
			    histogram_above(h, histogram_lo(indices[i]) - 1),
			    above);
		above--;
		assert_int_equal(
		    histogram_above(h, histogram_lo(indices[i])), above);
		assert_int_equal(
		    histogram_above(h, histogram_hi(indices[i]) - 1), above);
		if (i + 1 < LENGTH(indices))
			assert_int_equal(
			    histogram_above(h, histogram_hi(indices[i])),
			    above - (indices[i + 1] == indices[i] + 1));
	}
	assert_int_equal(above, 0);
	assert_int_equal(histogram_above(h, HISTOGRAM_LIMIT), 0);
	assert_int_equal(histogram_above(h, UINT64_MAX), 0);
	free(h);
}

/* None of those that are not, and all that are by more than a bucket. */
static void
above_random(void **state)
{
	struct histogram *h = histogram_new();
	struct rng rng = {29};
	uint64_t values[500], value, above, least;
	size_t i;
	int round;

	(void)state;
	assert_int_equal(histogram_above(h, 0), 0);
	for (i = 0; i < LENGTH(values); i++)
		values[i] = any_magnitude(&rng);
	add_all(h, values, LENGTH(values));
	for (round = 0; round < 1000; round++) {
		value = any_magnitude(&rng);
		above = least = 0;
		for (i = 0; i < LENGTH(values); i++) {
			above += values[i] > value;
			least += values[i] > value + value / 256;
		}
		assert_in_range(histogram_above(h, value), least, above);
	}
	free(h);
}

/*
 * As text.
 */

static void
text_is(const struct histogram *h, const char *expected)
{
	char *text = histogram_to_text(h);

	assert_string_equal(text, expected);
	free(text);
}

/* Reads what was written; the buckets are all that is there. */
static void
expect_round_trip(const struct histogram *h)
{
	struct histogram *back = histogram_new();
	char *text = histogram_to_text(h);

	assert_true(histogram_add_text(back, text));
	assert_memory_equal(back->bucket, h->bucket, sizeof(h->bucket));
	assert_int_equal(back->sum, 0);
	assert_int_equal(back->max, 0);
	assert_int_equal(back->min_complement, 0);
	text_is(back, text);
	free(text);
	free(back);
}

static void
text_round_trip(void **state)
{
	struct histogram *h = histogram_new();
	struct rng rng = {31};
	size_t i;

	(void)state;
	text_is(h, "");
	expect_round_trip(h);
	h->bucket[0] = 1;
	text_is(h, "0:1");
	h->bucket[9] = 10;
	h->bucket[HISTOGRAM_BUCKETS - 1] = INT64_MAX;
	text_is(h, "0:1 9:10 8447:9223372036854775807");
	expect_round_trip(h);
	for (i = 0; i < HISTOGRAM_BUCKETS; i++)
		h->bucket[i] = rng_next(&rng) >> (1 + rng_below(&rng, 63));
	expect_round_trip(h);
	for (i = 0; i < HISTOGRAM_BUCKETS; i++)
		h->bucket[i] = INT64_MAX;
	expect_round_trip(h);
	free(h);
}

static void
text_adds_up(void **state)
{
	struct histogram *h = histogram_new();

	(void)state;
	assert_true(histogram_add_text(h, ""));
	assert_true(histogram_add_text(h, "5:1 70:2"));
	assert_true(histogram_add_text(h, "5:10 6:3 8447:4"));
	assert_true(histogram_add_text(h, "70:0"));
	text_is(h, "5:11 6:3 70:2 8447:4");
	free(h);
}

static void
text_refused(struct histogram *h, const char *text)
{
	struct histogram *before = heap_copy(h, sizeof(*h));
	/* so that a sanitizer sees what reads behind it */
	char *copy = heap_copy(text, strlen(text) + 1);

	if (histogram_add_text(h, copy))
		fail_msg("'%s' is accepted", text);
	assert_same(h, before);
	free(copy);
	free(before);
}

static void
text_refusals(void **state)
{
	static const char *const wrong[] = {" ", ":", "1", "1:", ":1", "1:1 ",
	    " 1:1", "1:1  2:1", "1:1,2:1", "1:1 2", "1:1 2:", "1:1 :1",
	    "1:1 2:1 ", "1 :1", "1: 1", "-1:1", "1:-1", "+1:1", "1:+1", "1:1:1",
	    "a:1", "1:a", "1:1a", "0x1:1", "1.0:1", "1:1.0", "1:1\t2:1",
	    "1:1\n", "1:1 2:x", "8448:1", "8450:1", "84470:1",
	    "18446744073709551616:1", "18446744073709551617:1",
	    "1:9223372036854775808", "1:18446744073709551615",
	    "1:18446744073709551616", "1:18446744073709551617",
	    "1:99999999999999999999999",
	    /* in order, and each once */
	    "2:1 1:1", "1:1 1:1", "1:1 2:1 2:1", "0:1 0:1", "1:1 0:1"};
	struct histogram *h = histogram_new();
	size_t i;

	(void)state;
	histogram_add(h, 1);
	histogram_add(h, 12345678);
	for (i = 0; i < LENGTH(wrong); i++)
		text_refused(h, wrong[i]);
	free(h);
}

/* A count that is right but would not fit. */
static void
text_too_many(void **state)
{
	struct histogram *h = histogram_new();

	(void)state;
	assert_true(histogram_add_text(h, "7:9223372036854775807"));
	assert_true(histogram_add_text(h, "7:9223372036854775807"));
	text_refused(h, "7:2");
	text_refused(h, "1:1 7:9223372036854775807");
	/* nor is it, when it comes in parts */
	text_refused(h, "7:1 7:1");
	assert_true(histogram_add_text(h, "7:1"));
	text_refused(h, "7:1");
	assert_true(histogram_add_text(h, "7:0 8:1"));
	assert_true(h->bucket[7] == UINT64_MAX);
	free(h);
}

/* Whatever comes: what is accepted is what would be written like that. */
static void
text_random(void **state)
{
	static const char letters[] = "0123456789::::    -x";
	struct histogram *h = histogram_new();
	struct histogram *none = histogram_new();
	struct rng rng = {37};
	unsigned int accepted = 0;
	char text[25];
	size_t length, i;
	int round;

	(void)state;
	for (round = 0; round < 20000; round++) {
		length = rng_below(&rng, sizeof(text));
		for (i = 0; i < length; i++)
			text[i] = letters[rng_below(&rng, sizeof(letters) - 1)];
		text[length] = '\0';
		if (!histogram_add_text(h, text)) {
			if (round % 16 == 0)
				assert_same(h, none);
			continue;
		}
		accepted++;
		expect_round_trip(h);
		memset(h, 0, sizeof(*h));
	}
	assert_same(h, none);
	assert_in_range(accepted, 100, 10000);
	free(h);
	free(none);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(buckets_cover_the_range),
	    cmocka_unit_test(buckets_are_narrow),
	    cmocka_unit_test(values_fall_into_their_bucket),
	    cmocka_unit_test(values_beyond_the_limit),
	    cmocka_unit_test(empty),
	    cmocka_unit_test(one_value),
	    cmocka_unit_test(min_max_mean_exact),
	    cmocka_unit_test(quantiles),
	    cmocka_unit_test(quantile_ranks),
	    cmocka_unit_test(merge_is_adding_all),
	    cmocka_unit_test(subtract_leaves_what_is_between),
	    cmocka_unit_test(subtract_nothing_between),
	    cmocka_unit_test(subtract_extremes_are_kept),
	    cmocka_unit_test(subtract_beyond_the_limit),
	    cmocka_unit_test(above_counts_whole_buckets),
	    cmocka_unit_test(above_random),
	    cmocka_unit_test(text_round_trip),
	    cmocka_unit_test(text_adds_up),
	    cmocka_unit_test(text_refusals),
	    cmocka_unit_test(text_too_many),
	    cmocka_unit_test(text_random),
	};

	return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
