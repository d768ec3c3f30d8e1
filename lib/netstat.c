#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/netstat.h"

static const struct {
	const char *table;
	const char *name;
} counters[] = {
#define NETSTAT_ROW(table, name) {#table, #name},
    NETSTAT_COUNTERS(NETSTAT_ROW)};

/*
 * Diagnoses. Only what is no part of a healthy run.
 */

struct diagnosis {
	const char *limit;
	const char *side;
	const char *symptom;
	const char *fix;
};

static const struct {
	enum netstat_counter counter;
	struct diagnosis diagnosis;
} by_counter[] = {
    {NETSTAT_TcpExt_ListenOverflows,
	{"accept queue (backlog, net.core.somaxconn)", "this host, as server",
	    "handshakes that met a full accept queue",
	    "sysctl net.core.somaxconn=65535, and a backlog as large in the "
	    "server"}},
    {NETSTAT_TcpExt_TCPReqQFullDrop,
	{"net.ipv4.tcp_max_syn_backlog", "this host, as server",
	    "SYNs dropped, the queue of half-open connections was full",
	    "sysctl net.ipv4.tcp_max_syn_backlog=65535"}},
    {NETSTAT_TcpExt_TCPReqQFullDoCookies,
	{"net.ipv4.tcp_max_syn_backlog", "this host, as server",
	    "SYNs answered with a SYN cookie",
	    "sysctl net.core.somaxconn=65535 "
	    "net.ipv4.tcp_max_syn_backlog=65535"}},
    {NETSTAT_TcpExt_TCPTimeWaitOverflow,
	{"net.ipv4.tcp_max_tw_buckets", "this host",
	    "connections that skipped TIME_WAIT",
	    "sysctl net.ipv4.tcp_max_tw_buckets=2000000"}},
    {NETSTAT_TcpExt_TCPMemoryPressures,
	{"net.ipv4.tcp_mem", "this host", "times TCP ran short of memory",
	    "raise net.ipv4.tcp_mem"}},
    {NETSTAT_TcpExt_TCPAbortOnMemory,
	{"net.ipv4.tcp_mem, net.ipv4.tcp_max_orphans", "this host",
	    "connections aborted for lack of memory",
	    "raise net.ipv4.tcp_mem and net.ipv4.tcp_max_orphans"}},
    {NETSTAT_softnet_dropped,
	{"net.core.netdev_max_backlog", "this host",
	    "packets dropped before TCP saw them, by any program",
	    "sysctl net.core.netdev_max_backlog=100000"}},
};

static const struct {
	int error;
	struct diagnosis diagnosis;
} by_error[] = {
    {EMFILE,
	{"RLIMIT_NOFILE", "client",
	    "connects failed, this process has no descriptor left",
	    "raise the hard limit (ulimit -Hn, limits.conf, LimitNOFILE=)"}},
    {ENFILE,
	{"fs.file-max", "client", "connects failed, this host has no file left",
	    "sysctl fs.file-max=10000000"}},
    {EADDRNOTAVAIL,
	{"net.ipv4.ip_local_port_range", "client",
	    "connects failed, no local port left to this target",
	    "sysctl net.ipv4.ip_local_port_range=\"1024 65535\" "
	    "net.ipv4.tcp_tw_reuse=1; or more sources (-a), more target ports "
	    "(-p), --close rst"}},
    {ELOOP, /* counted by the client; connect() never gives it */
	{"target port in net.ipv4.ip_local_port_range", "this host",
	    "connects were connected to themselves, nobody listens there",
	    "start the server; sysctl net.ipv4.ip_local_reserved_ports=PORT "
	    "keeps connect() from choosing its port"}},
    {ECONNREFUSED,
	{"nothing listens there, or the server closed its listener", "server",
	    "connects refused", "start the server; look at its own limits"}},
    {ETIMEDOUT,
	{"no answer to the SYN", "path or server", "connects timed out",
	    "look for a firewall, a full tracking table "
	    "(net.netfilter.nf_conntrack_max), a full accept queue"}},
    {EHOSTUNREACH,
	{"no route", "path", "connects found no route to the host",
	    "check the address and the routes"}},
    {ENETUNREACH,
	{"no route", "client", "connects found no route to the network",
	    "check the address, the routes, and that IPv6 is on"}},
    {ENOBUFS,
	{"kernel memory", "client", "connects failed for lack of buffers",
	    "fewer connections, or more memory"}},
    {ENOMEM,
	{"kernel memory", "client", "connects failed for lack of memory",
	    "fewer connections, or more memory"}},
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void
counter_set(
    struct netstat *n, const char *table, const char *name, uint64_t value)
{
	size_t i;

	for (i = 0; i < NETSTAT_COUNT; i++)
		if (strcmp(counters[i].table, table) == 0 &&
		    strcmp(counters[i].name, name) == 0) {
			n->value[i] = value;
			n->readable[i] = true;
		}
}

/* Lines come in pairs: "Table: name name ..." and "Table: value value ...". */
static void
read_pairs(struct netstat *n, FILE *file)
{
	char *names = NULL, *values = NULL, *name, *value, *rest, *more;
	size_t names_size = 0, values_size = 0;

	while (getline(&names, &names_size, file) != -1 &&
	    getline(&values, &values_size, file) != -1) {
		char *table = strtok_r(names, ": \n", &rest);

		value = strtok_r(values, ": \n", &more);
		while (table != NULL && value != NULL &&
		    (name = strtok_r(NULL, " \n", &rest)) != NULL &&
		    (value = strtok_r(NULL, " \n", &more)) != NULL)
			counter_set(n, table, name, strtoull(value, NULL, 10));
	}
	free(names);
	free(values);
}

/* One line a processor, hexadecimal; the second number is what was dropped. */
static void
read_softnet(struct netstat *n, FILE *file)
{
	uint64_t total = 0, dropped;
	char *line = NULL;
	size_t size = 0;
	bool any = false;

	while (getline(&line, &size, file) != -1)
		if (sscanf(line, "%*x %" SCNx64, &dropped) == 1) {
			total += dropped;
			any = true;
		}
	free(line);
	if (any)
		counter_set(n, "softnet", "dropped", total);
}

void
netstat_read(struct netstat *n, const char *proc)
{
	static const struct {
		const char *name;
		void (*read)(struct netstat *, FILE *);
	} files[] = {
	    {"net/snmp", read_pairs},
	    {"net/netstat", read_pairs},
	    {"net/softnet_stat", read_softnet},
	};
	char path[256];
	FILE *file;
	size_t i;

	memset(n, 0, sizeof(*n));
	for (i = 0; i < LENGTH(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", proc, files[i].name);
		file = fopen(path, "re");
		if (file == NULL)
			continue;
		files[i].read(n, file);
		fclose(file);
	}
}

void
netstat_subtract(struct netstat *later, const struct netstat *earlier)
{
	size_t i;

	for (i = 0; i < NETSTAT_COUNT; i++) {
		later->readable[i] = later->readable[i] &&
		    earlier->readable[i] &&
		    later->value[i] >= earlier->value[i];
		later->value[i] -= earlier->value[i];
	}
}

const char *
netstat_name(enum netstat_counter counter)
{
	return counter == NETSTAT_softnet_dropped ? "softnet_dropped" :
						    counters[counter].name;
}

static void
find(struct netstat_finding *out, const struct diagnosis *d, uint64_t count)
{
	out->limit = d->limit;
	out->side = d->side;
	snprintf(out->fix, sizeof(out->fix), "%s", d->fix);
	snprintf(out->symptom, sizeof(out->symptom), "%" PRIu64 " %s", count,
	    d->symptom);
}

/* More precisely, where it was not others, or TIME_WAIT, that took the ports. */
static void
explain_ports(struct netstat_finding *out, uint64_t failed,
    const struct limits_ways *w, uint64_t connections)
{
	char missing[LIMITS_TEXT];

	if (!limits_ways_short(w, connections, missing))
		return;
	snprintf(out->symptom, sizeof(out->symptom),
	    "%" PRIu64 " connects failed, no local port left: %" PRIu64
	    " ports x %" PRIu64 " sources x %" PRIu64 " targets = %" PRIu64
	    " connections at most",
	    failed, w->ports, w->sources, w->targets,
	    w->ports * w->sources * w->targets);
	snprintf(out->fix, sizeof(out->fix), "%s", missing);
}

size_t
netstat_diagnose(const struct netstat *delta, const uint64_t *errors,
    size_t errnos, const struct limits_ways *ways, uint64_t connections,
    struct netstat_finding out[NETSTAT_FINDINGS])
{
	size_t found = 0, i;
	int error;

	for (i = 0; i < LENGTH(by_error); i++) {
		error = by_error[i].error;
		if ((size_t)error >= errnos || errors[error] == 0)
			continue;
		find(&out[found], &by_error[i].diagnosis, errors[error]);
		if (error == EADDRNOTAVAIL)
			explain_ports(
			    &out[found], errors[error], ways, connections);
		found++;
	}
	for (i = 0; i < LENGTH(by_counter); i++)
		if (delta->readable[by_counter[i].counter] &&
		    delta->value[by_counter[i].counter] > 0)
			find(&out[found++], &by_counter[i].diagnosis,
			    delta->value[by_counter[i].counter]);
	return found;
}
