/*
 * What the kernel says of sockets: messages as it would write them, and sockets
 * of the test's own on the loopback.
 */
#include "tests/unit/support.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "lib/sockdiag.h"

#define PORT 853

struct socket_message {
	struct nlmsghdr head;
	struct inet_diag_msg socket;
};

static struct addr_ip
ip_of(const char *text)
{
	struct addr_ip ip = {
	    .family = strchr(text, ':') == NULL ? AF_INET : AF_INET6};

	assert_int_equal(inet_pton(ip.family, text, ip.bytes), 1);
	return ip;
}

static struct socket_message
message(int tcp_state, const char *host, uint16_t port)
{
	struct addr_ip ip = ip_of(host);
	struct socket_message m = {
	    .head = {.nlmsg_len = sizeof(m), .nlmsg_type = SOCK_DIAG_BY_FAMILY},
	    .socket = {.idiag_family = (uint8_t)ip.family,
		.idiag_state = (uint8_t)tcp_state},
	};

	m.socket.id.idiag_dport = htons(port);
	memcpy(m.socket.id.idiag_dst, ip.bytes, sizeof(ip.bytes));
	return m;
}

static struct sockdiag *
diag_new(const char *const *hosts, size_t count, uint16_t port)
{
	struct addr_ip ips[4] = {{.family = AF_INET}};
	struct sockdiag *d;
	size_t i;

	for (i = 0; i < count; i++)
		ips[i] = ip_of(hosts[i]);
	d = sockdiag_new(ips, count, &port, 1);
	assert_non_null(d);
	return d;
}

static void
parse_counts_states(void **state)
{
	static const char *const hosts[] = {"192.0.2.1", "2001:db8::1"};
	struct sockdiag *d = diag_new(hosts, 2, PORT);
	const struct socket_message messages[] = {message(1, "192.0.2.1", PORT),
	    message(1, "2001:db8::1", PORT), message(2, "192.0.2.1", PORT),
	    message(6, "192.0.2.1", PORT), message(6, "192.0.2.1", PORT),
	    message(11, "192.0.2.1", PORT),
	    /* not asked for: another host, another port, a state of no name */
	    message(1, "192.0.2.2", PORT), message(1, "192.0.2.1", PORT + 1),
	    message(1, "2001:db8::2", PORT), message(12, "192.0.2.1", PORT)};
	const struct sockdiag_states expected = {
	    .established = 2, .syn_sent = 1, .time_wait = 2, .closing = 1};

	(void)state;
	assert_int_equal(
	    sockdiag_parse(d, messages, sizeof(messages)), SOCKDIAG_MORE);
	assert_memory_equal(sockdiag_states(d), &expected, sizeof(expected));
	sockdiag_free(d);
}

static void
parse_counts_every_state(void **state)
{
	struct sockdiag *d = diag_new(NULL, 0, PORT);
	struct socket_message m;

	(void)state;
#define ONE(name, number)                                                  \
	m = message(number, "192.0.2.1", PORT);                            \
	assert_int_equal(sockdiag_states(d)->name, 0);                     \
	assert_int_equal(sockdiag_parse(d, &m, sizeof(m)), SOCKDIAG_MORE); \
	assert_int_equal(sockdiag_states(d)->name, 1);
	SOCKDIAG_STATES(ONE)
	sockdiag_free(d);
}

static void
parse_ends(void **state)
{
	struct sockdiag *d = diag_new(NULL, 0, PORT);
	const struct nlmsghdr done = {sizeof(done), NLMSG_DONE, 0, 0, 0};
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
	} failed = {{sizeof(failed), NLMSG_ERROR, 0, 0, 0}, {.error = -ENOENT}};
	struct {
		struct nlmsghdr head;
		int error;
	} ended = {{sizeof(ended), NLMSG_DONE, 0, 0, 0}, -ENOENT};

	(void)state;
	assert_int_equal(sockdiag_parse(d, &done, sizeof(done)), SOCKDIAG_DONE);
	/* as the kernel ends a dump: with what went wrong, or with 0 */
	assert_int_equal(
	    sockdiag_parse(d, &ended, sizeof(ended)), SOCKDIAG_FAILED);
	assert_int_equal(errno, ENOENT);
	ended.error = 0;
	assert_int_equal(
	    sockdiag_parse(d, &ended, sizeof(ended)), SOCKDIAG_DONE);
	assert_int_equal(
	    sockdiag_parse(d, &failed, sizeof(failed)), SOCKDIAG_FAILED);
	assert_int_equal(errno, ENOENT);
	failed.head.nlmsg_len = sizeof(failed.head);
	assert_int_equal(
	    sockdiag_parse(d, &failed, sizeof(failed.head)), SOCKDIAG_FAILED);
	assert_int_equal(errno, EPROTO);
	sockdiag_free(d);
}

/* Only -1 to -4095 are errnos; -INT_MIN does not exist. */
static void
parse_takes_no_other_number_for_an_errno(void **state)
{
	static const int codes[] = {INT_MIN, -4096, 1};
	struct sockdiag *d = diag_new(NULL, 0, PORT);
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
	} failed = {{sizeof(failed), NLMSG_ERROR, 0, 0, 0}, {.error = 0}};
	struct {
		struct nlmsghdr head;
		int error;
	} ended = {{sizeof(ended), NLMSG_DONE, 0, 0, 0}, INT_MIN};
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(codes); i++) {
		failed.error.error = codes[i];
		assert_int_equal(sockdiag_parse(d, &failed, sizeof(failed)),
		    SOCKDIAG_FAILED);
		assert_int_equal(errno, EPROTO);
	}
	assert_int_equal(
	    sockdiag_parse(d, &ended, sizeof(ended)), SOCKDIAG_FAILED);
	assert_int_equal(errno, EPROTO);
	sockdiag_free(d);
}

/* Cut anywhere, or with a length that is wrong: never read beyond. */
static void
parse_what_is_broken(void **state)
{
	struct sockdiag *d = diag_new(NULL, 0, PORT);
	struct socket_message m = message(1, "192.0.2.1", PORT), *cut;
	size_t length;

	(void)state;
	for (length = 1; length < sizeof(m); length++) {
		cut = malloc(length);
		assert_non_null(cut);
		memcpy(cut, &m, length);
		assert_int_equal(
		    sockdiag_parse(d, cut, length), SOCKDIAG_FAILED);
		free(cut);
	}
	m.head.nlmsg_len = 0;
	assert_int_equal(sockdiag_parse(d, &m, sizeof(m)), SOCKDIAG_FAILED);
	m.head.nlmsg_len = UINT32_MAX;
	assert_int_equal(sockdiag_parse(d, &m, sizeof(m)), SOCKDIAG_FAILED);
	/* a header alone is no socket */
	m.head.nlmsg_len = sizeof(m.head);
	assert_int_equal(sockdiag_parse(d, &m, sizeof(m.head)), SOCKDIAG_MORE);
	assert_int_equal(sockdiag_states(d)->established, 0);
	sockdiag_free(d);
}

/*
 * The kernel.
 */

static int
listen_on(const char *host, int backlog, uint16_t *port)
{
	struct addr_ip ip = ip_of(host);
	struct addr addr;
	int fd = socket(ip.family, SOCK_STREAM, 0);

	addr_from_ip(&ip, 0, &addr);
	if (fd == -1 ||
	    bind(fd, (struct sockaddr *)&addr.sa, addr.length) == -1)
		skip();
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(
	    getsockname(fd, (struct sockaddr *)&addr.sa, &addr.length), 0);
	*port = ntohs(((struct sockaddr_in *)&addr.sa)->sin_port);
	return fd;
}

static int
connect_to(const char *host, uint16_t port)
{
	struct addr_ip ip = ip_of(host);
	struct addr addr;
	int fd = socket(ip.family, SOCK_STREAM, 0);

	addr_from_ip(&ip, port, &addr);
	assert_int_not_equal(fd, -1);
	assert_int_equal(
	    connect(fd, (struct sockaddr *)&addr.sa, addr.length), 0);
	return fd;
}

static const struct sockdiag_states *
count(struct sockdiag *d)
{
	enum sockdiag_progress progress;

	if (sockdiag_begin(d) != 0)
		skip(); /* the kernel has no sock_diag */
	do
		progress = sockdiag_read(d);
	while (progress == SOCKDIAG_MORE);
	assert_int_equal(progress, SOCKDIAG_DONE);
	return sockdiag_states(d);
}

static void
connections_are_counted(const char *host)
{
	struct sockdiag *d, *other;
	const struct sockdiag_states *s;
	int fds[5], listener, i;
	uint16_t port;

	listener = listen_on(host, 8, &port);
	d = diag_new(&host, 1, port);
	other = diag_new((const char *const[]){"192.0.2.1"}, 1, port);
	for (i = 0; i < 5; i++)
		fds[i] = connect_to(host, port);
	/* the near ends only */
	assert_int_equal(count(d)->established, 5);
	assert_int_equal(count(other)->established, 0);
	close(fds[0]);
	/* on its way from one of the kernel's tables to the other it is in none */
	for (i = 0, s = count(d); i < 1000 && s->fin_wait1 + s->fin_wait2 == 0;
	     i++) {
		usleep(1000);
		s = count(d);
	}
	assert_int_equal(s->established, 4);
	assert_int_equal(s->fin_wait1 + s->fin_wait2, 1);
	/* given up in the middle, it can be begun again */
	assert_int_equal(sockdiag_begin(d), 0);
	sockdiag_stop(d);
	assert_int_equal(count(d)->established, 4);
	for (i = 1; i < 5; i++)
		close(fds[i]);
	close(listener);
	sockdiag_free(d);
	sockdiag_free(other);
}

static void
connections_over_ipv4(void **state)
{
	(void)state;
	connections_are_counted("127.0.0.1");
}

static void
connections_over_ipv6(void **state)
{
	(void)state;
	connections_are_counted("::1");
}

/* More ranges of ports than the kernel is told of, one of them the right one. */
static void
very_many_ports(void **state)
{
	uint16_t ports[3001], port;
	int listener = listen_on("127.0.0.1", 8, &port), fd;
	struct sockdiag *d;
	size_t i;

	(void)state;
	for (i = 0; i < 3000; i++) /* not the right one */
		ports[i] = (uint16_t)(20 * i + (port % 20 == 0));
	fd = connect_to("127.0.0.1", port);
	d = sockdiag_new(NULL, 0, ports, 3000);
	assert_int_equal(count(d)->syn_sent, 0);
	sockdiag_free(d);
	ports[3000] = port;
	d = sockdiag_new(NULL, 0, ports, 3001);
	assert_true(count(d)->established >= 1);
	sockdiag_free(d);
	close(fd);
	close(listener);
}

static void
queues_are_found(void **state)
{
	static const char *const host[] = {"127.0.0.1"};
	struct sockdiag_queues q;
	struct sockdiag *d, *any;
	uint16_t port;
	int listener = listen_on("127.0.0.1", 7, &port), fds[3], i;

	(void)state;
	d = diag_new(host, 1, port);
	any = diag_new(NULL, 0, port);
	for (i = 0; i < 3; i++)
		fds[i] = connect_to("127.0.0.1", port);
	(void)count(d); /* or there is nobody to ask */
	assert_int_equal(sockdiag_queues(d, &q), 0);
	assert_int_equal(q.listeners, 1);
	assert_int_equal(q.queued, 3);
	assert_int_equal(q.fullest, 3);
	assert_int_equal(q.limit, 7);
	assert_int_equal(sockdiag_queues(any, &q), 0);
	assert_true(q.listeners >= 1 && q.queued >= 3);
	close(accept(listener, NULL, NULL));
	assert_int_equal(sockdiag_queues(d, &q), 0);
	assert_int_equal(q.queued, 2);
	close(listener);
	assert_int_equal(sockdiag_queues(d, &q), 0);
	assert_int_equal(q.listeners, 0);
	for (i = 0; i < 3; i++)
		close(fds[i]);
	sockdiag_free(d);
	sockdiag_free(any);
}

static int
try_to_connect(uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_int_not_equal(fd, -1);
	(void)connect(fd, (struct sockaddr *)&to, sizeof(to));
	return fd;
}

/* What one queue drops is not booked on the other. */
static void
drops_are_of_each_listener(void **state)
{
	static const char *const host[] = {"127.0.0.1"};
	struct sockdiag_queues full, empty;
	struct sockdiag *d, *other;
	uint16_t port, other_port;
	int listener = listen_on("127.0.0.1", 0, &port), fds[5], i;
	int idle = listen_on("127.0.0.1", 0, &other_port);

	(void)state;
	d = diag_new(host, 1, port);
	other = diag_new(host, 1, other_port);
	assert_int_equal(sockdiag_queues(d, &full), 0);
	assert_true(full.drops_known);
	assert_int_equal(full.drops, 0);
	for (i = 0; i < 5; i++) /* one fits in */
		fds[i] = try_to_connect(port);
	assert_int_equal(sockdiag_queues(d, &full), 0);
	assert_true(full.drops >= 4);
	assert_true(full.others >= 1);
	assert_int_equal(sockdiag_queues(other, &empty), 0);
	assert_int_equal(empty.drops, 0);
	assert_true(empty.drops_known);
	for (i = 0; i < 5; i++)
		close(fds[i]);
	close(listener);
	close(idle);
	sockdiag_free(d);
	sockdiag_free(other);
}

static void
drops_between_looks(void **state)
{
	struct sockdiag_drops drops;
	struct sockdiag_queues q = {
	    .listeners = 1, .drops = 10, .drops_known = true};

	(void)state;
	sockdiag_drops_begin(&drops, &q);
	assert_true(drops.known && drops.alone && drops.count == 0);
	q.drops = 13;
	q.listeners = 2;
	sockdiag_drops_look(&drops, &q);
	assert_true(drops.known && drops.alone && drops.count == 3);
	q.others = 1;
	sockdiag_drops_look(&drops, &q);
	q.others = 0;
	sockdiag_drops_look(&drops, &q);
	assert_true(drops.known && !drops.alone && drops.count == 3);
	q.listeners = 1; /* its last drops are not known */
	sockdiag_drops_look(&drops, &q);
	assert_false(drops.known);

	/* sockets that are new have dropped all of it since */
	memset(&drops, 0, sizeof(drops));
	sockdiag_drops_look(&drops, &q);
	assert_true(drops.known && drops.count == 13);
	q.drops_known = false;
	sockdiag_drops_look(&drops, &q);
	assert_false(drops.known);
}

/* One that listens on every address takes what is sent to any. */
static void
listeners_on_every_address(void **state)
{
	struct sockdiag_queues q;
	struct sockdiag *d;
	uint16_t port;
	int listener = listen_on("::", 7, &port);
	int fd = connect_to("127.0.0.1", port);

	(void)state;
	d = diag_new((const char *const[]){"0.0.0.0"}, 1, port);
	assert_int_equal(count(d)->established, 1); /* the loopback */
	assert_int_equal(sockdiag_queues(d, &q), 0);
	assert_int_equal(q.listeners, 1);
	assert_int_equal(q.queued, 1);
	close(fd);
	close(listener);
	sockdiag_free(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parse_counts_states),
	    cmocka_unit_test(parse_counts_every_state),
	    cmocka_unit_test(parse_ends),
	    cmocka_unit_test(parse_takes_no_other_number_for_an_errno),
	    cmocka_unit_test(parse_what_is_broken),
	    cmocka_unit_test(connections_over_ipv4),
	    cmocka_unit_test(connections_over_ipv6),
	    cmocka_unit_test(very_many_ports),
	    cmocka_unit_test(queues_are_found),
	    cmocka_unit_test(drops_are_of_each_listener),
	    cmocka_unit_test(drops_between_looks),
	    cmocka_unit_test(listeners_on_every_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
