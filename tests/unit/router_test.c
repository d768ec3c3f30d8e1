#include "tests/unit/support.h"

#include "client/router.h"
#include "client/routes.h"
#include "lib/clock.h"

#define NOW  (1000 * CLOCK_NS_PER_SEC)
#define WAYS 4

/* One source, one host, ports 1 to WAYS. */
static int
setup(void **state)
{
	struct routes *routes = calloc(1, sizeof(*routes));

	assert_non_null(routes);
	assert_null(addr_list_parse("127.0.0.1", &routes->hosts));
	assert_null(port_list_parse("1-4", 1, &routes->ports));
	assert_int_equal(routes_count(routes), WAYS);
	*state = routes;
	return 0;
}

static int
teardown(void **state)
{
	routes_clear(*state);
	free(*state);
	return 0;
}

static void
expect(struct router *r, uint64_t k, uint64_t now, uint64_t way)
{
	uint64_t chosen;

	assert_true(router_choose(r, k, now, &chosen));
	assert_int_equal(chosen, way);
}

static void
each_in_turn(void **state)
{
	struct router r;
	uint64_t k;

	router_init(&r, *state);
	for (k = 0; k < 3 * WAYS; k++)
		expect(&r, k, NOW, k % WAYS);
	router_clear(&r);
}

static void
an_exhausted_way_is_left_out(void **state)
{
	struct router r;
	uint64_t k, chosen;

	router_init(&r, *state);
	router_exhausted(&r, 1, NOW);
	router_exhausted(&r, 3, NOW);
	/* also long after: only when all are does it come back */
	for (k = 0; k < 3 * WAYS; k++) {
		assert_true(router_choose(
		    &r, k, NOW + 100 * CLOCK_NS_PER_SEC, &chosen));
		assert_true(chosen == 0 || chosen == 2);
	}
	expect(&r, 1, NOW, 2);
	expect(&r, 3, NOW, 0);
	router_clear(&r);
}

static void
exhaust_all(struct router *r, uint64_t now)
{
	uint64_t way;

	for (way = 0; way < WAYS; way++)
		router_exhausted(r, way, now);
}

static void
when_all_are_it_waits_a_second(void **state)
{
	struct router r;
	uint64_t chosen;
	int again;

	router_init(&r, *state);
	for (again = 0; again < 2; again++) {
		uint64_t now = NOW + (uint64_t)again * 10 * CLOCK_NS_PER_SEC;

		expect(&r, 2, now, 2);
		exhaust_all(&r, now);
		assert_false(router_choose(&r, 2, now, &chosen));
		assert_false(
		    router_choose(&r, 2, now + CLOCK_NS_PER_SEC - 1, &chosen));
		expect(&r, 2, now + CLOCK_NS_PER_SEC, 2);
	}
	router_clear(&r);
}

/* More ways than can be told apart: the first million are used. */
static void
too_many_ways(void **state)
{
	struct routes routes = {.sources = {.at = NULL, .count = 65536},
	    .hosts = {.at = NULL, .count = 1},
	    .ports = {.at = NULL, .count = 65535}};
	struct router r;

	(void)state;
	router_init(&r, &routes);
	expect(&r, (1 << 20) - 1, NOW, (1 << 20) - 1);
	expect(&r, 1 << 20, NOW, 0);
	router_clear(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_in_turn),
	    cmocka_unit_test(an_exhausted_way_is_left_out),
	    cmocka_unit_test(when_all_are_it_waits_a_second),
	    cmocka_unit_test(too_many_ways),
	};

	return cmocka_run_group_tests_name("router", tests, setup, teardown);
}
