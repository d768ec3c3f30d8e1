/*
 * Rules for the local ports of connections, and for those that a server needs.
 */
#include <inttypes.h>
#include <string.h>

#include "lib/check_internal.h"
#include "lib/limits.h"

#define LOWEST	1024 /* of a range that was widened */
#define HIGHEST 65535

#define REUSE_DELAY \
	1000 /* ms in TIME_WAIT before a port is reused: the default */

#define LIST 400 /* bytes: a list of ports that a sysctl command has room for */

/* The range, and what of it is reserved. */
struct range {
	uint64_t low;
	uint64_t high;
	char reserved[CHECK_LINE];
};

static bool
read_range(const struct check_host *h, struct range *r)
{
	char line[CHECK_LINE];
	uint64_t ends[2];

	r->reserved[0] = '\0';
	(void)check_read_sysctl(
	    h, "net.ipv4.ip_local_reserved_ports", r->reserved);
	if (!check_read_sysctl(h, "net.ipv4.ip_local_port_range", line) ||
	    !check_numbers(line, ends, 2) || ends[0] > ends[1] ||
	    ends[1] > HIGHEST)
		return false;
	r->low = ends[0];
	r->high = ends[1];
	return true;
}

static uint64_t
count_ports(const struct range *r)
{
	return r->high - r->low + 1 -
	    limits_reserved(r->reserved, r->low, r->high);
}

static bool
is_reserved(const char *list, unsigned long port)
{
	return limits_reserved(list, port, port) > 0;
}

/* Appends a port or a range of them to a list; false where it has no room. */
static bool
append(char list[LIST], unsigned int first, unsigned int last)
{
	const char *comma = list[0] == '\0' ? "" : ",";
	size_t used = strlen(list);
	int length;

	if (first == last)
		length =
		    snprintf(list + used, LIST - used, "%s%u", comma, first);
	else
		length = snprintf(
		    list + used, LIST - used, "%s%u-%u", comma, first, last);
	return (size_t)length < LIST - used;
}

/*
 * What is reserved, and the ports that are listened on beside it, but those that
 * no range reaches. False where that is too long to be written here.
 */
static bool
reserve(const struct check_run *run, const char *reserved, char list[LIST])
{
	size_t i, first;

	if (snprintf(list, LIST, "%s", reserved) >= LIST)
		return false;
	for (i = 0; i < run->port_count; i++) {
		if (run->ports[i] < LOWEST ||
		    is_reserved(reserved, run->ports[i]))
			continue;
		first = i;
		while (i + 1 < run->port_count &&
		    run->ports[i + 1] == run->ports[i] + 1 &&
		    !is_reserved(reserved, run->ports[i + 1]))
			i++;
		if (!append(list, run->ports[first], run->ports[i]))
			return false;
	}
	return true;
}

/* What it is to be where there are too few: with the listening ports out of it. */
static void
fix_range(const struct check_run *run, const struct range *now,
    const struct range *wide, struct check_row *row)
{
	struct limits_ways ways = {.ports = count_ports(wide),
	    .sources = run->sources,
	    .targets = run->targets};
	char missing[LIMITS_TEXT], reserved[LIST + 40] = "";
	bool wider = ways.ports > count_ports(now), enough;

	enough = !limits_ways_short(&ways, run->connections, missing);
	if (enough) {
		ways.ports = count_ports(now);
		(void)limits_ways_short(&ways, run->connections, missing);
	}
	snprintf(row->other, sizeof(row->other), "%s%s",
	    !wider     ? "" :
		enough ? "or " :
			 "and ",
	    missing);
	row->fix[0] = '\0';
	if (!wider)
		return;
	if (strcmp(now->reserved, wide->reserved) != 0)
		snprintf(reserved, sizeof(reserved),
		    "net.ipv4.ip_local_reserved_ports=%.*s ", LIST,
		    wide->reserved);
	snprintf(row->fix, sizeof(row->fix), "sysctl -w %s%s=\"%.20s\"",
	    reserved, row->name, row->set);
}

static void
make_wide(
    const struct check_run *run, const struct range *now, struct range *wide)
{
	char list[LIST];

	*wide = *now;
	wide->high = HIGHEST;
	if (wide->low > LOWEST)
		wide->low = LOWEST;
	if (reserve(run, now->reserved, list))
		memcpy(wide->reserved, list, sizeof(list));
}

/* connect() finds a port at once only while half of them are free. */
void
check_port_range(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	const uint64_t ways = run->sources * run->targets;
	struct range now, wide;
	uint64_t ports;

	if (!read_range(h, &now)) {
		check_unreadable(row, run->connections);
		check_set(row, "%d %d", LOWEST, HIGHEST);
		return;
	}
	ports = count_ports(&now);
	check_compare(row, ports * ways, run->connections);
	if (ways != 1)
		snprintf(row->value, sizeof(row->value),
		    "%" PRIu64 " x %" PRIu64 " x %" PRIu64, ports, run->sources,
		    run->targets);
	make_wide(run, &now, &wide);
	if (ports * ways / 2 < run->connections)
		check_set(row, "%" PRIu64 " %" PRIu64, wide.low, wide.high);
	else
		check_set(row, "%" PRIu64 " %" PRIu64, now.low, now.high);
	if (row->verdict == CHECK_LOW)
		fix_range(run, &now, &wide, row);
}

/* How many of the ports that are listened on a connection could take. */
static uint64_t
count_exposed(const struct check_run *run, const struct range *r)
{
	uint64_t exposed = 0;
	size_t i;

	for (i = 0; i < run->port_count; i++)
		exposed += run->ports[i] >= r->low &&
		    run->ports[i] <= r->high &&
		    !is_reserved(r->reserved, run->ports[i]);
	return exposed;
}

/* Else a connection may have the server's port, or be one with itself. */
void
check_reserved_ports(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	struct range now;
	char list[LIST];
	uint64_t exposed;

	if (!read_range(h, &now)) {
		check_unknown(row);
		return;
	}
	snprintf(row->needed, sizeof(row->needed), "-");
	exposed = count_exposed(run, &now);
	snprintf(row->value, sizeof(row->value), "%" PRIu64 " ports",
	    limits_reserved(now.reserved, 0, HIGHEST));
	if (exposed > 0) {
		snprintf(row->needed, sizeof(row->needed), "%" PRIu64 " more",
		    exposed);
		row->verdict = CHECK_LOW;
	}
	if (run->port_count == 0)
		return;
	if (reserve(run, now.reserved, list))
		check_set(row, "%s", list);
	else if (exposed > 0)
		snprintf(row->other, sizeof(row->other),
		    "reserve the ports that are listened on");
}

/*
 * TIME_WAIT.
 */

/* "TCP: inuse 2 orphan 0 tw 28 alloc 2 mem 0" */
static bool
count_time_wait(const struct check_host *h, uint64_t *out)
{
	char path[CHECK_LINE], line[CHECK_LINE];
	FILE *file;
	bool found = false;

	snprintf(path, sizeof(path), "%s/net/sockstat", h->proc);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), file) != NULL)
		found = sscanf(line, "TCP: inuse %*u orphan %*u tw %" SCNu64,
			    out) == 1;
	fclose(file);
	return found;
}

/*
 * How many connections will be in TIME_WAIT, if the run has too few ports unless
 * connect() takes theirs; else 0.
 */
static uint64_t
count_to_reuse(const struct check_host *h, const struct check_run *run)
{
	uint64_t waiting = 0, most;
	struct range now;

	if (run->waiting_known)
		waiting = run->waiting;
	else
		(void)count_time_wait(h, &waiting);
	waiting += run->time_waits;
	if (!read_range(h, &now))
		return 0;
	most = count_ports(&now) * run->sources * run->targets;
	if (run->connections > most || run->connections + waiting <= most)
		return 0;
	return waiting;
}

/* 2 is for the loopback interface only. */
void
check_tw_reuse(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	uint64_t value, waiting = count_to_reuse(h, run);

	check_set(row, "1");
	if (!check_own_number(h, row, &value) || waiting == 0)
		return;
	snprintf(row->needed, sizeof(row->needed), "1");
	if (value == 1 || (value == 2 && run->loopback))
		return;
	row->verdict = CHECK_LOW;
	check_set(row, "1");
	if (run->time_waits > 0)
		snprintf(row->other, sizeof(row->other),
		    "or --close rst, or more sources (-a): %" PRIu64
		    " connections will be in TIME_WAIT",
		    waiting);
	else
		snprintf(row->other, sizeof(row->other),
		    "or wait a minute: %" PRIu64
		    " connections are in TIME_WAIT",
		    waiting);
}

/*
 * Without timestamps the kernel reuses no port in TIME_WAIT, whatever
 * tcp_tw_reuse is. Both ends must have them; 1 and 2 are alike here.
 */
void
check_timestamps(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	uint64_t value;

	if (!check_own_number(h, row, &value))
		return;
	check_set(row, "%" PRIu64, value > 0 ? value : 1);
	/* what clients need of a server's host is not known there */
	if ((run->ends & CHECK_CLIENT) != 0 && count_to_reuse(h, run) == 0)
		return;
	check_compare(row, value, 1);
	check_set(row, "%" PRIu64, value > 0 ? value : 1);
	if (row->verdict == CHECK_LOW)
		snprintf(row->other, sizeof(row->other), "%s",
		    (run->ends & CHECK_CLIENT) == 0 ?
			"clients that reuse ports in TIME_WAIT (tcp_tw_reuse) "
			"need timestamps here as well" :
			"tcp_tw_reuse does nothing without timestamps, which "
			"the server's host needs as well; connections of "
			"before stay in TIME_WAIT for a minute");
}

/* In milliseconds; Older kernels wait for a second and have no such sysctl. */
void
check_tw_reuse_delay(const struct check_host *h, const struct check_run *run,
    struct check_row *row)
{
	uint64_t value;

	if (!check_own_number(h, row, &value)) {
		row->severity = CHECK_MINOR;
		return;
	}
	check_set(row, "%" PRIu64,
	    value > REUSE_DELAY ? (uint64_t)REUSE_DELAY : value);
	if (count_to_reuse(h, run) == 0)
		return;
	snprintf(row->needed, sizeof(row->needed), "%d or less", REUSE_DELAY);
	row->verdict = value > REUSE_DELAY ? CHECK_LOW : CHECK_OK;
	check_set(row, "%" PRIu64,
	    value > REUSE_DELAY ? (uint64_t)REUSE_DELAY : value);
}
