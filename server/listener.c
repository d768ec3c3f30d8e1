#include <netinet/in.h>
#include <netinet/tcp.h>

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/limits.h"
#include "server/listener.h"

#define RANGES_SHOWN 8

static void
set_option(int fd, int level, int option, int value)
{
	/* none of them is vital; a bind that fails for want of one says so */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

/* The port is at the same place in both. */
static in_port_t *
port_of(struct addr *a)
{
	_Static_assert(offsetof(struct sockaddr_in, sin_port) ==
		offsetof(struct sockaddr_in6, sin6_port),
	    "one place for the port");
	return (in_port_t *)(void *)((char *)&a->sa +
	    offsetof(struct sockaddr_in, sin_port));
}

static int
bind_to(int fd, const struct addr *a)
{
	return bind(fd, (const struct sockaddr *)&a->sa, a->length);
}

/*
 * Holds the port alone, though it does not listen: SO_REUSEADDR is not set,
 * so nobody else can bind. Old connections in TIME_WAIT are in the way of such
 * a bind. With SO_REUSEADDR they are not, but another that does just the same
 * now is not either; only one of the two can listen, if for a moment.
 */
static const char *
hold_port(int fd, const struct addr *a)
{
	if (bind_to(fd, a) == -1) {
		if (errno != EADDRINUSE)
			return "cannot bind";
		set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
		if (bind_to(fd, a) == -1 || listen(fd, 0) == -1)
			return "cannot bind";
		set_option(fd, SOL_SOCKET, SO_REUSEADDR, 0);
		(void)shutdown(fd, SHUT_RDWR);
	}
	/* from now on the workers can join, who set it before they bind */
	set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	return NULL;
}

static const char *
bind_and_listen(
    int fd, const struct addr *a, enum listener_role role, unsigned int backlog)
{
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	set_option(fd, SOL_SOCKET, SO_REUSEPORT, role == LISTENER_SHARED);
	if (bind_to(fd, a) == -1)
		return "cannot bind";
	if (listen(fd, backlog > INT_MAX ? INT_MAX : (int)backlog) == -1)
		return "cannot listen";
	return NULL;
}

static const char *
open_one(struct listener *l, size_t i, enum listener_role role)
{
	struct addr *a = &l->addr;
	const char *why;
	int fd = socket(a->sa.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

	*port_of(a) = htons(l->ports[i]);
	l->fds[i] = fd;
	if (fd == -1)
		return "no socket";
	/* accepted sockets inherit it: no system call for each */
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (a->sa.ss_family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	why = role == LISTENER_PLACEHOLDER ?
	    hold_port(fd, a) :
	    bind_and_listen(fd, a, role, l->backlog);
	if (why != NULL)
		return why;
	a->length = sizeof(a->sa);
	if (getsockname(fd, (struct sockaddr *)&a->sa, &a->length) == -1)
		return "cannot tell the address";
	l->ports[i] = ntohs(*port_of(a));
	return NULL;
}

static bool
lacks_interface(const struct addr *a)
{
	struct sockaddr_in6 v6;

	if (a->sa.ss_family != AF_INET6)
		return false;
	memcpy(&v6, &a->sa, sizeof(v6));
	return IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr) && v6.sin6_scope_id == 0;
}

static const char *
resolve(struct listener *l, const char *host)
{
	struct addr found[ADDR_MOST];
	size_t count;
	const char *why = addr_resolve(host, 0, AF_UNSPEC, found, &count);

	if (why != NULL)
		return why;
	l->addr = found[0];
	return lacks_interface(&l->addr) ?
	    "a link-local address needs its interface, as in fe80::1%eth0" :
	    NULL;
}

const char *
listener_prepare(struct listener *l, const char *host, uint16_t *ports,
    size_t count, unsigned int backlog)
{
	uint64_t most = limits_somaxconn();
	size_t i;

	memset(l, 0, sizeof(*l));
	l->any = host == NULL;
	l->ports = ports;
	l->count = count;
	l->fds = malloc(count * sizeof(*l->fds));
	if (l->fds == NULL)
		err(1, "no memory for %zu ports", count);
	for (i = 0; i < count; i++)
		l->fds[i] = -1;
	/* the kernel cuts silently */
	l->backlog = backlog == 0 ? INT_MAX : backlog;
	if (most > 0 && l->backlog > most)
		l->backlog = (unsigned int)most;
	return resolve(l, l->any ? "::" : host);
}

const char *
listener_open(struct listener *l, enum listener_role role)
{
	const char *why = NULL;
	int error;
	size_t i;

	for (i = 0; i < l->count && why == NULL; i++) {
		why = open_one(l, i, role);
		if (why != NULL && i == 0 && l->any && !l->fell_back &&
		    (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
			listener_close(l);
			l->fell_back = 1;
			why = resolve(l, "0.0.0.0");
			if (why == NULL)
				why = open_one(l, i, role);
		}
	}
	if (why != NULL) {
		error = errno;
		listener_close(l);
		errno = error;
	}
	return why;
}

uint16_t
listener_port(const struct listener *l)
{
	struct addr copy = l->addr;

	return ntohs(*port_of(&copy));
}

size_t
listener_range(const struct listener *l, size_t first)
{
	while (
	    first + 1 < l->count && l->ports[first + 1] == l->ports[first] + 1)
		first++;
	return first;
}

static void
print_ranges(const struct listener *l, FILE *out)
{
	size_t first, last, ranges = 0;

	for (first = 0; first < l->count; first = last + 1) {
		last = listener_range(l, first);
		if (first > 0)
			fputc(',', out);
		if (ranges++ == RANGES_SHOWN) {
			fputs("...", out);
			break;
		}
		fprintf(out, "%u", l->ports[first]);
		if (last > first)
			fprintf(out, "-%u", l->ports[last]);
	}
	fprintf(out, " (%zu ports)", l->count);
}

char *
listener_format(const struct listener *l)
{
	char address[ADDR_FORMAT], *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (out == NULL)
		err(1, "no memory for the address");
	addr_format(&l->addr, address);
	if (l->count == 1)
		fputs(address, out);
	else {
		fprintf(out, "%.*s:", (int)(strrchr(address, ':') - address),
		    address);
		print_ranges(l, out);
	}
	/* glibc's fclose() leaves text NULL where its last realloc() failed */
	if (fclose(out) == EOF || text == NULL)
		err(1, "no memory for the address");
	return text;
}

void
listener_close(struct listener *l)
{
	size_t i;

	for (i = 0; i < l->count; i++)
		if (l->fds[i] != -1) {
			close(l->fds[i]);
			l->fds[i] = -1;
		}
}

void
listener_free(struct listener *l)
{
	listener_close(l);
	free(l->fds);
}
