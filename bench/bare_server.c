/*
 * usage: bare_server PORT
 *
 * The least that an echo server on epoll can do: read, send the same. It counts
 * nothing, checks nothing, and waits for a peer that does not read. The limit
 * of the machine that tcpserver is held against.
 */
#include <sys/epoll.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EVENTS 1024

static char buffer[65536];

static int
listen_on(int port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;

	any.sin6_port = htons((uint16_t)port);
	if (fd == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1 ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) == -1 ||
	    listen(fd, 65535) == -1)
		err(1, "port %d", port);
	return fd;
}

static void
watch(int ep, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event) == -1)
		err(1, "epoll_ctl");
}

static void
accept_all(int ep, int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) != -1)
		watch(ep, fd);
}

static void
echo(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	ssize_t got = recv(fd, buffer, sizeof(buffer), 0), sent = 0, n;

	if (got <= 0)
		close(fd);
	while (sent < got) {
		n = send(fd, buffer + sent, (size_t)(got - sent), MSG_NOSIGNAL);
		if (n > 0)
			sent += n;
		else if (poll(&p, 1, 1000) != 1)
			break;
	}
}

int
main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	int ep = epoll_create1(0), listener, i, n;

	if (argc != 2)
		errx(2, "usage: bare_server PORT");
	listener = listen_on(atoi(argv[1]));
	watch(ep, listener);
	fprintf(stderr, "bare_server: listening\n");
	for (;;) {
		n = epoll_wait(ep, events, EVENTS, -1);
		for (i = 0; i < n; i++)
			if (events[i].data.fd == listener)
				accept_all(ep, listener);
			else
				echo(events[i].data.fd);
	}
}
