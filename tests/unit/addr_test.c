#include "tests/unit/support.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/clock.h"

/* Nobody waits that long unless a test fails. */
#define PATIENCE_MS 20000

/*
 * Names. Only literals, and what no name server is asked about: a name with an
 * empty label cannot even be put into a query.
 */

static void
expect_literal(
    const char *text, uint16_t port, int family, const char *expected)
{
	struct addr list[ADDR_MOST];
	char printed[ADDR_FORMAT];
	size_t count = 0;
	const char *why;

	why = addr_resolve(text, port, family, list, &count);
	if (why != NULL)
		fail_msg("\"%s\" refused: %s", text, why);
	assert_int_equal(count, 1);
	addr_format(&list[0], printed);
	assert_string_equal(printed, expected);
}

static void
a_name_without_the_family_has_the_other(void **state)
{
	struct addr list[ADDR_MOST];
	size_t count;

	(void)state;
	assert_string_equal(
	    addr_resolve("127.0.0.1", 53, AF_INET6, list, &count),
	    "it has no IPv6 address, but it has IPv4 ones: leave out -6");
	assert_string_equal(addr_resolve("::1", 53, AF_INET, list, &count),
	    "it has no IPv4 address, but it has IPv6 ones: leave out -4");
	assert_string_equal(addr_resolve("a..b", 53, AF_INET, list, &count),
	    gai_strerror(EAI_NONAME));
}

static void
expect_refused(const char *text, int family)
{
	struct addr list[ADDR_MOST];
	size_t count = 0;
	const char *why = addr_resolve(text, 53, family, list, &count);

	if (why == NULL)
		fail_msg("\"%s\" not refused", text);
	assert_int_not_equal(strlen(why), 0);
}

static void
literals(void **state)
{
	(void)state;
	expect_literal("192.0.2.1", 53, AF_UNSPEC, "192.0.2.1:53");
	expect_literal("192.0.2.1", 53, AF_INET, "192.0.2.1:53");
	expect_literal("127.0.0.1", 0, AF_INET, "127.0.0.1:0");
	expect_literal(
	    "255.255.255.255", 65535, AF_UNSPEC, "255.255.255.255:65535");
	expect_literal("::1", 4242, AF_UNSPEC, "[::1]:4242");
	expect_literal("::", 1, AF_INET6, "[::]:1");
	expect_literal(
	    "2001:DB8:0:0:0:0:0:1", 853, AF_INET6, "[2001:db8::1]:853");
	expect_literal(
	    "::ffff:192.0.2.1", 53, AF_UNSPEC, "[::ffff:192.0.2.1]:53");
	expect_literal("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535,
	    AF_UNSPEC, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
	expect_literal("fe80::1%lo", 53, AF_UNSPEC, "[fe80::1%lo]:53");
}

static void
literals_as_sockaddr(void **state)
{
	struct addr list[ADDR_MOST];
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	size_t count;

	(void)state;
	assert_null(addr_resolve("127.0.0.2", 4242, AF_UNSPEC, list, &count));
	assert_int_equal(count, 1);
	assert_int_equal(list[0].length, sizeof(v4));
	memcpy(&v4, &list[0].sa, sizeof(v4));
	assert_int_equal(v4.sin_family, AF_INET);
	assert_int_equal(ntohs(v4.sin_port), 4242);
	assert_int_equal(ntohl(v4.sin_addr.s_addr), 0x7f000002);

	assert_null(addr_resolve("::1", 853, AF_UNSPEC, list, &count));
	assert_int_equal(count, 1);
	assert_int_equal(list[0].length, sizeof(v6));
	memcpy(&v6, &list[0].sa, sizeof(v6));
	assert_int_equal(v6.sin6_family, AF_INET6);
	assert_int_equal(ntohs(v6.sin6_port), 853);
	assert_memory_equal(
	    &v6.sin6_addr, &in6addr_loopback, sizeof(in6addr_loopback));
}

static void
no_addresses(void **state)
{
	(void)state;
	expect_refused("", AF_UNSPEC);
	expect_refused("127.0.0..1", AF_UNSPEC);
	expect_refused("::1..", AF_UNSPEC);
	expect_refused("127.0.0.1%lo", AF_UNSPEC);
	expect_refused("fe80::1%no such interface", AF_UNSPEC);
	expect_refused("192.0.2.1 ", AF_UNSPEC);
	expect_refused("a-label-that-is-longer-than-the-sixty-three-bytes-"
		       "which-are-allowed.invalid.",
	    AF_UNSPEC);
}

static void
other_family(void **state)
{
	(void)state;
	expect_refused("127.0.0.1", AF_INET6);
	expect_refused("::1", AF_INET);
}

static void
format_not_an_address(void **state)
{
	struct addr a;
	char printed[ADDR_FORMAT];

	(void)state;
	memset(&a, 0, sizeof(a));
	a.length = sizeof(struct sockaddr_in);
	a.sa.ss_family = AF_UNSPEC;
	memset(printed, 'x', sizeof(printed));
	addr_format(&a, printed);
	assert_non_null(memchr(printed, '\0', sizeof(printed)));
	assert_int_not_equal(strlen(printed), 0);
}

/*
 * Choosing. Ports are the kernel's choice; the bound socket of one that does
 * not listen keeps everybody else from it.
 */

static int
bound(const char *address, struct addr *a)
{
	struct addr list[ADDR_MOST];
	size_t count;
	int fd;

	assert_null(addr_resolve(address, 0, AF_INET, list, &count));
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_not_equal(fd, -1);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&list[0].sa, list[0].length), 0);
	memset(a, 0, sizeof(*a));
	a->length = sizeof(a->sa);
	assert_int_equal(
	    getsockname(fd, (struct sockaddr *)&a->sa, &a->length), 0);
	return fd;
}

static int
listening(const char *address, struct addr *a)
{
	int fd = bound(address, a);

	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void
expect_no_connection(int listener)
{
	assert_int_equal(accept(listener, NULL, NULL), -1);
	assert_true(errno == EAGAIN || errno == EWOULDBLOCK);
}

/* Just one, and that one was reset. */
static void
expect_reset_connection(int listener)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};
	char byte;

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	p.fd = accept(listener, NULL, NULL);
	assert_int_not_equal(p.fd, -1);
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	assert_int_equal(recv(p.fd, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	close(p.fd);
	expect_no_connection(listener);
}

static void
choose_only_one(void **state)
{
	struct addr a[1];
	int listener = listening("127.0.0.1", &a[0]), closed;

	(void)state;
	assert_ptr_equal(addr_choose(a, 1, CLOCK_NS_PER_SEC), &a[0]);
	expect_no_connection(listener);
	close(listener);
	closed = bound("127.0.0.2", &a[0]);
	assert_ptr_equal(addr_choose(a, 1, CLOCK_NS_PER_SEC), &a[0]);
	close(closed);
}

static void
choose_the_one_that_accepts(void **state)
{
	struct addr a[3];
	int closed = bound("127.0.0.2", &a[0]);
	int listener = listening("127.0.0.1", &a[1]);
	int other = listening("127.0.0.3", &a[2]);

	(void)state;
	assert_ptr_equal(addr_choose(a, 2, 20 * CLOCK_NS_PER_SEC), &a[1]);
	expect_reset_connection(listener);
	/* those behind it are left alone */
	assert_ptr_equal(addr_choose(a, 3, 20 * CLOCK_NS_PER_SEC), &a[1]);
	expect_reset_connection(listener);
	expect_no_connection(other);
	close(closed);
	close(listener);
	close(other);
}

static void
choose_the_first_of_equals(void **state)
{
	struct addr a[2];
	int first = listening("127.0.0.1", &a[0]);
	int second = listening("127.0.0.2", &a[1]);

	(void)state;
	assert_ptr_equal(addr_choose(a, 2, 20 * CLOCK_NS_PER_SEC), &a[0]);
	expect_reset_connection(first);
	expect_no_connection(second);
	close(first);
	close(second);
}

static void
choose_none(void **state)
{
	struct addr a[2];
	int first = bound("127.0.0.1", &a[0]);
	int second = bound("127.0.0.2", &a[1]);

	(void)state;
	assert_null(addr_choose(a, 2, 20 * CLOCK_NS_PER_SEC));
	/* a family that this host does not even have sockets for */
	a[0].sa.ss_family = AF_UNSPEC;
	assert_null(addr_choose(a, 2, 20 * CLOCK_NS_PER_SEC));
	close(first);
	close(second);
}

/* Loopback is ours, what is kept for documentation is nobody's. */
static void
owner(void **state)
{
	static const struct {
		const char *host;
		enum addr_owner owner;
	} cases[] = {{"127.0.0.1", ADDR_OURS}, {"127.7.7.7", ADDR_OURS},
	    {"203.0.113.9", ADDR_OTHERS}, {"192.0.2.1", ADDR_OTHERS}};
	struct addr addresses[ADDR_MOST];
	enum addr_owner found;
	size_t count, i;

	(void)state;
	for (i = 0; i < LENGTH(cases); i++) {
		assert_null(addr_resolve(
		    cases[i].host, 53, AF_INET, addresses, &count));
		found = addr_owner(&addresses[0]);
		/* where anything can be bound, or nothing be read */
		assert_true(found == cases[i].owner || found == ADDR_UNKNOWN);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_name_without_the_family_has_the_other),
	    cmocka_unit_test(literals),
	    cmocka_unit_test(literals_as_sockaddr),
	    cmocka_unit_test(no_addresses),
	    cmocka_unit_test(other_family),
	    cmocka_unit_test(format_not_an_address),
	    cmocka_unit_test(choose_only_one),
	    cmocka_unit_test(choose_the_one_that_accepts),
	    cmocka_unit_test(choose_the_first_of_equals),
	    cmocka_unit_test(choose_none),
	    cmocka_unit_test(owner),
	};

	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
