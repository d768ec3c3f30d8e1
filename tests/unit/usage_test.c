#include "tests/unit/support.h"

#include <sys/stat.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/cgroup.h"
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

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
	(void)st;
	(void)flag;
	(void)walk;
	return remove(path);
}

static void
put(const char *directory, const char *name, const char *text)
{
	char path[200];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

/* Both versions; and where /proc names a group that is not to be seen, unknown. */
static void
stopped_by_a_quota(void **state)
{
	char top[] = "/tmp/usage_test.XXXXXX", self[64], cpu[64], group[64];
	struct cgroup_roots roots = {.proc = top, .groups = top};

	(void)state;
	assert_non_null(mkdtemp(top));
	snprintf(self, sizeof(self), "%s/self", top);
	snprintf(cpu, sizeof(cpu), "%s/cpu", top);
	snprintf(group, sizeof(group), "%s/cpu/a", top);
	assert_int_equal(mkdir(self, 0700), 0);
	put(self, "cgroup", "4:cpu,cpuacct:/a\n");
	assert_true(cgroup_throttled(&roots) == CGROUP_UNKNOWN);
	put(self, "cgroup", "4:cpu,cpuacct:/\n");
	assert_true(cgroup_throttled(&roots) == 0);
	put(self, "cgroup", "4:cpu,cpuacct:/a\n");
	assert_int_equal(mkdir(cpu, 0700), 0);
	assert_int_equal(mkdir(group, 0700), 0);
	assert_true(cgroup_throttled(&roots) == CGROUP_UNKNOWN);
	put(group, "cpu.stat", "nr_throttled 2\nthrottled_time 1234\n");
	assert_true(cgroup_throttled(&roots) == 1234);
	put(self, "cgroup", "0::/cpu/a\n");
	put(group, "cpu.stat", "usage_usec 5\nthrottled_usec 12\n");
	assert_true(cgroup_throttled(&roots) == 12000);
	assert_int_equal(nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void
what_is_not_known_has_no_difference(void **state)
{
	struct usage later = {.throttled = CGROUP_UNKNOWN};
	const struct usage earlier = {.throttled = 5};

	(void)state;
	usage_subtract(&later, &earlier);
	assert_true(later.throttled == CGROUP_UNKNOWN);
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
	    cmocka_unit_test(stopped_by_a_quota),
	    cmocka_unit_test(what_is_not_known_has_no_difference),
	};

	return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
