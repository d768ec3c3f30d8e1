#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/connector.h"
#include "client/routes.h"
#include "lib/clock.h"

/* <linux/in.h>, since 6.3: two ports in 32 bits, the first one below. */
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif

static int
set_window(int fd, uint16_t low, uint16_t high)
{
	uint32_t range = (uint32_t)high << 16 | low;

	/* the same level for IPv6 */
	return setsockopt(
	    fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof(range));
}

enum local_ports_how
connector_probe(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	enum local_ports_how how;

	if (fd == -1)
		return LOCAL_PORTS_ANY;
	how = set_window(fd, 0, 0) == 0 ? LOCAL_PORTS_WINDOW : LOCAL_PORTS_BIND;
	close(fd);
	return how;
}

/* TCP_NODELAY: a query must not wait for the answer to the one before. */
static int
socket_new(const struct route *route)
{
	int on = 1,
	    fd = socket(route->target.sa.ss_family,
		SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

	if (fd != -1)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/*
 * The port is left to connect(), which may take any that is free for this one
 * target (ip(7), IP_BIND_ADDRESS_NO_PORT; for IPv6 too); bind() would want one
 * that is free for all.
 */
static int
bind_source(int fd, const struct route *route)
{
	const struct addr *source = &route->source;
	int on = 1;

	if (source->length == 0)
		return 0;
	(void)setsockopt(
	    fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, (const struct sockaddr *)&source->sa, source->length);
}

/* 0 also when it is on its way. */
static int
begin_connect(int fd, const struct route *route, uint64_t *begun)
{
	const struct addr *target = &route->target;

	*begun = clock_now();
	if (connect(fd, (const struct sockaddr *)&target->sa, target->length) ==
		0 ||
	    errno == EINPROGRESS)
		return 0;
	return -1;
}

static int
close_with(int fd, int error)
{
	if (fd != -1)
		close(fd);
	errno = error;
	return -1;
}

static int
connect_any(const struct route *route, uint64_t *begun)
{
	int fd = socket_new(route);

	if (fd != -1 && bind_source(fd, route) == 0 &&
	    begin_connect(fd, route, begun) == 0)
		return fd;
	return close_with(fd, errno);
}

/* A socket that found no port may try another window. */
static int
connect_window(
    const struct route *route, const struct connector *c, uint64_t *begun)
{
	int fd = socket_new(route), error;
	unsigned int tries;
	uint16_t low, high;

	if (fd == -1 || bind_source(fd, route) == -1)
		return close_with(fd, errno);
	for (tries = 0; tries < CONNECTOR_WINDOWS; tries++) {
		local_ports_window(c->ports, c->cursor, c->start, &low, &high);
		error = set_window(fd, low, high) == 0 &&
			begin_connect(fd, route, begun) == 0 ?
		    0 :
		    errno;
		if (error == 0) {
			local_ports_found(c->ports, c->cursor);
			return fd;
		}
		if (error != EADDRNOTAVAIL ||
		    local_ports_missed(c->ports, c->cursor, high))
			return close_with(fd, error);
	}
	return close_with(fd, EAGAIN);
}

/* This port of the source, or of any address; others that connect may have it. */
static int
bind_port(int fd, const struct route *route, uint16_t port)
{
	struct addr from = route->source;
	int on = 1;

	if (from.length == 0) { /* the rest of it may be anything */
		memset(&from, 0, sizeof(from));
		from.sa.ss_family = route->target.sa.ss_family;
		from.length = route->target.length;
	}
	if (from.sa.ss_family == AF_INET)
		((struct sockaddr_in *)(void *)&from.sa)->sin_port =
		    htons(port);
	else
		((struct sockaddr_in6 *)(void *)&from.sa)->sin6_port =
		    htons(port);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return bind(fd, (const struct sockaddr *)&from.sa, from.length);
}

/* Another socket holds this port: EACCES, where it is a privileged one. */
static bool
is_taken(int error)
{
	return error == EADDRINUSE || error == EACCES;
}

/* As connect_window(), but a socket that is bound stays bound. */
static int
connect_bound(
    const struct route *route, const struct connector *c, uint64_t *begun)
{
	unsigned int tries;
	uint16_t low, high;
	int fd, error;

	for (tries = 0; tries < CONNECTOR_BINDS; tries++) {
		local_ports_window(c->ports, c->cursor, c->start, &low, &high);
		fd = socket_new(route);
		if (fd == -1)
			return -1;
		error = bind_port(fd, route, low) == -1 ? errno : 0;
		if (error ==
		    EADDRNOTAVAIL) /* it is the address that is wrong */
			return close_with(fd, error);
		if (error == 0 && begin_connect(fd, route, begun) == 0) {
			local_ports_found(c->ports, c->cursor);
			return fd;
		}
		if (error == 0)
			error = errno;
		else if (is_taken(error))
			error = EADDRNOTAVAIL;
		(void)close_with(fd, error);
		if (error != EADDRNOTAVAIL ||
		    local_ports_missed(c->ports, c->cursor, high))
			return -1;
	}
	errno = EAGAIN;
	return -1;
}

int
connector_open(
    const struct route *route, const struct connector *c, uint64_t *begun)
{
	enum local_ports_how how =
	    c->ports == NULL ? LOCAL_PORTS_ANY : c->ports->how;

	*begun = clock_now();
	switch (how) {
	case LOCAL_PORTS_WINDOW:
		return connect_window(route, c, begun);
	case LOCAL_PORTS_BIND:
		return connect_bound(route, c, begun);
	case LOCAL_PORTS_ANY:
		break;
	}
	return connect_any(route, begun);
}
