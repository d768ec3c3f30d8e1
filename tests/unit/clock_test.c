#include "tests/unit/support.h"

#include <math.h>

#include "lib/clock.h"

static void
after_so_many_seconds(void **state)
{
	(void)state;
	assert_true(clock_after(7, 0) == 7);
	assert_true(clock_after(7, 1.5) == 7 + CLOCK_NS_PER_SEC * 3 / 2);
	assert_true(clock_after(0, 9e9) == 9000000000 * CLOCK_NS_PER_SEC);
}

/* A sum that wrapped would be long past. */
static void
never_where_it_cannot_be_counted(void **state)
{
	(void)state;
	assert_true(clock_after(0, 1e10) == CLOCK_NEVER);
	assert_true(clock_after(UINT64_MAX / 2, 1) == CLOCK_NEVER);
	assert_true(clock_after(1, 1e300) == CLOCK_NEVER);
	assert_true(clock_after(1, (double)INFINITY) == CLOCK_NEVER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(after_so_many_seconds),
	    cmocka_unit_test(never_where_it_cannot_be_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
