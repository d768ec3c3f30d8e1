#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "lib/limits.h"
#include "server/listener.h"

static void
set_option(int fd, int level, int option, int value)
{
	/* none of them is vital; a bind that fails for want of one says so */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

static const char *
bind_and_listen(struct listener *l, unsigned int backlog)
{
	if (bind(l->fd, (const struct sockaddr *)&l->addr.sa, l->addr.length) ==
	    -1)
		return "cannot bind";
	if (listen(l->fd, backlog > INT_MAX ? INT_MAX : (int)backlog) == -1)
		return "cannot listen";
	l->addr.length = sizeof(l->addr.sa);
	if (getsockname(
		l->fd, (struct sockaddr *)&l->addr.sa, &l->addr.length) == -1)
		return "cannot tell the address";
	return NULL;
}

static const char *
try_open(
    struct listener *l, const char *host, uint16_t port, unsigned int backlog)
{
	struct addr found[ADDR_MOST];
	size_t count;
	const char *why;
	int error;

	errno = 0;
	why = addr_resolve(host, port, AF_UNSPEC, found, &count);
	if (why != NULL) {
		errno = 0; /* why says it all */
		return why;
	}
	l->addr = found[0];
	l->fd = socket(l->addr.sa.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (l->fd == -1)
		return "no socket";
	set_option(l->fd, SOL_SOCKET, SO_REUSEADDR, 1);
	/* accepted sockets inherit it: no system call for each */
	set_option(l->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (l->addr.sa.ss_family == AF_INET6)
		set_option(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	why = bind_and_listen(l, backlog);
	if (why != NULL) {
		error = errno;
		close(l->fd);
		errno = error;
	}
	return why;
}

const char *
listener_open(
    struct listener *l, const char *host, uint16_t port, unsigned int backlog)
{
	uint64_t most = limits_somaxconn();
	const char *why;

	memset(l, 0, sizeof(*l));
	if (backlog == 0)
		backlog = INT_MAX; /* the kernel cuts it to somaxconn */
	why = try_open(l, host == NULL ? "::" : host, port, backlog);
	if (why != NULL && host == NULL &&
	    (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
		l->fell_back = 1;
		why = try_open(l, "0.0.0.0", port, backlog);
	}
	l->backlog = most > 0 && backlog > most ? (unsigned int)most : backlog;
	return why;
}
