/*
 * What the server says of itself: a line, the counts, JSON, all from the sum of
 * all workers. Printing fails silently here; who owns the stream checks it.
 */
#ifndef SERVER_REPORT_H
#define SERVER_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/sockdiag.h"
#include "server/counts.h"
#include "server/listener.h"

struct server_report {
	int argc;
	char *const *argv;
	char *address; /* as listener_format() writes it */
	const struct listener *listener;
	unsigned int backlog;
	unsigned int workers;
	uint64_t max_connections; /* 0: no limit of its own */
	uint64_t begun; /* monotonic nanoseconds */
	uint64_t peak_accepts; /* most in one second */
	uint64_t peak_seen; /* most open at once when somebody looked */
	unsigned int workers_died;
	struct sockdiag_queues queues; /* the accept queues, a moment ago */
	bool queues_known;
	uint64_t queue_peak; /* most seen in one of them */
};

/* The accept queues as they are now; the last ones there were are kept. */
void server_report_queues(
    struct server_report *, const struct sockdiag_queues *);

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

void server_report_json(
    const struct server_report *, const struct counts *, uint64_t now, FILE *);

#endif
