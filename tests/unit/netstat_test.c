#include "tests/unit/support.h"

#include <sys/stat.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/netstat.h"

#define ERRNOS 134

/*
 * A /proc root of the test's own.
 */

static const char *const files[] = {"snmp", "netstat", "softnet_stat"};

/* Far more ports than connections: they are not the limit. */
static const struct limits_ways ample = {
    .ports = 28232, .sources = 1, .targets = 1};

static void
root_path(const char *root, const char *name, char path[200])
{
	snprintf(path, 200, "%s/net/%s", root, name);
}

static int
root_make(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char path[200];
	static char root[100];

	/* netstat_read() is not made for a root of any length */
	if (tmp == NULL || strlen(tmp) > 60)
		tmp = "/tmp";
	snprintf(root, sizeof(root), "%s/netstat_test.XXXXXX", tmp);
	if (mkdtemp(root) == NULL)
		return -1;
	root_path(root, "", path);
	*state = root;
	return mkdir(path, 0700);
}

static int
root_remove(void **state)
{
	char path[200];
	size_t i;

	for (i = 0; i < LENGTH(files); i++) {
		root_path(*state, files[i], path);
		unlink(path);
	}
	root_path(*state, "", path);
	return rmdir(path) == 0 ? rmdir(*state) : -1;
}

static void
put_file(const char *root, const char *name, const char *text)
{
	char path[200];
	FILE *file;

	root_path(root, name, path);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void
remove_file(const char *root, const char *name)
{
	char path[200];

	root_path(root, name, path);
	assert_int_equal(unlink(path), 0);
}

static const char snmp[] =
    "Ip: Forwarding DefaultTTL InReceives\n"
    "Ip: 1 64 123456\n"
    "Icmp: InMsgs InErrors\n"
    "Icmp: 9 8\n"
    "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens "
    "AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs "
    "OutRsts InCsumErrors\n"
    "Tcp: 1 200 120000 -1 2001 2002 101 102 2003 2004 2005 103 2006 2007 2008\n"
    "Udp: InDatagrams NoPorts RetransSegs ListenOverflows\n"
    "Udp: 3001 3002 3003 3004\n";

static const char netstat[] =
    "TcpExt: SyncookiesSent SyncookiesRecv EmbryonicRsts TW ListenOverflows "
    "ListenDrops TCPTimeouts TCPAbortOnMemory TCPMemoryPressures "
    "TCPMemoryPressuresChrono TCPBacklogDrop TCPTimeWaitOverflow "
    "TCPReqQFullDoCookies TCPReqQFullDrop TCPRetransFail TCPSynRetrans\n"
    "TcpExt: 201 4001 4002 4003 202 203 204 205 206 4004 207 208 209 210 4005 "
    "211\n"
    "IpExt: InNoRoutes ListenDrops\n"
    "IpExt: 5001 5002\n";

static const char softnet[] =
    "0001a2b3 0000000a 00000000 00000000 00000000 00000000 00000000 00000000\n"
    "ffffffff 000000ff 00000001 00000000 00000000 00000000 00000000 00000000\n"
    "00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000\n";

static const struct {
	enum netstat_counter counter;
	const char *name;
	uint64_t value;
} fixture[] = {
    {NETSTAT_Tcp_AttemptFails, "AttemptFails", 101},
    {NETSTAT_Tcp_EstabResets, "EstabResets", 102},
    {NETSTAT_Tcp_RetransSegs, "RetransSegs", 103},
    {NETSTAT_TcpExt_SyncookiesSent, "SyncookiesSent", 201},
    {NETSTAT_TcpExt_ListenOverflows, "ListenOverflows", 202},
    {NETSTAT_TcpExt_ListenDrops, "ListenDrops", 203},
    {NETSTAT_TcpExt_TCPTimeouts, "TCPTimeouts", 204},
    {NETSTAT_TcpExt_TCPAbortOnMemory, "TCPAbortOnMemory", 205},
    {NETSTAT_TcpExt_TCPMemoryPressures, "TCPMemoryPressures", 206},
    {NETSTAT_TcpExt_TCPBacklogDrop, "TCPBacklogDrop", 207},
    {NETSTAT_TcpExt_TCPTimeWaitOverflow, "TCPTimeWaitOverflow", 208},
    {NETSTAT_TcpExt_TCPReqQFullDoCookies, "TCPReqQFullDoCookies", 209},
    {NETSTAT_TcpExt_TCPReqQFullDrop, "TCPReqQFullDrop", 210},
    {NETSTAT_TcpExt_TCPSynRetrans, "TCPSynRetrans", 211},
    {NETSTAT_softnet_dropped, "softnet_dropped", 10 + 255},
};

static void
put_fixture(const char *root)
{
	put_file(root, "snmp", snmp);
	put_file(root, "netstat", netstat);
	put_file(root, "softnet_stat", softnet);
}

/* Which file a counter is in, as an index of files[]. */
static size_t
file_of(enum netstat_counter counter)
{
	if (counter == NETSTAT_softnet_dropped)
		return 2;
	return counter <= NETSTAT_Tcp_RetransSegs ? 0 : 1;
}

static size_t
readable_count(const struct netstat *n)
{
	size_t count = 0, i;

	for (i = 0; i < NETSTAT_COUNT; i++)
		count += n->readable[i];
	return count;
}

static void
expect_counter(
    const struct netstat *n, enum netstat_counter counter, uint64_t value)
{
	assert_true(n->readable[counter]);
	assert_int_equal(n->value[counter], value);
}

/*
 * Reading.
 */

static void
read_all(void **state)
{
	struct netstat n;
	size_t i;

	put_fixture(*state);
	memset(&n, 0xff, sizeof(n));
	netstat_read(&n, *state);
	assert_int_equal(LENGTH(fixture), NETSTAT_COUNT);
	assert_int_equal(readable_count(&n), NETSTAT_COUNT);
	for (i = 0; i < LENGTH(fixture); i++) {
		expect_counter(&n, fixture[i].counter, fixture[i].value);
		assert_string_equal(
		    netstat_name(fixture[i].counter), fixture[i].name);
	}
}

static void
read_missing(void **state)
{
	struct netstat n;
	size_t missing, i;

	for (missing = 0; missing < LENGTH(files); missing++) {
		put_fixture(*state);
		remove_file(*state, files[missing]);
		memset(&n, 0xff, sizeof(n));
		netstat_read(&n, *state);
		for (i = 0; i < NETSTAT_COUNT; i++) {
			assert_int_equal(n.readable[i],
			    file_of((enum netstat_counter)i) != missing);
			if (!n.readable[i])
				assert_int_equal(n.value[i], 0);
		}
	}
	memset(&n, 0xff, sizeof(n));
	netstat_read(&n, "/nonexistent");
	assert_int_equal(readable_count(&n), 0);
}

static void
read_empty(void **state)
{
	struct netstat n;

	put_file(*state, "snmp", "");
	put_file(*state, "netstat", "\n\n\n");
	netstat_read(&n, *state);
	assert_int_equal(readable_count(&n), 0);
}

/* What is read of a cut file is as it was, what is not is unreadable. */
static void
read_truncated(void **state)
{
	struct netstat whole, n;
	char text[sizeof(netstat)];
	size_t length, line_end, i;

	put_fixture(*state);
	netstat_read(&whole, *state);
	line_end = (size_t)(strchr(netstat, '\n') - netstat);
	for (length = 0; length < strlen(netstat); length++) {
		memcpy(text, netstat, length);
		text[length] = '\0';
		put_file(*state, "netstat", text);
		netstat_read(&n, *state);
		if (length <= line_end)
			assert_int_equal(readable_count(&n), 4);
		for (i = 0; i < NETSTAT_COUNT; i++)
			if (n.readable[i] && n.value[i] != whole.value[i])
				/* cut within this number: 21 of 211 */
				assert_true(n.value[i] < whole.value[i]);
	}
	/* values for the first names only */
	put_file(*state, "netstat",
	    "TcpExt: SyncookiesSent ListenOverflows ListenDrops\n"
	    "TcpExt: 1 2\n");
	netstat_read(&n, *state);
	expect_counter(&n, NETSTAT_TcpExt_SyncookiesSent, 1);
	expect_counter(&n, NETSTAT_TcpExt_ListenOverflows, 2);
	assert_false(n.readable[NETSTAT_TcpExt_ListenDrops]);
	/* names for the first values only */
	put_file(*state, "netstat",
	    "TcpExt: SyncookiesSent ListenOverflows\nTcpExt: 1 2 3 4\n");
	netstat_read(&n, *state);
	expect_counter(&n, NETSTAT_TcpExt_ListenOverflows, 2);
	assert_int_equal(readable_count(&n), 4 + 2);
}

static void
read_odd_forms(void **state)
{
	struct netstat n;
	char *text = malloc(200000);
	size_t used;

	assert_non_null(text);
	put_fixture(*state);
	/* the largest value, columns in any order, no end of line */
	put_file(*state, "netstat",
	    "IpExt: ListenDrops\nIpExt: 5\n"
	    "TcpExt: TCPSynRetrans Unknown ListenOverflows\n"
	    "TcpExt: 18446744073709551615 7 8");
	netstat_read(&n, *state);
	expect_counter(&n, NETSTAT_TcpExt_TCPSynRetrans, UINT64_MAX);
	expect_counter(&n, NETSTAT_TcpExt_ListenOverflows, 8);
	assert_int_equal(readable_count(&n), 3 + 2 + 1);

	/* lines of any length */
	used = (size_t)sprintf(text, "TcpExt:");
	while (used < 90000)
		used += (size_t)sprintf(text + used, " NotYetThoughtOf");
	used += (size_t)sprintf(text + used, " ListenDrops\nTcpExt:");
	while (used < 104000)
		used += (size_t)sprintf(text + used, " 0");
	sprintf(text + used, "\n");
	put_file(*state, "netstat", text);
	netstat_read(&n, *state);
	expect_counter(&n, NETSTAT_TcpExt_ListenDrops, 0);
	free(text);
}

static void
read_softnet(void **state)
{
	static const struct {
		const char *text;
		uint64_t dropped;
	} cases[] = {
	    {"00000001 00000002 00000003\n", 2},
	    {"00000001 00000010 00000003\n", 16},
	    {"00000001 deadBEEF 00000003\n", 0xdeadbeef},
	    {"00000001 00000002\n00000001 00000003", 5},
	    {"ffffffff ffffffff 0\nffffffff ffffffff 0\n",
		UINT64_C(0x1fffffffe)},
	    /* cut off */
	    {"00000001 00000002 00000003\n00000001 000", 2},
	    {"00000001 00000002 00000003\n00000001\n", 2},
	    {"00000001 00000002 00000003\n\n00000001 00000004 00000005\n", 6},
	};
	struct netstat n;
	size_t i;

	for (i = 0; i < LENGTH(cases); i++) {
		put_file(*state, "softnet_stat", cases[i].text);
		netstat_read(&n, *state);
		expect_counter(&n, NETSTAT_softnet_dropped, cases[i].dropped);
	}
}

static void
subtract(void **state)
{
	struct netstat earlier, later, none;
	size_t i;

	put_fixture(*state);
	netstat_read(&earlier, *state);
	netstat_read(&later, *state);
	remove_file(*state, "snmp");
	remove_file(*state, "netstat");
	remove_file(*state, "softnet_stat");
	netstat_read(&none, *state);
	for (i = 0; i < NETSTAT_COUNT; i++)
		later.value[i] += 7 * i;
	later.readable[NETSTAT_TcpExt_ListenDrops] = false;
	earlier.readable[NETSTAT_Tcp_EstabResets] = false;
	netstat_subtract(&later, &earlier);
	for (i = 0; i < NETSTAT_COUNT; i++) {
		if (i == NETSTAT_TcpExt_ListenDrops ||
		    i == NETSTAT_Tcp_EstabResets)
			assert_false(later.readable[i]);
		else
			expect_counter(&later, (enum netstat_counter)i, 7 * i);
	}
	netstat_subtract(&later, &none);
	assert_int_equal(readable_count(&later), 0);
	netstat_subtract(&none, &earlier);
	assert_int_equal(readable_count(&none), 0);
}

/*
 * Diagnosing.
 */

/* All counters readable, all deltas zero. */
static struct netstat
quiet(void)
{
	struct netstat n;
	size_t i;

	memset(&n, 0, sizeof(n));
	for (i = 0; i < NETSTAT_COUNT; i++)
		n.readable[i] = true;
	return n;
}

static void
expect_finding(const struct netstat_finding *f, uint64_t count,
    const char *limit, const char *side)
{
	char begin[32];

	snprintf(begin, sizeof(begin), "%" PRIu64 " ", count);
	assert_memory_equal(f->symptom, begin, strlen(begin));
	assert_true(strlen(f->symptom) > strlen(begin));
	assert_true(strlen(f->symptom) < sizeof(f->symptom) - 1);
	assert_non_null(strstr(f->limit, limit));
	assert_non_null(strstr(f->side, side));
	assert_non_null(f->fix);
	assert_int_not_equal(strlen(f->fix), 0);
}

static void
diagnose_nothing(void **state)
{
	struct netstat n = quiet();
	struct netstat_finding out[NETSTAT_FINDINGS];
	uint64_t errors[ERRNOS] = {0};

	(void)state;
	assert_int_equal(
	    netstat_diagnose(&n, errors, ERRNOS, &ample, 1, out), 0);
	assert_int_equal(netstat_diagnose(&n, NULL, 0, &ample, 1, out), 0);
	/* failures whose errno is not known say nothing */
	errors[0] = 5;
	assert_int_equal(
	    netstat_diagnose(&n, errors, ERRNOS, &ample, 1, out), 0);
}

/* These count in healthy runs as well. */
static void
diagnose_healthy_counters(void **state)
{
	static const enum netstat_counter healthy[] = {NETSTAT_Tcp_RetransSegs,
	    NETSTAT_Tcp_AttemptFails, NETSTAT_Tcp_EstabResets,
	    NETSTAT_TcpExt_TCPTimeouts, NETSTAT_TcpExt_TCPSynRetrans};
	struct netstat_finding out[NETSTAT_FINDINGS];
	struct netstat n = quiet();
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(healthy); i++) {
		n.value[healthy[i]] = 1000000;
		assert_int_equal(
		    netstat_diagnose(&n, NULL, 0, &ample, 1, out), 0);
	}
}

static void
diagnose_counters(void **state)
{
	static const struct {
		enum netstat_counter counter;
		const char *limit;
	} cases[] = {
	    {NETSTAT_TcpExt_ListenOverflows, "somaxconn"},
	    {NETSTAT_TcpExt_TCPReqQFullDrop, "tcp_max_syn_backlog"},
	    {NETSTAT_TcpExt_TCPReqQFullDoCookies, "tcp_max_syn_backlog"},
	    {NETSTAT_TcpExt_TCPTimeWaitOverflow, "tcp_max_tw_buckets"},
	    {NETSTAT_TcpExt_TCPMemoryPressures, "tcp_mem"},
	    {NETSTAT_TcpExt_TCPAbortOnMemory, "tcp_mem"},
	    {NETSTAT_softnet_dropped, "netdev_max_backlog"},
	};
	struct netstat_finding out[NETSTAT_FINDINGS];
	struct netstat n;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(cases); i++) {
		n = quiet();
		n.value[cases[i].counter] = 17 + i;
		assert_int_equal(
		    netstat_diagnose(&n, NULL, 0, &ample, 1, out), 1);
		expect_finding(&out[0], 17 + i, cases[i].limit, "this host");
		/* of what cannot be read nothing is known */
		n.readable[cases[i].counter] = false;
		assert_int_equal(
		    netstat_diagnose(&n, NULL, 0, &ample, 1, out), 0);
	}
}

static void
diagnose_errnos(void **state)
{
	static const struct {
		int error;
		const char *limit;
		const char *side;
	} cases[] = {
	    {EMFILE, "RLIMIT_NOFILE", "client"},
	    {ENFILE, "fs.file-max", "client"},
	    {EADDRNOTAVAIL, "ip_local_port_range", "client"},
	    {ECONNREFUSED, "listen", "server"},
	    {ETIMEDOUT, "SYN", "server"},
	    {EHOSTUNREACH, "route", "path"},
	    {ENETUNREACH, "route", "client"},
	    {ENOBUFS, "memory", "client"},
	    {ENOMEM, "memory", "client"},
	};
	struct netstat_finding out[NETSTAT_FINDINGS];
	struct netstat n = quiet();
	uint64_t *errors, all[ERRNOS];
	size_t i, error;

	(void)state;
	for (i = 0; i < LENGTH(cases); i++) {
		memset(all, 0, sizeof(all));
		error = (size_t)cases[i].error;
		all[error] = 3 + i;
		assert_int_equal(
		    netstat_diagnose(&n, all, ERRNOS, &ample, 1, out), 1);
		expect_finding(&out[0], 3 + i, cases[i].limit, cases[i].side);
		/* just large enough, and one too small to have it */
		errors = heap_copy(all, (error + 1) * sizeof(*all));
		assert_int_equal(
		    netstat_diagnose(&n, errors, error + 1, &ample, 1, out), 1);
		free(errors);
		errors = heap_copy(all, error * sizeof(*all));
		assert_int_equal(
		    netstat_diagnose(&n, errors, error, &ample, 1, out), 0);
		free(errors);
	}
}

/* Ports that ran out: what was asked for was too much, or others hold them. */
static void
diagnose_ports(void **state)
{
	const struct limits_ways few = {100, 2, 3}, unknown = {0, 2, 3};
	struct netstat_finding out[NETSTAT_FINDINGS];
	struct netstat n = quiet();
	uint64_t errors[ERRNOS] = {0};

	(void)state;
	errors[EADDRNOTAVAIL] = 50;
	assert_int_equal(
	    netstat_diagnose(&n, errors, ERRNOS, &few, 601, out), 1);
	expect_finding(&out[0], 50, "ip_local_port_range", "client");
	assert_string_equal(out[0].symptom,
	    "50 connects failed, no local port left: 100 ports x 2 sources x 3 "
	    "targets = 600 connections at most");
	assert_string_equal(out[0].fix,
	    "1 more source address (-a) or 1 more target port (-p)");
	netstat_diagnose(&n, errors, ERRNOS, &few, 1201, out);
	assert_string_equal(out[0].fix,
	    "3 more source addresses (-a) or 4 more target ports (-p)");

	/* there would have been enough */
	netstat_diagnose(&n, errors, ERRNOS, &few, 600, out);
	assert_string_equal(out[0].symptom,
	    "50 connects failed, no local port left to this target");
	assert_non_null(strstr(out[0].fix, "ip_local_port_range="));
	assert_non_null(strstr(out[0].fix, "tcp_tw_reuse"));
	assert_non_null(strstr(out[0].fix, "--close rst"));
	netstat_diagnose(&n, errors, ERRNOS, &unknown, 10000000, out);
	assert_string_equal(out[0].symptom,
	    "50 connects failed, no local port left to this target");

	/* other errors have nothing to do with it */
	errors[EADDRNOTAVAIL] = 0;
	errors[ECONNREFUSED] = 50;
	assert_int_equal(
	    netstat_diagnose(&n, errors, ERRNOS, &few, 601, out), 1);
	assert_string_equal(out[0].symptom, "50 connects refused");
}

/* The largest numbers there can be, and nothing is cut off. */
static void
diagnose_ports_of_many(void **state)
{
	const struct limits_ways ways = {UINT64_C(1) << 62, 1, 1};
	struct netstat_finding out[NETSTAT_FINDINGS];
	struct netstat n = quiet();
	uint64_t errors[ERRNOS] = {0};

	(void)state;
	errors[EADDRNOTAVAIL] = UINT64_MAX;
	netstat_diagnose(&n, errors, ERRNOS, &ways, UINT64_MAX, out);
	assert_non_null(strstr(out[0].symptom, " connections at most"));
	assert_non_null(strstr(out[0].fix, " more target port"));
}

static void
diagnose_everything(void **state)
{
	struct netstat_finding *out = calloc(NETSTAT_FINDINGS, sizeof(*out));
	struct netstat n = quiet();
	uint64_t errors[ERRNOS];
	size_t count, i;

	(void)state;
	assert_non_null(out);
	for (i = 0; i < NETSTAT_COUNT; i++)
		n.value[i] = UINT64_MAX;
	for (i = 0; i < ERRNOS; i++)
		errors[i] = UINT64_MAX;
	count = netstat_diagnose(&n, errors, ERRNOS, &ample, 1, out);
	assert_true(count >= 7 + 9);
	assert_true(count <= NETSTAT_FINDINGS);
	for (i = 0; i < count; i++)
		expect_finding(&out[i], UINT64_MAX, "", "");
	free(out);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(read_all, root_make, root_remove),
	    cmocka_unit_test_setup_teardown(
		read_missing, root_make, root_remove),
	    cmocka_unit_test_setup_teardown(read_empty, root_make, root_remove),
	    cmocka_unit_test_setup_teardown(
		read_truncated, root_make, root_remove),
	    cmocka_unit_test_setup_teardown(
		read_odd_forms, root_make, root_remove),
	    cmocka_unit_test_setup_teardown(
		read_softnet, root_make, root_remove),
	    cmocka_unit_test_setup_teardown(subtract, root_make, root_remove),
	    cmocka_unit_test(diagnose_nothing),
	    cmocka_unit_test(diagnose_healthy_counters),
	    cmocka_unit_test(diagnose_counters),
	    cmocka_unit_test(diagnose_errnos),
	    cmocka_unit_test(diagnose_ports),
	    cmocka_unit_test(diagnose_ports_of_many),
	    cmocka_unit_test(diagnose_everything),
	};

	return cmocka_run_group_tests_name("netstat", tests, NULL, NULL);
}
