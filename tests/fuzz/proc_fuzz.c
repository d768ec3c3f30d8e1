/*
 * What is read of /proc and of cgroups: lib/netstat, gauges, limits, check. Every
 * file that they read has the same bytes, those of the input.
 */
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cgroup.h"
#include "lib/check.h"
#include "lib/gauges.h"
#include "lib/limits.h"
#include "lib/netstat.h"
#include "tests/fuzz/fuzz.h"

static const char *const paths[] = {
    "net/snmp",
    "net/netstat",
    "net/snmp6",
    "net/softnet_stat",
    "net/sockstat",
    "net/sockstat6",
    "net/stat/nf_conntrack",
    "net/stat/arp_cache",
    "net/stat/ndisc_cache",
    "vmstat",
    "meminfo",
    "self/cgroup",
    "self/uid_map",
    "self/status",
    "sys/fs/nr_open",
    "sys/fs/file-max",
    "sys/fs/file-nr",
    "sys/fs/epoll/max_user_watches",
    "sys/kernel/pid_max",
    "sys/kernel/threads-max",
    "sys/net/core/somaxconn",
    "sys/net/core/netdev_max_backlog",
    "sys/net/ipv4/ip_local_port_range",
    "sys/net/ipv4/ip_local_reserved_ports",
    "sys/net/ipv4/tcp_tw_reuse",
    "sys/net/ipv4/tcp_timestamps",
    "sys/net/ipv4/tcp_fin_timeout",
    "sys/net/ipv4/tcp_orphan_retries",
    "sys/net/ipv4/tcp_rfc1337",
    "sys/net/ipv4/tcp_max_tw_buckets",
    "sys/net/ipv4/tcp_max_orphans",
    "sys/net/ipv4/tcp_max_syn_backlog",
    "sys/net/ipv4/tcp_syncookies",
    "sys/net/ipv4/tcp_abort_on_overflow",
    "sys/net/ipv4/tcp_mem",
    "sys/net/ipv4/neigh/default/gc_thresh3",
    "sys/net/ipv6/neigh/default/gc_thresh3",
    "sys/net/ipv6/bindv6only",
    "sys/net/ipv6/conf/all/disable_ipv6",
    "sys/net/ipv6/conf/lo/disable_ipv6",
    "sys/net/netfilter/nf_conntrack_max",
    "sys/net/netfilter/nf_conntrack_count",
    "cgroup/cpu.stat",
    "cgroup/cpu/cpu.stat",
    "cgroup/memory.max",
    "cgroup/memory.current",
    "cgroup/memory.stat",
    "cgroup/pids.max",
    "cgroup/pids.current",
    "cgroup/memory/memory.limit_in_bytes",
    "cgroup/memory/memory.usage_in_bytes",
    "cgroup/memory/memory.stat",
    "class/lo/queues/rx-0/rps_cpus",
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void
make_directories(char *path)
{
	char *slash;

	for (slash = path + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		(void)mkdir(path, 0700);
		*slash = '/';
	}
}

/* Links to one file, to which each input is written once. */
static int
make_root(const char *root)
{
	char path[256], file[128];
	size_t i;
	int fd;

	snprintf(file, sizeof(file), "%s/input", root);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	FUZZ_CHECK(fd != -1);
	for (i = 0; i < LENGTH(paths); i++) {
		snprintf(path, sizeof(path), "%s/%s", root, paths[i]);
		make_directories(path);
		FUZZ_CHECK(link(file, path) == 0);
	}
	return fd;
}

static void
check_counters(const char *root)
{
	static struct netstat n, later;
	static struct gauges g, most;
	size_t i;

	netstat_read(&n, root);
	netstat_read(&later, root);
	FUZZ_CHECK(memcmp(&n, &later, sizeof(n)) == 0);
	netstat_subtract(&later, &n);
	for (i = 0; i < NETSTAT_COUNT; i++) {
		FUZZ_CHECK(n.readable[i] || n.value[i] == 0);
		FUZZ_CHECK(later.value[i] == 0);
	}
	gauges_read(&g, root);
	memset(&most, 0, sizeof(most));
	gauges_raise(&most, &g);
	for (i = 0; i < GAUGES_COUNT; i++)
		FUZZ_CHECK(!g.readable[i] || most.value[i] == g.value[i]);
}

static bool
is_terminated(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static void
check_quota(const char *root)
{
	char groups[128];
	const struct cgroup_roots roots = {.proc = root, .groups = groups};

	snprintf(groups, sizeof(groups), "%s/cgroup", root);
	FUZZ_CHECK(cgroup_throttled(&roots) == cgroup_throttled(&roots));
}

static void
check_rules(const char *root, unsigned int ends)
{
	static struct check_row rows[CHECK_ROWS];
	static const uint16_t ports[] = {4242, 40000};
	char cgroup[128], interfaces[128];
	const struct check_host host = {root, cgroup, interfaces, 1024, 1024};
	const struct check_run run = {
	    .ends = ends,
	    .here = ends == (CHECK_CLIENT | CHECK_SERVER) ? 2 : 1,
	    .connections = 100000,
	    .workers = 4,
	    .spare = 64,
	    .queries = 10000,
	    .opens = 1000,
	    .sources = 1,
	    .targets = 1,
	    .neighbours_v4 = 3,
	    .neighbours_v6 = 3,
	    .loopback = true,
	    .time_waits = 1000,
	    .ports = ports,
	    .port_count = LENGTH(ports),
	};
	size_t count, i;

	snprintf(cgroup, sizeof(cgroup), "%s/cgroup", root);
	snprintf(interfaces, sizeof(interfaces), "%s/class", root);
	count = check_limits(&host, &run, rows);
	FUZZ_CHECK(count > 0 && count <= CHECK_ROWS);
	for (i = 0; i < count; i++) {
		FUZZ_CHECK(is_terminated(rows[i].value, CHECK_TEXT));
		FUZZ_CHECK(is_terminated(rows[i].needed, CHECK_TEXT));
		FUZZ_CHECK(is_terminated(rows[i].set, CHECK_FIX));
		FUZZ_CHECK(is_terminated(rows[i].fix, CHECK_FIX));
		FUZZ_CHECK(rows[i].verdict <= CHECK_UNREADABLE);
	}
}

static void
check_ports(void)
{
	unsigned long first = 0, last = 0;
	uint64_t ports = limits_local_ports();

	if (limits_port_range(&first, &last))
		FUZZ_CHECK(first <= last && ports <= last - first + 1);
	(void)limits_somaxconn();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int file = -1;
	const char *root = fuzz_directory();

	if (file == -1)
		file = make_root(root);
	FUZZ_CHECK(ftruncate(file, 0) == 0);
	FUZZ_CHECK(pwrite(file, data, size, 0) == (ssize_t)size);
	check_quota(root);
	check_counters(root);
	check_rules(root, CHECK_CLIENT);
	check_rules(root, CHECK_SERVER | CHECK_CLIENT);
	fuzz_proc(root);
	check_ports();
	fuzz_proc(NULL);
	return 0;
}
