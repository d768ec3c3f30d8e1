/*
 * Writing without waiting for the reader, although the descriptor itself blocks: it
 * may be shared with other programs, for which O_NONBLOCK must not be set.
 */
#ifndef LIB_NONBLOCK_H
#define LIB_NONBLOCK_H

#include <stdbool.h>
#include <sys/types.h>

struct nonblock {
	int fd; /* as given; not owned */
	int own; /* the same pipe or terminal, opened with O_NONBLOCK; or -1 */
	bool socket;
	bool can_block; /* false: a file or a device such as /dev/full */
};

/* fd is a descriptor for writing; it is not changed and stays the caller's. */
void nonblock_begin(struct nonblock *, int fd);
void nonblock_end(struct nonblock *);

/* The descriptor to poll() for POLLOUT. */
int nonblock_poll_fd(const struct nonblock *);

/*
 * As write(), with EAGAIN where that would block. At most PIPE_BUF bytes are taken
 * whole or not at all by a pipe.
 *
 * Where a pipe or a terminal cannot be opened again (it is another user's), poll()
 * tells whether there is room. Then a call can still block, if another process
 * fills the pipe between the two; a signal whose handler does not restart calls ends
 * it with EINTR.
 */
ssize_t nonblock_write(
    const struct nonblock *, const void *data, size_t length);

#endif
