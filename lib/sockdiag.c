#include <sys/socket.h>

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/sockdiag.h"

#define PIECE	    32768 /* bytes; the kernel sends no more at once */
#define PORTS	    65536
#define RANGES_MOST 64 /* of ports, in the kernel's filter */

#define STATE_LISTEN 10
#define BIT(number)  (1U << (number))

/* One of the filter's tests: an operation, and the port in the next one. */
#define TEST_SIZE  (2 * sizeof(struct inet_diag_bc_op))
#define RANGE_SIZE (2 * TEST_SIZE + sizeof(struct inet_diag_bc_op))

struct range {
	uint16_t first;
	uint16_t last;
};

struct sockdiag {
	struct addr_ip *hosts; /* sorted */
	size_t host_count;
	uint8_t wanted[PORTS / 8]; /* a bit for each port */
	struct range ranges[RANGES_MOST];
	size_t range_count;
	int fd; /* -1: nothing is on its way */
	int family; /* that is being read */
	bool listening; /* listeners are asked for, not connections */
	struct sockdiag_states states;
	struct sockdiag_queues queues;
	uint8_t piece[PIECE];
};

/*
 * What is wanted.
 */

static int
by_address(const void *a, const void *b)
{
	const struct addr_ip *x = a, *y = b;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	return memcmp(x->bytes, y->bytes, sizeof(x->bytes));
}

static bool
is_any(const struct addr_ip *host)
{
	static const uint8_t zeros[sizeof(host->bytes)];

	return memcmp(host->bytes, zeros, sizeof(zeros)) == 0;
}

static void
set_loopback(struct addr_ip *host)
{
	const uint32_t v4 = htonl(INADDR_LOOPBACK);

	if (host->family == AF_INET)
		memcpy(host->bytes, &v4, sizeof(v4));
	else
		memcpy(host->bytes, &in6addr_loopback, sizeof(host->bytes));
}

static bool
copy_hosts(struct sockdiag *d, const struct addr_ip *hosts, size_t count)
{
	size_t i;

	d->host_count = count;
	if (count == 0)
		return true;
	d->hosts = malloc(count * sizeof(*hosts));
	if (d->hosts == NULL)
		return false;
	memcpy(d->hosts, hosts, count * sizeof(*hosts));
	for (i = 0; i < count; i++)
		if (is_any(&d->hosts[i]))
			set_loopback(&d->hosts[i]);
	qsort(d->hosts, count, sizeof(*hosts), by_address);
	return true;
}

static bool
wants_port(const struct sockdiag *d, unsigned int port)
{
	return d->wanted[port / 8] & BIT(port % 8);
}

/* What does not fit into the last range makes it wider: the ports are looked at
 * again here. */
static void
copy_ports(struct sockdiag *d, const uint16_t *ports, size_t count)
{
	unsigned int port;
	size_t i;

	for (i = 0; i < count; i++)
		d->wanted[ports[i] / 8] |= (uint8_t)BIT(ports[i] % 8);
	for (port = 0; port < PORTS; port++) {
		if (!wants_port(d, port))
			continue;
		if (d->range_count == 0 ||
		    (!wants_port(d, port - 1) && d->range_count < RANGES_MOST))
			d->ranges[d->range_count++].first = (uint16_t)port;
		d->ranges[d->range_count - 1].last = (uint16_t)port;
	}
}

static bool
wants_address(const struct sockdiag *d, int family, const uint32_t *address)
{
	struct addr_ip ip = {.family = family};

	if (d->host_count == 0)
		return true;
	memcpy(ip.bytes, address, family == AF_INET ? 4 : 16);
	if (d->listening && is_any(&ip))
		return true;
	return bsearch(&ip, d->hosts, d->host_count, sizeof(ip), by_address) !=
	    NULL;
}

struct sockdiag *
sockdiag_new(const struct addr_ip *hosts, size_t host_count,
    const uint16_t *ports, size_t port_count)
{
	struct sockdiag *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->fd = -1;
	copy_ports(d, ports, port_count);
	if (!copy_hosts(d, hosts, host_count)) {
		free(d);
		return NULL;
	}
	return d;
}

void
sockdiag_free(struct sockdiag *d)
{
	if (d == NULL)
		return;
	sockdiag_stop(d);
	free(d->hosts);
	free(d);
}

/*
 * Asking.
 */

/*
 * A program for the kernel. Each operation says how many bytes to go on by if it
 * is true, and if not; what ends exactly behind the last one is wanted, what
 * goes four bytes beyond is not. A range: not below first, not above last, then
 * a jump to the end, while a test that fails goes to the next range.
 */
static size_t
write_filter(const struct sockdiag *d, struct inet_diag_bc_op *op)
{
	const struct inet_diag_bc_op *begin = op;
	uint8_t not_below =
	    d->listening ? INET_DIAG_BC_S_GE : INET_DIAG_BC_D_GE;
	uint8_t not_above =
	    d->listening ? INET_DIAG_BC_S_LE : INET_DIAG_BC_D_LE;
	size_t i, left;

	for (i = 0; i < d->range_count; i++) {
		left = (d->range_count - i) * RANGE_SIZE;
		*op++ =
		    (struct inet_diag_bc_op){not_below, TEST_SIZE, RANGE_SIZE};
		*op++ = (struct inet_diag_bc_op){.no = d->ranges[i].first};
		*op++ = (struct inet_diag_bc_op){
		    not_above, TEST_SIZE, RANGE_SIZE - TEST_SIZE};
		*op++ = (struct inet_diag_bc_op){.no = d->ranges[i].last};
		left -= 2 * TEST_SIZE;
		*op++ = (struct inet_diag_bc_op){
		    INET_DIAG_BC_JMP, sizeof(*op), (unsigned short)left};
	}
	/* to the end, not to a range that is not there */
	op[-5].no = RANGE_SIZE + sizeof(*op);
	op[-3].no = RANGE_SIZE - TEST_SIZE + sizeof(*op);
	return (size_t)(op - begin) * sizeof(*op);
}

struct request {
	struct nlmsghdr head;
	struct inet_diag_req_v2 what;
	struct rtattr filter;
	struct inet_diag_bc_op
	    ops[RANGES_MOST * RANGE_SIZE / sizeof(struct inet_diag_bc_op)];
};

static bool
ask(struct sockdiag *d)
{
	struct request r = {
	    .head = {.nlmsg_type = SOCK_DIAG_BY_FAMILY,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	    .what = {.sdiag_family = (uint8_t)d->family,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = BIT(STATE_LISTEN)},
	    .filter = {.rta_type = INET_DIAG_REQ_BYTECODE},
	};
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	size_t length = write_filter(d, r.ops);

	r.filter.rta_len = (unsigned short)RTA_LENGTH(length);
	r.head.nlmsg_len =
	    (uint32_t)(offsetof(struct request, filter) + RTA_LENGTH(length));
	if (!d->listening) {
#define STATE_BIT(name, number) | BIT(number)
		r.what.idiag_states = 0 SOCKDIAG_STATES(STATE_BIT);
	}
	return sendto(d->fd, &r, r.head.nlmsg_len, 0,
		   (const struct sockaddr *)&kernel, sizeof(kernel)) != -1;
}

static bool
wants_family(const struct sockdiag *d, int family)
{
	size_t i;

	/* a socket on :: takes IPv4 too */
	if (d->host_count == 0 || d->listening)
		return true;
	for (i = 0; i < d->host_count; i++)
		if (d->hosts[i].family == family)
			return true;
	return false;
}

static bool
begin(struct sockdiag *d, bool listening)
{
	d->listening = listening;
	d->family = wants_family(d, AF_INET) ? AF_INET : AF_INET6;
	d->fd =
	    socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (d->fd == -1)
		return false;
	if (!ask(d)) {
		sockdiag_stop(d);
		return false;
	}
	return true;
}

int
sockdiag_begin(struct sockdiag *d)
{
	memset(&d->states, 0, sizeof(d->states));
	return begin(d, false) ? 0 : errno;
}

void
sockdiag_stop(struct sockdiag *d)
{
	int error = errno;

	if (d->fd != -1)
		close(d->fd);
	d->fd = -1;
	errno = error;
}

/*
 * Reading.
 */

static void
count_connection(struct sockdiag *d, const struct inet_diag_msg *m)
{
	if (!wants_port(d, ntohs(m->id.idiag_dport)) ||
	    !wants_address(d, m->idiag_family, m->id.idiag_dst))
		return;
	switch (m->idiag_state) {
#define COUNT(name, number)       \
	case number:              \
		d->states.name++; \
		break;
		SOCKDIAG_STATES(COUNT)
	default:
		break;
	}
}

static void
count_listener(struct sockdiag *d, const struct inet_diag_msg *m)
{
	struct sockdiag_queues *q = &d->queues;

	if (m->idiag_state != STATE_LISTEN ||
	    !wants_port(d, ntohs(m->id.idiag_sport)) ||
	    !wants_address(d, m->idiag_family, m->id.idiag_src))
		return;
	if (q->listeners++ == 0 || m->idiag_wqueue < q->limit)
		q->limit = m->idiag_wqueue;
	q->queued += m->idiag_rqueue;
	if (m->idiag_rqueue > q->fullest)
		q->fullest = m->idiag_rqueue;
}

static const void *
payload(const struct nlmsghdr *head)
{
	return (const uint8_t *)head + NLMSG_HDRLEN;
}

static enum sockdiag_progress
read_error(const struct nlmsghdr *head)
{
	const struct nlmsgerr *e = payload(head);

	errno = EPROTO;
	if (head->nlmsg_len >= NLMSG_LENGTH(sizeof(*e)) && e->error < 0)
		errno = -e->error;
	return SOCKDIAG_FAILED;
}

/* The one family has been read: on to the other. */
static enum sockdiag_progress
next_family(struct sockdiag *d)
{
	if (d->family == AF_INET6 || !wants_family(d, AF_INET6))
		return SOCKDIAG_DONE;
	d->family = AF_INET6;
	return ask(d) ? SOCKDIAG_MORE : SOCKDIAG_FAILED;
}

static void
count_socket(struct sockdiag *d, const struct nlmsghdr *head)
{
	const struct inet_diag_msg *m = payload(head);

	if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    head->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return;
	if (d->listening)
		count_listener(d, m);
	else
		count_connection(d, m);
}

enum sockdiag_progress
sockdiag_parse(struct sockdiag *d, const void *message, size_t length)
{
	const uint8_t *at = message;
	const struct nlmsghdr *head;
	size_t step;

	for (; length >= sizeof(*head); at += step, length -= step) {
		head = (const void *)at;
		if (head->nlmsg_len < sizeof(*head) || head->nlmsg_len > length)
			break;
		if (head->nlmsg_type == NLMSG_DONE)
			return SOCKDIAG_DONE;
		if (head->nlmsg_type == NLMSG_ERROR)
			return read_error(head);
		count_socket(d, head);
		step = NLMSG_ALIGN(head->nlmsg_len);
		if (step > length)
			step = length;
	}
	if (length == 0)
		return SOCKDIAG_MORE;
	errno = EPROTO;
	return SOCKDIAG_FAILED;
}

static enum sockdiag_progress
read_piece(struct sockdiag *d, int flags)
{
	ssize_t n = recv(d->fd, d->piece, sizeof(d->piece), flags);
	enum sockdiag_progress progress;

	if (n == -1)
		return errno == EAGAIN || errno == EINTR ? SOCKDIAG_MORE :
							   SOCKDIAG_FAILED;
	progress = sockdiag_parse(d, d->piece, (size_t)n);
	return progress == SOCKDIAG_DONE ? next_family(d) : progress;
}

enum sockdiag_progress
sockdiag_read(struct sockdiag *d)
{
	enum sockdiag_progress progress = read_piece(d, MSG_DONTWAIT);

	if (progress != SOCKDIAG_MORE)
		sockdiag_stop(d);
	return progress;
}

const struct sockdiag_states *
sockdiag_states(const struct sockdiag *d)
{
	return &d->states;
}

/* With a copy: a count may be on its way. */
int
sockdiag_queues(const struct sockdiag *of, struct sockdiag_queues *out)
{
	struct sockdiag *d = malloc(sizeof(*d));
	enum sockdiag_progress progress = SOCKDIAG_FAILED;
	int error;

	if (d == NULL)
		return ENOMEM;
	memcpy(d, of, sizeof(*d));
	memset(&d->queues, 0, sizeof(d->queues));
	if (begin(d, true))
		do
			progress = read_piece(d, 0);
		while (progress == SOCKDIAG_MORE);
	error = progress == SOCKDIAG_DONE ? 0 : errno;
	*out = d->queues;
	sockdiag_stop(d);
	free(d);
	return error;
}
