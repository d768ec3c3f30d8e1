/*
 * What the numbers beside a signal say: whether it matters, and whose it is.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/diagnosis_internal.h"

/* Of all segments, that a run may lose without anything being wrong. */
#define RESENT_PERCENT 1
#define RESENT_LEAST   100

bool
diagnosis_was_killed(const struct diagnosis_source *s, uint64_t count)
{
	(void)count;
	return s->seen[DIAGNOSIS_KILLED] > 0;
}

void
diagnosis_explain_given_up(const struct diagnosis_source *s, uint64_t count,
    struct diagnosis_finding *f)
{
	(void)s;
	(void)count;
	diagnosis_add_evidence(f,
	    "the other host may be gone, or packets are dropped in one of the "
	    "directions");
}

/* The kernel counts them for each processor, of all network namespaces. */
void
diagnosis_explain_drops(const struct diagnosis_source *s, uint64_t count,
    struct diagnosis_finding *f)
{
	(void)s;
	(void)count;
	diagnosis_add_evidence(f,
	    "the counter is of the whole machine: some may be other programs'");
}

/* Not SYNs: those that nobody answered are found as such. */
static uint64_t
resent_data(const struct diagnosis_source *s)
{
	uint64_t resent = diagnosis_counted(s, NETSTAT_Tcp_RetransSegs),
		 syns = diagnosis_counted(s, NETSTAT_TcpExt_TCPSynRetrans);

	return resent > syns ? resent - syns : 0;
}

/* The table is the whole machine's: who lacked room had a packet not sent. */
bool
diagnosis_neighbours_matter(const struct diagnosis_source *s, uint64_t count)
{
	(void)count;
	return resent_data(s) > 0 ||
	    (s->errnos > ETIMEDOUT && s->by_errno[ETIMEDOUT] > 0);
}

/*
 * They are the whole machine's. Of this namespace they were some only if it had
 * to send as much again; SYNs do not tell, which may have gone unanswered.
 */
bool
diagnosis_drops_matter(const struct diagnosis_source *s, uint64_t count)
{
	uint64_t resent = resent_data(s),
		 sent = diagnosis_counted(s, NETSTAT_Tcp_OutSegs);

	return resent >= 10 && resent >= sent / 1000 && count >= resent / 2;
}

bool
diagnosis_resends_matter(const struct diagnosis_source *s, uint64_t count)
{
	uint64_t resent = resent_data(s),
		 sent = diagnosis_counted(s, NETSTAT_Tcp_OutSegs);

	(void)count;
	return resent >= RESENT_LEAST && sent > 0 &&
	    resent > sent / 100 * RESENT_PERCENT;
}

void
diagnosis_explain_resends(const struct diagnosis_source *s, uint64_t count,
    struct diagnosis_finding *f)
{
	uint64_t sent = diagnosis_counted(s, NETSTAT_Tcp_OutSegs);

	(void)count;
	snprintf(f->symptom, sizeof(f->symptom),
	    "%" PRIu64 " of %" PRIu64 " segments sent again", resent_data(s),
	    sent);
	snprintf(f->evidence, sizeof(f->evidence),
	    "this host's own queues dropped none of them that it knows of; the "
	    "other side or the path may have");
}

static void
add_first_bytes(const struct diagnosis_source *s, struct diagnosis_finding *f)
{
	if (s->first_bytes != NULL)
		diagnosis_add_evidence(f, "first bytes: %s", s->first_bytes);
}

void
diagnosis_explain_first_bytes(const struct diagnosis_source *s, uint64_t count,
    struct diagnosis_finding *f)
{
	(void)count;
	if (s->first_bytes_are == DIAGNOSIS_BYTES_CUT_OFF)
		return; /* they say nothing of these */
	add_first_bytes(s, f);
	if (s->first_bytes_are == DIAGNOSIS_BYTES_DNS &&
	    s->view != DIAGNOSIS_FROM_SERVER)
		snprintf(f->fix, sizeof(f->fix),
		    "look at what the server sends: tcpdump -X");
}

void
diagnosis_explain_cut_off(const struct diagnosis_source *s, uint64_t count,
    struct diagnosis_finding *f)
{
	(void)count;
	if (s->first_bytes_are == DIAGNOSIS_BYTES_CUT_OFF)
		add_first_bytes(s, f);
}

/* A TLS server, for one, may close on a query without a word. */
void
diagnosis_explain_end_by_peer(const struct diagnosis_source *s, uint64_t count,
    struct diagnosis_finding *f)
{
	(void)count;
	if (!s->never_answered)
		return;
	diagnosis_add_evidence(f, "no query was answered on any connection");
	diagnosis_add(f->fix,
	    "; or is it the wrong port or protocol? a TLS server may close so");
}

/* The count is of once a second: a short run may not have been seen at all. */
void
diagnosis_explain_table(const struct diagnosis_source *s, uint64_t count,
    struct diagnosis_finding *f)
{
	uint64_t most = diagnosis_gauge(s, GAUGES_conntrack_max),
		 held = diagnosis_gauge(s, GAUGES_conntrack_count);

	(void)count;
	if (!s->gauges->readable[GAUGES_conntrack_max])
		return;
	diagnosis_add_evidence(
	    f, "the table has room for %" PRIu64 " connections", most);
	if (held >= most)
		diagnosis_add_evidence(f, "it was seen to hold %" PRIu64, held);
}

void
diagnosis_explain_time_wait(const struct diagnosis_source *s, uint64_t count,
    struct diagnosis_finding *f)
{
	(void)count;
	if (s->gauges->readable[GAUGES_tcp_max_tw_buckets])
		snprintf(f->evidence, sizeof(f->evidence),
		    "there may be %" PRIu64 " of them",
		    diagnosis_gauge(s, GAUGES_tcp_max_tw_buckets));
}

/*
 * The kernel counts both causes as one: too many orphans, which may mean a
 * quarter of tcp_max_orphans where the other side is slow, or too little memory.
 */
void
diagnosis_explain_abort(const struct diagnosis_source *s, uint64_t count,
    struct diagnosis_finding *f)
{
	uint64_t orphans = diagnosis_gauge(s, GAUGES_tcp_orphans),
		 most = diagnosis_gauge(s, GAUGES_tcp_max_orphans);

	(void)count;
	if (s->gauges->readable[GAUGES_tcp_max_orphans])
		snprintf(f->evidence, sizeof(f->evidence),
		    "up to %" PRIu64 " sockets were closed but still sending, "
		    "of %" PRIu64 " that may be",
		    orphans, most);
	if (most > 0 && orphans >= most / 4)
		diagnosis_add(f->fix,
		    "; sysctl net.ipv4.tcp_orphan_retries=2 gives up sockets "
		    "of a peer that does not answer after 2 s, not 100 s");
	if (s->view != DIAGNOSIS_FROM_SERVER && !s->resets)
		diagnosis_add(f->fix, "; or close with --close rst");
}

/*
 * Queues of a listening socket. Its backlog counts as well, and is not known
 * here.
 */

#define QUEUE_MOST 65535 /* connections: more than any burst that is useful */

static bool
has_queue(const struct diagnosis_source *s, enum gauge which)
{
	return diagnosis_gauge(s, which) >= QUEUE_MOST;
}

static void
fix_backlog(struct diagnosis_finding *f)
{
	snprintf(f->fix, sizeof(f->fix),
	    "a larger backlog in the server (tcpserver: without -B), more "
	    "workers there (tcpserver: -w), or fewer new connections a second "
	    "(-n)");
}

void
diagnosis_explain_accept_queue(const struct diagnosis_source *s, uint64_t count,
    struct diagnosis_finding *f)
{
	(void)count;
	if (has_queue(s, GAUGES_somaxconn))
		fix_backlog(f);
}

void
diagnosis_explain_syn_queue(const struct diagnosis_source *s, uint64_t count,
    struct diagnosis_finding *f)
{
	bool accepts = has_queue(s, GAUGES_somaxconn),
	     half_open = has_queue(s, GAUGES_tcp_max_syn_backlog);

	(void)count;
	if (accepts && half_open)
		fix_backlog(f);
	else
		snprintf(f->fix, sizeof(f->fix),
		    "sysctl%s%s, and a backlog as large in the server "
		    "(tcpserver: without -B)",
		    accepts ? "" : " net.core.somaxconn=65535",
		    half_open ? "" : " net.ipv4.tcp_max_syn_backlog=65535");
}

void
diagnosis_explain_cookies(const struct diagnosis_source *s, uint64_t count,
    struct diagnosis_finding *f)
{
	if (diagnosis_gauge(s, GAUGES_tcp_syncookies) != 2) {
		diagnosis_explain_syn_queue(s, count, f);
		return;
	}
	f->limit = "net.ipv4.tcp_syncookies";
	snprintf(f->evidence, sizeof(f->evidence),
	    "net.ipv4.tcp_syncookies is 2: a cookie for every SYN");
	snprintf(f->fix, sizeof(f->fix), "sysctl net.ipv4.tcp_syncookies=1");
}

/*
 * No answer, or one that nobody asked for.
 */

/* Nothing here has dropped a SYN, and that much is known. */
static bool
knows_of_no_drop(const struct diagnosis_source *s, uint64_t count)
{
	uint64_t listeners =
	    diagnosis_counted(s, NETSTAT_TcpExt_ListenOverflows) +
	    diagnosis_counted(s, NETSTAT_TcpExt_TCPReqQFullDrop);

	return diagnosis_counted(s, NETSTAT_softnet_dropped) < count &&
	    s->delta->readable[NETSTAT_TcpExt_ListenOverflows] &&
	    s->delta->readable[NETSTAT_TcpExt_TCPReqQFullDrop] &&
	    (listeners == 0 ||
		diagnosis_knows_listener(s, NETSTAT_TcpExt_ListenOverflows));
}

/* The kernel's own drops here would have been found before. */
void
diagnosis_explain_timeout(const struct diagnosis_source *s, uint64_t count,
    struct diagnosis_finding *f)
{
	if (s->view == DIAGNOSIS_FROM_BOTH && knows_of_no_drop(s, count)) {
		f->side = "path";
		snprintf(f->evidence, sizeof(f->evidence),
		    "the server is on this host, whose accept queue, SYN queue "
		    "and tracking table dropped nothing: a packet filter did, "
		    "or the server is in another network namespace");
		snprintf(f->fix, sizeof(f->fix),
		    "let the port pass: nft list ruleset, iptables -nvL");
		return;
	}
	snprintf(f->evidence, sizeof(f->evidence),
	    "this host knows of no packet that it dropped; a host that is down "
	    "or an address that no host has, a packet filter, a full tracking "
	    "table on the way, and a full accept or SYN queue of the server "
	    "look the same from here");
	snprintf(f->fix, sizeof(f->fix),
	    "look whether the host is up and the address right (ping, ip "
	    "neigh), then look there: nstat -az TcpExtListenOverflows "
	    "TcpExtTCPReqQFullDrop, conntrack -S, nft list ruleset, iptables "
	    "-nvL; tcpserver's summary has its own");
}

static uint64_t
icmp_received(const struct diagnosis_source *s)
{
	return diagnosis_counted(s, NETSTAT_Icmp_InDestUnreachs) +
	    diagnosis_counted(s, NETSTAT_snmp6_Icmp6InDestUnreachs);
}

/*
 * Somebody has sent an ICMP message for each: who? refused: of a port, which no router
 * sends that finds no host.
 */
static void
blame_icmp(const struct diagnosis_source *s, uint64_t count, bool refused,
    struct diagnosis_finding *f)
{
	bool own = diagnosis_counted(s, NETSTAT_Icmp_OutDestUnreachs) >= count;

	f->side = "path";
	/* the kernel sends so many ICMP messages a second and no more */
	f->explains |= EFFECT_TIMED_OUT | EFFECT_RESENT;
	snprintf(f->evidence, sizeof(f->evidence),
	    "%" PRIu64 " ICMP messages said so%s", icmp_received(s),
	    refused && own ? ", and this host sent them: a rule of it rejects" :
		refused	   ? ", from another host" :
		own ? ", and this host sent them: no host at that address "
		      "answers (it is down, or the address is wrong: ip "
		      "neigh), or a rule of this host rejects" :
		      ", from another host: a router that finds no host there "
		      "(it is down, or the address is wrong), or a packet "
		      "filter");
}

/* Connections that it had have ended: then it is not that it was never started. */
static bool
has_listened(const struct diagnosis_source *s)
{
	return s->seen[DIAGNOSIS_CLOSED_BY_PEER] +
	    s->seen[DIAGNOSIS_RESET_BY_PEER] >
	    0;
}

static void
fix_ended(struct diagnosis_finding *f)
{
	diagnosis_add_evidence(f,
	    "it had connections before, so it has ended, or stopped listening");
	snprintf(f->fix, sizeof(f->fix),
	    "look why the server ended (its messages, dmesg: it may have been "
	    "out of memory), and start it again");
}

/* Others were opened at the same target, which is on another host. */
static void
blame_a_bound(struct diagnosis_finding *f)
{
	f->limit = "some connects are refused, though something listens there";
	f->side = "cannot tell";
	snprintf(f->evidence, sizeof(f->evidence),
	    "resets came back, while other connections to the same target were "
	    "opened: a packet filter or a load balancer may bound how many "
	    "connections there are, or come in a second, or refuse some "
	    "sources; or the server listened for a part of the time");
	snprintf(f->fix, sizeof(f->fix),
	    "look there: nft list ruleset, iptables -nvL (connlimit, "
	    "hashlimit), and the server's messages; or fewer connections (-c), "
	    "or a lower -n");
}

/* TCP answers with a reset, a packet filter with one or with ICMP. */
void
diagnosis_explain_refusal(const struct diagnosis_source *s, uint64_t count,
    struct diagnosis_finding *f)
{
	static const char rejects[] = "a packet filter rejects",
			  fix[] = "let the port pass: nft list ruleset, "
				  "iptables -nvL, on both hosts and between";

	if (icmp_received(s) >= count) {
		f->limit = rejects;
		snprintf(f->fix, sizeof(f->fix), "%s", fix);
		blame_icmp(s, count, true, f);
	} else if (s->view == DIAGNOSIS_FROM_BOTH &&
	    s->delta->readable[NETSTAT_Tcp_OutRsts] &&
	    diagnosis_counted(s, NETSTAT_Tcp_OutRsts) < count) {
		f->limit = rejects;
		f->side = "path";
		snprintf(f->fix, sizeof(f->fix), "%s", fix);
		snprintf(f->evidence, sizeof(f->evidence),
		    "reset, but TCP of this host sent only %" PRIu64 " resets",
		    diagnosis_counted(s, NETSTAT_Tcp_OutRsts));
	} else if (s->view == DIAGNOSIS_FROM_BOTH) {
		f->limit = "nothing listens there";
		snprintf(f->evidence, sizeof(f->evidence),
		    "TCP of this host itself sent %" PRIu64 " resets",
		    diagnosis_counted(s, NETSTAT_Tcp_OutRsts));
	} else if (2 * s->refused_beside > count && !has_listened(s)) {
		blame_a_bound(f);
		return;
	} else
		snprintf(f->evidence, sizeof(f->evidence),
		    "a reset came back, as it does where nothing listens, or "
		    "where a packet filter rejects with a reset");
	if (f->limit != rejects && has_listened(s))
		fix_ended(f);
}

void
diagnosis_explain_unreachable(const struct diagnosis_source *s, uint64_t count,
    struct diagnosis_finding *f)
{
	if (icmp_received(s) >= count) {
		blame_icmp(s, count, false, f);
		snprintf(f->fix, sizeof(f->fix),
		    "look whether the host is up and the address right: ping, "
		    "ip neigh, ip route get; then let the port pass: nft list "
		    "ruleset, iptables -nvL, on both hosts and between them");
		return;
	}
	f->side = "client";
	snprintf(f->evidence, sizeof(f->evidence),
	    "no ICMP message said so: it is a route or a rule of this host");
	snprintf(f->fix, sizeof(f->fix),
	    "check the address, ip route get, that IPv6 is on, nft list "
	    "ruleset");
}
