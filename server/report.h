/*
 * What the server says of itself: a line, the counts, JSON, all from the sum of
 * all workers. Printing fails silently here; who owns the stream checks it.
 */
#ifndef SERVER_REPORT_H
#define SERVER_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "server/counts.h"

struct server_report {
	int argc;
	char *const *argv;
	const char *address; /* as addr_format() writes it */
	uint16_t port;
	unsigned int backlog;
	uint64_t max_connections; /* 0: no limit of its own */
	uint64_t begun; /* monotonic nanoseconds */
	uint64_t peak_accepts; /* most in one second */
	unsigned int workers_died;
};

/* One line: the counts, and the rates since an earlier moment. */
void server_report_line(const struct counts *now, const struct counts *before,
    double seconds, FILE *);

void server_report_text(
    const struct server_report *, const struct counts *, uint64_t now, FILE *);

void server_report_json(
    const struct server_report *, const struct counts *, uint64_t now, FILE *);

#endif
