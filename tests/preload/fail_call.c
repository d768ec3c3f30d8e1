/*
 * Loaded into a program by LD_PRELOAD: some calls of one function fail.
 *
 *	FAIL_CALL="send parent 2 1 105"
 *
 * the function; in the parent or in each worker; the first call that fails, counted
 * in each process from 1; how many fail from there on; the errno.
 *
 * send: only of messages between parent and workers. epoll_ctl: only EPOLL_CTL_ADD.
 */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pid_t program;

static void __attribute__((constructor)) begin(void)
{
	program = getpid();
}

/* Whether this call is one that fails; then errno is set. */
static bool
fails(const char *function)
{
	static long calls;
	static pid_t counted_in;
	const char *text = getenv("FAIL_CALL");
	char name[32], where[32];
	long first, count;
	int error;

	if (text == NULL ||
	    sscanf(text, "%31s %31s %ld %ld %d", name, where, &first, &count,
		&error) != 5 ||
	    strcmp(name, function) != 0 ||
	    (strcmp(where, "parent") == 0) != (getpid() == program))
		return false;
	if (counted_in != getpid())
		calls = 0;
	counted_in = getpid();
	calls++;
	if (calls < first || calls >= first + count)
		return false;
	errno = error;
	return true;
}

ssize_t
send(int fd, const void *data, size_t length, int flags)
{
	int type = 0;
	socklen_t size = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
	    type == SOCK_SEQPACKET && fails("send"))
		return -1;
	return sendto(fd, data, length, flags, NULL, 0);
}

int
epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	if (operation == EPOLL_CTL_ADD && fails("epoll_ctl"))
		return -1;
	return (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}
