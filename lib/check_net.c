/*
 * Rules for TCP and for the network.
 */
#include <inttypes.h>
#include <string.h>

#include "lib/check_internal.h"

/* Packets of a connection that has something to say: query, answer, ACK. */
#define PACKETS 3

/* What a processor is handed waits that long where it is busy, in seconds. */
#define WAIT 0.01

/* The table is to be no more than half full: others have neighbours, too. */
#define NEIGHBOURS 2

/* Queries are under way for that long where something has stalled, seconds. */
#define STALL 0.25

/* Connections that close in a minute wait that long, all at the end at least. */
void
check_tw_buckets(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	uint64_t value;

	if (run->resets)
		(void)check_own_number(h, row, &value);
	else
		check_at_least(h, row, run->connections);
}

/* All connections are closed at once in the end. */
void
check_orphans(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	check_tw_buckets(h, run, row);
}

/*
 * What the server on this host needs.
 */

void
check_somaxconn(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	check_at_least(h, row, check_burst(run));
	if (row->verdict == CHECK_LOW)
		snprintf(row->other, sizeof(row->other),
		    "and a backlog as large in the server");
}

/* With cookies the kernel does not look at it; without, it keeps a quarter. */
void
check_syn_backlog(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	uint64_t cookies = 0;

	(void)check_sysctl(h, "net.ipv4.tcp_syncookies", &cookies);
	check_at_least(h, row, check_burst(run) * 4 / 3 + 1);
	if (cookies == 0 || row->verdict == CHECK_UNREADABLE)
		return;
	row->verdict = CHECK_OK;
	row->fix[0] = '\0';
	snprintf(row->needed, sizeof(row->needed), "-");
}

/*
 * With cookies a client can believe in a connection that the server never kept;
 * but they come only when the queues are too short.
 */
void
check_syncookies(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	uint64_t value;

	(void)run;
	(void)check_own_number(h, row, &value);
	check_set(row, "0");
}

/* 0: a connection that the full queue drops stays half open; 1: a RST says so. */
void
check_abort_on_overflow(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	uint64_t value;

	(void)run;
	(void)check_own_number(h, row, &value);
}

/* For other servers: tcpserver says for itself that it takes both. */
void
check_bindv6only(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	uint64_t value;

	(void)run;
	(void)check_own_number(h, row, &value);
}

void
check_disable_ipv6(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	uint64_t value;

	if ((run->ends & CHECK_CLIENT) ==
	    0) /* it listens without, and says so */
		row->severity = CHECK_MINOR;
	if (!check_own_number(h, row, &value) || !run->ipv6)
		return;
	snprintf(row->needed, sizeof(row->needed), "0");
	if (value == 0)
		return;
	row->verdict = CHECK_LOW;
	snprintf(row->fix, sizeof(row->fix), "sysctl -w %s=0", row->name);
}

/*
 * What all packets pass.
 */

/*
 * A connection with data under way takes a page at this end; beyond the second
 * of the three numbers the kernel is sparing with it.
 */
void
check_tcp_mem(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	double busy = run->queries * STALL;
	uint64_t pages[3], needed;
	char line[CHECK_LINE];

	if (busy > (double)run->connections)
		busy = (double)run->connections;
	needed = (uint64_t)busy * run->here + 1;
	if (!check_read_sysctl(h, row->name, line) ||
	    !check_numbers(line, pages, 3)) {
		check_unreadable(row, needed);
		return;
	}
	check_compare(row, pages[1], needed);
	if (row->verdict == CHECK_LOW)
		check_set(row, "%" PRIu64 " %" PRIu64 " %" PRIu64,
		    pages[0] > needed ? pages[0] : needed, needed,
		    pages[2] > 2 * needed ? pages[2] : 2 * needed);
	else
		check_set(row, "%s", line);
}

/*
 * Only where connections are tracked at all. One stays in the table for two
 * minutes after its end, so those of a run before this one may be there.
 */
void
check_conntrack(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	double again =
	    run->opens > 0 ? 120 * run->opens : (double)run->connections;
	uint64_t count;

	if (!check_sysctl(h, "net.netfilter.nf_conntrack_count", &count)) {
		check_unknown(row);
		return;
	}
	if (count == 0) {
		snprintf(row->value, sizeof(row->value), "nothing tracked");
		snprintf(row->needed, sizeof(row->needed), "-");
		return;
	}
	if (again > (double)run->connections)
		again = (double)run->connections;
	check_at_least(h, row,
	    (uint64_t)(1.3 * ((double)run->connections + again)) +
		check_round(count, 10000));
	if (row->verdict == CHECK_LOW)
		snprintf(row->other, sizeof(row->other),
		    "or no tracking for the port: setup-*.sh -p PORT");
}

/* Those behind a router need one entry together, which is why it is minor. */
static void
compare_neighbours(
    const struct check_host *h, uint64_t neighbours, struct check_row *row)
{
	uint64_t value;

	if (neighbours > 0)
		check_at_least(h, row, NEIGHBOURS * neighbours);
	else
		(void)check_own_number(h, row, &value);
}

void
check_neighbours_v4(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	compare_neighbours(h, run->neighbours_v4, row);
}

void
check_neighbours_v6(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	compare_neighbours(h, run->neighbours_v6, row);
}

/*
 * Queries that are due at once on a connection are one packet, so that there are
 * no more packets than connections; and new ones are opened one by one. Where
 * packets stay on the processor that sends them, it empties the queue before it
 * goes on: docs/limits.md has the measurements.
 */
void
check_netdev_backlog(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	double busy = run->queries * WAIT;

	if (busy > (double)run->connections)
		busy = (double)run->connections;
	check_at_least(h, row, (uint64_t)(busy * PACKETS) + 1);
	if (row->verdict == CHECK_LOW && !check_is_steered(h))
		row->severity = CHECK_MINOR;
}
