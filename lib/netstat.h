/*
 * What the kernel counted while a run went on; what that means is
 * lib/diagnosis' business.
 *
 * The counters are those of this host, or of this network namespace (drops of
 * the packet backlog: of the whole machine). They tell of the server only where
 * it runs here as well, and of others' traffic too.
 */
#ifndef LIB_NETSTAT_H
#define LIB_NETSTAT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * X(table, name): as the kernel's files have them. The first two tables are
 * those of /proc/net/snmp and netstat.
 */
#define NETSTAT_COUNTERS(X)                                                 \
	X(Tcp, AttemptFails)                                                \
	X(Tcp, EstabResets)                                                 \
	X(Tcp, OutSegs)                                                     \
	X(Tcp, RetransSegs) /* none of them in OutSegs */                   \
	X(Tcp, OutRsts)                                                     \
	X(Icmp, InDestUnreachs)                                             \
	X(Icmp, OutDestUnreachs)                                            \
	X(TcpExt, SyncookiesSent)                                           \
	X(TcpExt, SyncookiesFailed)                                         \
	X(TcpExt, EmbryonicRsts)                                            \
	X(TcpExt, TWRecycled)                                               \
	X(TcpExt, ListenOverflows)                                          \
	X(TcpExt, ListenDrops)                                              \
	X(TcpExt, TCPReqQFullDoCookies)                                     \
	X(TcpExt, TCPReqQFullDrop)                                          \
	X(TcpExt, TCPSynRetrans)                                            \
	X(TcpExt, TCPTimeouts)                                              \
	X(TcpExt, TCPTimeWaitOverflow)                                      \
	X(TcpExt, TCPMemoryPressures)                                       \
	X(TcpExt, TCPAbortOnMemory)                                         \
	X(TcpExt, TCPBacklogDrop)                                           \
	X(TcpExt, TCPRetransFail)                                           \
	X(snmp6, Icmp6InDestUnreachs)                                       \
	X(softnet, dropped) /* /proc/net/softnet_stat, second column */     \
	X(conntrack, insert_failed) /* /proc/net/stat/nf_conntrack */       \
	X(conntrack, drop)                                                  \
	X(conntrack, early_drop)                                            \
	X(arp_cache, table_fulls) /* /proc/net/stat/arp_cache */            \
	X(ndisc_cache, table_fulls) /* both: only of the first namespace */ \
	X(vmstat, oom_kill) /* /proc/vmstat: of the whole machine */

#define NETSTAT_ENUM(table, name) NETSTAT_##table##_##name,
enum netstat_counter { NETSTAT_COUNTERS(NETSTAT_ENUM) NETSTAT_COUNT };

struct netstat {
	uint64_t value[NETSTAT_COUNT];
	bool readable[NETSTAT_COUNT];
};

/* Reads the counters below a /proc root, "/proc" but in tests. */
void netstat_read(struct netstat *, const char *proc);

/*
 * later -= earlier; readable only where both were and the counter did not go
 * back, as it does when it wraps or a processor is taken away.
 */
void netstat_subtract(struct netstat *later, const struct netstat *earlier);

/* "ListenOverflows", "softnet_dropped", "conntrack_drop", ... */
const char *netstat_name(enum netstat_counter);

#endif
