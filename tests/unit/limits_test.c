#include "tests/unit/support.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/limits.h"

/*
 * Ways.
 */

static void
expect_enough(
    uint64_t ports, uint64_t sources, uint64_t targets, uint64_t connections)
{
	const struct limits_ways ways = {
	    .ports = ports, .sources = sources, .targets = targets};
	char missing[LIMITS_TEXT];

	if (limits_ways_short(&ways, connections, missing))
		fail_msg("%" PRIu64 " connections are too many: %s",
		    connections, missing);
}

static void
expect_short(uint64_t ports, uint64_t sources, uint64_t targets,
    uint64_t connections, const char *expected)
{
	const struct limits_ways ways = {
	    .ports = ports, .sources = sources, .targets = targets};
	char missing[LIMITS_TEXT];

	memset(missing, 'x', sizeof(missing));
	assert_true(limits_ways_short(&ways, connections, missing));
	assert_string_equal(missing, expected);
}

static void
ways_are_enough_up_to_their_product(void **state)
{
	(void)state;
	expect_enough(28232, 1, 1, 0);
	expect_enough(28232, 1, 1, 28231);
	expect_enough(28232, 1, 1, 28232);
	expect_short(28232, 1, 1, 28233,
	    "1 more source address (-a) or 1 more target port (-p)");
	expect_enough(100, 3, 7, 2100);
	expect_short(100, 3, 7, 2101,
	    "1 more source address (-a) or 1 more target port (-p)");
	expect_enough(1, 1, 1, 1);
	expect_short(1, 1, 1, 2,
	    "1 more source address (-a) or 1 more target port (-p)");
	/* the number of ports is not known: nothing is */
	expect_enough(0, 1, 1, 10000000);
	/* as many as can be asked for */
	expect_enough(64511, 65536, UINT64_C(65536) * 65535, 10000000);
}

static void
what_is_missing(void **state)
{
	(void)state;
	expect_short(100, 1, 1, 150,
	    "1 more source address (-a) or 1 more target port (-p)");
	expect_short(100, 1, 1, 200,
	    "1 more source address (-a) or 1 more target port (-p)");
	expect_short(100, 1, 1, 201,
	    "2 more source addresses (-a) or 2 more target ports (-p)");
	/* one of the one kind is several of the other */
	expect_short(100, 1, 10, 1500,
	    "1 more source address (-a) or 5 more target ports (-p)");
	expect_short(100, 10, 1, 1500,
	    "5 more source addresses (-a) or 1 more target port (-p)");
	expect_short(28232, 2, 3, 1000000,
	    "10 more source addresses (-a) or 15 more target ports (-p)");
	/* no text is cut off */
	expect_short(1, 1, 1, 10000000,
	    "9999999 more source addresses (-a) or 9999999 more target ports "
	    "(-p)");
}

/* With what is said to be missing it is just enough. */
static void
what_is_missing_suffices(void **state)
{
	struct rng rng = {.state = 4};
	struct limits_ways ways, more;
	char missing[LIMITS_TEXT];
	uint64_t connections, sources, targets;
	unsigned int i;

	(void)state;
	for (i = 0; i < 10000; i++) {
		ways.ports = 1 + rng_below(&rng, 1000);
		ways.sources = 1 + rng_below(&rng, 30);
		ways.targets = 1 + rng_below(&rng, 30);
		connections = ways.ports * ways.sources * ways.targets + 1 +
		    rng_below(&rng, 100000);
		assert_true(limits_ways_short(&ways, connections, missing));
		assert_int_equal(sscanf(missing,
				     "%" SCNu64 " more source %*s (-a) or "
				     "%" SCNu64 " more target",
				     &sources, &targets),
		    2);
		more = ways;
		more.sources += sources;
		assert_false(limits_ways_short(&more, connections, missing));
		more.sources--;
		assert_true(limits_ways_short(&more, connections, missing));
		more = ways;
		more.targets += targets;
		assert_false(limits_ways_short(&more, connections, missing));
		more.targets--;
		assert_true(limits_ways_short(&more, connections, missing));
	}
}

/*
 * Descriptors.
 */

/*
 * What a function says under other limits: in a process of its own, for a hard
 * limit that was lowered cannot be raised again.
 */
static uint64_t
under_limit(
    rlim_t soft, rlim_t hard, uint64_t (*function)(uint64_t), uint64_t arg)
{
	const struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};
	uint64_t result = 0;
	int ends[2], status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0) {
		if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
			_exit(1);
		result = function(arg);
		_exit(
		    write(ends[1], &result, sizeof(result)) != sizeof(result));
	}
	close(ends[1]);
	assert_int_equal(
	    read(ends[0], &result, sizeof(result)), sizeof(result));
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	return result;
}

static void
workers_for_connections(void **state)
{
	static const struct {
		rlim_t hard;
		uint64_t connections;
		uint64_t workers;
	} cases[] = {
	    {1064, 0, 1},
	    {1064, 1, 1},
	    {1064, 1000, 1},
	    {1064, 1001, 2},
	    {1064, 2000, 2},
	    {1064, 2001, 3},
	    {1064, 10000000, 10000},
	    {200, 500, 4}, /* of 136 each */
	    {200, 136, 1},
	    {200, 137, 2},
	    /* no more than is spare, or less: one each is the least */
	    {65, 3, 3},
	    {64, 3, 3},
	    {63, 3, 3},
	    {20, 0, 1},
	};
	size_t i;

	(void)state;
	/* the soft limit does not count: it is raised before it matters */
	for (i = 0; i < LENGTH(cases); i++)
		assert_int_equal(
		    under_limit(20, cases[i].hard, limits_workers_least,
			cases[i].connections),
		    cases[i].workers);
}

static uint64_t
all_workers(uint64_t connections)
{
	return limits_workers(connections);
}

static void
workers_for_processors(void **state)
{
	const uint64_t most = LIMITS_WORKERS_MOST;
	cpu_set_t usable;
	uint64_t processors, i;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(usable), &usable), 0);
	processors = (uint64_t)CPU_COUNT(&usable);
	const struct {
		uint64_t connections;
		uint64_t workers;
	} cases[] = {
	    {0, processors},
	    {1, processors},
	    {1000 * processors, processors},
	    {1000 * processors + 1, processors + 1},
	    {1000 * (processors + 3), processors + 3},
	    {1000 * most, most},
	    {1000 * most + 1, most},
	    {10000000, most},
	};

	for (i = 0; i < LENGTH(cases); i++)
		assert_int_equal(
		    under_limit(64, 1064, all_workers, cases[i].connections),
		    cases[i].workers);
}

/* Twice, and what is then said to be the limit is. */
static uint64_t
raise_twice(uint64_t expected)
{
	struct rlimit limit;

	return limits_raise_descriptors() == expected &&
	    limits_raise_descriptors() == expected &&
	    getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    limit.rlim_cur == expected && limit.rlim_max == expected;
}

static void
raise_descriptors(void **state)
{
	(void)state;
	assert_int_equal(under_limit(70, 300, raise_twice, 300), 1);
	assert_int_equal(under_limit(300, 300, raise_twice, 300), 1);
	assert_int_equal(under_limit(300, 300, raise_twice, 299), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ways_are_enough_up_to_their_product),
	    cmocka_unit_test(what_is_missing),
	    cmocka_unit_test(what_is_missing_suffices),
	    cmocka_unit_test(workers_for_connections),
	    cmocka_unit_test(workers_for_processors),
	    cmocka_unit_test(raise_descriptors),
	};

	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
