#include "tests/unit/support.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <inttypes.h>
#include <stdio.h>

#include "client/routes.h"

#define FIRST_PORT   7000
#define SOURCE_BEGIN "127.1.0.1"
#define HOST_BEGIN   "127.2.0.1"

/* How many sources (0: the kernel's choice), target addresses and ports. */
struct shape {
	size_t sources;
	size_t hosts;
	size_t ports;
};

/* With common divisors and without, each of them the largest once. */
static const struct shape shapes[] = {{0, 1, 1}, {1, 1, 1}, {0, 3, 4},
    {1, 1, 200}, {2, 1, 2}, {4, 1, 8}, {4, 2, 3}, {5, 2, 3}, {6, 2, 2},
    {6, 3, 2}, {7, 5, 3}, {8, 1, 4}, {9, 2, 3}, {16, 1, 1}, {4, 1, 200},
    {30, 4, 6}};

/* Addresses one after the other, of 127.0.0.0/8. */
static void
add_addresses(struct addr_list *list, const char *begin, size_t count)
{
	char text[64], last[INET_ADDRSTRLEN];
	struct in_addr address;

	if (count == 0)
		return;
	assert_int_equal(inet_pton(AF_INET, begin, &address), 1);
	address.s_addr = htonl(ntohl(address.s_addr) + (uint32_t)count - 1);
	assert_non_null(inet_ntop(AF_INET, &address, last, sizeof(last)));
	snprintf(text, sizeof(text), "%s-%s", begin, last);
	assert_null(addr_list_parse(count == 1 ? begin : text, list));
	assert_int_equal(list->count, count);
}

static void
routes_make(struct routes *r, const struct shape *shape)
{
	char ports[32];

	memset(r, 0, sizeof(*r));
	add_addresses(&r->sources, SOURCE_BEGIN, shape->sources);
	add_addresses(&r->hosts, HOST_BEGIN, shape->hosts);
	snprintf(ports, sizeof(ports), "%d-%zu", FIRST_PORT,
	    FIRST_PORT + shape->ports - 1);
	if (shape->ports == 1)
		snprintf(ports, sizeof(ports), "%d", FIRST_PORT);
	assert_null(port_list_parse(ports, 1, &r->ports));
	assert_int_equal(r->ports.count, shape->ports);
}

static const struct sockaddr_in *
as_in(const struct addr *a)
{
	assert_int_equal(a->length, sizeof(struct sockaddr_in));
	assert_int_equal(a->sa.ss_family, AF_INET);
	return (const struct sockaddr_in *)(const void *)&a->sa;
}

/* The how-manieth address from begin on. */
static size_t
offset_from(const struct addr *a, const char *begin)
{
	struct in_addr first;

	assert_int_equal(inet_pton(AF_INET, begin, &first), 1);
	return ntohl(as_in(a)->sin_addr.s_addr) - ntohl(first.s_addr);
}

/* Where way k leads, each as a number from 0 on. */
struct place {
	size_t source;
	size_t host;
	size_t port;
};

static void
find_place(const struct routes *r, const struct shape *shape, uint64_t k,
    struct place *out)
{
	struct route route;

	memset(&route, 0xff, sizeof(route));
	routes_get(r, k, &route);
	out->source = 0;
	if (shape->sources == 0)
		assert_int_equal(route.source.length, 0);
	else {
		out->source = offset_from(&route.source, SOURCE_BEGIN);
		assert_int_equal(as_in(&route.source)->sin_port, 0);
		assert_true(out->source < shape->sources);
	}
	out->host = offset_from(&route.target, HOST_BEGIN);
	out->port = (size_t)ntohs(as_in(&route.target)->sin_port) - FIRST_PORT;
	assert_true(out->host < shape->hosts);
	assert_true(out->port < shape->ports);
}

static size_t
at_least_one(size_t n)
{
	return n == 0 ? 1 : n;
}

static void
counts(void **state)
{
	struct routes r;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(shapes); i++) {
		routes_make(&r, &shapes[i]);
		assert_int_equal(
		    routes_targets(&r), shapes[i].hosts * shapes[i].ports);
		assert_int_equal(routes_count(&r),
		    at_least_one(shapes[i].sources) * shapes[i].hosts *
			shapes[i].ports);
		routes_clear(&r);
		assert_int_equal(
		    r.sources.count + r.hosts.count + r.ports.count, 0);
	}
}

/* Every source with every target address and port, once. */
static void
each_way_once(void **state)
{
	const struct shape *shape;
	struct place place;
	struct routes r;
	unsigned int *seen;
	uint64_t ways, k;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(shapes); i++) {
		shape = &shapes[i];
		routes_make(&r, shape);
		ways = routes_count(&r);
		seen = calloc(ways, sizeof(*seen));
		assert_non_null(seen);
		for (k = 0; k < ways; k++) {
			find_place(&r, shape, k, &place);
			seen[(place.source * shape->hosts + place.host) *
				shape->ports +
			    place.port]++;
		}
		for (k = 0; k < ways; k++)
			assert_int_equal(seen[k], 1);
		free(seen);
		routes_clear(&r);
	}
}

/* The counts differ by one at most. */
static void
expect_even(const unsigned int *share, size_t count, const struct shape *shape,
    uint64_t connections, const char *what)
{
	unsigned int least = share[0], most = share[0];
	size_t i;

	for (i = 1; i < count; i++) {
		least = share[i] < least ? share[i] : least;
		most = share[i] > most ? share[i] : most;
	}
	if (most - least > 1)
		fail_msg("%zu x %zu x %zu: of %" PRIu64 " connections one %s "
			 "has %u, another %u",
		    shape->sources, shape->hosts, shape->ports, connections,
		    what, least, most);
}

/* Adds up what the first connections take, and looks after each of them. */
static void
expect_even_shares(const struct routes *r, const struct shape *shape)
{
	size_t sources = at_least_one(shape->sources),
	       targets = shape->hosts * shape->ports;
	unsigned int *of_source = calloc(sources, sizeof(*of_source)),
		     *of_host = calloc(shape->hosts, sizeof(*of_host)),
		     *of_target = calloc(targets, sizeof(*of_target));
	uint64_t ways = routes_count(r), k;
	struct place place;

	assert_true(of_source != NULL && of_host != NULL && of_target != NULL);
	for (k = 0; k < 2 * ways + 1; k++) {
		find_place(r, shape, k % ways, &place);
		of_source[place.source]++;
		of_host[place.host]++;
		of_target[place.host * shape->ports + place.port]++;
		expect_even(of_source, sources, shape, k + 1, "source");
		expect_even(of_host, shape->hosts, shape, k + 1, "host");
		expect_even(of_target, targets, shape, k + 1, "target");
	}
	free(of_source);
	free(of_host);
	free(of_target);
}

static void
shares_are_even_for_any_number(void **state)
{
	struct routes r;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(shapes); i++) {
		routes_make(&r, &shapes[i]);
		expect_even_shares(&r, &shapes[i]);
		routes_clear(&r);
	}
}

static void
expect_format(const char *hosts, const char *ports, const char *expected)
{
	char text[ROUTES_FORMAT];
	struct routes r;

	memset(&r, 0, sizeof(r));
	assert_null(addr_list_parse(hosts, &r.hosts));
	assert_null(port_list_parse(ports, 1, &r.ports));
	memset(text, 'x', sizeof(text));
	routes_format(&r, text);
	assert_string_equal(text, expected);
	routes_clear(&r);
}

static void
format(void **state)
{
	(void)state;
	expect_format("192.0.2.1", "53", "192.0.2.1:53");
	expect_format("::1", "53", "[::1]:53");
	expect_format("127.0.0.1", "7000-7199", "127.0.0.1:7000 and 199 more");
	expect_format(
	    "127.0.0.1-127.0.0.3", "53,54", "127.0.0.1:53 and 5 more");
	expect_format("2001:db8:1111:2222:3333:4444:5555:6666", "1-65535",
	    "[2001:db8:1111:2222:3333:4444:5555:6666]:1 and 65534 more");
	/* as many as there can be */
	expect_format("10.0.0.0/17,10.1.0.0/17", "1-65535",
	    "10.0.0.1:1 and 4294639619 more");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(counts),
	    cmocka_unit_test(each_way_once),
	    cmocka_unit_test(shares_are_even_for_any_number),
	    cmocka_unit_test(format),
	};

	return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}
