/*
 * The limits that a run has met: found, and said in mid-run.
 */
#include <string.h>

#include "client/report_internal.h"
#include "lib/findings.h"

/*
 * Acknowledged by the kernel over there, and never answered, while others were: they
 * wait to be accepted, unless it can be seen that none does.
 */
static uint64_t
not_served(const struct report *r, const struct stats_counters *n)
{
	if (n->verified == 0 ||
	    (r->queues_known && r->queues.listeners > 0 &&
		r->queues.queued == 0))
		return 0;
	return n->suspect_queued;
}

void
report_diagnose(struct report *r, const struct stats_counters *n,
    const struct netstat *delta)
{
	struct diagnosis_source source = {
	    .view = r->config.view,
	    .delta = delta,
	    .gauges = &r->gauges.most,
	    .by_errno = n->failed_errno,
	    .errnos = STATS_ERRNOS,
	    .seen = {[DIAGNOSIS_RESET_BY_PEER] = n->reset_by_peer,
		[DIAGNOSIS_CLOSED_BY_PEER] = n->closed_by_peer,
		[DIAGNOSIS_NOT_SERVED] = not_served(r, n),
		[DIAGNOSIS_OUT_OF_IDS] = n->out_of_ids,
		[DIAGNOSIS_KILLED] = r->end.workers_died},
	    .ways = r->config.ways,
	    .resets = r->config.reset,
	    .fin_wait1 = r->closing.fin_wait1,
	    .fin_wait2 = r->closing.fin_wait2,
	    .connections = r->config.connections,
	};

	r->finding_count = diagnosis_find(&source, r->findings);
}

/* Limits are the same string each time. */
static bool
is_new(struct report *r, const char *limit)
{
	size_t i;

	for (i = 0; i < r->said_count; i++)
		if (strcmp(r->said[i], limit) == 0)
			return false;
	if (r->said_count < DIAGNOSIS_MOST)
		r->said[r->said_count++] = limit;
	return true;
}

void
report_watch(struct report *r, const struct generator_result *sum, FILE *out,
    bool terminal)
{
	struct netstat delta;
	struct gauges now;
	size_t i;

	gauges_read(&now, "/proc");
	gauges_raise(&r->gauges.most, &now);
	if (out == NULL)
		return;
	netstat_read(&delta, "/proc");
	netstat_subtract(&delta, &r->kernel);
	report_diagnose(r, &sum->stats.n, &delta);
	for (i = 0; i < r->finding_count; i++) {
		if (!is_new(r, r->findings[i].limit))
			continue;
		fputs(terminal ? "\r\033[Ktcpclient: LIMIT " :
				 "tcpclient: LIMIT ",
		    out);
		findings_print(&r->findings[i], out);
	}
}
