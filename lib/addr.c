#include <sys/types.h>

#include <arpa/inet.h>
#include <net/if.h>
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
#include "lib/parse.h"

bool
addr_is_odd(const char *text)
{
	struct in_addr address;

	/* no name has only digits and dots */
	bool numeric = text[strspn(text, "0123456789.")] == '\0' ||
	    inet_aton(text, &address) != 0;

	return numeric && inet_pton(AF_INET, text, &address) != 1;
}

bool
addr_lacks_interface(const char *text)
{
	struct in6_addr address;

	return inet_pton(AF_INET6, text, &address) == 1 &&
	    IN6_IS_ADDR_LINKLOCAL(&address);
}

void
addr_interfaces(char out[ADDR_INTERFACES])
{
	struct if_nameindex *all = if_nameindex(), *one;
	size_t used = 0;

	out[0] = '\0';
	for (one = all; one != NULL && one->if_index != 0; one++)
		if (used < ADDR_INTERFACES)
			used +=
			    (size_t)snprintf(out + used, ADDR_INTERFACES - used,
				"%s%s", used > 0 ? ", " : "", one->if_name);
	if (all != NULL)
		if_freenameindex(all);
}

static const char *
parse_port(const char *text, uint16_t *port)
{
	uint32_t number;

	if (parse_digits(text, strlen(text), UINT16_MAX, &number) != NULL ||
	    number == 0)
		return "behind the colon is a port, 1 to 65535, such as "
		       "192.0.2.1:53 or [2001:db8::1]:53";
	*port = (uint16_t)number;
	return NULL;
}

char *
addr_split_port(char *text, uint16_t *port, const char **why)
{
	char *end = strrchr(text, ':');

	*port = 0;
	*why = NULL;
	if (*text == '[') {
		end = strchr(text++, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':')) {
			*why = "brackets go around an address, and a colon and "
			       "a port behind them, such as [2001:db8::1]:53";
			return NULL;
		}
		*end++ = '\0';
		if (*end == '\0')
			return text;
	} else if (end == NULL || strchr(text, ':') != end)
		return text;
	*end++ = '\0';
	*why = parse_port(end, port);
	return *why == NULL ? text : NULL;
}

/* A name may be in the hosts file twice. */
static bool
is_listed(const struct addr *list, size_t count, const struct addrinfo *ai)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (list[i].length == ai->ai_addrlen &&
		    memcmp(&list[i].sa, ai->ai_addr, ai->ai_addrlen) == 0)
			return true;
	return false;
}

/* Why a name has no address of the family that is to be used. */
static const char *
explain_failure(const char *host, int family, int error)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;

	if (error == EAI_SYSTEM)
		return strerror(errno);
	hints.ai_family = family == AF_INET ? AF_INET6 : AF_INET;
	if (family == AF_UNSPEC || getaddrinfo(host, NULL, &hints, &list) != 0)
		return gai_strerror(error);
	freeaddrinfo(list);
	return family == AF_INET6 ?
	    "it has no IPv6 address, but it has IPv4 ones: leave out -6" :
	    "it has no IPv4 address, but it has IPv6 ones: leave out -4";
}

const char *
addr_resolve(const char *host, uint16_t port, int family,
    struct addr out[ADDR_MOST], size_t *count)
{
	struct addrinfo hints, *list, *ai;
	char service[6];
	int error;

	if (addr_is_odd(host))
		return ADDR_ODD_TEXT;
	memset(&hints, 0, sizeof(hints));
	hints.ai_family = family;
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_NUMERICSERV;
	snprintf(service, sizeof(service), "%u", port);
	error = getaddrinfo(host, service, &hints, &list);
	if (error != 0)
		return explain_failure(host, family, error);
	*count = 0;
	for (ai = list; ai != NULL && *count < ADDR_MOST; ai = ai->ai_next) {
		if (is_listed(out, *count, ai))
			continue;
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

	if (count == 1)
		return &list[0];
	for (i = 0; i < count; i++)
		if (accepts(&list[i], ms > 60000 ? 60000 : (int)ms))
			return &list[i];
	return NULL;
}

/* 0: no. What cannot be read may be anything. */
static bool
binds_anything(int family)
{
	FILE *file =
	    fopen(family == AF_INET6 ? "/proc/sys/net/ipv6/ip_nonlocal_bind" :
				       "/proc/sys/net/ipv4/ip_nonlocal_bind",
		"re");
	int value = 1;

	if (file == NULL)
		return true;
	if (fscanf(file, "%d", &value) != 1)
		value = 1;
	fclose(file);
	return value != 0;
}

enum addr_owner
addr_owner(const struct addr *a)
{
	int fd = socket(a->sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), error;
	struct addr any_port = *a;

	if (fd == -1)
		return ADDR_UNKNOWN;
	/* the port is at the same place in both families */
	((struct sockaddr_in *)&any_port.sa)->sin_port = 0;
	error = bind(fd, (const struct sockaddr *)&any_port.sa, a->length);
	if (error == -1)
		error = errno;
	close(fd);
	if (error == EADDRNOTAVAIL)
		return ADDR_OTHERS;
	return error == 0 && !binds_anything(a->sa.ss_family) ? ADDR_OURS :
								ADDR_UNKNOWN;
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
