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

/* Room for one descriptor beside the message. */
union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

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
	char byte = 0; /* a message of no bytes would look like the end */
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	union control control;
	struct msghdr message = {
	    .msg_iov = &data,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control),
	};

	memset(&control, 0, sizeof(control));
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (sendmsg(h->inboxes[to].in, &message, MSG_NOSIGNAL) == 1)
		return 0;
	return errno;
}

int
handover_receive(struct handover *h)
{
	char byte;
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	union control control;
	struct msghdr message = {
	    .msg_iov = &data,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(handover_inbox(h), &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *header;
	int fd;

	if (n <= 0) {
		errno = n == 0 ? EPIPE : errno;
		return -1;
	}
	header = CMSG_FIRSTHDR(&message);
	if (header == NULL || header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(fd))) {
		errno = EBADMSG;
		return -1;
	}
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}
