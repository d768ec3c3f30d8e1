/*
 * What report.c gathers, report_verdict.c judges, and report_live.c,
 * report_summary.c and report_json.c write out; nobody else's business.
 */
#ifndef CLIENT_REPORT_INTERNAL_H
#define CLIENT_REPORT_INTERNAL_H

#include "lib/netstat.h"
#include "client/report.h"

#define REPORT_REASONS	   8
#define REPORT_REASON_SIZE 200

/* One second of the run. */
struct report_row {
	uint64_t at; /* monotonic nanoseconds, the end of the second */
	uint64_t open;
	struct stats_counters n; /* what was counted in it */
	uint64_t response_p50, response_p99, response_max;
	uint64_t lateness_p99;
};

struct report {
	struct report_config config;
	struct report_end end;
	struct generator_result total;
	struct stats sampled; /* as of the last row */
	struct stats shown; /* as of the last live line */
	struct stats change; /* scratch: they are too large for the stack */
	uint64_t shown_at;
	uint64_t begun_wall; /* nanoseconds since the epoch */
	uint64_t begun;
	struct report_row *rows;
	size_t row_count;
	struct netstat kernel; /* before the end: at the start */
	struct netstat_finding findings[NETSTAT_FINDINGS];
	size_t finding_count;
	char reasons[REPORT_REASONS][REPORT_REASON_SIZE];
	size_t reason_count;
};

#define MS(ns)	      ((double)(ns) / (double)CLOCK_NS_PER_MS)
#define PERCENT(x, y) ((y) == 0 ? 0.0 : 100.0 * (double)(x) / (double)(y))

/* Finds the reasons why the run is not what was asked for. */
void report_judge(struct report *);

/* Of querying, nanoseconds; 0 if it did not come to that. */
uint64_t report_duration(const struct report *);

/* From begin to end, 0 if it did not come to that. */
double report_seconds(uint64_t begin, uint64_t end);

/* count per second of querying; 0 if it did not come to that. */
double report_rate(const struct report *, uint64_t count);

#endif
