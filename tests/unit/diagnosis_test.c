#include "tests/unit/support.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/diagnosis.h"

#define ERRNOS 134

/* Far more ports than connections: they are not the limit. */
static const struct limits_ways ample = {
    .ports = 28232, .sources = 1, .targets = 1};

/* What there is to diagnose. */
struct scene {
	struct netstat n;
	struct gauges gauges;
	uint64_t errors[ERRNOS];
	struct diagnosis_source source;
	struct diagnosis_finding out[DIAGNOSIS_MOST];
};

/* All counters readable, all deltas zero, nothing held, both ends here, and no
 * other server. */
static void
quiet(struct scene *s)
{
	static const struct sockdiag_drops alone = {.alone = true};
	size_t i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < NETSTAT_COUNT; i++)
		s->n.readable[i] = true;
	for (i = 0; i < GAUGES_COUNT; i++)
		s->gauges.readable[i] = true;
	s->source = (struct diagnosis_source){
	    .view = DIAGNOSIS_FROM_BOTH,
	    .delta = &s->n,
	    .gauges = &s->gauges,
	    .by_errno = s->errors,
	    .errnos = ERRNOS,
	    .ways = ample,
	    .connections = 1,
	    .drops = &alone,
	};
}

static void
expect_count(struct scene *s, size_t count)
{
	assert_int_equal(diagnosis_find(&s->source, s->out), count);
}

static void
expect(const struct diagnosis_finding *f, uint64_t count, const char *limit,
    const char *side)
{
	char begin[32];

	snprintf(begin, sizeof(begin), "%" PRIu64 " ", count);
	assert_memory_equal(f->symptom, begin, strlen(begin));
	assert_true(strlen(f->symptom) > strlen(begin));
	assert_true(strlen(f->symptom) < sizeof(f->symptom) - 1);
	assert_true(strlen(f->evidence) < sizeof(f->evidence) - 1);
	assert_non_null(strstr(f->limit, limit));
	assert_string_equal(f->side, side);
	assert_int_not_equal(strlen(f->fix), 0);
}

static void
nothing(void **state)
{
	struct scene s;

	(void)state;
	quiet(&s);
	expect_count(&s, 0);
	s.source.by_errno = NULL;
	s.source.errnos = 0;
	expect_count(&s, 0);
	/* failures whose errno is not known say nothing */
	quiet(&s);
	s.errors[0] = 5;
	expect_count(&s, 0);
}

/* These count in healthy runs as well. */
static void
healthy(void **state)
{
	static const enum netstat_counter moving[] = {NETSTAT_Tcp_AttemptFails,
	    NETSTAT_Tcp_EstabResets, NETSTAT_Tcp_OutSegs, NETSTAT_Tcp_OutRsts,
	    NETSTAT_TcpExt_TCPTimeouts, NETSTAT_TcpExt_TCPSynRetrans,
	    NETSTAT_TcpExt_TWRecycled, NETSTAT_Icmp_InDestUnreachs,
	    NETSTAT_softnet_dropped, NETSTAT_conntrack_insert_failed,
	    NETSTAT_vmstat_oom_kill};
	struct scene s;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(moving); i++) {
		quiet(&s);
		s.n.value[moving[i]] = 1000000;
		expect_count(&s, 0);
	}
	/* and a table, orphans and TIME_WAIT as such are no fault */
	quiet(&s);
	for (i = 0; i < GAUGES_COUNT; i++)
		s.gauges.value[i] = 1000000;
	expect_count(&s, 0);
}

/* One in a hundred may be sent again, and a few of any number. */
static void
retransmissions(void **state)
{
	struct scene s;

	(void)state;
	quiet(&s);
	s.n.value[NETSTAT_Tcp_OutSegs] = 100000;
	s.n.value[NETSTAT_Tcp_RetransSegs] = 1000;
	expect_count(&s, 0);
	s.n.value[NETSTAT_Tcp_RetransSegs] = 1001;
	expect_count(&s, 1);
	expect(&s.out[0], 1001, "lost", "cannot tell");
	assert_int_not_equal(strlen(s.out[0].evidence), 0);
	/* SYNs among them are another matter */
	s.n.value[NETSTAT_TcpExt_TCPSynRetrans] = 1;
	expect_count(&s, 0);
	s.n.value[NETSTAT_TcpExt_TCPSynRetrans] = 2000;
	expect_count(&s, 0);
	s.n.value[NETSTAT_Tcp_OutSegs] = 100;
	s.n.value[NETSTAT_Tcp_RetransSegs] = 99;
	expect_count(&s, 0);
}

/* They count for all programs of the machine. */
static void
backlog_drops(void **state)
{
	struct scene s;

	(void)state;
	quiet(&s);
	s.n.value[NETSTAT_softnet_dropped] = 500;
	s.n.value[NETSTAT_Tcp_OutSegs] = 10000;
	s.n.value[NETSTAT_Tcp_RetransSegs] = 9;
	expect_count(&s, 0);
	s.n.value[NETSTAT_Tcp_RetransSegs] = 500;
	expect_count(&s, 1);
	expect(&s.out[0], 500, "netdev_max_backlog", "client and server");
	assert_non_null(strstr(s.out[0].evidence, "500 segments sent again"));
	s.errors[ETIMEDOUT] = 3;
	expect_count(&s, 1);
	/* SYNs that nobody answers are not for somebody's drops */
	s.n.value[NETSTAT_TcpExt_TCPSynRetrans] = 500;
	expect_count(&s, 1);
	expect(&s.out[0], 3, "SYN", "cannot tell");
}

/* The table is the whole machine's, too: others' packets are no fault. */
static void
neighbours(void **state)
{
	struct scene s;

	(void)state;
	quiet(&s);
	s.n.value[NETSTAT_arp_cache_table_fulls] = 386;
	expect_count(&s, 0);
	s.errors[ETIMEDOUT] = 400;
	expect_count(&s, 1);
	expect(&s.out[0], 386, "ipv4.neigh.default.gc_thresh3",
	    "client and server");
	assert_non_null(strstr(s.out[0].evidence, "400 connects timed out"));
	quiet(&s);
	s.n.value[NETSTAT_ndisc_cache_table_fulls] = 5;
	s.n.value[NETSTAT_Tcp_RetransSegs] = 1;
	s.source.view = DIAGNOSIS_FROM_CLIENT;
	expect_count(&s, 1);
	expect(&s.out[0], 5, "ipv6.neigh.default.gc_thresh3", "client");
}

/* What is looked at once a second may not have been full when it was. */
static void
tracking(void **state)
{
	struct scene s;

	(void)state;
	quiet(&s);
	s.n.value[NETSTAT_conntrack_drop] = 172;
	s.gauges.value[GAUGES_conntrack_max] = 128;
	expect_count(&s, 1);
	assert_string_equal(
	    s.out[0].evidence, "the table has room for 128 connections");
	s.gauges.value[GAUGES_conntrack_count] = 128;
	expect_count(&s, 1);
	assert_string_equal(s.out[0].evidence,
	    "the table has room for 128 connections; it was seen to hold 128");
}

static const struct {
	enum netstat_counter counter;
	const char *limit;
	bool listener;
} by_counter[] = {
    {NETSTAT_TcpExt_ListenOverflows, "somaxconn", true},
    {NETSTAT_TcpExt_TCPReqQFullDrop, "tcp_max_syn_backlog", true},
    {NETSTAT_TcpExt_TCPReqQFullDoCookies, "tcp_max_syn_backlog", true},
    {NETSTAT_TcpExt_TCPTimeWaitOverflow, "tcp_max_tw_buckets", false},
    {NETSTAT_TcpExt_TCPMemoryPressures, "tcp_mem", false},
    {NETSTAT_TcpExt_TCPAbortOnMemory, "tcp_max_orphans", false},
    {NETSTAT_conntrack_drop, "nf_conntrack_max", false},
    {NETSTAT_conntrack_early_drop, "nf_conntrack_max", false},
};

/* Whose the counters are depends on who is on this host. */
static void
counters(void **state)
{
	struct scene s;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(by_counter); i++) {
		quiet(&s);
		s.n.value[by_counter[i].counter] = 17 + i;
		expect_count(&s, 1);
		expect(&s.out[0], 17 + i, by_counter[i].limit,
		    by_counter[i].listener ? "server" : "client and server");
		assert_true(s.out[0].of_kernel);
		s.source.view = DIAGNOSIS_FROM_SERVER;
		expect_count(&s, 1);
		expect(&s.out[0], 17 + i, by_counter[i].limit, "server");
		s.source.view = DIAGNOSIS_FROM_SOME;
		expect_count(&s, 1);
		expect(&s.out[0], 17 + i, by_counter[i].limit,
		    by_counter[i].listener ? "server" : "client");
		/* another service's, if it listens */
		s.source.view = DIAGNOSIS_FROM_CLIENT;
		expect_count(&s, by_counter[i].listener ? 0 : 1);
		/* of what cannot be read nothing is known */
		s.source.view = DIAGNOSIS_FROM_BOTH;
		s.n.readable[by_counter[i].counter] = false;
		expect_count(&s, 0);
	}
}

/* The counters are of all servers of a host: whose were they? */
static void
listeners(void **state)
{
	static const enum diagnosis_view views[] = {
	    DIAGNOSIS_FROM_BOTH, DIAGNOSIS_FROM_SOME, DIAGNOSIS_FROM_SERVER};
	struct sockdiag_drops drops;
	struct scene s;
	size_t i, v;

	(void)state;
	for (v = 0; v < LENGTH(views); v++)
		for (i = 0; i < 3; i++) { /* those of listeners */
			quiet(&s);
			drops = (struct sockdiag_drops){.known = true};
			s.source.view = views[v];
			s.source.drops = &drops;
			s.n.value[by_counter[i].counter] = 17;
			if (by_counter[i].counter ==
			    NETSTAT_TcpExt_TCPReqQFullDoCookies)
				drops.known = false; /* no drops */
			else {
				expect_count(&s, 0);
				drops.count = 5;
				expect_count(&s, 1);
				expect(&s.out[0], 5, "", "server");
				assert_true(s.out[0].of_kernel);
				drops.count = 18; /* for other reasons, too */
				expect_count(&s, 1);
				expect(&s.out[0], 17, "", "server");
				drops.known = false;
			}
			expect_count(&s, 1);
			expect(&s.out[0], 17, "", "cannot tell");
			assert_false(s.out[0].of_kernel);
			assert_int_equal(s.out[0].explains, 0);
			assert_non_null(strstr(s.out[0].evidence,
			    views[v] == DIAGNOSIS_FROM_SERVER ? "this one" :
								"the target"));
		}
}

static void
errnos(void **state)
{
	static const struct {
		int error;
		const char *limit;
		const char *side;
	} cases[] = {
	    {EMFILE, "RLIMIT_NOFILE", "client"},
	    {ENFILE, "fs.file-max", "client"},
	    {EADDRNOTAVAIL, "ip_local_port_range", "client"},
	    {ENOSPC, "max_user_watches", "client"},
	    {ECONNREFUSED, "listen", "server"},
	    {ECONNRESET, "resets", "server"},
	    {ETIMEDOUT, "SYN", "cannot tell"},
	    {EHOSTUNREACH, "route", "client"},
	    {ENETUNREACH, "route", "client"},
	    {EACCES, "permission", "client"},
	    {EPERM, "permission", "client"},
	    {ENOBUFS, "memory", "client"},
	    {ENOMEM, "memory", "client"},
	};
	struct scene s;
	uint64_t *errors;
	size_t i, error;

	(void)state;
	for (i = 0; i < LENGTH(cases); i++) {
		quiet(&s);
		s.source.view = DIAGNOSIS_FROM_CLIENT;
		error = (size_t)cases[i].error;
		s.errors[error] = 3 + i;
		expect_count(&s, 1);
		expect(&s.out[0], 3 + i, cases[i].limit, cases[i].side);
		/* just large enough, and one too small to have it */
		errors = heap_copy(s.errors, (error + 1) * sizeof(*errors));
		s.source.by_errno = errors;
		s.source.errnos = error + 1;
		expect_count(&s, 1);
		free(errors);
		errors = heap_copy(s.errors, error * sizeof(*errors));
		s.source.by_errno = errors;
		s.source.errnos = error;
		expect_count(&s, 0);
		free(errors);
	}
}

/* What explains a timeout is found in its stead, and says so. */
static void
timeouts(void **state)
{
	static const enum netstat_counter causes[] = {NETSTAT_conntrack_drop,
	    NETSTAT_TcpExt_ListenOverflows, NETSTAT_TcpExt_TCPReqQFullDrop};
	struct scene s;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(causes); i++) {
		quiet(&s);
		s.errors[ETIMEDOUT] = 7;
		s.n.value[NETSTAT_Tcp_OutSegs] = 200;
		s.n.value[NETSTAT_Tcp_RetransSegs] = 200;
		s.n.value[causes[i]] = 5;
		expect_count(&s, 1);
		expect(
		    &s.out[0], 5, "", i == 0 ? "client and server" : "server");
		assert_non_null(
		    strstr(s.out[0].evidence, "7 connects timed out"));
	}
	/* both ends here, and neither has dropped it */
	quiet(&s);
	s.errors[ETIMEDOUT] = 7;
	expect_count(&s, 1);
	expect(&s.out[0], 7, "SYN", "path");
	s.n.readable[NETSTAT_TcpExt_ListenOverflows] = false;
	expect_count(&s, 1);
	expect(&s.out[0], 7, "SYN", "cannot tell");
	/* another service's queue explains nothing */
	quiet(&s);
	s.source.view = DIAGNOSIS_FROM_CLIENT;
	s.errors[ETIMEDOUT] = 7;
	s.n.value[NETSTAT_TcpExt_ListenOverflows] = 5;
	expect_count(&s, 1);
	expect(&s.out[0], 7, "SYN", "cannot tell");
}

static void
refusals(void **state)
{
	struct scene s;

	(void)state;
	quiet(&s);
	s.errors[ECONNREFUSED] = 7;
	s.n.value[NETSTAT_Tcp_OutRsts] = 7;
	expect_count(&s, 1);
	expect(&s.out[0], 7, "nothing listens", "server");
	assert_null(strstr(s.out[0].fix, "ended"));
	/* it did listen */
	s.source.seen[DIAGNOSIS_CLOSED_BY_PEER] = 3;
	expect_count(&s, 2);
	expect(&s.out[0], 7, "nothing listens", "server");
	assert_non_null(strstr(s.out[0].evidence, "had connections before"));
	assert_non_null(strstr(s.out[0].fix, "why the server ended"));
	s.source.seen[DIAGNOSIS_CLOSED_BY_PEER] = 0;
	/* not TCP's resets */
	s.n.value[NETSTAT_Tcp_OutRsts] = 6;
	expect_count(&s, 1);
	expect(&s.out[0], 7, "packet filter", "path");
	/* from elsewhere that is not to be told, but ICMP is */
	s.source.view = DIAGNOSIS_FROM_CLIENT;
	expect_count(&s, 1);
	expect(&s.out[0], 7, "nothing listens", "server");
	/* something listens there, if most were beside others that opened */
	s.source.refused_beside = 4;
	expect_count(&s, 1);
	expect(&s.out[0], 7, "some connects are refused", "cannot tell");
	assert_null(strstr(s.out[0].fix, "start"));
	/* unless it has ended these: then it may have ended itself */
	s.source.seen[DIAGNOSIS_CLOSED_BY_PEER] = 3;
	expect_count(&s, 2);
	expect(&s.out[0], 7, "nothing listens", "server");
	assert_non_null(strstr(s.out[0].fix, "why the server ended"));
	s.source.seen[DIAGNOSIS_CLOSED_BY_PEER] = 0;
	s.source.refused_beside = 3; /* others were of a closed port */
	expect_count(&s, 1);
	expect(&s.out[0], 7, "nothing listens", "server");
	s.source.refused_beside = 0;
	s.n.value[NETSTAT_snmp6_Icmp6InDestUnreachs] = 7;
	expect_count(&s, 1);
	expect(&s.out[0], 7, "packet filter", "path");
	assert_non_null(strstr(s.out[0].evidence, "another host"));
	s.errors[ECONNREFUSED] = 0;
	s.errors[EHOSTUNREACH] = 7;
	s.n.value[NETSTAT_Icmp_OutDestUnreachs] = 7;
	expect_count(&s, 1);
	expect(&s.out[0], 7, "route", "path");
	assert_non_null(strstr(s.out[0].evidence, "this host sent"));
}

/* Connections that were open. */
static void
seen(void **state)
{
	struct scene s;

	(void)state;
	quiet(&s);
	s.source.seen[DIAGNOSIS_RESET_BY_PEER] = 4;
	s.source.seen[DIAGNOSIS_CLOSED_BY_PEER] = 5;
	expect_count(&s, 2);
	expect(&s.out[0], 4, "resets", "server");
	expect(&s.out[1], 5, "closes", "server");
	assert_false(s.out[0].of_kernel);
	/* half-open ones are reset, once the client writes */
	s.source.seen[DIAGNOSIS_CLOSED_BY_PEER] = 0;
	s.n.value[NETSTAT_TcpExt_ListenOverflows] = 5;
	expect_count(&s, 1);
	expect(&s.out[0], 5, "accept queue", "server");

	quiet(&s);
	s.source.seen[DIAGNOSIS_KILLED] = 1;
	expect_count(&s, 0);
	s.n.value[NETSTAT_vmstat_oom_kill] = 2;
	expect_count(&s, 1);
	expect(&s.out[0], 2, "memory", "client");
}

static void
of_server(void **state)
{
	struct scene s;

	(void)state;
	quiet(&s);
	s.source.view = DIAGNOSIS_FROM_SERVER;
	s.errors[EMFILE] = 3;
	expect_count(&s, 1);
	expect(&s.out[0], 3, "RLIMIT_NOFILE", "server");
	assert_non_null(strstr(s.out[0].symptom, "accepted"));
	/* what only a client meets */
	s.errors[EMFILE] = 0;
	s.errors[ETIMEDOUT] = s.errors[ECONNREFUSED] = 3;
	s.source.seen[DIAGNOSIS_CLOSED_BY_PEER] = 3;
	expect_count(&s, 0);
}

/* A setting can be what it is. */
static void
cookies(void **state)
{
	struct scene s;

	(void)state;
	quiet(&s);
	s.n.value[NETSTAT_TcpExt_TCPReqQFullDoCookies] = 3;
	s.gauges.value[GAUGES_tcp_syncookies] = 2;
	expect_count(&s, 1);
	expect(&s.out[0], 3, "tcp_syncookies", "server");
	assert_string_equal(s.out[0].fix, "sysctl net.ipv4.tcp_syncookies=1");
}

/* Too many were asked for; or TIME_WAIT, or others, hold the ports. */
static void
ports(void **state)
{
	struct scene s;

	(void)state;
	quiet(&s);
	s.errors[EADDRNOTAVAIL] = 50;
	s.source.ways =
	    (struct limits_ways){.ports = 100, .sources = 2, .targets = 3};
	s.source.connections = 601;
	expect_count(&s, 1);
	expect(&s.out[0], 50, "ip_local_port_range", "client");
	assert_string_equal(s.out[0].symptom,
	    "50 connects failed, no local port left: 100 ports x 2 sources x 3 "
	    "targets = 600 connections at most");
	assert_string_equal(s.out[0].fix,
	    "1 more source address (-a) or 1 more target port (-p)");

	/* there would have been enough */
	s.source.connections = 600;
	expect_count(&s, 1);
	assert_non_null(strstr(s.out[0].evidence, "other connections"));
	assert_non_null(strstr(s.out[0].fix, "ip_local_port_range="));
	s.gauges.value[GAUGES_tcp_time_wait] = 99;
	expect_count(&s, 1);
	assert_non_null(strstr(s.out[0].symptom, "99 sockets"));
	assert_non_null(strstr(s.out[0].symptom, "TIME_WAIT"));
	assert_non_null(strstr(s.out[0].fix, "tcp_tw_reuse=1"));
	assert_non_null(strstr(s.out[0].fix, "--close rst"));

	quiet(&s);
	s.errors[EADDRNOTAVAIL] = 50;
	s.source.ways.ports = 0;
	s.source.connections = 10000000;
	expect_count(&s, 1);
	assert_string_equal(
	    s.out[0].symptom, "50 connects failed, no local port left");
}

/* No port is left, and 100 are in TIME_WAIT. */
static void
lack_ports(struct scene *s)
{
	quiet(s);
	s->errors[EADDRNOTAVAIL] = 50;
	s->gauges.value[GAUGES_tcp_time_wait] = 100;
	s->gauges.value[GAUGES_tcp_timestamps] = 1;
	s->gauges.value[GAUGES_tcp_tw_reuse_delay] = 1000;
	s->gauges.value[GAUGES_tcp_fin_timeout] = 60;
}

/* What keeps the ports decides what frees them: reuse, where it is not at work. */
static void
ports_in_time_wait(void **state)
{
	struct scene s;

	(void)state;
	lack_ports(&s);
	expect_count(&s, 1);
	assert_non_null(strstr(
	    s.out[0].fix, "sysctl net.ipv4.tcp_tw_reuse=1 and wait a second"));
	assert_null(strstr(s.out[0].fix, "fin_timeout"));
	/* on, but without timestamps it does nothing */
	s.gauges.value[GAUGES_tcp_tw_reuse] = 1;
	s.gauges.value[GAUGES_tcp_timestamps] = 0;
	expect_count(&s, 1);
	assert_non_null(strstr(s.out[0].fix,
	    "sysctl net.ipv4.tcp_timestamps=1 and wait a minute"));
	/* on, but only after a minute */
	s.gauges.value[GAUGES_tcp_timestamps] = 1;
	s.gauges.value[GAUGES_tcp_tw_reuse_delay] = 60000;
	expect_count(&s, 1);
	assert_non_null(
	    strstr(s.out[0].fix, "sysctl net.ipv4.tcp_tw_reuse_delay=1000 "));
	/* all is set here: a second is all it takes, or it is the other host */
	s.gauges.value[GAUGES_tcp_tw_reuse_delay] = 1000;
	expect_count(&s, 1);
	assert_null(strstr(s.out[0].fix, "tcp_tw_reuse=1"));
	assert_non_null(strstr(s.out[0].fix, "wait a second, or "));
	assert_null(strstr(s.out[0].fix, "on the server's host"));
	s.source.view = DIAGNOSIS_FROM_CLIENT;
	expect_count(&s, 1);
	assert_non_null(strstr(s.out[0].fix,
	    "wait a second, or sysctl net.ipv4.tcp_timestamps=1 on the "
	    "server's host"));
	/* the default */
	s.source.view = DIAGNOSIS_FROM_BOTH;
	s.gauges.value[GAUGES_tcp_tw_reuse] = 2;
	expect_count(&s, 1);
	assert_non_null(strstr(s.out[0].fix,
	    "sysctl net.ipv4.tcp_tw_reuse=1 (not for a target on loopback) "
	    "and wait a second"));
}

static void
ports_in_fin_wait(void **state)
{
	struct scene s;

	(void)state;
	lack_ports(&s);
	s.gauges.value[GAUGES_tcp_tw_reuse] = 1;
	/* what the server has not closed is in no TIME_WAIT */
	s.source.fin_wait2 = 100;
	expect_count(&s, 1);
	assert_null(strstr(s.out[0].symptom, "TIME_WAIT"));
	assert_non_null(strstr(s.out[0].symptom, "100 in FIN_WAIT2"));
	assert_null(strstr(s.out[0].fix, "tcp_tw_reuse"));
	assert_non_null(strstr(s.out[0].fix, "tcp_fin_timeout=5"));
	/* and what it has not acknowledged */
	s.source.fin_wait1 = 99;
	s.source.fin_wait2 = 0;
	s.gauges.value[GAUGES_tcp_time_wait] = 0;
	expect_count(&s, 1);
	assert_non_null(strstr(s.out[0].symptom, "99 in FIN_WAIT1"));
	assert_non_null(strstr(s.out[0].fix, "tcp_orphan_retries=2"));
	/* who resets already is not told to */
	assert_non_null(strstr(s.out[0].fix, "--close rst"));
	s.source.resets = true;
	expect_count(&s, 1);
	assert_null(strstr(s.out[0].fix, "--close rst"));
}

/*
 * Advice: whatever is met, no fix names a value that the host has already.
 */

static const struct {
	const char *name;
	int gauge; /* -1: no number of this host */
} settings[] = {
    {"net.netfilter.nf_conntrack_max", GAUGES_conntrack_max},
    {"net.ipv4.neigh.default.gc_thresh3", GAUGES_neigh_v4_max},
    {"net.ipv6.neigh.default.gc_thresh3", GAUGES_neigh_v6_max},
    {"net.core.somaxconn", GAUGES_somaxconn},
    {"net.ipv4.tcp_max_syn_backlog", GAUGES_tcp_max_syn_backlog},
    {"net.ipv4.tcp_max_tw_buckets", GAUGES_tcp_max_tw_buckets},
    {"net.ipv4.tcp_max_orphans", GAUGES_tcp_max_orphans},
    {"net.core.netdev_max_backlog", GAUGES_netdev_max_backlog},
    {"fs.file-max", GAUGES_file_max},
    {"fs.epoll.max_user_watches", GAUGES_max_user_watches},
    {"net.ipv4.tcp_syncookies", GAUGES_tcp_syncookies},
    {"net.ipv4.tcp_tw_reuse", GAUGES_tcp_tw_reuse},
    {"net.ipv4.tcp_tw_reuse_delay", GAUGES_tcp_tw_reuse_delay},
    {"net.ipv4.tcp_timestamps", GAUGES_tcp_timestamps},
    {"net.ipv4.tcp_fin_timeout", GAUGES_tcp_fin_timeout},
    {"net.ipv4.tcp_orphan_retries", GAUGES_tcp_orphan_retries},
    {"net.ipv4.ip_local_port_range", -1},
    {"net.ipv4.ip_local_reserved_ports", -1},
    {"MemoryMax", -1},
    {"LimitNOFILE", -1},
};

/* What one fix says to set; the gauge is set if set is true. */
static void
follow(struct scene *s, const char *fix, bool set)
{
	const char *equals = fix, *begin;
	size_t i, length;

	while ((equals = strchr(equals + 1, '=')) != NULL) {
		begin = equals;
		while (begin > fix && strchr(" \"(", begin[-1]) == NULL)
			begin--;
		length = (size_t)(equals - begin);
		for (i = 0; i < LENGTH(settings); i++)
			if (strlen(settings[i].name) == length &&
			    strncmp(settings[i].name, begin, length) == 0)
				break;
		/* a new one goes into the table above */
		assert_true(i < LENGTH(settings));
		if (settings[i].gauge == -1 ||
		    strstr(equals, "on the server's host") != NULL)
			continue;
		assert_int_not_equal(s->gauges.value[settings[i].gauge],
		    strtoull(equals + 1, NULL, 10));
		if (set)
			s->gauges.value[settings[i].gauge] =
			    strtoull(equals + 1, NULL, 10);
	}
}

static void
follow_all(struct scene *s)
{
	static const enum diagnosis_view views[] = {DIAGNOSIS_FROM_CLIENT,
	    DIAGNOSIS_FROM_BOTH, DIAGNOSIS_FROM_SOME, DIAGNOSIS_FROM_SERVER};
	size_t count, i, v, round;

	for (v = 0; v < LENGTH(views); v++) {
		s->source.view = views[v];
		for (round = 0; round < 4; round++) {
			count = diagnosis_find(&s->source, s->out);
			for (i = 0; i < count; i++)
				follow(s, s->out[i].fix, false);
			if (count > 0)
				follow(s, s->out[0].fix, true);
		}
	}
}

static void
advice_is_not_what_is_set(void **state)
{
	struct scene s;
	size_t i;

	(void)state;
	for (i = 0; i < NETSTAT_COUNT; i++) {
		quiet(&s);
		s.n.value[i] = 100000;
		s.n.value[NETSTAT_Tcp_RetransSegs] = 100000;
		s.n.value[NETSTAT_Tcp_OutSegs] = 1000000;
		follow_all(&s);
	}
	for (i = 1; i < ERRNOS; i++) {
		quiet(&s);
		s.errors[i] = 50;
		follow_all(&s);
		quiet(&s);
		s.errors[i] = 50;
		s.gauges.value[GAUGES_tcp_time_wait] = 1000;
		s.source.fin_wait1 = s.source.fin_wait2 = 500;
		follow_all(&s);
	}
	for (i = 0; i < DIAGNOSIS_SEEN; i++) {
		quiet(&s);
		s.source.seen[i] = 50;
		follow_all(&s);
	}
}

/* The largest numbers there can be, and nothing is cut off. */
/* Each ends once: they cannot be the cause of more ends. */
static void
wrong_answers_account_for_their_own_ends_only(void **state)
{
	struct scene s;

	(void)state;
	quiet(&s);
	s.source.seen[DIAGNOSIS_WRONG_ANSWER] = 10;
	s.source.seen[DIAGNOSIS_RESET_BY_PEER] = 4;
	s.source.seen[DIAGNOSIS_CLOSED_BY_PEER] = 6;
	expect_count(&s, 1);
	s.source.seen[DIAGNOSIS_CLOSED_BY_PEER] = 7;
	expect_count(&s, 2);
	expect(&s.out[1], 7, "the server closes", "server");
	s.source.seen[DIAGNOSIS_RESET_BY_PEER] = 11;
	s.source.seen[DIAGNOSIS_CLOSED_BY_PEER] = 0;
	expect_count(&s, 2);
	expect(&s.out[1], 11, "resets", "server");
}

static void
everything(void **state)
{
	static const enum diagnosis_view views[] = {DIAGNOSIS_FROM_CLIENT,
	    DIAGNOSIS_FROM_BOTH, DIAGNOSIS_FROM_SOME, DIAGNOSIS_FROM_SERVER};
	struct scene *s = malloc(sizeof(*s));
	size_t count, i, v;

	(void)state;
	assert_non_null(s);
	quiet(s);
	for (i = 0; i < NETSTAT_COUNT; i++)
		s->n.value[i] = UINT64_MAX;
	for (i = 0; i < GAUGES_COUNT; i++)
		s->gauges.value[i] = UINT64_MAX;
	for (i = 0; i < ERRNOS; i++)
		s->errors[i] = UINT64_MAX;
	for (i = 0; i < DIAGNOSIS_SEEN; i++)
		s->source.seen[i] = UINT64_MAX;
	s->source.ways = (struct limits_ways){
	    .ports = UINT64_C(1) << 62, .sources = 1, .targets = 1};
	s->source.connections = UINT64_MAX;
	for (v = 0; v < LENGTH(views); v++) {
		s->source.view = views[v];
		count = diagnosis_find(&s->source, s->out);
		assert_true(count >= 8 && count <= DIAGNOSIS_MOST);
		for (i = 0; i < count; i++) {
			assert_true(
			    strlen(s->out[i].symptom) < DIAGNOSIS_TEXT - 1);
			assert_true(strlen(s->out[i].fix) < DIAGNOSIS_TEXT - 1);
			assert_int_not_equal(strlen(s->out[i].side), 0);
			assert_true(
			    strcmp(s->out[i].side, "cannot tell") != 0 ||
			    s->out[i].evidence[0] != '\0');
		}
	}
	free(s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing),
	    cmocka_unit_test(healthy),
	    cmocka_unit_test(retransmissions),
	    cmocka_unit_test(backlog_drops),
	    cmocka_unit_test(neighbours),
	    cmocka_unit_test(tracking),
	    cmocka_unit_test(counters),
	    cmocka_unit_test(listeners),
	    cmocka_unit_test(errnos),
	    cmocka_unit_test(timeouts),
	    cmocka_unit_test(refusals),
	    cmocka_unit_test(seen),
	    cmocka_unit_test(of_server),
	    cmocka_unit_test(cookies),
	    cmocka_unit_test(ports),
	    cmocka_unit_test(ports_in_time_wait),
	    cmocka_unit_test(ports_in_fin_wait),
	    cmocka_unit_test(advice_is_not_what_is_set),
	    cmocka_unit_test(wrong_answers_account_for_their_own_ends_only),
	    cmocka_unit_test(everything),
	};

	return cmocka_run_group_tests_name("diagnosis", tests, NULL, NULL);
}
