#include <err.h>
#include <inttypes.h>
#include <string.h>

#include "lib/check.h"
#include "lib/limits.h"
#include "lib/lines.h"
#include "lib/status.h"
#include "server/preflight.h"

/* Descriptors of the parent beside those for its ports and workers. */
#define PARENT_DESCRIPTORS 24

/* What --check looks for where --max-connections does not say. */
#define CHECK_CONNECTIONS 65536

/* Descriptors of each of so many workers besides its connections: all ports, and
 * a way into each other's inbox. */
static uint64_t
others_of_each(const struct server_options *o, uint64_t workers)
{
	return LIMITS_SPARE_DESCRIPTORS + o->ports.count +
	    (workers > 1 ? workers : 0);
}

/* Connections of each. */
static uint64_t
room_of_each(const struct server_options *o, uint64_t workers, uint64_t limit)
{
	uint64_t others = others_of_each(o, workers);

	return limit > others ? limit - others : 0;
}

/* What -w says; auto: one for each processor, and more while that makes room
 * for --max-connections. */
unsigned int
server_preflight_workers(const struct server_options *o, uint64_t limit)
{
	uint64_t n = limits_processors();

	if (o->workers > 0)
		return (unsigned int)o->workers;
	while (n < LIMITS_WORKERS_MOST &&
	    n * room_of_each(o, n, limit) < o->max_connections &&
	    (n + 1) * room_of_each(o, n + 1, limit) >
		n * room_of_each(o, n, limit))
		n++;
	return (unsigned int)n;
}

void
server_preflight_descriptors(
    const struct server_options *o, unsigned int workers, uint64_t limit)
{
	uint64_t own = o->ports.count + PARENT_DESCRIPTORS +
	    3 * (uint64_t)workers; /* channels, and inboxes until the fork */

	if (o->verbose > 0)
		(void)lines_say("descriptor limit: %" PRIu64, limit);
	if (workers + o->ports.count > 2 && limit < own)
		errx(STATUS_COULD_NOT_RUN,
		    "%zu port(s) and %u worker(s) need %" PRIu64
		    " descriptors, and this process may have %" PRIu64
		    ": raise the hard limit (ulimit -Hn)",
		    o->ports.count, workers, own, limit);
}

static void
make_check(
    const struct server_options *o, unsigned int workers, struct check_run *run)
{
	memset(run, 0, sizeof(*run));
	run->ends = CHECK_SERVER;
	run->here = o->sysctls ? 2 : 1; /* wherever the client will be */
	run->connections =
	    o->max_connections > 0 ? o->max_connections : CHECK_CONNECTIONS;
	run->workers = workers;
	run->spare = others_of_each(o, workers);
	run->opens = o->opens;
	run->queries = o->queries;
	run->ipv6 = o->bind == NULL || strchr(o->bind, ':') != NULL;
	run->ports = o->ports.at;
	run->port_count = o->ports.count;
}

bool
server_preflight_show(const struct server_options *o, unsigned int workers)
{
	struct check_run run;

	make_check(o, workers, &run);
	return check_show(&run, o->sysctls);
}

/* Where it is not known how many there will be, there is nothing to look for. */
void
server_preflight_room(const struct server_options *o, unsigned int workers)
{
	struct check_run run;

	if (o->max_connections == 0)
		return;
	make_check(o, workers, &run);
	if (check_start(&run) == 0)
		return;
	if (!o->force)
		errx(STATUS_COULD_NOT_RUN,
		    "--max-connections %" PRIu64 " is not possible here; "
		    "--force serves as many as are",
		    o->max_connections);
	(void)lines_say("--force: it is tried all the same");
}
