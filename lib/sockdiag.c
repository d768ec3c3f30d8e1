#include <sys/socket.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/sockdiag_internal.h"

struct sockdiag *
sockdiag_new(const struct addr_ip *hosts, size_t host_count,
    const uint16_t *ports, size_t port_count)
{
	struct sockdiag *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->fd = -1;
	sockdiag_want_ports(d, ports, port_count);
	if (!sockdiag_want_hosts(d, hosts, host_count)) {
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

struct request {
	struct nlmsghdr head;
	struct inet_diag_req_v2 what;
	struct rtattr filter;
	struct inet_diag_bc_op ops[SOCKDIAG_OPS];
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
	size_t length;

	r.head.nlmsg_len = (uint32_t)offsetof(struct request, filter);
	if (d->listening) /* on any port: others are counted, too */
		r.what.idiag_ext = BIT(INET_DIAG_SKMEMINFO - 1);
	else {
#define STATE_BIT(name, number) | BIT(number)
		r.what.idiag_states = 0 SOCKDIAG_STATES(STATE_BIT);
		length = sockdiag_write_filter(d, r.ops);
		r.filter.rta_len = (unsigned short)RTA_LENGTH(length);
		r.head.nlmsg_len += (uint32_t)RTA_LENGTH(length);
	}
	return sendto(d->fd, &r, r.head.nlmsg_len, 0,
		   (const struct sockaddr *)&kernel, sizeof(kernel)) != -1;
}

static bool
begin(struct sockdiag *d, bool listening)
{
	d->listening = listening;
	d->family = sockdiag_wants_family(d, AF_INET) ? AF_INET : AF_INET6;
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

/* The one family has been read: on to the other. */
static enum sockdiag_progress
next_family(struct sockdiag *d)
{
	if (d->family == AF_INET6 || !sockdiag_wants_family(d, AF_INET6))
		return SOCKDIAG_DONE;
	d->family = AF_INET6;
	return ask(d) ? SOCKDIAG_MORE : SOCKDIAG_FAILED;
}

static enum sockdiag_progress
read_piece(struct sockdiag *d, int flags)
{
	ssize_t n = recv(d->fd, d->piece, sizeof(d->piece), flags);
	enum sockdiag_progress progress;

	if (n == -1)
		return errno == EINTR ||
			(errno == EAGAIN && flags == MSG_DONTWAIT) ?
		    SOCKDIAG_MORE :
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

void
sockdiag_drops_begin(
    struct sockdiag_drops *drops, const struct sockdiag_queues *now)
{
	memset(drops, 0, sizeof(*drops));
	sockdiag_drops_look(drops, now);
	drops->count = 0;
}

void
sockdiag_drops_look(
    struct sockdiag_drops *drops, const struct sockdiag_queues *now)
{
	drops->alone = now->others == 0 && (drops->alone || !drops->looked);
	drops->looked = true;
	if (now->listeners < drops->listeners || now->drops < drops->last ||
	    (now->listeners > 0 && !now->drops_known))
		drops->lost = true;
	else
		drops->count += now->drops - drops->last;
	drops->last = now->drops;
	drops->listeners = now->listeners;
	drops->known = !drops->lost && now->listeners > 0;
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
	d->queues = (struct sockdiag_queues){.drops_known = true};
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
