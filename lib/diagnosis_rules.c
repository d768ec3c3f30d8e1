/*
 * The table: what a signal points to. Only what is no part of a healthy run.
 */
#include <errno.h>

#include "lib/diagnosis_internal.h"

#define COUNTER(table, name) BY_COUNTER, NETSTAT_##table##_##name

#define FIX_ACCEPT_QUEUE                                                      \
	"a larger backlog in the server (tcpserver: without -B), and sysctl " \
	"net.core.somaxconn=65535"
#define FIX_SYN_QUEUE "larger queues" /* explained */
#define FIX_TABLE                                                          \
	"no tracking for the port (setup-client.sh, setup-server.sh), or " \
	"sysctl net.netfilter.nf_conntrack_max=2000000"
#define FIX_MEMORY "fewer connections, or more memory"
#define FIX_RULES                                                            \
	"let the port pass: nft list ruleset, iptables -nvL, on both hosts " \
	"and between them"

const struct diagnosis_rule diagnosis_rules[] = {
    {COUNTER(vmstat, oom_kill), ROLE_ANY, BLAME_OWN, EFFECT_NONE, EFFECT_NONE,
	"memory (of the cgroup, or of this host)",
	"processes ended by the kernel for want of memory, a worker among them",
	"fewer connections, or more memory (memory.max, MemoryMax=)",
	diagnosis_was_killed, NULL},
    /* before the queues that such a server fills as well */
    {BY_SEEN, DIAGNOSIS_WRONG_ANSWER, ROLE_CLIENT, BLAME_PEER, EFFECT_NONE,
	EFFECT_RESET | EFFECT_CLOSED | EFFECT_MALFORMED,
	"bytes that are no DNS answer",
	"connections on which bytes came that are no DNS answer",
	"wrong port or protocol? name the port of a DNS server (-p)", NULL,
	diagnosis_explain_first_bytes},
    {BY_SEEN, DIAGNOSIS_CUT_OFF, ROLE_CLIENT, BLAME_PEER, EFFECT_NONE,
	EFFECT_RESET | EFFECT_CLOSED, "DNS answers that are cut off",
	"connections on which an answer began, and its rest did not come",
	"look at the server: it stopped, closed or was too slow in the middle "
	"of an answer",
	NULL, diagnosis_explain_cut_off},
    {BY_SEEN, DIAGNOSIS_MALFORMED, ROLE_CLIENT, BLAME_PEER, EFFECT_MALFORMED,
	EFFECT_NONE, "bytes that are no DNS answer",
	"messages received that are malformed",
	"look at what the server sends: tcpdump -X", NULL,
	diagnosis_explain_first_bytes},
    {BY_SEEN, DIAGNOSIS_WRONG_QUERY, ROLE_SERVER, BLAME_PEER, EFFECT_NONE,
	EFFECT_NONE, "bytes that are no DNS query",
	"connections on which bytes came that are no DNS query",
	"wrong port or protocol? clients have to speak DNS over TCP, without "
	"TLS",
	NULL, diagnosis_explain_first_bytes},
    {COUNTER(conntrack, drop), ROLE_ANY, BLAME_HOST, EFFECT_NONE,
	EFFECT_TIMED_OUT | EFFECT_RESENT | EFFECT_EVICTED,
	"net.netfilter.nf_conntrack_max",
	"packets dropped, the table of tracked connections was full", FIX_TABLE,
	NULL, diagnosis_explain_table},
    {COUNTER(conntrack, early_drop), ROLE_ANY, BLAME_HOST, EFFECT_EVICTED,
	EFFECT_NONE, "net.netfilter.nf_conntrack_max",
	"tracked connections evicted, the table was full", FIX_TABLE, NULL,
	diagnosis_explain_table},
    {COUNTER(arp_cache, table_fulls), ROLE_ANY, BLAME_HOST, EFFECT_NONE,
	EFFECT_TIMED_OUT | EFFECT_RESENT, "net.ipv4.neigh.default.gc_thresh3",
	"packets dropped, the table of neighbours (ARP) was full",
	"sysctl net.ipv4.neigh.default.gc_thresh3=100000",
	diagnosis_neighbours_matter, NULL},
    {COUNTER(ndisc_cache, table_fulls), ROLE_ANY, BLAME_HOST, EFFECT_NONE,
	EFFECT_TIMED_OUT | EFFECT_RESENT, "net.ipv6.neigh.default.gc_thresh3",
	"packets dropped, the table of neighbours (IPv6) was full",
	"sysctl net.ipv6.neigh.default.gc_thresh3=100000",
	diagnosis_neighbours_matter, NULL},
    {COUNTER(TcpExt, ListenOverflows), ROLE_ANY, BLAME_LISTENER, EFFECT_NONE,
	EFFECT_TIMED_OUT | EFFECT_RESET | EFFECT_RESENT,
	"accept queue (backlog, net.core.somaxconn)",
	"times that a handshake met a full accept queue", FIX_ACCEPT_QUEUE,
	NULL, diagnosis_explain_accept_queue},
    {COUNTER(TcpExt, TCPReqQFullDrop), ROLE_ANY, BLAME_LISTENER, EFFECT_NONE,
	EFFECT_TIMED_OUT | EFFECT_RESENT, "net.ipv4.tcp_max_syn_backlog",
	"SYNs dropped, the queue of half-open connections was full",
	FIX_SYN_QUEUE, NULL, diagnosis_explain_syn_queue},
    {COUNTER(TcpExt, TCPReqQFullDoCookies), ROLE_ANY, BLAME_LISTENER,
	EFFECT_NONE, EFFECT_NONE,
	"SYN queue (backlog, net.ipv4.tcp_max_syn_backlog)",
	"SYNs answered with a SYN cookie", FIX_SYN_QUEUE, NULL,
	diagnosis_explain_cookies},
    {COUNTER(TcpExt, TCPTimeWaitOverflow), ROLE_ANY, BLAME_HOST, EFFECT_NONE,
	EFFECT_NONE, "net.ipv4.tcp_max_tw_buckets",
	"connections that skipped TIME_WAIT",
	"sysctl net.ipv4.tcp_max_tw_buckets=2000000", NULL,
	diagnosis_explain_time_wait},
    {COUNTER(TcpExt, TCPMemoryPressures), ROLE_ANY, BLAME_HOST, EFFECT_NONE,
	EFFECT_ABORTED | EFFECT_RESET | EFFECT_RESENT, "net.ipv4.tcp_mem",
	"times TCP ran short of memory",
	"raise net.ipv4.tcp_mem: each of its three numbers to the double", NULL,
	NULL},
    {COUNTER(TcpExt, TCPAbortOnMemory), ROLE_ANY, BLAME_HOST, EFFECT_ABORTED,
	EFFECT_RESET, "net.ipv4.tcp_max_orphans, net.ipv4.tcp_mem",
	"connections aborted for want of memory",
	"sysctl net.ipv4.tcp_max_orphans=262144, and raise net.ipv4.tcp_mem",
	NULL, diagnosis_explain_abort},
    {COUNTER(softnet, dropped), ROLE_ANY, BLAME_HOST, EFFECT_NONE,
	EFFECT_TIMED_OUT | EFFECT_RESENT, "net.core.netdev_max_backlog",
	"packets dropped before TCP saw them",
	"sysctl net.core.netdev_max_backlog=100000", diagnosis_drops_matter,
	diagnosis_explain_drops},

    {BY_ERRNO, EMFILE, ROLE_CLIENT, BLAME_OWN, EFFECT_NONE, EFFECT_NONE,
	"RLIMIT_NOFILE", "connects failed, the process had no descriptor left",
	"more workers (-w), or raise the hard limit (ulimit -Hn, limits.conf, "
	"LimitNOFILE=)",
	NULL, NULL},
    {BY_ERRNO, EMFILE, ROLE_SERVER, BLAME_OWN, EFFECT_NONE, EFFECT_NONE,
	"RLIMIT_NOFILE",
	"times that nothing more could be accepted, for want of descriptors",
	"more workers (-w), or raise the hard limit (ulimit -Hn, limits.conf, "
	"LimitNOFILE=)",
	NULL, NULL},
    {BY_ERRNO, ENFILE, ROLE_ANY, BLAME_OWN, EFFECT_NONE, EFFECT_NONE,
	"fs.file-max", "times that this host had no file left",
	"sysctl fs.file-max=10000000", NULL, NULL},
    {BY_ERRNO, EADDRNOTAVAIL, ROLE_CLIENT, BLAME_OWN, EFFECT_NONE, EFFECT_NONE,
	"net.ipv4.ip_local_port_range", "connects failed, no local port left",
	"sysctl net.ipv4.ip_local_port_range=\"1024 65535\"; or more sources "
	"(-a), more target ports (-p)",
	NULL, diagnosis_explain_ports},
    {BY_ERRNO, ENOSPC, ROLE_ANY, BLAME_OWN, EFFECT_NONE, EFFECT_NONE,
	"fs.epoll.max_user_watches",
	"sockets that could not be watched, this user watches too many",
	"sysctl fs.epoll.max_user_watches=10000000", NULL, NULL},
    {BY_ERRNO, ENOBUFS, ROLE_ANY, BLAME_OWN, EFFECT_NONE, EFFECT_NONE,
	"kernel memory", "sockets failed for want of buffers", FIX_MEMORY, NULL,
	NULL},
    {BY_ERRNO, ENOMEM, ROLE_ANY, BLAME_OWN, EFFECT_NONE, EFFECT_NONE,
	"kernel memory", "sockets failed for want of memory", FIX_MEMORY, NULL,
	NULL},
    /* counted by the client itself; connect() never gives it for TCP */
    {BY_ERRNO, ELOOP, ROLE_CLIENT, BLAME_OWN, EFFECT_NONE, EFFECT_NONE,
	"target port in net.ipv4.ip_local_port_range",
	"connects were connected to themselves, nobody listens there",
	"start the server; sysctl net.ipv4.ip_local_reserved_ports=PORT keeps "
	"connect() from choosing its port",
	NULL, NULL},
    {BY_ERRNO, ECONNREFUSED, ROLE_CLIENT, BLAME_PEER, EFFECT_NONE, EFFECT_NONE,
	"nothing listens there, or a packet filter resets", "connects refused",
	"start the server, on the address and port asked for", NULL,
	diagnosis_explain_refusal},
    {BY_ERRNO, ETIMEDOUT, ROLE_CLIENT, BLAME_NOBODY, EFFECT_TIMED_OUT,
	EFFECT_RESENT, "no answer to the SYN", "connects timed out",
	"look for a packet filter that drops, a full tracking table "
	"(net.netfilter.nf_conntrack_max), a full accept queue",
	NULL, diagnosis_explain_timeout},
    {BY_ERRNO, EHOSTUNREACH, ROLE_CLIENT, BLAME_PATH, EFFECT_NONE, EFFECT_NONE,
	"no host there, no route, or a packet filter rejects",
	"connects found no way there", FIX_RULES, NULL,
	diagnosis_explain_unreachable},
    {BY_ERRNO, ENETUNREACH, ROLE_CLIENT, BLAME_PATH, EFFECT_NONE, EFFECT_NONE,
	"no route, or a packet filter rejects", "connects found no way there",
	FIX_RULES, NULL, diagnosis_explain_unreachable},
    {BY_ERRNO, EACCES, ROLE_CLIENT, BLAME_PATH, EFFECT_NONE, EFFECT_NONE,
	"no permission, or a packet filter rejects", "connects were forbidden",
	FIX_RULES, NULL, diagnosis_explain_unreachable},
    {BY_ERRNO, EINVAL, ROLE_CLIENT, BLAME_OWN, EFFECT_NONE, EFFECT_NONE,
	"a blackhole route, or an invalid address",
	"connects failed as invalid",
	"check the address and the route to it: ip route get, ip route show "
	"type blackhole",
	NULL, NULL},
    {BY_ERRNO, EPERM, ROLE_CLIENT, BLAME_OWN, EFFECT_NONE, EFFECT_NONE,
	"no permission", "connects were forbidden by this host",
	"nft list ruleset, SELinux, eBPF programs of the cgroup", NULL, NULL},

    {BY_ERRNO, ECONNRESET, ROLE_CLIENT, BLAME_PEER, EFFECT_RESET, EFFECT_NONE,
	"the server, or what is on the way, resets", "connects reset",
	"look at the server's limit of connections", NULL, NULL},
    {BY_SEEN, DIAGNOSIS_RESET_BY_PEER, ROLE_CLIENT, BLAME_PEER, EFFECT_RESET,
	EFFECT_NONE, "the server, or what is on the way, resets",
	"connections reset by the other side",
	"look whether the server has ended, at its limit of connections and at "
	"its accept queue (nstat -az TcpExtListenOverflows there)",
	NULL, diagnosis_explain_end_by_peer},
    {BY_SEEN, DIAGNOSIS_NOT_SERVED, ROLE_CLIENT, BLAME_PEER, EFFECT_NONE,
	EFFECT_NONE, "the server does not accept",
	"connections wait in its accept queue, while others were answered",
	"look at its limit of descriptors (ulimit -Hn, LimitNOFILE=; "
	"tcpserver: more workers, -w), its limit of connections, its messages, "
	"and whether a process of it is stuck",
	NULL, NULL},
    {BY_SEEN, DIAGNOSIS_OUT_OF_IDS, ROLE_CLIENT, BLAME_PEER, EFFECT_NONE,
	EFFECT_NONE, "65,536 IDs of queries a connection",
	"connections had all IDs held by queries that timed out and whose "
	"answers had not come yet",
	"more connections (-c), --drop-on-timeout, or a lower rate", NULL,
	NULL},
    {BY_SEEN, DIAGNOSIS_CLOSED_BY_PEER, ROLE_CLIENT, BLAME_PEER, EFFECT_CLOSED,
	EFFECT_NONE, "the server closes",
	"connections closed by the other side",
	"look whether the server has ended, at its limit of connections and at "
	"how long it lets them idle",
	NULL, diagnosis_explain_end_by_peer},
    {BY_SEEN, DIAGNOSIS_GIVEN_UP, ROLE_CLIENT, BLAME_NOBODY, EFFECT_NONE,
	EFFECT_RESENT, "open connections are no longer answered",
	"connections ended by the kernel here, as nothing that they sent was "
	"acknowledged any more",
	"look whether the other host is up (ping, ip neigh), and for a packet "
	"filter that drops: nft list ruleset, iptables -nvL, on both hosts; "
	"net.ipv4.tcp_retries2 is for how long the kernel tries",
	NULL, diagnosis_explain_given_up},
    {COUNTER(Tcp, RetransSegs), ROLE_ANY, BLAME_NOBODY, EFFECT_RESENT,
	EFFECT_NONE, "packets are lost", "segments sent again",
	"look for drops: ip -s link, ethtool -S, nstat, on both hosts",
	diagnosis_resends_matter, diagnosis_explain_resends},
};

#define RULES (sizeof(diagnosis_rules) / sizeof(diagnosis_rules[0]))
_Static_assert(RULES <= DIAGNOSIS_MOST, "more rules than room for findings");

const size_t diagnosis_rule_count = RULES;
