/*
 * The limits that a run has met: found, and said in mid-run.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/report_internal.h"
#include "client/routes.h"
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

/*
 * At which targets.
 */

#define PLACES_SHOWN 4

struct places {
	const struct routes *routes;
	const struct tally *tally;
};

static uint32_t
cause_of(int cause)
{
	if (cause == DIAGNOSIS_WHERE_SEEN + DIAGNOSIS_CLOSED_BY_PEER)
		return TALLY_PEER_FIN;
	if (cause == DIAGNOSIS_WHERE_SEEN + DIAGNOSIS_RESET_BY_PEER)
		return TALLY_PEER_RST;
	return (uint32_t)cause;
}

/* The rows of one cause. */
static uint32_t
find_rows(const struct tally *t, uint32_t cause,
    const struct tally_row *found[TALLY_TARGETS])
{
	uint32_t i, count = 0;

	for (i = 0; i < t->used && count < TALLY_TARGETS; i++)
		if (t->rows[i].cause == cause)
			found[count++] = &t->rows[i];
	return count;
}

/* Connections are spread so that targets differ by one or two. */
static bool
are_alike(const struct tally_row *const *rows, uint32_t count)
{
	uint64_t least = UINT64_MAX, most = 0;
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (rows[i]->count < least)
			least = rows[i]->count;
		if (rows[i]->count > most)
			most = rows[i]->count;
	}
	return most - least <= 1 + most / 10;
}

static void
list_places(const struct places *p, const struct tally_row *const *rows,
    uint32_t count, uint64_t total, char text[DIAGNOSIS_PLACES])
{
	char target[ADDR_FORMAT];
	struct addr address;
	size_t used = 0;
	uint32_t i;

	for (i = 0; i < count && i < PLACES_SHOWN &&
	     used < DIAGNOSIS_PLACES - ADDR_FORMAT;
	     i++) {
		routes_target(p->routes, rows[i]->target, &address);
		addr_format(&address, target);
		used += (size_t)snprintf(text + used, DIAGNOSIS_PLACES - used,
		    "%s%s: %" PRIu64, i == 0 ? "of " : ", ", target,
		    rows[i]->count);
		total -= rows[i]->count < total ? rows[i]->count : total;
	}
	if (total > 0 && used < DIAGNOSIS_PLACES)
		snprintf(text + used, DIAGNOSIS_PLACES - used,
		    ", of others: %" PRIu64, total);
}

static bool
say_targets(
    const void *arg, int cause, uint64_t total, char text[DIAGNOSIS_PLACES])
{
	const struct places *p = arg;
	const struct tally_row *rows[TALLY_TARGETS];
	uint32_t count = find_rows(p->tally, cause_of(cause), rows);

	if (count == 0 || routes_targets(p->routes) == 1)
		return false;
	if (count == routes_targets(p->routes) && are_alike(rows, count))
		snprintf(text, DIAGNOSIS_PLACES,
		    "all %" PRIu32 " targets alike", count);
	else
		list_places(p, rows, count, total, text);
	return true;
}

void
report_diagnose(
    struct report *r, const struct stats *stats, const struct netstat *delta)
{
	const struct stats_counters *n = &stats->n;
	const struct places places = {r->config.routes, &stats->tally};
	char first_bytes[FIRST_BYTES_TEXT];
	struct diagnosis_source source = {
	    .view = r->config.view,
	    .delta = delta,
	    .gauges = &r->gauges.most,
	    .by_errno = n->failed_errno,
	    .errnos = STATS_ERRNOS,
	    .seen = {[DIAGNOSIS_RESET_BY_PEER] = n->reset_by_peer,
		[DIAGNOSIS_CLOSED_BY_PEER] = n->closed_by_peer,
		[DIAGNOSIS_NOT_SERVED] = not_served(r, n),
		[DIAGNOSIS_WRONG_ANSWER] = n->wrong_answer,
		[DIAGNOSIS_MALFORMED] = n->malformed,
		[DIAGNOSIS_OUT_OF_IDS] = n->out_of_ids,
		[DIAGNOSIS_KILLED] = r->end.workers_died},
	    .first_bytes = stats->first_bytes.length == 0 ?
		NULL :
		first_bytes_format(&stats->first_bytes, first_bytes),
	    .ways = r->config.ways,
	    .resets = r->config.reset,
	    .fin_wait1 = r->closing.fin_wait1,
	    .fin_wait2 = r->closing.fin_wait2,
	    .connections = r->config.connections,
	    .where = r->config.routes == NULL ? NULL : say_targets,
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
