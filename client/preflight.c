#include <sys/socket.h>
#include <arpa/inet.h>
#include <bsd/err.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "client/preflight.h"
#include "client/states.h"
#include "lib/check.h"
#include "lib/clock.h"
#include "lib/lines.h"
#include "lib/status.h"

unsigned int
preflight_workers(uint64_t connections)
{
	unsigned int workers = limits_workers(connections);

	return workers > connections ? (unsigned int)connections : workers;
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

/*
 * Limits.
 */

#define COUNT_PATIENCE (500 * CLOCK_NS_PER_MS)
#define TIME_WAIT      (60 * CLOCK_NS_PER_SEC)
#define CAPACITY_MOST  1000000 /* 130 bytes of each are had from the beginning */

uint32_t
preflight_capacity(void)
{
	uint64_t limit = limits_raise_descriptors();

	if (limit <= LIMITS_SPARE_DESCRIPTORS)
		return 1;
	limit -= LIMITS_SPARE_DESCRIPTORS;
	return limit > CAPACITY_MOST ? CAPACITY_MOST : (uint32_t)limit;
}

#define LOCAL_TRIED 16 /* hosts that are looked at: all are alike, most often */

static bool
is_here(const struct addr_list *hosts)
{
	struct addr host;
	size_t i;

	for (i = 0; i < hosts->count && i < LOCAL_TRIED; i++) {
		addr_from_ip(&hosts->at[i], 0, &host);
		if (addr_owner(&host) == ADDR_OURS)
			return true;
	}
	return false;
}

/* Those that are not this host itself; each takes a connection at least. */
static void
count_neighbours(const struct addr_list *hosts, struct check_run *run)
{
	struct addr host;
	size_t i;

	for (i = 0; i < hosts->count && i < run->connections; i++) {
		addr_from_ip(&hosts->at[i], 0, &host);
		if (addr_owner(&host) == ADDR_OURS)
			continue;
		if (hosts->at[i].family == AF_INET)
			run->neighbours_v4++;
		else
			run->neighbours_v6++;
	}
}

static bool
is_loopback(const struct addr_ip *host)
{
	static const uint8_t loopback[16] = {[15] = 1};

	return host->family == AF_INET ?
	    host->bytes[0] == 127 :
	    memcmp(host->bytes, loopback, sizeof(loopback)) == 0;
}

/* What holds for loopback holds for the run only where every target is there. */
static bool
are_loopback(const struct addr_list *hosts)
{
	size_t i;

	for (i = 0; i < hosts->count; i++)
		if (!is_loopback(&hosts->at[i]))
			return false;
	return true;
}

/* Whether no wider range could be set. */
static bool
has_widest_range(void)
{
	unsigned long first, last;

	return limits_port_range(&first, &last) && first <= 1024 &&
	    last == UINT16_MAX;
}

void
preflight_ways(const struct routes *routes, struct limits_ways *ways)
{
	ways->ports = limits_local_ports();
	ways->sources = routes->sources.count > 0 ? routes->sources.count : 1;
	ways->targets = routes_targets(routes);
	ways->widest = has_widest_range();
}

/*
 * What is closed from here while the run goes on keeps its port for a minute
 * (TCP_TIMEWAIT_LEN of Linux), unless it was reset.
 */
static uint64_t
time_waits(const struct options *o)
{
	const struct life *l = &o->life;
	uint64_t duration = program_duration(&o->load.program);
	double closes = l->churn;

	if (o->load.reset)
		return 0;
	if (l->limited && l->most_queries > 0)
		closes += program_peak(&o->load.program) / l->most_queries;
	else if (l->limited)
		closes += o->load.open_rate;
	return (uint64_t)(closes *
	    clock_to_seconds(duration < TIME_WAIT ? duration : TIME_WAIT));
}

/* Others' keep no port from this run. */
static void
count_waiting(const struct routes *routes, struct check_run *run)
{
	struct sockdiag_states counted;

	run->waiting_known =
	    states_first_count(routes, COUNT_PATIENCE, &counted);
	if (run->waiting_known)
		run->waiting = counted.time_wait;
}

/* A server on this host is looked at as well, as far as this process can. */
static void
make_run(
    const struct options *o, const struct routes *routes, struct check_run *run)
{
	struct limits_ways ways;

	preflight_ways(routes, &ways);
	memset(run, 0, sizeof(*run));
	run->ends = CHECK_CLIENT;
	run->here = 1;
	run->connections = o->load.connections;
	run->workers = o->load.workers;
	run->spare = LIMITS_SPARE_DESCRIPTORS;
	run->queries = program_peak(&o->load.program);
	run->opens = o->load.open_rate;
	run->sources = ways.sources;
	run->targets = ways.targets;
	count_neighbours(&routes->hosts, run);
	run->resets = o->load.reset;
	run->time_waits = time_waits(o);
	count_waiting(routes, run);
	run->loopback = are_loopback(&routes->hosts);
	run->ipv6 = routes->hosts.at[0].family == AF_INET6;
	if (!is_here(&routes->hosts))
		return;
	run->ends |= CHECK_SERVER;
	run->here = 2;
	run->ports = routes_ports(routes)->at;
	run->port_count = routes_ports(routes)->count;
}

int
preflight_show(const struct options *o, const struct routes *routes)
{
	struct check_run run;

	make_run(o, routes, &run);
	if (o->limits.sysctls) { /* wherever the server will be */
		run.ends = CHECK_CLIENT;
		run.here = 2;
		run.ports = routes_ports(routes)->at;
		run.port_count = routes_ports(routes)->count;
	}
	return check_show(&run, o->limits.sysctls) ? STATUS_AS_ASKED :
						     STATUS_COULD_NOT_RUN;
}

void
preflight_limits(const struct options *o, const struct routes *routes)
{
	struct check_run run;

	if (o->output.verbose > 0)
		(void)lines_say("descriptor limit: %" PRIu64 " a worker",
		    limits_raise_descriptors());
	make_run(o, routes, &run);
	if (check_start(&run) == 0)
		return;
	if (o->goal.search.what == SEARCH_CONNECTIONS)
		(void)lines_say("-c %" PRIu64
				" is the most that is tried, and is more "
				"than can be",
		    o->load.connections);
	else if (o->limits.force)
		(void)lines_say("--force: it is tried all the same");
	else
		errx(STATUS_COULD_NOT_RUN,
		    "this run is not possible here; --force tries it all the "
		    "same");
}
