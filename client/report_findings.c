/*
 * The limits that a run has met: found, and said in mid-run.
 */
#include <stdio.h>
#include <string.h>

#include "client/report_internal.h"
#include "lib/findings.h"

struct places {
	const struct report *report;
	const struct tally *tally;
};

static uint32_t
cause_of(int cause)
{
	switch (cause - DIAGNOSIS_WHERE_SEEN) {
	case DIAGNOSIS_CLOSED_BY_PEER:
		return TALLY_PEER_FIN;
	case DIAGNOSIS_RESET_BY_PEER:
		return TALLY_PEER_RST;
	case DIAGNOSIS_NOT_SERVED:
		return TALLY_QUEUED;
	case DIAGNOSIS_WRONG_ANSWER:
		return TALLY_WRONG_ANSWER;
	case DIAGNOSIS_CUT_OFF:
		return TALLY_CUT_OFF;
	case DIAGNOSIS_MALFORMED:
		return TALLY_MALFORMED;
	case DIAGNOSIS_OUT_OF_IDS:
		return TALLY_OUT_OF_IDS;
	case DIAGNOSIS_GIVEN_UP:
		return TALLY_GIVEN_UP;
	default:
		return (uint32_t)cause; /* an errno */
	}
}

static bool
say_places(
    const void *arg, int cause, uint64_t total, char text[DIAGNOSIS_PLACES])
{
	const struct places *p = arg;

	return report_places(p->report, p->tally, cause_of(cause), total, text);
}

void
report_diagnose(
    struct report *r, const struct stats *stats, const struct netstat *delta)
{
	const struct stats_counters *n = &stats->n;
	const struct places places = {r, &stats->tally};
	char first_bytes[FIRST_BYTES_TEXT];
	struct diagnosis_source source;

	/* of merged results it is what their files say */
	if (r->config.routes != NULL)
		r->refused_beside = report_refused_beside(&stats->tally);
	source = (struct diagnosis_source){
	    .view = r->config.view,
	    .delta = delta,
	    .gauges = &r->gauges.most,
	    .by_errno = n->failed_errno,
	    .errnos = STATS_ERRNOS,
	    .seen = {[DIAGNOSIS_RESET_BY_PEER] = n->reset_by_peer,
		[DIAGNOSIS_CLOSED_BY_PEER] = n->closed_by_peer,
		[DIAGNOSIS_NOT_SERVED] =
		    n->verified == 0 ? 0 : n->evidence_in_accept_queue,
		[DIAGNOSIS_WRONG_ANSWER] = stats_wrong_bytes(n),
		[DIAGNOSIS_CUT_OFF] = n->evidence_cut_off,
		[DIAGNOSIS_MALFORMED] = n->malformed,
		[DIAGNOSIS_OUT_OF_IDS] = n->out_of_ids,
		[DIAGNOSIS_GIVEN_UP] = stats_given_up(n),
		[DIAGNOSIS_KILLED] = r->end.workers_died},
	    .first_bytes = stats->first_bytes.length == 0 ?
		NULL :
		first_bytes_format(&stats->first_bytes, first_bytes),
	    .first_bytes_are =
		stats->first_bytes.cut && n->evidence_cut_off > 0 ?
		DIAGNOSIS_BYTES_CUT_OFF :
		first_bytes_are_dns(&stats->first_bytes) ?
		DIAGNOSIS_BYTES_DNS :
		DIAGNOSIS_BYTES_OTHER,
	    .refused_beside = r->refused_beside,
	    .never_answered = n->verified == 0 &&
		n->sent + n->probe_sent + n->warmup_sent > 0,
	    .ways = r->config.ways,
	    .resets = r->config.reset,
	    .fin_wait1 = r->closing.fin_wait1,
	    .fin_wait2 = r->closing.fin_wait2,
	    .connections = r->config.connections,
	    .drops = &r->drops,
	    .where = say_places,
	    .where_arg = &places,
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
	report_diagnose(r, &sum->stats, &delta);
	for (i = 0; i < r->finding_count; i++) {
		if (!is_new(r, r->findings[i].limit))
			continue;
		fputs(terminal ? "\r\033[Ktcpclient: LIMIT " :
				 "tcpclient: LIMIT ",
		    out);
		findings_print(&r->findings[i], out);
	}
}
