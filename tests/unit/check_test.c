#include "tests/unit/support.h"

#include <sys/stat.h>

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/check.h"

/*
 * A host of files, with room for the run of each test.
 */

static char proc[] = "/tmp/check_test_proc.XXXXXX";
static char cgroup[] = "/tmp/check_test_cgroup.XXXXXX";

static char interfaces[] = "/tmp/check_test_interfaces.XXXXXX";

static const struct check_host roomy = {
    .proc = proc,
    .cgroup = cgroup,
    .interfaces = interfaces,
    .descriptors = 1000000,
    .processes = UINT64_MAX,
};

static const uint16_t ports[] = {4242, 7000, 7001, 7002, 53};

/* Both ends on this host, a target, 10,000 connections. */
static const struct check_run usual = {
    .ends = CHECK_CLIENT | CHECK_SERVER,
    .here = 2,
    .connections = 10000,
    .workers = 2,
    .spare = 64,
    .queries = 20000,
    .opens = 1000,
    .sources = 1,
    .targets = 1,
};

/* Path below a root, its directories made; "": no such file. */
static void
put(const char *root, const char *path, const char *text)
{
	char whole[256];
	char *slash;
	FILE *file;

	snprintf(whole, sizeof(whole), "%s/%s", root, path);
	for (slash = whole + strlen(root) + 1;
	     (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		(void)mkdir(whole, 0755);
		*slash = '/';
	}
	(void)unlink(whole);
	if (text[0] == '\0')
		return;
	file = fopen(whole, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	fclose(file);
}

static int
make_host(void **state)
{
	static const char *const files[][2] = {
	    {"sys/fs/nr_open", "1048576\n"},
	    {"sys/fs/file-max", "9223372036854775807\n"},
	    {"sys/fs/file-nr", "1200\t0\t9223372036854775807\n"},
	    {"sys/fs/epoll/max_user_watches", "1000000\n"},
	    {"meminfo", "MemTotal: 9 kB\nMemAvailable:   4000000 kB\n"},
	    {"self/cgroup", "0::/a/b\n"},
	    {"self/uid_map", "0 0 4294967295\n"},
	    {"self/status", "Name:\tx\nCapEff:\t0000000000000000\n"},
	    {"loadavg", "0.00 0.01 0.05 1/123 4567\n"},
	    {"sys/kernel/pid_max", "32768\n"},
	    {"sys/net/ipv4/ip_local_port_range", "32768\t60999\n"},
	    {"sys/net/ipv4/ip_local_reserved_ports", "\n"},
	    {"sys/net/ipv4/tcp_tw_reuse", "2\n"},
	    {"sys/net/ipv4/tcp_timestamps", "1\n"},
	    {"sys/net/ipv4/tcp_tw_reuse_delay", "1000\n"},
	    {"sys/net/ipv4/tcp_max_tw_buckets", "131072\n"},
	    {"sys/net/ipv4/tcp_max_orphans", "131072\n"},
	    {"sys/net/core/somaxconn", "4096\n"},
	    {"sys/net/ipv4/tcp_max_syn_backlog", "2048\n"},
	    {"sys/net/ipv4/tcp_syncookies", "1\n"},
	    {"sys/net/ipv4/tcp_abort_on_overflow", "0\n"},
	    {"sys/net/ipv4/tcp_mem", "100000\t200000\t300000\n"},
	    {"sys/net/netfilter/nf_conntrack_max", "262144\n"},
	    {"sys/net/netfilter/nf_conntrack_count", "0\n"},
	    {"sys/net/core/netdev_max_backlog", "1000\n"},
	    {"sys/net/ipv4/neigh/default/gc_thresh3", "1024\n"},
	    {"sys/net/ipv6/neigh/default/gc_thresh3", "1024\n"},
	    {"sys/net/ipv6/conf/all/disable_ipv6", "0\n"},
	    {"sys/net/ipv6/bindv6only", "0\n"},
	    {"net/sockstat",
		"sockets: used 14\n"
		"TCP: inuse 2 orphan 0 tw 0 alloc 2 mem 0\n"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(files); i++)
		put(proc, files[i][0], files[i][1]);
	put(cgroup, "a/b/memory.max", "max\n");
	put(cgroup, "a/b/pids.max", "max\n");
	put(cgroup, "a/memory.max", "max\n");
	put(cgroup, "a/pids.max", "max\n");
	put(interfaces, "lo/queues/rx-0/rps_cpus", "0\n");
	put(interfaces, "eth0/queues/rx-1/rps_cpus", "00000000,00000000\n");
	return 0;
}

static int
make_roots(void **state)
{
	(void)state;
	return mkdtemp(proc) == NULL || mkdtemp(cgroup) == NULL ||
	    mkdtemp(interfaces) == NULL;
}

static int
remove_one(
    const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

static int
remove_roots(void **state)
{
	(void)state;
	return nftw(proc, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0 ||
	    nftw(cgroup, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0 ||
	    nftw(interfaces, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0;
}

/* The row of one limit; the others are not looked at. */
static struct check_row
row_on(const struct check_host *host, const struct check_run *run,
    const char *name)
{
	struct check_row rows[CHECK_ROWS];
	size_t i, count = check_limits(host, run, rows);

	for (i = 0; i < count; i++)
		if (strcmp(rows[i].name, name) == 0)
			return rows[i];
	fail_msg("no row %s", name);
	abort();
}

static void
expect_on(const struct check_host *host, const struct check_run *run,
    const char *name, enum check_verdict verdict, const char *fix)
{
	const struct check_row row = row_on(host, run, name);

	if (row.verdict != verdict || strcmp(row.fix, fix) != 0)
		fail_msg("%s: value %s, needed %s, verdict %d, fix '%s'", name,
		    row.value, row.needed, (int)row.verdict, row.fix);
}

static void
expect(const struct check_run *run, const char *name,
    enum check_verdict verdict, const char *fix)
{
	expect_on(&roomy, run, name, verdict, fix);
}

/* A limit's file with this content. */
static void
expect_with(const char *path, const char *text, const char *name,
    enum check_verdict verdict, const char *fix)
{
	put(proc, path, text);
	expect(&usual, name, verdict, fix);
}

/*
 * Sysctls that are one number, of which the usual run needs so many.
 */

static const struct {
	const char *name;
	const char *path;
	unsigned int least;
} numbers[] = {
    {"fs.nr_open", "sys/fs/nr_open", 5064},
    {"fs.file-max", "sys/fs/file-max", 30000},
    {"fs.epoll.max_user_watches", "sys/fs/epoll/max_user_watches", 20128},
    {"kernel.pid_max", "sys/kernel/pid_max", 1002},
    {"net.ipv4.tcp_max_tw_buckets", "sys/net/ipv4/tcp_max_tw_buckets", 10000},
    {"net.ipv4.tcp_max_orphans", "sys/net/ipv4/tcp_max_orphans", 10000},
    {"net.core.somaxconn", "sys/net/core/somaxconn", 250},
    {"net.core.netdev_max_backlog", "sys/net/core/netdev_max_backlog", 601},
};

static void
a_healthy_host_is_enough(void **state)
{
	struct check_row rows[CHECK_ROWS];
	size_t i, count = check_limits(&roomy, &usual, rows);

	(void)state;
	assert_int_equal(check_count_low(rows, count), 0);
	assert_true(count > 20);
	for (i = 0; i < count; i++)
		if (rows[i].verdict != CHECK_OK)
			fail_msg("%s", rows[i].name);
}

static void
numbers_must_be_large_enough(void **state)
{
	char text[32], fix[128];
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(numbers); i++) {
		snprintf(text, sizeof(text), "%u\n", numbers[i].least);
		expect_with(
		    numbers[i].path, text, numbers[i].name, CHECK_OK, "");
		snprintf(text, sizeof(text), "%u\n", numbers[i].least - 1);
		snprintf(fix, sizeof(fix), "sysctl -w %s=%u", numbers[i].name,
		    numbers[i].least);
		expect_with(
		    numbers[i].path, text, numbers[i].name, CHECK_LOW, fix);
	}
}

/* Absent, empty, or not what it should be: never fine. */
static void
numbers_that_are_none_are_unreadable(void **state)
{
	static const char *const garbage[] = {"", "\n", "many\n", "-1\n",
	    "99999 x\n", "99999 99999\n", "0x99999\n", "99999.5\n",
	    "99999999999999999999999\n"};
	struct check_row row;
	size_t i, k;

	(void)state;
	for (i = 0; i < LENGTH(numbers); i++)
		for (k = 0; k < LENGTH(garbage); k++) {
			expect_with(numbers[i].path, garbage[k],
			    numbers[i].name, CHECK_UNREADABLE, "");
			row = row_on(&roomy, &usual, numbers[i].name);
			assert_string_equal(row.value, "-");
		}
}

/*
 * Whole hosts.
 */

static void
nothing_is_readable(void **state)
{
	const struct check_host host = {
	    .proc = "/nonexistent",
	    .cgroup = "/nonexistent",
	    .interfaces = "/nonexistent",
	    .descriptors = UINT64_MAX,
	    .processes = UINT64_MAX,
	};
	struct check_row rows[CHECK_ROWS];
	size_t i, count = check_limits(&host, &usual, rows);

	(void)state;
	for (i = 0; i < count; i++)
		if (rows[i].verdict != CHECK_UNREADABLE &&
		    strcmp(rows[i].value, "no limit") != 0)
			fail_msg("%s: %s", rows[i].name, rows[i].value);
}

static void
each_end_has_its_own(void **state)
{
	struct check_row rows[CHECK_ROWS];
	struct check_run run = usual;
	size_t i, count;

	(void)state;
	run.ends = CHECK_CLIENT;
	count = check_limits(&roomy, &run, rows);
	for (i = 0; i < count; i++)
		assert_string_not_equal(rows[i].name, "net.core.somaxconn");
	run.ends = CHECK_SERVER;
	count = check_limits(&roomy, &run, rows);
	for (i = 0; i < count; i++)
		assert_string_not_equal(
		    rows[i].name, "net.ipv4.ip_local_port_range");
}

/*
 * Descriptors, files, memory, processes.
 */

static void
descriptors(void **state)
{
	const char *name = "descriptors of a process";
	struct check_host host = roomy;

	(void)state;
	host.descriptors = 5064;
	expect_on(&host, &usual, name, CHECK_OK, "");
	host.descriptors = 5063;
	expect_on(&host, &usual, name, CHECK_LOW, "ulimit -Hn 5064");
	assert_string_equal(row_on(&host, &usual, name).other,
	    "or more workers: -w 3, or -w auto");
	host.descriptors = 64; /* no number of workers helps */
	expect_on(&host, &usual, name, CHECK_LOW, "ulimit -Hn 5064");
	assert_string_equal(row_on(&host, &usual, name).other, "");
	host.descriptors = UINT64_MAX;
	expect_on(&host, &usual, name, CHECK_OK, "");
}

static void
files_of_others_and_of_root(void **state)
{
	(void)state;
	put(proc, "sys/fs/file-max", "39999\n");
	put(proc, "sys/fs/file-nr", "9999\t0\t39999\n");
	expect(&usual, "fs.file-max", CHECK_OK, "");
	put(proc, "sys/fs/file-nr", "10000\t0\t39999\n");
	expect(&usual, "fs.file-max", CHECK_LOW, "sysctl -w fs.file-max=40000");
	assert_int_equal(
	    row_on(&roomy, &usual, "fs.file-max").severity, CHECK_DOUBTFUL);
	put(proc, "self/status", "Name:\tx\nCapEff:\t000001ffffffffff\n");
	assert_int_equal(
	    row_on(&roomy, &usual, "fs.file-max").severity, CHECK_MINOR);
	put(proc, "self/uid_map", "0 100000 65536\n"); /* of a container */
	assert_int_equal(
	    row_on(&roomy, &usual, "fs.file-max").severity, CHECK_DOUBTFUL);
}

/* 10,000 x (4150 + 1200 + 4150 + 250) + 2 x 2,500,000 bytes: 100,098 KB. */
static void
memory(void **state)
{
	const char *name = "memory available";
	struct check_run run = usual;
	struct check_row row;

	(void)state;
	put(proc, "meminfo", "MemAvailable: 100098 kB\n");
	expect(&usual, name, CHECK_OK, "");
	put(proc, "meminfo", "MemAvailable: 100097 kB\n");
	row = row_on(&roomy, &usual, name);
	assert_int_equal(row.verdict, CHECK_LOW);
	assert_string_equal(
	    row.other, "9750 bytes a connection: 9999 connections at most");
	run.ends = CHECK_CLIENT;
	expect(&run, name, CHECK_OK, "");
	put(proc, "meminfo", "MemAvailable: lots\n");
	expect(&usual, name, CHECK_UNREADABLE, "");
	put(proc, "meminfo", "MemTotal: 100097 kB\n");
	expect(&usual, name, CHECK_UNREADABLE, "");
}

static void
cgroup_memory(void **state)
{
	const char *name = "memory left by the cgroup";

	(void)state;
	expect(&usual, name, CHECK_OK, "");
	put(cgroup, "a/memory.max", "202500000\n");
	put(cgroup, "a/memory.current", "100000000\n");
	expect(&usual, name, CHECK_OK, "");
	put(cgroup, "a/memory.current", "100000001\n");
	expect(&usual, name, CHECK_LOW, "");
	/* what only caches files can be had back */
	put(cgroup, "a/memory.stat", "anon 5\ninactive_file 1\nslab 2\n");
	expect(&usual, name, CHECK_OK, "");
	put(cgroup, "a/b/memory.max", "1000\n");
	expect(&usual, name, CHECK_LOW, "");
	put(cgroup, "a/b/memory.max", "much\n");
	expect(&usual, name, CHECK_UNREADABLE, "");
	put(cgroup, "a/b/memory.max", "max\n");
	put(proc, "self/cgroup", "");
	expect(&usual, name, CHECK_UNREADABLE, "");
	put(proc, "self/cgroup", "nothing\n");
	expect(&usual, name, CHECK_UNREADABLE, "");
	/* seen from a container, whose path is of no use within */
	put(proc, "self/cgroup", "0::/docker/0123\n");
	put(cgroup, "memory.max", "1000\n");
	expect(&usual, name, CHECK_LOW, "");
	put(cgroup, "memory.max", "");
}

static void
cgroups_of_the_first_version(void **state)
{
	(void)state;
	put(proc, "self/cgroup", "9:pids:/\n4:cpu,memory:/x\n0::/\n");
	put(cgroup, "memory/x/memory.limit_in_bytes", "9223372036854771712\n");
	put(cgroup, "pids/pids.max", "18\n");
	expect(&usual, "memory left by the cgroup", CHECK_OK, "");
	expect(&usual, "processes left by the cgroup", CHECK_OK, "");
	put(cgroup, "memory/x/memory.limit_in_bytes", "1000000\n");
	put(cgroup, "pids/pids.max", "17\n");
	expect(&usual, "memory left by the cgroup", CHECK_LOW, "");
	expect(&usual, "processes left by the cgroup", CHECK_LOW, "");
}

static void
processes(void **state)
{
	struct check_host host = roomy;

	(void)state;
	put(cgroup, "a/b/pids.max", "100\n");
	put(cgroup, "a/b/pids.current", "82\n");
	expect(&usual, "processes left by the cgroup", CHECK_OK, "");
	put(cgroup, "a/b/pids.current", "83\n");
	expect(&usual, "processes left by the cgroup", CHECK_LOW, "");
	put(cgroup, "a/b/pids.max", "few\n");
	expect(&usual, "processes left by the cgroup", CHECK_UNREADABLE, "");

	host.processes = 18;
	expect_on(&host, &usual, "processes of the user", CHECK_OK, "");
	host.processes = 17;
	expect_on(
	    &host, &usual, "processes of the user", CHECK_LOW, "ulimit -u 18");

	put(proc, "loadavg", "0.00 0.01 0.05 1/40000 4567\n");
	expect(&usual, "kernel.pid_max", CHECK_LOW,
	    "sysctl -w kernel.pid_max=41002");
	put(proc, "loadavg", "none\n");
	expect(&usual, "kernel.pid_max", CHECK_OK, "");
}

/*
 * Ports.
 */

#define RANGE "sys/net/ipv4/ip_local_port_range"

static void
local_ports(void **state)
{
	const char *name = "net.ipv4.ip_local_port_range";
	struct check_run run = usual;
	struct check_row row;

	(void)state;
	put(proc, RANGE, "30001\t40000\n");
	row = row_on(&roomy, &run, name);
	assert_int_equal(row.verdict, CHECK_OK);
	assert_string_equal(row.set, "1024 65535"); /* no more than half used */
	put(proc, RANGE, "30001\t50000\n");
	assert_string_equal(row_on(&roomy, &run, name).set, "30001 50000");
	put(proc, RANGE, "30002\t40000\n");
	row = row_on(&roomy, &run, name);
	assert_string_equal(
	    row.fix, "sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"");
	assert_string_equal(row.other,
	    "or 1 more source address (-a) or 1 more target port (-p)");

	/* what is listened on is no port to connect from */
	run.ports = ports;
	run.port_count = LENGTH(ports);
	row = row_on(&roomy, &run, name);
	assert_string_equal(row.fix,
	    "sysctl -w net.ipv4.ip_local_reserved_ports=4242,7000-7002 "
	    "net.ipv4.ip_local_port_range=\"1024 65535\"");

	run.connections = 200000; /* of 64,508 a way */
	row = row_on(&roomy, &run, name);
	assert_string_equal(row.other,
	    "and 3 more source addresses (-a) or 3 more target ports (-p)");
	put(proc, RANGE, "1024\t65535\n");
	row = row_on(&roomy, &run, name);
	assert_int_equal(row.verdict, CHECK_LOW);
	assert_string_equal(row.fix, "");
	run.targets = 2;
	run.sources = 2;
	row = row_on(&roomy, &run, name);
	assert_int_equal(row.verdict, CHECK_OK);
	assert_string_equal(row.value, "64512 x 2 x 2");
}

static void
local_ports_that_are_none(void **state)
{
	static const char *const garbage[] = {
	    "", "\n", "30001\n", "5 4\n", "1 2 3\n", "1024 65536\n", "a b\n"};
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(garbage); i++) {
		expect_with(RANGE, garbage[i], "net.ipv4.ip_local_port_range",
		    CHECK_UNREADABLE, "");
		expect(&usual, "net.ipv4.ip_local_reserved_ports",
		    CHECK_UNREADABLE, "");
	}
}

static void
reserved_ports(void **state)
{
	const char *name = "net.ipv4.ip_local_reserved_ports";
	static const uint16_t odd[] = {33001, 33003, 33004, 33005, 33007};
	struct check_run run = usual;

	(void)state;
	run.ports = ports;
	run.port_count = LENGTH(ports);
	expect(&run, name, CHECK_OK, "");
	assert_string_equal(row_on(&roomy, &run, name).set, "4242,7000-7002");
	run.ports = odd;
	run.port_count = LENGTH(odd);
	expect(&run, name, CHECK_LOW,
	    "sysctl -w net.ipv4.ip_local_reserved_ports="
	    "33001,33003-33005,33007");
	put(proc, "sys/net/ipv4/ip_local_reserved_ports", "9,33004-33006\n");
	expect(&run, name, CHECK_LOW,
	    "sysctl -w net.ipv4.ip_local_reserved_ports="
	    "9,33004-33006,33001,33003,33007");
	put(proc, "sys/net/ipv4/ip_local_reserved_ports", "33001-33010\n");
	expect(&run, name, CHECK_OK, "");
	assert_string_equal(row_on(&roomy, &run, name).set, "33001-33010");
}

/* A list that a command has no room for is not written half. */
static void
reserved_ports_without_room(void **state)
{
	const char *name = "net.ipv4.ip_local_reserved_ports";
	struct check_run run = usual;
	struct check_row row;
	uint16_t many[100];
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(many); i++)
		many[i] = (uint16_t)(33000 + 2 * i);
	run.ports = many;
	run.port_count = LENGTH(many);
	row = row_on(&roomy, &run, name);
	assert_int_equal(row.verdict, CHECK_LOW);
	assert_string_equal(row.set, "");
	assert_string_equal(row.fix, "");
	assert_string_equal(
	    row.other, "reserve the ports that are listened on");
}

static void
time_wait(void **state)
{
	const char *name = "net.ipv4.tcp_tw_reuse";
	struct check_run run = usual;

	(void)state;
	expect(&run, name, CHECK_OK, "");
	put(proc, "net/sockstat", "TCP: inuse 2 orphan 0 tw 18232 alloc 2\n");
	expect(&run, name, CHECK_OK, "");
	run.time_waits = 1; /* of its own, on its way */
	expect(&run, name, CHECK_LOW, "sysctl -w net.ipv4.tcp_tw_reuse=1");
	run.time_waits = 0;
	put(proc, "net/sockstat", "TCP: inuse 2 orphan 0 tw 18233 alloc 2\n");
	expect(&run, name, CHECK_LOW, "sysctl -w net.ipv4.tcp_tw_reuse=1");
	run.loopback = true; /* which 2 is for */
	expect(&run, name, CHECK_OK, "");
	put(proc, "sys/net/ipv4/tcp_tw_reuse", "0\n");
	expect(&run, name, CHECK_LOW, "sysctl -w net.ipv4.tcp_tw_reuse=1");
	run.loopback = false;
	put(proc, "sys/net/ipv4/tcp_tw_reuse", "1\n");
	expect(&run, name, CHECK_OK, "");
	put(proc, "sys/net/ipv4/tcp_tw_reuse", "yes\n");
	expect(&run, name, CHECK_UNREADABLE, "");

	run.resets = true;
	put(proc, "sys/net/ipv4/tcp_max_tw_buckets", "10\n");
	put(proc, "sys/net/ipv4/tcp_max_orphans", "10\n");
	expect(&run, "net.ipv4.tcp_max_tw_buckets", CHECK_OK, "");
	expect(&run, "net.ipv4.tcp_max_orphans", CHECK_OK, "");
}

/* tcp_tw_reuse does nothing without timestamps, nor before its delay is over. */
static void
timestamps(void **state)
{
	const char *name = "net.ipv4.tcp_timestamps",
		   *delay = "net.ipv4.tcp_tw_reuse_delay";
	struct check_run run = usual;

	(void)state;
	put(proc, "sys/net/ipv4/tcp_tw_reuse", "1\n");
	put(proc, "sys/net/ipv4/tcp_timestamps", "0\n");
	put(proc, "sys/net/ipv4/tcp_tw_reuse_delay", "60000\n");
	/* nothing is reused: any will do */
	expect(&run, name, CHECK_OK, "");
	expect(&run, delay, CHECK_OK, "");
	run.time_waits = 100000;
	expect(&run, name, CHECK_LOW, "sysctl -w net.ipv4.tcp_timestamps=1");
	expect(&run, delay, CHECK_LOW,
	    "sysctl -w net.ipv4.tcp_tw_reuse_delay=1000");
	put(proc, "sys/net/ipv4/tcp_timestamps", "2\n");
	put(proc, "sys/net/ipv4/tcp_tw_reuse_delay", "100\n");
	expect(&run, name, CHECK_OK, "");
	expect(&run, delay, CHECK_OK, "");
	/* older kernels have none */
	put(proc, "sys/net/ipv4/tcp_tw_reuse_delay", "");
	expect(&run, delay, CHECK_UNREADABLE, "");
	/* of a server it is not known whether its clients reuse ports */
	run.ends = CHECK_SERVER;
	expect(&run, name, CHECK_OK, "");
	put(proc, "sys/net/ipv4/tcp_timestamps", "0\n");
	expect(&run, name, CHECK_LOW, "sysctl -w net.ipv4.tcp_timestamps=1");
}

/* Follows "sysctl -w NAME=VALUE NAME="VALUE VALUE"". */
static void
follow(const char *fix)
{
	const char *at = fix + strlen("sysctl -w "), *end;
	char path[200], value[600], *dot;

	assert_memory_equal(fix, "sysctl -w ", strlen("sysctl -w "));
	while (*at != '\0') {
		end = strchr(at, '=');
		assert_non_null(end);
		snprintf(path, sizeof(path), "sys/%.*s", (int)(end - at), at);
		while ((dot = strchr(path, '.')) != NULL)
			*dot = '/';
		at = end + 1;
		end = *at == '"' ? strchr(++at, '"') : at + strcspn(at, " ");
		snprintf(value, sizeof(value), "%.*s\n", (int)(end - at), at);
		put(proc, path, value);
		at = end + strspn(end, "\" ");
	}
}

/* A host on which every sysctl is too low: each fix, followed, is enough. */
static void
advice_is_not_what_is_set(void **state)
{
	static const char *const low[] = {"fs/nr_open", "fs/file-max",
	    "fs/epoll/max_user_watches", "kernel/pid_max",
	    "net/ipv4/tcp_tw_reuse", "net/ipv4/tcp_timestamps",
	    "net/ipv4/tcp_max_tw_buckets", "net/ipv4/tcp_max_orphans",
	    "net/core/somaxconn", "net/ipv4/tcp_max_syn_backlog",
	    "net/ipv4/tcp_syncookies", "net/netfilter/nf_conntrack_max",
	    "net/core/netdev_max_backlog", "net/ipv4/neigh/default/gc_thresh3",
	    "net/ipv6/neigh/default/gc_thresh3"};
	struct check_row rows[CHECK_ROWS];
	struct check_run run = usual;
	char path[200];
	size_t i, count, followed = 0;

	(void)state;
	for (i = 0; i < LENGTH(low); i++) {
		snprintf(path, sizeof(path), "sys/%s", low[i]);
		put(proc, path, "0\n");
	}
	put(proc, "sys/net/ipv4/tcp_mem", "0\t0\t0\n");
	put(proc, "sys/net/ipv4/tcp_tw_reuse_delay", "60000\n");
	put(proc, "sys/net/ipv4/ip_local_port_range", "40000\t40099\n");
	put(proc, "sys/net/ipv6/conf/all/disable_ipv6", "1\n");
	put(proc, "sys/net/netfilter/nf_conntrack_count", "10\n");
	run.time_waits = 100000;
	run.neighbours_v4 = run.neighbours_v6 = 5;
	run.ipv6 = true;
	run.ports = ports;
	run.port_count = LENGTH(ports);
	count = check_limits(&roomy, &run, rows);
	for (i = 0; i < count; i++)
		if (rows[i].verdict == CHECK_LOW && rows[i].fix[0] != '\0') {
			follow(rows[i].fix);
			followed++;
		}
	assert_true(followed >= LENGTH(low));
	/* a wider range of ports makes reuse needed, so a second time */
	count = check_limits(&roomy, &run, rows);
	for (i = 0; i < count; i++)
		if (rows[i].verdict == CHECK_LOW && rows[i].fix[0] != '\0')
			follow(rows[i].fix);
	count = check_limits(&roomy, &run, rows);
	for (i = 0; i < count; i++)
		if (rows[i].verdict == CHECK_LOW)
			print_error("%s: %s\n", rows[i].name, rows[i].fix);
	assert_int_equal(check_count_low(rows, count), 0);
}

/*
 * Queues, cookies, memory of TCP, tracking, IPv6.
 */

static void
queues(void **state)
{
	struct check_run run = usual;

	(void)state;
	run.opens = 0; /* as many as the client has pending */
	expect(&run, "net.core.somaxconn", CHECK_OK, "");
	put(proc, "sys/net/core/somaxconn", "4095\n");
	expect(&run, "net.core.somaxconn", CHECK_LOW,
	    "sysctl -w net.core.somaxconn=4096");
	run.ends = CHECK_SERVER; /* who knows how many clients there are */
	expect(&run, "net.core.somaxconn", CHECK_LOW,
	    "sysctl -w net.core.somaxconn=10000");
	run.connections = 1000000;
	expect(&run, "net.core.somaxconn", CHECK_LOW,
	    "sysctl -w net.core.somaxconn=65535");

	run = usual;
	run.opens = 40000;
	expect(&run, "net.ipv4.tcp_max_syn_backlog", CHECK_OK, "");
	put(proc, "sys/net/ipv4/tcp_syncookies", "0\n");
	expect(&run, "net.ipv4.tcp_max_syn_backlog", CHECK_LOW,
	    "sysctl -w net.ipv4.tcp_max_syn_backlog=13334");
	put(proc, "sys/net/ipv4/tcp_syncookies", "");
	expect(&run, "net.ipv4.tcp_max_syn_backlog", CHECK_LOW,
	    "sysctl -w net.ipv4.tcp_max_syn_backlog=13334");
	expect(&run, "net.ipv4.tcp_syncookies", CHECK_UNREADABLE, "");
	put(proc, "sys/net/ipv4/tcp_max_syn_backlog", "");
	expect(&run, "net.ipv4.tcp_max_syn_backlog", CHECK_UNREADABLE, "");
}

static void
tcp_memory(void **state)
{
	static const char *const garbage[] = {
	    "", "\n", "1 2\n", "1 2 3 4\n", "a b c\n"};
	const char *path = "sys/net/ipv4/tcp_mem", *name = "net.ipv4.tcp_mem";
	size_t i;

	(void)state;
	expect_with(path, "1 10001 20002\n", name, CHECK_OK, "");
	expect_with(path, "1 10000 20000\n", name, CHECK_LOW,
	    "sysctl -w net.ipv4.tcp_mem=\"10001 10001 20002\"");
	for (i = 0; i < LENGTH(garbage); i++)
		expect_with(path, garbage[i], name, CHECK_UNREADABLE, "");
}

static void
tracking(void **state)
{
	const char *name = "net.netfilter.nf_conntrack_max";
	const char *count = "sys/net/netfilter/nf_conntrack_count";
	const char *most = "sys/net/netfilter/nf_conntrack_max";
	struct check_run run = usual;

	(void)state;
	put(proc, most, "1\n"); /* which does not matter: nothing is tracked */
	expect(&run, name, CHECK_OK, "");
	put(proc, count, "7\n");
	expect(&run, name, CHECK_LOW,
	    "sysctl -w net.netfilter.nf_conntrack_max=36000");
	put(proc, most, "36000\n");
	expect(&run, name, CHECK_OK, "");
	run.opens = 10; /* 120 s of that are less than there were before */
	put(proc, most, "24560\n");
	expect(&run, name, CHECK_OK, "");
	put(proc, most, "24559\n");
	expect(&run, name, CHECK_LOW,
	    "sysctl -w net.netfilter.nf_conntrack_max=24560");
	put(proc, most, "x\n");
	expect(&run, name, CHECK_UNREADABLE, "");
	put(proc, count, "");
	expect(&run, name, CHECK_UNREADABLE, "");
}

/* What bounds a burst: the rate, or the connections. */
static void
packet_backlog(void **state)
{
	static const struct {
		double queries;
		uint64_t connections;
		const char *needed;
	} cases[] = {{1e6, 5, "16"}, {1e6, 2000, "6001"}, {1e6, 15000, "30001"},
	    {100, 15000, "4"}, {0, 15000, "1"}};
	struct check_run run = usual;
	struct check_row row;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(cases); i++) {
		run.queries = cases[i].queries;
		run.connections = cases[i].connections;
		row = row_on(&roomy, &run, "net.core.netdev_max_backlog");
		assert_string_equal(row.needed, cases[i].needed);
	}
}

/* Where no packet goes to another processor, it hardly matters. */
static void
packet_backlog_of_others(void **state)
{
	static const struct {
		const char *mask;
		enum check_severity severity;
	} cases[] = {{"0\n", CHECK_MINOR}, {"\n", CHECK_MINOR},
	    {"", CHECK_MINOR}, {"3\n", CHECK_DOUBTFUL},
	    {"00000000,00000100\n", CHECK_DOUBTFUL},
	    {"80000000,00000000\n", CHECK_DOUBTFUL}};
	struct check_row row;
	size_t i;

	(void)state;
	put(proc, "sys/net/core/netdev_max_backlog", "600\n");
	for (i = 0; i < LENGTH(cases); i++) {
		put(interfaces, "eth0/queues/rx-1/rps_cpus", cases[i].mask);
		row = row_on(&roomy, &usual, "net.core.netdev_max_backlog");
		assert_int_equal(row.verdict, CHECK_LOW);
		assert_int_equal(row.severity, cases[i].severity);
	}
}

/* An entry for each other host, and as much for everybody else. */
static void
neighbour_table(void **state)
{
	const char *v4 = "net.ipv4.neigh.default.gc_thresh3";
	const char *v6 = "net.ipv6.neigh.default.gc_thresh3";
	struct check_run run = usual;

	(void)state;
	put(proc, "sys/net/ipv4/neigh/default/gc_thresh3", "1\n");
	expect(&run, v4, CHECK_OK, "");
	put(proc, "sys/net/ipv4/neigh/default/gc_thresh3", "1024\n");
	run.neighbours_v4 = 512;
	run.neighbours_v6 = 513;
	expect(&run, v4, CHECK_OK, "");
	expect(&run, v6, CHECK_LOW,
	    "sysctl -w net.ipv6.neigh.default.gc_thresh3=1026");
	assert_int_equal(row_on(&roomy, &run, v6).severity, CHECK_MINOR);
	put(proc, "sys/net/ipv6/neigh/default/gc_thresh3", "");
	expect(&run, v6, CHECK_UNREADABLE, "");
}

static void
ipv6(void **state)
{
	const char *name = "net.ipv6.conf.all.disable_ipv6";
	const char *path = "sys/net/ipv6/conf/all/disable_ipv6";
	struct check_run run = usual;

	(void)state;
	run.ipv6 = true;
	expect(&run, name, CHECK_OK, "");
	put(proc, path, "1\n");
	expect(&run, name, CHECK_LOW,
	    "sysctl -w net.ipv6.conf.all.disable_ipv6=0");
	run.ipv6 = false;
	expect(&run, name, CHECK_OK, "");
	put(proc, path, "");
	expect(&run, name, CHECK_UNREADABLE, "");
	put(proc, "sys/net/ipv6/bindv6only", "");
	expect(&run, "net.ipv6.bindv6only", CHECK_UNREADABLE, "");
	put(proc, "sys/net/ipv4/tcp_abort_on_overflow", "");
	expect(&run, "net.ipv4.tcp_abort_on_overflow", CHECK_UNREADABLE, "");
}

/*
 * What is printed.
 */

static char *
printed(void (*print)(const struct check_row *, size_t, FILE *),
    const struct check_run *run)
{
	struct check_row rows[CHECK_ROWS];
	size_t size, count = check_limits(&roomy, run, rows);
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	print(rows, count, out);
	fclose(out);
	return text;
}

static void
a_table_for_people(void **state)
{
	char *text, *line, *rest;

	(void)state;
	put(proc, "sys/net/core/somaxconn", "128\n");
	text = printed(check_print, &usual);
	assert_non_null(strstr(text,
	    "net.core.somaxconn                128                  250"
	    "                  too low\n"));
	assert_non_null(
	    strstr(text, "\n    sysctl -w net.core.somaxconn=250\n"));
	assert_non_null(strstr(text, "\n1 too low, 0 unreadable\n"));
	for (rest = text; (line = strsep(&rest, "\n")) != NULL;)
		assert_true(strlen(line) <= 100);
	free(text);
}

/* A value is what it is already, or what the run needs. */
static void
lines_for_programs(void **state)
{
	char *text;

	(void)state;
	put(proc, "sys/net/core/somaxconn", "128\n");
	put(proc, "sys/net/ipv4/tcp_max_orphans", "");
	put(proc, "sys/net/core/netdev_max_backlog", "");
	text = printed(check_print_sysctls, &usual);
	assert_non_null(strstr(text, "net.core.somaxconn 250\n"));
	assert_non_null(strstr(text, "fs.file-max 9223372036854775807\n"));
	assert_non_null(
	    strstr(text, "net.ipv4.tcp_mem 100000 200000 300000\n"));
	assert_non_null(
	    strstr(text, "net.ipv4.ip_local_port_range 32768 60999\n"));
	assert_non_null(strstr(text, "net.ipv4.tcp_syncookies 0\n"));
	/* one that is missed is asked for, one that hardly matters is not */
	assert_non_null(strstr(text, "net.core.netdev_max_backlog 601\n"));
	assert_null(strstr(text, "tcp_max_orphans"));
	assert_null(strstr(text, "memory"));
	free(text);
}

#define TEST(name) cmocka_unit_test_setup(name, make_host)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    TEST(a_healthy_host_is_enough),
	    TEST(numbers_must_be_large_enough),
	    TEST(numbers_that_are_none_are_unreadable),
	    TEST(nothing_is_readable),
	    TEST(each_end_has_its_own),
	    TEST(descriptors),
	    TEST(files_of_others_and_of_root),
	    TEST(memory),
	    TEST(cgroup_memory),
	    TEST(cgroups_of_the_first_version),
	    TEST(processes),
	    TEST(local_ports),
	    TEST(local_ports_that_are_none),
	    TEST(reserved_ports),
	    TEST(reserved_ports_without_room),
	    TEST(time_wait),
	    TEST(timestamps),
	    TEST(advice_is_not_what_is_set),
	    TEST(queues),
	    TEST(tcp_memory),
	    TEST(tracking),
	    TEST(packet_backlog),
	    TEST(packet_backlog_of_others),
	    TEST(neighbour_table),
	    TEST(ipv6),
	    TEST(a_table_for_people),
	    TEST(lines_for_programs),
	};

	return cmocka_run_group_tests_name(
	    "check", tests, make_roots, remove_roots);
}
