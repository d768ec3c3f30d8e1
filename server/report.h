/*
 * What the server says of itself: a line, the counts, JSON, all from the sum of
 * all workers. Printing fails silently here; who owns the stream checks it.
 */
#ifndef SERVER_REPORT_H
#define SERVER_REPORT_H

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/diagnosis.h"
#include "lib/sockdiag.h"
#include "server/counts.h"
#include "server/listener.h"
#include "server/service.h"

struct server_report {
	int argc;
	char *const *argv;
	char *address; /* as listener_format() writes it */
	const struct listener *listener;
	const struct service *service;
	unsigned int backlog;
	unsigned int workers;
	uint64_t max_connections; /* 0: no limit of its own */
	uint64_t begun; /* monotonic nanoseconds */
	uint64_t peak_accepts; /* most in one second */
	uint64_t peak_seen; /* most open at once when somebody looked */
	unsigned int workers_died;
	unsigned int workers_killed; /* of them, by this program */
	uint64_t lines_left_out; /* on standard error, by the parent */
	int full; /* errno of the first pause of accepting; 0: room was asked to
		   * end there, or there was none of them */
	struct first_bytes first_bytes; /* that are no DNS query; none: 0 */
	int unwatched; /* errno, why a socket could not be watched; 0: none */
	struct netstat kernel; /* when it began; at the end what it rose by */
	struct gauges_span gauges;
	struct diagnosis_finding findings[DIAGNOSIS_MOST];
	size_t finding_count;
	struct sockdiag_queues queues; /* the accept queues, a moment ago */
	bool queues_known;
	uint64_t queue_peak; /* most seen in one of them */
	struct sockdiag_drops drops; /* of the listening sockets */
	bool closing; /* they are being closed: nothing more is known of them */
};

/* The kernel's counters, and what it holds: when it begins, and now and then. */
void server_report_begin(struct server_report *);
void server_report_watch(struct server_report *);

/* The accept queues as they are now; the last ones there were are kept. */
void server_report_queues(
    struct server_report *, const struct sockdiag_queues *);

/* Which limits it has met, from the final sum; before text and JSON. */
void server_report_finish(struct server_report *, const struct counts *);

/*
 * Looks at the sum for the most that were open at once over all workers. What
 * was seen so is a lower bound, and the sum of the workers' own peaks, which
 * need not be of one moment, an upper one. With one worker that one is exact,
 * and the only one shown.
 */
void server_report_peak(struct server_report *, const struct counts *);

/* One line: the counts, and the rates since an earlier moment. */
void server_report_line(const struct server_report *, const struct counts *now,
    const struct counts *before, double seconds, FILE *);

void server_report_text(
    const struct server_report *, const struct counts *, uint64_t now, FILE *);

/* What is counted, and can be told at any time, as the JSON below has it: the
 * members duration_s, counts, accept_queue, workers_died. The caller's. */
json_t *server_report_counts(
    const struct server_report *, const struct counts *, uint64_t now);

void server_report_json(
    const struct server_report *, const struct counts *, uint64_t now, FILE *);

#endif
