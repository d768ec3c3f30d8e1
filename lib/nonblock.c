#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/nonblock.h"

#define PROC_FD_SIZE 32

/* Opens the pipe or terminal a second time: O_NONBLOCK is set there alone. */
static int
open_again(int fd)
{
	char path[PROC_FD_SIZE];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void
nonblock_begin(struct nonblock *n, int fd)
{
	struct stat status;

	*n = (struct nonblock){.fd = fd, .own = -1};
	if (fstat(fd, &status) == -1)
		return;
	n->socket = S_ISSOCK(status.st_mode);
	n->can_block = n->socket || S_ISFIFO(status.st_mode) || isatty(fd) == 1;
	if (n->can_block && !n->socket)
		n->own = open_again(fd);
}

void
nonblock_end(struct nonblock *n)
{
	if (n->own != -1)
		close(n->own);
	n->own = -1;
}

int
nonblock_poll_fd(const struct nonblock *n)
{
	return n->own == -1 ? n->fd : n->own;
}

static ssize_t
write_if_ready(int fd, const void *data, size_t length)
{
	struct pollfd writable = {.fd = fd, .events = POLLOUT};

	if (poll(&writable, 1, 0) == 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(fd, data, length < PIPE_BUF ? length : PIPE_BUF);
}

ssize_t
nonblock_write(const struct nonblock *n, const void *data, size_t length)
{
	if (!n->can_block)
		return write(n->fd, data, length);
	if (n->socket)
		return send(n->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n->own != -1)
		return write(n->own, data, length);
	return write_if_ready(n->fd, data, length);
}
