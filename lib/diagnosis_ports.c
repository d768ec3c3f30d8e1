/*
 * Why no local port was left, and what frees some.
 *
 * Who closes first keeps the port: in FIN_WAIT1 until the other host has
 * acknowledged the FIN (given up after tcp_orphan_retries), in FIN_WAIT2 until
 * the other side closes as well (or tcp_fin_timeout is over), and then in
 * TIME_WAIT for 60 s, which no sysctl changes. connect() takes a port out of
 * TIME_WAIT with tcp_tw_reuse 1, once tcp_tw_reuse_delay is over, and only if
 * that connection had TCP timestamps; out of the other two states never.
 */
#include <inttypes.h>
#include <stdio.h>

#include "lib/diagnosis_internal.h"

#define REUSE_DELAY 1000 /* ms, the default */
#define FIN_TIMEOUT 5 /* seconds: what a fix says */

/* A few are on their way through these states in any run that closes. */
static bool
are_many(const struct diagnosis_source *s, uint64_t sockets)
{
	return sockets >= 10 &&
	    sockets >= diagnosis_gauge(s, GAUGES_tcp_time_wait) / 10;
}

/* A sysctl that is read and has not that value. */
static bool
differs(const struct diagnosis_source *s, enum gauge which, uint64_t value)
{
	return s->gauges->readable[which] && s->gauges->value[which] != value;
}

static bool
lacks_timestamps(const struct diagnosis_source *s)
{
	return s->gauges->readable[GAUGES_tcp_timestamps] &&
	    s->gauges->value[GAUGES_tcp_timestamps] == 0;
}

static bool
delays_reuse(const struct diagnosis_source *s)
{
	return diagnosis_gauge(s, GAUGES_tcp_tw_reuse_delay) > REUSE_DELAY;
}

/* Another way to free ports, after those that the fix has. */
static char *
another(struct diagnosis_finding *f)
{
	if (f->fix[0] != '\0')
		diagnosis_add(f->fix, ", or ");
	return f->fix;
}

/* The default: ports are reused for targets on loopback only. */
static bool
is_for_loopback(const struct diagnosis_source *s)
{
	return diagnosis_gauge(s, GAUGES_tcp_tw_reuse) == 2 &&
	    s->view == DIAGNOSIS_FROM_BOTH;
}

/* Until the kernel takes ports out of TIME_WAIT; false if it does so already. */
static bool
fix_reuse(const struct diagnosis_source *s, struct diagnosis_finding *f)
{
	bool off = differs(s, GAUGES_tcp_tw_reuse, 1) ||
	    !s->gauges->readable[GAUGES_tcp_tw_reuse];

	if (!off && !lacks_timestamps(s) && !delays_reuse(s))
		return false;
	diagnosis_add(another(f), "sysctl%s%s%s and wait a %s",
	    off ? is_for_loopback(s) ?
		  " net.ipv4.tcp_tw_reuse=1 (not for a target on loopback)" :
		  " net.ipv4.tcp_tw_reuse=1" :
		  "",
	    lacks_timestamps(s) ? " net.ipv4.tcp_timestamps=1" : "",
	    delays_reuse(s) ? " net.ipv4.tcp_tw_reuse_delay=1000" : "",
	    lacks_timestamps(s) ? "minute" : "second");
	return true;
}

/* tcp_tw_reuse is on, and yet ports were kept. */
static void
explain_kept(const struct diagnosis_source *s, struct diagnosis_finding *f)
{
	diagnosis_add_evidence(f,
	    "net.ipv4.tcp_tw_reuse is 1, which frees a port %s in TIME_WAIT, "
	    "and only if both hosts use TCP timestamps",
	    diagnosis_gauge(s, GAUGES_tcp_tw_reuse_delay) == REUSE_DELAY ?
		"after a second" :
		"after a while");
	diagnosis_add(another(f), "wait a second");
	if (s->view != DIAGNOSIS_FROM_BOTH)
		diagnosis_add(another(f),
		    "sysctl net.ipv4.tcp_timestamps=1 on the server's host, if "
		    "it is 0 there");
}

static void
fix_unanswered(const struct diagnosis_source *s, struct diagnosis_finding *f)
{
	if (are_many(s, s->fin_wait2)) {
		diagnosis_add(another(f), "have the server close, too");
		if (diagnosis_gauge(s, GAUGES_tcp_fin_timeout) > FIN_TIMEOUT)
			diagnosis_add(another(f),
			    "sysctl net.ipv4.tcp_fin_timeout=%d", FIN_TIMEOUT);
	}
	if (are_many(s, s->fin_wait1) &&
	    differs(s, GAUGES_tcp_orphan_retries, 2))
		diagnosis_add(
		    another(f), "sysctl net.ipv4.tcp_orphan_retries=2");
}

static void
fix_more_ways(const struct diagnosis_source *s, struct diagnosis_finding *f)
{
	diagnosis_add(another(f), "more sources (-a), more target ports (-p)");
	if (!s->ways.widest)
		diagnosis_add(
		    f->fix, ", net.ipv4.ip_local_port_range=\"1024 65535\"");
}

static void
say_ways(
    const struct limits_ways *w, uint64_t count, struct diagnosis_finding *f)
{
	snprintf(f->symptom, sizeof(f->symptom),
	    "%" PRIu64 " connects failed, no local port left", count);
	if (w->ports > 0)
		diagnosis_add(f->symptom,
		    ": %" PRIu64 " ports x %" PRIu64 " source%s x %" PRIu64
		    " target%s = %" PRIu64 " connections at most",
		    w->ports, w->sources, w->sources == 1 ? "" : "s",
		    w->targets, w->targets == 1 ? "" : "s",
		    w->ports * w->sources * w->targets);
}

/* The kernel counts those in FIN_WAIT2 among those in TIME_WAIT, mostly. */
static uint64_t
in_time_wait(const struct diagnosis_source *s)
{
	uint64_t all = diagnosis_gauge(s, GAUGES_tcp_time_wait);

	return all > s->fin_wait2 ? all - s->fin_wait2 : 0;
}

static void
say_waiting(const struct diagnosis_source *s, struct diagnosis_finding *f)
{
	if (in_time_wait(s) > 0)
		diagnosis_add(f->symptom,
		    ", and %" PRIu64 " sockets of this host in TIME_WAIT",
		    in_time_wait(s));
	if (are_many(s, s->fin_wait2))
		diagnosis_add(f->symptom,
		    ", and %" PRIu64
		    " in FIN_WAIT2, which the server has not closed",
		    s->fin_wait2);
	if (are_many(s, s->fin_wait1))
		diagnosis_add(f->symptom,
		    ", and %" PRIu64
		    " in FIN_WAIT1, whose FIN the server's host has not "
		    "acknowledged",
		    s->fin_wait1);
}

/* Too many were asked for; or others, or sockets that close, hold the ports. */
void
diagnosis_explain_ports(const struct diagnosis_source *s, uint64_t count,
    struct diagnosis_finding *f)
{
	const struct limits_ways *w = &s->ways;
	uint64_t waiting = in_time_wait(s);
	char missing[LIMITS_TEXT];

	say_ways(w, count, f);
	say_waiting(s, f);
	f->fix[0] = '\0';
	if (limits_ways_short(w, s->connections, missing)) {
		snprintf(f->fix, sizeof(f->fix), "%s", missing);
		return;
	}
	if (waiting == 0 && !are_many(s, s->fin_wait1) &&
	    !are_many(s, s->fin_wait2)) {
		if (w->ports > 0)
			diagnosis_add_evidence(f,
			    "other connections of this host hold the others");
	} else if (!s->resets)
		diagnosis_add(f->fix, "close with --close rst");
	if (waiting > 0 && !fix_reuse(s, f))
		explain_kept(s, f);
	fix_unanswered(s, f);
	fix_more_ways(s, f);
}
