#include <sys/socket.h>
#include <arpa/inet.h>
#include <bsd/err.h>

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "client/preflight.h"
#include "lib/status.h"

unsigned int
preflight_workers(uint64_t connections)
{
	unsigned int workers = limits_workers(connections);

	return workers > connections ? (unsigned int)connections : workers;
}

void
preflight_descriptors(uint64_t connections, unsigned int workers, bool verbose)
{
	uint64_t limit = limits_raise_descriptors();
	uint64_t share = (connections + workers - 1) / workers;
	uint64_t needed = share + LIMITS_SPARE_DESCRIPTORS;

	if (verbose)
		warnx("descriptor limit: %" PRIu64 " a worker", limit);
	if (limit < needed)
		warnx("-c %" PRIu64 " needs %" PRIu64 " descriptors a worker, "
		      "and each may have %" PRIu64 ": more workers (-w %" PRIu64
		      ", or -w auto), or raise the hard limit (ulimit -Hn)",
		    connections, needed, limit,
		    limits_workers_least(connections));
}

/* A bind that leaves the port to connect() fails for want of the address only. */
static int
try_source(const struct addr *source)
{
	int fd = socket(source->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error = 0;

	if (fd == -1)
		return errno;
	if (bind(fd, (const struct sockaddr *)&source->sa, source->length) ==
	    -1)
		error = errno;
	close(fd);
	return error;
}

void
preflight_sources(const struct routes *routes, uint64_t connections)
{
	char text[INET6_ADDRSTRLEN];
	struct addr source;
	size_t i;
	int error;

	for (i = 0; i < routes->sources.count && i < connections; i++) {
		addr_from_ip(&routes->sources.at[i], 0, &source);
		error = try_source(&source);
		/* all of its ports are in use; connect() can share them */
		if (error == 0 || error == EADDRINUSE)
			continue;
		inet_ntop(routes->sources.at[i].family,
		    routes->sources.at[i].bytes, text, sizeof(text));
		if (error == EADDRNOTAVAIL)
			errx(STATUS_COULD_NOT_RUN,
			    "-a %s: not an address of this host: ip address "
			    "add, or leave it out",
			    text);
		errc(STATUS_COULD_NOT_RUN, error, "-a %s", text);
	}
}

void
preflight_ports(
    const struct routes *routes, uint64_t connections, struct limits_ways *ways)
{
	char missing[LIMITS_TEXT];

	ways->ports = limits_local_ports();
	ways->sources = routes->sources.count > 0 ? routes->sources.count : 1;
	ways->targets = routes_targets(routes);
	if (limits_ways_short(ways, connections, missing))
		warnx("-c %" PRIu64 " is more than %" PRIu64
		      " local ports x %" PRIu64 " sources x %" PRIu64
		      " targets = %" PRIu64 " connections: %s, or widen "
		      "net.ipv4.ip_local_port_range",
		    connections, ways->ports, ways->sources, ways->targets,
		    ways->ports * ways->sources * ways->targets, missing);
}
