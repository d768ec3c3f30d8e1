/*
 * Sharing out: the sum is exact, nobody gives in a growth nor gets in a shrinking,
 * and no two that changed are further apart than one.
 */
#include "tests/unit/support.h"

#include <string.h>

#include "client/level.h"
#include "client/random.h"

#define MOST 9

static void
expect(const uint64_t *before, size_t n, uint64_t total, const uint64_t *after)
{
	uint64_t counts[MOST];
	size_t i;

	memcpy(counts, before, n * sizeof(*counts));
	level_counts(counts, n, total);
	for (i = 0; i < n; i++)
		assert_int_equal(counts[i], after[i]);
}

static void
the_lowest_get_and_the_highest_give(void **state)
{
	static const uint64_t uneven[] = {60, 40, 0};

	(void)state;
	expect(uneven, 3, 100, uneven);
	expect(uneven, 3, 110, (const uint64_t[]){60, 40, 10});
	expect(uneven, 3, 150, (const uint64_t[]){60, 45, 45});
	expect(uneven, 3, 200, (const uint64_t[]){67, 67, 66});
	expect(uneven, 3, 95, (const uint64_t[]){55, 40, 0});
	expect(uneven, 3, 51, (const uint64_t[]){26, 25, 0});
	expect(uneven, 3, 1, (const uint64_t[]){1, 0, 0});
	expect(uneven, 3, 0, (const uint64_t[]){0, 0, 0});
	expect(uneven, 1, UINT32_MAX, (const uint64_t[]){UINT32_MAX});
	level_counts(NULL, 0, 7);
}

/* Whether these may be what became of those. */
static void
check(const uint64_t *before, const uint64_t *after, size_t n, uint64_t total)
{
	uint64_t sum = 0, had = 0, low = UINT64_MAX, high = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		had += before[i];
		sum += after[i];
	}
	assert_int_equal(sum, total);
	for (i = 0; i < n; i++) {
		assert_true(total >= had ? after[i] >= before[i] :
					   after[i] <= before[i]);
		if (after[i] == before[i])
			continue;
		low = after[i] < low ? after[i] : low;
		high = after[i] > high ? after[i] : high;
	}
	assert_true(high == 0 || high - low <= 1);
	for (i = 0; i < n && high > 0; i++)
		if (after[i] == before[i])
			assert_true(total >= had ? after[i] + 1 >= high :
						   after[i] <= low + 1);
}

static void
any_counts_come_to_any_total(void **state)
{
	struct random random = {.state = 7};
	uint64_t before[MOST], after[MOST], total;
	size_t round, n, i;

	(void)state;
	for (round = 0; round < 20000; round++) {
		n = 1 + random_next(&random) % MOST;
		for (i = 0; i < n; i++)
			before[i] = random_next(&random) % 30;
		total = random_next(&random) % 400;
		memcpy(after, before, sizeof(after));
		level_counts(after, n, total);
		check(before, after, n, total);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_lowest_get_and_the_highest_give),
	    cmocka_unit_test(any_counts_come_to_any_total),
	};

	return cmocka_run_group_tests_name("level", tests, NULL, NULL);
}
