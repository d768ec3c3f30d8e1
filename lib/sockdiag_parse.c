/*
 * What the kernel's messages say of sockets.
 */
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>

#include <errno.h>
#include <string.h>

#include "lib/sockdiag_internal.h"

#define ERRNO_MAX 4095 /* MAX_ERRNO of the kernel */

static void
count_connection(struct sockdiag *d, const struct inet_diag_msg *m)
{
	if (!sockdiag_wants_port(d, ntohs(m->id.idiag_dport)) ||
	    !sockdiag_wants_address(d, m->idiag_family, m->id.idiag_dst))
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

/* What the listener has dropped, from the attributes behind its message. */
static bool
read_drops(const struct nlmsghdr *head, uint32_t *drops)
{
	const uint8_t *at = (const uint8_t *)head +
	    NLMSG_LENGTH(NLMSG_ALIGN(sizeof(struct inet_diag_msg)));
	const uint8_t *end = (const uint8_t *)head + head->nlmsg_len;
	const size_t offset =
	    sizeof(struct rtattr) + SK_MEMINFO_DROPS * sizeof(*drops);
	struct rtattr attribute;

	while (at < end && (size_t)(end - at) >= sizeof(attribute)) {
		memcpy(&attribute, at, sizeof(attribute));
		if (attribute.rta_len < sizeof(attribute) ||
		    attribute.rta_len > end - at)
			return false;
		if (attribute.rta_type == INET_DIAG_SKMEMINFO &&
		    attribute.rta_len >= offset + sizeof(*drops)) {
			memcpy(drops, at + offset, sizeof(*drops));
			return true;
		}
		if (RTA_ALIGN(attribute.rta_len) > (size_t)(end - at))
			return false;
		at += RTA_ALIGN(attribute.rta_len);
	}
	return false;
}

static void
count_listener(struct sockdiag *d, const struct nlmsghdr *head,
    const struct inet_diag_msg *m)
{
	struct sockdiag_queues *q = &d->queues;
	uint32_t drops = 0;

	if (m->idiag_state != STATE_LISTEN)
		return;
	if (!sockdiag_wants_port(d, ntohs(m->id.idiag_sport)) ||
	    !sockdiag_wants_address(d, m->idiag_family, m->id.idiag_src)) {
		q->others++;
		return;
	}
	if (!read_drops(head, &drops))
		q->drops_known = false;
	q->drops += drops;
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

/*
 * The errno in a message, where the kernel writes it negated. Anything else is
 * broken, INT_MIN too, which has no positive counterpart.
 */
static int
message_errno(int code)
{
	return code < 0 && code >= -ERRNO_MAX ? -code : EPROTO;
}

static enum sockdiag_progress
read_error(const struct nlmsghdr *head)
{
	const struct nlmsgerr *e = payload(head);

	errno = EPROTO;
	if (head->nlmsg_len >= NLMSG_LENGTH(sizeof(*e)))
		errno = message_errno(e->error);
	return SOCKDIAG_FAILED;
}

/* The end of a dump says whether it was one: a negative errno if not. */
static enum sockdiag_progress
read_done(const struct nlmsghdr *head)
{
	int error = 0;

	if (head->nlmsg_len >= NLMSG_LENGTH(sizeof(error)))
		memcpy(&error, payload(head), sizeof(error));
	if (error >= 0)
		return SOCKDIAG_DONE;
	errno = message_errno(error);
	return SOCKDIAG_FAILED;
}

static void
count_socket(struct sockdiag *d, const struct nlmsghdr *head)
{
	const struct inet_diag_msg *m = payload(head);

	if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    head->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return;
	if (d->listening)
		count_listener(d, head, m);
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
			return read_done(head);
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
