/*
 * Finding a local port: how many of them one call looks at, that it finds the one
 * that is free, that it knows when none is; with IP_LOCAL_PORT_RANGE and, as on a
 * kernel without it, with bind().
 */
#include "tests/unit/support.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <net/if.h>
#include <netinet/in.h>

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "client/connector.h"
#include "client/routes.h"
#include "lib/limits.h"

#define PORTS	   600 /* of the range in these tests: more than one call looks at */
#define PORT_RANGE 51 /* IP_LOCAL_PORT_RANGE of ip(7); not in all C libraries */

struct fixture {
	struct local_ports ports;
	struct local_ports_cursor cursor;
	struct connector connector;
	struct route route;
	int listener;
	int taken[PORTS];
};

/* An address of this process alone, so that others hold none of its ports. */
static in_addr_t
own_address(void)
{
	return htonl(INADDR_LOOPBACK + ((uint32_t)getpid() << 1));
}

static int
bound(uint16_t port, struct sockaddr_in *in)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_not_equal(fd, -1);
	*in = (struct sockaddr_in){.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = own_address()};
	if (bind(fd, (struct sockaddr *)in, sizeof(*in)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void
listen_somewhere(struct fixture *f)
{
	struct sockaddr_in in;
	socklen_t length = sizeof(in);

	f->listener = bound(0, &in);
	assert_int_not_equal(f->listener, -1);
	assert_int_equal(listen(f->listener, 16), 0);
	assert_int_equal(
	    getsockname(f->listener, (struct sockaddr *)&in, &length), 0);
	memcpy(&f->route.target.sa, &in, sizeof(in));
	f->route.target.length = sizeof(in);
	in.sin_port = 0;
	memcpy(&f->route.source.sa, &in, sizeof(in));
	f->route.source.length = sizeof(in);
}

static unsigned long
listens_at(const struct fixture *f)
{
	const struct sockaddr_in *in =
	    (const struct sockaddr_in *)&f->route.target.sa;

	return ntohs(in->sin_port);
}

/* All ports of a small range are taken. */
static struct fixture *
fixture_new(enum local_ports_how how)
{
	struct fixture *f = calloc(1, sizeof(*f));
	unsigned long first, last;
	struct sockaddr_in in;
	unsigned int i;

	assert_non_null(f);
	(void)limits_raise_descriptors();
	assert_true(limits_port_range(&first, &last));
	assert_true(last - first > 4 * PORTS);
	listen_somewhere(f);
	f->ports.how = how;
	/* the listener's port is none of them */
	f->ports.first =
	    (uint16_t)(listens_at(f) < last - 2 * PORTS ? last - 2 * PORTS :
							  first);
	f->ports.last = (uint16_t)(f->ports.first + PORTS - 1);
	f->connector = (struct connector){&f->ports, &f->cursor, 0};
	for (i = 0; i < PORTS; i++) {
		f->taken[i] = bound((uint16_t)(f->ports.first + i), &in);
		if (f->taken[i] == -1)
			skip(); /* a server of this host has it, on any address */
	}
	return f;
}

static void
fixture_free(struct fixture *f)
{
	unsigned int i;

	for (i = 0; i < PORTS; i++)
		if (f->taken[i] != -1)
			close(f->taken[i]);
	close(f->listener);
	free(f);
}

/* The socket, or -1 when the whole range is taken; *calls that it took. */
static int
search(struct fixture *f, unsigned int *calls)
{
	uint64_t begun;
	int fd;

	for (*calls = 1;; ++*calls) {
		fd = connector_open(&f->route, &f->connector, &begun);
		if (fd != -1 || errno != EAGAIN)
			return fd;
		assert_true(*calls < 2 * PORTS);
	}
}

static unsigned int
ports_a_call(const struct fixture *f)
{
	return f->ports.how == LOCAL_PORTS_BIND ?
	    CONNECTOR_BINDS :
	    CONNECTOR_WINDOWS * LOCAL_PORTS_WIDTH;
}

static void
looks_at_few_ports(enum local_ports_how how)
{
	struct fixture *f = fixture_new(how);
	uint64_t begun;
	unsigned int calls;

	assert_int_equal(connector_open(&f->route, &f->connector, &begun), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(f->cursor.missed, ports_a_call(f));
	/* and goes on from there */
	assert_int_equal(search(f, &calls), -1);
	assert_int_equal(errno, EADDRNOTAVAIL);
	assert_int_equal(calls, (PORTS - 1) / ports_a_call(f));
	fixture_free(f);
}

static void
finds_the_free_one(enum local_ports_how how, unsigned int at)
{
	struct fixture *f = fixture_new(how);
	struct sockaddr_in in;
	socklen_t length = sizeof(in);
	unsigned int calls;
	int fd;

	close(f->taken[at]);
	f->taken[at] = -1;
	fd = search(f, &calls);
	assert_int_not_equal(fd, -1);
	assert_true(calls <= PORTS / ports_a_call(f) + 1);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &length), 0);
	assert_int_equal(ntohs(in.sin_port), f->ports.first + at);
	/* the search goes on behind it */
	assert_int_equal(f->cursor.missed, 0);
	close(fd);
	fixture_free(f);
}

/* Asked without the connector, which must not be able to switch its tests off. */
static bool
kernel_has_windows(void)
{
	const uint32_t none = 0;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	bool has;

	assert_int_not_equal(fd, -1);
	has = setsockopt(fd, IPPROTO_IP, PORT_RANGE, &none, sizeof(none)) == 0;
	close(fd);
	return has;
}

static void
the_probe_sees_what_the_kernel_has(void **state)
{
	(void)state;
	assert_int_equal(connector_probe(),
	    kernel_has_windows() ? LOCAL_PORTS_WINDOW : LOCAL_PORTS_BIND);
}

static void
a_call_looks_at_few_ports_by_window(void **state)
{
	(void)state;
	if (!kernel_has_windows())
		skip();
	looks_at_few_ports(LOCAL_PORTS_WINDOW);
}

static void
a_call_looks_at_few_ports_by_bind(void **state)
{
	(void)state;
	looks_at_few_ports(LOCAL_PORTS_BIND);
}

static void
the_only_free_port_is_found_by_window(void **state)
{
	(void)state;
	if (!kernel_has_windows())
		skip();
	finds_the_free_one(LOCAL_PORTS_WINDOW, 0);
	finds_the_free_one(LOCAL_PORTS_WINDOW, 300);
	finds_the_free_one(LOCAL_PORTS_WINDOW, PORTS - 1);
}

static void
the_only_free_port_is_found_by_bind(void **state)
{
	(void)state;
	finds_the_free_one(LOCAL_PORTS_BIND, 0);
	finds_the_free_one(LOCAL_PORTS_BIND, 300);
	finds_the_free_one(LOCAL_PORTS_BIND, PORTS - 1);
}

/* Where no source was asked for, what lies in its bytes is none. */
static void
without_a_source_any_address_is_bound(void **state)
{
	struct fixture *f = fixture_new(LOCAL_PORTS_BIND);
	unsigned int calls, i;
	int fd;

	(void)state;
	for (i = 0; i < PORTS; i++) {
		close(f->taken[i]);
		f->taken[i] = -1;
	}
	memset(&f->route.source, 'a', sizeof(f->route.source));
	f->route.source.length = 0;
	fd = search(f, &calls);
	assert_int_not_equal(fd, -1);
	close(fd);
	fixture_free(f);
}

/*
 * Windows, without sockets.
 */

static const struct local_ports RANGE = {
    .how = LOCAL_PORTS_WINDOW, .first = 1000, .last = 1299};

static void
a_lap_looks_at_each_port_once(void **state)
{
	struct local_ports_cursor cursor = {0, 0};
	unsigned int seen[300] = {0}, i;
	uint16_t low, high;
	bool over;

	(void)state;
	do {
		local_ports_window(&RANGE, &cursor, 117, &low, &high);
		assert_in_range(low, RANGE.first, high);
		assert_in_range(high, low, RANGE.last);
		for (i = low; i <= high; i++)
			seen[i - RANGE.first]++;
		over = local_ports_missed(&RANGE, &cursor, high);
	} while (!over);
	for (i = 0; i < 300; i++)
		assert_in_range(seen[i], 1, 2);
	/* no more than what a window is wide is seen again */
	for (i = LOCAL_PORTS_WIDTH; i < 300; i++)
		assert_int_equal(seen[(117 + i) % 300], 1);
}

static void
a_found_port_moves_the_window_by_one(void **state)
{
	struct local_ports_cursor cursor = {0, 0};
	uint16_t low, high;
	unsigned int i;

	(void)state;
	for (i = 0; i < 700; i++) {
		local_ports_window(&RANGE, &cursor, 299, &low, &high);
		assert_int_equal(low, RANGE.first + (299 + i) % 300);
		local_ports_found(&RANGE, &cursor);
	}
}

static void
reserved_ports_are_left_out_with_bind(void **state)
{
	struct local_ports ports = RANGE;
	struct local_ports_cursor cursor = {0, 0};
	uint16_t low, high;
	unsigned int i;

	(void)state;
	ports.how = LOCAL_PORTS_BIND;
	for (i = 1000; i < 1299; i++)
		if (i != 1100)
			ports.reserved[i / 8] |= (uint8_t)(1U << i % 8);
	local_ports_window(&ports, &cursor, 0, &low, &high);
	assert_int_equal(low, 1100);
	assert_int_equal(high, 1100);
	assert_false(local_ports_missed(&ports, &cursor, high));
	local_ports_window(&ports, &cursor, 0, &low, &high);
	assert_int_equal(low, 1299);
	assert_true(local_ports_missed(&ports, &cursor, high));
}

static void
workers_begin_apart(void **state)
{
	unsigned int i;
	uint32_t start;

	(void)state;
	for (i = 0; i < 3; i++) {
		start = local_ports_start(&RANGE, i, 3);
		assert_in_range(start, 100 * i, 100 * i + 99);
	}
	/* more of them than ports */
	assert_int_equal(local_ports_start(&RANGE, 599, 600), 299);
}

/* Of its own, where that is allowed: another program may hold a port on any address. */
static int
enter_network(void **state)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd;

	(void)state;
	if (unshare(CLONE_NEWNET) == -1)
		return 0;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd == -1 || ioctl(fd, SIOCSIFFLAGS, &lo) == -1)
		return -1;
	close(fd);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_probe_sees_what_the_kernel_has),
	    cmocka_unit_test(a_call_looks_at_few_ports_by_window),
	    cmocka_unit_test(a_call_looks_at_few_ports_by_bind),
	    cmocka_unit_test(the_only_free_port_is_found_by_window),
	    cmocka_unit_test(the_only_free_port_is_found_by_bind),
	    cmocka_unit_test(without_a_source_any_address_is_bound),
	    cmocka_unit_test(a_lap_looks_at_each_port_once),
	    cmocka_unit_test(a_found_port_moves_the_window_by_one),
	    cmocka_unit_test(reserved_ports_are_left_out_with_bind),
	    cmocka_unit_test(workers_begin_apart),
	};

	return cmocka_run_group_tests(tests, enter_network, NULL);
}
