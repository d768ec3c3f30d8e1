#include "tests/unit/support.h"

#include <time.h>

#include "lib/clock.h"
#include "lib/usage.h"

#define BUSY (30 * CLOCK_NS_PER_MS)

/* Keeps a processor busy for so long, by its own clock. */
static void
burn(uint64_t ns)
{
	const uint64_t until = clock_read(CLOCK_PROCESS_CPUTIME_ID) + ns;

	while (clock_read(CLOCK_PROCESS_CPUTIME_ID) < until)
		;
}

static void
work_is_used_time(void **state)
{
	struct usage before, behind;
	uint64_t began = clock_now(), took;

	(void)state;
	usage_read(&before);
	burn(BUSY);
	usage_read(&behind);
	/* the scheduler's clock is not quite this one */
	took = clock_now() - began + CLOCK_NS_PER_MS;
	assert_true(behind.waited >= before.waited);
	usage_subtract(&behind, &before);
	assert_in_range(behind.ran, BUSY, took);
	/* both are of one thread: it cannot do both at once */
	assert_true(behind.waited <= took);
}

static void
sleep_is_not(void **state)
{
	const struct timespec pause = {.tv_nsec = BUSY};
	struct usage before, behind;

	(void)state;
	usage_read(&before);
	assert_int_equal(nanosleep(&pause, NULL), 0);
	usage_read(&behind);
	usage_subtract(&behind, &before);
	assert_true(behind.ran < BUSY / 2);
}

static void
never_goes_backwards(void **state)
{
	struct usage last = {0}, u;
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		usage_read(&u);
		assert_true(u.ran >= last.ran);
		assert_true(u.waited >= last.waited);
		last = u;
	}
	assert_true(last.ran > 0);
}

static void
subtract(void **state)
{
	struct usage later = {.ran = 1000, .waited = 70};
	const struct usage earlier = {.ran = 400, .waited = 50};

	(void)state;
	usage_subtract(&later, &earlier);
	assert_int_equal(later.ran, 600);
	assert_int_equal(later.waited, 20);
	assert_int_equal(earlier.ran, 400);
	assert_int_equal(earlier.waited, 50);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(work_is_used_time),
	    cmocka_unit_test(sleep_is_not),
	    cmocka_unit_test(never_goes_backwards),
	    cmocka_unit_test(subtract),
	};

	return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
