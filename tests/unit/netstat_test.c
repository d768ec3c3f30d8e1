#include "tests/unit/support.h"

#include <sys/stat.h>

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/netstat.h"

/*
 * A /proc root of the test's own.
 */

static const char *const files[] = {"net/snmp", "net/netstat",
    "net/softnet_stat", "net/snmp6", "net/stat/nf_conntrack",
    "net/stat/arp_cache", "net/stat/ndisc_cache", "vmstat"};

static void
root_path(const char *root, const char *name, char path[200])
{
	snprintf(path, 200, "%s/%s", root, name);
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
	*state = root;
	root_path(root, "net", path);
	if (mkdir(path, 0700) == -1)
		return -1;
	root_path(root, "net/stat", path);
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
	root_path(*state, "net/stat", path);
	rmdir(path);
	root_path(*state, "net", path);
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
    "Icmp: InMsgs InErrors InDestUnreachs OutDestUnreachs\n"
    "Icmp: 9 8 11 12\n"
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
    "TCPReqQFullDoCookies TCPReqQFullDrop TCPRetransFail TCPSynRetrans "
    "SyncookiesFailed TWRecycled\n"
    "TcpExt: 201 4001 212 4003 202 203 204 205 206 4004 207 208 209 210 213 "
    "211 214 215\n"
    "IpExt: InNoRoutes ListenDrops\n"
    "IpExt: 5001 5002\n";

static const char softnet[] =
    "0001a2b3 0000000a 00000000 00000000 00000000 00000000 00000000 00000000\n"
    "ffffffff 000000ff 00000001 00000000 00000000 00000000 00000000 00000000\n"
    "00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000\n";

static const char snmp6[] = "Ip6InReceives                   \t7\n"
			    "Icmp6InDestUnreachs             \t301\n";

/* hexadecimal, a line a processor */
static const char conntrack[] =
    "entries  clashres found new insert_failed drop early_drop icmp_error\n"
    "00000001 00000000 00000000 00000000 00000001 0000000a 00000003 00000000\n"
    "00000001 00000000 00000000 00000000 00000002 00000010 00000004 00000000\n";

static const char arp_cache[] = "entries  allocs   res_failed table_fulls\n"
				"00000002 00000040 00000000   00000010\n"
				"00000002 00000041 00000000   000000ff\n";

static const char ndisc_cache[] = "entries  allocs   table_fulls\n"
				  "00000002 00000040 00000003\n";

static const char vmstat[] = "nr_free_pages 5\noom_kill 401\n";

static const struct {
	enum netstat_counter counter;
	const char *name;
	uint64_t value;
} fixture[] = {
    {NETSTAT_Icmp_InDestUnreachs, "InDestUnreachs", 11},
    {NETSTAT_Icmp_OutDestUnreachs, "OutDestUnreachs", 12},
    {NETSTAT_Tcp_OutSegs, "OutSegs", 2005},
    {NETSTAT_Tcp_OutRsts, "OutRsts", 2007},
    {NETSTAT_TcpExt_EmbryonicRsts, "EmbryonicRsts", 212},
    {NETSTAT_TcpExt_TCPRetransFail, "TCPRetransFail", 213},
    {NETSTAT_TcpExt_SyncookiesFailed, "SyncookiesFailed", 214},
    {NETSTAT_TcpExt_TWRecycled, "TWRecycled", 215},
    {NETSTAT_snmp6_Icmp6InDestUnreachs, "Icmp6InDestUnreachs", 301},
    {NETSTAT_conntrack_insert_failed, "conntrack_insert_failed", 3},
    {NETSTAT_conntrack_drop, "conntrack_drop", 26},
    {NETSTAT_conntrack_early_drop, "conntrack_early_drop", 7},
    {NETSTAT_arp_cache_table_fulls, "arp_cache_table_fulls", 16 + 255},
    {NETSTAT_ndisc_cache_table_fulls, "ndisc_cache_table_fulls", 3},
    {NETSTAT_vmstat_oom_kill, "oom_kill", 401},
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
	put_file(root, "net/snmp", snmp);
	put_file(root, "net/netstat", netstat);
	put_file(root, "net/softnet_stat", softnet);
	put_file(root, "net/snmp6", snmp6);
	put_file(root, "net/stat/nf_conntrack", conntrack);
	put_file(root, "net/stat/arp_cache", arp_cache);
	put_file(root, "net/stat/ndisc_cache", ndisc_cache);
	put_file(root, "vmstat", vmstat);
}

/* Which file a counter is in, as an index of files[]. */
static size_t
file_of(enum netstat_counter counter)
{
	if (counter == NETSTAT_vmstat_oom_kill)
		return 7;
	if (counter == NETSTAT_ndisc_cache_table_fulls)
		return 6;
	if (counter == NETSTAT_arp_cache_table_fulls)
		return 5;
	if (counter >= NETSTAT_conntrack_insert_failed)
		return 4;
	if (counter == NETSTAT_snmp6_Icmp6InDestUnreachs)
		return 3;
	if (counter == NETSTAT_softnet_dropped)
		return 2;
	return counter <= NETSTAT_Icmp_OutDestUnreachs ? 0 : 1;
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

/* Counters of the fixture that are not in net/netstat. */
#define ELSEWHERE 15

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

	put_file(*state, "net/snmp", "");
	put_file(*state, "net/netstat", "\n\n\n");
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
		put_file(*state, "net/netstat", text);
		netstat_read(&n, *state);
		if (length <= line_end)
			assert_int_equal(readable_count(&n), ELSEWHERE);
		for (i = 0; i < NETSTAT_COUNT; i++)
			if (n.readable[i] && n.value[i] != whole.value[i])
				/* cut within this number: 21 of 211 */
				assert_true(n.value[i] < whole.value[i]);
	}
	/* values for the first names only */
	put_file(*state, "net/netstat",
	    "TcpExt: SyncookiesSent ListenOverflows ListenDrops\n"
	    "TcpExt: 1 2\n");
	netstat_read(&n, *state);
	expect_counter(&n, NETSTAT_TcpExt_SyncookiesSent, 1);
	expect_counter(&n, NETSTAT_TcpExt_ListenOverflows, 2);
	assert_false(n.readable[NETSTAT_TcpExt_ListenDrops]);
	/* names for the first values only */
	put_file(*state, "net/netstat",
	    "TcpExt: SyncookiesSent ListenOverflows\nTcpExt: 1 2 3 4\n");
	netstat_read(&n, *state);
	expect_counter(&n, NETSTAT_TcpExt_ListenOverflows, 2);
	assert_int_equal(readable_count(&n), ELSEWHERE + 2);
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
	put_file(*state, "net/netstat",
	    "IpExt: ListenDrops\nIpExt: 5\n"
	    "TcpExt: TCPSynRetrans Unknown ListenOverflows\n"
	    "TcpExt: 18446744073709551615 7 8");
	netstat_read(&n, *state);
	expect_counter(&n, NETSTAT_TcpExt_TCPSynRetrans, UINT64_MAX);
	expect_counter(&n, NETSTAT_TcpExt_ListenOverflows, 8);
	assert_int_equal(readable_count(&n), ELSEWHERE + 2);

	/* lines of any length */
	used = (size_t)sprintf(text, "TcpExt:");
	while (used < 90000)
		used += (size_t)sprintf(text + used, " NotYetThoughtOf");
	used += (size_t)sprintf(text + used, " ListenDrops\nTcpExt:");
	while (used < 104000)
		used += (size_t)sprintf(text + used, " 0");
	sprintf(text + used, "\n");
	put_file(*state, "net/netstat", text);
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
		put_file(*state, "net/softnet_stat", cases[i].text);
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
	for (i = 0; i < LENGTH(files); i++)
		remove_file(*state, files[i]);
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
	};

	return cmocka_run_group_tests_name("net/netstat", tests, NULL, NULL);
}
