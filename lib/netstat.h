/*
 * What the kernel counted while a run went on, and what that means.
 *
 * The counters are those of this host, or of this network namespace (drops of
 * the packet backlog: of the whole machine). They tell of the server only where
 * it runs here as well, and of others' traffic too.
 */
#ifndef LIB_NETSTAT_H
#define LIB_NETSTAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/limits.h"

/* X(table, name): as /proc/net/snmp and /proc/net/netstat have them. */
#define NETSTAT_COUNTERS(X)             \
	X(Tcp, AttemptFails)            \
	X(Tcp, EstabResets)             \
	X(Tcp, RetransSegs)             \
	X(TcpExt, SyncookiesSent)       \
	X(TcpExt, ListenOverflows)      \
	X(TcpExt, ListenDrops)          \
	X(TcpExt, TCPReqQFullDoCookies) \
	X(TcpExt, TCPReqQFullDrop)      \
	X(TcpExt, TCPSynRetrans)        \
	X(TcpExt, TCPTimeouts)          \
	X(TcpExt, TCPTimeWaitOverflow)  \
	X(TcpExt, TCPMemoryPressures)   \
	X(TcpExt, TCPAbortOnMemory)     \
	X(TcpExt, TCPBacklogDrop)       \
	X(softnet, dropped) /* /proc/net/softnet_stat, second column */

#define NETSTAT_ENUM(table, name) NETSTAT_##table##_##name,
enum netstat_counter { NETSTAT_COUNTERS(NETSTAT_ENUM) NETSTAT_COUNT };

struct netstat {
	uint64_t value[NETSTAT_COUNT];
	bool readable[NETSTAT_COUNT];
};

#define NETSTAT_TEXT 240

struct netstat_finding {
	const char *limit;
	const char *side; /* client, server, path, this host */
	char symptom[NETSTAT_TEXT];
	char fix[NETSTAT_TEXT];
};

#define NETSTAT_FINDINGS 24 /* more than there can be */

/* Reads the counters below a /proc root, "/proc" but in tests. */
void netstat_read(struct netstat *, const char *proc);

/*
 * later -= earlier; readable only where both were and the counter did not go
 * back, as it does when it wraps or a processor is taken away.
 */
void netstat_subtract(struct netstat *later, const struct netstat *earlier);

/* "ListenOverflows", ... */
const char *netstat_name(enum netstat_counter);

/*
 * What the counters' deltas and the errnos of failed connects (counts, indexed
 * by errno) point to, at most NETSTAT_FINDINGS. Returns how many. ways are those
 * of a run of that many connections.
 */
size_t netstat_diagnose(const struct netstat *delta, const uint64_t *by_errno,
    size_t errnos, const struct limits_ways *ways, uint64_t connections,
    struct netstat_finding out[NETSTAT_FINDINGS]);

#endif
