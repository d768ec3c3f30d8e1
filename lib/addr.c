#include <sys/types.h>

#include <netinet/in.h>

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/clock.h"

const char *
addr_resolve(const char *host, uint16_t port, int family,
    struct addr out[ADDR_MOST], size_t *count)
{
	struct addrinfo hints, *list, *ai;
	char service[6];
	int error;

	memset(&hints, 0, sizeof(hints));
	hints.ai_family = family;
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_NUMERICSERV;
	snprintf(service, sizeof(service), "%u", port);
	error = getaddrinfo(host, service, &hints, &list);
	if (error != 0)
		return error == EAI_SYSTEM ? strerror(errno) :
					     gai_strerror(error);
	*count = 0;
	for (ai = list; ai != NULL && *count < ADDR_MOST; ai = ai->ai_next) {
		memcpy(&out[*count].sa, ai->ai_addr, ai->ai_addrlen);
		out[*count].length = ai->ai_addrlen;
		++*count;
	}
	freeaddrinfo(list);
	return *count == 0 ? "it has no address" : NULL;
}

static bool
accepts(const struct addr *a, int timeout_ms)
{
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	struct pollfd p = {.events = POLLOUT};
	socklen_t length = sizeof(int);
	int error = 0;

	p.fd = socket(
	    a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p.fd == -1)
		return false;
	if (connect(p.fd, (const struct sockaddr *)&a->sa, a->length) == -1) {
		error = errno;
		if (error == EINPROGRESS &&
		    (poll(&p, 1, timeout_ms) != 1 ||
			getsockopt(
			    p.fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1))
			error = ETIMEDOUT;
	}
	(void)setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(p.fd);
	return error == 0;
}

const struct addr *
addr_choose(const struct addr *list, size_t count, uint64_t timeout)
{
	uint64_t ms = (timeout + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS;
	size_t i;

	for (i = 0; count > 1 && i < count; i++)
		if (accepts(&list[i], ms > 60000 ? 60000 : (int)ms))
			return &list[i];
	return &list[0];
}

void
addr_format(const struct addr *a, char out[ADDR_FORMAT])
{
	char host[ADDR_FORMAT - 10], service[6];

	if (getnameinfo((const struct sockaddr *)&a->sa, a->length, host,
		sizeof(host), service, sizeof(service),
		NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
		snprintf(out, ADDR_FORMAT, "(unprintable address)");
		return;
	}
	snprintf(out, ADDR_FORMAT,
	    a->sa.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, service);
}
