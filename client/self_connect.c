#include <sys/socket.h>

#include <netinet/in.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/routes.h"
#include "client/self_connect.h"

#define PORT_RANGE "/proc/sys/net/ipv4/ip_local_port_range" /* IPv6, too */

/* Where it cannot be read, any port may be one. */
static void
read_range(unsigned int *first, unsigned int *last)
{
	FILE *file = fopen(PORT_RANGE, "re");

	*first = 0;
	*last = UINT16_MAX;
	if (file == NULL)
		return;
	if (fscanf(file, "%u %u", first, last) != 2) {
		*first = 0;
		*last = UINT16_MAX;
	}
	fclose(file);
}

static bool
any_port_is_local(const struct port_list *ports)
{
	unsigned int first, last;
	size_t i;

	read_range(&first, &last);
	for (i = 0; i < ports->count; i++)
		if (ports->at[i] >= first && ports->at[i] <= last)
			return true;
	return false;
}

/* Only to the addresses of this host can a socket be bound. */
static bool
is_of_this_host(const struct addr_ip *ip)
{
	struct addr addr;
	bool bound;
	int fd;

	addr_from_ip(ip, 0, &addr);
	fd = socket(addr.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return false;
	bound = bind(fd, (const struct sockaddr *)&addr.sa, addr.length) == 0 ||
	    errno != EADDRNOTAVAIL;
	close(fd);
	return bound;
}

bool
self_connect_possible(const struct routes *routes)
{
	size_t i;

	if (!any_port_is_local(&routes->ports))
		return false;
	for (i = 0; i < routes->hosts.count; i++)
		if (is_of_this_host(&routes->hosts.at[i]))
			return true;
	return false;
}

static bool
same_end(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return a4->sin_port == b4->sin_port &&
		    a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return a6->sin6_port == b6->sin6_port &&
	    memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
}

bool
self_connect_is(int fd)
{
	struct sockaddr_storage here, there;
	socklen_t here_length = sizeof(here), there_length = sizeof(there);

	return getsockname(fd, (struct sockaddr *)&here, &here_length) == 0 &&
	    getpeername(fd, (struct sockaddr *)&there, &there_length) == 0 &&
	    same_end(&here, &there);
}
