/*
 * What the kernel holds now, as against what it has counted (lib/netstat): the
 * sockets and tracked connections of this network namespace, and the settings
 * that bound them.
 */
#ifndef LIB_GAUGES_H
#define LIB_GAUGES_H

#include <stdbool.h>
#include <stdint.h>

/*
 * X(name, file below /proc, line's first word or "", name in the line or "").
 * orphans and memory are of the whole machine, whatever namespace asks. What is
 * the initial namespace's only is unreadable in others.
 */
#define GAUGES_LIST(X)                                                     \
	X(tcp_inuse, "net/sockstat", "TCP:", "inuse")                      \
	X(tcp6_inuse, "net/sockstat6", "TCP6:", "inuse")                   \
	X(tcp_time_wait, "net/sockstat", "TCP:", "tw")                     \
	X(tcp_orphans, "net/sockstat", "TCP:", "orphan")                   \
	X(tcp_memory_pages, "net/sockstat", "TCP:", "mem")                 \
	X(tcp_max_orphans, "sys/net/ipv4/tcp_max_orphans", "", "")         \
	X(tcp_max_tw_buckets, "sys/net/ipv4/tcp_max_tw_buckets", "", "")   \
	X(tcp_tw_reuse, "sys/net/ipv4/tcp_tw_reuse", "", "")               \
	X(tcp_tw_reuse_delay, "sys/net/ipv4/tcp_tw_reuse_delay", "", "")   \
	X(tcp_timestamps, "sys/net/ipv4/tcp_timestamps", "", "")           \
	X(tcp_fin_timeout, "sys/net/ipv4/tcp_fin_timeout", "", "")         \
	X(tcp_orphan_retries, "sys/net/ipv4/tcp_orphan_retries", "", "")   \
	X(tcp_syncookies, "sys/net/ipv4/tcp_syncookies", "", "")           \
	X(tcp_max_syn_backlog, "sys/net/ipv4/tcp_max_syn_backlog", "", "") \
	X(somaxconn, "sys/net/core/somaxconn", "", "")                     \
	X(netdev_max_backlog, "sys/net/core/netdev_max_backlog", "", "")   \
	X(neigh_v4_max, "sys/net/ipv4/neigh/default/gc_thresh3", "", "")   \
	X(neigh_v6_max, "sys/net/ipv6/neigh/default/gc_thresh3", "", "")   \
	X(file_max, "sys/fs/file-max", "", "")                             \
	X(max_user_watches, "sys/fs/epoll/max_user_watches", "", "")       \
	X(conntrack_count, "sys/net/netfilter/nf_conntrack_count", "", "") \
	X(conntrack_max, "sys/net/netfilter/nf_conntrack_max", "", "")

#define GAUGES_ENUM(name, file, line, word) GAUGES_##name,
enum gauge { GAUGES_LIST(GAUGES_ENUM) GAUGES_COUNT };

struct gauges {
	uint64_t value[GAUGES_COUNT];
	bool readable[GAUGES_COUNT];
};

/*
 * Over the time of a run. The end is not in the most: by then the run's own
 * connections may be in TIME_WAIT.
 */
struct gauges_span {
	struct gauges begin;
	struct gauges most; /* at the begin, and while it ran */
	struct gauges end;
};

/* Reads them below a /proc root, "/proc" but in tests. */
void gauges_read(struct gauges *, const char *proc);

/* The larger of both, of each; readable where one is. */
void gauges_raise(struct gauges *most, const struct gauges *);

const char *gauges_name(enum gauge);

#endif
