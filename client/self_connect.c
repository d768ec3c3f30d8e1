#include <sys/socket.h>

#include <netinet/in.h>

#include <string.h>

#include "lib/limits.h"
#include "client/routes.h"
#include "client/self_connect.h"

/* Where the range cannot be read, any port may be one. */
static bool
any_port_is_local(const struct port_list *ports)
{
	unsigned long first, last;
	size_t i;

	if (!limits_port_range(&first, &last))
		return true;
	for (i = 0; i < ports->count; i++)
		if (ports->at[i] >= first && ports->at[i] <= last)
			return true;
	return false;
}

bool
self_connect_possible(const struct routes *routes)
{
	struct addr host;
	size_t i;

	if (!any_port_is_local(routes_ports(routes)))
		return false;
	for (i = 0; i < routes->hosts.count; i++) {
		addr_from_ip(&routes->hosts.at[i], 0, &host);
		if (addr_owner(&host) != ADDR_OTHERS)
			return true;
	}
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
