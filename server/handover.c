#include <sys/ioctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/handover.h"

struct inbox {
	int out; /* its worker takes connections out of it; -1: closed here */
	int in; /* the others put them in */
};

struct handover {
	struct inbox *inboxes;
	unsigned int count;
	unsigned int own;
};

/* A message of one byte, for one of none would look like the end, and room for
 * one descriptor beside it. */
struct parcel {
	char byte;
	struct iovec data;
	struct msghdr message;
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
};

static void
parcel_init(struct parcel *p)
{
	memset(p, 0, sizeof(*p));
	p->data.iov_base = &p->byte;
	p->data.iov_len = 1;
	p->message.msg_iov = &p->data;
	p->message.msg_iovlen = 1;
	p->message.msg_control = &p->control;
	p->message.msg_controllen = sizeof(p->control);
}

static void
close_end(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

struct handover *
handover_new(unsigned int count)
{
	struct handover *h = calloc(1, sizeof(*h));
	int pair[2], error;
	unsigned int i;

	if (h == NULL)
		return NULL;
	h->inboxes = calloc(count, sizeof(*h->inboxes));
	if (h->inboxes == NULL) {
		free(h);
		return NULL;
	}
	for (i = 0; i < count; i++) {
		if (socketpair(AF_UNIX,
			SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
			pair) == -1) {
			error = errno;
			handover_free(h);
			errno = error;
			return NULL;
		}
		h->inboxes[i].out = pair[0];
		h->inboxes[i].in = pair[1];
		h->count = i + 1;
	}
	return h;
}

void
handover_join(struct handover *h, unsigned int index)
{
	unsigned int i;

	h->own = index;
	for (i = 0; i < h->count; i++)
		close_end(i == index ? &h->inboxes[i].in : &h->inboxes[i].out);
}

void
handover_free(struct handover *h)
{
	unsigned int i;

	if (h == NULL)
		return;
	for (i = 0; i < h->count; i++) {
		close_end(&h->inboxes[i].out);
		close_end(&h->inboxes[i].in);
	}
	free(h->inboxes);
	free(h);
}

int
handover_inbox(const struct handover *h)
{
	return h->inboxes[h->own].out;
}

unsigned int
handover_waiting(const struct handover *h)
{
	int bytes = 0; /* one for each message */

	(void)ioctl(handover_inbox(h), FIONREAD, &bytes);
	return (unsigned int)bytes;
}

int
handover_send(struct handover *h, unsigned int to, int fd)
{
	struct parcel p;

	parcel_init(&p);
	p.control.header.cmsg_level = SOL_SOCKET;
	p.control.header.cmsg_type = SCM_RIGHTS;
	p.control.header.cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(&p.control.header), &fd, sizeof(fd));
	if (sendmsg(h->inboxes[to].in, &p.message, MSG_NOSIGNAL) == 1)
		return 0;
	return errno;
}

int
handover_receive(struct handover *h)
{
	struct cmsghdr *header;
	struct parcel p;
	ssize_t n;
	int fd;

	parcel_init(&p);
	n = recvmsg(handover_inbox(h), &p.message, MSG_CMSG_CLOEXEC);
	if (n <= 0) {
		errno = n == 0 ? EPIPE : errno;
		return -1;
	}
	header = CMSG_FIRSTHDR(&p.message);
	if (header == NULL || header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(fd))) {
		errno = EBADMSG;
		return -1;
	}
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}
